from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from backend.profile import Operation, macs_table, ort_table, profile
from tests.maths.export.nets import QuantNet, Trained, float_net, images

# By hand, for one sample: output elements times the multiplications of each.
HAND = {
    "conv": (nn.Conv2d(3, 8, 3, stride=2, padding=1), (3, 8, 8), 8 * 4 * 4 * 3 * 9),
    "depthwise": (nn.Conv2d(8, 8, 5, padding=2, groups=8), (8, 6, 6), 8 * 6 * 6 * 25),
    "grouped": (nn.Conv2d(8, 4, 1, groups=2), (8, 5, 5), 4 * 5 * 5 * 4),
    # Every input element meets every weight of its channel.
    "transposed": (nn.ConvTranspose2d(4, 6, 2, stride=2), (4, 5, 5), 4 * 5 * 5 * 6 * 4),
    "conv1d": (nn.Conv1d(4, 6, 3), (4, 10), 6 * 8 * 4 * 3),
    "linear": (nn.Linear(10, 7), (10,), 70),
    "linear on tokens": (nn.Linear(10, 7, bias=False), (5, 10), 5 * 70),
}


@pytest.mark.parametrize("name", HAND)
def test_macs_by_hand(name: str) -> None:
    module, shape, macs = HAND[name]
    costs = profile(module, images(3, *shape))  # two of three samples are not counted
    assert costs.macs == macs
    assert costs.params == sum(p.numel() for p in module.parameters())
    assert "one sample" in costs.mac_convention


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(8, 24)
        self.out = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (part.unflatten(-1, (2, 4)).transpose(1, 2) for part in self.qkv(x).chunk(3, -1))
        y = F.scaled_dot_product_attention(q, k, v)
        return self.out(y.transpose(1, 2).flatten(2))


def test_attention_counts_its_matrix_products() -> None:
    tokens = 6
    costs = profile(Attention(), images(2, tokens, 8))
    products = 2 * 2 * tokens * tokens * 4  # q k and a v, two heads of four channels
    assert costs.macs == tokens * 8 * 24 + products + tokens * 8 * 8
    assert {layer.name: layer.macs for layer in costs.layers}[""] == products


@pytest.mark.parametrize("name", ["float", "quantized"])
def test_total_is_half_of_torchs_flop_count(name: str) -> None:
    net = float_net().eval() if name == "float" else QuantNet(8, True, False).eval()
    x = images(1, 3, 16, 16) if name == "float" else images(1, 3, 8, 8)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(x)
    assert profile(net, x).macs == counter.get_total_flops() // 2 > 0


def test_rows_are_in_order_with_shapes_and_bytes() -> None:
    net = float_net()
    costs = profile(net, images(2, 3, 16, 16))
    rows = {layer.name: layer for layer in costs.layers}
    assert list(rows)[:4] == ["stem", "bn", "block.conv1", "block.bn1"]
    stem = rows["stem"]
    assert (stem.type, stem.calls) == ("Conv2d", 1)
    assert (stem.input_shape, stem.output_shape) == ((1, 3, 16, 16), (1, 8, 16, 16))
    assert (stem.params, stem.macs) == (216, 216 * 256)
    assert (stem.float_bytes, stem.bytes, stem.weight_bits) == (864, 864, 32)
    assert rows["bn"].float_bytes == 4 * 8 * 4  # weight, bias, mean, variance
    assert costs.params == sum(p.numel() for p in net.parameters())
    assert net.training


class Shared(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(F.relu(self.layer(x)))


def test_a_layer_that_runs_twice_counts_twice_and_is_stored_once() -> None:
    costs = profile(Shared(), images(1, 4))
    (row,) = costs.layers
    assert (row.calls, row.macs, row.params, costs.float_bytes) == (2, 32, 16, 64)
    assert macs_table(Shared(), images(1, 4)).total() == 32


def test_bytes_at_the_described_bits() -> None:
    net = QuantNet(4, po2=True, per_axis=True)
    costs = profile(Trained(net), images(1, 3, 8, 8))  # counted in its lowered form
    rows = {layer.name: layer for layer in costs.layers}
    conv = rows["conv1"]
    assert conv.weight_bits == 4
    assert rows["pool"].weight_bits is None
    assert conv.bytes == 6 * 3 * 9 // 2 + 6 * 4
    weights = sum(net.get_submodule(n).weight.numel() for n in ("conv1", "conv2", "tokens", "fc"))
    assert costs.float_bytes - costs.bytes == weights * 4 - weights // 2


class Residual(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        y = x + 1  # the input is needed to the end
        y = y * 2
        return y + x


def test_peak_memory_by_hand() -> None:
    size = 3 * 8 * 8 * 4
    assert profile(Residual(), images(2, 3, 8, 8)).peak_activation_bytes == 3 * size
    chain = nn.Sequential(nn.ReLU(), nn.ReLU(), nn.ReLU())
    assert profile(chain, images(1, 3, 8, 8)).peak_activation_bytes == 2 * size
    inplace = nn.Sequential(nn.ReLU(inplace=True), nn.Flatten())  # a view takes no memory
    assert profile(inplace, images(1, 3, 8, 8)).peak_activation_bytes == size
    wide = nn.Conv2d(3, 32, 1)  # weights are not counted
    assert profile(wide, images(1, 3, 8, 8)).peak_activation_bytes == size + 32 * 64 * 4


def test_example_is_not_changed_by_layers_in_place() -> None:
    x = images(1, 3, 8, 8)
    profile(nn.ReLU(inplace=True), x)
    assert (x < 0).any()


def test_tables_key_equal_work_equally() -> None:
    net = nn.Sequential(
        nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1), nn.Flatten(), nn.Linear(64, 2)
    )
    macs = macs_table(net, images(1, 4, 4, 4))
    conv = Operation("conv2d k3x3 s1x1 p1x1 d1x1 g1", (4, 4, 4, 4))
    linear = Operation("linear", (1, 64, 2))
    assert macs.table == {conv: 4 * 16 * 36, linear: 128}
    assert macs.layers == {"0": (conv,), "1": (conv,), "3": (linear,)}
    assert macs.unit == "MAC"
    assert macs.total() == profile(net, images(1, 4, 4, 4)).macs


def test_measured_table_has_the_same_keys() -> None:
    net = nn.Sequential(nn.ConvTranspose2d(3, 4, 2, stride=2), nn.Flatten(2), Attention8())
    x = images(1, 3, 2, 4)
    table = ort_table(net, x, seconds=0.01)
    assert table.unit == "ms"
    assert set(table.table) == set(macs_table(net, x).table)
    assert {key.name.split()[0] for key in table.table} == {"conv_transpose2d", "linear", "matmul"}
    assert all(figure > 0 for figure in table.table.values())
    assert "ONNX Runtime" in table.provenance


class Attention8(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.project = nn.Linear(32, 8)
        self.attention = Attention()

    def forward(self, x: Tensor) -> Tensor:
        return self.attention(self.project(x))
