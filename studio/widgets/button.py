"""Push buttons of five kinds and the icon button; painted, so they look alike on every system."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QEnterEvent, QFocusEvent, QFont, QPainter, QPaintEvent
from PySide6.QtWidgets import QPushButton, QToolButton, QWidget

from studio.icons import paint_icon
from studio.theme import theme
from studio.widgets.painting import (
    border_width,
    box,
    by_keyboard,
    focus_frame,
    follow_theme,
    line,
    smooth,
    text_width,
)


class Button(QPushButton):
    """A push button; `kind` is primary, plain, quiet, danger or link, `icon_name` an mdi6 name.

    Make it with the functions below; a window shows at most one primary button at rest. One that is
    `joined` on the "left" or "right" makes one shape with the button there.
    """

    def __init__(
        self,
        text: str,
        icon_name: str | None = None,
        kind: str = "plain",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(text, parent)
        self.kind = kind
        self.icon_name = icon_name
        self.large = kind == "primary"
        self.joined = ""
        self.icon_color: str | None = None
        self._framed = False
        self.setProperty("kind", kind)  # the style sheet knows the height by it
        self.setAccessibleName(text)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        follow_theme(self.restyle)

    def restyle(self) -> None:
        """Take new sizes and colours after a theme change."""
        self.updateGeometry()
        self.update()

    def set_icon_name(self, icon_name: str | None) -> None:
        """Show another glyph, or none."""
        self.icon_name = icon_name
        self.restyle()

    def set_kind(self, kind: str) -> None:
        """Become primary, plain, quiet, danger or link."""
        self.kind = kind
        self.setProperty("kind", kind)
        self.restyle()

    def setText(self, text: str) -> None:
        """Set the words; the accessible name follows."""
        super().setText(text)
        self.setAccessibleName(text)
        self.updateGeometry()

    def sizeHint(self) -> QSize:
        """28 px high (primary 32), words and glyph with 12 px (16) beside them."""
        look = theme()
        pad = look.px(16 if self.large else 8 if self.kind == "link" else 12)
        glyph = look.px(16) + look.px(6 if self.text() else 0) if self.icon_name else 0
        words = text_width(self._font(), self.text())
        return QSize(int(words + 1) + glyph + 2 * pad, look.px(32 if self.large else 28))

    def minimumSizeHint(self) -> QSize:
        """The same: words on buttons are never cut by a layout."""
        return self.sizeHint()

    def _font(self) -> QFont:
        font = QFont(theme().font("body"))
        heavy = self.kind in ("primary", "link")
        font.setWeight(QFont.Weight.DemiBold if heavy else QFont.Weight.Medium)
        return font

    def _colors(self) -> tuple[QColor | None, QColor | None, QColor]:
        look = theme()
        over = self.underMouse() and self.isEnabled()
        if not self.isEnabled():
            edge = None if self.kind in ("quiet", "link") else look.color("line")
            return (None if edge is None else look.color("panel")), edge, look.color("disabled_ink")
        if self.kind == "primary":
            name = "blade_pressed" if self.isDown() else "blade_hover" if over else "blade"
            return look.color(name), None, look.color("on_blade")
        step = 0.13 if self.isDown() or self.isChecked() else 0.07 if over else 0.0
        ink = look.color({"danger": "bad", "link": "blade"}.get(self.kind, "ink"))
        if self.kind in ("quiet", "link"):
            edge = look.color("muted") if look.is_contrast else None
            return (look.mix("panel", "ink", step) if step else None), edge, ink
        edge = look.color("border_strong" if over else "line")
        return look.mix("card", "ink", step), edge, ink

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Box, glyph, words and the frame of keyboard focus."""
        look = theme()
        fill, edge, ink = self._colors()
        rect, radius = QRectF(self.rect()), look.px(6)
        with smooth(self) as painter:
            self._ground(painter, rect, radius, fill, edge)
            font = self._font()
            glyph = look.px(16) if self.icon_name else 0
            gap = look.px(6) if glyph and self.text() else 0
            words = min(text_width(font, self.text()) + 1, rect.width() - glyph - gap - 8)
            left = rect.left() + (rect.width() - glyph - gap - words) / 2
            if self.icon_name:
                where = QRectF(left, rect.center().y() - glyph / 2, glyph, glyph)
                tone = self.icon_color if self.isEnabled() else None
                paint_icon(painter, self.icon_name, where, theme().color(tone) if tone else ink)
            spot = QRectF(left + glyph + gap, rect.top(), words, rect.height())
            line(painter, spot, self.text(), font, ink)
            if self.hasFocus() and self._framed:
                color = look.color("ink" if self.kind == "primary" else "blade")
                focus_frame(painter, rect, radius, color)

    def _ground(
        self,
        painter: QPainter,
        rect: QRectF,
        radius: float,
        fill: QColor | None,
        edge: QColor | None,
    ) -> None:
        """The box; on the side where another button joins it has no corners, only a rule."""
        left, right = (radius if self.joined == side else 0 for side in ("left", "right"))
        painter.setClipRect(rect)
        box(painter, rect.adjusted(-left, 0, right, 0), radius, fill, edge)
        if left:
            color = theme().color("on_blade" if self.kind == "primary" else "line")
            color.setAlphaF(0.35)
            painter.fillRect(QRectF(0, rect.height() / 4, 1, rect.height() / 2), color)
        painter.setClipping(False)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show the frame only when focus came by a key."""
        self._framed = by_keyboard(event)
        super().focusInEvent(event)


class ToolButton(QToolButton):
    """An icon alone, 28 px (or `small`: 24); its tooltip is its accessible name.

    A checked one has the hover ground; one with a menu gets a small arrow.
    """

    def __init__(
        self,
        icon_name: str,
        tooltip: str,
        *,
        small: bool = False,
        color: str = "muted",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.icon_name = icon_name
        self.small = small
        self.color = color
        self._framed = False
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.set_tooltip(tooltip)
        follow_theme(self.restyle)

    def restyle(self) -> None:
        """Take new sizes and colours after a theme change."""
        self.updateGeometry()
        self.update()

    def set_tooltip(self, tooltip: str, shortcut: str = "") -> None:
        """Say what the button does: tooltip (with its keys) and accessible name."""
        self.setToolTip(f"{tooltip} ({shortcut})" if shortcut else tooltip)
        self.setAccessibleName(tooltip)

    def set_icon_name(self, icon_name: str, color: str | None = None) -> None:
        """Show another glyph, in another colour name if one is given."""
        self.icon_name = icon_name
        self.color = color or self.color
        self.update()

    def sizeHint(self) -> QSize:
        """A square; wider when words stand beside the icon or a menu hangs below."""
        look = theme()
        side = look.px(24 if self.small else 28)
        words = self.text()
        wide = int(text_width(look.font("small"), words)) + look.px(12) if words else 0
        return QSize(side + wide + (look.px(10) if self.menu() else 0), side)

    def minimumSizeHint(self) -> QSize:
        """The same."""
        return self.sizeHint()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Ground, glyph, words if any, menu arrow and focus frame."""
        look = theme()
        rect = QRectF(self.rect())
        over = self.underMouse() and self.isEnabled()
        live = over or self.isChecked() or self.isDown()
        with smooth(self) as painter:
            if live and self.isEnabled():
                ground = "pressed" if self.isDown() else "hover"
                edge = look.color("muted") if look.is_contrast and self.isChecked() else None
                box(painter, rect, look.px(4 if self.small else 6), look.color(ground), edge)
            name = "disabled_ink" if not self.isEnabled() else self.color
            if live and self.isEnabled() and self.color == "muted":
                name = "ink"
            self._contents(painter, rect, look.color(name))
            if self.hasFocus() and self._framed:
                focus_frame(painter, rect, look.px(4 if self.small else 6), look.color("blade"))

    def _contents(self, painter: QPainter, rect: QRectF, ink: QColor) -> None:
        look = theme()
        side = look.px(16)
        menu = look.px(10) if self.menu() else 0
        words = self.text()
        if not words:
            left = rect.left() + (rect.width() - menu - side) / 2
        else:
            left = rect.left() + look.px(6)
        middle = rect.center().y()
        paint_icon(painter, self.icon_name, QRectF(left, middle - side / 2, side, side), ink)
        if words:
            start = left + side + look.px(6)
            spot = QRectF(start, rect.top(), rect.right() - menu - start - 4, rect.height())
            line(painter, spot, words, look.font("small"), ink)
        if menu:
            tip = QRectF(rect.right() - menu - border_width() - 1, middle - menu / 2, menu, menu)
            paint_icon(painter, "chevron-down", tip, ink)

    def enterEvent(self, event: QEnterEvent) -> None:
        """Repaint for hover."""
        super().enterEvent(event)
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        """Repaint after hover."""
        super().leaveEvent(event)
        self.update()

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show the frame only when focus came by a key."""
        self._framed = by_keyboard(event)
        super().focusInEvent(event)


def primary(text: str, icon: str | None = None) -> Button:
    """The one blade-filled button of a view."""
    return Button(text, icon, "primary")


def plain(text: str, icon: str | None = None) -> Button:
    """An ordinary button."""
    return Button(text, icon, "plain")


def quiet(text: str, icon: str | None = None) -> Button:
    """A button without ground or border until touched."""
    return Button(text, icon, "quiet")


def danger(text: str, icon: str | None = None) -> Button:
    """A button for what destroys something."""
    return Button(text, icon, "danger")


def link(text: str, icon: str | None = None) -> Button:
    """A verb in blade without ground: the action of a toast or a sentence."""
    return Button(text, icon, "link")


def tool(
    icon: str, tooltip: str, checkable: bool = False, shortcut: str = "", *, small: bool = False
) -> ToolButton:
    """An icon button; `shortcut` is set and shown in the tooltip."""
    button = ToolButton(icon, tooltip, small=small)
    button.setCheckable(checkable)
    if shortcut:
        button.setShortcut(shortcut)
        button.set_tooltip(tooltip, shortcut)
    return button
