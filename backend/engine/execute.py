"""Runs a graph: each node once its sources are there, results kept by fingerprint."""

from __future__ import annotations

import contextlib
import importlib
import json
import platform
import shutil
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

from backend.core import events as ev
from backend.core.catalog import Catalog
from backend.core.catalog import current as current_catalog
from backend.core.errors import FretsawError, Stopped, sentence
from backend.core.files import write_atomic
from backend.core.node import REGISTRY, Definition
from backend.core.run import Run
from backend.core.value import Value
from backend.core.workspace import Workspace
from backend.engine import replay
from backend.engine.context import RunContext
from backend.engine.faults import describe
from backend.engine.fingerprint import digest, facts, input_hashes
from backend.engine.plan import Plan, Target, make_plan
from backend.engine.recorder import Recorder
from backend.engine.result import summarize
from backend.engine.settings import check_settings
from backend.engine.store import Store

_PACKAGES = ("torch", "numpy", "onnxruntime", "onnx", "safetensors", "fretsaw")


class Where(Protocol):
    """Where a node's work is done."""

    def __call__(self, work: Callable[[], Any]) -> Any:
        """Do the work and return its result."""
        ...


class Inline:
    """In this process, one node after the other."""

    def __call__(self, work: Callable[[], Any]) -> Any:
        """Do the work here."""
        return work()


def execute(
    run: Run,
    *,
    target: Target = None,
    where: Where | None = None,
    force: Iterable[str] = (),
    on_event: Callable[[ev.Event], None] | None = None,
    workspace: Workspace | None = None,
    catalog: Catalog | None = None,
) -> ev.Status:
    """Compute the nodes of a run that have no stored result yet.

    A stop that is already requested counts; whoever starts a run anew clears it first.

    Args:
        target: compute only what this node needs, or what these need.
        force: nodes to compute even if a result is stored.
        on_event: called with each event as it is written.

    Raises:
        DocumentError: the graph has problems; nothing was computed.
        BusyError: another process computes this run.
    """
    workspace = workspace or Workspace.current()
    settings = run.settings
    graph = run.graph()
    check_settings(settings, graph, f'In "{run.path / "run.json"}": ')
    plan = make_plan(graph, catalog or current_catalog(workspace), target)
    lock = run.lock()
    try:
        execution = _Execution(
            run, plan, Store(workspace.store), settings, where or Inline(), set(force), on_event
        )
        return execution.all_nodes()
    finally:
        run.close()
        lock.release()


