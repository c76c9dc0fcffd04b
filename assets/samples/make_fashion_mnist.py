"""Make the sample: a balanced part of Fashion-MNIST, 8,000 training and 2,000 test pictures.

    python -m assets.samples.make_fashion_mnist [FOLDER_WITH_THE_FOUR_IDX_FILES]

Without a folder the files of the Debian package are used. It chooses the same
pictures every time.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import assets
from backend.data.fashion_mnist import fashion_mnist, read
from backend.data.idx import write_idx
from backend.data.splits import balanced

SEED = 2017
COUNTS = {"train": 8_000, "test": 2_000}
STEMS = {"train": "train", "test": "t10k"}


def main(folder: str | None = None) -> None:
    """Write the four files beside this script."""
    manifest = fashion_mnist("folder" if folder else "debian", folder)
    target = assets.sample("fashion_mnist")
    for part, count in COUNTS.items():
        images = read(manifest, part)
        chosen = balanced(images.labels, count, SEED)
        stem = target / STEMS[part]
        write_idx(Path(f"{stem}-images-idx3-ubyte.gz"), images.take(chosen)[..., 0])
        write_idx(Path(f"{stem}-labels-idx1-ubyte.gz"), images.labels[chosen].astype(np.uint8))


if __name__ == "__main__":
    main(*sys.argv[1:])
