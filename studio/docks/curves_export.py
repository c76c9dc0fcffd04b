"""Export of the curves: to the clipboard and to files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFileDialog

from backend.core.errors import sentence
from studio.plotting import figure

if TYPE_CHECKING:
    from studio.docks.curves import CurvesWidget


class CurvesExport:
    """What the export menu of the Curves dock does."""

    def __init__(self, curves: CurvesWidget) -> None:
        self._curves = curves
        self._session = curves.session

    def copy_picture(self) -> None:
        """Put the plots on the clipboard as a picture."""
        self._curves.figure().copy()
        self._session.tell("Picture copied.")

    def copy_csv(self) -> None:
        """Put the numbers of the visible curves on the clipboard."""
        text = figure.to_csv(list(self._curves.plots.values()), self._curves.options.weight)
        QGuiApplication.clipboard().setText(text)
        self._session.tell("Numbers copied.", f"{text.count(chr(10)) - 1:,} points as CSV")

    def save_png(self) -> None:
        """Ask for a file and write the plots as PNG."""
        self._ask("PNG", "png")

    def save_svg(self) -> None:
        """Ask for a file and write the plots as SVG."""
        self._ask("SVG", "svg")

    def save_csv(self) -> None:
        """Ask for a file and write the numbers of the visible curves."""
        self._ask("CSV", "csv")

    def save_to(self, path: Path) -> None:
        """Write the plots to a file whose ending says how: .png, .svg or .csv."""
        curves, ending = self._curves, path.suffix.lower()
        try:
            if ending == ".csv":
                figure.save_csv(path, list(curves.plots.values()), curves.options.weight)
            elif ending == ".svg":
                curves.figure().save_svg(path)
            else:
                path = path if ending == ".png" else path.with_name(path.name + ".png")
                curves.figure().save_png(path)
        except OSError as error:
            self._session.tell("The file was not written.", sentence(error), kind="bad")
        else:
            self._session.tell("Saved.", str(path), kind="good")

    def _ask(self, kind: str, ending: str) -> None:
        start = str(Path.home() / f"curves.{ending}")
        filters = f"{kind} (*.{ending})"
        name, _ = QFileDialog.getSaveFileName(self._curves, f"Save as {kind}", start, filters)
        if name:
            path = Path(name)
            self.save_to(path if path.suffix else path.with_suffix(f".{ending}"))
