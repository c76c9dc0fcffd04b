"""Cards of the concept gallery: a photo before and after a slanted cut, name, prompt, figures."""

from __future__ import annotations

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPointF,
    QRectF,
    QSize,
    Qt,
)
from PySide6.QtGui import QImage, QPainter, QPainterPath, QPen, QResizeEvent
from PySide6.QtWidgets import (
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from studio.docks.phone_live import read_thumb
from studio.icons import paint_icon
from studio.phone.concepts import Concept
from studio.phone.words import size
from studio.theme import theme
from studio.widgets.painting import box, line, text_width

Index = QModelIndex | QPersistentModelIndex
CONCEPT_ROLE = int(Qt.ItemDataRole.UserRole) + 1
PHONES_ROLE = CONCEPT_ROLE + 1
_LEAST, _MOST, _WORDS, _GAP = 176, 264, 66, 12
_SHAPE = 0.75
"""Height of a picture by its width."""
_CUT = 0.5
"""Where the cut between before and after lies, of the width."""


def figures(concept: Concept) -> str:
    """Write what an adapter takes and how near it comes to its teacher, as far as it is known."""
    said = [size(concept.bytes)] if concept.bytes else []
    if concept.l1 is not None:
        said.append(f"L1 {concept.l1:.3f}")
    if concept.psnr is not None:
        said.append(f"{concept.psnr:.1f} dB")
    return ", ".join(said)


class ConceptsModel(QAbstractListModel):
    """The concepts of an export, and which phones show each."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.rows: tuple[Concept, ...] = ()
        self._phones: dict[str, list[str]] = {}

    def set_concepts(self, rows: tuple[Concept, ...]) -> None:
        """Show these; the same ones are left as they are."""
        if rows != self.rows:
            self.beginResetModel()
            self.rows = rows
            self.endResetModel()

    def set_phones(self, phones: dict[str, list[str]]) -> None:
        """Tell which phones show a concept, by its id."""
        if phones != self._phones:
            self._phones = phones
            if self.rows:
                self.dataChanged.emit(self.index(0, 0), self.index(len(self.rows) - 1, 0))

    def rowCount(self, parent: Index | None = None) -> int:
        """Number of concepts."""
        return 0 if parent is not None and parent.isValid() else len(self.rows)

    def data(self, index: Index, role: int = 0) -> object:
        """Name, words for a screen reader, the concept, its phones."""
        if not index.isValid() or index.row() >= len(self.rows):
            return None
        concept = self.rows[index.row()]
        phones = self._phones.get(concept.id, [])
        if role == Qt.ItemDataRole.DisplayRole:
            return concept.name
        if role == CONCEPT_ROLE:
            return concept
        if role == PHONES_ROLE:
            return phones
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            on = f"on {', '.join(phones)}" if phones else ""
            lines = (concept.name, concept.prompt, figures(concept), on)
            break_ = "\n" if role == Qt.ItemDataRole.ToolTipRole else ", "
            return break_.join(filter(None, lines))
        return None


class ConceptCard(QStyledItemDelegate):
    """Paints a card; pictures are read when they are first seen."""

    def __init__(self, view: QWidget) -> None:
        super().__init__(view)
        self.width = _LEAST
        self._read: dict[str, QImage] = {}

    def sizeHint(self, _option: QStyleOptionViewItem, _index: Index) -> QSize:
        """Picture, three lines, and room around them."""
        high = round(self.width * _SHAPE) + theme().px(_WORDS)
        return QSize(self.width + _GAP, high + _GAP)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """One card."""
        look = theme()
        concept = index.data(CONCEPT_ROLE)
        if not isinstance(concept, Concept):
            return
        inset = _GAP / 2
        rect = QRectF(option.rect).adjusted(inset, inset, -inset, -inset)
        picture = QRectF(rect.left(), rect.top(), rect.width(), round(rect.width() * _SHAPE))
        state = option.state
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box(painter, rect, 10, look.color("card"))
        shape = QPainterPath()
        shape.addRoundedRect(rect, 10, 10)
        painter.save()
        painter.setClipPath(shape, Qt.ClipOperation.IntersectClip)
        self._paint_pictures(painter, picture, concept)
        painter.restore()
        self._paint_phones(painter, picture, index.data(PHONES_ROLE) or [])
        self._paint_words(painter, rect.adjusted(10, picture.height() + 7, -10, -7), concept)
        is_picked = bool(state & QStyle.StateFlag.State_Selected)
        is_over = bool(state & QStyle.StateFlag.State_MouseOver)
        edge = look.color("blade" if is_picked else "border_strong" if is_over else "line")
        box(painter, rect, 10, None, edge, 2.0 if is_picked else None)
        painter.restore()

    def _paint_pictures(self, painter: QPainter, spot: QRectF, concept: Concept) -> None:
        """Paint the photo left of a slanted cut, the edit right of it; the edit alone will do."""
        before, after = self._picture(concept.before), self._picture(concept.after)
        if after.isNull():
            look = theme()
            painter.fillRect(spot, look.color("field"))
            side = look.px(24)
            glyph = QRectF(0, 0, side, side)
            glyph.moveCenter(spot.center())
            paint_icon(painter, "auto-fix", glyph, look.color("muted"))
            return
        _fill(painter, spot, after)
        if before.isNull():
            return
        lean = spot.width() * 0.04
        x = spot.left() + spot.width() * _CUT
        left = QPainterPath(spot.topLeft())
        for corner in (QPointF(x + lean, spot.top()), QPointF(x - lean, spot.bottom())):
            left.lineTo(corner)
        left.lineTo(spot.bottomLeft())
        left.closeSubpath()
        painter.save()
        painter.setClipPath(left, Qt.ClipOperation.IntersectClip)
        _fill(painter, spot, before)
        painter.restore()
        painter.setPen(QPen(theme().color("ink" if theme().is_dark else "card"), 1.5))
        painter.drawLine(QPointF(x + lean, spot.top()), QPointF(x - lean, spot.bottom()))

    def _paint_phones(self, painter: QPainter, spot: QRectF, phones: list[str]) -> None:
        """Paint a small label for the phone that shows it; a number for more than one."""
        if not phones:
            return
        look = theme()
        words = phones[0] if len(phones) == 1 else f"{len(phones)} phones"
        font, glyph = look.font("micro"), look.px(13)
        room = spot.width() - look.px(16)
        wide = min(text_width(font, words) + glyph + look.px(20), room)
        pill = QRectF(spot.left() + 8, spot.top() + 8, wide, look.px(20))
        box(painter, pill, pill.height() / 2, look.color("card"), look.color("good"))
        mark = QRectF(pill.left() + look.px(6), pill.center().y() - glyph / 2, glyph, glyph)
        paint_icon(painter, "cellphone-check", mark, look.color("good"))
        text = pill.adjusted(glyph + look.px(10), 0, -look.px(7), 0)
        line(painter, text, words, font, look.color("ink"))

    def _paint_words(self, painter: QPainter, rect: QRectF, concept: Concept) -> None:
        look = theme()
        high = rect.height() / 3
        for n, (text, font, color) in enumerate(
            (
                (concept.name, "strong", "ink"),
                (concept.prompt, "small", "muted"),
                (figures(concept), "small", "muted"),
            )
        ):
            row = QRectF(rect.left(), rect.top() + n * high, rect.width(), high)
            line(painter, row, text, look.font(font), look.color(color))

    def _picture(self, path: str) -> QImage:
        if path not in self._read:
            self._read[path] = read_thumb(path, 2 * _MOST)
        return self._read[path]


def _fill(painter: QPainter, spot: QRectF, image: QImage) -> None:
    """Paint an image so that it fills ``spot``, cut equally on both sides."""
    shape = spot.width() / spot.height()
    width = min(float(image.width()), image.height() * shape)
    source = QRectF(0, 0, width, width / shape)
    source.moveCenter(QRectF(image.rect()).center())
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    painter.drawImage(spot, image, source)


class ConceptGrid(QListView):
    """Cards that wrap. Arrows move between them; Enter, Space or a click shows one on phones."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.source = ConceptsModel(self)
        self.setModel(self.source)
        self.card = ConceptCard(self)
        self.setItemDelegate(self.card)
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setMovement(QListView.Movement.Static)
        self.setUniformItemSizes(True)
        self.setFrameShape(self.Shape.NoFrame)
        self.setMouseTracking(True)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setAccessibleName("Concepts")
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self.source.modelReset.connect(self.fit)
        theme().changed.connect(self.fit)

    def fit(self) -> None:
        """Let the cards share a row, as wide as they may be."""
        room = self.width() - self.verticalScrollBar().sizeHint().width() - 4
        columns = max(1, room // (_LEAST + _GAP))  # larger words make no larger pictures
        columns = min(columns, max(1, len(self.source.rows)))
        self.card.width = min(max(room // columns - _GAP, _LEAST), _MOST)
        self.scheduleDelayedItemsLayout()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Share the new width."""
        self.fit()
        super().resizeEvent(event)

    def concept(self) -> Concept | None:
        """The picked concept."""
        found = self.currentIndex().data(CONCEPT_ROLE)
        return found if isinstance(found, Concept) else None

    def pick(self, id: str) -> None:
        """Pick a concept by its id."""
        for row, concept in enumerate(self.source.rows):
            if concept.id == id:
                self.setCurrentIndex(self.source.index(row, 0))
