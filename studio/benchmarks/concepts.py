"""Concepts in a real Chromium: a tap to the first picture, frame time against a merged export.

The bundled base with its bundled adapters is exported as the page gets it, and one of its concepts
merged as a plain file. The page chooses its backend itself, as on a phone. Half of the switches are
wishes of the studio, half are taps; both are timed in the page, from the wish to the painted
picture. Frames of both files are timed in turns, since a machine is slower at times.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.core.errors import FretsawError
from backend.core.graph import Graph
from device_bridge import protocol as say
from device_bridge import wire
from studio.benchmarks.phone import Studio, _page, _pumping, _studio, browser, start_camera
from studio.benchmarks.studio import Options

SWITCHES, PAUSE_MS = 16, 700
ROUNDS, RUNS = 5, 16
ADAPTERS = ("mosaic", "cubist", "waves")
_LIMIT_MS = 100.0


@dataclass(frozen=True)
class Files:
    """Folders of the artefacts: the base with its concepts, and a concept merged as it is."""

    concepts: Path
    plain: Path

    @property
    def facts(self) -> dict[str, Any]:
        """What the exporter says of the base."""
        record: dict[str, Any] = json.loads((self.concepts / "artifact.json").read_text())
        return dict(record["facts"])


def bench(session: Options) -> dict[str, Any]:
    """Return medians of switching and of frames, and the bytes that a phone fetches."""
    found = browser()
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "FRETSAW_HOME": home}
        files = _export(environment, Path(home))
        with _studio(environment) as studio, _page(found) as page:
            figures, told = _on_page(studio, page, files)
    _print(figures, told)
    return {
        name: value if isinstance(value, int) else round(value, 6)
        for name, value in figures.items()
    }


def _on_page(studio: Studio, page: Any, files: Files) -> tuple[dict[str, float], dict[str, Any]]:
    facts = files.facts
    names = {one["id"]: one["name"] for one in facts["concepts"]}
    bridge = studio.bridge
    bridge.send(wire.Listen(host="127.0.0.1"))
    bridge.wait(lambda e: isinstance(e, wire.Listening), 20)
    bridge.send(wire.Push(folder=str(files.concepts), id="styles", name="Styles"))
    bridge.send(wire.Pair(allow=True))
    page.goto(bridge.wait(lambda e: isinstance(e, wire.Token), 10).url)
    start_camera(studio, page)
    # The page measures its backends, gets all concepts, and compares each with the studio's.
    _pumping(page, studio, lambda m: isinstance(m, say.BenchResult), 0)
    errors = [_golden(studio, page, id) for id in names]
    page.wait_for_timeout(3_000)
    shown = [_switch(studio, page, n, names) for n in range(SWITCHES)]
    bridge.send(wire.Push(folder=str(files.plain), id="plain", name="Plain", show=False))
    _pumping(page, studio, lambda m: isinstance(m, say.Check) and "Plain is here" in m.text, 0)
    backend = shown[-1].backend
    switching, merged = _turns(studio, page, backend)
    one_thread, _ = (switching, merged) if backend == "wasm-1" else _turns(studio, page, "wasm-1")
    names_of_graphs = (*facts["switch"], *facts["quick"]["graphs"])
    graphs = sum((files.concepts / name).stat().st_size for name in names_of_graphs)
    figures = {
        "switch_ms": statistics.median(one.switch_ms or 0.0 for one in shown),
        "frame_ratio_vs_merged": statistics.median(
            a / b for a, b in zip(switching, merged, strict=True)
        ),
        "gmacs": facts["gmacs"],
        "page_ms": statistics.median(switching),
        "base_bytes": facts["weights"]["bytes"] + graphs,
        "adapter_bytes": max(one["bytes"] for one in facts["concepts"] if one["kind"] == "adapter"),
        "golden_max_error": max(errors),
        "sharp_ms": statistics.median(one.sharp_ms or one.switch_ms or 0.0 for one in shown),
        "quick_share": statistics.mean(one.is_quick for one in shown),
    }
    told = {
        "backend": backend,
        "worst": max(one.switch_ms or 0.0 for one in shown),
        "gap": max(one.gap_ms or 0.0 for one in shown),
        "studio": statistics.median(one.switch_ms or 0.0 for one in shown if one.by == "studio"),
        "tap": statistics.median(one.switch_ms or 0.0 for one in shown if one.by == "phone"),
        "merged": statistics.median(merged),
        "one_thread": statistics.median(one_thread),
    }
    return figures, told


def _golden(studio: Studio, page: Any, id: str) -> float:
    golden = _pumping(page, studio, lambda m: isinstance(m, say.Golden) and m.concept == id, 0)
    if not golden.ok:
        raise RuntimeError(f"The page computes {id} wrongly: {golden.max_error}.")
    return float(golden.max_error)


def _switch(studio: Studio, page: Any, n: int, names: dict[str, str]) -> say.ConceptShown:
    """Switch to the next concept, by the studio or by a tap; return what the phone says of it."""
    ids = list(names)
    id = ids[(n + 1) % len(ids)]
    page.wait_for_timeout(PAUSE_MS + 37 * n % 100)  # at any moment of a frame
    before = studio.bridge.count
    if n % 2:
        page.get_by_role("radio", name=names[id], exact=True).click()
    else:
        wish = say.ShowConcept(id="styles", first=id)
        studio.bridge.send(wire.Tell(message=wish))

    def is_whole(message: Any) -> bool:
        is_it = isinstance(message, say.ConceptShown) and message.first == id
        return is_it and not (message.is_quick and message.sharp_ms is None)

    told: say.ConceptShown = _pumping(page, studio, is_whole, before)
    return told


def _turns(studio: Studio, page: Any, backend: str) -> tuple[list[float], list[float]]:
    """Return medians of frames with concepts and of the merged file, measured in turns."""
    times: dict[str, list[float]] = {"styles": [], "plain": []}
    for n in range(ROUNDS):
        for id in ("styles", "plain") if n % 2 else ("plain", "styles"):
            before = studio.bridge.count
            wish = say.BenchWish.model_validate({"id": id, "runs": RUNS, "backends": [backend]})
            studio.bridge.send(wire.Tell(message=wish))
            result = _pumping(page, studio, lambda m: isinstance(m, say.BenchResult), before)
            times[id].append(result.times[0].median_ms)
    return times["styles"], times["plain"]


def _export(environment: dict[str, str], home: Path) -> Files:
    """Export the bundled base and its concepts, and one of them merged, by a graph."""
    graph = Graph("concepts-bench", seed=0)
    graph.add("e2gan.load", "base")
    graph.add("export.concepts", "concepts", concepts="all")
    graph.connect("base.conceptbase", "concepts.base")
    for name in ADAPTERS:
        graph.add("e2gan.adapter", name, concept=name)
        graph.connect(f"{name}.adapter", "concepts.adapters")
    graph.add("e2gan.merge", "merged")
    graph.connect("base.conceptbase", "merged.base")
    graph.connect(f"{ADAPTERS[0]}.adapter", "merged.adapter")
    graph.add("export.onnx", "plain", dynamic_batch=False)
    graph.connect("merged.generator", "plain.model")
    path = home / "concepts.json"
    graph.save(path)
    command = [sys.executable, "-P", "-m", "backend", "run", str(path), "--seed", "0"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise FretsawError(
            f"The concepts could not be exported: {done.stderr[-600:].strip()}",
            "Look at the nodes e2gan.load and e2gan.adapter.",
        )
    return Files(*(_output(home, node) for node in ("concepts", "plain")))


def _output(home: Path, node: str) -> Path:
    [outputs] = home.glob(f"runs/*/nodes/{node}/outputs.json")
    fingerprint = json.loads(outputs.read_text())["fingerprint"]
    found: Path = next((home / "store" / fingerprint).glob("**/artifact.json")).parent
    return found


def _print(figures: dict[str, float], told: dict[str, Any]) -> None:
    limits = {
        "switch_ms": f"< {_LIMIT_MS:.0f}",
        "gmacs": "<= 1.5",
        "golden_max_error": "<= 1e-4",
    }
    print(f"{'figure':<24}{'value':>12}  limit")
    for name, value in figures.items():
        print(f"{name:<24}{value:>12.6g}  {limits.get(name, '')}")
    print(
        f"{SWITCHES} switches on {told['backend']}, chosen by the page: worst {told['worst']:.0f} "
        f"ms, by the studio {told['studio']:.0f}, by a tap {told['tap']:.0f}; longest gap between "
        f"pictures {told['gap']:.0f} ms."
    )
    print(
        f"{RUNS} frames x {ROUNDS} turns: merged export {told['merged']:.1f} ms; with one thread "
        f"and concepts {told['one_thread']:.1f} ms."
    )
