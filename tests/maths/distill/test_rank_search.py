"""The search for ranks; property P6 of the E2GAN digest."""

from __future__ import annotations

import pytest

from backend.distill.rank_search import Trial, search

GAINS = {"down": 0.002, "tb": 0.30, "up": 0.10}


def score(ranks: dict[str, int]) -> float:
    # Concave: each doubling of a part gains half of the one before.
    total = 1.0
    for part, rank in ranks.items():
        doublings = rank.bit_length() - 1
        total -= sum(GAINS[part] / 2**i for i in range(doublings))
    return total


def parameters(ranks: dict[str, int]) -> int:
    return 100 * sum(ranks.values())


START = {"down": 1, "tb": 1, "up": 1}


def test_e2gan_p6_the_part_that_gains_most_is_grown_first() -> None:
    found = search(START, score, parameters, budget=10_000, tau=0.05)
    accepted = [trial.grown for trial in found.trials if trial.accepted]
    assert accepted[:4] == ["", "tb", "up", "tb"]
    assert found.ranks["down"] == 1  # its gain never reaches tau
    assert found.score == pytest.approx(score(found.ranks))


@pytest.mark.parametrize("budget", [300, 450, 800, 1500])
def test_e2gan_p6_the_budget_is_never_exceeded(budget: int) -> None:
    seen: list[Trial] = []
    found = search(START, score, parameters, budget=budget, tau=1e-6, on_trial=seen.append)
    assert all(trial.parameters <= budget for trial in seen)
    assert parameters(found.ranks) <= budget


def test_e2gan_p6_the_search_stops_under_tau_and_at_the_caps() -> None:
    assert search(START, score, parameters, budget=10_000, tau=0.9).ranks == START
    capped = search(START, score, parameters, budget=10_000, tau=1e-6, most={**START, "tb": 4})
    assert capped.ranks == {"down": 1, "tb": 4, "up": 1}


def test_a_budget_below_the_start_is_refused() -> None:
    with pytest.raises(ValueError, match="raise the budget"):
        search(START, score, parameters, budget=100)


def test_gains_are_measured_against_the_same_plan_trained_on() -> None:
    """Where trials go on from the accepted plan, more training alone would look like a gain."""
    rounds: list[int] = []
    kept: list[Trial] = []

    def tiring(ranks: dict[str, int]) -> float:
        return score(ranks) * 0.9 ** len(rounds)

    def count(plans: list[dict[str, int]]) -> None:
        rounds.append(len(plans))

    options = {"budget": 10_000, "on_round": count, "on_accept": kept.append}
    found = search(START, tiring, parameters, tau=0.5, control=True, **options)
    assert found.ranks == START
    assert rounds == [1, 4], "the start; then the plan as it is, and three growths"
    assert [one.grown for one in found.trials] == ["", "", *START]
    rounds.clear()
    greedy = search(START, tiring, parameters, tau=0.09, **options)
    assert greedy.ranks != START, "without a control it would have grown"
    assert [one.accepted for one in kept] == [True] * len(kept)
