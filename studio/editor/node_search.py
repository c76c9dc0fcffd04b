"""Finding kinds of node: groups of the palette, matching of typed words, what fits a port."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from backend.core.graph import Graph, GraphNode
from backend.core.node import NodeSpec, Port

GROUPS = {
    "data": "Data",
    "model": "Models",
    "teacher": "Teachers",
    "train": "Train",
    "quantize": "Quantize",
    "prune": "Prune",
    "pim": "Chip",
    "distill": "Distil",
    "cat": "CAT",
    "e2gan": "Concepts",
    "diffusion": "Diffusion",
    "evaluate": "Evaluate",
    "profile": "Evaluate",
    "report": "Evaluate",
    "cost": "Cost",
    "export": "Export",
}
_CANDIDATE = "candidate"


@dataclass(frozen=True)
class Fit:
    """A kind of node and the port of it that the dragged link would go to."""

    spec: NodeSpec
    port: Port | None = None


def group_of(spec: NodeSpec) -> str:
    """Return the title of the group that a kind of node belongs to."""
    return GROUPS.get(spec.category) or spec.category.replace("_", " ").capitalize()


def grouped(specs: Iterable[NodeSpec]) -> dict[str, list[NodeSpec]]:
    """Return groups in the order of a graph, those not known to us at the end."""
    found: dict[str, list[NodeSpec]] = {title: [] for title in dict.fromkeys(GROUPS.values())}
    for spec in sorted(specs, key=lambda spec: spec.title.lower()):
        found.setdefault(group_of(spec), []).append(spec)
    return {title: members for title, members in found.items() if members}


def score(text: str, spec: NodeSpec) -> int | None:
    """Say how well the typed words match: small is good, None is not at all."""
    total = 0
    for word in text.lower().split():
        found = _word_score(word, spec)
        if found is None:
            return None
        total += found
    return total


def _word_score(word: str, spec: NodeSpec) -> int | None:
    title = spec.title.lower()
    if title.startswith(word):
        return 0
    if any(part.startswith(word) for part in title.replace("-", " ").split()):
        return 1
    if word in title:
        return 2
    if word in spec.id:
        return 3
    if word in group_of(spec).lower() or word in spec.source.lower():
        return 4
    if len(word) > 2 and word in spec.doc.lower():
        return 6
    return 5 if len(word) > 1 and _is_inside(word, title) else None


def _is_inside(word: str, title: str) -> bool:
    """Whether the letters of ``word`` come in ``title`` in this order, the first one in front."""
    letters = iter(title)
    return title[:1] == word[:1] and all(letter in letters for letter in word)


def found(text: str, specs: Iterable[NodeSpec]) -> list[NodeSpec]:
    """Return the kinds that match, the best first."""
    scored = [(value, spec) for spec in specs if (value := score(text, spec)) is not None]
    return [spec for _, spec in sorted(scored, key=lambda pair: (pair[0], pair[1].title.lower()))]


def fitting(graph: Graph, end: str, side: str, specs: Mapping[str, NodeSpec]) -> list[Fit]:
    """Return what a link at ``end`` can go to, by the rules of :meth:`Graph.why_not`.

    ``side`` says what ``end`` is: ``"output"`` asks for nodes that take it, ``"input"`` for nodes
    that give it. A node comes once, with the first port that fits; required ports come first.
    """
    trial = Graph()
    trial.nodes = dict(graph.nodes)
    trial.links = [link for link in graph.links if side == "output" or link.target != end]
    fits = []
    for spec in specs.values():
        trial.nodes[_free(graph)] = GraphNode(spec.id)
        ports = spec.inputs if side == "output" else spec.outputs
        for port in sorted(ports, key=lambda port: port.optional):
            other = f"{_free(graph)}.{port.name}"
            pair = (end, other) if side == "output" else (other, end)
            if trial.why_not(*pair, specs) is None:
                fits.append(Fit(spec, port))
                break
    return fits


def ranked(
    fits: Iterable[Fit], uses: Mapping[str, int], favourites: Iterable[str] = ()
) -> list[Fit]:
    """Put favourites and what is used most first, then nodes that need the link."""
    liked = set(favourites)

    order = list(dict.fromkeys(GROUPS.values()))

    def key(fit: Fit) -> tuple[bool, int, bool, int, str]:
        spec, group = fit.spec, group_of(fit.spec)
        return (
            spec.id not in liked,
            -uses.get(spec.id, 0),
            fit.port is not None and fit.port.optional,
            order.index(group) if group in order else len(order),
            spec.title.lower(),
        )

    return sorted(fits, key=key)


def type_at(graph: Graph, end: str, side: str, specs: Mapping[str, NodeSpec]) -> str:
    """Return the type of the port at ``end``; empty when it is not known."""
    name, _, port_name = end.partition(".")
    node = graph.nodes.get(name)
    spec = specs.get(node.type) if node else None
    if spec is None:
        return ""
    port = spec.output(port_name) if side == "output" else spec.input(port_name)
    return port.type if port else ""


def _free(graph: Graph) -> str:
    name = _CANDIDATE
    while name in graph.nodes:
        name += "_"
    return name
