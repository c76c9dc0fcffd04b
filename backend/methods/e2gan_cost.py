"""What a concept costs as an adapter and as a network of its own: counted and measured here."""

from __future__ import annotations

import copy
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from backend.concept_values import Adapter, ConceptBase
from backend.core.context import Context, QuietContext
from backend.core.views import Column, Table
from backend.data.pairs import open_pairs
from backend.methods.e2gan_fit import first_opponent, scratch
from backend.methods.e2gan_parts import Lesson, fixed
from backend.methods.image_to_image import ImageToImageParams
from backend.models.concept import Prompted
from backend.train.edit import Edit, EditEpoch
from backend.train.edits import fit_edits
from backend.train.gan_guard import CollapseError
from backend.values import Discriminator

_TIMED = 2  # steps of each size of pictures


class _Stopwatch(QuietContext):
    """A context whose loop does a few steps, the first of each size twice, and times the others."""

    def __init__(self, outer: Context, small: float) -> None:
        super().__init__(outer.seed, device=outer.device, threads=outer.threads)
        self.outer, self.small = outer, small
        self.total = 0
        self.seconds: dict[bool, list[float]] = {True: [], False: []}
        """Of steps at the small start, and of the others."""

    def loop(
        self, total: int, state: Mapping[str, Any] | None = None, every: str | int = "60s"
    ) -> Iterator[int]:
        """Yield first and last steps."""
        self.total = total
        turn = round(self.small * total)
        parts = ((True, range(turn)), (False, range(turn, total)))
        planned = [(is_small, steps[:_TIMED]) for is_small, steps in parts if steps]
        count = sum(len(steps) for _, steps in planned)
        done = 0
        for is_small, steps in planned:
            yield steps[0]  # memory is laid out and pictures are decoded here
            for step in steps:
                began = time.perf_counter()
                yield step
                self.seconds[is_small].append(time.perf_counter() - began)
                done += 1
                self.outer.progress(done, count)

    def all_steps(self) -> float:
        """Return how long all steps take, by the mean of those that were timed."""
        turn = round(self.small * self.total)
        counts = {True: turn, False: self.total - turn}
        return sum(counts[k] * sum(v) / len(v) for k, v in self.seconds.items() if v)


@dataclass(frozen=True)
class Price:
    """Numbers trained, bytes of the files stored, seconds a step and of all steps."""

    numbers: int
    bytes: int
    step: float
    total: float


class CostMeter:
    """Compares an adapter with a network of its own that is trained equally long.

    Seconds of a step are measured on copies at the start; the table is shown again after each
    epoch with the time that the adapter really took. Nothing that is trained is touched.
    """

    def __init__(
        self,
        ctx: Context,
        p: ImageToImageParams,
        base: ConceptBase,
        lesson: Lesson,
        network: nn.Module,
        adapter: Adapter,
        start: Discriminator | None,
    ) -> None:
        self.ctx, self.epochs = ctx, p.epochs
        whole = scratch(base, ctx.seed)
        with ctx.stage("Timing"):
            mine = _timed(ctx, p, base, lesson, copy.deepcopy(network), start)
            other = _timed(ctx, p, base, lesson, whole, start)
        self.steps = mine.total
        self.adapter = Price(
            adapter.parameters,
            saved_bytes(adapter),
            mine.all_steps() / mine.total,
            mine.all_steps(),
        )
        self.whole = Price(
            sum(one.numel() for one in base.module.parameters()),
            saved_bytes(fixed(base, whole, lesson.text, lesson.name)),
            other.all_steps() / other.total,
            other.all_steps(),
        )
        self.show(None)

    def show(self, row: EditEpoch | None) -> None:
        """Show the table, with the time that training took so far."""
        a, b = self.adapter, self.whole
        figures: list[tuple[str, float | None, float | None]] = [
            ("Numbers trained", a.numbers, b.numbers),
            ("Bytes stored, text included", a.bytes, b.bytes),
            ("Seconds a step, measured", round(a.step, 4), round(b.step, 4)),
            (f"Seconds for all {self.steps:,} steps", round(a.total, 1), round(b.total, 1)),
        ]
        if row is not None:
            figures.append((f"Seconds taken by {row.steps:,} steps", round(row.seconds, 1), None))
        columns = [
            Column(name="Cost"),
            Column(name="This adapter"),
            Column(name="From scratch"),
            Column(name="Times less"),
        ]
        rows = [[name, x, y, round(y / x, 2) if x and y else None] for name, x, y in figures]
        caption = (
            f"Both at {self.epochs} epochs; a step of each was timed on this computer before the "
            "training. What scratch needs for the same quality is for a run of its own to tell."
        )
        self.ctx.view(
            Table(title="Cost of this concept", caption=caption, columns=columns, rows=rows),
            "cost",
            None if row is None else row.steps,
        )


def measured(
    ctx: Context,
    p: ImageToImageParams,
    base: ConceptBase,
    lesson: Lesson,
    network: nn.Module,
    adapter: Adapter,
    start: Discriminator | None,
) -> CostMeter | None:
    """Return the meter; None, and a word about it, where the steps to be timed break."""
    try:
        return CostMeter(ctx, p, base, lesson, network, adapter, start)
    except CollapseError as error:
        ctx.log(f"The cost was not measured: {error}", "warning")
        return None


def saved_bytes(value: Any) -> int:
    """Return the size of the safetensors files that saving ``value`` writes."""
    with tempfile.TemporaryDirectory(prefix="fretsaw-") as folder:
        value.save(Path(folder))
        return sum(one.stat().st_size for one in Path(folder).glob("*.safetensors"))


def _timed(
    ctx: Context,
    p: ImageToImageParams,
    base: ConceptBase,
    lesson: Lesson,
    network: nn.Module,
    start: Discriminator | None,
) -> _Stopwatch:
    opponent = first_opponent(ctx, p, start)
    watch = _Stopwatch(ctx, p.small)
    plan = p.model_copy(update={"perceptual": 0.0, "shown": 0}).plan()
    fit_edits(
        watch,
        Edit(Prompted(network, lesson.text[None]), base.image, multiple=8),
        open_pairs(lesson.manifest, "train"),
        None,
        plan,
        discriminator=opponent.module,
        conditional=opponent.conditional,
    )
    return watch
