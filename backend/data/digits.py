"""The 8x8 handwritten digits that come with scikit-learn: the smallest real data there is.

Source: E. Alpaydin, C. Kaynak, Optical recognition of handwritten digits, UCI repository, 1998.
"""

from __future__ import annotations

import zlib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from backend.data.manifest import DataError, FileEntry, Manifest
from backend.data.splits import Pixels, split_options

_SIDE = 8
_LEVELS = 16  # the values are 0 .. 16


def digits(**options: Any) -> Manifest:
    """Return the manifest of the 1,797 digits; all splits are cut from them.

    Args:
        options: those of :func:`backend.data.splits.split_options`.

    Raises:
        DataError: scikit-learn is not installed.
    """
    return Manifest(
        kind="digits",
        title="Digits 8x8 (scikit-learn)",
        classes=tuple("0123456789"),
        files=(FileEntry.of(_table(), digest=True),),
        options=split_options(("train",), **options),
    )


def read(manifest: Manifest, part: str) -> Pixels:
    """Return all digits, uint8 (N, 8, 8, 1) in 0 .. 255.

    Raises:
        DataError: the table is damaged.
    """
    path = manifest.files[0].path
    try:
        table = np.loadtxt(path, delimiter=",", dtype=np.float64)
        if table.ndim != 2 or table.shape[1] != _SIDE**2 + 1:
            raise ValueError(f"its shape is {table.shape}")
    except (ValueError, OSError, EOFError, zlib.error) as error:
        raise DataError(
            f'The digits in "{path}" cannot be read ({error}); install scikit-learn again.'
        ) from error
    pixels = np.rint(table[:, :-1] * (255 / _LEVELS)).astype(np.uint8)
    return Pixels(pixels.reshape(-1, _SIDE, _SIDE, 1), table[:, -1])


def _table() -> Path:
    # Found without importing scikit-learn, which takes a second or more and is not needed.
    spec = find_spec("sklearn")
    for root in (spec and spec.submodule_search_locations) or ():
        path = Path(root) / "datasets" / "data" / "digits.csv.gz"
        if path.is_file():
            return path
    raise DataError(
        'The digits come with the package "scikit-learn"; install it with '
        "python -m pip install scikit-learn."
    )
