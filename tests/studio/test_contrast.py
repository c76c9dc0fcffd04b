"""Contrast of every text colour that the style sheet sets, in all four themes."""

from __future__ import annotations

import re

import pytest
from PySide6.QtWidgets import QApplication

from studio import style
from studio.theme import READABLE, TEXT_GROUNDS, theme
from studio.tokens import contrast, rgb

MODES = ("dark", "light", "contrast", "contrast_light")
_RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")


def declarations(sheet: str) -> list[tuple[str, dict[str, str]]]:
    """Return each rule of a style sheet as its selector and what it declares."""
    rules = []
    for selector, body in _RULE.findall(sheet):
        pairs = (part.split(":", 1) for part in body.split(";") if ":" in part)
        rules.append((" ".join(selector.split()), {k.strip(): v.strip() for k, v in pairs}))
    return rules


def too_faint(sheet: str) -> list[str]:
    """Name the rules whose text does not read on its own ground, or on any that it may have."""
    names = [theme().color(name).name() for name in TEXT_GROUNDS]
    found = []
    for selector, declared in declarations(sheet):
        # what is switched off is exempt: WCAG 2.2, 1.4.3, inactive components
        if "color" not in declared or ":disabled" in selector:
            continue
        own = declared.get("background", "transparent")
        for ground in names if own == "transparent" else [own]:
            ratio = contrast(rgb(declared["color"]), rgb(ground))
            if ratio < READABLE:
                found.append(f"{selector}: {declared['color']} on {ground}: {ratio:.2f}")
    return found


@pytest.mark.parametrize("mode", MODES)
def test_every_text_of_the_style_sheet_reads(qapp: QApplication, mode: str) -> None:
    look = theme()
    look.choose(mode)
    sheet = style.sheet(look)
    assert sum("color" in declared for _, declared in declarations(sheet)) > 15, (
        "it reads the sheet"
    )
    assert too_faint(sheet) == []


def test_the_measure_finds_a_faint_colour(qapp: QApplication) -> None:
    theme().choose("light")
    faint = f'QLabel[tone="x"] {{ color: {theme().color("data").name()}; }}'
    assert any("QLabel" in line for line in too_faint(faint))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ["warn", "good", "bad", "blade", "data", "result", "model"])
def test_a_colour_for_text_reads_or_is_ink(qapp: QApplication, mode: str, name: str) -> None:
    look = theme()
    look.choose(mode)
    text = look.text_color(name)
    assert text in (look.color(name), look.color("ink"))
    for ground in TEXT_GROUNDS:
        assert contrast(rgb(text.name()), rgb(look.color(ground).name())) >= READABLE
