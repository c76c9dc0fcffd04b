"""Writes both emoji packages with the layout of the real ones: twelve emoji, two with tones."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from backend.data.emoji import GOOGLE, TWITTER, Package

BASES = [f"{code:x}.png" for code in range(0x1F450, 0x1F45C)]
TONES = {
    "1f450.png": {f"{t}": f"1f469-{t}-200d-1f91d.png" for t in ("1f3fb", "1f3fc", "1f3fd")},
    "1f451.png": {f"{t}": f"1f451-{t}.png" for t in ("1f3fb", "1f3fc", "1f3fd")},
}


def write_packages(folder: Path, *, spoilt: bytes = b"") -> tuple[Package, Package]:
    """Write both archives into ``folder``; return their packages with the hashes of these.

    ``spoilt`` stands in the place of Google's first picture.
    """
    folder.mkdir(parents=True, exist_ok=True)
    listed = [
        {
            "image": base,
            "skin_variations": {t: {"image": n} for t, n in TONES.get(base, {}).items()},
        }
        for base in BASES
    ]
    names = BASES + [name for tones in TONES.values() for name in tones.values()]
    pins = []
    for seed, package in enumerate((GOOGLE, TWITTER)):
        dice = np.random.default_rng(seed)
        files = {f"package/{package.pictures}{name}": _drawn(dice) for name in names}
        if package is GOOGLE:
            files[f"package/{package.pictures}1f4ff.png"] = _drawn(dice)
            if spoilt:
                files[f"package/{package.pictures}{BASES[0]}"] = spoilt
        files["package/emoji.json"] = json.dumps(listed).encode()
        files[f"package/img/{package.maker}/sheets/64.png"] = b"a sheet"
        path = folder / package.archive
        with tarfile.open(path, "w:gz") as archive:
            for name, content in files.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
        pins.append(replace(package, sha256=hashlib.sha256(path.read_bytes()).hexdigest()))
    return pins[0], pins[1]


def _drawn(dice: np.random.Generator) -> bytes:
    pixels = np.zeros((64, 64, 4), np.uint8)
    pixels[8:56, 8:56, :3] = dice.integers(0, 256, (6, 6, 3)).repeat(8, 0).repeat(8, 1)
    pixels[8:56, 8:56, 3] = 255
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()
