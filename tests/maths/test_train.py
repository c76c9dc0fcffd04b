from __future__ import annotations

import copy
import dataclasses
import math

import numpy as np
import pytest
import torch
from torch import nn

from backend.core.context import Context
from backend.core.errors import Stopped
from backend.data.augment import Augment
from backend.data.preprocess import ImageInput
from backend.data.splits import Pixels
from backend.data.vision import digits, open_split
from backend.metrics import classify
from backend.train import Hooks, TrainError, TrainPlan, fit
from backend.train.parts import Average, OptimizerState, decay_groups

IMAGE = ImageInput(3, 8, 8, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))


def pictures(n=44, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    pixels = rng.integers(0, 120, (n, 8, 8, 3)) + 60 * labels[:, None, None, None]
    return Pixels(pixels.astype(np.uint8), labels)


class Net(nn.Module):
    """Every kind of thing that could break resuming: norms, dropout, 1x1 and grouped kernels."""

    def __init__(self, classes=3):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False),
            nn.Conv2d(8, 16, 1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )
        self.head = nn.Linear(16, classes)
        self.gain = nn.Parameter(torch.tensor(1.0))

    def forward(self, x):
        return self.head(self.body(x)) * self.gain


def network(seed=0, **kwargs):
    torch.manual_seed(seed)
    return Net(**kwargs)


class Interrupted:
    """A context whose first loop stops after ``stop`` steps; ``again()`` goes on from there.

    As an engine does, it keeps tensors contiguous and apart, and the random state with them.
    """

    def __init__(self, stop, saved=None):
        self.quiet = Context.quiet(seed=3)
        self.stop, self.saved = stop, saved

    def __getattr__(self, name):
        return getattr(self.quiet, name)

    def again(self, stop=None):
        return Interrupted(stop, self.saved)

    def loop(self, total, state=None, every="60s"):
        first = 0
        if self.saved is not None:
            first, kept, random = copy.deepcopy(self.saved)
            for name, item in state.items():
                if hasattr(item, "load_state_dict"):
                    item.load_state_dict(kept[name])
                else:
                    item.clear()
                    item.update(kept[name])
            torch.set_rng_state(random)
        for step in range(first, total):
            yield step
            if step + 1 in (self.stop, total):
                kept = {k: getattr(v, "state_dict", lambda v=v: v)() for k, v in state.items()}
                self.saved = step + 1, _contiguous(kept), torch.get_rng_state()
            if step + 1 == self.stop:
                raise Stopped


def _contiguous(item):
    if isinstance(item, dict):
        return {key: _contiguous(value) for key, value in item.items()}
    if isinstance(item, list):
        return [_contiguous(value) for value in item]
    return item.detach().contiguous().clone() if torch.is_tensor(item) else copy.deepcopy(item)


def same(a, b):
    a, b = a.state_dict(), b.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


PLANS = {
    "sgd": TrainPlan(
        epochs=4, batch=8, augment=Augment(shift=1, flip=True, crop=0.5, cutout=2), warmup=1
    ),
    "adam-ema": TrainPlan(epochs=4, batch=8, optimizer="adam", lr=0.01, ema=0.9, clip=1.0),
    "adamw-contiguous": TrainPlan(
        epochs=4, batch=8, optimizer="adamw", lr=0.01, channels_last=False, label_smoothing=0.1
    ),
    "last": TrainPlan(epochs=4, batch=8, keep="last", schedule="onecycle"),
}


@pytest.mark.parametrize("name", PLANS)
def test_stopped_training_resumes_bit_equal(name):
    plan = PLANS[name]

    def train(ctx):
        counts = {"steps": 0, "trace": torch.zeros(20)}

        def count(moment):
            counts["steps"] += 1
            counts["trace"][moment.step] = moment.module.gain.detach()

        module = network()
        hooks = Hooks(after_step=count)
        sets = pictures(), pictures(30, seed=1)
        history = fit(ctx, module, *sets, IMAGE, plan, hooks=hooks, state={"counts": counts})
        return module, history, counts

    module, history, counts = train(Interrupted(None))
    stops = np.random.default_rng(len(name)).choice(np.arange(1, 20), 3, replace=False)
    for stop in (*stops.tolist(), 20):  # 20: after the last step
        ctx = Interrupted(stop)
        with pytest.raises(Stopped):
            train(ctx)
        resumed, again, recounts = train(ctx.again())
        assert same(module, resumed), f"stopped after {stop} steps"
        assert again == history
        assert recounts["steps"] == counts["steps"] == 20
        assert torch.equal(recounts["trace"], counts["trace"])


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.AdamW])
def test_a_restored_optimizer_keeps_the_layout_of_its_parameters(kind):
    module = network().to(memory_format=torch.channels_last)
    keywords = {"lr": 0.1} | ({"momentum": 0.9} if kind is torch.optim.SGD else {})
    optimizer, other = kind(module.parameters(), **keywords), kind(module.parameters(), **keywords)
    module(torch.rand(4, 3, 8, 8)).sum().backward()
    optimizer.step()
    OptimizerState(other).load_state_dict(_contiguous(OptimizerState(optimizer).state_dict()))
    for parameter, entries in other.state.items():
        for name, value in entries.items():
            assert torch.equal(value, optimizer.state[parameter][name])
            if value.ndim > 1:
                assert value.stride() == parameter.stride()


