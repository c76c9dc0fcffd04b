from __future__ import annotations

from pathlib import Path

import pytest

from tests.maths.diffusion.tiny import save_clip, save_pipeline


@pytest.fixture(scope="session")
def pipelines(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One pipeline of each kind, and a CLIP network; not to be changed."""
    folder = tmp_path_factory.mktemp("pipelines")
    made = {kind: save_pipeline(folder / kind, kind) for kind in ("instruct", "img2img")}
    return {**made, "clip": save_clip(folder / "clip")}
