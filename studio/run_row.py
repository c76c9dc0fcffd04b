"""One line of the table of runs, made of small files: result, settings, title, marks."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from backend.core import phone_records
from backend.core.files import parse_json
from backend.core.run import Run
from studio.plotting.metrics import better
from studio.run_watch import FINAL, quick_state, read_json
from studio.words import is_moment

_FILES = ("result.json", "run.json", "studio.json", "graph.json", phone_records.FILE)


@dataclass(frozen=True)
class RunRow:
    """What the table of runs shows of one run."""

    name: str
    label: str = ""
    state: str = "queued"
    started: float = 0.0
    """Seconds since 1970."""
    seconds: float = 0.0
    status: str = ""
    """What the result says; ``state`` knows of runs without one, too."""
    error: str = ""
    best: dict[str, float] = field(default_factory=dict)
    """By ``node.metric``: the least or the most, whichever is better."""
    last: dict[str, float] = field(default_factory=dict)
    star: bool = False
    tags: tuple[str, ...] = ()
    note: str = ""
    phone: dict[str, float] = field(default_factory=dict)
    """Milliseconds for a frame by phone, as measured there."""
    sweep: str = ""
    set: dict[str, Any] = field(default_factory=dict)
    """What a sweep gave this run, by ``node.param``."""


def key_of(folder: Path) -> list[int]:
    """Return what tells whether a row is out of date: the times of the files it is made of."""
    return [_changed_ns(folder / name) for name in _FILES]


def read_row(folder: Path) -> RunRow | str:
    """Read the row of a run; a sentence when the folder is no run or cannot be read."""
    graph_file = folder / "graph.json"
    try:
        title = _title(graph_file)
    except FileNotFoundError:
        return f'"{folder.name}" is no run: it lacks graph.json. Delete it, or put the file back.'
    except OSError as error:
        return f'The run "{folder.name}" cannot be read ({error.strerror}).'
    run = Run(folder)
    result, settings = run.result, run.settings
    marks = read_json(folder / "studio.json")
    best, last = _figures(result.get("metrics", {}))
    status = str(result.get("status", ""))
    return RunRow(
        name=folder.name,
        label=str(marks.get("label") or title or folder.name),
        state=status if status in FINAL else quick_state(run),
        started=_started(folder),
        seconds=float(result.get("seconds", 0.0)),
        status=status,
        error=str(result.get("error", "")),
        best=best,
        last=last,
        phone=phone_records.median_ms(folder),
        sweep=_text(settings.get("sweep")),
        set=_mapping(settings.get("set")),
        **_marks(marks),
    )


def to_json(row: RunRow) -> dict[str, Any]:
    """Return a row as JSON data."""
    return dict(vars(row))


def from_json(data: Mapping[str, Any]) -> RunRow:
    """Return the row of JSON data that :func:`to_json` made.

    Raises:
        TypeError, KeyError: it is of another version.
    """
    known = {f.name for f in fields(RunRow)}
    values = {key: value for key, value in data.items() if key in known}
    return RunRow(**{**values, "tags": tuple(values["tags"])})


def _title(path: Path) -> str:
    """What the document calls itself; empty for a damaged one, whose results are still of use."""
    try:
        data = parse_json(path.read_bytes())
    except ValueError:
        return ""
    return str(data.get("name", "")) if isinstance(data, dict) else ""


def _figures(metrics: object) -> tuple[dict[str, float], dict[str, float]]:
    best, last = {}, {}
    for node, figures in _mapping(metrics).items():
        for name, value in _mapping(figures).items():
            with contextlib.suppress(KeyError, TypeError, ValueError):
                key = f"{node}.{name}"
                best[key] = float(value["min" if better(name) == "lower" else "max"])
                last[key] = float(value["last"])
    return best, last


def _marks(data: Mapping[str, Any]) -> dict[str, Any]:
    tags = data.get("tags")
    return {
        "star": bool(data.get("star")),
        "tags": tuple(map(str, tags)) if isinstance(tags, list) else (),
        "note": _text(data.get("note")),
    }


def _started(folder: Path) -> float:
    """When the first attempt began; when the run was made, if none did."""
    wrong = contextlib.suppress(OSError, ValueError, KeyError, TypeError, OverflowError)
    with wrong, open(folder / "events.jsonl", "rb") as file:
        began = float(parse_json(file.readline(65_536))["t"])
        if is_moment(began):
            return began
    return _changed_ns(folder / "graph.json") / 1e9


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _changed_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
