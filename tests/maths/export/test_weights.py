"""Weights beside the graph: the same bits as in one file; norms folded; other networks refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from backend.export.fold import folded
from backend.export.onnx import ExportError, export_onnx
from backend.export.require import require
from backend.export.runtime import session
from backend.export.weights import export_graph, keep_graph, slots, write_weights
from backend.models.recipe import Recipe, build

NETS = {
    "instance": "zoo:resnet_generator(width=4, blocks=1)",
    "batch and shuffle": "zoo:resnet_generator(width=4, blocks=1, norm='batch', padding='zero', "
    "upsampling='shuffle', shuffle=2, downs=1, shortcut=True)",
    "u-net": "zoo:unet_generator(width=4, depth=2, upsampling='transposed')",
}


def net(builder: str, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    module = build(Recipe(builder), meta=False)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2)
            nn.init.normal_(part.weight)
            nn.init.normal_(part.bias)
    return module.eval()


def run(path: Path, x: torch.Tensor, *, optimize: bool) -> np.ndarray:
    return session(path, optimize=optimize).run(None, {"image": x.numpy()})[0]


@pytest.mark.parametrize("name", NETS)
def test_weights_alone_give_the_bits_of_a_whole_export(name: str, tmp_path: Path) -> None:
    """The graph is of other weights, zeros among them, than those that follow."""
    first, second = net(NETS[name], 0), net(NETS[name], 1)
    x = torch.rand(1, 3, 32, 24)
    export_graph(first, x, tmp_path / "a.onnx", weights="a.weights")
    write_weights(second, slots(tmp_path / "a.onnx"), tmp_path / "a.weights")
    export_onnx(folded(second), x, tmp_path / "b.onnx", dynamic_batch=False, output_name="edited")
    for optimize in (False, True):
        beside = run(tmp_path / "a.onnx", x, optimize=optimize)
        assert np.array_equal(beside, run(tmp_path / "b.onnx", x, optimize=optimize))
    with torch.no_grad():
        assert beside == pytest.approx(second(x).numpy(), abs=1e-5)


def test_the_graph_is_the_same_for_all_weights_and_much_smaller(tmp_path: Path) -> None:
    builder = NETS["instance"]
    x = torch.rand(1, 3, 16, 16)
    for i in range(2):
        export_graph(net(builder, i), x, tmp_path / f"{i}.onnx", weights="w")
    graph = (tmp_path / "0.onnx").read_bytes()
    assert graph == (tmp_path / "1.onnx").read_bytes()
    places = slots(tmp_path / "0.onnx")
    assert len(graph) < 12_000
    assert all(place.offset % 64 == 0 for place in places)
    parameters = sum(p.numel() for p in net(builder, 0).parameters())
    assert sum(place.bytes for place in places) == 4 * parameters
    model = require("onnx").load(str(tmp_path / "0.onnx"), load_external_data=False)
    assert model.ir_version <= 9
    assert model.opset_import[0].version == 17


def test_norms_are_folded_and_gone_also_behind_a_pixel_shuffle(tmp_path: Path) -> None:
    module = net(NETS["batch and shuffle"], 0)
    before = {key: value.clone() for key, value in module.state_dict().items()}
    plain = folded(module)
    assert not any(isinstance(part, nn.BatchNorm2d) for part in plain.modules())
    x = torch.rand(2, 3, 16, 16)
    with torch.no_grad():
        assert torch.allclose(plain(x), module(x), atol=1e-6)
    assert all(torch.equal(before[key], value) for key, value in module.state_dict().items())
    export_onnx(plain, x, tmp_path / "a.onnx")
    model = require("onnx").load(str(tmp_path / "a.onnx"))
    assert "BatchNormalization" not in {n.op_type for n in model.graph.node}


def test_a_norm_that_cannot_be_folded_stays() -> None:
    shared = nn.BatchNorm2d(3)
    module = nn.Sequential(
        nn.Conv2d(3, 3, 1), shared, nn.ReLU(), nn.Conv2d(3, 3, 1), shared, nn.ReLU(),
        nn.BatchNorm2d(3), nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3, track_running_stats=False),
    ).eval()  # fmt: skip
    plain = folded(module)
    assert sum(isinstance(part, nn.BatchNorm2d) for part in plain.modules()) == 3
    x = torch.rand(2, 3, 4, 4)
    assert torch.equal(plain(x), module(x))


def test_weights_of_another_architecture_are_refused(tmp_path: Path) -> None:
    x = torch.rand(1, 3, 16, 16)
    export_graph(net(NETS["instance"], 0), x, tmp_path / "a.onnx", weights="w")
    wider = net("zoo:resnet_generator(width=8, blocks=1)", 0)
    with pytest.raises(ExportError, match=r"no weight .* of the shape"):
        write_weights(wider, slots(tmp_path / "a.onnx"), tmp_path / "w")
    assert not (tmp_path / "w").exists()


def test_a_network_whose_weights_change_on_their_way_is_refused(tmp_path: Path) -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 1, bias=False)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return nn.functional.conv2d(x, self.conv.weight * 2)

    with pytest.raises(ExportError, match=r"The weight conv.weight is not in the graph"):
        export_graph(Scaled(), torch.rand(1, 3, 8, 8), tmp_path / "a.onnx", weights="w")


def test_a_whole_file_has_no_places_and_a_graph_is_kept_once(float_file, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="inside"):
        slots(float_file.path)
    first = keep_graph(float_file.path, tmp_path)
    assert first.read_bytes() == float_file.path.read_bytes()
    assert keep_graph(float_file.path, tmp_path) == first


def test_a_free_size_takes_every_multiple(tmp_path: Path) -> None:
    module = net(NETS["batch and shuffle"], 0)
    export_onnx(folded(module), torch.rand(1, 3, 16, 16), tmp_path / "a.onnx", any_size=4)
    for size in ((8, 8), (24, 40), (64, 4)):
        x = torch.rand(3, 3, *size)
        with torch.no_grad():
            wanted = module(x).numpy()
        assert run(tmp_path / "a.onnx", x, optimize=True) == pytest.approx(wanted, abs=1e-5)
