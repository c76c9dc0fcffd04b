"""Chooses the widget of a field by its kind."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from studio.fields.choice import ComboEditor, SegmentEditor, SwitchEditor, fits_segment
from studio.fields.editor import Editor
from studio.fields.optional import OptionalEditor
from studio.fields.path import PathEditor
from studio.fields.spec import FieldSpec
from studio.fields.text import TextEditor


def make_editor(spec: FieldSpec, parent: QWidget | None = None) -> Editor:
    """Return a widget that edits ``spec``. For text and paths an empty field means none."""
    if spec.is_optional and spec.kind not in ("text", "path", "json"):
        return OptionalEditor(spec, make_editor, parent)
    if spec.kind == "choice":
        return SegmentEditor(spec, parent) if fits_segment(spec) else ComboEditor(spec, parent)
    if spec.kind == "bool":
        return SwitchEditor(spec, parent)
    if spec.kind == "path":
        return PathEditor(spec, parent)
    return TextEditor(spec, parent)
