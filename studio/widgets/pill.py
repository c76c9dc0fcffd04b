"""A small round label: a verdict or a fact in a few words."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio.icons import paint_icon
from studio.theme import theme
from studio.widgets.painting import box, follow_theme, line, smooth, text_width

KINDS = ("good", "warn", "bad", "blade", "muted", "model", "data", "result", "chip")


def pill_text_color(kind: str) -> QColor:
    """The colour of words on the tint of `kind`; light themes lean to ink to stay readable."""
    look = theme()
    if kind not in KINDS or kind == "muted":
        return look.color("muted")
    return look.color(kind) if look.is_dark else look.mix(kind, "ink", 0.3)


class Pill(QWidget):
    """`text` on the tint of `kind` (one of KINDS; anything else is muted), with an mdi6 `icon`."""

    def __init__(
        self,
        text: str,
        kind: str = "muted",
        icon: str | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.text, self.kind, self.icon = text, kind, icon
        self.setAccessibleName(text)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        follow_theme(self.restyle)

    def restyle(self) -> None:
        """Take new sizes and colours after a theme change."""
        self.updateGeometry()
        self.update()

    def set(self, text: str, kind: str | None = None, icon: str | None = None) -> None:
        """Show other words; kind stays unless given."""
        self.text, self.kind, self.icon = text, kind or self.kind, icon
        self.setAccessibleName(text)
        self.restyle()

    def sizeHint(self) -> QSize:
        """20 px high with 8 px beside the words."""
        look = theme()
        glyph = look.px(12) + look.px(5) if self.icon else 0
        wide = int(text_width(look.font("micro"), self.text) + 1)
        return QSize(wide + glyph + 2 * look.px(8), look.px(20))

    def minimumSizeHint(self) -> QSize:
        """Words may be elided down to 32 px."""
        return QSize(min(theme().px(32), self.sizeHint().width()), theme().px(20))

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Tint, glyph, words."""
        look = theme()
        rect = QRectF(self.rect())
        bare = self.kind not in KINDS or self.kind == "muted"
        fill = look.color("card") if bare else look.color("tint", self.kind)
        edge = look.color("line") if bare or look.is_contrast else None
        ink = pill_text_color(self.kind)
        with smooth(self) as painter:
            box(painter, rect, rect.height() / 2, fill, edge)
            left = float(look.px(8))
            if self.icon:
                side = look.px(12)
                paint_icon(
                    painter, self.icon, QRectF(left, (rect.height() - side) / 2, side, side), ink
                )
                left += side + look.px(5)
            spot = QRectF(left, 0, rect.width() - left - look.px(6), rect.height())
            line(painter, spot, self.text, look.font("micro"), ink, Qt.AlignmentFlag.AlignLeft)
