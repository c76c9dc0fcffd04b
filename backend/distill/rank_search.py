"""Which ranks a concept's adapter needs: a greedy search that grows one part at a time.

Source: E2GAN reports that searched ranks beat uniform ones but not how they were searched; this
procedure is ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Trial:
    """One plan that was tried: ranks by part, its score (lower is better) and its parameters."""

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
    on_trial: Callable[[Trial], None] = lambda trial: None,
) -> Search:
    """Double the rank of the part that gains most per added parameter, as long as one gains.

    ``score`` trains a plan shortly from the same start and returns a validation figure, lower is
    better. A growth counts when it lowers the score by more than ``tau`` of it. No plan above
    ``budget`` parameters is tried.

    Raises:
        ValueError: the start is above the budget.
    """
    ranks = dict(start)
    if parameters(ranks) > budget:
        raise ValueError(
            f"The smallest plan of ranks has {parameters(ranks)} parameters, above the budget of "
            f"{budget}; raise the budget."
        )
    trials = [Trial(dict(ranks), score(ranks), parameters(ranks), accepted=True)]
    on_trial(trials[0])
    best = trials[0].score
    while True:
        round_trials = []
        for part in ranks:
            cap = most if isinstance(most, int) else most[part]
            grown = {**ranks, part: min(2 * ranks[part], cap)}
            if grown[part] == ranks[part] or parameters(grown) > budget:
                continue
            trial = Trial(grown, score(grown), parameters(grown), part)
            on_trial(trial)
            round_trials.append(trial)
        base = parameters(ranks)
        gains = [t for t in round_trials if best - t.score > tau * abs(best)]
        if not gains:
            return Search(ranks, best, (*trials, *round_trials))
        winner = max(gains, key=lambda t: (best - t.score) / max(t.parameters - base, 1))
        ranks, best = dict(winner.ranks), winner.score
        trials += [
            Trial(t.ranks, t.score, t.parameters, t.grown, accepted=t is winner)
            for t in round_trials
        ]
