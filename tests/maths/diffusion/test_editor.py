from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backend.diffusion.clip import Clip, ClipBounds, clip_reason
from backend.diffusion.editor import SCHEDULERS, Editor, Settings
from backend.diffusion.pipelines import DiffusionError, find_pipeline

FAST = Settings(steps=2)


def pictures(count: int = 2, side: int = 32) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


@pytest.mark.parametrize("kind", ["instruct", "img2img"])
def test_a_picture_depends_on_prompt_and_seed_and_not_on_its_batch(
    pipelines: dict[str, Path], kind: str
) -> None:
    editor = Editor(find_pipeline(str(pipelines[kind])), FAST)
    both, finite = editor(pictures(), ["make it night", "snow"], [1, 2])
    assert both.shape == (2, 32, 32, 3)
    assert both.dtype == np.uint8
    assert finite.all()
    alone, _ = editor(pictures()[1:], ["snow"], [2])
    assert np.abs(alone[0].astype(int) - both[1]).max() <= 1
    other, _ = editor(pictures()[1:], ["snow"], [3])
    assert not np.array_equal(other, alone)
    assert not np.array_equal(editor(pictures()[1:], ["a cat"], [2])[0], alone)
    again = Editor(find_pipeline(str(pipelines[kind])), FAST)
    assert np.array_equal(again(pictures()[1:], ["snow"], [2])[0], alone)


@pytest.mark.parametrize("scheduler", [name for name in SCHEDULERS if name != "as saved"])
def test_every_scheduler_takes_its_steps(pipelines: dict[str, Path], scheduler: str) -> None:
    found = find_pipeline(str(pipelines["img2img"]))
    edited, finite = Editor(found, Settings(steps=4, scheduler=scheduler, strength=0.5))(
        pictures(1), ["a"], [1]
    )
    assert finite.all()
    assert edited.std() > 1


def test_options_reach_the_pipeline(pipelines: dict[str, Path]) -> None:
    found = find_pipeline(str(pipelines["instruct"]))
    base = Settings(steps=3)
    outputs = {
        name: Editor(found, settings)(pictures(1), ["snow"], [1])[0].tobytes()
        for name, settings in {
            "base": base,
            "guidance": replace(base, guidance=3),
            "image guidance": replace(base, image_guidance=4),
            "steps": replace(base, steps=5),
            "negative": replace(base, negative="rain"),
            "size": replace(base, size=48),
        }.items()
    }
    assert len(set(outputs.values())) == len(outputs)
    plain = find_pipeline(str(pipelines["img2img"]))
    weak, strong = (
        Editor(plain, Settings(steps=4, strength=s))(pictures(1), ["snow"], [1])[0]
        for s in (0.3, 1.0)
    )
    assert not np.array_equal(weak, strong)


def test_it_works_at_its_own_size_and_answers_in_that_of_the_photos(
    pipelines: dict[str, Path],
) -> None:
    editor = Editor(find_pipeline(str(pipelines["instruct"])), FAST)
    edited, _ = editor(pictures(1, side=20), ["a"], [1])
    assert edited.shape == (1, 20, 20, 3)


def test_settings_that_cannot_work_are_refused(pipelines: dict[str, Path], tmp_path: Path) -> None:
    found = find_pipeline(str(pipelines["instruct"]))
    with pytest.raises(DiffusionError, match="float16 is not computed on the CPU"):
        Editor(found, Settings(dtype="float16"))
    with pytest.raises(DiffusionError, match="choose a multiple of 8"):
        Editor(found, Settings(size=36))
    broken = Path(shutil.copytree(pipelines["instruct"], tmp_path / "broken"))
    weights = broken / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(DiffusionError, match="cannot be loaded"):
        Editor(find_pipeline(str(broken)), FAST)


@pytest.mark.parametrize("package", ["diffusers", "transformers"])
def test_a_missing_package_is_named_with_its_remedy(
    pipelines: dict[str, Path], monkeypatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    remedy = r"pip install fretsaw\[diffusion\]"
    with pytest.raises(DiffusionError, match=remedy):
        Editor(find_pipeline(str(pipelines["instruct"])), FAST)
    if package == "transformers":
        with pytest.raises(DiffusionError, match=remedy):
            Clip(str(pipelines["clip"]))


def test_clip_gives_the_figures_of_its_own_vectors(pipelines: dict[str, Path]) -> None:
    clip = Clip(str(pipelines["clip"]))
    one, other = pictures()
    images, texts = clip.embed(pictures(), ["a photo of a cat", "a painting"])
    assert np.allclose(np.linalg.norm(images, axis=1), 1, atol=1e-5)
    found = clip.figures(one, other, "a photo of a cat", "a painting")
    moved, wanted = images[1] - images[0], texts[1] - texts[0]
    cosine = float(moved @ wanted / np.linalg.norm(moved) / np.linalg.norm(wanted))
    assert found["direction"] == pytest.approx(cosine, abs=1e-4)
    assert found["likeness"] == pytest.approx(float(images[0] @ images[1]), abs=1e-5)
    assert found["gain"] == pytest.approx(float((images[1] - images[0]) @ texts[1]), abs=1e-5)
    same = clip.figures(one, one, "a", "b")
    assert same["gain"] == pytest.approx(0, abs=1e-6)
    assert same["direction"] == 0
    assert clip_reason(same, ClipBounds()) == "prompt not met"
    assert clip_reason({"gain": 1, "direction": 0, "likeness": 1}, ClipBounds()) == "another edit"
    assert (
        clip_reason({"gain": 1, "direction": 1, "likeness": 0}, ClipBounds()) == "another picture"
    )
    assert clip_reason({"gain": 1, "direction": 1, "likeness": 1}, ClipBounds()) == ""


def test_a_folder_that_holds_no_clip_is_refused(pipelines: dict[str, Path]) -> None:
    for where in (str(pipelines["instruct"]), "somebody/absent-clip"):
        with pytest.raises(DiffusionError, match="cannot be loaded as a CLIP network"):
            Clip(where)
