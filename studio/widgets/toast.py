"""News at the lower right of the canvas: a line that goes by itself, errors stay."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

from PySide6.QtCore import (
    QEasingCurve,
    QEvent,
    QObject,
    QPoint,
    QPropertyAnimation,
    QRectF,
    QSize,
    Qt,
    QTimer,
    Signal,
)
from PySide6.QtGui import (
    QAccessible,
    QAccessibleAnnouncementEvent,
    QEnterEvent,
    QHideEvent,
    QKeyEvent,
    QPaintEvent,
    QShowEvent,
)
from PySide6.QtWidgets import QApplication, QHBoxLayout, QLabel, QWidget

from studio.theme import theme
from studio.tokens import token
from studio.widgets.button import link, tool
from studio.widgets.empty_state import Glyph
from studio.widgets.painting import SHADOW_DEPTH, elevation, follow_theme, smooth, text_width

Deed = Callable[[], object]
_GLYPHS = {
    "info": ("information-outline", "muted"),
    "good": ("check-circle", "good"),
    "warn": ("alert", "warn"),
    "bad": ("alert-circle-outline", "bad"),
}
_WORDS = {"warn": "Warning", "bad": "Error"}
_EDGE = 16
_GAP = 8
_WIDEST = 600
_MOST = 4
_RISE = 8


class Toast(QWidget):
    """One message; `gone` when it was dismissed, timed out or its action was done."""

    gone = Signal(object)

    def __init__(
        self,
        text: str,
        detail: str = "",
        kind: str = "info",
        action: tuple[str, Deed] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.text, self.detail, self.kind = text, detail, kind
        self._deed = action[1] if action else None
        name, color = _GLYPHS.get(kind, _GLYPHS["info"])
        self._glyph = Glyph(name, 16, color)
        self.label = QLabel()
        self.label.setTextFormat(Qt.TextFormat.RichText)
        self.label.setWordWrap(True)
        self.label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.button = link(action[0] if action else "")
        self.button.setVisible(action is not None)
        self.button.clicked.connect(self._act)
        self.closer = tool("close", "Dismiss", small=True)
        self.closer.clicked.connect(self.dismiss)
        self._row = QHBoxLayout(self)
        top = Qt.AlignmentFlag.AlignVCenter
        self._row.addWidget(self._glyph, 0, top)
        self._row.addWidget(self.label, 1)
        self._row.addWidget(self.button, 0, top)
        self._row.addWidget(self.closer, 0, top)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(int(token("motion.toast_hold")))
        self._timer.timeout.connect(self.dismiss)
        self.setAccessibleName(self.spoken())
        self.restyle()
        follow_theme(self.restyle)

    @property
    def stays(self) -> bool:
        """Errors wait for the user."""
        return self.kind == "bad"

    @property
    def is_timed(self) -> bool:
        """Whether it will go by itself, as things stand now."""
        return self._timer.isActive()

    def spoken(self) -> str:
        """What a screen reader says."""
        parts = (_WORDS.get(self.kind, ""), self.text, self.detail)
        return " ".join(part for part in parts if part)

    def says(self, text: str, detail: str, kind: str) -> bool:
        """Whether it is this message."""
        return (self.text, self.detail, self.kind) == (text, detail, kind)

    def restyle(self) -> None:
        """Take new sizes and colours after a theme change."""
        look = theme()
        self._row.setContentsMargins(
            look.px(14) + 2, look.px(5) + 2, look.px(6) + 2, look.px(5) + SHADOW_DEPTH
        )
        self._row.setSpacing(look.px(10))
        muted = look.color("muted").name()
        rest = f'&nbsp; <span style="color:{muted}">{escape(self.detail)}</span>'
        self.label.setText(
            f'<span style="font-weight:600">{escape(self.text)}</span>{rest if self.detail else ""}'
        )
        self.update()

    def fit(self, room: int) -> QSize:
        """Size for a canvas of `room` px: one line if it fits, else wrapped."""
        look = theme()
        side = self._row.contentsMargins().left() + self._row.contentsMargins().right()
        side += self._glyph.sizeHint().width() + self.closer.sizeHint().width()
        side += 2 * self._row.spacing()
        if self._deed is not None:
            side += self.button.sizeHint().width() + self._row.spacing()
        words = text_width(look.font("strong"), self.text) + look.px(16)
        words += text_width(look.font("body"), self.detail)
        wide = min(int(words) + side + 4, look.px(_WIDEST), max(look.px(160), room))
        high = self.label.heightForWidth(wide - side)
        margins = self._row.contentsMargins().top() + self._row.contentsMargins().bottom()
        tall = self.button.sizeHint() if self._deed is not None else self.closer.sizeHint()
        return QSize(wide, max(high, tall.height()) + margins)

    def hold(self) -> None:
        """Begin (again) to wait, unless it stays."""
        if self.stays or not self.isVisible():
            self._timer.stop()
        else:
            self._timer.start()

    def dismiss(self) -> None:
        """Go."""
        self._timer.stop()
        self.gone.emit(self)

    def _act(self) -> None:
        deed = self._deed
        self.dismiss()
        if deed is not None:
            deed()

    def enterEvent(self, event: QEnterEvent) -> None:
        """Someone reads: wait."""
        self._timer.stop()
        super().enterEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        """Read: wait again."""
        self.hold()
        super().leaveEvent(event)

    def showEvent(self, event: QShowEvent) -> None:
        """The time counts while it is seen."""
        super().showEvent(event)
        self.hold()

    def hideEvent(self, event: QHideEvent) -> None:
        """No timer behind a hidden window."""
        self._timer.stop()
        super().hideEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc dismisses."""
        if event.key() == Qt.Key.Key_Escape:
            self.dismiss()
            return
        super().keyPressEvent(event)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """The card with its three flat shadows."""
        card = QRectF(self.rect()).adjusted(2, 2, -2, -SHADOW_DEPTH)
        with smooth(self) as painter:
            elevation(painter, card, theme().px(10))


