"""The table of all runs of a workspace, read in the background and kept for the next time."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from backend.core.errors import DocumentError, sentence
from backend.core.files import replace as move
from backend.core.files import write_atomic
from backend.core.run import Run
from studio.background import Background
from studio.run_row import RunRow, from_json, key_of, read_row, to_json
from studio.run_settings import Difference, difference
from studio.run_watch import UNFINISHED, is_taken, read_json
from studio.scan import run_names

if TYPE_CHECKING:
    from studio.runner import Runner

CACHE_VERSION = 1
_CHUNK = 250
_DELETED = ".deleted-"
_Kept = dict[str, tuple[list[int], RunRow]]


class RunIndex(QObject):
    """All runs, oldest first. Thousands of them are read without the window waiting."""

    changed = Signal()

    def __init__(self, runner: Runner, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._runner = runner
        self._workspace = runner.workspace
        self._cache = runner.workspace.cache / "runs.json"
        self._kept: _Kept = {}
        self._names: list[str] = []
        self._unfinished: set[str] = set()
        self._reading: object = None
        self.left_out: dict[str, str] = {}
        """Folders among the runs that are none, or cannot be read, each with a sentence."""
        self.is_loaded = False
        """Whether all runs have been looked at once."""
        self._background = Background("run index", self)
        runner.changed.connect(self._runs_changed)

    @property
    def rows(self) -> list[RunRow]:
        """Every run read so far, oldest first; the state of those that go on is that of now."""
        return [self._now(self._kept[name][1]) for name in self._names if name in self._kept]

    def row(self, name: str) -> RunRow | None:
        """Return the row of one run; None when there is no such run, or not yet."""
        return self._now(self._kept[name][1]) if name in self._kept else None

    def refresh(self) -> None:
        """Look for what changed, in the background; :attr:`changed` tells as it comes in."""
        self._reading = token = object()
        is_first = not self._kept
        self._background.do(lambda: self._look(is_first), lambda r: self._looked(token, r))

    def close(self) -> None:
        """End the background thread."""
        self._background.close()

    # -- marks -----------------------------------------------------------------------------------

    def set_star(self, name: str, on: bool) -> None:
        """Star a run, or take the star away."""
        self._mark(name, star=on)

    def set_tags(self, name: str, tags: Iterable[str]) -> None:
        """Give a run these tags and no others."""
        clean = [tag.strip() for tag in tags]
        self._mark(name, tags=list(dict.fromkeys(tag for tag in clean if tag)))

    def set_note(self, name: str, note: str) -> None:
        """Keep a text with a run."""
        self._mark(name, note=note)

    def set_label(self, name: str, label: str) -> None:
        """Call a run something else in tables and legends; its folder stays as it is."""
        self._mark(name, label=label.strip())

    # -- deeds -----------------------------------------------------------------------------------

    def diff(self, a: str, b: str) -> list[Difference]:
        """Return what two runs were given differently: ``(node.param, value in a, value in b)``.

        Defaults count as given. A node that only one of them has stands with its kind and None.

        Raises:
            DocumentError: one of them cannot be read.
        """
        return difference(self._runner.open(a), self._runner.open(b), self._runner.specs)

    def delete(self, name: str) -> None:
        """Delete a run's folder. Stored results that other runs use stay; clean-up frees others.

        Raises:
            DocumentError: the run waits or computes, or its folder may not be written to.
        """
        folder = self._workspace.runs / name
        if is_taken(Run(folder)):
            raise DocumentError(f'The run "{name}" is going on.', "Stop it before deleting it.")
        if name not in run_names(self._workspace):
            raise DocumentError(f'There is no run "{name}" any more.')
        # One step, so that never half a run is left among the others.
        grave = folder.with_name(f"{_DELETED}{uuid.uuid4().hex[:12]}")
        try:
            move(folder, grave)
        except OSError as error:
            raise DocumentError(sentence(error)) from error
        self._runner.forget(name)
        self._kept.pop(name, None)
        self.left_out.pop(name, None)
        self._names = [other for other in self._names if other != name]
        self._background.do(lambda: shutil.rmtree(grave, ignore_errors=True), lambda _: None)
        self.changed.emit()

    # -- reading: all of it in the background thread ---------------------------------------------

    def _look(self, is_first: bool) -> tuple[list[str], _Kept]:
        """Names of all runs, and, the first time, the rows that were kept."""
        for grave in self._workspace.runs.glob(f"{_DELETED}*"):
            shutil.rmtree(grave, ignore_errors=True)
        return run_names(self._workspace), _load(self._cache) if is_first else {}

    def _read(self, names: Sequence[str], kept: _Kept) -> dict[str, tuple[list[int], RunRow | str]]:
        found: dict[str, tuple[list[int], RunRow | str]] = {}
        for name in names:
            if self._background.is_closing:
                break
            folder = self._workspace.runs / name
            key = key_of(folder)
            known = kept.get(name)
            # What has no result may have died since, which no file tells.
            if known is None or known[0] != key or known[1].state in ("queued", "running"):
                found[name] = (key, _row(folder))
            else:
                found[name] = known
        return found

    # -- back in the window's thread -------------------------------------------------------------

    def _looked(self, token: object, result: object) -> None:
        if token is not self._reading or not isinstance(result, tuple):
            return
        self._names, kept = result
        self.left_out = {n: text for n, text in self.left_out.items() if n in set(self._names)}
        known = self._kept or kept
        self._kept = {name: known[name] for name in self._names if name in known}
        self._next(token, 0, changed=False)

    def _next(self, token: object, start: int, changed: bool) -> None:
        """Read the next piece; the newest runs first, since those are looked at."""
        names = self._names[::-1][start : start + _CHUNK]
        if names:
            kept = dict(self._kept)
            self._background.do(
                lambda: self._read(names, kept),
                lambda found: self._took(token, start, found, changed),
            )
            return
        self.is_loaded = True
        self._reading = None
        if changed:
            kept = dict(self._kept)
            self._background.do(lambda: _save(self._cache, kept), lambda _: None)
        self.changed.emit()

    def _took(self, token: object, start: int, found: object, changed: bool) -> None:
        if token is not self._reading or not isinstance(found, dict):
            return
        is_news = self._take(found)
        if is_news:
            self.changed.emit()
        self._next(token, start + _CHUNK, changed or is_news)

    def _take(self, found: dict[str, tuple[list[int], RunRow | str]]) -> bool:
        is_news = False
        for name, (key, row) in found.items():
            if isinstance(row, str):
                is_news |= self.left_out.get(name) != row
                self.left_out[name] = row
                self._kept.pop(name, None)
            elif self._kept.get(name) != (key, row):
                self.left_out.pop(name, None)
                self._kept[name] = (key, row)
                is_news = True
        return is_news

    def _runs_changed(self) -> None:
        """Read again those that began or ended; of the others only the state is another one."""
        now = {*self._runner.active, *self._runner.queued}
        touched = (now ^ self._unfinished) | {name for name in now if name not in self._kept}
        self._unfinished = now
        if touched:
            self.reread(touched)
        self.changed.emit()

    def reread(self, names: Iterable[str]) -> None:
        """Read some runs again, in the background."""
        wanted = sorted(names)
        self._background.do(lambda: self._read(wanted, {}), self._reread)

    def _reread(self, found: object) -> None:
        if not isinstance(found, dict):
            return
        here = {name for name in found if (self._workspace.runs / name).is_dir()}
        new = sorted(here - set(self._names))
        self._names = sorted({*self._names, *new}) if new else self._names
        if self._take({name: found[name] for name in here}):
            self.changed.emit()

    def _now(self, row: RunRow) -> RunRow:
        state = self._runner.known_state(row.name)
        return row if state in ("", row.state) else replace(row, state=state)

    def _mark(self, name: str, **values: Any) -> None:
        path = self._runner.open(name).path / "studio.json"
        try:
            write_atomic(path, json.dumps({**read_json(path), **values}, indent=1))
        except OSError as error:
            raise DocumentError(sentence(error)) from error
        found = self._read([name], {})
        if self._take(found):
            self.changed.emit()


def _row(folder: Path) -> RunRow | str:
    """One odd folder among thousands must not keep the others from being shown."""
    try:
        return read_row(folder)
    except Exception as error:
        return f'The run "{folder.name}" cannot be read ({sentence(error)})'


def _load(path: Path) -> _Kept:
    data = read_json(path)
    if data.get("version") != CACHE_VERSION or not isinstance(data.get("runs"), dict):
        return {}
    kept = {}
    for name, (key, row) in data["runs"].items():  # type: ignore[attr-defined]
        with suppress(TypeError, KeyError):
            kept[name] = (key, from_json(row))
    return kept


def _save(path: Path, kept: _Kept) -> None:
    rows = [(name, key, to_json(r)) for name, (key, r) in kept.items() if r.state not in UNFINISHED]
    # Row by row: one call for all of it would keep the window from its turn.
    runs = ",\n".join(f"{json.dumps(name)}: {json.dumps([key, row])}" for name, key, row in rows)
    with suppress(OSError):
        write_atomic(path, f'{{"version": {CACHE_VERSION}, "runs": {{\n{runs}\n}}}}\n')
