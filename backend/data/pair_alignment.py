"""Whether the two pictures of a pair belong together: structure against chance, and shifts.

A target is compared with its own source and with other sources. How often its own one fits better
is 1/2 for pairs that were mixed up, whatever the edit does to edges and colours. Measured: of 26
painting styles on 16 photos of 256 px each, 25 have 0.95 to 1.00 in edges and in colours, style 17
(which leaves hardly an edge) 0.64 and 0.82; 67 emoji of two makers 0.78 and 0.86. The same mixed up
have at most 0.62 in either. Targets that lie 20 px off are found for 25 styles and for the emoji,
to the pixel for the styles; not for style 17, which at 128 px leaves nothing of a photo at all
and is taken for mixed up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LEAST = 8
"""Pairs, below which chance cannot be told from structure."""

_EDGE_CELLS, _COLOUR_CELLS = 64, 32  # along the longer side
_FAR = 0.03  # of the longer side: shifts below it are the edit's, or the camera's
_COMMON_GAIN, _OWN_GAIN = 0.03, 0.2  # of correlation, by sliding all pairs alike or each
_SHARED = 0.3  # of the mean gain of each, which a shift that all have in common gives
_MOVED = 1 / 3  # of the pairs
# Scores of three quarters of a set whose pairs fit, and of a pair in it that does not.
_CLEAR, _STRANGE = 0.97, 0.75


@dataclass(frozen=True)
class Alignment:
    """What a set of pairs looks like.

    ``edges`` and ``colours`` are how often a target fits its own source better than another one
    (0.5: by chance). ``shift`` is how many pixels (down, right) all targets lie off together, and
    ``gain`` by how much their edges correlate better there; ``moved`` is the share of pairs that
    fit clearly better at some shift of their own. ``scores`` (N,) are the better one of both for
    each pair: small where a target does not fit its source.
    """

    edges: float
    colours: float
    shift: tuple[int, int]
    gain: float
    moved: float
    scores: np.ndarray

    @property
    def score(self) -> float:
        """The better one of ``edges`` and ``colours``: an edit may change one of them freely."""
        return max(self.edges, self.colours)

    @property
    def strangers(self) -> np.ndarray:
        """Which pairs look like two pictures while the others fit, worst first."""
        order = np.argsort(self.scores, kind="stable")
        is_clear = np.quantile(self.scores, 0.25) >= _CLEAR
        return order[self.scores[order] < _STRANGE] if is_clear else order[:0]

    def problem(self, least: float) -> str:
        """Return what is wrong in words, or nothing where ``score`` is at least ``least``."""
        if self.moved >= _MOVED or self.shift != (0, 0):
            where = f"{self.moved:.0%} of the targets fit their sources better elsewhere"
            if self.shift != (0, 0):
                down, right = self.shift
                where = f"the targets lie about {down} px down and {right} px right of the sources"
            return f"are shifted: {where}"
        if self.score < least:
            return (
                f"do not belong together: a target fits its own source better than another in "
                f"{self.score:.0%} of cases, and chance gives 50 %"
            )
        return ""


def alignment(
    sources: np.ndarray, targets: np.ndarray, photos: np.ndarray | None = None
) -> Alignment | None:
    """Compare sources and targets (N, H, W, 3) uint8; None for fewer than :data:`LEAST` photos.

    ``photos`` (N,) says which pairs are of one photo: their targets are no strangers.
    """
    photos = np.arange(len(sources)) if photos is None else photos
    strangers = photos[:, None] != photos[None, :]
    if len(np.unique(photos)) < LEAST:
        return None
    one, other = _normed(edge_maps(sources)), _normed(edge_maps(targets))
    edges = _better(np.einsum("iyx,jyx->ij", one, other), strangers)
    colours = _better(_explained(_coarse(sources), _coarse(targets)), strangers)
    scale = max(sources.shape[1:3]) / max(one.shape[1:])
    common, gain, moved = _shifts(one, other, scale, max(sources.shape[1:3]))
    scores = np.maximum(edges, colours)
    return Alignment(float(edges.mean()), float(colours.mean()), common, gain, moved, scores)


def edge_maps(pictures: np.ndarray) -> np.ndarray:
    """Return gradient magnitudes of the brightness of pictures (B, H, W, 3) uint8, as (B, h, w).

    Brightness is averaged over blocks first, so that the longer side has about 64 cells.
    """
    grey = _blocks(pictures, _EDGE_CELLS).mean(3)
    down, right = np.gradient(grey, axis=(1, 2))
    return np.hypot(down, right)


def _blocks(pictures: np.ndarray, cells: int) -> np.ndarray:
    """Return means over square blocks, (B, h, w, 3) float32."""
    height, width = pictures.shape[1:3]
    block = max(1, round(max(height, width) / cells))
    high, wide = height // block, width // block
    cut = pictures[:, : high * block, : wide * block].astype(np.float32)
    return cut.reshape(len(cut), high, block, wide, block, 3).mean((2, 4))


def _normed(maps: np.ndarray) -> np.ndarray:
    maps = maps - maps.mean((1, 2), keepdims=True)
    return maps / np.sqrt((maps**2).sum((1, 2), keepdims=True) + 1e-9)


def _coarse(pictures: np.ndarray) -> np.ndarray:
    small = _blocks(pictures, _COLOUR_CELLS)
    return small.reshape(len(small), -1, 3).astype(np.float64)


def _explained(sources: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return what part of target j's variance a 3 x 4 colour matrix of source i explains, (N, N).

    Both are (N, cells, 3).
    """
    count, cells, _ = targets.shape
    ones = np.ones((count, cells, 1))
    bases, _ = np.linalg.qr(np.concatenate([ones, sources], 2))  # (N, cells, 4)
    centred = targets - targets.mean(1, keepdims=True)
    total = (centred**2).sum((1, 2))
    flat = centred.transpose(1, 0, 2).reshape(cells, 3 * count)
    found = np.stack([((basis.T @ flat) ** 2).sum(0) for basis in bases])
    return found.reshape(count, count, 3).sum(2) / np.maximum(total, 1e-9)


