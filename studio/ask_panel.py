"""A question over the window: one sentence, answers as buttons, Esc leaves all as it is."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from studio.theme import theme
from studio.widgets.button import plain, primary
from studio.widgets.popover import Popover

Answer = tuple[str, Callable[[], None]]


class AskPanel(QWidget):
    """Covers the window with a flat scrim until the question is answered."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.hide()
        self._window = window
        self._card: Popover | None = None
        window.installEventFilter(self)

    def ask(self, question: str, *answers: Answer, cancel: str = "Cancel") -> None:
        """Show a question; the first answer is the one that Enter gives."""
        self._drop_card()
        card = Popover(self, floating=False)
        card.setAccessibleName(question)
        label = QLabel(question, card)
        label.setWordWrap(True)
        label.setFont(theme().font("title"))
        label.setMinimumWidth(theme().px(360))
        row = QHBoxLayout()
        row.addStretch(1)
        leave = plain(cancel)
        leave.clicked.connect(self.close_question)
        row.addWidget(leave)
        for number, (text, deed) in reversed(list(enumerate(answers))):
            button = primary(text) if number == 0 else plain(text)
            button.clicked.connect(self._answering(deed))
            row.addWidget(button)
            if number == 0:
                button.setDefault(True)
                button.setFocus()
        layout = card.layout()
        if layout is None:
            layout = QVBoxLayout(card)
        box = QVBoxLayout()
        box.setContentsMargins(20, 20, 20, 16)
        box.setSpacing(16)
        box.addWidget(label)
        box.addLayout(row)
        layout.addLayout(box)  # type: ignore[attr-defined]
        self._card = card
        self._place()
        self.show()
        self.raise_()
        card.show()
        focus = card.findChildren(type(leave))[-1]
        focus.setFocus()

    @property
    def question(self) -> str:
        """The question that is shown; empty without one."""
        return self._card.accessibleName() if self._card is not None else ""

    def buttons(self) -> dict[str, QWidget]:
        """Return the buttons of the question that is shown, by their words."""
        if self._card is None:
            return {}
        kinds = self._card.findChildren(type(plain("")))
        return {button.text(): button for button in kinds}

    def close_question(self) -> None:
        """Leave everything as it is."""
        self.hide()
        self._drop_card()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc leaves all as it is."""
        if event.key() == Qt.Key.Key_Escape:
            self.close_question()
        else:
            super().keyPressEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """What lies under the question does not get the click."""
        event.accept()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Cover the window also when its size changes."""
        if event.type() == QEvent.Type.Resize and self.isVisible():
            self._place()
        return super().eventFilter(watched, event)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the scrim."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), theme().color("scrim"))
        painter.end()

    # -- inner -----------------------------------------------------------------------------------

    def _answering(self, deed: Callable[[], None]) -> Callable[[], None]:
        def answer() -> None:
            self.close_question()
            deed()

        return answer

    def _drop_card(self) -> None:
        if self._card is not None:
            self._card.hide()
            self._card.deleteLater()
            self._card = None

    def _place(self) -> None:
        self.setGeometry(self._window.rect())
        if self._card is not None:
            self._card.adjustSize()
            self._card.move((self.width() - self._card.width()) // 2, theme().px(96))
