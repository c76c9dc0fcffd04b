"""The properties of what is selected: settings of one node or several, or of the document."""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QFocusEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QScrollArea, QVBoxLayout, QWidget

from backend.core.errors import DocumentError
from backend.core.graph import Change, Problem
from backend.core.schema import defaults
from studio.docks.document_page import DocumentPage
from studio.docks.fix_lines import FixLines
from studio.docks.forecast import Forecast
from studio.docks.node_header import NodeHeader
from studio.docks.problem_lines import NoteLine, ProblemLines
from studio.form import Form
from studio.run_names import newest_of
from studio.session import Session
from studio.theme import theme
from studio.widgets.painting import follow_theme

MOST_FORMS = 12
NEXT_RUN = "Changes apply to the next run."


class PropertiesWidget(QWidget):
    """Follows the selection; every edit is one of the document's, so it can be undone."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.header = NodeHeader(self)
        self.problems = ProblemLines(self)
        self.fixes = FixLines(session, self)
        self.note = NoteLine("information-outline", NEXT_RUN, "muted", self)
        self.forecast = Forecast(session, self)
        self.document_page = DocumentPage(session, self)
        self.form: Form | None = None
        self._forms: OrderedDict[tuple[str, ...], Form] = OrderedDict()
        self._nodes: tuple[str, ...] = ()
        self._is_halfway = False
        self._drafts: dict[tuple[str, ...], dict[str, str]] = {}
        self._build()
        self._connect()
        self.refresh(is_fresh=True)

    # -- what the window asks for ----------------------------------------------------------------

    def edit_name(self) -> None:
        """Put the cursor into the name of the selected node."""
        target = self.header.name if self._nodes else self.document_page.name_field()
        target.setFocus(Qt.FocusReason.ShortcutFocusReason)
        select = getattr(target, "selectAll", None)
        if select is not None:
            select()

    def focus_field(self, name: str) -> bool:
        """Put the cursor into a field of the selected node."""
        return self.form is not None and self.form.focus_field(name)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Hand the focus on to the first field."""
        super().focusInEvent(event)
        form = self.form if self._nodes else self.document_page.form
        if form is not None:
            form.focus_first()

    # -- showing ---------------------------------------------------------------------------------

    def refresh(self, *, is_fresh: bool = False) -> None:
        """Show the selection as the document has it now."""
        graph = self.session.document.graph
        nodes = tuple(name for name in self.session.selection.nodes if name in graph.nodes)
        is_fresh = is_fresh or nodes != self._nodes
        if nodes != self._nodes and self.form is not None:
            self._drafts[self._nodes] = self.form.drafts()
        self._nodes = nodes
        self.document_page.setVisible(not nodes)
        for part in (self.header, self._rule):
            part.setVisible(bool(nodes))
        if not nodes:
            self._show_form(None)
            self.problems.show_problems([])
            self.fixes.show_node("")
            self.note.hide()
            self.forecast.hide()
            self.document_page.refresh(is_fresh=is_fresh)
            return
        self._show_header(nodes)
        form = self._form_of(nodes)
        self._show_form(form)
        if form is not None:
            params, mixed = self._values(nodes, [spec.name for spec in form.fields])
            form.set_values(params, is_fresh=is_fresh, mixed=mixed)
            if is_fresh:
                form.type_drafts(self._drafts.pop(nodes, {}))
        self._show_problems()
        self.fixes.show_node(nodes[0] if len(nodes) == 1 else "")
        self.note.setVisible(self._is_running())
        self.forecast.show_node(nodes[0] if len(nodes) == 1 else "")

    def _show_header(self, nodes: tuple[str, ...]) -> None:
        graph, specs = self.session.document.graph, self.session.catalog.specs
        if len(nodes) > 1:
            types = {graph.nodes[name].type for name in nodes}
            kinds = sorted(specs[t].title if t in specs else t for t in types)
            self.header.show_several(len(nodes), kinds)
            return
        node = graph.nodes[nodes[0]]
        spec = specs.get(node.type)
        if spec is None:
            self.header.show_unknown(nodes[0], node.type, node.bypass)
        else:
            self.header.show_node(nodes[0], spec, node.bypass)

    def _form_of(self, nodes: tuple[str, ...]) -> Form | None:
        """Return the form for the kinds of these nodes; the last few are kept for next time."""
        graph, specs = self.session.document.graph, self.session.catalog.specs
        kinds = tuple(sorted({graph.nodes[name].type for name in nodes}))
        if any(kind not in specs for kind in kinds):
            return None
        form = self._forms.get(kinds)
        if form is None:
            schema = common_schema([specs[kind].params for kind in kinds])
            source = specs[kinds[0]].source if len(kinds) == 1 else ""
            form = Form(schema, self._holder, source=source)
            form.changed.connect(self._edited)
            form.reset.connect(self._reset)
            form.help_wanted.connect(self._show_help)
            self._holder_column.addWidget(form)
            self._forms[kinds] = form
            if len(self._forms) > MOST_FORMS:
                _, old = self._forms.popitem(last=False)
                old.deleteLater()
        self._forms.move_to_end(kinds)
        return form

    def _show_form(self, form: Form | None) -> None:
        if form is self.form:
            return
        if self.form is not None:
            self.form.hide()
        self.form = form
        if form is not None:
            form.show()
        self._holder.setVisible(form is not None)

    def _values(self, nodes: tuple[str, ...], names: list[str]) -> tuple[dict[str, Any], set[str]]:
        """Return the settings of the first node, and the names that differ in another."""
        graph, specs = self.session.document.graph, self.session.catalog.specs
        first = graph.nodes[nodes[0]].params
        if len(nodes) == 1:
            return first, set()
        filled = [
            {**defaults(specs[graph.nodes[name].type].params), **graph.nodes[name].params}
            for name in nodes
        ]
        missing = object()
        mixed = {
            name
            for name in names
            if any(f.get(name, missing) != filled[0].get(name, missing) for f in filled)
        }
        return first, mixed

    def _show_problems(self) -> None:
        lines: list[Problem] = []
        faults: list[tuple[str, str]] = []
        names = set() if self.form is None else {spec.name for spec in self.form.fields}
        for node in self._nodes:
            for problem in self.session.document.problems_of(node):
                if problem.where in names:
                    faults.append((problem.where, plain(problem.text)))
                else:
                    lines.append(problem)
        self.problems.show_problems(lines)
        if self.form is not None:
            self.form.show_faults(faults)

    def _is_running(self) -> bool:
        """Whether a run of this document is computing now."""
        active = self.session.runner.active
        if not active:
            return False
        ours = newest_of(self.session.workspace, self.session.document.name)
        return not set(active).isdisjoint(ours)

    # -- what happens ----------------------------------------------------------------------------

    def _edited(self, name: str, value: Any) -> None:
        self._try(
            lambda node: self.session.document.set(node, **{name: value}),
            f"Set {name}",
            is_typing=True,
        )

    def _reset(self, name: str) -> None:
        self._try(lambda node: self.session.document.reset(node, name), f"Reset {name}")

    def _try(self, edit: Any, text: str, *, is_typing: bool = False) -> None:
        document = self.session.document
        try:
            if len(self._nodes) == 1:
                edit(self._nodes[0])
                return
            key = (text, self._nodes) if is_typing else None
            self._is_halfway = True  # some nodes have the new value, others do not yet
            with document.macro(f"{text} of {len(self._nodes)} nodes", key):
                for node in self._nodes:
                    edit(node)
        except DocumentError as error:
            self.session.tell(str(error), kind="bad")
        finally:
            self._is_halfway = False
        self.refresh()

    def _rename(self, new: str) -> None:
        old = self._nodes[0]
        try:
            self.session.document.rename(old, new)
        except DocumentError as error:
            self.session.tell(str(error), kind="bad")
            self.header.name.show_name(old)
        else:
            self.session.selection.set([new])

    def _bypass(self, on: bool) -> None:
        self._try(lambda node: self.session.document.bypass(node, on), "Bypass")

    def _changed(self, change: Change) -> None:
        if self._is_halfway:
            return
        if change.kind in ("set", "added", "removed") or not self._nodes:
            self.refresh()

    def _show_help(self, name: str = "") -> None:
        self.session.act("show_dock", name="help", at=name)

    def _forget_forms(self) -> None:
        """Kinds of nodes may be others now, and what was wrong may be right."""
        self._drafts.clear()
        for form in self._forms.values():
            form.deleteLater()
        self._forms.clear()
        self.form = None
        self.refresh(is_fresh=True)

    # -- building --------------------------------------------------------------------------------

    def _build(self) -> None:
        page = QWidget()
        self._rule = Rule(page)
        self._holder = QWidget(page)
        self._holder_column = QVBoxLayout(self._holder)
        self._holder_column.setContentsMargins(0, 4, 0, 0)
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 12)
        column.setSpacing(0)
        for part in (self.header, self._rule, self.problems, self.fixes, self._holder, self.note):
            column.addWidget(part)
        column.addWidget(self.document_page)
        column.addStretch(1)
        area = QScrollArea(self)
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setWidget(page)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        outer.addWidget(area, 1)
        outer.addWidget(self.forecast)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def _connect(self) -> None:
        session = self.session
        session.selection.changed.connect(self._selected)
        session.document.changed.connect(self._changed)
        session.document.replaced.connect(self._replaced)
        session.document.validated.connect(self._show_problems)
        session.document.titled.connect(self._titled)
        session.catalog.changed.connect(self._forget_forms)
        session.runner.changed.connect(self._runs_changed)
        session.focus_changed.connect(self._runs_changed)
        self.header.renamed.connect(self._rename)
        self.header.bypassed.connect(self._bypass)
        self.header.help_wanted.connect(self._show_help)

    def _selected(self) -> None:
        self.refresh(is_fresh=True)

    def _replaced(self) -> None:
        self._drafts.clear()
        self.forecast.forget()
        self.refresh(is_fresh=True)

    def _titled(self) -> None:
        if not self._nodes:
            self.document_page.refresh()

    def _runs_changed(self) -> None:
        self.forecast.forget()
        if self._nodes:
            self.note.setVisible(self._is_running())
            self.fixes.show_node(self._nodes[0] if len(self._nodes) == 1 else "")
            self.forecast.show_node(self._nodes[0] if len(self._nodes) == 1 else "")