def test_stopping_twice_changes_nothing_either():
    module, other = network(), network()
    fit(Interrupted(None), module, pictures(), None, IMAGE, PLANS["sgd"])
    ctx = Interrupted(7)
    for stop in (12, None):
        with pytest.raises(Stopped):
            fit(ctx, network(), pictures(), None, IMAGE, PLANS["sgd"])
        ctx = ctx.again(stop)
    fit(ctx, other, pictures(), None, IMAGE, PLANS["sgd"])
    assert same(module, other)


def test_one_seed_gives_one_network_whatever_the_global_generator():
    plan = PLANS["sgd"]
    results = []
    for seed, noise in ((0, 1), (0, 2), (1, 1)):
        module = network()
        torch.manual_seed(noise)
        before = torch.get_rng_state()
        fit(Context.quiet(seed=seed), module, pictures(), None, IMAGE, plan)
        assert torch.equal(torch.get_rng_state(), before)
        results.append(module)
    assert same(results[0], results[1])
    assert not same(results[0], results[2])


def test_digits_are_learned():
    manifest = digits()
    train, val, test = (open_split(manifest, split) for split in ("train", "val", "test"))
    image = ImageInput.measured(train)
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2, padding=1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(512, 10),
    )
    ctx = Context.quiet()
    history = fit(ctx, module, train, val, image, TrainPlan(epochs=6, batch=64))
    assert not module.training
    assert history.steps == 6 * (len(train) // 64)
    assert history.epochs[-1].loss < history.epochs[0].loss / 3
    assert classify(module, test, image).top1 > 93
    values = [values for _, values in ctx.metrics]
    assert sum("val_top1" in row for row in values) == 6
    assert sum("loss" in row for row in values) == history.steps


def test_metrics_are_thinned_by_step(monkeypatch):
    monkeypatch.setattr("backend.train.loop._METRICS", 4)
    ctx = Context.quiet()
    fit(ctx, network(), pictures(), None, IMAGE, TrainPlan(epochs=4, batch=8))
    assert [step for step, _ in ctx.metrics] == [0, 5, 10, 15, 19]
    assert ctx.metrics[0][1]["lr"] == pytest.approx(0.05)


class _Scripted:
    """Validation figures that follow a script, in place of the real ones."""

    def __init__(self, *figures):
        self.figures = list(figures)
        self.weights = []

    def __call__(self, module, images, image, device):
        top1, loss = self.figures[len(self.weights)]
        self.weights.append(copy.deepcopy(module.state_dict()))
        found = classify(module, images, image)
        return dataclasses.replace(found, top1=top1, loss=loss)


@pytest.mark.parametrize(
    ("figures", "keep", "kept"),
    [
        ([(50, 1), (70, 2), (60, 1)], "best", 1),
        ([(70, 2), (70, 1), (70, 1)], "best", 1),  # equal: the loss decides, then the earlier
        ([(0, math.nan), (0, math.nan), (0, math.nan)], "best", 0),
        ([(50, 1), (70, 2), (60, 1)], "last", None),
    ],
)
@pytest.mark.parametrize("ema", [None, 0.5])
def test_the_best_epoch_is_kept(monkeypatch, figures, keep, kept, ema):
    script = _Scripted(*figures)
    monkeypatch.setattr("backend.train.loop.classify", script)
    module = network()
    plan = TrainPlan(epochs=3, batch=8, keep=keep, ema=ema)
    history = fit(Context.quiet(), module, pictures(), pictures(10), IMAGE, plan)
    assert history.kept == kept
    assert [row.val_top1 for row in history.epochs] == [top1 for top1, _ in figures]
    expected = script.weights[-1 if kept is None else kept]
    assert all(torch.equal(value, expected[key]) for key, value in module.state_dict().items())


def test_without_validation_the_last_weights_stay():
    history = fit(Context.quiet(), network(), pictures(), None, IMAGE, TrainPlan(epochs=2, batch=8))
    assert history.kept is None
    assert [row.val_top1 for row in history.epochs] == [None, None]


def test_memory_layout_is_plain_afterwards():
    module = network()
    fit(Context.quiet(), module, pictures(), None, IMAGE, TrainPlan(epochs=1, batch=8))
    assert all(value.is_contiguous() for value in module.state_dict().values())


def test_every_picture_is_seen_at_most_once_an_epoch():
    class Recorder(Pixels):
        taken: list[np.ndarray]

        def take(self, indices):
            self.taken.append(indices)
            return super().take(indices)

    base = pictures(20)
    train = Recorder(base.pixels, base.labels)
    train.taken = []
    fit(Context.quiet(), network(), train, None, IMAGE, TrainPlan(epochs=2, batch=6))
    assert [len(chosen) for chosen in train.taken] == [6] * 6
    first, second = (np.concatenate(train.taken[i : i + 3]) for i in (0, 3))
    assert len(set(first.tolist())) == len(set(second.tolist())) == 18
    assert not np.array_equal(first, second)


def test_hooks_see_every_step_in_order():
    seen = []
    hooks = Hooks(
        before_step=lambda m: seen.append(("before", m.step, m.epoch)),
        after_step=lambda m: seen.append(("after", m.step, m.epoch)),
        after_epoch=lambda m, row: seen.append(("epoch", m.step, row.epoch)),
    )
    plan = TrainPlan(epochs=2, batch=22)
    fit(Context.quiet(), network(), pictures(), None, IMAGE, plan, hooks=hooks)
    assert seen[:5] == [
        ("before", 0, 0),
        ("after", 0, 0),
        ("before", 1, 0),
        ("after", 1, 0),
        ("epoch", 1, 0),
    ]
    assert seen[-1] == ("epoch", 3, 1)


def test_a_mask_put_on_by_a_hook_holds_in_the_average_too():
    mask = torch.rand(3, 16, generator=torch.Generator().manual_seed(0)) < 0.5

    @torch.no_grad()
    def apply(moment):
        moment.module.head.weight.mul_(mask)

    module = network()
    with torch.no_grad():
        module.head.weight.mul_(mask)
    plan = TrainPlan(epochs=2, batch=8, ema=0.9)
    fit(Context.quiet(), module, pictures(), None, IMAGE, plan, hooks=Hooks(after_step=apply))
    assert (module.head.weight[~mask] == 0).all()
    assert (module.head.weight[mask] != 0).all()


def test_a_loss_and_groups_of_ones_own():
    module = network()
    start = copy.deepcopy(module)
    rates = []

    def loss(module, inputs, labels):
        assert inputs.shape == (8, 3, 8, 8)
        assert labels.dtype == torch.int64
        return module(inputs).square().mean()

    groups = [
        {"params": module.head.parameters(), "lr": 0.2},
        {"params": module.body.parameters(), "lr": 0.0, "weight_decay": 0.0},
    ]
    hooks = Hooks(before_step=lambda m: rates.append([g["lr"] for g in m.optimizer.param_groups]))
    plan = TrainPlan(epochs=1, batch=8, schedule="linear")
    own = {"loss": loss, "parameters": groups, "hooks": hooks}
    fit(Context.quiet(), module, pictures(), None, IMAGE, plan, **own)
    assert rates == [pytest.approx([0.2 * (1 - i / 5), 0.0]) for i in range(5)]
    assert not torch.equal(module.head.weight, start.head.weight)
    assert torch.equal(module.body[0].weight, start.body[0].weight)
    assert torch.equal(module.gain, start.gain)


def test_only_kernels_and_matrices_decay():
    module = network()
    decayed, plain = decay_groups(module, TrainPlan(weight_decay=0.1))
    assert decayed["weight_decay"] == 0.1
    assert plain["weight_decay"] == 0
    assert {p.ndim for p in decayed["params"]} == {2, 4}
    assert {p.ndim for p in plain["params"]} == {0, 1}
    assert len(decayed["params"]) + len(plain["params"]) == len([*module.parameters()])


def test_the_gradient_is_clipped():
    module = network()
    norms = []

    def look(moment):
        grads = [p.grad for p in module.parameters()]
        norms.append(float(torch.linalg.vector_norm(torch.cat([g.flatten() for g in grads]))))

    plan = TrainPlan(epochs=1, batch=8, clip=1e-3, lr=0.01)
    fit(Context.quiet(), module, pictures(), None, IMAGE, plan, hooks=Hooks(after_step=look))
    assert norms == [pytest.approx(1e-3, rel=1e-2)] * 5


def test_the_average_follows_its_formula():
    module = nn.Linear(1, 1, bias=False)
    average = Average(module, 0.6)
    start = mean = module.weight.item()
    for step in range(30):
        with torch.no_grad():
            module.weight.fill_(start + step)
        average.update(module, step)
        decay = min(0.6, (1 + step) / (10 + step))
        mean = decay * mean + (1 - decay) * (start + step)
    assert float(average.module.weight) == pytest.approx(mean, rel=1e-5)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", [1, 1, 1, 1]),
        ("linear", [1, 0.75, 0.5, 0.25]),
        ("cosine", [1, (1 + math.sqrt(0.5)) / 2, 0.5, (1 - math.sqrt(0.5)) / 2]),
        ("step", [1, 1, 0.1, 0.01]),
    ],
)
def test_schedules(schedule, expected):
    plan = TrainPlan(epochs=4, schedule=schedule)
    assert [plan.rate(step, 10) for step in (0, 10, 20, 30)] == pytest.approx(expected)
    late = dataclasses.replace(plan, epochs=5, warmup=1)
    assert [late.rate(step, 10) for step in (10, 20, 30, 40)] == pytest.approx(expected)
    assert [late.rate(step, 10) for step in (0, 9)] == pytest.approx([1 / 11, 10 / 11])


