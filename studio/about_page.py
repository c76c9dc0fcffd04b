"""Versions, and the licences of what the studio shows."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from PySide6.QtCore import Qt, qVersion
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from studio.docks.output_facts import table_html
from studio.theme import theme

PACKAGES = (
    "fretsaw",
    "PySide6-Essentials",
    "pydantic",
    "numpy",
    "pyqtgraph",
    "torch",
    "onnxruntime",
)
LICENCES = (
    ("Inter", "Copyright The Inter Project Authors", "SIL Open Font License 1.1"),
    ("JetBrains Mono", "Copyright The JetBrains Mono Project Authors", "SIL Open Font License 1.1"),
    ("Material Design Icons", "Copyright Pictogrammers", "Apache License 2.0"),
    ("Qt, PySide6", "Copyright The Qt Company", "GNU LGPL 3.0"),
)
TEXT = (
    "Fretsaw cuts neural networks down until they run live on a phone. It works offline, "
    "has no account and sends nothing."
)


class AboutPage(QWidget):
    """What is installed, and who made what is seen."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.text = QLabel(TEXT, self)
        self.versions = QLabel(self)
        self.licences = QLabel(self)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 4, 12, 0)
        column.setSpacing(12)
        for label in (self.text, self.versions, self.licences):
            label.setWordWrap(True)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            column.addWidget(label)
        theme().changed.connect(self._dress)
        self._dress()

    def _dress(self) -> None:
        for label in (self.text, self.versions, self.licences):
            label.setFont(theme().font("body"))
        self.licences.setFont(theme().font("small"))
        self.licences.setProperty("tone", "muted")
        self.versions.setText(table_html([(name, [found]) for name, found in versions()]))
        self.licences.setText("\n".join(f"{n}: {who}, {licence}" for n, who, licence in LICENCES))


def versions() -> list[tuple[str, str]]:
    """Return the versions that matter; read from the packages' metadata, none is imported."""
    found = [("Python", platform.python_version()), ("Qt", qVersion())]
    for name in PACKAGES:
        try:
            found.append((name, version(name)))
        except PackageNotFoundError:
            found.append((name, "not installed"))
    return found
