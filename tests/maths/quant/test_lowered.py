"""The plain network for inference: what it consists of, and T7, its agreement with integers."""

from __future__ import annotations

import operator

import pytest
import torch
from torch import fx, nn

from backend.quant.describe import Described, Lowerable, TensorFormat
from backend.quant.f8_training import calibrate
from backend.quant.fake_quant import FakeQuantize, GridConv2d, GridLinear, is_on_grid
from backend.quant.fixed_point import requantize
from tests.maths.quant.nets import convert, pictures


class Integers(fx.Interpreter):
    """Run a lowered network on int64: a value is (codes, fraction length). Only for the test."""

    def run_node(self, node):
        args, _ = self.fetch_args_kwargs_from_env(node)
        if node.op == "placeholder":
            return super().run_node(node)
        if node.op == "output":
            return args[0]
        module = self.module.get_submodule(node.target) if node.op == "call_module" else None
        if isinstance(module, FakeQuantize):
            return self._quantize(module.format, args[0])
        if isinstance(module, GridConv2d | GridLinear):
            return self._layer(module, *args[0])
        if node.target is operator.add:
            (a, fa), (b, fb) = args
            fl = max(fa, fb)
            return (a << (fl - fa)) + (b << (fl - fb)), fl
        if node.target is operator.mul:
            if args[1] == 255 / 256:
                return args[0] * args[1]  # the picture, still as numbers
            power = torch.tensor(args[1], dtype=torch.float64).log2()
            assert power == power.round()
            return args[0][0], args[0][1] - int(power)
        if isinstance(module, nn.AvgPool2d):
            k = module.kernel_size
            codes = args[0][0].unfold(2, k, k).unfold(3, k, k).sum((-1, -2))
            return codes, args[0][1] + 2 * (k.bit_length() - 1)
        if node.op == "call_method":
            return getattr(args[0][0], node.target)(*args[1:]), args[0][1]
        result = module(args[0][0]) if module else node.target(args[0][0], *args[1:])
        return result, args[0][1]

    @staticmethod
    def _quantize(fmt: TensorFormat, value):
        fl = -int(torch.tensor(fmt.scale[0], dtype=torch.float64).log2())
        if isinstance(value, torch.Tensor):
            return fmt.integers(value).long(), fl
        codes, own = value
        return requantize(codes, own - fl, fmt.bits, fmt.signed), fl

    @staticmethod
    def _layer(layer, codes, fl):
        fmt = layer.describe()
        weight = fmt["weight"].integers(layer.weight.detach()).long()
        bias = fmt["bias"].integers(layer.bias.detach()).long()
        weight_fl = -int(torch.tensor(fmt["weight"].scale[0], dtype=torch.float64).log2())
        if isinstance(layer, GridLinear):
            acc = codes @ weight.T + bias
        else:
            # Integer matrix products: no floating-point number takes part.
            columns = nn.functional.pad(codes, [layer.padding[0]] * 4)
            k, s = layer.kernel_size[0], layer.stride[0]
            columns = columns.unfold(2, k, s).unfold(3, k, s)
            acc = torch.einsum("nchwij,ocij->nohw", columns, weight) + bias.view(-1, 1, 1)
        assert acc.abs().max() < 2**31
        return acc, fl + weight_fl


@pytest.mark.parametrize("plan", [{"image": "unit"}, {}, {"wl": 4}], ids=str)
def test_f8net_t7_float64_equals_integers_bit_for_bit(plan):
    images = pictures(6, 16)
    _, network = convert("add", images, **plan)
    calibrate(network, [images])
    for _ in range(3):
        network.train()(images)
    network.double().eval()
    lowered = network.lowered()
    result = lowered(images.double())
    assert torch.equal(result, network(images.double()))
    codes, fl = Integers(lowered).run(images.double())
    assert torch.equal(result * 2.0**fl, codes.double())
    assert codes.abs().max() > 0


def test_f8net_t11_no_overflow_with_the_brightest_pictures():
    _, network = convert("add", pictures(6), image="unit")
    lowered = network.double().lowered()
    Integers(lowered).run(torch.ones(2, 3, 16, 16, dtype=torch.float64))


@pytest.mark.parametrize("name", ["add", "shared", "mixed", "mobilenet_v2(classes=10)"])
@pytest.mark.parametrize("plan", [{"image": "unit"}, {"granularity": "channel"}], ids=str)
def test_only_powers_of_two_and_grids_are_left(name, plan):
    images = pictures(2, 32 if "(" in name else 16)
    _, network = convert(name, images, **plan)
    for i, reader in enumerate(network.readers):
        if network.quantizer(reader).spec.fixed_fl is None:
            network.quantizer(reader).fl_run.fill_(3 + 7 * i % 4)
    lowered = network.lowered()
    assert isinstance(network, Lowerable)
    factors = [one.args[1] for one in lowered.graph.nodes if one.target is operator.mul]
    assert ("unit" in str(plan)) == (255 / 256 in factors)
    factors = torch.tensor([one for one in factors if one != 255 / 256]).log2()
    assert torch.equal(factors, factors.round())
    if name in ("add", "mixed"):
        assert len(factors)
    quantized = [one for one in lowered.modules() if isinstance(one, Described)]
    layers = [one for one in quantized if not isinstance(one, FakeQuantize)]
    assert len(layers) >= sum("op.weight" in key for key, _ in network.named_parameters())
    for layer in layers:
        formats = layer.describe()
        assert is_on_grid(layer.weight, formats["weight"])
        assert is_on_grid(layer.bias, formats["bias"])
        assert formats["bias"].bits == 32
        assert (formats["weight"].axis == 0) == ("channel" in str(plan))
    kinds = {type(one) for one in lowered.modules() if not list(one.children())}
    plain = {nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.Flatten, nn.Dropout, nn.Identity}
    assert kinds <= {FakeQuantize, GridConv2d, GridLinear} | plain
    assert torch.equal(lowered(images), network(images))


def test_a_fake_quantizer_of_any_grid():
    fmt = TensorFormat(8, (0.1,), False, (128,))
    x = torch.tensor([-50.0, -0.26, 0.0, 0.34, 50.0], requires_grad=True)
    y = FakeQuantize(fmt)(x)
    assert torch.allclose(y, torch.tensor([-12.8, -0.3, 0.0, 0.3, 12.7]))
    y.sum().backward()
    assert x.grad.tolist() == [0, 1, 1, 1, 0]
    channels = TensorFormat(4, (0.5, 0.25), True, (0, 0), axis=1)
    x = torch.full((1, 2, 2, 2), 9.0)
    assert FakeQuantize(channels)(x)[0, :, 0, 0].tolist() == [3.5, 1.75]
    with torch.no_grad():
        assert torch.equal(FakeQuantize(channels)(x), FakeQuantize(channels)(x.requires_grad_()))