def test_onecycle_rises_and_falls():
    plan = TrainPlan(epochs=10, schedule="onecycle")
    rates = [plan.rate(step, 10) for step in range(100)]
    assert rates[0] == pytest.approx(1 / 25)
    assert max(rates) == rates[30] == 1
    assert np.all(np.diff(rates[:31]) > 0)
    assert np.all(np.diff(rates[30:]) < 0)
    assert 0 < rates[-1] < 0.001


def test_a_loss_that_is_not_finite_gets_a_sentence_with_remedies():
    plan = TrainPlan(epochs=3, batch=8, lr=1e20)
    with pytest.raises(TrainError, match=r"at step \d+ of 15\. Lower the learning rate .*warm-up"):
        fit(Context.quiet(), network(), pictures(), None, IMAGE, plan)


def test_too_few_outputs_and_nothing_to_train_get_a_sentence():
    with pytest.raises(TrainError, match="K of 3 or more"):
        fit(Context.quiet(), network(classes=2), pictures(), None, IMAGE, TrainPlan())
    with pytest.raises(TrainError, match="no weights to train"):
        fit(Context.quiet(), network().requires_grad_(False), pictures(), None, IMAGE, TrainPlan())
    empty = Pixels(np.zeros((0, 8, 8, 3), np.uint8), np.zeros(0))
    with pytest.raises(TrainError, match="no pictures to train on"):
        fit(Context.quiet(), network(), empty, None, IMAGE, TrainPlan())


