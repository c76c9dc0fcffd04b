"""The text field over a note: a child of the view, laid where the note's text is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QPlainTextEdit

from backend.core.errors import DocumentError
from studio.theme import theme

if TYPE_CHECKING:
    from studio.editor.view import GraphView


class NoteEdit(QObject):
    """Edits the text of one note at a time: Esc gives up, Ctrl+Enter or a click beside keeps it."""

    def __init__(self, view: GraphView) -> None:
        super().__init__(view)
        self._view = view
        self.field: QPlainTextEdit | None = None
        self.note = ""
        view.zoom_changed.connect(self._place)
        for bar in (view.horizontalScrollBar(), view.verticalScrollBar()):
            bar.valueChanged.connect(self._place)

    def begin(self, note: str) -> None:
        """Open the field over a note."""
        self.end(keep=True)
        item = self._view.scene().note_items.get(note)
        if item is None:
            return
        self.note = note
        field = QPlainTextEdit(item.text, self._view.viewport())
        field.setObjectName("note-edit")
        field.setAccessibleName("Title of the frame" if item.is_frame else "Text of the note")
        field.setFrameShape(QPlainTextEdit.Shape.NoFrame)
        for bars in (field.setHorizontalScrollBarPolicy, field.setVerticalScrollBarPolicy):
            bars(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        field.document().setDocumentMargin(3)
        field.installEventFilter(self)
        self.field = field
        item.is_edited = True
        item.update()
        self._place()
        field.selectAll()
        field.show()
        field.setFocus(Qt.FocusReason.OtherFocusReason)

    def end(self, *, keep: bool) -> None:
        """Close the field; ``keep`` writes the text into the document."""
        field, self.field = self.field, None
        if field is None:
            return
        text = field.toPlainText()
        field.removeEventFilter(self)
        had_focus = field.hasFocus()
        field.hide()
        field.deleteLater()
        item = self._view.scene().note_items.get(self.note)
        if item is None:
            return
        item.is_edited = False
        item.update()
        if had_focus:
            self._view.setFocus(Qt.FocusReason.OtherFocusReason)
        if keep and text != item.text:
            try:
                self._view.session.document.change_note(self.note, text=text)
            except DocumentError as error:
                self._view.session.tell(str(error), kind="bad")

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Watch for the keys and the loss of focus that end it."""
        if watched is not self.field:
            return False
        if event.type() == QEvent.Type.FocusOut:
            self.end(keep=True)
        elif isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            is_enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
            item = self._view.scene().note_items.get(self.note)
            is_title = item is not None and item.is_frame
            with_control = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
            if event.key() == Qt.Key.Key_Escape:
                self.end(keep=False)
                return True
            if is_enter and (is_title or with_control):
                self.end(keep=True)
                return True
        return False

    def _place(self, _value: object = None) -> None:
        item = self._view.scene().note_items.get(self.note)
        if self.field is None or item is None:
            return
        font = theme().font("title" if item.is_frame else "body")
        zoom = self._view.zoom_level
        size = max(8, round(font.pixelSize() * zoom))
        ink = theme().color("ink").name()
        # The window's style sheet gives fields a ground and a size; here the note is the ground.
        self.field.setStyleSheet(
            f"background: transparent; border: none; padding: 0; color: {ink};"
            f' font-family: "{font.family()}"; font-size: {size}px;'
            f" font-weight: {int(font.weight())}"
        )
        rect = self._view.mapFromScene(item.text_rect()).boundingRect()
        self.field.setGeometry(rect)
