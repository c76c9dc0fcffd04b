"""Keeps what a node showed with its result, so a run that takes the result shows it as well."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from backend.core import events as ev
from backend.core.run import Run
from backend.engine.recorder import Recorder

_KEPT = (ev.Metric, ev.View, ev.Image, ev.Log)


def keep(run: Run, node: str, folder: Path) -> None:
    """Write the events that ``node`` emitted, and the files that they name, into ``folder``."""
    lines = []
    for event in run.events():
        if not isinstance(event, _KEPT) or event.node != node:
            continue
        record: dict[str, Any] = json.loads(ev.to_line(event))
        if record.get("path"):
            source = run.path / record["path"]
            target = folder / "shown" / source.name
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(source, target)
            record["path"] = source.name
        lines.append(json.dumps(record))
    (folder / "events.jsonl").write_text("".join(line + "\n" for line in lines))


def show(recorder: Recorder, node: str, folder: Path) -> None:
    """Write the events kept in ``folder`` into a run, as those of ``node``."""
    kept = folder / "events.jsonl"
    if not kept.is_file():
        return
    for line in kept.read_text().splitlines():
        record = json.loads(line)
        record["node"] = node
        if record.get("path"):
            target = recorder.run.node_folder(node) / "shown" / Path(record["path"]).name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / "shown" / target.name, target)
            record["path"] = target.relative_to(recorder.run.path).as_posix()
        event = ev.parse_line(json.dumps(record))
        if event is not None:
            recorder.write(event)
