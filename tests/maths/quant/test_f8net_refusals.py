"""What F8Net cannot quantize is refused in one sentence that names the place."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from backend.quant.f8_options import F8Options
from backend.quant.f8net import f8net
from backend.quant.fixed_point import QuantError
from tests.maths.quant.nets import conv_bn


class Gate(nn.Module):
    def __init__(self):
        super().__init__()
        self.squeeze = nn.Conv2d(4, 4, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.squeeze(x.mean((2, 3), keepdim=True)))


class PreActivation(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm2d(3)
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x):
        return self.conv(self.norm(x).relu())


class Standardised(nn.Conv2d):
    def forward(self, x):
        return self._conv_forward(x, self.weight - self.weight.mean(), self.bias)


class TwoReaders(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)
        self.norm = nn.BatchNorm2d(3)

    def forward(self, x):
        y = self.conv(x)
        return self.norm(y) + y


class SharedSigns(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 3, 1)
        self.conv = nn.Conv2d(3, 3, 1)

    def forward(self, x):
        return self.conv(self.conv(self.stem(x)).relu())


REFUSED = {
    "0.squeeze": None,
    "silu": (nn.Sequential(nn.Conv2d(3, 4, 3), nn.SiLU()), r"1 \(SiLU\)"),
    "hardswish": (nn.Sequential(nn.Conv2d(3, 4, 3), nn.Hardswish()), r"1 \(Hardswish\)"),
    "squeeze": (nn.Sequential(nn.Conv2d(3, 4, 3), Gate()), r"^1 \(mul\) multiplies two"),
    "norm first": (PreActivation(), "norm is a batch norm that does not directly follow"),
    "standardised": (nn.Sequential(Standardised(3, 4, 3)), "0 .*no fixed-point form"),
    "two readers": (TwoReaders(), "conv is used both before and after its batch norm norm"),
    "signs": (SharedSigns(), "shared layer conv reads different kinds"),
    "circular": (nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, padding_mode="circular")), "circular"),
    "clamp": (nn.Sequential(nn.Conv2d(3, 4, 3), nn.Hardtanh()), "1 clamps to a range"),
    "transposed": (nn.Sequential(nn.ConvTranspose2d(3, 4, 3)), r"0 \(ConvTranspose2d\)"),
    "group norm": (nn.Sequential(nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4)), "GroupNorm"),
    "no statistics": (
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False)),
        "track_running_stats=True",
    ),
    "sigmoid inside": (
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.Sigmoid(), nn.Conv2d(4, 4, 3)),
        "result of 1",
    ),
    "nothing": (nn.Sequential(nn.ReLU(), nn.Flatten()), "no convolution and no linear"),
}
del REFUSED["0.squeeze"]


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_the_place_and_the_reason(case):
    module, message = REFUSED[case]
    with pytest.raises(QuantError, match=message) as caught:
        f8net(module, {})
    assert caught.value.for_user
    assert str(caught.value).endswith(".")


def test_a_reparametrized_layer_is_not_taken_for_a_plain_one():
    module = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 4, 3)))
    with pytest.raises(QuantError, match="0"):
        f8net(module, {})


def test_a_picture_that_is_also_added_cannot_keep_its_codes():
    class Skip(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.next = conv_bn(3, 3), conv_bn(3, 3)

        def forward(self, x):
            return self.next(self.conv(x) + x)

    with pytest.raises(QuantError, match="image = 'signed'"):
        f8net(Skip(), {"image": "unit"})
    module = Skip().eval()
    x = torch.rand(2, 3, 8, 8)
    expected = module(x)
    network = f8net(module, {"image": "signed"})
    network.mode = "off"
    assert torch.allclose(network(x), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ({"wordlength": 8}, "no option 'wordlength'"),
        ({"alpa": 8.0}, "did you mean 'alpha'"),
        ({"wl": "8"}, "wl cannot be '8'; it must be a whole number"),
        ({"wl": True}, "wl cannot be True"),
        ({"wl": 1}, "2 to 16"),
        ({"wl": 4, "selector": "std"}, "8 bits only"),
        ({"selector": "variance"}, "one of 'auto', 'std'"),
        ({"alpha": 0}, "above 0"),
        ({"fl_range": "any"}, "grid"),
        ({"shape": [3, 8]}, "three whole numbers"),
    ],
)
def test_a_wrong_plan_is_refused(plan, message):
    with pytest.raises(QuantError, match=message):
        F8Options.from_plan(plan)


def test_a_plan_is_what_differs_from_the_defaults():
    assert F8Options.from_plan({}).to_plan() == {}
    plan = {"wl": 4, "bn_gradient": False, "shape": [3, 8, 8]}
    assert F8Options.from_plan(plan).to_plan() == plan
    assert F8Options.from_plan({}).rule == "std"
    assert F8Options.from_plan({"wl": 4}).rule == "grid"
    assert F8Options.from_plan({"no_clipping": True}).rule == "grid"


def test_lowering_needs_its_quantizers():
    network = f8net(nn.Sequential(nn.Conv2d(3, 4, 3)), {})
    network.mode = "floating"
    with pytest.raises(QuantError, match="switched off"):
        network.lowered()
    with pytest.raises(QuantError, match="no mode 'on'"):
        network.mode = "on"
