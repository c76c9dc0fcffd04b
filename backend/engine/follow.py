"""Exports a generator again and again while it is trained, so that a device can show each epoch."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from backend.core import events as ev
from backend.core.artifact import Artifact
from backend.core.errors import DocumentError, FretsawError, nearest, sentence
from backend.core.files import inside, slug
from backend.core.run import Run, Tail

_POLL_SECONDS = 0.1
_KEPT = 4  # newest artifacts that stay: a device may still be reading the one before


def follow(
    run: Run, node: str, out: Path | None = None, closed: threading.Event | None = None
) -> Iterator[dict[str, Any]]:
    """Export each snapshot of ``node`` as it comes; give a line of facts for each.

    The graph is exported once, its weights beside it; then only weights are written, while the
    architecture stays. If a newer snapshot is there, older ones are left out. Ends when the node
    has, or the run is dead, with a line ``{"finished": ...}``; or at once when ``closed`` is set.

    Args:
        run: the run, which may still be waiting for its turn.
        node: name of the node that trains.
        out: folder for the artifacts, one folder each; default: ``follow/<node>`` in the run.
        closed: set by whoever no longer wants to know.

    Raises:
        DocumentError: the run has no such node.
        OSError: the folder cannot be written.
    """
    known = run.graph().nodes
    if node not in known:
        raise DocumentError(f'The run "{run.name}" has no node "{node}".', nearest(node, known))
    exporter = SnapshotExporter(node, out or run.path / "follow" / node)
    closed = closed or threading.Event()
    seen, done = Tail(), ""
    while not closed.is_set():
        is_over = not (run.is_alive() or run.is_waiting()) and run.state() != "queued"
        found, seen = run.tail(seen)
        snapshot, done = _latest(found, node, done)
        if snapshot is not None:
            yield from exporter.lines(run, snapshot)
            continue  # others may have come meanwhile
        if done or is_over:
            yield {"finished": done == "finished", "status": done or run.state()}
            return
        closed.wait(_POLL_SECONDS)


def _latest(events: list[ev.Event], node: str, done: str) -> tuple[ev.Snapshot | None, str]:
    """Return the newest snapshot, and how the node ended if it did; a new attempt undoes both."""
    snapshot = None
    for event in events:
        if getattr(event, "node", None) != node:
            continue
        if isinstance(event, ev.Snapshot):
            snapshot = event
        elif isinstance(event, ev.NodeStarted):
            done = ""
        elif isinstance(event, ev.NodeFinished):
            done = "finished"
        elif isinstance(event, ev.NodeFailed):
            done = "failed"
    return snapshot, done


class SnapshotExporter:
    """Writes one artifact a snapshot into ``folder``, graph once, then weights."""

    def __init__(self, node: str, folder: Path) -> None:
        self._node = node
        self._folder = folder
        # Behind what an earlier follower left: a device may be reading it.
        self._count = max((_number(path) for path in folder.glob("*-step-*")), default=0)
        self._graph: Path | None = None
        self._slots: tuple[Any, ...] = ()
        self._recipe: dict[str, Any] = {}
        self._facts: dict[str, Any] = {}
        self._written: list[Path] = []

    def lines(self, run: Run, snapshot: ev.Snapshot) -> Iterator[dict[str, Any]]:
        """Export one snapshot; a line with ``error`` instead of facts if that cannot be done."""
        began = time.monotonic()
        source = inside(run.path, snapshot.path)
        if not source.is_dir():
            return  # training has gone on and removed it; a newer one is on its way
        try:
            artifact, folder = self.export(source, snapshot.step)
        except Exception as error:
            known = isinstance(error, FretsawError) or getattr(error, "for_user", False)
            if not known or not source.is_dir():
                if source.is_dir():
                    raise
                return
            yield {"step": snapshot.step, "error": sentence(error)}
            return
        yield {
            "artifact": str(folder),
            "step": snapshot.step,
            "epoch": artifact.facts["epochs"],
            "weights": artifact.facts["weights"]["sha256"],
            "graph": artifact.sha256,
            "seconds": round(time.monotonic() - began, 3),
        }

    def export(self, source: Path, step: int) -> tuple[Artifact, Path]:
        """Export the generator saved in ``source``; return the artifact and its folder.

        Raises:
            RecipeError: the files there are damaged.
            ExportError: the network cannot be exported with its weights outside.
            ParityError: the file does not compute what the network computes.
        """
        from backend.export.fold import folded
        from backend.export.verify import golden
        from backend.export.weights import export_graph, keep_graph, slots, write_weights
        from backend.exported import (
            generator_artifact,
            gmacs_of,
            metadata_of,
            random_pictures,
            tolerance_of,
        )
        from backend.values import Generator

        model = Generator.load(source)
        module = folded(model.module)
        inputs = random_pictures(model.image, 1, 0)
        name = slug(model.label)
        target = self._new_folder(step)
        weights = target / f"{name}.weights"
        recipe = model.recipe.to_json()
        if not self._is_graph_of(recipe, name):
            graph = target / f"{name}.onnx"
            export_graph(module, inputs, graph, weights=weights.name, metadata=metadata_of(model))
            self._recipe, self._facts = recipe, {"gmacs": gmacs_of(module, model.image)}
            self._graph = graph
            self._slots = slots(graph)
        else:
            assert self._graph is not None
            graph = keep_graph(self._graph, target)
        write_weights(module, self._slots, weights)
        _, output = golden(graph, inputs)
        _require_parity(module, inputs, output, graph.name, tolerance_of(model))
        artifact = generator_artifact(
            model,
            graph,
            node=self._node,
            dynamic_batch=False,
            any_size=False,
            facts=dict(self._facts),
            weights=weights,
        )
        if artifact.facts["epochs"] is None:
            artifact.facts["epochs"] = step
        self._graph = graph
        artifact.describe(target)  # last: who sees it finds the rest there
        while len(self._written) > _KEPT:
            shutil.rmtree(self._written.pop(0), ignore_errors=True)
        return artifact, target

    def _is_graph_of(self, recipe: dict[str, Any], name: str) -> bool:
        graph = self._graph
        return (
            graph is not None and graph.is_file() and graph.stem == name and recipe == self._recipe
        )

    def _new_folder(self, step: int) -> Path:
        self._count += 1
        target = self._folder / f"{self._count:04d}-step-{step}"
        target.mkdir(parents=True)
        self._written.append(target)
        return target


def _number(path: Path) -> int:
    head = path.name.partition("-")[0]
    return int(head) if head.isdecimal() else 0


def _require_parity(module: Any, inputs: Any, output: Any, name: str, tolerance: float) -> None:
    import torch

    from backend.export.verify import ParityError

    with torch.no_grad():
        error = float((module(inputs) - torch.from_numpy(output)).abs().max())
    if not error <= tolerance:
        raise ParityError(
            f"{name} does not compute what the network computes: largest error {error:.3g}, "
            f"allowed {tolerance:.3g}."
        )
