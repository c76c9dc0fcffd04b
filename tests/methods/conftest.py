from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
import torch

from tests.maths.data.emoji_package import write_packages
from tests.maths.data.test_cifar import write_ten
from tests.maths.diffusion.tiny import save_pipeline
from tests.maths.models.test_pretrained import save_hub_folder
from tests.methods.graphs import PYTHON_NETWORK, write_labels, write_pairs, write_pictures

PHONE_RECORD = (
    '{"at": 1, "device": "Pixel 7", "t": "bench", "id": "starry", "graph": "'
    + 64 * "0"
    + '", "times": [{"backend": "wasm-4", "median_ms": 38.0, "p90_ms": 46.0, "samples": [38.0]}], '
    '"chosen": "wasm-4"}'
)


def write_emoji(folder: Path) -> Path:
    """Write both packages of emoji, unpacked: what is packed must be the real thing."""
    for package in write_packages(folder):
        with tarfile.open(folder / package.archive) as archive:
            archive.extractall(folder, filter="data")
        (folder / "package").rename(folder / package.name)
        (folder / package.archive).unlink()
    return folder


def save_concept_base(folder: Path) -> Path:
    """Write a base that was told one concept, as a training of one's own leaves it."""
    from backend.concept_values import Concepts
    from backend.core.context import QuietContext
    from backend.methods.e2gan import ConceptGeneratorParams, e2gan_generator

    params = ConceptGeneratorParams(preset="own", width=2, heads=2, text_dim=6, size=32)
    made = e2gan_generator(QuietContext(), params)
    known = Concepts({"night": "at night"}, {"night": torch.ones(5, 6)}, "random")
    folder.mkdir()
    made.trained(made.module, known).save(folder)
    return folder


class Files(dict[str, str]):
    """Paths by name; a diffusion pipeline, which takes seconds, is made when it is asked for."""

    folder: Path

    def __contains__(self, name: object) -> bool:
        return name == "pipeline" or super().__contains__(name)

    def __missing__(self, name: str) -> str:
        if name != "pipeline":
            raise KeyError(name)
        self[name] = str(save_pipeline(self.folder / name))
        return self[name]


@pytest.fixture(scope="session")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One workspace for the whole table: what nodes need is computed once."""
    return tmp_path_factory.mktemp("shared-workspace")


@pytest.fixture(autouse=True)
def _shared_workspace(_own_workspace, shared_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRETSAW_HOME", str(shared_home))


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Files of every kind that nodes read, made with the real writers of their formats."""
    from safetensors.torch import save_file

    from backend.export.onnx import export_onnx
    from backend.models.recipe import Recipe, build

    folder = tmp_path_factory.mktemp("files")
    write_ten(folder, per_batch=40)
    write_pictures(folder / "pictures")
    write_pairs(folder / "pairs")
    write_labels(folder / "labels")
    (folder / "phone.jsonl").write_text(PHONE_RECORD + "\n")
    (folder / "net.py").write_text(PYTHON_NETWORK)
    torch.manual_seed(0)
    net = build(Recipe("zoo:resnet(depth=8, width=4, in_channels=1)"), meta=False).eval()
    save_file(net.state_dict(), folder / "weights.safetensors")
    export_onnx(net, torch.zeros(2, 1, 8, 8), folder / "net.onnx")
    save_hub_folder("resnet", folder / "hub")
    save_concept_base(folder / "concept_base")
    editor = build(Recipe("zoo:cyclegan_generator(width=4, blocks=1)"), meta=False).eval()
    save_file(editor.state_dict(), folder / "editor.safetensors")
    export_onnx(editor, torch.zeros(1, 3, 32, 32), folder / "editor.onnx")
    files = Files(
        cifar=str(folder / "cifar-10-batches-py"),
        pictures=str(folder / "pictures"),
        python=str(folder / "net.py"),
        weights=str(folder / "weights.safetensors"),
        onnx=str(folder / "net.onnx"),
        hub=str(folder / "hub"),
        pairs=str(folder / "pairs"),
        labels=str(folder / "labels"),
        phone=str(folder / "phone.jsonl"),
        concept_base=str(folder / "concept_base"),
        emoji=str(write_emoji(folder / "emoji")),
        image_weights=str(folder / "editor.safetensors"),
        image_onnx=str(folder / "editor.onnx"),
    )
    files.folder = folder
    return files


@pytest.fixture(autouse=True)
def _python_file_is_trusted(files: dict[str, str], _shared_workspace: None) -> None:
    from backend.core.artifact import file_sha256
    from backend.models.trust import trust

    trust(file_sha256(Path(files["python"])))
