"""Where formats end: capped activations, wide words, few weights a channel, odd layers."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backend.quant.f8_training import calibrate
from backend.quant.f8net import f8net
from backend.quant.fixed_point import QuantError
from tests.maths.quant.nets import AddNet

IMAGES = torch.rand(64, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def relative_error(found: Tensor, expected: Tensor) -> float:
    return ((found - expected).norm() / expected.norm()).item()


@pytest.mark.parametrize("wl", [8, 12])
def test_calibration_knows_the_cap_of_relu6(wl: int) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU6(), nn.Conv2d(8, 5, 1)).eval()
    with torch.no_grad():
        net[0].weight.mul_(16)
    assert net[0](IMAGES).max().item() > 9, "the cap matters"
    plan = {"image": "unit", "wl": wl, "input_wl": 8}
    network = f8net(net, plan).eval()
    expected = net(IMAGES)
    # Enough batches for the running formats to settle before the two are compared.
    network.train()
    for _ in range(30):
        network(IMAGES)
    before = relative_error(network.eval()(IMAGES), expected)
    calibrate(network, [IMAGES])
    after = relative_error(network.eval()(IMAGES), expected)
    assert after <= 1.01 * before
    assert float(network.alpha.detach().abs().max()) <= 6.001


def test_wide_words_lose_nothing_in_their_biases() -> None:
    torch.manual_seed(0)
    net = AddNet()
    net.train()
    for _ in range(5):
        net(IMAGES)
    net.eval()
    errors = {}
    for wl in (12, 16):
        network = f8net(net, {"image": "unit", "wl": wl, "input_wl": 8})
        calibrate(network, [IMAGES])
        errors[wl] = relative_error(network.eval()(IMAGES), net(IMAGES))
        assert torch.equal(network.lowered()(IMAGES), network(IMAGES))
    assert errors[16] <= 1.05 * errors[12]


def test_channels_of_one_weight_get_their_format_by_trying() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 3, 1, groups=3, bias=False)).eval()
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([2.0, 3.1, 4.0]).reshape(3, 1, 1, 1))
    expected = net(IMAGES)
    auto = f8net(net, {"image": "unit", "granularity": "channel"}).eval()
    assert relative_error(auto(IMAGES), expected) < 0.02
    published = f8net(net, {"image": "unit", "granularity": "channel", "selector": "std"}).eval()
    assert relative_error(published(IMAGES), expected) > 0.5, "the rule is there for who wants it"


def test_a_norm_along_another_axis_is_refused() -> None:
    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Linear(16, 48)
            self.norm = nn.BatchNorm1d(48)
            self.last = nn.Linear(48, 5)

        def forward(self, x: Tensor) -> Tensor:
            x = torch.relu(self.norm(self.embed(x.flatten(1, 2))))
            return self.last(x.mean(1))

    torch.manual_seed(0)
    with pytest.raises(QuantError, match=r"embed.*batch norm.*flatten its input"):
        f8net(Tokens(), {"image": "unit"})(IMAGES)


def test_bicubic_resizing_may_become_negative() -> None:
    class Bicubic(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Conv2d(3, 6, 3, padding=1)
            self.b = nn.Conv2d(6, 5, 3, padding=1)

        def forward(self, x: Tensor) -> Tensor:
            x = torch.relu(self.a(x))
            return self.b(F.interpolate(x, scale_factor=2, mode="bicubic"))

    torch.manual_seed(0)
    net = Bicubic().eval()
    network = f8net(net, {"image": "unit"}).eval()
    network.mode = "off"
    assert relative_error(network(IMAGES), net(IMAGES)) < 1e-5
    assert network.quantizer("b").spec.signed
