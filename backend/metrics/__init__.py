"""How good networks are, and whether a difference could be chance: classifiers and edited pictures.

Classifiers are scored in :mod:`backend.metrics.classification`, whose names are here as well;
edited pictures in ``images``, ``kid`` and ``colour``.
"""

from __future__ import annotations

from backend.metrics.classification import (
    Classification,
    McNemar,
    MetricError,
    Paired,
    agreement,
    classify,
    logits,
    mcnemar,
    paired_difference,
    score,
    sqnr_db,
    wilson,
)

__all__ = [
    "Classification",
    "McNemar",
    "MetricError",
    "Paired",
    "agreement",
    "classify",
    "logits",
    "mcnemar",
    "paired_difference",
    "score",
    "sqnr_db",
    "wilson",
]
