"""F8Net networks: T8, T9, T12 of the method's digest, conversion, training, saving."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn

from backend.models import recipe
from backend.quant.f8_layers import F8Clip, F8Layer, WeightQuantizer
from backend.quant.f8_options import PRESETS
from backend.quant.f8net import f8net
from tests.maths.quant.nets import convert, make, pictures

# Name, readers, clip levels, clips of their own.
NETWORKS = {
    "add": (7, 4, 0),
    "shared": (5, 4, 0),
    "mixed": (8, 5, 1),
    "resnet(depth=8)": (10, 6, 0),
    "resnet(depth=20)": (22, 12, 0),
    "resnet(depth=18, classes=10)": (21, 12, 0),
    "vgg(classes=10)": (None, None, 0),
    "mobilenet_v1(classes=10)": (29, None, 1),
    "mobilenet_v2(classes=10)": (54, None, 1),
}


def _images(name):
    return pictures(2 if "(" in name else 4, 32 if "(" in name else 16)


@pytest.mark.parametrize("name", NETWORKS)
def test_f8net_t8_folding_keeps_the_function(name):
    images = _images(name)
    float_net, network = convert(name, images)
    readers, streams, clips = NETWORKS[name]
    assert readers is None or len(network.readers) == readers
    assert streams is None or len(network.alpha) == streams
    assert sum(isinstance(part, F8Clip) for part in network.modules()) == clips
    # Different FL everywhere, so that shortcuts and second readers need their shifts.
    generator = torch.Generator().manual_seed(7)
    for reader in network.readers:
        high = 8 if network.quantizer(reader).spec.signed else 9
        network.quantizer(reader).fl_run.fill_(int(torch.randint(0, high, (), generator=generator)))
    with torch.no_grad():
        network.alpha.uniform_(3, 9)
    network.mode = "off"
    expected = float_net.double()(images.double())
    error = (network.double()(images.double()) - expected).abs().max()
    assert error <= 1e-9 * expected.abs().max()
    error = (network.float()(images) - expected).abs().max()
    assert error <= 1e-5 * expected.abs().max().clamp_min(1)


@pytest.mark.parametrize("rescale", ["off", "stddev"])
def test_several_outputs_come_in_the_units_of_the_float_network(rescale):
    images = pictures(4)
    float_net, network = convert("decoder", images, rescale=rescale)
    expected = float_net(images)
    for reader in network.readers[1:]:
        network.quantizer(reader).fl_run.fill_(len(reader) % 3 + 5)
    result, lowered = network(images), network.lowered()(images)
    assert result.keys() == expected.keys()
    assert all(torch.equal(lowered[key], one) for key, one in result.items())
    network.mode = "off"
    result = network(images)
    for key in ("mask", "features") if rescale != "off" else expected:
        assert torch.allclose(result[key], expected[key], atol=1e-5)


@pytest.mark.parametrize("name", ["add", "shared", "mixed", "resnet(depth=8)"])
def test_training_statistics_fold_like_those_of_batch_norm(name):
    images = _images(name)
    float_net, network = convert(name, images)
    network.mode = "off"
    float_net.rate = 0.0
    for part in network.modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.0
    expected = float_net.double().train()(images.double())
    result = network.double().train()(images.double())
    assert torch.allclose(result, expected, atol=1e-8)
    expected.square().sum().backward()
    result.square().sum().backward()
    for reader in network.readers:
        layer = network.layer(reader)
        if isinstance(layer, F8Clip):
            continue
        grad = dict(float_net.named_parameters())[f"{reader.removesuffix('_2')}.weight"].grad
        assert torch.allclose(
            layer.op.weight.grad, grad, atol=1e-7 * float(grad.abs().max()) + 1e-9
        )
    ours = {n: b for n, b in network.named_buffers() if "running" in n}
    their = {n: b for n, b in float_net.named_buffers() if "running" in n}
    assert sorted(map(float, (b.sum() for b in ours.values()))) == pytest.approx(
        sorted(map(float, (b.sum() for b in their.values())))
    )


def test_f8net_t9_evaluation_logits_are_training_logits_over_one_factor():
    for rescale in ("constant", "stddev"):
        torch.manual_seed(0)
        module = nn.Sequential(nn.Flatten(), nn.Linear(48, 32), nn.ReLU(), nn.Linear(32, 10))
        network = f8net(module, {"rescale": rescale, "quant_bias": False})
        images = pictures(1000, 4)
        for _ in range(60):
            network.train()(images)  # until the running fraction lengths have settled
        training = network(images).detach()
        evaluation = network.eval()(images)
        last = network.readers[-1]
        factor = network.layer(last).logit_factor(network.etas()[-1])
        assert factor > 0
        assert torch.allclose(evaluation * factor, training, atol=1e-5)
        assert torch.equal(evaluation.argmax(1), training.argmax(1))
        assert torch.equal(network.lowered()(images), evaluation)


def test_f8net_t12_weights_behind_batch_statistics_are_scale_free():
    images = pictures(8)
    for gradient, is_free in ((True, True), (False, False)):
        _, network = convert("add", images, bn_gradient=gradient)
        network.mode = "off"
        network.double().train()
        for part in network.modules():
            if isinstance(part, F8Layer) and part.bn is not None:
                part.bn.eps = 0.0
        network(images.double()).square().sum().backward()
        layer = network.layer("c.0")
        weight = layer.op.weight
        product = (weight.detach() * weight.grad).sum((1, 2, 3)).abs().max()
        assert (float(product) < 1e-10) == is_free


@pytest.mark.parametrize("gradient", [True, False])
def test_gradients_are_those_of_finite_differences(gradient):
    images = pictures(6).double()
    _, network = convert("add", pictures(6), bn_gradient=gradient)
    network.mode = "off"
    network.double().train()
    for part in network.modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.0
    weight = network.layer("d.0").op.weight

    def loss() -> torch.Tensor:
        return network(images).square().sum()

    loss().backward()
    direction = torch.randn(weight.shape, generator=torch.Generator().manual_seed(1)).double()
    with torch.no_grad():
        weight.add_(1e-6 * direction)
        up = loss()
        weight.sub_(2e-6 * direction)
        down = loss()
    numeric = float((up - down) / 2e-6)
    analytic = float((weight.grad * direction).sum())
    assert (abs(numeric - analytic) < 1e-4 * abs(numeric)) == gradient


@pytest.mark.parametrize(
    "plan",
    [
        {},
        {"image": "unit"},
        {"wl": 4},
        {"wl": 6, "fl_range": "legal"},
        {"granularity": "channel"},
        {"selector": "mae", "std_source": "raw_input"},
        {"selector": "rms", "fl_units": "scaled"},
        {"no_clipping": True},
        {"rescale": "constant"},
        {"bn_gradient": False, "train_fl": "running"},
        {"paper_code_shortcut": True},
        {"quant_bias": False},
        {"shape": [3, 16, 16]},
        *PRESETS.values(),
    ],
    ids=str,
)
def test_every_option_trains_saves_and_lowers(plan, tmp_path):
    name = "add" if "no_clipping" not in plan else "mixed"
    images = pictures(8)
    _, network = convert(name, images, **plan)
    before = copy.deepcopy(network)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
    network.train()
    for _ in range(3):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(images), torch.arange(8) % 5).backward()
        assert all(p.grad is None or p.grad.isfinite().all() for p in network.parameters())
        optimizer.step()
    assert not any("fl_run" in key for key, _ in network.named_parameters())
    result = network.eval()(images)
    assert not torch.equal(result, before.eval()(images))
    assert torch.equal(network.lowered()(images), result)
    assert torch.equal(
        copy.deepcopy(network).double().lowered()(images.double()),
        copy.deepcopy(network).double()(images.double()),
    )
    before.load_state_dict(network.state_dict())
    assert torch.equal(before(images), result)
    assert len(network.formats(images)) == len(network.readers)


@pytest.mark.parametrize("name", ["shared", "mixed"])
def test_a_recipe_replays_on_the_meta_device(name):
    images = pictures(4)
    _, network = convert(name, images)
    with torch.device("meta"):
        empty = f8net(make(name), {})
    assert empty.alpha.is_meta
    empty.load_state_dict(network.state_dict(), strict=True, assign=True)
    assert torch.equal(empty.eval()(images), network(images))


def test_save_and_load_through_the_recipe(tmp_path):
    start = recipe.Recipe("zoo:resnet(depth=8, width=4)")
    torch.manual_seed(0)
    float_net = recipe.build(start, meta=False)
    state = copy.deepcopy(float_net.state_dict())
    network, longer = recipe.apply(float_net, start, "quantize.f8net", {"image": "unit"})
    images = pictures(4)
    network.train()(images)
    assert all(torch.equal(one, state[key]) for key, one in float_net.state_dict().items())
    recipe.save_network(tmp_path, longer, network)
    _, loaded = recipe.load_network(tmp_path)
    assert torch.equal(loaded(images), network.eval()(images))


def test_training_is_deterministic_and_moves_formats():
    runs = []
    for _ in range(2):
        _, network = convert("add", pictures(8))
        torch.manual_seed(0)
        optimizer = torch.optim.SGD(network.parameters(), lr=0.05)
        network.train()
        for _ in range(4):
            optimizer.zero_grad()
            network(pictures(8)).square().mean().backward()
            optimizer.step()
        runs.append(network.state_dict())
    assert all(torch.equal(one, runs[1][key]) for key, one in runs[0].items())
    moved = [float(one) for key, one in runs[0].items() if key.endswith("fl_run")]
    assert any(value != 6 for value in moved)


def test_evaluation_changes_nothing():
    _, network = convert("mixed", pictures(4))
    before = copy.deepcopy(network.state_dict())
    network.eval()(pictures(4))
    network.lowered()
    network.formats(pictures(4))
    assert all(torch.equal(one, before[key]) for key, one in network.state_dict().items())


def test_a_frozen_batch_norm_uses_its_running_statistics():
    _, network = convert("add", pictures(4))
    network.train()
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.eval()
    before = network.layer("a.0").bn.running_mean.clone()
    network(pictures(4)).sum().backward()
    assert torch.equal(network.layer("a.0").bn.running_mean, before)
    assert network.layer("a.0").op.weight.grad.abs().sum() > 0


def test_clip_levels_are_shared_where_tensors_meet():
    _, network = convert("resnet(depth=8)", _images("("))
    stream = dict(zip(network.readers, network.streams, strict=True))
    assert stream["conv1"] == -1
    assert stream["layer1.0.conv1"] == stream["layer2.0.conv1"] == stream["layer2.0.downsample.0"]
    assert stream["layer1.0.conv2"] != stream["layer1.0.conv1"]
    _, network = convert("mobilenet_v2(classes=10)", _images("("))
    signs = [network.quantizer(name).spec.signed for name in network.readers]
    assert 10 < sum(signs) < 25
    levels = network.alpha.tolist()
    assert levels.count(6.0) > levels.count(8.0) > 5


def test_the_shift_of_shortcuts_matters_unless_left_out():
    images = pictures(4)
    float_net, exact = convert("add", images)
    _, paper = convert("add", images, paper_code_shortcut=True)
    for network in (exact, paper):
        network.mode = "off"
        network.quantizer("a.0").fl_run.fill_(3)
    assert torch.allclose(exact(images), float_net(images), atol=1e-5)
    assert not torch.allclose(paper(images), float_net(images), atol=1e-3)


def test_formats_have_the_rows_of_the_layers_view():
    views = pytest.importorskip("backend.core.views")
    _, network = convert("mixed", pictures(4), granularity="channel")
    rows = [views.LayerRow(**row) for row in network.formats(pictures(4))]
    assert [row.layer for row in rows] == list(network.readers)
    assert all(0 <= row.weight_clipped <= 1 and 0 <= row.input_clipped <= 1 for row in rows)
    assert rows[0].clip_level is None
    assert math.isclose(rows[1].clip_level, abs(float(network.alpha[network.streams[1]].detach())))


def test_the_floating_network_clips_and_does_not_round():
    images = pictures(4)
    float_net, network = convert("add", images)
    # A very coarse grid clips no weight, so that only the clip levels of activations are left.
    for part in network.modules():
        if isinstance(part, WeightQuantizer):
            part.choose = lambda weight: torch.tensor(-20.0)
    network.mode = "floating"
    with torch.no_grad():
        network.alpha.fill_(1000.0)
        network.quantizer("stem.0").fl_run.fill_(0)
        assert torch.allclose(network(images), float_net(images), atol=1e-5)
        network.alpha[network.streams[-1]] = 0.25
        seen = []
        network.quantizer("fc").register_forward_hook(lambda _, args, z: seen.append(z * args[1]))
        network(images)
    assert seen[0].max() == pytest.approx(0.25)
    steps = seen[0].detach() * (255 / 0.25)
    assert not torch.allclose(steps, steps.round(), atol=0.01)
    network.train()(images).sum().backward()
    assert network.alpha.grad.isfinite().all()