def _better(fits: np.ndarray, strangers: np.ndarray) -> np.ndarray:
    """Return how often pair i fits better than source j with target i, a share for each i."""
    own = np.diag(fits)
    wins = (own[None, :] > fits) + 0.5 * (own[None, :] == fits)  # (source j, target i)
    return (wins * strangers).sum(0) / strangers.sum(0)


def _shifts(
    one: np.ndarray, other: np.ndarray, scale: float, longer: int
) -> tuple[tuple[int, int], float, float]:
    """Slide targets over sources; return the common shift in px, its gain, the share of moved."""
    high, wide = one.shape[1:]
    size = (2 * high, 2 * wide)
    product = np.conj(np.fft.rfft2(one, size)) * np.fft.rfft2(other, size)
    reach = max(high, wide) // 3
    near = np.arange(-reach, reach + 1)
    surface = np.fft.irfft2(product, size)[:, near][:, :, near]
    far = np.hypot(near[:, None], near[None, :]) * scale > max(_FAR * longer, 2.0)
    still = np.where(far, -np.inf, surface).max((1, 2))
    away = np.where(far, surface, -np.inf)
    gains = away.max((1, 2)) - still
    moved = float((gains > _OWN_GAIN).mean())
    mean = surface.mean(0)
    gain = float(mean[far].max() - mean[~far].max())
    if gain < max(_COMMON_GAIN, _SHARED * gains.mean()):
        return (0, 0), max(gain, 0.0), moved
    place = np.unravel_index(np.where(far, mean, -np.inf).argmax(), mean.shape)
    down, right = (round(float((i - reach) * scale)) for i in place)
    return (down, right), gain, moved
