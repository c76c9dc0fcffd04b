"""The look in Qt terms: colours, fonts, sizes and times of the mode that the user chose."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontDatabase, QGuiApplication, QPalette

from studio.tokens import ASSETS, Colors, contrast, ramp, rgb, token

MODES = ("system", "dark", "light", "contrast", "contrast_light")
TEXT_GROUNDS = ("bench", "panel", "card")
READABLE = 4.5
"""Least contrast of text after WCAG 2.2, level AA."""
_WEIGHTS = {400: QFont.Weight.Normal, 500: QFont.Weight.Medium, 600: QFont.Weight.DemiBold}
_FALLBACK = ["Inter", "Noto Sans", "DejaVu Sans"]
_MONO_FALLBACK = ["JetBrains Mono", "Noto Sans Mono", "DejaVu Sans Mono"]


class Theme(QObject):
    """The application's look; ``changed`` says that mode or scale are others now."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.mode = "system"
        self.scale = 1.0
        self.reduced_motion = False
        self._colors = Colors(is_dark=True)
        self._fonts: dict[tuple[Any, ...], QFont] = {}
        self._painted: dict[tuple[str, str | None], QColor] = {}

    # -- choosing --------------------------------------------------------------------------------

    def choose(
        self,
        mode: str | None = None,
        scale: float | None = None,
        reduced_motion: bool | None = None,
    ) -> None:
        """Change mode, text scale (0.9 to 1.5) or motion; tells ``changed`` if anything differs."""
        before = self._key()
        if mode is not None:
            self.mode = mode if mode in MODES else "system"
        if scale is not None:
            self.scale = min(max(float(scale), 0.9), 1.5)
        if reduced_motion is not None:
            self.reduced_motion = reduced_motion
        self.refresh(before)

    def refresh(self, before: tuple[Any, ...] | None = None) -> None:
        """Read the system's mode again; tells ``changed`` if the look is another one now."""
        before = self._key() if before is None else before
        is_dark = self._wants_dark()
        self._colors = Colors(is_dark, is_contrast=self.mode.startswith("contrast"))
        self._fonts.clear()
        self._painted.clear()
        if self._key() != before:
            self.changed.emit()

    @property
    def is_dark(self) -> bool:
        """Whether the ground is dark."""
        return self._colors.key == "dark"

    @property
    def is_contrast(self) -> bool:
        """Whether borders are 2 px and nothing is faint."""
        return self._colors.is_contrast

    @property
    def border(self) -> int:
        """Width of a border in pixels."""
        return 2 if self.is_contrast else 1

    # -- colours ---------------------------------------------------------------------------------

    def color(self, name: str, of: str | None = None) -> QColor:
        """Return a colour by its name in tokens.json, or mixed by a rule of it.

        Raises:
            KeyError: no such colour, or the rule needs ``of``.
        """
        key = (name, of)
        if key not in self._painted:
            # paper under more paper would look washed out: the light scrim darkens
            rule = "scrim_light" if name == "scrim" and not self.is_dark else name
            color = QColor(*self._colors.named(rule, of))
            if name == "scrim":
                color.setAlphaF(token(f"derived.{rule}.alpha"))
            self._painted[key] = color
        return QColor(self._painted[key])

    def text_color(self, name: str, *grounds: str) -> QColor:
        """Return a colour for text: ``ink`` where the named one does not read (look.md 2).

        ``grounds`` are what the text may stand on, by name; without any, all plain grounds.
        """
        color = self.color(name)
        under = [self.color(ground) for ground in grounds or TEXT_GROUNDS]
        if min(contrast(rgb(color.name()), rgb(ground.name())) for ground in under) < READABLE:
            return self.color("ink")
        return color

    def mix(self, a: str | QColor, b: str | QColor, t: float) -> QColor:
        """Return ``a (1 - t) + b t`` in sRGB."""
        first = self.color(a) if isinstance(a, str) else a
        second = self.color(b) if isinstance(b, str) else b
        pairs = zip(first.getRgb()[:3], second.getRgb()[:3], strict=True)  # type: ignore[index]
        red, green, blue = (round(x * (1 - t) + y * t) for x, y in pairs)
        return QColor(red, green, blue)

    def pen_name(self, index: int) -> str:
        """Name of the colour of the plot pen ``index``."""
        pens: list[str] = token("plot.pens")
        return pens[index % len(pens)]

    def pen_color(self, index: int) -> QColor:
        """Colour of the plot pen ``index``; 0 is the run in focus."""
        return self.color(self.pen_name(index))

    def pen_dash(self, index: int) -> list[float] | None:
        """Dash pattern of the plot pen ``index``: None, then dashed, then dotted."""
        turn = index // len(token("plot.pens"))
        return (None, [6.0, 4.0], [2.0, 3.0])[min(turn, 2)]

    def heat(self, t: float) -> QColor:
        """Colour of the heat ramp at ``t`` in 0..1."""
        return QColor(*ramp([rgb(c) for c in token(f"plot.heat.{self._colors.key}")], t))

    def difference(self, t: float) -> QColor:
        """Colour of the difference ramp at ``t`` in 0..1; 0.5 is no difference."""
        return QColor(*ramp([rgb(c) for c in token(f"plot.difference.{self._colors.key}")], t))

    def type_name(self, type_name: str) -> str:
        """Name of the colour of a value type; ``muted`` for one that is not known."""
        return str(token("types").get(type_name, {}).get("color", "muted"))

    def type_color(self, type_name: str) -> QColor:
        """Colour of a value type."""
        return self.color(self.type_name(type_name))

    def type_shape(self, type_name: str) -> tuple[str, str | None]:
        """Shape of a port of this type, and what is drawn inside it."""
        entry = token("types").get(type_name, {})
        return str(entry.get("shape", "circle")), entry.get("inner")

    def state(self, state: str) -> tuple[str, str | None, str]:
        """Colour name, icon and word of a node or run state."""
        known = token("states").get(state)
        if known is None:
            extra = {"crashed": ("bad", "alert", "crashed"), "finished": ("good", "check", "done")}
            return extra.get(state, ("muted", None, state))
        return known["color"], known["icon"], known["word"]

    # -- fonts and sizes -------------------------------------------------------------------------

    def px(self, n: float) -> int:
        """Return ``n`` pixels at the user's text scale."""
        return round(n * self.scale)

    def font(self, role: str = "body") -> QFont:
        """Inter at ``micro small body strong title heading display``."""
        size, _, weight = token(f"type.scale.{role}")
        return self._font("ui", size, weight, role == "display")

    def line_height(self, role: str = "body") -> int:
        """Height of a line of a role in pixels."""
        return self.px(token(f"type.scale.{role}")[1])

    def mono(self, size: str | float = "body", weight: int = 400) -> QFont:
        """JetBrains Mono for values: ``small body big`` of the number sizes, or pixels."""
        pixels = token(f"type.number.{size}")[0] if isinstance(size, str) else size
        return self._font("mono", pixels, weight)

    def number(self, role: str = "body") -> QFont:
        """Inter with figures of equal width, for numbers that change in place."""
        size, _, weight = token(f"type.scale.{role}")
        return self._font("number", size, weight)

    def big_number(self, size: int = 20) -> QFont:
        """Inter 500 with figures of equal width for a large read-out (15, 17 or 20)."""
        return self._font("number", size, 500)

    def motion(self, name: str) -> int:
        """Duration in ms; 0 with reduced motion."""
        return 0 if self.reduced_motion else int(token(f"motion.{name}"))

    def palette(self) -> QPalette:
        """Return the palette for what the style sheet does not reach: dialogs, links, hints."""
        role = QPalette.ColorRole
        names = {
            role.Window: "panel",
            role.WindowText: "ink",
            role.Base: "field",
            role.AlternateBase: "panel",
            role.Text: "ink",
            role.Button: "card",
            role.ButtonText: "ink",
            role.BrightText: "bad",
            role.ToolTipBase: "card",
            role.ToolTipText: "ink",
            role.PlaceholderText: "muted",
            role.Highlight: "selected",
            role.HighlightedText: "ink",
            role.Link: "blade",
            role.LinkVisited: "blade",
            role.Light: "border_strong",
            role.Midlight: "line",
            role.Mid: "line",
            role.Dark: "line",
            role.Shadow: "bench",
        }
        palette = QPalette()
        for which, name in names.items():
            palette.setColor(which, self.color(name))
        for which in (role.WindowText, role.Text, role.ButtonText):
            palette.setColor(QPalette.ColorGroup.Disabled, which, self.color("disabled_ink"))
        return palette

    # -- inner -----------------------------------------------------------------------------------

    def _key(self) -> tuple[Any, ...]:
        return (self._colors.key, self.mode, self.scale, self.reduced_motion)

    def _wants_dark(self) -> bool:
        if self.mode != "system":
            return self.mode in ("dark", "contrast")
        hints = QGuiApplication.styleHints() if QGuiApplication.instance() else None
        return hints is None or hints.colorScheme() != Qt.ColorScheme.Light

    def _font(self, kind: str, size: float, weight: int, is_display: bool = False) -> QFont:
        key = (kind, size, weight, is_display)
        if key not in self._fonts:
            font = QFont(_MONO_FALLBACK if kind == "mono" else _FALLBACK)
            font.setPixelSize(max(1, self.px(size)))
            font.setWeight(_WEIGHTS[weight])
            features = {"ui": ("cv11", "ss03"), "number": ("cv11", "ss03", "tnum")}
            for feature in features.get(kind, ("zero",)):
                font.setFeature(QFont.Tag(feature), 1)
            if kind == "mono":
                for feature in ("liga", "calt"):
                    font.setFeature(QFont.Tag(feature), 0)
            if is_display:
                closer = -0.02 * font.pixelSize()  # of the size, not of each letter's width
                font.setLetterSpacing(QFont.SpacingType.AbsoluteSpacing, closer)
            self._fonts[key] = font
        return QFont(self._fonts[key])


_theme: Theme | None = None


def theme() -> Theme:
    """Return the application's one theme; the first call loads the fonts."""
    global _theme
    if _theme is None:
        _theme = Theme()
        if QGuiApplication.instance():
            load_fonts()
            _theme.refresh()
    return _theme


def load_fonts() -> None:
    """Make Inter and JetBrains Mono known to Qt."""
    for file in sorted((ASSETS / "fonts").glob("*.ttf")):
        QFontDatabase.addApplicationFont(str(file))
