"""F8Net against float training and power-of-two rounding on real Fashion-MNIST."""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Callable
from typing import Any

from backend.bench.session import Session, figure, print_table
from backend.core.graph import Graph

_BITS = (8, 4)
_ARMS = ("float", *(f"f8net{b}" for b in _BITS), *(f"po2{b}" for b in _BITS))


def bench(session: Session) -> dict[str, Any]:
    """Train every arm for the same number of epochs; the test set is read once an arm."""
    seeds = range(5) if session.full else range(3)
    graphs = [_graph(seed, session.full) for seed in seeds]
    runs = session.run(graphs, _ARMS)
    arms = {
        f"w{bits}": {
            "float_top1": [figure(run, "test_float", "top1") for run in runs],
            "f8net_top1": [figure(run, f"test_f8net{bits}", "top1") for run in runs],
            "po2_rounding_top1": [figure(run, f"test_po2{bits}", "top1") for run in runs],
        }
        for bits in _BITS
    }
    ratio, detached = _step_ratios()
    samples = int(figure(runs[0], "test_float", "samples"))
    rows = [
        (word, name, statistics.mean(values), *values)
        for word, found in arms.items()
        for name, values in found.items()
    ]
    print_table(("width", "arm", "mean, %", *(f"seed {s}" for s in seeds)), rows)
    print(f"{samples:,} test pictures; step {ratio:.2f} x float, {detached:.2f} x detached")
    network = "ResNet-20 width 16" if session.full else "ResNet-8 width 8"
    return {
        "samples": samples,
        "network": network,
        **arms,
        "step_ratio": round(ratio, 3),
        "step_ratio_detached": round(detached, 3),
    }


def _graph(seed: int, full: bool) -> Graph:
    """Float pretraining, then three ways on for equally many epochs; rounding of the float one."""
    first, then = (12, 8) if full else (4, 3)
    graph = Graph(f"bench-f8net-{seed}", seed)
    data: dict[str, Any] = {"source": "debian"}
    if not full:
        data["train_limit"] = 24_000
    graph.add("data.fashion_mnist", "data", data)
    net = {"depth": 20, "width": 16} if full else {"depth": 8, "width": 8}
    graph.add("model.resnet", "net", net)
    graph.add("train.classifier", "base", epochs=first, lr=0.1)
    graph.add("train.classifier", "float", epochs=then, lr=0.02, warmup=0.0)
    for source, target in (
        ("data.data", "net.data"),
        ("net.classifier", "base.model"),
        ("base.classifier", "float.model"),
    ):
        graph.connect(source, target)
    for bits in _BITS:
        graph.add("quantize.f8net", f"f8net{bits}", bits=bits, epochs=then, lr=0.02)
        graph.connect("base.classifier", f"f8net{bits}.model")
        graph.add("quantize.po2", f"po2{bits}", bits=bits)
        graph.connect("float.classifier", f"po2{bits}.model")
    for arm in ("base", *_ARMS):
        graph.connect("data.data", f"{arm}.data")
        if arm != "base":
            graph.add("evaluate.classifier", f"test_{arm}")
            graph.connect(f"{arm}.classifier", f"test_{arm}.model")
            graph.connect("data.data", f"test_{arm}.data")
    return graph


def _step_ratios(rounds: int = 15) -> tuple[float, float]:
    """Median step time of F8Net over float: interleaved steps, one process, one thread."""
    import torch
    import torch.nn.functional as F
    from torch import nn

    from backend.models.recipe import Recipe, apply, build

    torch.set_num_threads(1)
    torch.manual_seed(0)
    recipe = Recipe("zoo:resnet(depth=8, width=16, in_channels=1)")
    plain = build(recipe, meta=False)
    arms = [plain]
    for gradient in (True, False):
        plan = {"image": "unit", "bn_gradient": gradient}
        arms.append(apply(plain, recipe, "quantize.f8net", plan)[0])
    images, labels = torch.rand(128, 1, 28, 28), torch.randint(0, 10, (128,))

    def step_of(module: nn.Module) -> Callable[[], float]:
        network = copy.deepcopy(module).train().to(memory_format=torch.channels_last)
        optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)

        def step() -> float:
            began = time.perf_counter()
            optimizer.zero_grad(set_to_none=True)
            F.cross_entropy(network(images), labels).backward()
            optimizer.step()
            return time.perf_counter() - began

        return step

    steps = [step_of(module) for module in arms]
    for step in steps:
        step()
    times = [[step() for step in steps] for _ in range(rounds)]
    ratios = [[row[i] / row[0] for row in times] for i in (1, 2)]
    for name, found in zip(("F8Net", "detached"), ratios, strict=True):
        low, high = min(found), max(found)
        print(f"{name}: {statistics.median(found):.2f} x a float step ({low:.2f} to {high:.2f})")
    return statistics.median(ratios[0]), statistics.median(ratios[1])
