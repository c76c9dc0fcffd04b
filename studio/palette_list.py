"""The list of the command palette: groups, hits, and how a row is painted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QSize,
    Qt,
)
from PySide6.QtCore import QRectF as Box
from PySide6.QtGui import QColor, QFont, QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from studio.icons import paint_icon
from studio.palette_match import NO_QUERY, Match, match
from studio.theme import theme
from studio.widgets.keycap import caps_width, keys_of, paint_caps
from studio.widgets.painting import box, line, text_width

GROUPS = ("Actions", "Nodes", "In this graph", "Settings", "Runs")
PREFIXES = {"#": "Nodes", "@": "In this graph", ":": "Settings"}
_BESIDE_OTHERS, _ALONE = 8, 200
_DISABLED = 25.0

Index = QModelIndex | QPersistentModelIndex
ROW_ROLE = int(Qt.ItemDataRole.UserRole) + 1


@dataclass(frozen=True)
class Entry:
    """Something that the palette can do.

    `run` does it; `disabled_why` says in a few words why it cannot be done now; `detail` stands at
    the right in the colour name `detail_color`; `where` is its way through the menus.
    """

    group: str
    text: str
    icon: str
    run: Callable[[], object]
    shortcut: str = ""
    disabled_why: str = ""
    detail: str = ""
    detail_color: str = ""
    where: str = ""
    keywords: str = ""


@dataclass(frozen=True)
class Heading:
    """The name of a group; `note` says how many of how many are shown."""

    text: str
    note: str = ""


@dataclass(frozen=True)
class Hit:
    """An entry with the letters that matched."""

    entry: Entry
    match: Match


Row = Heading | Hit


def rows_for(text: str, entries: list[Entry]) -> list[Row]:
    """What to show for a typed text: groups and hits, the best ones first."""
    only = PREFIXES.get(text[:1])
    query = text[1:] if only else text
    groups: dict[str, list[Hit]] = {}
    for entry in entries:
        if only and entry.group != only:
            continue
        found = match(query, entry.text, entry.keywords) if query.strip() else NO_QUERY
        if found is not None:
            groups.setdefault(entry.group, []).append(Hit(entry, found))
    if query.strip():
        for hits in groups.values():
            hits.sort(key=_rank, reverse=True)
    order = sorted(groups, key=lambda name: (-_best(groups[name], query), _place(name)))
    rows: list[Row] = []
    for name in order:
        hits = groups[name]
        most = _ALONE if len(groups) == 1 or (name == GROUPS[0] and not query) else _BESIDE_OTHERS
        shown = hits[:most]
        note = f"{len(shown)} of {len(hits):,}" if len(shown) < len(hits) else ""
        rows += [Heading(name, note), *shown]
    return rows


def _rank(hit: Hit) -> float:
    return hit.match.score - (_DISABLED if hit.entry.disabled_why else 0.0)


def _best(hits: list[Hit], query: str) -> int:
    """In steps, so that groups change places only for a clearly better hit."""
    return round(_rank(hits[0]) / 40) if query.strip() else 0


def _place(group: str) -> int:
    return GROUPS.index(group) if group in GROUPS else len(GROUPS)


class PaletteModel(QAbstractListModel):
    """The rows; headings cannot be picked."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.rows: list[Row] = []

    def set_rows(self, rows: list[Row]) -> None:
        """Show other rows."""
        self.beginResetModel()
        self.rows = rows
        self.endResetModel()

    def rowCount(self, parent: Index | None = None) -> int:
        """Headings and hits."""
        return 0 if parent is not None and parent.isValid() else len(self.rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """The text, what a screen reader says, or the row itself."""
        row = self.rows[index.row()]
        if role == ROW_ROLE:
            return row
        if isinstance(row, Heading):
            named = (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole)
            return row.text if role in named else None
        if role == Qt.ItemDataRole.DisplayRole:
            return row.entry.text
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return spoken(row.entry)
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Entries can be picked, disabled ones too: they say why."""
        if isinstance(self.rows[index.row()], Heading):
            return Qt.ItemFlag.NoItemFlags
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable

    def first(self) -> int:
        """The row to begin with: the first that can be done, else the first entry, else -1."""
        hits = [(i, row) for i, row in enumerate(self.rows) if isinstance(row, Hit)]
        able = [i for i, row in hits if not row.entry.disabled_why]
        return able[0] if able else hits[0][0] if hits else -1

    def next(self, row: int, step: int) -> int:
        """The entry `step` entries on; at the ends it goes round for single steps."""
        hits = [i for i, other in enumerate(self.rows) if isinstance(other, Hit)]
        if not hits:
            return -1
        at = hits.index(row) if row in hits else 0
        if abs(step) == 1:
            return hits[(at + step) % len(hits)]
        return hits[min(max(at + step, 0), len(hits) - 1)]


def spoken(entry: Entry) -> str:
    """What a screen reader says of an entry."""
    why = f"not now: {entry.disabled_why}" if entry.disabled_why else ""
    parts = (entry.text, entry.group, entry.shortcut, entry.detail, why)
    return ", ".join(part for part in parts if part)


class PaletteDelegate(QStyledItemDelegate):
    """Paints headings and hits."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """36 px an entry (32 a run), 28 a heading."""
        row = index.data(ROW_ROLE)
        if isinstance(row, Heading):
            return QSize(0, theme().px(28))
        return QSize(0, theme().px(32 if row.entry.group == "Runs" else 36))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """One row."""
        look = theme()
        row = index.data(ROW_ROLE)
        rect = Box(option.rect)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if isinstance(row, Heading):
            words = rect.adjusted(look.px(10), look.px(6), -look.px(10), 0)
            line(painter, words, row.text, look.font("micro"), look.color("muted"))
            right = Qt.AlignmentFlag.AlignRight
            line(painter, words, row.note, look.font("micro"), look.color("muted"), right)
        else:
            picked = bool(option.state & QStyle.StateFlag.State_Selected)
            self._hit(painter, rect, row, picked)
        painter.restore()

    def _hit(self, painter: QPainter, rect: Box, hit: Hit, picked: bool) -> None:
        look, entry = theme(), hit.entry
        if picked:
            edge = look.color("ink") if look.is_contrast else None
            box(painter, rect, look.px(6), look.color("selected"), edge)
        inner = rect.adjusted(look.px(10), 0, -look.px(10), 0)
        side = look.px(17)
        spot = Box(inner.left(), inner.center().y() - side / 2, side, side)
        shade = "disabled_ink" if entry.disabled_why else "blade" if picked else "muted"
        paint_icon(painter, entry.icon or "chevron-right", spot, look.color(shade))
        inner.setLeft(spot.right() + look.px(12))
        inner.setRight(self._right(painter, inner, entry) - look.px(12))
        ink = look.color("disabled_ink" if entry.disabled_why else "ink")
        end = _lettered(painter, inner, hit, ink)
        if entry.disabled_why:
            rest = Box(inner)
            rest.setLeft(end + look.px(6))
            why = f"({entry.disabled_why})"
            line(painter, rest, why, look.font("small"), look.color("muted"))

    def _right(self, painter: QPainter, inner: Box, entry: Entry) -> float:
        """Key caps or the detail at the right; returns where they begin."""
        look = theme()
        if entry.shortcut:
            keys = keys_of(entry.shortcut)
            left = inner.right() - caps_width(keys)
            paint_caps(painter, left, inner.center().y(), keys)
            return left
        if entry.detail:
            font = look.mono("small")
            wide = min(text_width(font, entry.detail) + 1, inner.width() * 0.4)
            color = look.color(entry.detail_color or "muted")
            spot = Box(inner.right() - wide, inner.top(), wide, inner.height())
            line(painter, spot, entry.detail, font, color)
            return spot.left()
        return inner.right()


def _lettered(painter: QPainter, rect: Box, hit: Hit, ink: QColor) -> float:
    """Draw the text with the matched letters in blade 600; returns its right end."""
    look, text = theme(), hit.entry.text
    plain, strong = look.font("body"), look.font("strong")
    left = rect.left()
    for matched, group in groupby(range(len(text)), key=lambda i: i in hit.match.places):
        part = "".join(text[i] for i in group)
        font: QFont = strong if matched else plain
        room = rect.right() - left
        if room <= 0:
            break
        wide = text_width(font, part)
        color = look.color("blade") if matched else ink
        line(painter, Box(left, rect.top(), min(wide, room), rect.height()), part, font, color)
        left += wide
    return min(left, rect.right())
