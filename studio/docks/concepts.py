"""The Concepts dock: exported concepts as cards; a click switches the phones, a slider blends."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QStackedLayout, QVBoxLayout, QWidget

from studio.background import Background
from studio.docks.concept_blend import BlendRow
from studio.docks.concept_cards import CONCEPT_ROLE, ConceptGrid
from studio.phone.concepts import Concept, ConceptSet, all_sets
from studio.phone.phone import Phone, phone_of
from studio.phone.state import Device
from studio.phone.switching import Switching
from studio.phone.words import size
from studio.session import Session
from studio.tokens import ASSETS
from studio.widgets.button import plain
from studio.widgets.combo import Combo
from studio.widgets.elided import ElidedLabel
from studio.widgets.empty_state import EmptyState, Glyph

TEMPLATE = ASSETS / "pipelines" / "concept_factory.json"


class ConceptsWidget(QWidget):
    """Which export, its cards, what stands between them and a phone, the blend."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.phone: Phone = phone_of(session)
        self.switching = Switching(self.phone, self)
        self.sets: list[ConceptSet] = []
        self._background = Background("concepts", self)
        self._reads = False
        self._build()
        self.phone.changed.connect(self._changed)
        session.runner.changed.connect(self.look)
        session.focus_changed.connect(self.look)
        session.closed.connect(self._background.close)
        self.setAccessibleName("Concepts")
        self._show_sets()

    # -- what there is ---------------------------------------------------------------------------

    @property
    def chosen(self) -> ConceptSet | None:
        """The export that is shown."""
        found = self.combo.currentIndex()
        return self.sets[found] if 0 <= found < len(self.sets) else None

    def look(self) -> None:
        """Read in the background what runs exported."""
        if not self.isVisible() or self._reads:
            return
        self._reads = True
        focus = self._session.focus
        first, workspace = focus.name if focus is not None else "", self._session.workspace
        self._background.do(lambda: all_sets(workspace, first), self._looked)

    def showEvent(self, event: QShowEvent) -> None:
        """Look again."""
        super().showEvent(event)
        self.look()

    def _looked(self, found: object) -> None:
        self._reads = False
        if not isinstance(found, list) or found == self.sets:
            return
        before = self.chosen.edit.id if self.chosen is not None else ""
        self.sets = found
        self.combo.clear()
        for one in self.sets:
            self.combo.addItem(one.edit.name, one.edit.id)
        self.combo.setCurrentIndex(max(0, self.combo.findData(before)) if self.sets else -1)
        self._show_sets()

    def _show_sets(self) -> None:
        one = self.chosen
        self._pages.setCurrentWidget(self._page if one is not None else self.empty)
        if one is None:
            return
        self.combo.setVisible(len(self.sets) > 1)
        self.title.setVisible(len(self.sets) == 1)
        self.title.setText(one.edit.name)
        self.facts.setText(_facts(one))
        self.grid.source.set_concepts(one.concepts)
        if self.grid.concept() is None:
            self.grid.pick(self._live(one) or one.concepts[0].id)
        self._show_phones()

    def _live(self, one: ConceptSet) -> str:
        """Id of the concept of this export that the phone shows; "" when it shows none."""
        device = self.phone.device
        shown = device.concept if device is not None else None
        return shown.first if shown is not None and shown.edit == one.edit.id else ""

    # -- phones ----------------------------------------------------------------------------------

    def _changed(self, parts: set[str]) -> None:
        if parts & {"devices", "edits", "concepts", "server"} and self.chosen is not None:
            self._follow_phone("concepts" in parts)

    def _follow_phone(self, is_news: bool) -> None:
        """Show who shows what; once a phone has answered, card and slider stand where it is."""
        one, device = self.chosen, self.phone.device
        if device is None:
            self.switching.forget()
        elif one is not None and is_news and self._live(one):
            shown = device.concept
            assert shown is not None
            if not self.switching.is_overtaken(shown):
                self.grid.pick(shown.first)
                self.blend.set_concepts(one.concepts, shown.first)
                self.blend.show_share(shown.second, shown.share)
        self._show_phones()

    def _show_phones(self) -> None:
        one, device = self.chosen, self.phone.device
        if one is None:
            return
        phones: dict[str, list[str]] = {}
        for each in self.phone.state.devices.values():
            if each.concept is not None and each.concept.edit == one.edit.id:
                phones.setdefault(each.concept.first, []).append(each.name)
        self.grid.source.set_phones(phones)
        picked = self.grid.concept()
        self.blend.set_concepts(one.concepts, picked.id if picked is not None else "")
        why = "" if device is not None else "Pair a phone to blend on it."
        self.blend.set_ready(device is not None, why)
        self.pair.setVisible(device is None)
        icon, color, words = self._standing(one, device)
        self.glyph.set(icon, color)
        self.words.setText(words)

    def _standing(self, one: ConceptSet, device: Device | None) -> tuple[str, str, str]:
        if device is None:
            return "cellphone-link", "muted", "Pair a phone to switch on it."
        how, shown = device.edits.get(one.edit.id), device.concept
        if how is not None and how.state == "failed":
            return "alert", "bad", how.text or f"It did not work on {device.name}."
        if how is not None and how.state != "ready":
            share = f", {how.done / how.total:.0%}".replace("%", " %") if how.total else ""
            return "timer-sand", "blade", f"On its way to {device.name}{share}."
        if shown is None or shown.edit != one.edit.id:
            if how is None:
                return "cellphone", "muted", f"Click a concept to show it on {device.name}."
            return "cellphone-check", "good", f"{device.name} has it. Click a concept to show it."
        name = one.named(shown.first)
        if shown.second is not None:
            share = f"{shown.share:.0%}".replace("%", " %")
            name = f"{name} with {share} of {one.named(shown.second)}"
        took = f", switched in {_time(shown.ms)}" if shown.ms is not None else ""
        if took and shown.sharp_ms is not None:
            took += f", sharp after {_time(shown.sharp_ms)}"
        return "cellphone-check", "good", f"{device.name} shows {name}{took}."

    def _picked(self, index: QModelIndex) -> None:
        """Blend from the concept that is picked; nothing is sent."""
        concept, one = index.data(CONCEPT_ROLE), self.chosen
        if isinstance(concept, Concept) and one is not None:
            self.blend.set_concepts(one.concepts, concept.id)

    def _activated(self, index: QModelIndex) -> None:
        """Show the concept on every phone; without one, say what is missing."""
        concept, one = index.data(CONCEPT_ROLE), self.chosen
        if not isinstance(concept, Concept) or one is None:
            return
        self.blend.set_concepts(one.concepts, concept.id)
        self.blend.show_share(None, 0.0)
        self.switching.show(one, concept.id)
        self._show_phones()

    def _blended(self, second: str, share: float) -> None:
        concept, one = self.grid.concept(), self.chosen
        if concept is not None and one is not None:
            self.switching.show(one, concept.id, second, share)

    # -- look ------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.combo = Combo()
        self.combo.setAccessibleName("Export of concepts")
        self.combo.activated.connect(self._set_chosen)
        self.title = ElidedLabel("", "strong")
        self.facts = ElidedLabel("", "small", "muted")
        self.grid = ConceptGrid()
        self.grid.clicked.connect(self._activated)
        self.grid.activated.connect(self._activated)
        self.grid.selectionModel().currentChanged.connect(self._picked)
        self.glyph = Glyph("cellphone-link", 16)
        self.words = ElidedLabel("", "small", "muted")
        self.pair = plain("Pair a phone")
        self.pair.clicked.connect(lambda: self._session.act("phone_pair"))
        self.blend = BlendRow()
        self.blend.moved.connect(self._blended)
        head, low = QHBoxLayout(), QHBoxLayout()
        head.setContentsMargins(12, 8, 12, 4)
        low.setContentsMargins(12, 4, 12, 4)
        for row, parts in (
            (head, (self.combo, self.title)),
            (low, (self.glyph,)),
        ):
            row.setSpacing(10)
            for part in parts:
                row.addWidget(part)
        head.addWidget(self.facts, 1)
        low.addWidget(self.words, 1)
        low.addWidget(self.pair)
        inset = QHBoxLayout()
        inset.setContentsMargins(12, 0, 12, 10)
        inset.addWidget(self.blend)
        self._page = QWidget()
        column = QVBoxLayout(self._page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(head)
        column.addWidget(self.grid, 1)
        column.addLayout(low)
        column.addLayout(inset)
        self.empty = EmptyState(
            "auto-fix",
            "Export concepts first; their pictures appear here.",
            "Open the Concept factory",
            self._open_template,
        )
        self._pages = QStackedLayout(self)
        self._pages.setContentsMargins(0, 0, 0, 0)
        self._pages.addWidget(self.empty)
        self._pages.addWidget(self._page)
        self.setFocusProxy(self.grid)

    def _set_chosen(self) -> None:
        self.grid.clearSelection()
        self._show_sets()

    def _open_template(self) -> None:
        self._session.act("open_pipeline", path=str(TEMPLATE))


def _time(ms: float) -> str:
    return f"{ms:.0f} ms" if ms < 1_000 else f"{ms / 1_000:.1f} s"


def _facts(one: ConceptSet) -> str:
    count = len(one.concepts)
    words = "1 concept" if count == 1 else f"{count} concepts"
    base = f"base {size(one.base_bytes)} once" if one.base_bytes else ""
    more = f"{size(one.adapter_bytes)} for all adapters" if one.adapter_bytes else ""
    return ", ".join(filter(None, (words, base, more)))


class ConceptsDock:
    """The Concepts dock, as the window finds it."""

    NAME = "concepts"
    TITLE = "Concepts"
    ICON = "auto-fix"
    AREA = "bottom"
    KINDS: tuple[str, ...] = ()
    WIDGET = ConceptsWidget
