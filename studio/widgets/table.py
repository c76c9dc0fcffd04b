"""The look of tables and trees: rows of 26 px, no zebra, numbers right in mono, the best heavy."""

from __future__ import annotations

from collections.abc import Collection

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QIcon, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QTreeView,
    QWidget,
)

from studio.icons import paint_icon
from studio.theme import theme
from studio.widgets.painting import follow_theme, line

BEST_ROLE = int(Qt.ItemDataRole.UserRole) + 101
"""True: this is the best value of its column, shown in 600."""
COLOR_ROLE = int(Qt.ItemDataRole.UserRole) + 102
"""A colour name for the words."""
ICON_ROLE = int(Qt.ItemDataRole.UserRole) + 103
"""An mdi6 name, or `(name, colour name)`, before the words."""
NUMBER_ROLE = int(Qt.ItemDataRole.UserRole) + 104
"""True: a number even where the column is not one."""

Index = QModelIndex | QPersistentModelIndex


class TableDelegate(QStyledItemDelegate):
    """Paints cells; `numbers` are the columns of right-aligned mono figures, `monos` left ones."""

    def __init__(
        self,
        parent: QWidget | None = None,
        numbers: Collection[int] = (),
        monos: Collection[int] = (),
    ) -> None:
        super().__init__(parent)
        self.numbers, self.monos = set(numbers), set(monos)

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """26 px high, as wide as the words."""
        hint = super().sizeHint(option, index)
        return QSize(hint.width() + theme().px(8), theme().px(26))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Ground, rule, icon, words."""
        look = theme()
        rect = QRectF(option.rect)
        state = option.state
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self.paint_ground(painter, rect, state)
        inner = rect.adjusted(look.px(8), 0, -look.px(8), -1)
        inner.setLeft(self._icon(painter, inner, index))
        is_number = index.column() in self.numbers or bool(index.data(NUMBER_ROLE))
        font = QFont(
            look.mono("body") if is_number or index.column() in self.monos else look.font("small")
        )
        if index.data(BEST_ROLE):
            font.setWeight(QFont.Weight.DemiBold)
        align = Qt.AlignmentFlag.AlignRight if is_number else Qt.AlignmentFlag.AlignLeft
        text = index.data(Qt.ItemDataRole.DisplayRole)
        line(
            painter, inner, "" if text is None else str(text), font, self._ink(state, index), align
        )
        painter.restore()

    def paint_ground(self, painter: QPainter, rect: QRectF, state: QStyle.StateFlag) -> None:
        """The picked or hovered row and the rule below."""
        look = theme()
        if state & QStyle.StateFlag.State_Selected:
            painter.fillRect(rect, look.color("selected"))
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(rect, look.color("hover"))
        low = QRectF(rect.left(), rect.bottom() - 1, rect.width(), 1)
        painter.fillRect(low, look.color("line" if look.is_contrast else "plot_grid"))

    def _icon(self, painter: QPainter, inner: QRectF, index: Index) -> float:
        """Draw the icon if there is one; returns where the words begin."""
        mark = index.data(ICON_ROLE)
        side = theme().px(14)
        spot = QRectF(inner.left(), inner.center().y() - side / 2, side, side)
        if mark:
            name, color = mark if isinstance(mark, tuple) else (mark, "muted")
            paint_icon(painter, name, spot, theme().color(color))
        elif isinstance(icon := index.data(Qt.ItemDataRole.DecorationRole), QIcon):
            icon.paint(painter, spot.toRect())
        else:
            return inner.left()
        return spot.right() + theme().px(6)

    def _ink(self, state: QStyle.StateFlag, index: Index) -> QColor:
        if not state & QStyle.StateFlag.State_Enabled:
            return theme().color("disabled_ink")
        name = index.data(COLOR_ROLE)
        return theme().color(str(name) if name else "ink")


class TableHeader(QHeaderView):
    """Micro words in `muted`, an arrow at the sorted column, one rule below; a click sorts."""

    def __init__(self, parent: QWidget | None = None, numbers: Collection[int] = ()) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.numbers = set(numbers)
        self.setHighlightSections(False)
        self.setSectionsClickable(True)
        self.setSectionsMovable(True)
        self.setStretchLastSection(True)
        self.setMinimumSectionSize(32)
        follow_theme(self.restyle)

    def restyle(self) -> None:
        """Take new sizes and colours after a theme change."""
        self.updateGeometry()
        self.viewport().update()

    def sizeHint(self) -> QSize:
        """24 px high."""
        return QSize(super().sizeHint().width(), theme().px(24))

    def sectionSizeFromContents(self, section: int) -> QSize:
        """Room for the words and the arrow."""
        hint = super().sectionSizeFromContents(section)
        return QSize(hint.width() + theme().px(16), theme().px(24))

    def paintSection(self, painter: QPainter, rect: QRect, section: int) -> None:
        """One column's name."""
        look = theme()
        area = QRectF(rect)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(area, look.color("panel"))
        rule = QRectF(area.left(), area.bottom() - 1, area.width(), 1)
        painter.fillRect(rule, look.color("line"))
        inner = area.adjusted(look.px(8), 0, -look.px(8), -1)
        model = self.model()
        words = model.headerData(section, self.orientation()) if model is not None else ""
        ink = look.color("muted")
        if self.isSortIndicatorShown() and self.sortIndicatorSection() == section:
            ink = look.color("ink")
            side = look.px(10)
            up = self.sortIndicatorOrder() == Qt.SortOrder.AscendingOrder
            spot = QRectF(inner.right() - side, inner.center().y() - side / 2, side, side)
            paint_icon(painter, "chevron-up" if up else "chevron-down", spot, ink)
            inner.setRight(spot.left() - 2)
        is_number = section in self.numbers
        align = Qt.AlignmentFlag.AlignRight if is_number else Qt.AlignmentFlag.AlignLeft
        line(painter, inner, str(words or ""), look.font("micro"), ink, align)
        painter.restore()


def _prepare(view: QAbstractItemView, numbers: Collection[int], monos: Collection[int]) -> None:
    view.setItemDelegate(TableDelegate(view, numbers, monos))
    view.setMouseTracking(True)
    view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    view.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
    view.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
    view.setFrameShape(view.Shape.NoFrame)
    view.setTabKeyNavigation(False)
    view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    view.setAlternatingRowColors(False)


def prepare_table(
    view: QTableView, numbers: Collection[int] = (), monos: Collection[int] = ()
) -> TableHeader:
    """Give a table view our look; returns its header. Call it before setting a sort order."""
    _prepare(view, numbers, monos)
    header = TableHeader(view, numbers)
    view.setHorizontalHeader(header)
    view.verticalHeader().hide()
    view.verticalHeader().setMinimumSectionSize(1)
    view.verticalHeader().setDefaultSectionSize(theme().px(26))
    view.setShowGrid(False)
    view.setSortingEnabled(True)
    view.setWordWrap(False)
    return header


def prepare_tree(
    view: QTreeView, numbers: Collection[int] = (), monos: Collection[int] = ()
) -> TableHeader:
    """Give a tree view our look; returns its header. Rows are of one height, so it stays quick."""
    _prepare(view, numbers, monos)
    header = TableHeader(view, numbers)
    view.setHeader(header)
    view.setUniformRowHeights(True)
    view.setSortingEnabled(True)
    view.setIndentation(theme().px(14))
    view.setAllColumnsShowFocus(True)
    return header
