"""Small generators for phones against their teachers and one colour matrix, on held-out photos."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from backend.bench.pictures import held_out, photo_source
from backend.bench.session import Session, figure, output_folder, print_table
from backend.core.artifact import Artifact
from backend.core.graph import Graph
from backend.core.run import Run

_TEACHERS: dict[str, tuple[str, dict[str, Any]]] = {
    "vintage": ("teacher.vintagify", {}),
    "style": ("teacher.style", {"style": 7}),
}
# The vintage edit is nearly a change of colours: without norms, these pass through as they are.
_STUDENTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "vintage": ({"norm": "none"}, {"epochs": 40, "small": 0.7}),
    "style": ({"norm": "instance"}, {"epochs": 40, "small": 0.6}),
}
_PSNR = ("student", "identity", "colour")


def bench(session: Session) -> dict[str, Any]:
    """Train a student of each teacher; the test photos are read once by each."""
    source = photo_source()
    graphs = [_graph(name, source, session.full) for name in _TEACHERS]
    arms = [f"{kind}_{name}" for name in _TEACHERS for kind in ("pairs", "train")]
    runs = dict(zip(_TEACHERS, session.run(graphs, arms), strict=True))
    times = _milliseconds(list(runs.values()))
    found = {name: _figures(run, ms) for (name, run), ms in zip(runs.items(), times, strict=True)}
    print(_about(source, {name: int(figures["samples"]) for name, figures in found.items()}))
    columns = list(next(iter(found.values())))
    rows = [(column, *(figures[column] for figures in found.values())) for column in columns]
    print_table(("figure", *found), rows)
    return found


def _about(source: str, samples: dict[str, int]) -> str:
    if source == "gcompris":
        return "Photos: 246 of GCompris, one crop each; the test photos are in no training pair."
    return (
        f"Photos: 9 bundled ones, 24 crops each; the {min(samples.values())} test crops are of 4 "
        "photos that are in no training pair. Take these figures as a sign that it works, no more."
    )


def _graph(name: str, source: str, full: bool) -> Graph:
    """Photos, teacher, pairs, student, test and file, for one teacher."""
    graph = Graph(f"bench-generator-{name}")
    graph.add("data.photos", "photos", {"source": source, "test_fraction": held_out(source)})
    kind, params = _TEACHERS[name]
    graph.add(kind, "teacher", params)
    graph.add("data.pairs", f"pairs_{name}")
    graph.connect("photos.data", f"pairs_{name}.photos")
    graph.connect("teacher.generator", f"pairs_{name}.teacher")
    student, training = _STUDENTS[name]
    graph.add("model.generator", "student", student)
    epochs = training["epochs"] * (4 if full else 1)
    graph.add("train.image_to_image", f"train_{name}", {**training, "epochs": epochs})
    graph.connect("student.generator", f"train_{name}.model")
    graph.connect(f"pairs_{name}.pairs", f"train_{name}.pairs")
    graph.add("evaluate.images", "test", {"kid": "on"})
    graph.connect(f"train_{name}.generator", "test.model")
    graph.connect(f"pairs_{name}.pairs", "test.pairs")
    graph.add("export.onnx", "onnx", {"dynamic_batch": False})
    graph.connect(f"train_{name}.generator", "onnx.model")
    graph.connect(f"pairs_{name}.pairs", "onnx.data")
    return graph


def _figures(run: Run, milliseconds: float) -> dict[str, Any]:
    psnr = {arm: figure(run, "test", "psnr" + _end(arm)) for arm in _PSNR}
    return {
        "gmacs": round(figure(run, "onnx", "gmacs"), 4),
        "bytes": int(figure(run, "onnx", "bytes")),
        "ort_ms": round(milliseconds, 2),
        **{f"psnr_{arm}": round(value, 3) for arm, value in psnr.items()},
        "kid_student": round(figure(run, "test", "kid"), 5),
        "kid_colour": round(figure(run, "test", "kid_colour"), 5),
        "kid_floor": round(figure(run, "test", "kid_floor"), 5),
        "samples": int(figure(run, "test", "samples")),
    }


def _end(arm: str) -> str:
    return "" if arm == "student" else f"_{arm}"


def _milliseconds(runs: list[Run]) -> list[float]:
    """Time the files in turn, one thread, after all training has ended."""
    from backend.export.latency import compare_latency

    files = [Artifact.load(Path(output_folder(run, "onnx", "artifact"))).path for run in runs]
    return [found.median_ms for found in compare_latency(files, seconds=2.0)]
