"""Makes the face of a node from its kind, its settings, its problems and the run in focus."""

from __future__ import annotations

import math
from typing import Any

from backend.core.graph import Graph, GraphNode, Problem
from backend.core.node import NodeSpec
from studio.editor.card_preview import Preview
from studio.editor.edits import COLLAPSED
from studio.editor.node_card import CardPlan, NodeFace, card_plan
from studio.editor.ports import PortFace, port_face
from studio.editor.previews import has_preview, main_metric, preview_of, waiting
from studio.editor.summaries import summary_of
from studio.fields import words
from studio.icons import node_icon
from studio.remedies import remedies_for
from studio.session import Session
from studio.theme import theme

_FAMILY = {"data": "data", "model": "model", "train": "model", "pim": "chip"}
_PERCENT = ("top1", "top5", "accuracy", "agreement")


def face_of(session: Session, name: str) -> NodeFace:
    """Describe what the card of a node shows now."""
    graph = session.document.graph
    node = graph.nodes[name]
    spec = session.catalog.specs.get(node.type)
    if spec is None:
        return _unknown(graph, name, node)
    problems = session.document.problems_of(name)
    shown = _run_part(session, name, spec)
    missing = _missing(graph, name, spec)
    state = str(shown.get("state", "idle"))
    worst = next((p for p in problems if p.severity == "error"), problems[0] if problems else None)
    if worst is not None and state in ("idle", "done", "cached"):
        shown |= {"state": "warning", "left": _in_short(worst, missing), "right": "show"}
    return NodeFace(
        title=spec.title,
        label=_label(graph, name, node),
        summary=shown.pop("summary", None) or summary_of(spec.params, node.params),
        icon=node_icon(spec.id, spec.category),
        hue=_hue(spec),
        inputs=tuple(port_face(port, "input") for port in spec.inputs),
        outputs=tuple(port_face(port, "output") for port in spec.outputs),
        missing=missing,
        problems=len(problems),
        has_error=any(problem.severity == "error" for problem in problems),
        bypass=node.bypass,
        collapsed=is_collapsed(graph, name),
        **shown,
    )


def ports_of(session: Session, name: str) -> tuple[tuple[PortFace, ...], tuple[PortFace, ...]]:
    """Inputs and outputs of a node; of an unknown kind, those that its links name."""
    graph = session.document.graph
    spec = session.catalog.specs.get(graph.nodes[name].type)
    if spec is None:
        return _linked_ports(graph, name)
    return (
        tuple(port_face(port, "input") for port in spec.inputs),
        tuple(port_face(port, "output") for port in spec.outputs),
    )


def plan_for(session: Session, name: str) -> CardPlan:
    """Return the measures of a node's card, without making its face."""
    inputs, outputs = ports_of(session, name)
    spec = session.catalog.specs.get(session.document.graph.nodes[name].type)
    if spec is None:
        return card_plan(inputs, outputs, False, False, is_collapsed(session.document.graph, name))
    fold = session.focus.fold if session.focus is not None else None
    run = fold.nodes.get(name) if fold is not None else None
    has_well = has_preview(spec) or (run is not None and str(run.state) == "failed")
    is_short = is_collapsed(session.document.graph, name)
    return card_plan(inputs, outputs, has_well, _is_masked(fold, name, spec), is_short)


def is_collapsed(graph: Graph, name: str) -> bool:
    """Whether the card of a node shows its head alone."""
    return bool(graph.layout.get(name, {}).get(COLLAPSED))


def _is_masked(fold: Any, name: str, spec: NodeSpec) -> bool:
    """Whether a node gave a network with masks: nothing is smaller or faster yet."""
    if fold is None or "masks" not in spec.views or not spec.outputs:
        return False
    run = fold.nodes.get(name)
    return (
        run is not None
        and str(run.state) in ("done", "finished", "cached")
        and any(node == name and kind == "masks" for node, kind, _ in fold.views)
    )


def duration(seconds: float) -> str:
    """Say a time: ``0.4 s``, ``12 s``, ``2 min 10 s``, ``3 h 5 min``."""
    if not math.isfinite(seconds):
        return "a while"
    if seconds < 10:
        return f"{seconds:.1f} s" if seconds >= 0.05 else "under 0.1 s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        rest = f" {whole % 60} s" if whole % 60 else ""
        return f"{whole // 60} min{rest}"
    rest = f" {whole % 3600 // 60} min" if whole % 3600 // 60 else ""
    return f"{whole // 3600} h{rest}"


def figure(metric: str, value: float) -> str:
    """Say a metric in a few characters: ``top-1 90.4 %``."""
    words = metric.removeprefix("val_").removeprefix("test_")
    for ending in ("1", "5"):
        words = words.replace(f"top{ending}", f"top-{ending}")
    words = words.replace("_", " ")
    if not math.isfinite(value):
        return f"{words} is not finite"
    if any(name in metric for name in _PERCENT):
        return f"{words} {value:.1f} %"
    if metric.endswith("_ms"):
        return f"{value:.3g} ms"
    return f"{words} {value:.3g}" if abs(value) < 1000 else f"{words} {value:,.0f}"


