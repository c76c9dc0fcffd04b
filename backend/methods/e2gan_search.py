"""The search for ranks: short trainings of adapters, from one start, judged on validation pairs."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from backend.concept_values import ConceptBase, Concepts
from backend.core.context import Context
from backend.core.errors import FretsawError
from backend.core.views import Column, Lines, Series, Table
from backend.distill import lora
from backend.distill.rank_search import Search, Trial, search
from backend.methods.e2gan_fit import ConceptParams, ConvForm, judged_only, trial
from backend.methods.e2gan_parts import Lesson, attached, lesson_of
from backend.train.gan_guard import CollapseError
from backend.values import Discriminator, Pairs

_BUDGET, _SEARCH = "Budget", "Search"


class RanksParams(ConceptParams):
    """How the ranks are found."""

    mode: Literal["uniform", "searched", "energy", "by hand", "bundled"] = Field(
        default="searched",
        title="Ranks by",
        description="One rank for all, trials that grow part by part, the energy of a full "
        "fine-tune's change, as you write, or those that were searched for the bundled base.",
        json_schema_extra={
            "labels": {"searched": "Search", "energy": "Energy", "bundled": "Bundled"}
        },
    )
    epochs: int = Field(
        default=4, ge=1, le=1000, title="Epochs", description="Of each trial of the search."
    )
    lr: float = Field(
        default=2e-2,
        gt=0,
        le=1,
        title="Learning rate",
        description="Of the adapters in trials.",
        json_schema_extra={"scale": "log"},
    )
    rank: int = Field(
        default=1,
        ge=1,
        le=64,
        title="Rank",
        description="Of all layers, or of those that the search begins with.",
    )
    by_hand: str = Field(
        default="down: 1, ds: 1, tb: 2, us: 1, up: 1",
        title="By hand",
        description="Ranks of parts or layers, with commas between; what is not there gets none.",
    )
    parts: str = Field(
        default="",
        title="Parts",
        description="Adapted parts, with commas between; empty: all but residual blocks.",
        json_schema_extra={"origin": "paper"},
    )
    form: ConvForm = "conv"
    budget: int | None = Field(
        default=None,
        ge=1,
        title="Most numbers",
        description="Of the whole adapter; empty: a part of the base.",
        json_schema_extra={"group": _BUDGET},
    )
    budget_percent: float = Field(
        default=7.0,
        gt=0,
        le=100,
        title="Part of the base",
        description="Most numbers of the adapter, as a part of the base's weights.",
        json_schema_extra={"group": _BUDGET, "unit": "%"},
    )
    most: int = Field(
        default=16,
        ge=1,
        le=256,
        title="Highest rank",
        description="Of any layer; a layer's own limit comes first.",
        json_schema_extra={"group": _BUDGET},
    )
    energy: float = Field(
        default=0.9,
        gt=0,
        lt=1,
        title="Energy kept",
        description="Of each layer's change in a full fine-tune; less where the budget asks for "
        "it.",
        json_schema_extra={"group": _BUDGET},
    )
    tau: float = Field(
        default=0.01,
        ge=0,
        lt=1,
        title="Least gain",
        description="A growth counts if it lowers the validation L1 by more than this part.",
        json_schema_extra={"group": _SEARCH},
    )
    warm: bool = Field(
        default=False,
        title="Warm start",
        description="Trials go on from the adapter of the round before, its new ranks at zero.",
        json_schema_extra={"group": _SEARCH},
    )
    judged: int = Field(
        default=24,
        ge=1,
        le=64,
        title="Judged on",
        description="Validation pairs at most, so that trials are quick.",
        json_schema_extra={"group": _SEARCH, "unit": "pairs"},
    )


def budget_of(p: RanksParams, base: ConceptBase) -> int:
    """Return how many numbers the adapter may have at most."""
    weights = sum(one.numel() for one in base.module.parameters())
    return p.budget if p.budget is not None else int(weights * p.budget_percent / 100)


class RankSearch:
    """The search: trains trials, remembers what a warm start needs, shows every trial."""

    def __init__(
        self,
        ctx: Context,
        p: RanksParams,
        base: ConceptBase,
        layers: Mapping[str, nn.Module],
        start: Discriminator | None,
    ) -> None:
        self.ctx, self.p, self.base, self.layers, self.start = ctx, p, base, layers, start
        self.parts = list(dict.fromkeys(name.partition(".")[0] for name in layers))
        self.lessons: list[Lesson] = []
        self.trials: list[Trial] = []
        self.current: dict[str, int] = {}
        self.round = self.planned = self.tried = 0
        self.seconds = 0.0
        self.accepted: dict[str, dict[str, Tensor]] = {}
        self.states: dict[tuple[int, ...], dict[str, dict[str, Tensor]]] = {}

    def run(
        self, concepts: Concepts | None, pairs: list[Pairs]
    ) -> tuple[dict[str, int], list[Trial]]:
        """Return the rank of each layer, and all trials."""
        if concepts is None or not pairs:
            raise FretsawError(
                "The search for ranks needs concepts and pairs to train trials on.",
                "Link both, or choose other ranks than searched ones.",
            )
        p = self.p
        for one in pairs:
            lesson = lesson_of(self.ctx, self.base, concepts, one, p.concept)
            manifest = judged_only(lesson.manifest, p.judged)
            self.lessons.append(lesson._replace(manifest=manifest))
        try:
            found = self._searched()
        except ValueError as error:
            if getattr(error, "for_user", False):
                raise
            raise FretsawError(str(error), "Or leave parts out.") from error
        self.trials = list(found.trials)
        self._show()
        return self.ranks_of(found.ranks), self.trials

    def _searched(self) -> Search:
        p = self.p
        most = {
            part: min(
                p.most,
                max(lora.most_rank(m, p.form) for n, m in self.layers.items() if _of(n, part)),
            )
            for part in self.parts
        }
        return search(
            {part: min(p.rank, most[part]) for part in self.parts},
            self._score,
            lambda ranks: lora.count(self.layers, self.ranks_of(ranks), p.form),
            budget=budget_of(p, self.base),
            tau=p.tau,
            most=most,
            control=p.warm,
            on_trial=self._tell,
            on_round=self._begin_round,
            on_accept=self._accept,
        )

    def ranks_of(self, by_part: Mapping[str, int]) -> dict[str, int]:
        """Return the rank of each layer."""
        return lora.rank_plan(self.layers, by_part, self.p.form)

    def _begin_round(self, plans: list[dict[str, int]]) -> None:
        self.round += 1
        self.planned, self.tried = len(plans), 0

    def _score(self, by_part: dict[str, int]) -> float:
        """Return the mean validation L1 over the concepts after a short training."""
        began = time.monotonic()
        scores = []
        grown = [f"{part} {rank}" for part, rank in by_part.items() if self._is_new(part, rank)]
        words = ", ".join(("Round " + str(self.round), *grown))
        with self.ctx.stage(words, self.tried, self.planned):
            for lesson in self.lessons:
                scores.append(self._trained(by_part, lesson))
        self.tried += 1
        self.seconds = time.monotonic() - began
        return sum(scores) / len(scores)

    def _trained(self, by_part: dict[str, int], lesson: Lesson) -> float:
        """Return the validation L1 after a short training; infinite where it broke."""
        ranks = self.ranks_of(by_part)
        network = attached(self.base, ranks, 1.0, self.ctx.seed, self.p.form)
        if lesson.name in self.accepted:
            lora.load_grown(network, self.accepted[lesson.name])
        try:
            last = trial(
                self.ctx, self.p, self.base, network, lesson.text, lesson.manifest, self.start
            )
        except CollapseError as error:
            if not self.current:  # nothing to compare with
                raise
            self.ctx.log(f"A trial broke and does not count. {error}", "warning")
            return math.inf
        if self.p.warm:
            states = self.states.setdefault(_key(by_part), {})
            states[lesson.name] = lora.adapter_state(network)
        return float(last.val_l1 or 0.0)

    def _is_new(self, part: str, rank: int) -> bool:
        return bool(self.current) and self.current[part] != rank

    def _accept(self, winner: Trial) -> None:
        if self.p.warm:
            self.accepted = dict(self.states[_key(winner.ranks)])
        self.states.clear()
        self.current = winner.ranks
        self.trials = [
            winner if replace(one, accepted=True) == winner else one for one in self.trials
        ]
        self._show()

    def _tell(self, one: Trial) -> None:
        self.trials.append(one)
        if math.isfinite(one.score):
            self.ctx.metric(len(self.trials) - 1, score=one.score, parameters=one.parameters)
        self._show()

    def _show(self) -> None:
        left = self.planned - self.tried
        caption = f"Round {self.round}, {self.tried} of {self.planned} tried"
        if left:
            caption += f"; about {left * self.seconds:.0f} s left in it"
        columns = [
            *(Column(name=part) for part in self.parts),
            Column(name="Numbers", better="lower"),
            Column(name="Validation L1", better="lower"),
            Column(name="Kept"),
        ]
        rows: list[list[str | float | int | None]] = [
            [
                *(one.ranks[part] for part in self.parts),
                one.parameters,
                round(one.score, 5) if math.isfinite(one.score) else "broke",
                "yes" if one.accepted else "",
            ]
            for one in self.trials
        ]
        self.ctx.view(Table(title="Trials", caption=caption, columns=columns, rows=rows), "trials")
        whole = [one for one in self.trials if math.isfinite(one.score)]
        kept = [one for one in whole if one.accepted]
        series = [
            Series(
                name=name,
                x=[float(one.parameters) for one in some],
                y=[one.score for one in some],
            )
            for name, some in (("kept", kept), ("tried", sorted(whole, key=_size)))
            if some
        ]
        self.ctx.view(
            Lines(
                title="L1 over numbers",
                x_label="numbers of the adapter",
                y_label="validation L1",
                series=series,
            ),
            "curve",
        )


def _of(layer: str, part: str) -> bool:
    return layer.partition(".")[0] == part


def _size(one: Trial) -> int:
    return one.parameters


def _key(ranks: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(ranks.values())
