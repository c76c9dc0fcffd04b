from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.maths.data.test_cifar import write_ten
from tests.maths.models.test_pretrained import save_hub_folder
from tests.methods.graphs import PYTHON_NETWORK, write_pictures


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
    (folder / "net.py").write_text(PYTHON_NETWORK)
    torch.manual_seed(0)
    net = build(Recipe("zoo:resnet(depth=8, width=4, in_channels=1)"), meta=False).eval()
    save_file(net.state_dict(), folder / "weights.safetensors")
    export_onnx(net, torch.zeros(2, 1, 8, 8), folder / "net.onnx")
    save_hub_folder("resnet", folder / "hub")
    return {
        "cifar": str(folder / "cifar-10-batches-py"),
        "pictures": str(folder / "pictures"),
        "python": str(folder / "net.py"),
        "weights": str(folder / "weights.safetensors"),
        "onnx": str(folder / "net.onnx"),
        "hub": str(folder / "hub"),
    }


@pytest.fixture(autouse=True)
def _python_file_is_trusted(files: dict[str, str], _shared_workspace: None) -> None:
    from backend.core.artifact import file_sha256
    from backend.models.trust import trust

    trust(file_sha256(Path(files["python"])))
