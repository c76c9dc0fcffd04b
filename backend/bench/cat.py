"""CAT: students of an inception teacher on emoji, and of the vintage CycleGAN on photos."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from backend.bench.session import Session, figure, output_folder, print_table
from backend.core.artifact import Artifact
from backend.core.graph import Graph
from backend.core.run import Run

EMOJI_TEACHER = Path(__file__).resolve().parents[2] / "assets" / "models" / "emoji_teacher"
# How the channels are chosen, and the feature loss. The uniform student is taught as CAT's is.
ARMS = {
    "cat": ("scores", "ka"),
    "no_distill": ("scores", "none"),
    "uniform": ("uniform", "ka"),
}
_EMOJI = {
    "batch": 8,
    "lr": 1e-3,
    "disc_layers": 2,
    "disc_width": 16,
    "small": 0.0,
    "weight": 1.0,
}
_VINTAGE = {"batch": 4, "lr": 1e-3, "crop": 64, "crops": 2, "small": 0.0, "adversarial": 0.0}


def bench(session: Session) -> dict[str, Any]:
    """Train every arm of every seed; the test pictures are read once by each."""
    seeds = range(5) if session.full else range(3)
    arms = [(arm, seed) for seed in seeds for arm in ARMS]
    source = _source()
    graphs = [_vintage_graph(source, session.full)]
    graphs += [_emoji_graph(arm, seed, session.full) for arm, seed in arms]
    vintage, *runs = session.run(graphs, ("pairs", "distill"))
    emoji = _emoji_figures(dict(zip(arms, runs, strict=True)))
    found = {
        "emoji": emoji,
        "vintage": _vintage_figures(vintage),
        "step_overhead": round(_step_overhead(), 4),
    }
    rows = [(name, statistics.mean(v), *v) for name, v in emoji.items() if isinstance(v, list)]
    print_table(("emoji", "mean", *(f"seed {s}" for s in seeds)), rows)
    print_table(("vintage", "figure"), list(found["vintage"].items()))
    print(
        f"A step with kernel alignment takes {found['step_overhead']:.3f} times the plain step, "
        "which compares the same features by MSE through adapters; both run the teacher."
    )
    return found


# -- emoji -----------------------------------------------------------------------------------------


def _emoji_graph(arm: str, seed: int, full: bool) -> Graph:
    """Pairs, teacher, plan, student, lesson and test; all but the arm is equal for a seed."""
    choice, loss = ARMS[arm]
    graph = Graph(f"bench-cat-{arm}-{seed}", seed)
    graph.add("data.emoji", "pairs", {"download": True})
    graph.add("teacher.torch", "teacher", {"file": str(EMOJI_TEACHER)})
    plan = {"ratio": 0.1, "lower": 4, "choice": choice}
    _student(graph, plan, {**_EMOJI, "epochs": 32 if full else 8, "loss": loss})
    return graph


def _student(graph: Graph, plan: dict[str, Any], lesson: dict[str, Any]) -> None:
    """Add what both halves share: plan, shrink, distil, evaluate."""
    graph.add("cat.plan", "plan", plan)
    graph.connect("teacher.generator", "plan.model")
    graph.add("cat.shrink", "student")
    graph.connect("teacher.generator", "student.model")
    graph.connect("plan.plan", "student.plan")
    graph.add("cat.distill", "distill", lesson)
    graph.connect("student.generator", "distill.student")
    graph.connect("teacher.generator", "distill.teacher")
    graph.connect("pairs.pairs", "distill.pairs")
    graph.add("evaluate.images", "test", {"kid": "on"})
    graph.connect("distill.generator", "test.model")
    graph.connect("pairs.pairs", "test.pairs")


def _emoji_figures(runs: dict[tuple[str, int], Run]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "macs_ratio": round(max(figure(run, "plan", "ratio") for run in runs.values()), 4)
    }
    for name in ("kid", "l1"):
        for arm in ARMS:
            mine = [run for (one, _), run in runs.items() if one == arm]
            values = [figure(r, "test", "kid") if name == "kid" else _l1(r) for r in mine]
            found[f"{name}_{arm}"] = [round(value, 5) for value in values]
    return found


def _l1(run: Run) -> float:
    """Return the mean absolute error on the test pairs, on a scale of 0..1."""
    import numpy as np

    from backend.data.pairs import open_pairs
    from backend.models.editing import edit_pictures
    from backend.values import Generator, Pairs

    model = Generator.load(Path(output_folder(run, "distill", "generator")))
    test = open_pairs(Pairs.load(Path(output_folder(run, "pairs", "pairs"))).manifest, "test")
    errors = []
    for start in range(0, len(test), 32):
        sources, targets = test.take(np.arange(start, min(start + 32, len(test))))
        made = edit_pictures(
            model.module.eval(), sources, model.image, low=model.low, high=model.high,
            any_size=model.any_size, multiple=model.multiple,
        )[0]  # fmt: skip
        gaps = np.abs(made.astype(np.float64) - targets) / 255
        errors += gaps.mean((1, 2, 3)).tolist()
    return statistics.mean(errors)


# -- vintage ---------------------------------------------------------------------------------------


def _source() -> str:
    from backend.data import gcompris

    return "gcompris" if gcompris.is_here() else "bundled"


def _vintage_graph(source: str, full: bool) -> Graph:
    """Photos, the pretrained generator, its pairs, its student, and both as files."""
    graph = Graph("bench-cat-vintage")
    share = 0.2 if source == "gcompris" else 0.45
    graph.add("data.photos", "photos", {"source": source, "test_fraction": share})
    graph.add("teacher.vintagify", "teacher")
    graph.add("data.pairs", "pairs")
    graph.connect("photos.data", "pairs.photos")
    graph.connect("teacher.generator", "pairs.teacher")
    _student(
        graph,
        {"ratio": 0.05, "lower": 8, "multiple": 8, "convention": "input"},
        {**_VINTAGE, "epochs": 40 if full else 10},
    )
    graph.add("cat.plan", "paper", {"ratio": 0.05, "lower": 8, "multiple": 8})
    graph.connect("teacher.generator", "paper.model")
    for name, model in (("teacher_file", "teacher.generator"), ("file", "distill.generator")):
        graph.add("export.onnx", name, {"dynamic_batch": False, "checked": 2})
        graph.connect(model, f"{name}.model")
        graph.connect("pairs.pairs", f"{name}.data")
    return graph


def _vintage_figures(run: Run) -> dict[str, Any]:
    from backend.export.latency import compare_latency

    files = [
        Artifact.load(Path(output_folder(run, name, "artifact"))).path
        for name in ("teacher_file", "file")
    ]
    teacher, student = (found.median_ms for found in compare_latency(files, seconds=8.0))
    names = ("psnr", "psnr_identity", "psnr_colour", "kid", "kid_colour")
    psnr, identity, colour, kid, kid_colour = (figure(run, "test", name) for name in names)
    return {
        "macs_ratio": round(figure(run, "plan", "ratio"), 4),
        "macs_ratio_paper": round(_paper_ratio(run), 4),
        "ort_speedup": round(teacher / student, 2),
        "psnr_cat": round(psnr, 3),
        "psnr_identity": round(identity, 3),
        "psnr_colour": round(colour, 3),
        "kid_cat": round(kid, 5),
        "kid_colour": round(kid_colour, 5),
        "samples": int(figure(run, "test", "samples")),
    }


def _paper_ratio(run: Run) -> float:
    """Return the MAC ratio of the same student as papers on GAN compression count."""
    from backend.values import CutPlan

    plan = CutPlan.load(Path(output_folder(run, "plan", "plan")))
    paper = CutPlan.load(Path(output_folder(run, "paper", "plan"))).space
    return paper.cost(plan.widths) / paper.cost(paper.full_widths)


# -- step time -------------------------------------------------------------------------------------


def _step_overhead(rounds: int = 21) -> float:
    """Return the median of step times, alignment over MSE, interleaved in one thread."""
    import copy

    import torch
    import torch.nn.functional as F

    from backend.core.context import QuietContext
    from backend.methods.cat import PlanParams, ShrinkParams, cat_plan, cat_shrink
    from backend.methods.cat_distill import DistillParams, Lesson
    from backend.values import Generator

    torch.set_num_threads(1)
    torch.manual_seed(0)
    ctx = QuietContext(0)
    teacher = Generator.load(EMOJI_TEACHER)
    plan = cat_plan(ctx, PlanParams(ratio=0.1, lower=4), teacher).plan
    student = cat_shrink(ctx, ShrinkParams(), teacher, plan)
    inputs, targets = torch.rand(8, 3, 64, 64) * 2 - 1, torch.rand(8, 3, 64, 64) * 2 - 1

    def step_of(loss: str) -> Callable[[], float]:
        module, master = copy.deepcopy(student.module).train(), copy.deepcopy(teacher.module)
        lesson = Lesson(ctx, DistillParams.model_validate({"loss": loss}), module, master)
        trained = [*module.parameters(), *(lesson.parameters or ())]
        optimizer = torch.optim.Adam(trained, lr=1e-4)

        def step() -> float:
            began = time.perf_counter()
            optimizer.zero_grad(set_to_none=True)
            made = module(inputs)
            (100 * F.l1_loss(made, targets) + lesson(inputs, made)[0]).backward()
            optimizer.step()
            return time.perf_counter() - began

        return step

    plain, aligned = step_of("mse"), step_of("ka")
    plain(), aligned()
    return statistics.median(aligned() / plain() for _ in range(rounds))
