"""Fuzzy matching for the command palette: which letters match, and how well."""

from __future__ import annotations

from dataclasses import dataclass

_AT_START, _AT_WORD, _INSIDE, _SCATTERED, _KEYWORD = 120.0, 100.0, 60.0, 30.0, 15.0


@dataclass(frozen=True)
class Match:
    """How well a query matches, higher is better, and the places of its letters in the text."""

    score: float
    places: frozenset[int]


NO_QUERY = Match(0.0, frozenset())


def match(query: str, text: str, keywords: str = "") -> Match | None:
    """Match every word of `query` in `text`, or in `keywords`; None if one does not match.

    Best is the beginning of the text, then of a word, then anywhere, then scattered letters in
    order. Letters' case does not matter.
    """
    words = query.lower().split()
    low, extra = text.lower(), keywords.lower()
    if len(low) != len(text):  # lower() may lengthen: places would be wrong
        low = "".join(letter.lower()[0] for letter in text)
    score, places = 0.0, set()
    for word in words:
        found = _word(word, low)
        if found is not None:
            score += found[0]
            places.update(found[1])
        elif word in extra:
            score += _KEYWORD
        else:
            return None
    if not words:
        return NO_QUERY
    return Match(score / len(words) - 0.05 * len(low), frozenset(places))


def _word(word: str, text: str) -> tuple[float, list[int]] | None:
    at = text.find(word)
    if at < 0:
        return _scattered(word, text)
    spot = at
    while spot >= 0:
        if spot == 0 or not text[spot - 1].isalnum():
            score = _AT_START if spot == 0 else _AT_WORD
            return score - 0.1 * spot, list(range(spot, spot + len(word)))
        spot = text.find(word, spot + 1)
    return _INSIDE - 0.1 * at, list(range(at, at + len(word)))


def _scattered(word: str, text: str) -> tuple[float, list[int]] | None:
    """Letters in order; each at the start of a word if one is there, else the next one."""
    if len(word) < 2:
        return None
    places: list[int] = []
    spot = -1
    for letter in word:
        ahead = text.find(letter, spot + 1)
        if ahead < 0:
            return None
        jump = ahead
        if ahead != spot + 1:
            while jump > 0 and text[jump - 1].isalnum():
                jump = text.find(letter, jump + 1)
            jump = jump if jump >= 0 else ahead
        rest = word[len(places) + 1 :]
        spot = jump if _in_order(rest, text, jump + 1) else ahead
        places.append(spot)
    spread = places[-1] - places[0] + 1 - len(word)
    is_initials = all(place == 0 or not text[place - 1].isalnum() for place in places)
    if spread > 2 * len(word) and not is_initials:
        return None  # letters so far apart that nobody would see a word in them
    return _SCATTERED - spread, places


def _in_order(letters: str, text: str, start: int) -> bool:
    for letter in letters:
        at = text.find(letter, start)
        if at < 0:
            return False
        start = at + 1
    return True
