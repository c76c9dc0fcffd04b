from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from backend.diffusion.pipelines import MARK, DiffusionError, find_pipeline, size_on_hub


@pytest.fixture
def copy(pipelines: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(pipelines["instruct"], tmp_path / "copy"))


def index_of(folder: Path) -> dict[str, object]:
    return json.loads((folder / "model_index.json").read_bytes())


def change_index(folder: Path, **values: object) -> None:
    (folder / "model_index.json").write_text(json.dumps({**index_of(folder), **values}))


def without(folder: Path, key: str) -> None:
    index = index_of(folder)
    del index[key]
    (folder / "model_index.json").write_text(json.dumps(index))


def test_what_a_pipeline_is_can_be_told_without_loading_it(pipelines: dict[str, Path]) -> None:
    instruct, plain = (find_pipeline(str(pipelines[kind])) for kind in ("instruct", "img2img"))
    assert (instruct.kind, plain.kind) == ("instruct", "img2img")
    assert plain.class_name == "StableDiffusionImg2ImgPipeline"
    assert instruct.native_size == plain.native_size == 32
    weights = list(pipelines["instruct"].glob("*/*.safetensors"))
    assert instruct.bytes == sum(path.stat().st_size for path in weights)
    assert instruct.digest != plain.digest
    assert instruct.digest == find_pipeline(str(pipelines["instruct"])).digest


def test_random_weights_are_recognised_by_a_mark_a_readme_or_the_owner(copy: Path) -> None:
    assert find_pipeline(str(copy)).random == "model_index.json says so"
    without(copy, MARK)
    assert find_pipeline(str(copy)).random == ""
    (copy / "README.md").write_text("---\nlicense: mit\n---\nA tiny pipeline with random weights.")
    found = find_pipeline(str(copy))
    assert found.random == "its README says so"
    assert found.licence == "mit"


def test_the_digest_follows_settings_and_weights(copy: Path) -> None:
    before = find_pipeline(str(copy)).digest
    config = copy / "scheduler" / "scheduler_config.json"
    config.write_text(config.read_text().replace("0.02", "0.03"))
    changed = find_pipeline(str(copy)).digest
    with (copy / "unet" / "diffusion_pytorch_model.safetensors").open("ab") as file:
        file.write(b"0")
    assert len({before, changed, find_pipeline(str(copy)).digest}) == 3


def test_code_of_a_repository_is_refused(copy: Path) -> None:
    change_index(copy, unet=["my_module", "MyNet"])
    with pytest.raises(DiffusionError, match="program code of its own for unet"):
        find_pipeline(str(copy))


def test_weights_that_are_no_safetensors_are_refused(copy: Path) -> None:
    weights = copy / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(DiffusionError, match="no safetensors for its unet"):
        find_pipeline(str(copy))


def test_pipelines_that_do_not_edit_are_refused(copy: Path) -> None:
    change_index(copy, _class_name="DDPMPipeline")
    with pytest.raises(DiffusionError, match="DDPMPipeline, which is not known to edit pictures"):
        find_pipeline(str(copy))


@pytest.mark.parametrize("text", ["{", "[]", "\x00"])
def test_damaged_and_missing_files_are_named(copy: Path, text: str, tmp_path: Path) -> None:
    (copy / "unet" / "config.json").write_text(text)
    with pytest.raises(DiffusionError, match=r"config\.json of .* is damaged"):
        find_pipeline(str(copy))
    (copy / "unet" / "config.json").unlink()
    with pytest.raises(DiffusionError, match=r"has no unet/config\.json"):
        find_pipeline(str(copy))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DiffusionError, match=r"has no model_index\.json"):
        find_pipeline(str(tmp_path / "empty"))


def test_a_hub_id_is_looked_for_in_the_cache_alone_unless_asked(tmp_path: Path) -> None:
    name = "somebody/absent-pipeline"
    with pytest.raises(DiffusionError, match=f"{name} is not on this computer. Allow the download"):
        find_pipeline(name)
    with pytest.raises(DiffusionError, match="neither from the hub nor from its cache"):
        find_pipeline(name, download=True)
    with pytest.raises(DiffusionError, match="neither from the hub"):
        size_on_hub(name)
    for wrong in ("no folder here", "a/b/c", "../x", "https://huggingface.co/x/y"):
        with pytest.raises(DiffusionError, match="no hub id"):
            find_pipeline(wrong)


def test_a_cached_hub_id_is_found_at_its_commit(
    pipelines: dict[str, Path], tmp_path: Path, monkeypatch
) -> None:
    """The layout of the hub's cache: refs, and snapshots by commit."""
    import huggingface_hub.constants

    commit = "0123456789abcdef0123456789abcdef01234567"
    cached = tmp_path / "models--somebody--tiny"
    shutil.copytree(pipelines["instruct"], cached / "snapshots" / commit)
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text(commit)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    found = find_pipeline("somebody/tiny")
    assert found.commit == commit
    assert found.digest == find_pipeline(str(pipelines["instruct"])).digest
    assert find_pipeline("somebody/tiny", commit).folder == found.folder
    with pytest.raises(DiffusionError, match="is not on this computer"):
        find_pipeline("somebody/tiny", "f" * 40)
