"""Random numbers as a function of their coordinates: no state, so no order to keep.

Asking twice for the number at (seed, stream, epoch, index) gives the same number, whatever was
asked in between. Batch order, resuming and the thread count cannot change it.

Source: Steele, Lea, Flood, Fast splittable pseudorandom number generators, OOPSLA 2014 (the mixing
function, with the constants of D. Stafford's variant 13); Salmon et al., Parallel random numbers:
as easy as 1, 2, 3, SC 2011 (the idea of counters).
"""

from __future__ import annotations

import zlib

import numpy as np

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


def bits(seed: int, stream: str, *keys: int | np.ndarray) -> np.ndarray:
    """Return 64 random bits for each index: uint64, of the shape to which ``keys`` broadcast.

    ``stream`` names what the numbers are for, so that two uses of one seed are independent.
    """
    state = _mix(_word(seed) + _GOLDEN * _word(zlib.crc32(stream.encode())))
    for key in keys:
        # Mixing between two keys keeps (1, 2) apart from (2, 1).
        state = _mix(state + _GOLDEN * (_word(key) + np.uint64(1)))
    return state


def uniform(seed: int, stream: str, *keys: int | np.ndarray) -> np.ndarray:
    """Return float64 numbers in [0, 1), multiples of 2^-53."""
    return (bits(seed, stream, *keys) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def integers(high: int | np.ndarray, seed: int, stream: str, *keys: int | np.ndarray) -> np.ndarray:
    """Return int64 numbers in 0 .. ``high`` - 1 (each bias below 2^-53 * ``high``)."""
    return (uniform(seed, stream, *keys) * high).astype(np.int64)


def permutation(n: int, seed: int, stream: str, *keys: int) -> np.ndarray:
    """Return the numbers 0 .. ``n`` - 1 in random order, int64."""
    return np.argsort(bits(seed, stream, *keys, np.arange(n)), kind="stable")


def _word(value: int | np.ndarray) -> np.ndarray:
    if isinstance(value, int):  # of any size and sign: keep the low 64 bits
        value &= 0xFFFFFFFFFFFFFFFF
    # Arrays, because numpy warns when a uint64 scalar wraps and wrapping is what is wanted.
    return np.atleast_1d(np.asarray(value)).astype(np.uint64)


def _mix(z: np.ndarray) -> np.ndarray:
    z = (z ^ (z >> np.uint64(30))) * _FIRST
    z = (z ^ (z >> np.uint64(27))) * _SECOND
    return z ^ (z >> np.uint64(31))
