"""Measures how long ONNX files take on this computer's processor."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from backend.export.runtime import PROVIDER, session

_TYPES = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8, "tensor(int8)": np.int8}
_LEAST_RUNS = 3


@dataclass(frozen=True)
class Latency:
    """Wall time of one inference in ONNX Runtime, in milliseconds."""

    median_ms: float
    p10_ms: float
    p90_ms: float
    runs: int
    threads: int
    provider: str


def ort_latency(
    path: str | Path | bytes,
    *,
    shape: Sequence[int] | None = None,
    threads: int = 1,
    warmup: int = 3,
    seconds: float = 1.0,
    runs: int | None = None,
    optimize: bool = True,
) -> Latency:
    """Time one ONNX file (or the bytes of one) on a random input.

    Args:
        path: the file.
        shape: shape of the input (N, C, H, W); None: that of the file, with 1 for what is open.
        threads: threads of one operator. They do not spin between runs.
        warmup: runs that are not counted.
        seconds: how long to measure, at least three runs; the default gives steady medians.
        runs: number of runs, instead of ``seconds``.
        optimize: with ONNX Runtime's graph optimisations, as users run it.

    Raises:
        FileError: the file cannot be opened.
    """
    return compare_latency(
        [path],
        shape=shape,
        threads=threads,
        warmup=warmup,
        seconds=seconds,
        runs=runs,
        optimize=optimize,
    )[0]


def compare_latency(
    paths: Sequence[str | Path | bytes],
    *,
    shape: Sequence[int] | None = None,
    threads: int = 1,
    warmup: int = 3,
    seconds: float = 1.0,
    runs: int | None = None,
    optimize: bool = True,
) -> list[Latency]:
    """Time several files in turn, one run each, so that a busy moment falls on all of them.

    Arguments as in `ort_latency`; ``seconds`` is for each file. The i-th answer is for the i-th
    path.
    """
    if runs is not None and runs < 1:
        raise ValueError(f"runs is {runs}; at least one run is needed")
    opened = [session(path, optimize=optimize, threads=threads) for path in paths]
    feeds = [_feed(run.get_inputs(), shape) for run in opened]
    times: list[list[float]] = [[] for _ in opened]
    for _ in range(warmup):
        for run, feed in zip(opened, feeds, strict=True):
            run.run(None, feed)
    end = time.perf_counter() + seconds * len(opened)
    done = 0
    while done < (runs or _LEAST_RUNS) or (runs is None and time.perf_counter() < end):
        for run, feed, record in zip(opened, feeds, times, strict=True):
            start = time.perf_counter()
            run.run(None, feed)
            record.append(time.perf_counter() - start)
        done += 1
    return [_summary(record, threads) for record in times]


def size_bytes(path: str | Path) -> int:
    """Size of the file in bytes."""
    return Path(path).stat().st_size


def _summary(record: list[float], threads: int) -> Latency:
    low, median, high = (1e3 * float(value) for value in np.percentile(record, (10, 50, 90)))
    return Latency(median, low, high, len(record), threads, PROVIDER)


def _feed(inputs: Sequence, shape: Sequence[int] | None) -> dict[str, np.ndarray]:
    """Random values for every input; ``shape`` is for the first."""
    generator = np.random.default_rng(0)
    feed = {}
    for i, entry in enumerate(inputs):
        own = tuple(size if isinstance(size, int) else 1 for size in entry.shape)
        values = generator.standard_normal(tuple(shape) if shape is not None and i == 0 else own)
        feed[entry.name] = values.astype(_TYPES.get(entry.type, np.float32))
    return feed
