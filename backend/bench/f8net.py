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
# On kernels and matrices alone, in every arm: that of plain training.
_DECAY = 5e-4


def bench(session: Session) -> dict[str, Any]:
    """Train every arm for the same number of epochs; the test set is read once an arm."""
    seeds = range(5) if session.full else range(3)
    session.run([_graph(seed, session.full, ()) for seed in seeds], ("base",))
    # Longest first, so that no core waits at the end.
    groups = (("f8net4",), ("f8net8",), ("float", "po28", "po24", "po2bn8", "po2bn4"))
    graphs = [_graph(seed, session.full, group) for group in groups for seed in seeds]
    runs = session.run(graphs, [arm for group in groups for arm in group])
    top1 = {arm: [] for group in groups for arm in group}
    for run, group in zip(runs, [group for group in groups for _ in seeds], strict=True):
        for arm in group:
            top1[arm].append(round(figure(run, f"test_{arm}", "top1"), 2))
    arms = {
        f"w{bits}": {
            "float_top1": top1["float"],
            "f8net_top1": top1[f"f8net{bits}"],
            "po2_rounding_top1": top1[f"po2{bits}"],
            "po2_rounding_bn_top1": top1[f"po2bn{bits}"],
        }
        for bits in _BITS
    }
    ratio, detached = _step_ratios()
    rows = [
        (word, name, statistics.mean(values), *values)
        for word, found in arms.items()
        for name, values in found.items()
    ]
    print_table(("width", "arm", "mean, %", *(f"seed {s}" for s in seeds)), rows)
    return {
        "samples": int(figure(runs[-1], "test_float", "samples")),
        "network": "ResNet-20 width 16" if session.full else "ResNet-8 width 8",
        **arms,
        "step_ratio": round(ratio, 3),
        "step_ratio_detached": round(detached, 3),
    }


def _graph(seed: int, full: bool, arms: tuple[str, ...]) -> Graph:
    """Float pretraining, then each arm on for equally many epochs; rounding of the float one."""
    first, then = (12, 8) if full else (4, 3)
    graph = Graph(f"bench-f8net-{seed}", seed)
    limit = None if full else 24_000
    graph.add("data.fashion_mnist", "data", source="debian", train_limit=limit)
    net = {"depth": 20, "width": 16} if full else {"depth": 8, "width": 8}
    graph.add("model.resnet", "net", net)
    graph.connect("data.data", "net.data")
    _add(graph, "base", "train.classifier", "net", epochs=first, lr=0.1)
    for arm in arms:
        bits = int(arm[-1]) if arm[-1].isdigit() else 0
        if arm == "float":
            _add(
                graph,
                arm,
                "train.classifier",
                "base",
                epochs=then,
                lr=0.02,
                warmup=0.0,
                weight_decay=_DECAY,
            )
        elif arm.startswith("f8net"):
            _add(
                graph,
                arm,
                "quantize.f8net",
                "base",
                bits=bits,
                epochs=then,
                lr=0.02,
                weight_decay=_DECAY,
                decay_scheme="only_no_bn",
            )
        else:
            # With "bn": the statistics of batch norm are measured again on the rounded network.
            again = arm.startswith("po2bn")
            _add(graph, arm, "quantize.po2", "float", bits=bits, bn_calibration=again)
        _add(graph, f"test_{arm}", "evaluate.classifier", arm)
    return graph


def _add(graph: Graph, name: str, kind: str, source: str, **params: Any) -> None:
    """Add a node that takes the model of ``source`` and the data."""
    graph.add(kind, name, params)
    graph.connect(f"{source}.classifier", f"{name}.model")
    graph.connect("data.data", f"{name}.data")


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
