"""What a network costs on a phone: read from what phones told, never guessed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backend.core.artifact import Artifact, TensorSpec
from backend.core.context import Context
from backend.core.errors import DocumentError
from backend.core.workspace import Workspace
from backend.methods.phone import NETWORK, PhoneCostParams, cost_phone
from backend.values import Cost


@pytest.fixture
def artifact(tmp_path: Path) -> Artifact:
    file = tmp_path / "edit.onnx"
    file.write_bytes(b"graph")
    tensor = TensorSpec("image", (1, 3, 64, 64), "float32")
    return Artifact.of(file, "onnx", tensor, tensor, facts={"label": "Starry"})


def measured(run: str, device: str, graph: str, ms: float) -> None:
    folder = Workspace.current().runs / run
    folder.mkdir(parents=True, exist_ok=True)
    times = [
        {"backend": "wasm-1", "median_ms": 2 * ms, "p90_ms": 2 * ms + 1},
        {"backend": "wasm-4", "median_ms": ms, "p90_ms": ms + 1},
    ]
    record = {"at": 1.0, "device": device, "t": "bench", "id": "starry", "graph": graph}
    with open(folder / "phone.jsonl", "a") as file:
        file.write(json.dumps({**record, "times": times, "chosen": "wasm-4"}) + "\n")


def live(run: str, device: str, ms: float) -> None:
    folder = Workspace.current().runs / run
    folder.mkdir(parents=True, exist_ok=True)
    record = {"at": 1.0, "device": device, "t": "tel", "id": "ink", "ms": {"run": {"p50": ms}}}
    with open(folder / "phone.jsonl", "a") as file:
        file.write(json.dumps(record) + "\n")


def cost(artifact: Artifact, **params: object) -> Cost:
    return cost_phone(Context.quiet(), PhoneCostParams(**params), artifact)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _own_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRETSAW_HOME", str(tmp_path / "home"))


def test_the_newest_benchmark_of_this_very_file_counts(artifact: Artifact) -> None:
    measured("2026-01-01", "Pixel 7", artifact.sha256, 44.0)
    measured("2026-01-02", "Galaxy", artifact.sha256, 38.0)
    measured("2026-01-03", "Pixel 7", "0" * 64, 1.0)  # another file
    found = cost(artifact)
    assert (found.unit, found.table) == ("ms", {NETWORK: 38.0, artifact.sha256: 38.0})
    assert found.total([NETWORK]) == 38.0
    assert "Galaxy, wasm-4, its own benchmark" in found.provenance
    assert cost(artifact, device="Pixel 7").table[NETWORK] == 44.0


def test_live_figures_count_for_an_edit_that_is_named(artifact: Artifact) -> None:
    live("2026-01-01", "Pixel 7", 30.0)
    live("2026-01-01", "Pixel 7", 34.0)
    with pytest.raises(DocumentError, match=r"No phone has measured \"edit\.onnx\" yet"):
        cost(artifact)
    found = cost(artifact, edit="ink")
    assert found.table[NETWORK] == 32.0
    assert "median of its live camera" in found.provenance


def test_without_a_measurement_it_stops_and_says_how_to_get_one(artifact: Artifact) -> None:
    with pytest.raises(DocumentError, match="choose Benchmark on the phone"):
        cost(artifact)
    measured("2026-01-01", "Pixel 7", artifact.sha256, 44.0)
    with pytest.raises(DocumentError, match=r'Did you mean "Pixel 7"'):
        cost(artifact, device="Pixel7")