def _unknown(graph: Graph, name: str, node: GraphNode) -> NodeFace:
    inputs, outputs = _linked_ports(graph, name)
    version = f"version {node.version}" if node.version is not None else "kept as it is"
    return NodeFace(
        title=node.type,
        summary=version,
        icon="help-circle-outline",
        left="not installed",
        right="settings kept",
        inputs=inputs,
        outputs=outputs,
        unknown=True,
        collapsed=is_collapsed(graph, name),
    )


def _linked_ports(graph: Graph, name: str) -> tuple[tuple[PortFace, ...], tuple[PortFace, ...]]:
    links = graph.links_of([name])
    ins = dict.fromkeys(x.target.partition(".")[2] for x in links if x.target_node == name)
    outs = dict.fromkeys(x.source.partition(".")[2] for x in links if x.source_node == name)
    return (
        tuple(PortFace(port, "", "input") for port in ins),
        tuple(PortFace(port, "", "output") for port in outs),
    )


def _label(graph: Graph, name: str, node: GraphNode) -> str:
    """The name, where two nodes of one kind would look the same."""
    alike = sum(1 for other in graph.nodes.values() if other.type == node.type)
    return name if alike > 1 and name != node.type.rpartition(".")[0] else ""


def _hue(spec: NodeSpec) -> str:
    for port in spec.outputs:
        face = port_face(port, "output")
        if theme().type_name(face.type) != "muted":
            return theme().type_name(face.type)
    return _FAMILY.get(spec.category, "result")


def _missing(graph: Graph, name: str, spec: NodeSpec) -> frozenset[str]:
    linked = {x.target for x in graph.into(name)}
    return frozenset(port.name for port in spec.inputs if f"{name}.{port.name}" not in linked)


def _in_short(problem: Problem, missing: frozenset[str]) -> str:
    if problem.where in missing:
        return f"no {problem.where} linked"
    return f"check {words.label(problem.where).lower()}" if problem.where else "check the settings"


# -- the run ---------------------------------------------------------------------------------------


def _run_part(session: Session, name: str, spec: NodeSpec) -> dict[str, Any]:
    watch = session.focus
    fold = watch.fold if watch is not None else None
    run = fold.nodes.get(name) if fold is not None else None
    if watch is None or fold is None or run is None:
        return {
            "state": "idle",
            "left": "not run",
            "right": _about(session.estimates.of(name)),
            "preview": waiting(spec),
        }
    state = run.state
    preview = preview_of(fold, watch.run.path, name, spec) or waiting(spec)
    share = run.fraction
    part: dict[str, Any] = {"state": state, "preview": preview, "percent": share}
    if state == "failed":
        part["preview"] = Preview("sentence", run.error)
    part |= _footer(fold, run, name, state, share)
    old = session.changes.of(name) if state in ("done", "cached", "warning") else None
    if old is not None:
        took = session.estimates.of(name) if run.cached else run.seconds
        about = _about(took)
        left = old.short if about else f"will run: {old.short}"
        return part | {"state": "idle", "left": left, "right": about}
    if state == "failed":
        found = remedies_for(session.document.graph, session.catalog.specs, name, run.error)
        part |= {"right": f"{len(found)} fix{'es' if len(found) > 1 else ''}"} if found else {}
    if state == "queued":
        part["summary"] = _waits_for(session, fold, name)
    if _is_masked(fold, name, spec):
        part |= {"masked_only": True, "left": "masked only", "right": "make it real"}
    return part


def _about(seconds: float | None) -> str:
    """A time that was measured before; nothing for none, or for one that nobody waits for."""
    return f"about {duration(seconds)}" if seconds is not None and seconds >= 1 else ""


def _footer(fold: Any, run: Any, name: str, state: str, share: float | None) -> dict[str, Any]:
    percent = f"{share * 100:.0f} %" if share is not None else "running"
    if state == "running":
        left = f"{duration(run.eta)} left" if run.eta is not None else run.stage
        return {"left": percent, "right": left}
    if state == "cancelling":
        return {"left": "cancelling", "right": f"saving at {percent}" if share else "saving"}
    if state in ("done", "cached"):
        right = "cached" if state == "cached" else duration(run.seconds or 0.0)
        return {"left": _result(fold, name), "right": right}
    if state == "failed":
        at = f"at {percent}" if share else ""
        return {"left": "failed", "right": "show", "summary": at}
    if state == "warning":
        return {"left": run.warnings[0] if run.warnings else _result(fold, name), "right": "show"}
    if state in ("cancelled", "crashed"):
        word = theme().state(state)[2]
        left = f"{word} at {percent}" if share is not None else word
        summary = "stopped by you" if state == "cancelled" else "the computer stopped it"
        return {"left": left, "right": "Resume", "summary": summary}
    return {"left": theme().state(state)[2]}


def _waits_for(session: Session, fold: Any, name: str) -> str:
    """Name the first node that this one needs and that is not done."""
    graph, specs = session.document.graph, session.catalog.specs
    for link in graph.into(name):
        run = fold.nodes.get(link.source_node)
        if run is not None and run.state in ("queued", "running", "cancelling"):
            spec = specs.get(graph.nodes[link.source_node].type)
            return f"waits for {spec.title if spec else link.source_node}"
    return ""


def _result(fold: Any, name: str) -> str:
    key = main_metric(fold, name)
    if key is not None and key[1] != "lr":
        return figure(key[1], fold.series[key].values[-1])
    for event in reversed(fold.logs):
        if event.node == name and event.level == "info":
            return str(event.text).rstrip(".")
    return theme().state("done")[2]
