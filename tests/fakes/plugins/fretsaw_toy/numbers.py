"""Nodes without torch, for tests of the engine."""

from __future__ import annotations

import errno
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

from pydantic import Field, model_validator

from backend.core.context import Context
from backend.core.errors import FretsawError
from backend.core.node import Params, node
from backend.core.value import value
from backend.core.views import Lines, Series


@value
@dataclass
class Number:
    """A number."""

    x: float

    def save(self, folder: Path) -> None:
        """Write it."""
        (folder / "number.json").write_text(json.dumps(self.x))

    @classmethod
    def load(cls, folder: Path) -> Number:
        """Read it."""
        return cls(json.loads((folder / "number.json").read_text()))


@value
@dataclass
class Count(Number):
    """A whole number."""


@value
@dataclass
class Word:
    """A word."""

    text: str

    def save(self, folder: Path) -> None:
        """Write it."""
        (folder / "word.txt").write_text(self.text)

    @classmethod
    def load(cls, folder: Path) -> Word:
        """Read it."""
        return cls((folder / "word.txt").read_text())


class StartParams(Params):
    """Where to begin."""

    x: float = Field(default=1.0, ge=0, description="First value.")
    file: Path | None = Field(default=None, description="A file with the value instead.")


@node("toy.start")
def start(ctx: Context, p: StartParams) -> Count:
    """Give a number."""
    return Count(float(p.file.read_text()) if p.file else p.x)


class GrowParams(Params):
    """How to grow."""

    steps: int = Field(default=5, ge=1, le=100_000, description="Steps.")
    pause: float = Field(default=0.0, ge=0, description="Seconds a step.")
    mode: Literal["times", "plus"] = Field(default="times", description="Which way.")
    every: int = Field(default=3, ge=1, description="Steps between checkpoints.")


@node("toy.grow", version=2, migrate=lambda old, _: {"steps": old.get("rounds", 5)})
def grow(ctx: Context, p: GrowParams, number: Number) -> Number:
    """Let a number grow.

    More words on it.

    Source: nobody, sec. 1
    """
    state = {"x": number.x}
    for i in ctx.loop(p.steps, state={"s": state}, every=p.every):
        state["x"] = state["x"] * 1.5 % 1000 + i if p.mode == "times" else state["x"] + 1
        time.sleep(p.pause)
        ctx.metric(i, x=state["x"])
    ctx.view(Lines(series=[Series(name="x", x=[0.0], y=[state["x"]])]), name="end")
    return Number(state["x"])


class Both(NamedTuple):
    """Two results."""

    total: Number
    words: Word


@node("toy.sum", cached=True)
def total(ctx: Context, numbers: list[Number], extra: Number | None = None) -> Both:
    """Add numbers."""
    result = sum(n.x for n in numbers) + (extra.x if extra else 0)
    return Both(Number(result), Word(f"{len(numbers)} numbers"))


N = TypeVar("N", bound=Number)


@node("toy.same")
def same(ctx: Context, number: N) -> N:
    """Give what came in."""
    return number


@node("toy.count_only")
def count_only(ctx: Context, count: Count) -> Word:
    """Take whole numbers only."""
    return Word(str(count.x))


@node("toy.clock", cached=False)
def clock(ctx: Context, number: Number) -> Number:
    """Measure something that is new each time."""
    return Number(time.time_ns())


class FailParams(Params):
    """How to fail."""

    how: Literal["user", "bug", "memory", "cuda", "disk", "permission", "import", "none"] = "bug"
    batch: int = 64

    @model_validator(mode="after")
    def _no_odd_batch(self) -> FailParams:
        if self.batch % 2:
            raise ValueError("batch must be even, so that pairs fit")
        return self


@node("toy.fail")
def fail(ctx: Context, p: FailParams, number: Number) -> Number:
    """Fail in the asked way."""
    if p.how == "user":
        raise FretsawError("The cheese is gone.", "Buy cheese.")
    if p.how == "bug":
        raise KeyError("inner")
    if p.how == "memory":
        raise RuntimeError(
            "[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: not enough memory: "
            "you tried to allocate 8589934592 bytes."
        )
    if p.how == "disk":
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(ctx.folder / "x"))
    if p.how == "permission":
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "some file")
    if p.how == "import":
        import fretsaw_not_there  # noqa: F401
    return number


@node("toy.two_loops")
def two_loops(ctx: Context, p: GrowParams, number: Number) -> Number:
    """Loop twice, in stages, with events in between."""
    state = {"x": number.x, "seen": []}
    for round_ in range(2):
        with ctx.stage(f"round{round_}", round_, 2):
            ctx.log(f"round {round_} begins at {state['x']}")
            for i in ctx.loop(p.steps, state={"s": state}, every=p.every):
                state["x"] += 1
                time.sleep(p.pause)
                ctx.metric(i, x=state["x"])
    return Number(state["x"])


@node("toy.nested")
def nested(ctx: Context, number: Number) -> Number:
    """Loop inside a loop, which no checkpoint can describe."""
    for _ in ctx.loop(3):
        for _ in ctx.loop(3):
            number = Number(number.x + 1)
    return number
