"""From the runs that are shown to the curves of each metric: names, pens, points."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from backend.core.errors import FretsawError
from studio.docks.run_list import short_name
from studio.plotting import metrics
from studio.plotting.curve import Curve
from studio.plotting.pens import shown_runs
from studio.plotting.series import Series
from studio.theme import theme

if TYPE_CHECKING:
    from studio.run_watch import RunWatch
    from studio.session import Session

CurveKey = tuple[str, ...]
"""Run and node, and the layer where each layer has a curve: one legend entry, one pen."""


class CurveSource:
    """Keeps one :class:`Series` for each metric of each node of each shown run."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._series: dict[tuple[str, str, str], Series] = {}
        self._graphs: dict[str, dict[str, tuple[str, dict[str, Any]]]] = {}
        self.watches: list[RunWatch] = []
        self.hidden: set[CurveKey] = set()

    def choose_runs(self) -> None:
        """Follow the run in focus and the marked ones; forget the others."""
        self.watches = []
        for name in shown_runs(self._session):
            try:
                self.watches.append(self._session.runner.watch(name))
            except FretsawError:
                continue  # a marked run whose folder is gone has nothing to show
        names = {watch.name for watch in self.watches}
        self._series = {key: s for key, s in self._series.items() if key[0] in names}
        self._graphs = {name: g for name, g in self._graphs.items() if name in names}

    def metrics(self) -> dict[str, int]:
        """Metrics of the shown runs, best known first, each with its greatest number of points."""
        counts: dict[str, int] = {}
        for watch in self.watches:
            for (_, name), points in watch.fold.series.items():
                metric = metrics.family(name)[0]
                counts[metric] = max(counts.get(metric, 0), len(points.steps))
        return dict(sorted(counts.items(), key=lambda item: metrics.rank(item[0])))

    def read(self) -> set[str]:
        """Read new points of all series; return the metrics that have any."""
        changed = set()
        for watch in self.watches:
            for (node, metric), points in watch.fold.series.items():
                series = self._series.setdefault((watch.name, node, metric), Series())
                if series.take(points):
                    changed.add(metrics.family(metric)[0])
        return changed

    def curves(self, metric: str) -> list[Curve]:
        """Return the curves of one metric, in pen order."""
        return [curve for curve, found in self._all() if found == metric]

    def entries(self, shown: list[str]) -> list[Curve]:
        """One curve for each run and node that has any of the shown metrics: the legend."""
        found: dict[CurveKey, Curve] = {}
        for curve, metric in self._all():
            if metric in shown:
                found.setdefault(curve.key, curve)  # type: ignore[arg-type]
        return list(found.values())

    # -- inner -----------------------------------------------------------------------------------

    def _all(self) -> Iterator[tuple[Curve, str]]:
        is_single = len(self.watches) == 1
        for index, watch in enumerate(self.watches):
            nodes = self._nodes_of(watch)
            for turn, node in enumerate(nodes):
                pen, dash = (turn, 0) if is_single else (index, turn)
                part = 0
                for (owner, metric), points in watch.fold.series.items():
                    if owner != node or not len(points.steps):
                        continue
                    whole, layer = metrics.family(metric)
                    pens = (pen, dash)
                    if layer:
                        pens = (len(nodes) + part, 0) if is_single else (pen, dash + part)
                        part += 1
                    yield self._curve(watch, node, metric, pens, len(nodes)), whole

    def _nodes_of(self, watch: RunWatch) -> list[str]:
        """Nodes with curves, the one that began last first: it is what happens now."""
        longest: dict[str, int] = {}
        for (node, _), points in watch.fold.series.items():
            longest[node] = max(longest.get(node, 0), len(points.steps))
        order = {name: place for place, name in enumerate(watch.fold.nodes)}
        started = {name: getattr(run, "started", 0.0) for name, run in watch.fold.nodes.items()}

        def key(node: str) -> tuple[bool, float, int]:
            return longest[node] > 1, started.get(node, 0.0), order.get(node, -1)

        return sorted(longest, key=key, reverse=True)

    def _curve(
        self, watch: RunWatch, node: str, metric: str, pens: tuple[int, int], nodes: int
    ) -> Curve:
        series = self._series.setdefault((watch.name, node, metric), Series())
        is_single, has_others = len(self.watches) == 1, nodes > 1
        title, params = self._node_facts(watch, node)
        state = watch.fold.nodes.get(node)
        named = title if node.lower() == title.lower() else f"{title} {node}"
        word = theme().state(state.state)[2] if state is not None else ""
        if is_single:
            name, rest = title, "" if named == title else node
            short = node
        else:
            name, rest = run_label(watch), named
            short = f"{name} {node}" if has_others else name
        about = ", ".join(filter(None, (rest, word)))
        key: CurveKey = (watch.name, node)
        layer = metrics.family(metric)[1]
        if layer:
            key = (*key, layer)
            about = name if is_single else f"{name}, {about}"
            short = layer if is_single else f"{short} {layer}"
            name = layer
        epochs = params.get("epochs")
        total = state.total if state is not None else 0
        has_epochs = isinstance(epochs, int | float) and epochs > 0 and total > 0
        return Curve(
            key=key,
            name=name,
            about=about,
            pen=pens[0],
            turn=pens[1],
            series=series,
            epoch_steps=total / epochs if has_epochs else None,  # type: ignore[operator]
            is_hidden=key in self.hidden,
            began=_began(watch, node),
            short=short,
        )

    def _node_facts(self, watch: RunWatch, node: str) -> tuple[str, dict[str, Any]]:
        if watch.name not in self._graphs:
            self._graphs[watch.name] = _read_graph(watch)
        kind, params = self._graphs[watch.name].get(node, ("", {}))
        spec = self._session.catalog.specs.get(kind)
        if spec is None:
            return node, params
        defaults = spec.params.get("properties", {}) if isinstance(spec.params, dict) else {}
        known = {name: field.get("default") for name, field in defaults.items()}
        return spec.title or node, {**known, **params}


def run_label(watch: RunWatch) -> str:
    """Short name of a run: without the date that every run begins with."""
    return short_name(watch.name)


def _began(watch: RunWatch, node: str) -> float | None:
    """Time of the first point of any metric of a node, so that all its plots begin together."""
    series = watch.fold.series.items()
    return min((p.began for (owner, _), p in series if owner == node and p.since), default=None)


def _read_graph(watch: RunWatch) -> dict[str, tuple[str, dict[str, Any]]]:
    try:
        graph = watch.run.graph()
    except (FretsawError, OSError):
        return {}
    return {name: (node.type, dict(node.params)) for name, node in graph.nodes.items()}
