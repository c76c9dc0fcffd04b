"""The row below the concept gallery: two concepts, and how much of the second is blended in."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QWidget

from studio.phone.concepts import Concept
from studio.theme import theme
from studio.widgets.combo import Combo
from studio.widgets.elided import ElidedLabel
from studio.widgets.painting import follow_theme
from studio.widgets.slider import Slider


class BlendRow(QWidget):
    """The concept that is shown at the left, the one to blend with at the right."""

    moved = Signal(str, float)
    """The id of the second concept and its share, 0 to 1, while the slider moves."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: tuple[Concept, ...] = ()
        self._first = ""
        self.label = ElidedLabel("Blend", "small", "muted")
        self.first = ElidedLabel("", "strong")
        self.slider = Slider(0.0, 1.0, 0.0, step=0.01, name="Share of the second concept")
        self.second = Combo()
        self.second.setAccessibleName("Second concept")
        self.second.setToolTip("The concept to blend with")
        self.value = ElidedLabel("0 %", "small", "ink", mono=True)
        self.value.setAlignment(Qt.AlignmentFlag.AlignRight)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(10)
        row.addWidget(self.label)
        row.addWidget(self.first)
        row.addWidget(self.slider, 1)
        row.addWidget(self.value)
        row.addWidget(self.second)
        self.slider.changed.connect(self._slid)
        self.second.activated.connect(self._chosen)
        follow_theme(self.restyle)
        self.restyle()

    @property
    def share(self) -> float:
        """Part of the second concept, 0 to 1."""
        return self.slider.value

    def restyle(self) -> None:
        """Take new sizes after a theme change."""
        self.value.setFixedWidth(theme().px(44))
        self.second.setMinimumWidth(theme().px(96))
        self.first.setMaximumWidth(theme().px(160))

    def set_concepts(self, rows: tuple[Concept, ...], first: str) -> None:
        """Offer to blend ``first`` with each of the others; what was chosen stays if it can."""
        if (rows, first) == (self._rows, self._first):
            return
        is_other = first != self._first
        self._rows, self._first = rows, first
        wish = self.second.currentData()
        self.second.clear()
        for one in rows:
            if one.id == first:
                self.first.setText(one.name)
            else:
                self.second.addItem(one.name, one.id)
        self.second.setCurrentIndex(max(0, self.second.findData(wish)))
        if is_other:
            self._put(0.0)

    def show_share(self, second: str | None, share: float) -> None:
        """Stand where the phone is, without a signal."""
        place = self.second.findData(second) if second else -1
        if place >= 0:
            self.second.setCurrentIndex(place)
        self._put(share if place >= 0 else 0.0)

    def set_ready(self, on: bool, why_not: str = "") -> None:
        """Let it be used, or say why it cannot be."""
        can = on and self.second.count() > 0
        for part in (self.slider, self.second):
            part.setEnabled(can)
        why = why_not or ("" if can else "There is one concept; a blend needs two.")
        self.slider.setToolTip(why or "Drag to blend on the phone")

    def _put(self, share: float) -> None:
        self.slider.set_value(share)
        self._tell()

    def _tell(self) -> None:
        self.value.setText(f"{self.share:.0%}".replace("%", " %"))

    def _slid(self, share: float) -> None:
        self._tell()
        second = self.second.currentData()
        if second:
            self.moved.emit(second, share)

    def _chosen(self) -> None:
        if self.share > 0:
            self._slid(self.share)
