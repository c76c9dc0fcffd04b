"""Which pictures a run has, and what a picture can be compared with."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from backend.core import events as ev
from studio.docks.image_grid import Entry
from studio.docks.image_store import Place
from studio.run_fold import RunFold

Stream = tuple[str, str]
"""Node, and name of the picture."""
_MOST_RUNS = 20


@dataclass(frozen=True)
class Rival:
    """A picture to compare with: what the list says, what the label says, where it lies."""

    title: str
    label: str
    place: Place


def streams_of(fold: RunFold | None) -> dict[Stream, list[ev.Image]]:
    """Pictures of a run by node and name, in the order in which they came."""
    found: dict[Stream, list[ev.Image]] = {}
    for event in fold.images if fold is not None else ():
        found.setdefault((event.node, event.name), []).append(event)
    return found


def rivals_of(
    folder: Path,
    streams: dict[Stream, list[ev.Image]],
    stream: Stream,
    index: int,
    titles: dict[str, str],
    others: Iterable[Path] = (),
) -> list[Rival]:
    """List what the picture ``index`` of a stream can be compared with.

    Earlier pictures of the stream come first, then pictures of the same name of other nodes,
    then those of other runs (their folders are ``others``).
    """
    events = streams.get(stream, [])
    found = []
    if index > 0:
        found.append(_step(folder, events, index - 1, "The one before"))
    if index > 1:
        found.append(_step(folder, events, 0, "The first one"))
    for (node, name), theirs in streams.items():
        if name == stream[1] and node != stream[0]:
            title = titles.get(node, node)
            found.append(Rival(title, title, Place(folder, theirs[-1].path)))
    for (node, name), theirs in streams.items():
        if node == stream[0] and name != stream[1]:
            near = theirs[min(index, len(theirs) - 1)]
            found.append(Rival(name, name, Place(folder, near.path)))
    if 0 <= index < len(events):
        for other in others:
            path = same_picture(other, events[index].path)
            if path is not None:
                found.append(Rival(f"Run {other.name}", other.name, Place(other, path)))
    return found


def _step(folder: Path, events: list[ev.Image], index: int, title: str) -> Rival:
    label = f"{events[index].name} {index + 1}"
    return Rival(title, label, Place(folder, events[index].path))


def same_picture(folder: Path, path: str) -> str | None:
    """Path of the picture of that name in another run: the same number, else its newest."""
    if (folder / path).is_file():
        return path
    parent, _, file = path.rpartition("/")
    stem = re.sub(r"-?\d+$", "", Path(file).stem)
    try:
        names = [p.name for p in (folder / parent).iterdir()]
    except OSError:
        return None
    mine = [n for n in names if re.fullmatch(re.escape(stem) + r"-?\d*\.png", n)]
    return f"{parent}/{max(mine)}" if mine else None


def other_runs(runs: Path, own: str, marked: Iterable[str]) -> list[Path]:
    """Folders of the marked runs, then of the newest ones; without ``own``."""
    try:
        names = sorted((p.name for p in runs.iterdir() if p.is_dir()), reverse=True)
    except OSError:
        names = []
    wanted = [*marked, *names[:_MOST_RUNS]]
    return [runs / name for name in dict.fromkeys(wanted) if name != own]


def entries_of(
    folder: Path,
    streams: dict[Stream, list[ev.Image]],
    stream: Stream | None,
    title: Callable[[str], str],
) -> list[Entry]:
    """List thumbnails: every step of the stream; the newest of each where it has but one."""
    events = streams.get(stream, []) if stream is not None else []
    if stream is not None and len(events) > 1:
        return [
            Entry(f"{stream[1]} {n + 1}", Place(folder, event.path), (stream, n))
            for n, event in enumerate(events)
        ]
    return [
        Entry(f"{title(key[0])}, {key[1]}", Place(folder, events[-1].path), (key, -1))
        for key, events in streams.items()
    ]
