"""Which ranks a concept's adapter needs: a greedy search that grows one part at a time.

Source: E2GAN reports that searched ranks beat uniform ones but not how they were searched; this
procedure is ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Trial:
    """One plan that was tried: ranks by part, its score (lower is better) and its parameters.

    ``grown`` is the part that is larger than in the plan of the round before; "" for that plan.
    """

    ranks: dict[str, int]
    score: float
    parameters: int
    grown: str = ""
    accepted: bool = False


@dataclass(frozen=True)
class Search:
    """Outcome of :func:`search`: the ranks, and every trial in order."""

    ranks: dict[str, int]
    score: float
    trials: tuple[Trial, ...]


def search(
    start: Mapping[str, int],
    score: Callable[[dict[str, int]], float],
    parameters: Callable[[dict[str, int]], int],
    *,
    budget: int,
    tau: float = 0.01,
    most: Mapping[str, int] | int = 64,
    control: bool = False,
    on_trial: Callable[[Trial], None] = lambda trial: None,
    on_round: Callable[[list[dict[str, int]]], None] = lambda plans: None,
    on_accept: Callable[[Trial], None] = lambda trial: None,
) -> Search:
    """Double the rank of the part that gains most per added parameter, as long as one gains.

    A growth counts when it lowers the score by more than ``tau`` of it. No plan above ``budget``
    parameters is tried.

    Args:
        start: the rank of each part.
        score: trains a plan shortly and returns a validation figure, lower is better.
        parameters: counts those of a plan.
        budget: the most parameters of a plan.
        tau: the least gain, as a part of the score.
        most: the highest rank, of all parts or of each.
        control: try the plan as it is again in each round, and measure gains against that: needed
            where ``score`` goes on from the plan that was accepted, since more training is a gain.
        on_trial: told each trial.
        on_round: told the plans of a round before they are tried.
        on_accept: told the start, and each growth that is kept.

    Raises:
        ValueError: the start is above the budget.
    """
    ranks = dict(start)
    if parameters(ranks) > budget:
        raise ValueError(
            f"The smallest plan of ranks has {parameters(ranks)} parameters, above the budget of "
            f"{budget}; raise the budget."
        )

    def tried(plan: dict[str, int], grown: str) -> Trial:
        trial = Trial(dict(plan), score(plan), parameters(plan), grown)
        on_trial(trial)
        return trial

    on_round([dict(ranks)])
    best = replace(tried(ranks, ""), accepted=True)
    on_accept(best)
    trials = [best]
    while True:
        plans = _growths(ranks, parameters, budget, most)
        if not plans:
            return Search(ranks, best.score, tuple(trials))
        on_round([dict(ranks)] * control + list(plans.values()))
        if control:
            best = tried(ranks, "")
            trials.append(best)
        found = [tried(plan, part) for part, plan in plans.items()]
        gains = [t for t in found if best.score - t.score > tau * abs(best.score)]
        if not gains:
            return Search(ranks, best.score, (*trials, *found))
        now, size = best.score, parameters(ranks)
        winner = max(gains, key=lambda t: (now - t.score) / max(t.parameters - size, 1))
        ranks, best = dict(winner.ranks), replace(winner, accepted=True)
        trials += [best if t is winner else t for t in found]
        on_accept(best)


def _growths(
    ranks: Mapping[str, int],
    parameters: Callable[[dict[str, int]], int],
    budget: int,
    most: Mapping[str, int] | int,
) -> dict[str, dict[str, int]]:
    """Return the plans with one part's rank doubled, by that part; those that fit and differ."""
    plans = {}
    for part, rank in ranks.items():
        cap = most if isinstance(most, int) else most[part]
        plan = {**ranks, part: min(2 * rank, cap)}
        if plan[part] > rank and parameters(plan) <= budget:
            plans[part] = plan
    return plans
