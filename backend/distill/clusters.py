"""Choosing few of many by clusters: training pictures, and concepts for a base network.

Source: Gong et al., E2GAN, ICML 2024, sec. 3.4: cluster, then keep what is nearest to the centres.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

Selection = Literal["nearest", "random", "farthest"]

_SIDE = 16  # pixels that pictures are made to for their colours and coarse shapes


class ClusterError(ValueError):
    """A choice that cannot be made; the message says how many there are."""

    for_user = True


def kmeans(points: np.ndarray, k: int, *, seed: int = 0, rounds: int = 100) -> np.ndarray:
    """Return the cluster (0..k-1) of each point (N, D); k-means++ start, Lloyd's iterations.

    Empty clusters take over the point that lies farthest from its centre.

    Raises:
        ClusterError: fewer points than clusters, or a point that is not finite.
    """
    points = np.asarray(points, np.float64)
    if not 1 <= k <= len(points):
        raise ClusterError(f"{k} clusters cannot be made of {len(points)} items; ask for fewer.")
    if not np.isfinite(points).all():
        raise ClusterError("A feature is not a finite number; look for a broken picture.")
    generator = np.random.default_rng(seed)
    centres = _plus_plus(points, k, generator)
    labels = np.full(len(points), -1)
    for _ in range(rounds):
        distance = _distances(points, centres)
        new = distance.argmin(1)
        for empty in sorted(set(range(k)) - set(new.tolist())):
            sizes = np.bincount(new, minlength=k)
            own = distance[np.arange(len(points)), new]
            lonely = int(np.where(sizes[new] > 1, own, -1).argmax())
            new[lonely] = empty
        if (new == labels).all():
            break
        labels = new
        centres = np.stack([points[labels == c].mean(0) for c in range(k)])
    return labels


def choose(
    features: np.ndarray,
    count: int,
    *,
    how: Selection = "nearest",
    each: int = 1,
    directions: bool = True,
    seed: int = 0,
) -> np.ndarray:
    """Return ``count`` distinct indices of ``features`` (N, D), in rising order.

    "nearest" makes ``count / each`` clusters and takes the ``each`` points nearest to each centre;
    where a cluster has fewer, others give more. "farthest" takes points far from all chosen ones;
    "random" is the baseline. With ``directions`` features are compared at unit length, which suits
    those of networks; else as they are.

    Raises:
        ClusterError: ``count`` is above N.
    """
    if not 1 <= count <= len(features):
        raise ClusterError(f"{count} of {len(features)} items cannot be chosen; ask for fewer.")
    if how == "random":
        picked = np.random.default_rng(seed).permutation(len(features))[:count]
        return np.sort(picked)
    points = _points(features, directions)
    if how == "farthest":
        return _farthest(points, count, seed)
    labels = kmeans(points, -(-count // each), seed=seed)
    turns = np.zeros(len(points), np.int64)  # 0 for the nearest of its cluster, 1 for the next
    gaps = np.zeros(len(points))
    for cluster in range(labels.max() + 1):
        members = np.flatnonzero(labels == cluster)
        gaps[members] = _distances(points[members], points[members].mean(0, keepdims=True))[:, 0]
        turns[members[np.argsort(gaps[members], kind="stable")]] = np.arange(len(members))
    return np.sort(np.lexsort((gaps, turns))[:count])


def coverage(features: np.ndarray, chosen: np.ndarray, *, directions: bool = True) -> float:
    """Return the mean distance of features (N, D) to the nearest of those ``chosen``."""
    points = _points(features, directions)
    return float(np.sqrt(_distances(points, points[chosen]).min(1)).mean())


def pixel_features(pictures: np.ndarray, components: int = 32) -> np.ndarray:
    """Return principal components (N, D) of pictures (N, H, W, 3) uint8, made small before.

    They tell colours and coarse shapes, and need no network. Their length counts: the mean is
    taken off, so that what is usual lies near zero, in no direction of its own.

    Raises:
        ClusterError: pictures of less than 16 pixels.
    """
    n, high, wide = pictures.shape[:3]
    if min(high, wide) < _SIDE:
        raise ClusterError(
            f"Pictures of {high} x {wide} pixels are too small to be compared; take {_SIDE} or "
            "more."
        )
    rows, columns = (np.linspace(0, side, _SIDE + 1).round().astype(int) for side in (high, wide))
    sums = np.add.reduceat(pictures.astype(np.float64), rows[:-1], 1)
    sums = np.add.reduceat(sums, columns[:-1], 2)
    areas = np.diff(rows)[:, None, None] * np.diff(columns)[None, :, None]
    flat = (sums / areas).reshape(n, -1) / 255
    flat = flat - flat.mean(0)
    left, scale, _ = np.linalg.svd(flat, full_matrices=False)
    return left[:, :components] * scale[:components]


def _points(features: np.ndarray, directions: bool) -> np.ndarray:
    points = np.asarray(features, np.float64)
    if not directions:
        return points
    return points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-12)


def _farthest(points: np.ndarray, count: int, seed: int) -> np.ndarray:
    chosen = [int(np.random.default_rng(seed).integers(len(points)))]
    nearest = _distances(points, points[chosen])[:, 0]
    while len(chosen) < count:
        nearest[chosen] = -1
        chosen.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, _distances(points, points[chosen[-1:]])[:, 0])
    return np.sort(np.array(chosen))


def _plus_plus(points: np.ndarray, k: int, generator: np.random.Generator) -> np.ndarray:
    centres = [points[generator.integers(len(points))]]
    nearest = _distances(points, np.stack(centres))[:, 0]
    while len(centres) < k:
        total = nearest.sum()
        weights = nearest / total if total > 0 else np.full(len(points), 1 / len(points))
        centres.append(points[generator.choice(len(points), p=weights)])
        nearest = np.minimum(nearest, _distances(points, centres[-1][None])[:, 0])
    return np.stack(centres)


def _distances(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    square = (points**2).sum(1)[:, None] - 2 * points @ centres.T + (centres**2).sum(1)[None]
    return np.maximum(square, 0)
