"""Contrast, mixtures and scale of the look, from the tokens themselves."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QColor, QFontInfo
from PySide6.QtWidgets import QApplication

from studio import icons, style
from studio.theme import theme
from studio.tokens import Colors, token

TEXT = ("ink", "muted")
GROUNDS = ("bench", "panel", "card", "hover", "selected", "field", "pressed")


def luminance(color: tuple[int, int, int]) -> float:
    parts = [c / 255 for c in color]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(a: tuple[int, int, int], b: tuple[int, int, int]) -> float:
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("is_contrast", [False, True])
@pytest.mark.parametrize("is_dark", [True, False])
def test_text_reads_on_every_ground(is_dark: bool, is_contrast: bool) -> None:
    colors = Colors(is_dark, is_contrast)
    for text in TEXT:
        for ground in GROUNDS:
            ratio = contrast(colors.named(text), colors.named(ground))
            assert ratio >= 4.5, f"{text} on {ground}: {ratio:.2f}"
    assert contrast(colors.named("on_blade"), colors.named("blade")) >= 4.5


@pytest.mark.parametrize("is_dark", [True, False])
def test_contrast_is_what_the_tokens_say(is_dark: bool) -> None:
    colors = Colors(is_dark)
    written = token(f"contrast.{colors.key}")
    for name, grounds in written.items():
        for ground, ratio in grounds.items() if isinstance(grounds, dict) else ():
            assert contrast(colors.named(name), colors.named(ground)) == pytest.approx(
                ratio, abs=0.02
            )


def test_mixtures_follow_their_rules(qapp: QApplication) -> None:
    look = theme()
    assert look.color("tint", "model") == look.mix("card", "model", 0.16)
    assert look.color("hover") == look.mix("panel", "ink", 0.07)
    with pytest.raises(KeyError):
        look.color("tint")
    with pytest.raises(KeyError):
        look.color("no such colour")
    assert look.color("scrim").alphaF() == pytest.approx(0.62, abs=0.01)
    look.choose("light")
    assert look.color("scrim").name() == look.color("ink").name(), "darkens, as on the dark side"


def test_mode_and_scale_are_told_once(qapp: QApplication, qtbot) -> None:
    look = theme()
    with qtbot.waitSignal(look.changed):
        look.choose("light")
    assert not look.is_dark
    with qtbot.assertNotEmitted(look.changed):
        look.choose("light")
    with qtbot.waitSignal(look.changed):
        look.choose(scale=1.5)
    assert look.px(28) == 42
    look.choose(scale=9.0)
    assert look.scale == 1.5
    assert look.font("body").pixelSize() == round(13 * 1.5)


def test_high_contrast_has_stronger_lines(qapp: QApplication) -> None:
    look = theme()
    plain = look.color("line")
    look.choose("contrast")
    assert look.border == 2
    assert look.color("line") != plain


def test_fonts_are_the_bundled_ones(qapp: QApplication) -> None:
    assert QFontInfo(theme().font("body")).family() == "Inter"
    assert QFontInfo(theme().mono()).family() == "JetBrains Mono"


def test_every_icon_of_the_tables_exists(qapp: QApplication) -> None:
    names = {*icons.NODE_ICONS.values(), *icons.CATEGORY_ICONS.values()}
    from studio.actions import ACTIONS

    names |= {action.icon for action in ACTIONS if action.icon}
    assert not [name for name in names if not icons.has_icon(name)]


def test_icons_are_painted_in_the_colour_of_their_state(qapp: QApplication) -> None:
    found = icons.icon("play", "blade").pixmap(32, 32).toImage()
    colors = {
        found.pixelColor(x, y).name()
        for x in range(32)
        for y in range(32)
        if found.pixelColor(x, y).alpha() == 255
    }
    assert theme().color("blade").name() in colors
    assert not found.isNull()


def test_style_sheet_holds_the_colours_of_the_mode(qapp: QApplication) -> None:
    look = theme()
    dark = style.sheet(look)
    assert look.color("blade").name() in dark
    look.choose("light")
    light = style.sheet(look)
    assert QColor(look.color("panel")).name() in light
    assert "{" in light
    assert dark != light
