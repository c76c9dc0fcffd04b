"""E2GAN: which rank the adapter of each layer gets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

from torch import nn

from backend.concept_values import ConceptBase, Concepts, RankPlan, recipe_digest
from backend.core.context import Context
from backend.core.errors import FretsawError
from backend.core.node import node
from backend.core.views import Bars, Column, Table
from backend.distill import lora
from backend.distill.rank_search import Trial
from backend.methods.e2gan import BUNDLED
from backend.methods.e2gan_parts import groups_of, listed_ranks
from backend.methods.e2gan_search import RankSearch, RanksParams, budget_of
from backend.models.concept import GROUPS
from backend.values import Discriminator, Generator, Pairs


def _plan_files(p: RanksParams) -> Iterable[Path]:
    return [BUNDLED] if p.mode == "bundled" else []


@node("e2gan.ranks", title="Plan ranks", views=("table", "lines", "bars"), reads=_plan_files)
def e2gan_ranks(
    ctx: Context,
    p: RanksParams,
    base: ConceptBase,
    concepts: Concepts | None = None,
    pairs: list[Pairs] | None = None,
    start: Discriminator | None = None,
    tuned: Generator | None = None,
    groups: RankPlan | None = None,
) -> RankPlan:
    """Find the rank of each layer's adapter once; the plan then serves all concepts.

    The search trains short trials from one start and judges them on validation pairs: it doubles
    the rank of the part that gains most for its numbers, until none gains or the budget is spent.
    Energy needs the generator of "Tune whole network", begun with the base. A linked plan, such as
    that of "Crucial parts", says which layers take part.

    Source: Gong et al., E2GAN, ICML 2024, sec. 3.3 (searched ranks); the procedure is ours
    """
    layers = lora.adaptable(base.module, groups_of(p.parts))
    if groups is not None:
        if groups.recipe != recipe_digest(base.recipe):
            raise FretsawError(
                "The linked plan was made for another network.", "Make it with the same base."
            )
        layers = {name: base.module.get_submodule(name) for name in groups.ranks}
    if p.mode == "bundled":
        return _bundled(ctx, p, base)
    trials: list[Trial] = []
    if p.mode == "searched":
        ranks, trials = RankSearch(ctx, p, base, layers, start).run(concepts, pairs or [])
    elif p.mode == "energy":
        ranks = _by_energy(ctx, p, base, layers, tuned)
    elif p.mode == "by hand":
        layers = lora.adaptable(base.module, GROUPS)
        ranks = _capped(p, layers, listed_ranks(p.by_hand, layers))
    else:
        ranks = _capped(p, layers, dict.fromkeys(layers, p.rank))
    count, limit = lora.count(layers, ranks, p.form), budget_of(p, base)
    if count > limit and p.mode == "energy":
        raise FretsawError(
            f"Rank 1 in every layer takes {count:,} numbers, above the budget of {limit:,}.",
            "Raise the budget, or leave parts out.",
        )
    if count > limit:
        ctx.log(f"The plan has {count:,} numbers, more than the {limit:,} wanted.", "warning")
    record = [asdict(one) for one in trials]
    plan = RankPlan(ranks, recipe_digest(base.recipe), p.mode, count, record, p.form)
    _tell(ctx, base, plan)
    return plan


def _capped(
    p: RanksParams, layers: Mapping[str, nn.Module], ranks: Mapping[str, int]
) -> dict[str, int]:
    capped = {name: min(rank, p.most) for name, rank in ranks.items()}
    return lora.rank_plan(layers, capped, p.form)


def _by_energy(
    ctx: Context,
    p: RanksParams,
    base: ConceptBase,
    layers: Mapping[str, nn.Module],
    tuned: Generator | None,
) -> dict[str, int]:
    """Return the ranks that keep as much energy as wanted, or as the budget allows."""
    if tuned is None:
        raise FretsawError(
            "Ranks by energy need a full fine-tune to look at.",
            'Link the generator of "Tune whole network".',
        )
    known = dict(tuned.module.named_modules())
    if any(n not in known or known[n].weight.shape != m.weight.shape for n, m in layers.items()):
        raise FretsawError(
            f"{tuned.label} is not of the same network as {base.label}.",
            'Link the generator of "Tune whole network", with the same base.',
        )
    limit = budget_of(p, base)

    def at(share: float) -> dict[str, int]:
        found = lora.ranks_by_energy(base.module, tuned.module, layers, share, p.form)
        return _capped(p, layers, found)

    ranks = at(p.energy)
    if not ranks:
        raise FretsawError(
            f"{tuned.label} has the same weights as {base.label} in all adapted layers.",
            "Tune it first.",
        )
    low, high = 0.0, p.energy
    for _ in range(20 if lora.count(layers, ranks, p.form) > limit else 0):
        middle = (low + high) / 2
        fits = lora.count(layers, at(middle), p.form) <= limit
        low, high = (middle, high) if fits else (low, middle)
        ranks = at(low)
    kept = min(p.energy, high)
    ctx.log(
        f"The ranks keep {kept:.0%} of the energy of each layer's change, or as far as the cap."
    )
    return ranks


def _bundled(ctx: Context, p: RanksParams, base: ConceptBase) -> RankPlan:
    """Return the plan that was searched for the bundled base, trials and all."""
    if not (BUNDLED / "ranks.json").is_file():
        raise FretsawError(
            "The bundled plan of ranks is not part of this installation.", "Search for ranks."
        )
    plan = RankPlan.load(BUNDLED)
    if plan.recipe != recipe_digest(base.recipe):
        raise FretsawError(
            f"The bundled plan of ranks is for the bundled base, not for {base.label}.",
            "Link the bundled base, or search for ranks.",
        )
    if plan.form != p.form:
        raise FretsawError(
            "The bundled ranks are for adapters of another form on convolutions.",
            "Choose the other form, or search for ranks.",
        )
    _tell(ctx, base, plan)
    return plan


def _tell(ctx: Context, base: ConceptBase, plan: RankPlan) -> None:
    ranks, form = plan.ranks, plan.form
    layers = {name: base.module.get_submodule(name) for name in ranks}
    count = lora.count(layers, ranks, form)
    weights = sum(one.numel() for one in base.module.parameters())
    ctx.metric(0, parameters=count, percent=100 * count / weights)
    ctx.log(f"{count:,} numbers in {len(ranks)} layers, {100 * count / weights:.2f} % of the base.")
    rows: list[list[str | float | int | None]] = [
        [
            name,
            rank,
            lora.most_rank(layers[name], form),
            lora.parameters_of(layers[name], rank, form),
        ]
        for name, rank in ranks.items()
    ]
    columns = [
        Column(name="Layer"),
        Column(name="Rank"),
        Column(name="Highest"),
        Column(name="Numbers"),
    ]
    ctx.view(Table(title="Ranks", columns=columns, rows=rows), "ranks")
    bars = {"rank": [float(rank) for rank in ranks.values()]}
    ctx.view(Bars(title="Rank of each layer", labels=list(ranks), groups=bars), "by layer")