class Rule(QWidget):
    """A line of 1 px across."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedHeight(1)
        follow_theme(self.update)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Fill with the colour of lines."""
        QPainter(self).fillRect(self.rect(), theme().color("line"))


class PropertiesDock:
    """What is selected, and its settings."""

    NAME = "properties"
    TITLE = "Properties"
    ICON = "tune"
    AREA = "right"
    KINDS: tuple[str, ...] = ()
    WIDGET = PropertiesWidget


def common_schema(schemas: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the fields that all schemas have with the same meaning."""
    first = schemas[0]
    if len(schemas) == 1:
        return first
    shared = {}
    for name, entry in first.get("properties", {}).items():
        others = [schema.get("properties", {}).get(name) for schema in schemas[1:]]
        if any(_meaning(other) != _meaning(entry) for other in others):
            continue
        is_shared = all(other.get("default") == entry.get("default") for other in others)
        shared[name] = entry if is_shared else {k: v for k, v in entry.items() if k != "default"}
    return {**first, "properties": shared}


def plain(text: str) -> str:
    """Take the name of the field out of a sentence that stands below the field."""
    short = re.sub(r'^Parameter "[^"]*" ', "", text)
    return short[:1].upper() + short[1:]


def _meaning(entry: dict[str, Any] | None) -> dict[str, Any] | None:
    if entry is None:
        return None
    words = ("title", "description", "default", "origin")
    return {key: value for key, value in entry.items() if key not in words}