def test_out_of_memory_is_left_to_the_engine():
    def explode(moment):
        raise MemoryError

    hooks = Hooks(before_step=explode)
    with pytest.raises(MemoryError):
        fit(Context.quiet(), network(), pictures(), None, IMAGE, TrainPlan(), hooks=hooks)


@pytest.mark.parametrize(
    "bad",
    [{"epochs": 0}, {"batch": 0}, {"lr": -1.0}, {"momentum": 1}, {"weight_decay": -1}, {"ema": 1.0},
     {"clip": 0}, {"schedule": "cyclic"}, {"optimizer": "lion"}, {"label_smoothing": 1}],
)  # fmt: skip
def test_plans_out_of_bounds_get_a_sentence(bad):
    name, value = next(iter(bad.items()))
    with pytest.raises(TrainError, match=f"out of bounds: {name} = {value}"):
        TrainPlan(**bad)


def test_a_batch_larger_than_the_data_is_the_data():
    history = fit(Context.quiet(), network(), pictures(10), None, IMAGE, TrainPlan(epochs=2))
    assert history.steps == 2


def test_a_narrow_network_with_strided_1x1_convolutions_trains_without_channels_last() -> None:
    from backend.models.recipe import Recipe, build
    from backend.train.parts import can_use_channels_last

    narrow = build(Recipe("zoo:resnet(depth=8, width=4, in_channels=1)"), meta=False)
    wide = build(Recipe("zoo:resnet(depth=8, width=8, in_channels=1)"))
    assert not can_use_channels_last(narrow)
    assert can_use_channels_last(wide)
    train = open_split(digits(train_limit=300), "train")
    image = ImageInput(1, 8, 8, (0.0,), (1.0,))
    history = fit(Context.quiet(), narrow, train, None, image, TrainPlan(epochs=3, batch=32))
    assert history.epochs[-1].loss < history.epochs[0].loss
