"""What "push" and "follow" mean without being told: of the run shown, the selected node first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backend.core.errors import DocumentError
from studio.phone.artefacts import edit_of

if TYPE_CHECKING:
    from studio.session import Session

TRAINER = "train.image_to_image"


def pushable(session: Session) -> tuple[str, str] | None:
    """Run and node of an exported edit; None when the run shown has none."""
    watch = session.focus
    if watch is None:
        return None
    nodes = list(watch.fold.nodes)
    current = session.selection.current
    ordered = sorted(reversed(nodes), key=lambda name: name != current)
    for name in ordered:
        if watch.fold.nodes[name].state not in ("done", "cached", "warning"):
            continue
        try:
            edit_of(session.workspace, watch.name, name)
        except DocumentError:
            continue
        return watch.name, name
    return None


def is_exporter(session: Session, node: str) -> bool:
    """Whether a node of the document gives an artefact, by its kind."""
    graph, specs = session.document.graph, session.catalog.specs
    spec = specs.get(graph.nodes[node].type) if node in graph.nodes else None
    return spec is not None and any(port.type == "Artifact" for port in spec.outputs)


def node_to_follow(session: Session) -> tuple[str, str] | None:
    """Run and node whose epochs can be followed: one that trains now, else that told of any."""
    watch = session.focus
    if watch is None:
        return None
    nodes = watch.fold.nodes
    told = [name for name in watch.fold.snapshots if name in nodes]
    live = [name for name in told if nodes[name].state in ("running", "cancelling")]
    graph = session.document.graph
    starts = [
        name
        for name, run in nodes.items()
        if run.state == "running" and name in graph.nodes and graph.nodes[name].type == TRAINER
    ]
    found = next(iter([*live, *starts, *told]), None)
    return (watch.name, found) if found is not None else None
