"""What the name of a metric says: its title, unit, better direction and how to write a value."""

from __future__ import annotations

import math
from typing import Literal

Better = Literal["", "higher", "lower"]

_TITLES = {
    "lr": "Learning rate",
    "macs": "MACs",
    "params": "Parameters",
    "bytes": "Size",
    "peak_bytes": "Peak memory",
    "fps": "Frames",
    "fid": "FID",
    "kid": "KID",
    "psnr": "PSNR",
    "ssim": "SSIM",
    "lpips": "LPIPS",
    "samples": "Samples",
    "train_seconds": "Training time",
    "1-KA": "1 - KA",
    "l1": "L1",
}
_WORDS = {
    "val": "validation",
    "top1": "top-1",
    "top5": "top-5",
    "acc": "accuracy",
    "l1": "L1",
    "psnr": "PSNR",
    "lr": "learning rate",
    "ort": "ONNX Runtime",
    "macs": "MACs",
    "ms": "",
    "seconds": "",
}
_PERCENT = ("top1", "top5", "acc", "accuracy", "agreement", "percent", "map", "miou")
_HIGHER = (*_PERCENT, "psnr", "ssim", "f1", "fps", "snr", "sqnr", "auc", "overlap")
_LOWER = ("loss", "error", "ms", "bytes", "params", "macs", "flops", "fid", "kid", "lpips")
_LOWER_TOO = (
    *("seconds", "s", "energy", "area", "latency", "memory", "size", "kb", "mb"),
    *("mse", "mae", "l1", "rmse", "err", "kl", "gap", "drop", "perplexity", "clipped", "1-ka"),
)
_COUNTS = ("params", "macs", "flops", "samples", "step", "epoch", "count")


_LOG = ("1-KA",)
"""Figures that approach 0 over orders of magnitude: their axis is logarithmic."""


def family(metric: str) -> tuple[str, str]:
    """Split a figure that every layer has: "1-KA blocks.2" is "1-KA" of "blocks.2".

    Such figures share a plot, one curve a layer. The second part is empty for all others.
    """
    whole, _, part = metric.partition(" ")
    return whole, part


def is_log(metric: str) -> bool:
    """Whether the axis of a metric is logarithmic without being asked."""
    return family(metric)[0] in _LOG


def words(metric: str) -> list[str]:
    """Return the words of a metric's name: ``val_top1`` gives ``["val", "top1"]``."""
    return [word for word in metric.replace(".", "_").replace("/", "_").lower().split("_") if word]


def title(metric: str) -> str:
    """Name of a metric for people: ``val_top1`` is "Validation top-1"."""
    if metric in _TITLES:
        return _TITLES[metric]
    whole, part = family(metric)
    if part:
        return f"{title(whole)}, {part}"
    text = " ".join(filter(None, (_WORDS.get(word, word) for word in words(metric)))) or metric
    return text[:1].upper() + text[1:]


def unit(metric: str) -> str:
    """Unit by the rule of the name; empty for a pure number such as a loss."""
    parts = words(family(metric)[0])
    last = parts[-1] if parts else ""
    if any(part in _PERCENT for part in parts):
        return "%"
    units = {"ms": "ms", "us": "µs", "seconds": "s", "s": "s", "bytes": "bytes", "bits": "bit"}
    units |= {"fps": "fps", "psnr": "dB", "snr": "dB", "sqnr": "dB", "macs": "MAC", "mb": "MB"}
    units |= {"energy": "J", "joules": "J", "watts": "W"}
    return units.get(last, "")


def better(metric: str) -> Better:
    """Which direction wins; empty when neither does, as for a learning rate."""
    parts = words(family(metric)[0])
    if any(part in _LOWER or part in _LOWER_TOO for part in parts):
        return "lower"
    if any(part in _HIGHER for part in parts):
        return "higher"
    return ""


def rank(metric: str) -> tuple[int, str]:
    """Sort key: accuracies first, then losses, then the rest; the learning rate last."""
    parts = words(metric)
    if metric == "lr":
        return 6, metric
    if "top1" in parts or "accuracy" in parts:
        return (1 if "val" in parts else 0), metric
    if unit(metric) == "%":
        return 2, metric
    if "loss" in parts or metric in _LOG:
        return 3, metric
    return (4 if better(metric) and unit(metric) != "s" else 5), metric


def number(value: float, metric: str = "") -> str:
    """Write a value in the digits that its metric deserves, without the unit."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    parts = words(metric)
    if unit(metric) == "%":
        return f"{value:.2f}"
    if parts and (parts[-1] in _COUNTS or parts[-1] == "bytes") and value == int(value):
        return f"{int(value):,}"
    size = abs(value)
    if size == 0:
        return "0"
    if size >= 1e7 or size < 1e-4:
        mantissa, exponent = f"{value:.2e}".split("e")
        return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
    if size >= 1000 and value == int(value):
        return f"{int(value):,}"
    digits = max(0, 3 - math.floor(math.log10(size)))
    return f"{value:.{min(digits, 6)}f}"


def with_unit(value: float, metric: str) -> str:
    """Write a value with its unit: "84.5 %", "1.9 ms", "317,356 bytes"."""
    suffix = unit(metric)
    return f"{number(value, metric)} {suffix}" if suffix else number(value, metric)


def split(key: str) -> tuple[str, str]:
    """Split ``node.metric`` into both; a key without a dot is a metric of no node."""
    node, dot, metric = key.partition(".")  # a name of a node has no dot, one of a layer may
    return (node, metric) if dot else ("", key)
