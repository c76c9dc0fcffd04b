"""Around the training of F8Net: parameter groups, calibration, and a short real training."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from backend.models import recipe
from backend.quant.f8_options import PRESETS
from backend.quant.f8_training import (
    SCHEMES,
    bn_calibration,
    calibrate,
    weight_decay_groups,
)
from backend.quant.fixed_point import QuantError
from tests.maths.quant.nets import convert, pictures


def test_weight_decay_schemes():
    _, network = convert("mixed", pictures(4))
    every = sum(1 for _ in network.parameters())
    decayed = {}
    for scheme in SCHEMES:
        groups = weight_decay_groups(network, 1e-4, scheme)
        assert sum(len(group["params"]) for group in groups) == every
        decayed[scheme] = len(groups[0]["params"])
        assert groups[0]["weight_decay"] == 1e-4
    vectors = sum(one.ndim < 2 for one in network.parameters())
    assert decayed == {
        "all": every,
        "only_no_depthwise": every - 1,
        "only_no_bn": every - vectors,
        "no_depthwise_no_bn": every - vectors - 1,
    }
    with pytest.raises(QuantError, match="only_no_bn"):
        weight_decay_groups(network, 1e-4, "none")


def test_batch_norm_calibration_is_the_plain_mean():
    _, network = convert("add", pictures(4))
    network.train()
    batches = [pictures(4), pictures(6)]
    bn_calibration(network, batches)
    assert network.training
    assert network.layer("stem.0").bn.training
    stem = network.layer("stem.0")
    assert stem.bn.num_batches_tracked == 2
    assert stem.bn.momentum == 0.1
    z = [stem.input.eval()(one, network.etas()[0]) * network.etas()[0] for one in batches]
    means = torch.stack([stem.op(one).mean((0, 2, 3)) for one in z]).mean(0)
    assert torch.allclose(stem.bn.running_mean, means, atol=1e-5)


@pytest.mark.parametrize(
    "plan", [{"wl": 4}, {"wl": 8, **PRESETS["rounding"]}, {"wl": 4, **PRESETS["rounding"]}]
)
def test_calibration_brings_the_network_closer_to_the_float_one(plan):
    images = pictures(16)
    float_net, network = convert("add", images, **plan)

    @torch.no_grad()
    def error() -> float:
        return float((network(images) - float_net(images)).square().mean())

    before = error()
    calibrate(network, [images])
    assert error() < 0.7 * before
    assert network.mode == "quantize"
    with pytest.raises(QuantError, match="at least one batch"):
        calibrate(network, [])


def test_8_bits_reach_the_float_accuracy_on_digits():
    datasets = pytest.importorskip("sklearn.datasets")
    bunch = datasets.load_digits()
    order = torch.randperm(len(bunch.target), generator=torch.Generator().manual_seed(0))
    images = (torch.tensor(bunch.images, dtype=torch.float32)[:, None] / 16 * 255).round() / 255
    images, labels = images[order], torch.tensor(bunch.target)[order]
    start = recipe.Recipe("zoo:resnet(depth=8, width=4, in_channels=1)")
    torch.manual_seed(0)
    float_net = recipe.build(start, meta=False)

    def train(module: nn.Module, steps: int, lr: float) -> float:
        generator = torch.Generator().manual_seed(1)
        optimizer = torch.optim.SGD(module.parameters(), lr=lr, momentum=0.9, nesterov=True)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        module.train()
        for _ in range(steps):
            pick = torch.randint(1297, (64,), generator=generator)
            optimizer.zero_grad()
            nn.functional.cross_entropy(module(images[pick]), labels[pick]).backward()
            optimizer.step()
            schedule.step()
        with torch.no_grad():
            right = module.eval()(images[1297:]).argmax(1) == labels[1297:]
        return 100 * float(right.float().mean())

    float_top1 = train(float_net, 120, 0.1)
    network, _ = recipe.apply(float_net, start, "quantize.f8net", {"image": "unit"})
    top1 = train(network, 40, 0.02)
    assert float_top1 > 93
    # 500 pictures: one standard error is about 0.8 points.
    assert top1 >= float_top1 - 1.6
    lowered = network.lowered()
    assert torch.equal(lowered(images[1297:]), network(images[1297:]))
