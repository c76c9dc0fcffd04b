"""Files that several tests read; tracing one takes seconds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from torch import nn

from backend.export.onnx import export_onnx
from backend.export.qdq import export_qdq
from tests.maths.export.nets import QuantNet, float_net, images


@dataclass(frozen=True)
class Exported:
    net: nn.Module
    path: Path
    notes: tuple[str, ...] = ()


@pytest.fixture(scope="session")
def float_file(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    path = tmp_path_factory.mktemp("float") / "net.onnx"
    net = float_net()  # in training mode, as it comes from training
    export_onnx(net, images(1, 3, 16, 16), path, metadata={"classes": "a,b"})
    return Exported(net, path)


def _qdq(folder: Path, net: nn.Module, **options: str) -> Exported:
    path = folder / "net.onnx"
    return Exported(net, path, export_qdq(net, images(4, 3, 8, 8), path, **options))


@pytest.fixture(scope="session")
def po2_file(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """8 bits, one power-of-two scale a tensor."""
    return _qdq(tmp_path_factory.mktemp("po2"), QuantNet(8, po2=True, per_axis=False).eval())


@pytest.fixture(scope="session")
def uint8_file(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """The same network with its weights stored as uint8."""
    net = QuantNet(8, po2=True, per_axis=False).eval()
    return _qdq(tmp_path_factory.mktemp("uint8"), net, weight_type="uint8")


@pytest.fixture(scope="session")
def four_bit_file(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """4 bits, scales a channel, none a power of two."""
    return _qdq(tmp_path_factory.mktemp("w4"), QuantNet(4, po2=False, per_axis=True).eval())
