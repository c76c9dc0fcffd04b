"""E2GAN: which parts of the base a new concept needs to change."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from backend.concept_values import ConceptBase, Concepts, RankPlan, recipe_digest
from backend.core.context import Context
from backend.core.node import node
from backend.core.views import Bars, Column, Table, Verdict
from backend.distill import lora
from backend.methods.e2gan_fit import (
    CONCEPT,
    ConceptParams,
    ConvForm,
    freeze_all_but,
    judged_only,
    trial,
)
from backend.methods.e2gan_parts import BLOCKS, attached, groups_of, lesson_of
from backend.models.concept import GROUPS
from backend.train.edit import EditEpoch
from backend.values import Discriminator, Pairs

PARTS = tuple(dict.fromkeys(BLOCKS if name.startswith(BLOCKS) else name for name in GROUPS))
"""What is studied: the parts of the generator, both runs of residual blocks as one."""
_STUDY = "Study"


class CrucialParams(ConceptParams):
    """How the study is made."""

    epochs: int = Field(
        default=4, ge=1, le=1000, title="Epochs", description="Of each of the short trainings."
    )
    trained: Literal["weights", "adapters"] = Field(
        default="weights",
        title="Trained",
        description="All weights of a part, or adapters on its layers.",
        json_schema_extra={"group": _STUDY},
    )
    alone: bool = Field(
        default=True,
        title="Each part alone",
        description="Train each part by itself, too; without it the study takes half as long.",
        json_schema_extra={"group": _STUDY},
    )
    tau: float = Field(
        default=0.03,
        ge=0,
        lt=1,
        title="Least damage",
        description="A part is crucial if freezing it raises the validation L1 by more than this.",
        json_schema_extra={"group": _STUDY},
    )
    judged: int = Field(
        default=24,
        ge=1,
        le=64,
        title="Judged on",
        description="Validation pairs at most, so that the study is quick.",
        json_schema_extra={"group": _STUDY, "unit": "pairs"},
    )
    rank: int = Field(
        default=1,
        ge=1,
        le=64,
        title="Rank",
        description="Of the adapters on the crucial parts, and of those that are studied.",
        json_schema_extra={"group": CONCEPT},
    )
    form: ConvForm = "conv"


@dataclass(frozen=True)
class Damage:
    """What freezing a part costs: its relative rise of L1, and dB; and that of training it alone.

    ``weights`` are the numbers that the part holds.
    """

    part: str
    weights: int
    frozen: float
    frozen_db: float
    alone: float | None = None


@node("e2gan.crucial", title="Crucial parts", views=("table", "bars", "verdict"))
def e2gan_crucial(
    ctx: Context,
    p: CrucialParams,
    base: ConceptBase,
    concepts: Concepts,
    pairs: Pairs,
    start: Discriminator | None = None,
) -> RankPlan:
    """Find the parts that a concept must change: freeze each in turn, and train each alone.

    All short trainings begin with the base, have one seed, and are judged on validation pairs. The
    plan of ranks that comes out covers the crucial parts: link it to an adapter, or to the search.

    Source: Gong et al., E2GAN, ICML 2024, sec. 3.3 (crucial layers); the test is ours
    """
    lesson = lesson_of(ctx, base, concepts, pairs, p.concept)
    manifest = judged_only(lesson.manifest, p.judged)
    runs: list[tuple[str, tuple[str, ...]]] = [("all parts", PARTS)]
    runs += [(f"without {part}", tuple(q for q in PARTS if q != part)) for part in PARTS]
    runs += [(f"{part} alone", (part,)) for part in PARTS if p.alone]
    rows: dict[str, EditEpoch] = {}
    for i, (name, parts) in enumerate(runs):
        groups = groups_of(",".join(parts))
        network = copy.deepcopy(base.module)
        if p.trained == "adapters":
            layers = lora.adaptable(base.module, groups)
            planned = lora.rank_plan(layers, p.rank, p.form)
            network = attached(base, planned, 1.0, ctx.seed, p.form)
        else:
            freeze_all_but(network, groups)
        with ctx.stage(name, i, len(runs)):
            rows[name] = trial(ctx, p, base, network, lesson.text, manifest, start)
        _show(ctx, p, _damages(base, rows), rows["all parts"], left=len(runs) - i - 1)
    damages = _damages(base, rows)
    crucial = [one.part for one in damages if one.frozen > p.tau]
    _judge(ctx, p, damages, crucial, manifest.count("val"))
    if not crucial:
        ctx.log("No part is crucial by this measure; the plan is the paper's.", "warning")
    layers = lora.adaptable(base.module, groups_of(",".join(crucial)))
    ranks = lora.rank_plan(layers, p.rank, p.form)
    record = [
        {
            "part": one.part,
            "frozen": one.frozen,
            "frozen_db": one.frozen_db,
            "alone": one.alone,
            "crucial": one.part in crucial,
        }
        for one in damages
    ]
    count = lora.count(layers, ranks, p.form)
    return RankPlan(ranks, recipe_digest(base.recipe), "crucial parts", count, record, p.form)


def _damages(base: ConceptBase, rows: dict[str, EditEpoch]) -> list[Damage]:
    """Return the damage of each part that was frozen so far."""
    full = rows["all parts"]
    found = []
    for part in PARTS:
        frozen, alone = rows.get(f"without {part}"), rows.get(f"{part} alone")
        if frozen is None:
            continue
        children = [base.module.get_submodule(name) for name in groups_of(part)]
        found.append(
            Damage(
                part,
                sum(one.numel() for child in children for one in child.parameters()),
                _rise(frozen, full),
                (full.val_psnr or 0.0) - (frozen.val_psnr or 0.0),
                _rise(alone, full) if alone is not None else None,
            )
        )
    return found


def _rise(row: EditEpoch, full: EditEpoch) -> float:
    assert row.val_l1 is not None
    assert full.val_l1 is not None
    return row.val_l1 / max(full.val_l1, 1e-12) - 1


def _show(
    ctx: Context, p: CrucialParams, damages: Sequence[Damage], full: EditEpoch, left: int
) -> None:
    columns = [
        Column(name="Part"),
        Column(name="Weights"),
        Column(name="Frozen: L1", unit="%"),
        Column(name="Frozen: PSNR", unit="dB"),
        Column(name="Alone: L1", unit="%"),
        Column(name="Crucial"),
    ]
    rows = [
        [
            one.part,
            one.weights,
            round(100 * one.frozen, 2),
            round(-one.frozen_db, 3),
            None if one.alone is None else round(100 * one.alone, 2),
            "yes" if one.frozen > p.tau else "no",
        ]
        for one in damages
    ]
    caption = f"Against all parts trained, L1 {full.val_l1:.4f} on validation pairs"
    if left:
        caption += f"; {left} trainings to come"
    ctx.view(Table(title="Crucial parts", caption=caption, columns=columns, rows=rows), "damage")
    bars = {"frozen": [100 * one.frozen for one in damages]}
    if damages and all(one.alone is not None for one in damages):
        bars["alone"] = [100 * float(one.alone or 0.0) for one in damages]
    ctx.view(
        Bars(
            title="Rise of L1",
            caption="Above all parts trained; what rises much when it is frozen is crucial",
            unit="%",
            labels=[one.part for one in damages],
            groups=bars,
        ),
        "bars",
    )


def _judge(
    ctx: Context, p: CrucialParams, damages: Sequence[Damage], crucial: Sequence[str], count: int
) -> None:
    names = ", ".join(crucial) or "none"
    ctx.log(f"Crucial parts: {names}. Freezing one of them costs more than {p.tau:.1%} of L1.")
    ctx.view(
        Verdict(
            title="Crucial parts",
            caption=f"Crucial here, at {p.tau:.1%}: {names}. One concept, one seed.",
            claim="The residual blocks can stay frozen, as the paper has it.",
            holds=BLOCKS not in crucial,
            evidence={f"{one.part} frozen, L1 %": round(100 * one.frozen, 3) for one in damages},
            samples=count,
        ),
        "verdict",
    )
