"""A document to edit, for the tests of documents, journals and the clipboard."""

from __future__ import annotations

import json

from studio.document import Document


def chain(document: Document) -> None:
    """Make data -> net -> train -> quantizer; data goes into each of them."""
    document.add("data.digits", (0, 0), name="data")
    document.add("model.resnet", (100, 0), name="net", link=("data.data", "data"))
    document.add("train.classifier", (200, 0), name="train", link=("net.classifier", "model"))
    document.add("quantize.f8net", (300, 0), name="q", link=("train.classifier", "model"))
    document.connect("data.data", "train.data")
    document.connect("data.data", "q.data")


def text(document: Document) -> str:
    """What a file of the document would hold, order included."""
    return json.dumps(document.graph.to_json())


def history(document: Document) -> list[str]:
    """Texts of the steps that were taken."""
    return [document.stack.text(index) for index in range(document.stack.index())]