class _Execution:
    """One attempt at a run."""

    def __init__(
        self,
        run: Run,
        plan: Plan,
        store: Store,
        settings: dict[str, Any],
        where: Where,
        force: set[str],
        on_event: Callable[[ev.Event], None] | None,
    ) -> None:
        self.run, self.plan, self.store, self.where, self.force = run, plan, store, where, force
        self.device = str(settings.get("device", "cpu"))
        self.threads = int(settings.get("threads", 1))
        self.every = settings.get("every")
        self.recorder = Recorder(run, on_event)
        self.fingerprints: dict[str, str] = {}

    def all_nodes(self) -> ev.Status:
        began = time.monotonic()
        # That of an earlier attempt: if this one is killed, the run has crashed and not finished.
        (self.run.path / "result.json").unlink(missing_ok=True)
        self.recorder.write(self._started())
        status: ev.Status = "finished"
        try:
            for name in self.plan.order:
                if not self._one_node(name):
                    status = "failed"
                    break
        except (Stopped, KeyboardInterrupt):
            status = "cancelled"
        seconds = time.monotonic() - began
        if status == "failed":
            # The disk may be full, and that may be the very reason; what is on it stays resumable.
            with contextlib.suppress(OSError):
                self._conclude(status, seconds)
        else:
            self._conclude(status, seconds)
        self.recorder.tell(ev.RunFinished(status=status, seconds=seconds))
        return status

    def _conclude(self, status: ev.Status, seconds: float) -> None:
        self.recorder.flush()
        result = summarize(self.run, status, seconds, self.fingerprints)
        write_atomic(self.run.path / "result.json", json.dumps(result, indent=1))

    def _started(self) -> ev.RunStarted:
        versions = {"python": platform.python_version()}
        for package in _PACKAGES:
            try:
                versions[package] = version(package)
            except PackageNotFoundError:
                continue
        inputs: dict[str, str] = {}
        for name in self.plan.order:
            inputs |= input_hashes(REGISTRY[self.plan.types[name]], self.plan.params[name])
        return ev.RunStarted(
            inputs=inputs,
            seed=self.plan.seed,
            device=self.device,
            threads=self.threads,
            nodes=list(self.plan.order),
            versions=versions,
            commit=commit(),
            resumed=(self.run.path / "events.jsonl").exists(),
        )

    def _one_node(self, name: str) -> bool:
        definition = REGISTRY[self.plan.types[name]]
        began = time.monotonic()
        try:
            known = self._facts(name, definition)
            key = digest(known)
            self.fingerprints[name] = key
            with self.store.lock(key, lambda: self._wait_for_other(name)):
                state = self.store.state(key)
                if state == "damaged":
                    self._warn(name, "Its stored result was damaged; it is computed anew.")
                is_forced = name in self.force and self.recorder.finished(name) != key
                is_cached = not is_forced and state == "whole"
                if is_cached:
                    self._replay(name, key)
                else:
                    self._compute(name, known, definition, began)
            seconds = time.monotonic() - began
            self._link(name, key)
            self.recorder.flush()
            self.recorder.write(
                ev.NodeFinished(node=name, seconds=seconds, cached=is_cached, fingerprint=key)
            )
            return True
        except Exception as error:
            self._failed(name, error)
            return False

    def _facts(self, name: str, definition: Definition) -> dict[str, Any]:
        sources = {
            port: [f"{self.fingerprints[node]}/{output}" for node, output in ends]
            for port, ends in self.plan.sources[name].items()
        }
        once = "" if definition.spec.cached else self.run.name
        params = self.plan.params[name]
        return facts(definition, params, self.plan.seed, sources, device=self.device, once=once)

    def _compute(
        self, name: str, known: dict[str, Any], definition: Definition, began: float
    ) -> None:
        key = self.fingerprints[name]
        # The context looks whether an earlier attempt began this node, so it comes first.
        context = RunContext(
            self.recorder,
            name,
            seed=self.plan.seed,
            device=self.device,
            threads=self.threads,
            key=key,
            every=self.every,
        )
        self.recorder.write(ev.NodeStarted(node=name, fingerprint=key))
        arguments: dict[str, Any] = {definition.context_name: context}
        if definition.params_name is not None:
            arguments[definition.params_name] = self.plan.params[name]
        arguments.update(self._inputs(name, definition))
        _seed_everything(self.plan.seed, self.threads)
        result = self.where(lambda: definition.function(**arguments))
        outputs: dict[str, Value] = definition.outputs_of(result)
        self.recorder.flush()
        record = {
            "type": definition.spec.id,
            "version": definition.spec.version,
            "params": self.plan.params[name].model_dump(mode="json"),
            "seconds": time.monotonic() - began,
            "facts": known,  # so that a later change can be named
        }
        self.store.write(key, outputs, record, lambda folder: replay.keep(self.run, name, folder))
        shutil.rmtree(self.run.node_folder(name) / "checkpoints", ignore_errors=True)

    def _inputs(self, name: str, definition: Definition) -> dict[str, Any]:
        arguments: dict[str, Any] = {}
        for port in definition.spec.inputs:
            ends = self.plan.sources[name].get(port.name, [])
            # Always loaded from the store, so cached and fresh runs see the very same values.
            values = [self._load(node, output) for node, output in ends]
            arguments[port.name] = values if port.many else (values[0] if values else None)
        return arguments

    def _load(self, node: str, output: str) -> Value:
        key = self.fingerprints[node]
        try:
            return self.store.load(key, output)
        except Exception as error:
            # It is kept: perhaps only a package, or the permission to run a file, is missing.
            reason = sentence(error).split(". ")[0].rstrip(".")  # its remedy is for other places
            raise FretsawError(
                f'The stored result of "{node}" cannot be used ({reason}).',
                f"If that cannot be mended, compute it anew with --force {node}.",
            ) from error

    def _replay(self, name: str, key: str) -> None:
        if self.recorder.finished(name) == key:
            return
        if self.recorder.has_started(name):
            # An attempt of this run showed something else, or only a part of it.
            self.recorder.write(ev.Resumed(node=name, step=0, seq=0))
        replay.show(self.recorder, name, self.store.path(key))

    def _link(self, name: str, key: str) -> None:
        folder = self.run.node_folder(name)
        folder.mkdir(parents=True, exist_ok=True)
        record = {"fingerprint": key, "outputs": self.store.record(key)["outputs"]}
        write_atomic(folder / "outputs.json", json.dumps(record))

    def _warn(self, name: str, text: str) -> None:
        self.recorder.write(ev.Log(node=name, level="warning", text=text))

    def _wait_for_other(self, name: str) -> None:
        if self.run.stop_requested():
            raise Stopped
        self.recorder.write_limited(
            ev.Progress(
                node=name, stage="waiting for another run that computes this", done=0, total=1
            ),
            key=("waiting", name),
        )

    def _failed(self, name: str, error: Exception) -> None:
        details = "".join(traceback.format_exception(error))
        text = describe(error, self.plan.params[name])
        self.recorder.tell(
            ev.NodeFailed(
                node=name, error=text, details=details, code=getattr(error, "exit_code", 3)
            )
        )


def load_definitions(catalog: Catalog, types: Iterable[str]) -> None:
    """Import the modules that define the given kinds of node, and no others."""
    for type in types:
        if type in catalog.nodes and type not in REGISTRY:
            importlib.import_module(catalog.nodes[type].module)


def commit() -> str:
    """Return the commit of the source tree, with ``+`` when it has changes; empty outside one."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return ""
    try:
        head = subprocess.run(
            ["git", "rev-parse", "--short=12", "HEAD"], cwd=root, capture_output=True, text=True
        )
        changes = subprocess.run(
            ["git", "status", "--porcelain", "-uno"], cwd=root, capture_output=True, text=True
        )
    except OSError:
        return ""
    return head.stdout.strip() + ("+" if changes.stdout.strip() else "")


def _seed_everything(seed: int, threads: int) -> None:
    import random

    random.seed(seed)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(seed % 2**32)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(seed)
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
