"""Builds a form from the JSON Schema of a parameter model; node settings and preferences use it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QFont, QKeyEvent
from PySide6.QtWidgets import QLabel, QScrollArea, QVBoxLayout, QWidget

from studio.fields.reading import NOTHING
from studio.fields.row import PAD, FormRow
from studio.fields.spec import FieldSpec, fields_of
from studio.fields.text import TextEditor
from studio.fields.tip import FieldTip
from studio.theme import theme

LABEL_WIDTH = 104


class Form(QWidget):
    """One row a field. ``changed`` carries a name and a value that the schema allows.

    A field of a nested model is told as its whole group with that one entry changed.
    ``failed`` carries a name and why what was typed cannot be used; empty when it can.
    With ``has_notes`` each field is explained below it instead of in its tooltip alone.
    """

    changed = Signal(str, object)
    reset = Signal(str)
    failed = Signal(str, str)
    help_wanted = Signal(str)

    def __init__(
        self,
        schema: Mapping[str, Any],
        parent: QWidget | None = None,
        *,
        source: str = "",
        label_width: int = LABEL_WIDTH,
        has_notes: bool = False,
    ) -> None:
        super().__init__(parent)
        self.source = source
        self._params: dict[str, Any] = {}
        self._rows: dict[str, FormRow] = {}
        self._paths: dict[str, tuple[str, ...]] = {}
        self._heads: list[QLabel] = []
        self._tip: FieldTip | None = None
        self._label_width = label_width
        self._has_notes = has_notes
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)
        self.fields = fields_of(dict(schema))
        self._build()
        theme().changed.connect(self.restyle)

    # -- what others ask for ---------------------------------------------------------------------

    def set_values(
        self,
        params: Mapping[str, Any],
        *,
        is_fresh: bool = False,
        mixed: Collection[str] = (),
    ) -> None:
        """Show these values, defaults where there are none; tells nothing.

        ``is_fresh``: they belong to another node, so nothing half typed is kept. Fields named in
        ``mixed`` have several values at once.
        """
        self._params = dict(params)
        for name, row in self._rows.items():
            path = self._paths[name]
            value, is_given = self._value(path, row.spec)
            default = row.spec.default if row.spec.has_default else NOTHING
            is_mixed = path[0] in mixed
            row.show_value(
                value,
                is_changed=row.spec.has_default
                and (is_mixed or (is_given and not _is_same(value, default))),
                is_mixed=is_mixed,
                is_fresh=is_fresh,
            )

    def show_faults(self, faults: Iterable[tuple[str, str]]) -> None:
        """Show sentences below the fields that they are about; others lose theirs."""
        by_name = dict(faults)
        for name, row in self._rows.items():
            text = by_name.get(name) or by_name.pop(self._paths[name][0], "")
            row.show_fault(text)

    def focus_field(self, name: str) -> bool:
        """Put the cursor into a field and scroll to it; False when there is no such field."""
        row = next((r for n, r in self._rows.items() if name in (n, self._paths[n][0])), None)
        if row is None:
            return False
        row.editor.setFocus(Qt.FocusReason.ShortcutFocusReason)
        area = self.parentWidget()
        while area is not None and not isinstance(area, QScrollArea):
            area = area.parentWidget()
        if isinstance(area, QScrollArea):
            area.ensureWidgetVisible(row)
        return True

    def focus_first(self) -> None:
        """Put the cursor into the first field."""
        if self._rows:
            self.focus_field(next(iter(self._rows)))

    def row(self, name: str) -> FormRow:
        """Return the row of a field; those of a nested model are called ``group.field``."""
        return self._rows[name]

    def names(self) -> list[str]:
        """Names of all rows in their order."""
        return list(self._rows)

    def faults(self) -> dict[str, str]:
        """Sentences about what is typed and cannot be used, by field."""
        return {name: row.error for name, row in self._rows.items() if row.error}

    def drafts(self) -> dict[str, str]:
        """Return what is typed and cannot be used, by field, to show it again later."""
        found = {}
        for name, row in self._rows.items():
            if isinstance(row.editor, TextEditor) and row.error:
                found[name] = row.editor.edit.text()
        return found

    def type_drafts(self, drafts: Mapping[str, str]) -> None:
        """Show what was typed before; it is judged as if it were typed now."""
        for name, text in drafts.items():
            row = self._rows.get(name)
            if row is not None and isinstance(row.editor, TextEditor):
                row.editor.type_text(text)

    def restyle(self) -> None:
        """Take fonts and sizes of the theme anew."""
        for head in self._heads:
            _style_head(head)
        for row in self._rows.values():
            row.restyle()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """F1 in a field asks for the help of it."""
        if event.key() == Qt.Key.Key_F1:
            focused = self.focusWidget()
            for name, row in self._rows.items():
                if focused is not None and row.isAncestorOf(focused):
                    self.help_wanted.emit(name)
                    return
        super().keyPressEvent(event)

    # -- building --------------------------------------------------------------------------------

    def _build(self) -> None:
        groups: dict[str, list[FieldSpec]] = {}
        for spec in self.fields:
            groups.setdefault(spec.group, []).append(spec)
        for group, specs in sorted(groups.items(), key=lambda item: item[0] != ""):
            if group:
                self._add_head(group)
            for spec in specs:
                if spec.kind == "group":
                    self._add_group(spec)
                else:
                    self._add_row(spec, (spec.name,))

    def _add_group(self, spec: FieldSpec) -> None:
        self._add_head(spec.label)
        schema = {**spec.schema, "$defs": spec.definitions}
        outer = spec.default if isinstance(spec.default, dict) else {}
        for inner in fields_of(schema):
            kind = "json" if inner.kind == "group" else inner.kind
            known = inner.name in outer
            self._add_row(
                replace(
                    inner,
                    name=f"{spec.name}.{inner.name}",
                    kind=kind,
                    default=outer.get(inner.name, inner.default),
                    has_default=known or inner.has_default,
                ),
                (spec.name, inner.name),
            )

    def _add_head(self, text: str) -> None:
        head = QLabel(text, self)
        head.setProperty("tone", "muted")
        _style_head(head)
        self._heads.append(head)
        self._column.addWidget(head)

    def _add_row(self, spec: FieldSpec, path: tuple[str, ...]) -> None:
        row = FormRow(spec, self._label_width, self, has_note=self._has_notes)
        row.edited.connect(self._edited)
        row.reset.connect(self._reset)
        row.failed.connect(self.failed)
        row.tip_wanted.connect(self._show_tip)
        self._rows[spec.name] = row
        self._paths[spec.name] = path
        self._column.addWidget(row)

    # -- what happens ----------------------------------------------------------------------------

    def _value(self, path: tuple[str, ...], spec: FieldSpec) -> tuple[Any, bool]:
        found: Any = self._params
        for part in path:
            if not isinstance(found, dict) or part not in found:
                return (spec.default if spec.has_default else NOTHING), False
            found = found[part]
        return found, True

    def _edited(self, name: str, value: Any) -> None:
        path = self._paths[name]
        row = self._rows[name]
        row.show_fault("")
        if len(path) == 1:
            self._params[path[0]] = value
            self._mark(row, value)
            self.changed.emit(name, value)
            return
        whole = self._params.get(path[0])
        group = dict(whole) if isinstance(whole, dict) else self._group_defaults(path[0])
        group[path[1]] = value
        self._params[path[0]] = group
        self._mark(row, value)
        self.changed.emit(path[0], group)

    def _mark(self, row: FormRow, value: Any) -> None:
        """Label and reset follow at once, before the document tells of the change."""
        default = row.spec.default if row.spec.has_default else NOTHING
        is_changed = row.spec.has_default and not _is_same(value, default)
        row.show_value(value, is_changed=is_changed, is_mixed=False, is_fresh=False)

    def _group_defaults(self, outer: str) -> dict[str, Any]:
        default = next(spec.default for spec in self.fields if spec.name == outer)
        return dict(default) if isinstance(default, dict) else {}

    def _reset(self, name: str) -> None:
        path = self._paths[name]
        if len(path) == 1:
            self.reset.emit(name)
            return
        group = dict(self._params.get(path[0], {}))
        group.pop(path[1], None)
        if group:
            self.changed.emit(path[0], group)
        else:
            self.reset.emit(path[0])

    def _show_tip(self, row: FormRow, place: QPoint) -> None:
        if self._tip is None:
            self._tip = FieldTip(self)
        self._tip.show_for(row.spec, self.source, row, place)


def _style_head(head: QLabel) -> None:
    font = theme().font("micro")
    font.setWeight(QFont.Weight.DemiBold)
    head.setFont(font)
    look = theme()
    head.setContentsMargins(look.px(PAD), look.px(10), look.px(PAD), look.px(2))


def _is_same(one: Any, other: Any) -> bool:
    if isinstance(one, bool) != isinstance(other, bool):
        return False
    return bool(one == other)
