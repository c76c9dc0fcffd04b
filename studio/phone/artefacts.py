"""Exported networks among the outputs of runs: what can be pushed to a phone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from backend.core.errors import DocumentError
from backend.core.files import inside, parse_json, slug
from backend.core.workspace import Workspace
from studio.phone.edit import Edit

_RUNS = 30
"""Newest runs that are looked through for the list of edits."""


def edit_id(name: str) -> str:
    """Return the id of an edit that is called ``name``: a newer version has the same."""
    made = re.sub(r"[^a-z0-9_-]+", "-", slug(name).lower()).strip("-_")
    return made[:64] or "edit"


def read_edit(folder: Path, run: str = "", node: str = "", **more: Any) -> Edit:
    """Return the edit of an artefact folder. The file itself is checked by the bridge.

    Raises:
        DocumentError: it is no exported network, or none that turns a picture into a picture.
    """
    try:
        record = parse_json((folder / "artifact.json").read_bytes())
        facts = _mapping(record["facts"])
        files = [str(record["path"])]
        count = int(record["bytes"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DocumentError(
            f'"{folder.name}" holds no exported network.', "Export one, then push it."
        ) from error
    if facts.get("task") != "image_to_image":
        raise DocumentError(
            f'"{files[0]}" does not turn a picture into a picture, so a phone cannot show it.',
            "Push the export of a generator.",
        )
    weights = _mapping(facts.get("weights"))
    count += int(weights.get("bytes") or 0)
    label = str(facts.get("label") or node or folder.name)[:60]
    graph = _graph_name(Path(run)) if run else ""
    name = graph.replace("-", " ").replace("_", " ").strip().capitalize()[:60] or label
    # The epochs of a set of concepts are its base's, which nobody is training here.
    epoch = None if facts.get("concepts") else facts.get("epoch", facts.get("epochs"))
    return Edit(
        id=edit_id(f"{graph} {label}"),
        name=name,
        folder=str(folder),
        bytes=count,
        run=run,
        node=node,
        kind="adapter" if facts.get("adapter") else "",
        thumb=file_in(folder, facts.get("thumb")),
        epoch=int(epoch) if isinstance(epoch, int | float) else None,
        **more,
    )


def edit_of(workspace: Workspace, run: str, node: str) -> Edit:
    """Return the edit that a node of a run exported.

    Raises:
        DocumentError: it exported none, or what it exported is no edit.
    """
    for folder in artefact_folders(workspace, run, node):
        return read_edit(folder, str(workspace.runs / run), node)
    raise DocumentError(
        f"{node} exported no network in this run.", "Run an Export node, then push what it gave."
    )


def artefact_folders(workspace: Workspace, run: str, node: str) -> list[Path]:
    """Return the folders of the artefacts that a node of a run gave; empty when there is none."""
    try:
        note = inside(workspace.runs, run) / "nodes" / node / "outputs.json"
        known = parse_json(note.read_bytes())
        stored = inside(workspace.store, str(known["fingerprint"]))
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return sorted(file.parent for file in stored.glob("**/artifact.json"))


def all_edits(workspace: Workspace, first: str = "") -> list[Edit]:
    """Return what the newest runs exported, newest first, one for each name; reads many files.

    ``first`` is a run whose edits come before all others.
    """
    found: dict[str, Edit] = {}
    for folder, run, node in exported_folders(workspace, first):
        try:
            edit = read_edit(folder, str(run), node)
        except DocumentError:
            continue
        found.setdefault(edit.id, edit)
    return list(found.values())


def exported_folders(workspace: Workspace, first: str = "") -> Iterator[tuple[Path, Path, str]]:
    """Yield the artefact folders of the newest runs, each with the run's folder and the node.

    ``first`` is a run that comes before all others.
    """
    try:
        runs = sorted((path for path in workspace.runs.iterdir() if path.is_dir()), reverse=True)
    except OSError:
        return
    runs.sort(key=lambda path: path.name != first)
    for run in runs[:_RUNS]:
        for note in sorted(run.glob("nodes/*/outputs.json")):
            for folder in artefact_folders(workspace, run.name, note.parent.name):
                yield folder, run, note.parent.name


def _graph_name(run: Path) -> str:
    """What the user calls the graph: of two graphs with the same network, each is an edit."""
    try:
        data = parse_json((run / "graph.json").read_bytes())
    except (OSError, ValueError):
        return ""
    name = data.get("name") if isinstance(data, dict) else ""
    return name if isinstance(name, str) else ""


def file_in(folder: Path, name: object) -> str:
    """Return the path of a file that a record names; empty if it does not lie in ``folder``."""
    if not isinstance(name, str) or not name:
        return ""
    try:
        path = inside(folder, name)
    except ValueError:
        return ""
    return str(path) if path.is_file() else ""


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
