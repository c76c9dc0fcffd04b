"""The head of the inspector: figures of a model file, each with its rival below."""

from __future__ import annotations

from typing import Any

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.docks.inspector_model import bytes_text, share_text, short_count
from studio.theme import theme
from studio.widgets.elided import ElidedLabel
from studio.widgets.painting import follow_theme

Record = dict[str, Any]
_FORMATS = {"onnx": "ONNX", "safetensors": "safetensors", "pytorch": "PyTorch"}


class Fact(QWidget):
    """A name, a figure and its rival."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.figure = ElidedLabel("", "title")
        self.rival = ElidedLabel("", "micro", "muted")
        self._name = name
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(ElidedLabel(name, "micro", "muted"))
        column.addWidget(self.figure)
        column.addWidget(self.rival)

    def set(self, figure: str, rival: str) -> None:
        """Show a figure; a fact without one goes."""
        self.figure.setText(figure)
        self.rival.setText(rival)
        self.figure.setMinimumWidth(self.figure.sizeHint().width())  # figures are never cut
        self.setVisible(bool(figure))
        self.setAccessibleName(f"{self._name}: {figure}, {rival}")


class FactsRow(QWidget):
    """Format, parameters, bytes, MACs and zeros of a file."""

    def __init__(self) -> None:
        super().__init__()
        self.facts = {
            name: Fact(name) for name in ("Format", "Parameters", "Size", "MACs", "Zeros")
        }
        self._row = QHBoxLayout(self)
        for fact in self.facts.values():
            self._row.addWidget(fact)
        self._row.addStretch(1)
        self.restyle()
        follow_theme(self.restyle)

    def restyle(self) -> None:
        """Take new sizes after a theme change."""
        look = theme()
        self._row.setContentsMargins(look.px(12), look.px(8), look.px(12), look.px(8))
        self._row.setSpacing(look.px(20))

    def show_facts(self, facts: Record) -> None:
        """Show what the file says of itself."""
        for name, (figure, rival) in figures_of(facts).items():
            self.facts[name].set(figure, rival)
        self.facts["Format"].setToolTip(facts.get("producer", ""))
        self.facts["Zeros"].set("", "")

    def show_zeros(self, tensors: list[Record]) -> None:
        """Show the share of zeros once all tensors were read."""
        self.facts["Zeros"].set(*zeros_of(tensors))


def figures_of(facts: Record) -> dict[str, tuple[str, str]]:
    """Figure and rival of each fact; an empty figure is not known."""
    name = _FORMATS.get(facts["format"], facts["format"])
    tensors, params = facts["tensors"], facts["params"]
    count = len(tensors)
    source = "weights alone"
    if "opset" in facts:
        source = f"opset {facts['opset'].get('ai.onnx', '?')}"
    rival_params = f"{count:,} tensors" if count != 1 else "1 tensor"
    as_float = f"{bytes_text(4 * params)} float32"
    macs = facts.get("macs")
    return {
        "Format": (name or "", source),
        "Parameters": (short_count(params), rival_params),
        "Size": (bytes_text(facts["bytes"]), as_float),
        "MACs": (short_count(macs) if macs else "", _sample(facts)),
    }


def _sample(facts: Record) -> str:
    inputs = facts.get("inputs") or [{}]
    sizes = [size for size in inputs[0].get("shape", [])[1:] if isinstance(size, int)]
    return f"at {' × '.join(map(str, sizes))}" if sizes else "a sample"


def zeros_of(tensors: list[Record]) -> tuple[str, str]:
    """Share of zeros among the entries of tensors with two dimensions or more, and of how many."""
    total = zeros = 0.0
    for tensor in tensors:
        share = tensor.get("zeros")
        if share is not None and len(tensor["shape"]) > 1:
            count = 1
            for size in tensor["shape"]:
                count *= size
            total += count
            zeros += share * count
    if not total:
        return "", ""
    return share_text(round(zeros) / total), "of the weights"
