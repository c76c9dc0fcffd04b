"""Files that come with Fretsaw: samples of data, example pipelines, icons."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).resolve().parent


def sample(name: str) -> Path:
    """Return the folder of the sample data set ``name``."""
    return FOLDER / "samples" / name
