"""Putting a node into a link: where it fits, and the edit."""

from __future__ import annotations

from PySide6.QtCore import QPointF

from backend.core.graph import Graph, GraphNode, Link
from backend.core.node import NodeSpec
from studio.editor.scene import GraphScene

_TRIAL = "_trial_"


def link_near(scene: GraphScene, point: QPointF) -> Link | None:
    """Return the link at a point of the scene."""
    near = [x for x in scene.link_items.values() if x.is_near(point, 14.0)]
    return near[0].link if near else None


def fitting_ports(scene: GraphScene, type_id: str, link: Link) -> tuple[str, str] | None:
    """Return the input and output by which a new node of a kind fits into a link."""
    spec = scene.session.catalog.specs.get(type_id)
    if spec is None:
        return None
    trial = scene.graph.copy()
    trial.nodes[_TRIAL] = GraphNode(type_id)
    trial.unlink([link])
    return _ports(scene, trial, _TRIAL, spec, link)


def splice_target(scene: GraphScene, name: str, point: QPointF) -> Link | None:
    """Return the link under a node that is not linked yet and would fit into it."""
    graph = scene.graph
    if name not in graph.nodes or graph.links_of([name]):
        return None
    link = link_near(scene, point)
    return link if link and fitting_ports(scene, graph.nodes[name].type, link) else None


def splice_into(scene: GraphScene, name: str, link: Link) -> None:
    """Lead a link through a node, inside an undo step that is already open."""
    document = scene.session.document
    ports = fitting_ports(scene, document.graph.nodes[name].type, link)
    if ports is None:
        return
    into = document.graph.into(link.target)
    position = into.index(link)
    after = into[position + 1 :]
    document.disconnect(link.source, link.target)
    document.connect(link.source, f"{name}.{ports[0]}")
    place = document.graph.links.index(after[0]) if after else None
    document.connect(f"{name}.{ports[1]}", link.target, position=place)


def _ports(
    scene: GraphScene, trial: Graph, name: str, spec: NodeSpec, link: Link
) -> tuple[str, str] | None:
    specs = scene.session.catalog.specs
    for port in spec.inputs:
        if trial.why_not(link.source, f"{name}.{port.name}", specs) is not None:
            continue
        linked = trial.copy()
        linked.links = [*trial.links, Link(link.source, f"{name}.{port.name}")]
        for out in spec.outputs:
            if linked.why_not(f"{name}.{out.name}", link.target, specs) is None:
                return port.name, out.name
    return None
