"""A card of the welcome page: a picture of what an example does, its words, minutes and data."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetricsF, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QWidget

from studio.docks.cards import Example, paint_picture
from studio.icons import paint_icon
from studio.theme import theme
from studio.widgets.painting import box, follow_theme, line, smooth, text_width

_RADIUS = 14
_WRAP = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop) | int(Qt.TextFlag.TextWordWrap)


class ExampleCard(QAbstractButton):
    """Click, Enter or Space opens the example. ``wide`` puts the words beside the picture."""

    def __init__(
        self, example: Example, titles: dict[str, str], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.example = example
        self._titles = titles
        self.wide = False
        self.setText(example.title)
        self.setAccessibleName(f"Open the example {example.title}")
        self.setAccessibleDescription(f"{example.text} {self._footer()}")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        follow_theme(self.restyle)

    def restyle(self) -> None:
        """Take new sizes and colours after a theme change."""
        self.updateGeometry()
        self.update()

    def set_wide(self, on: bool) -> None:
        """Put the words beside the picture, or below it."""
        if on != self.wide:
            self.wide = on
            self.restyle()

    def sizeHint(self) -> QSize:
        """As high as picture and words need."""
        look = theme()
        if self.wide:
            return QSize(look.px(640), look.px(272))
        return QSize(look.px(300), 152 + look.px(138))

    def minimumSizeHint(self) -> QSize:
        """As high, but as narrow as a title."""
        return QSize(theme().px(200), self.sizeHint().height())

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint picture, words, footer and border."""
        look = theme()
        rect = QRectF(self.rect())
        art = QRectF(rect)
        if self.wide:
            art.setWidth(round(rect.width() * 0.52))
        else:
            art.setHeight(152)
        words = rect.adjusted(art.width(), 0, 0, 0) if self.wide else rect.adjusted(0, 152, 0, 0)
        with smooth(self) as painter:
            outline = QPainterPath()
            outline.addRoundedRect(rect.adjusted(0.5, 0.5, -0.5, -0.5), _RADIUS, _RADIUS)
            painter.fillPath(outline, look.color("card"))
            painter.save()
            painter.setClipPath(outline)
            paint_picture(painter, art, self.example)
            self._paint_kerf(painter, art)
            painter.restore()
            if self.wide:
                self._paint_wide(painter, words.adjusted(28, 24, -28, -20))
            else:
                self._paint_tall(painter, words.adjusted(18, 14, -18, -14))
            edge = look.color("blade" if self._is_touched() else "line")
            width = 2.0 if self.hasFocus() else None
            box(painter, rect, _RADIUS, None, edge, width)

    def _is_touched(self) -> bool:
        return self.underMouse() or self.hasFocus()

    def _paint_kerf(self, painter: QPainter, art: QRectF) -> None:
        color = theme().color("blade" if self._is_touched() else "line")
        painter.setPen(QPen(color, 2 if self._is_touched() else 1))
        if self.wide:
            painter.drawLine(art.topRight(), art.bottomRight())
        else:
            painter.drawLine(art.bottomLeft(), art.bottomRight())

    def _paint_tall(self, painter: QPainter, rect: QRectF) -> None:
        look = theme()
        title = QRectF(rect.left(), rect.top(), rect.width(), look.px(20))
        line(painter, title, self.example.title, look.font("title"), look.color("ink"))
        foot = QRectF(rect.left(), rect.bottom() - look.px(18), rect.width(), look.px(18))
        text = QRectF(
            title.left(), title.bottom() + 4, rect.width(), foot.top() - title.bottom() - 8
        )
        self._paint_text(painter, text)
        self._paint_footer(painter, foot)

    def _paint_wide(self, painter: QPainter, rect: QRectF) -> None:
        look = theme()
        title = QRectF(rect.left(), rect.top(), rect.width(), look.px(28))
        line(painter, title, self.example.title, look.font("heading"), look.color("ink"))
        foot = QRectF(rect.left(), rect.bottom() - look.px(20), rect.width(), look.px(20))
        steps = QRectF(rect.left(), foot.top() - look.px(52), rect.width(), look.px(36))
        text = QRectF(
            rect.left(), title.bottom() + 8, rect.width(), steps.top() - title.bottom() - 12
        )
        self._paint_text(painter, text)
        painter.setPen(QPen(look.color("line"), 1))
        y = foot.top() - look.px(8)
        painter.drawLine(QPointF(rect.left(), round(y)), QPointF(rect.right(), round(y)))
        names = [self._titles.get(kind, kind) for kind in self.example.steps]
        painter.setFont(look.font("small"))
        painter.setPen(look.color("muted"))
        below = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom)
        way = "  \u203a  ".join(names)
        painter.drawText(steps, below | int(Qt.TextFlag.TextWordWrap), way)
        self._paint_footer(painter, foot.translated(0, look.px(4)))

    def _paint_text(self, painter: QPainter, rect: QRectF) -> None:
        """Paint as many lines as there is room for; the last one tells if there is more."""
        look = theme()
        font = look.font("title" if self.wide else "body")
        font.setWeight(font.Weight.Normal)
        painter.setFont(font)
        painter.setPen(look.color("muted"))
        painter.drawText(rect, _WRAP, fitted(self.example.text, QFontMetricsF(font), rect))

    def _paint_footer(self, painter: QPainter, rect: QRectF) -> None:
        look = theme()
        x, side, middle = rect.left(), look.px(14), rect.center().y()
        muted, font = look.color("muted"), look.font("small")
        room = rect.width() - look.px(64)
        for icon, text in (
            ("clock-outline", self._minutes()),
            ("database-outline", self.example.data),
        ):
            if not text:
                continue
            paint_icon(painter, icon, QRectF(x, middle - side / 2, side, side), muted)
            x += side + 6
            width = min(text_width(font, text) + 1, max(0.0, rect.left() + room - x))
            line(painter, QRectF(x, rect.top(), width, rect.height()), text, font, muted)
            x += width + 14
        hue = look.color("blade") if self._is_touched() else muted
        side = look.px(16)
        spot = QRectF(rect.right() - side, middle - side / 2, side, side)
        paint_icon(painter, "arrow-right", spot, hue)
        if self._is_touched() or self.wide:
            font.setWeight(font.Weight.DemiBold)
            word = QRectF(rect.left(), rect.top(), spot.left() - 4 - rect.left(), rect.height())
            line(painter, word, "Open", font, hue, Qt.AlignmentFlag.AlignRight)

    def _minutes(self) -> str:
        return f"about {self.example.minutes:g} min" if self.example.minutes else ""

    def _footer(self) -> str:
        return ", ".join(part for part in (self._minutes(), self.example.data) if part)


def fitted(text: str, metrics: QFontMetricsF, rect: QRectF) -> str:
    """Return ``text``, cut at a word with an ellipsis if it takes more room than ``rect``."""

    def fits(part: str) -> bool:
        need = metrics.boundingRect(QRectF(0, 0, rect.width(), 1e5), _WRAP, part)
        return need.height() <= rect.height() + 1

    if fits(text):
        return text
    words = text.split()
    while words and not fits(" ".join(words) + " ..."):
        words.pop()
    return " ".join(words) + " ..." if words else ""
