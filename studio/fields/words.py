"""Turns names of code into words: labels of parameters, choices and values."""

from __future__ import annotations

import math
import re
from typing import Any

_NAMES = (
    "Adam AdamW BN CIFAR CPU CUDA FLOPs GPU ImageNet INT8 JSON KID LoRA MAC MACs MAE MobileNet "
    "MSE ONNX PNG QDQ RAM ReLU ResNet RMS SGD STE SVG URL VGG VRAM"
)
SPELLINGS = {word.lower(): word for word in _NAMES.split(" ")}
"""Acronyms and proper names of the field, however a schema writes them."""


def label(name: str, title: str = "") -> str:
    """Return the words of a field: sentence case, acronyms as they are written."""
    words = (title or name).replace("_", " ").split()
    spelled = [SPELLINGS.get(word.lower(), _plain(word)) for word in words]
    return _capital(" ".join(spelled)) or name


def choice(value: Any, labels: dict[str, str] | None = None) -> str:
    """Return the words of one of the values of a choice."""
    if labels and str(value) in labels:
        return labels[str(value)]
    if isinstance(value, str):
        if re.search(r"\d", value):
            return value.replace("_", " ")  # int8, f16: codes, not words
        return label(value)
    return show(value)


def show(value: Any) -> str:
    """Write a value as a person would type it: ``4e-5``, ``0.02``, ``0.5, 0.25``."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, list | tuple):
        return ", ".join(show(entry) for entry in value)
    return str(value)


def _plain(word: str) -> str:
    return word if len(word) > 1 and word.isupper() else word.lower()


def _capital(text: str) -> str:
    first = text.split(" ", 1)[0]
    is_name = first != first.lower()  # ReLU, AdamW, BN: written as they are
    return text if is_name else text[:1].upper() + text[1:]


def _number(value: float) -> str:
    if not math.isfinite(value):
        return str(value)
    if value.is_integer() and abs(value) < 1e6:
        return str(int(value))
    text = repr(value).removesuffix(".0")
    return re.sub(r"e([+-])0*(\d)", lambda m: f"e{m[1].replace('+', '')}{m[2]}", text)
