"""How good a classifier is, how much two of them differ, and whether that could be chance.

Accuracies are in percent. Every one stands beside its number of samples.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from backend.data.manifest import ImageSet
from backend.data.preprocess import ImageInput

_NORMAL_95 = 1.959963984540054  # the 97.5 % quantile of the normal distribution


class MetricError(ValueError):
    """Figures that cannot be computed; the message says why."""

    for_user = True


@dataclass(frozen=True)
class Classification:
    """The score of a classifier on N labelled pictures of K classes.

    ``top5`` counts a picture as right if its label is among the five largest logits (among all,
    where K is below five). ``loss`` is the mean cross entropy in nats. ``confusion`` (K, K) int64
    counts true class by predicted class. ``per_class`` (K,) is the accuracy of each class, NaN for
    an absent one. ``predictions`` (N,) int64.
    """

    top1: float
    top5: float
    loss: float
    samples: int
    confusion: np.ndarray
    per_class: np.ndarray
    predictions: np.ndarray

    @property
    def top1_interval(self) -> tuple[float, float]:
        """The 95 % Wilson interval of ``top1``."""
        return wilson(self.top1, self.samples)

    @property
    def top5_interval(self) -> tuple[float, float]:
        """The 95 % Wilson interval of ``top5``."""
        return wilson(self.top5, self.samples)


class Paired(NamedTuple):
    """A mean difference over ``n`` seeds and its standard error (NaN for one seed)."""

    mean: float
    stderr: float
    n: int


class McNemar(NamedTuple):
    """Samples that only one of two classifiers gets right; two-sided p-values of equal skill."""

    only_a: int
    only_b: int
    p_exact: float
    p_mid: float


def classify(
    module: nn.Module,
    images: ImageSet,
    image: ImageInput,
    batch: int = 256,
    device: torch.device | str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> Classification:
    """Score ``module``, which answers (N, C, H, W) float32 with logits (N, K).

    It is moved to ``device``, runs in evaluation mode and is left in the mode it was in.
    ``progress`` is told the pictures done and their number; ``ctx.progress`` fits.

    Raises:
        MetricError: no pictures, not-a-number among the logits, or labels beyond K.
    """
    return score(logits(module, images, image, batch, device, progress), images.labels)


def logits(
    module: nn.Module,
    images: ImageSet,
    image: ImageInput,
    batch: int = 256,
    device: torch.device | str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Return the logits (N, K) float32 of all ``images``, in their order; see ``classify``.

    Raises:
        MetricError: no pictures.
    """
    n = len(images)
    if n == 0:
        raise MetricError("There are no pictures to evaluate on; choose a split that has some.")
    modes = [(part, part.training) for part in module.modules()]
    module.to(device).eval()
    answers = []
    try:
        with torch.no_grad():
            for start in range(0, n, batch):
                chosen = np.arange(start, min(start + batch, n))
                answer = module(image.batch(images.take(chosen), device))
                answers.append(answer.float().cpu().numpy())
                if progress is not None:
                    progress(int(chosen[-1]) + 1, n)
    finally:
        # Part by part: a frozen batch norm inside a training network must stay frozen.
        for part, mode in modes:
            part.training = mode
    return np.concatenate(answers)


def score(logits: np.ndarray, labels: np.ndarray) -> Classification:
    """Score ``logits`` (N, K) against ``labels`` (N,).

    Raises:
        MetricError: not-a-number among the logits, or labels beyond K.
    """
    n, classes = logits.shape
    broken = int(np.isnan(logits).any(axis=1).sum())
    if broken:
        raise MetricError(
            f"The network answers {broken} of {n} pictures with not-a-number; its weights are "
            "broken, so train it again with a lower learning rate."
        )
    if labels.max() >= classes:
        raise MetricError(
            f"The network tells {classes} classes apart, but the data have the label "
            f"{labels.max()}; choose a network with at least {labels.max() + 1} outputs."
        )
    # A stable sort of the negative makes ties go to the lower class, as argmax does.
    ranked = np.argsort(-logits, axis=1, kind="stable")[:, :5]
    predictions = ranked[:, 0].astype(np.int64)
    confusion = np.bincount(labels * classes + predictions, minlength=classes**2)
    confusion = confusion.reshape(classes, classes)
    totals = confusion.sum(axis=1)
    with np.errstate(invalid="ignore"):
        per_class = 100 * np.diag(confusion) / totals
    return Classification(
        top1=100 * float((predictions == labels).mean()),
        top5=100 * float((ranked == labels[:, None]).any(axis=1).mean()),
        loss=_cross_entropy(logits, labels),
        samples=n,
        confusion=confusion,
        per_class=per_class,
        predictions=predictions,
    )