class ToastStack(QObject):
    """The toasts over `parent`, the newest lowest; at most four, the oldest leaves first."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._ground, self._foot = parent, 0
        self._toasts: list[Toast] = []
        parent.installEventFilter(self)
        follow_theme(self.place)

    @property
    def toasts(self) -> tuple[Toast, ...]:
        """What is shown, oldest first."""
        return tuple(self._toasts)

    def show_toast(
        self,
        text: str,
        detail: str = "",
        kind: str = "info",
        action: tuple[str, Deed] | None = None,
    ) -> Toast:
        """Show a line: bold `text`, muted `detail`, one `action` as (verb, deed).

        `kind` is info, good, warn or bad. The same message again renews the one that is there.
        """
        for toast in self._toasts:
            if toast.says(text, detail, kind):
                self._toasts.remove(toast)
                self._drop(toast)
                break
        while len(self._toasts) >= _MOST:
            self._drop(self._toasts.pop(self._oldest()))
        toast = Toast(text, detail, kind, action, self._ground)
        toast.gone.connect(self._remove)
        self._toasts.append(toast)
        self.place()
        toast.show()
        toast.raise_()
        self._slide_in(toast)
        QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(toast, toast.spoken()))
        return toast

    def set_ground(self, ground: QWidget, foot: int = 0) -> None:
        """Stand over another widget from now on, ``foot`` px above its lower edge."""
        self._foot = foot
        if ground is self._ground:
            return
        self._ground.removeEventFilter(self)
        self._ground = ground
        ground.installEventFilter(self)
        for toast in self._toasts:
            toast.setParent(ground)
            toast.show()
            toast.raise_()
        self.place()

    def clear(self) -> None:
        """Dismiss all."""
        for toast in self.toasts:
            toast.dismiss()

    def focus_newest(self) -> bool:
        """Give the newest toast the keyboard; False if there is none."""
        if not self._toasts:
            return False
        newest = self._toasts[-1]
        target = newest.button if newest.button.isVisible() else newest.closer
        target.setFocus(Qt.FocusReason.ShortcutFocusReason)
        return True

    def place(self) -> None:
        """Stack the toasts up from the lower right corner."""
        look = theme()
        low = self._ground.height() - self._foot - look.px(_EDGE) + SHADOW_DEPTH
        for toast in reversed(self._toasts):
            size = toast.fit(self._ground.width() - 2 * look.px(_EDGE))
            left = self._ground.width() - look.px(_EDGE) - size.width() + 2
            self._still(toast)
            toast.setGeometry(left, low - size.height(), size.width(), size.height())
            low -= size.height() - SHADOW_DEPTH + look.px(_GAP)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Keep to the corner when the canvas changes its size."""
        if event.type() == QEvent.Type.Resize:
            self.place()
        return super().eventFilter(watched, event)

    def _oldest(self) -> int:
        """The oldest that may go by itself, else the oldest error."""
        return next((i for i, toast in enumerate(self._toasts) if not toast.stays), 0)

    def _slide_in(self, toast: Toast) -> None:
        took = theme().motion("toast_in")
        if not took or not toast.isVisible():
            return
        slide = QPropertyAnimation(toast, b"pos", toast)
        slide.setDuration(took)
        slide.setEasingCurve(QEasingCurve.Type.OutCubic)
        slide.setStartValue(toast.pos() + QPoint(0, theme().px(_RISE)))
        slide.setEndValue(toast.pos())
        slide.start(QPropertyAnimation.DeletionPolicy.DeleteWhenStopped)

    def _still(self, toast: Toast) -> None:
        """End a slide whose goal is not the place any more."""
        for slide in toast.findChildren(QPropertyAnimation):
            slide.stop()

    def _remove(self, toast: Toast) -> None:
        if toast in self._toasts:
            had_focus = toast.isAncestorOf(QApplication.focusWidget() or self._ground)
            self._toasts.remove(toast)
            self._drop(toast)
            self.place()
            if had_focus:
                self._ground.setFocus()

    def _drop(self, toast: Toast) -> None:
        toast.hide()
        toast.deleteLater()