def agreement(a: np.ndarray, b: np.ndarray) -> float:
    """Return how often two classifiers predict the same, in percent.

    ``a`` and ``b`` are predictions (N,), or logits (N, K), of the same samples.
    """
    first, second = (np.argmax(x, axis=1) if np.ndim(x) == 2 else np.asarray(x) for x in (a, b))
    _require_pairs(first, second)
    return 100 * float((first == second).mean())


def sqnr_db(reference: np.ndarray, other: np.ndarray) -> float:
    """Return the signal to quantization noise ratio in dB, infinite if the two are equal.

    10 log10( sum r^2 / sum (r - o)^2 ), over arrays of the same shape.
    """
    r, o = np.asarray(reference, np.float64), np.asarray(other, np.float64)
    _require_pairs(r, o)
    signal, noise = float((r**2).sum()), float(((r - o) ** 2).sum())
    if noise == 0:
        return math.inf
    return 10 * math.log10(signal / noise) if signal else -math.inf


def wilson(percent: float, samples: int) -> tuple[float, float]:
    """Return the 95 % interval of a share of ``samples``, in percent.

    Source: Wilson, Probable inference, the law of succession, and statistical inference, JASA 1927.
    """
    p, z2 = percent / 100, _NORMAL_95**2 / samples
    centre = (p + z2 / 2) / (1 + z2)
    half = math.sqrt(z2 * (p * (1 - p) + z2 / 4)) / (1 + z2)
    return 100 * max(centre - half, 0.0), 100 * min(centre + half, 1.0)


def paired_difference(a: Sequence[float], b: Sequence[float]) -> Paired:
    """Return the mean of ``a`` - ``b`` over seeds and its standard error, s / sqrt(n).

    Entry i of both is of the same seed, so what a seed does to both cancels.
    """
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    _require_pairs(first, second)
    difference = first - second
    n = len(difference)
    stderr = float(difference.std(ddof=1)) / math.sqrt(n) if n > 1 else math.nan
    return Paired(float(difference.mean()), stderr, n)


def mcnemar(a_right: np.ndarray, b_right: np.ndarray) -> McNemar:
    """Test whether two classifiers are equally good, from what each gets right: bool (N,).

    With only_a + only_b = n and X of the binomial distribution (n, 1/2), both two-sided:
    p_exact = min(1, 2 P(X <= k)), p_mid = 2 P(X <= k) - P(X = k), k the smaller count.

    Source: Fagerland, Lydersen, Laake, The McNemar test for binary matched-pairs data, BMC Medical
    Research Methodology 13:91, 2013, "Methods".
    """
    a, b = np.asarray(a_right, bool), np.asarray(b_right, bool)
    _require_pairs(a, b)
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    n, k = only_a + only_b, min(only_a, only_b)
    term = below = 1  # binomial coefficients, exact because they are integers
    for i in range(k):
        term = term * (n - i) // (i + 1)
        below += term
    p_exact = min(1.0, 2 * below / 2**n)
    # With equal counts both sides share the middle term and the formula gives one.
    p_mid = 1.0 if only_a == only_b else (2 * below - term) / 2**n
    return McNemar(only_a, only_b, p_exact, p_mid)


def _cross_entropy(logits: np.ndarray, labels: np.ndarray) -> float:
    z = logits.astype(np.float64)
    top = z.max(axis=1)
    with np.errstate(invalid="ignore"):  # an infinite logit gives NaN, which is the honest answer
        sums = np.log(np.exp(z - top[:, None]).sum(axis=1)) + top
        return float((sums - z[np.arange(len(z)), labels]).mean())


def _require_pairs(a: np.ndarray, b: np.ndarray) -> None:
    if a.shape != b.shape or a.size == 0:
        raise MetricError(
            f"Only results of the same samples can be compared, not {a.shape} with {b.shape}."
        )
