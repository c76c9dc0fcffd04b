"""A recorded run and a catalogue, for everything that reads them without running anything.

Made by ``python -m tests.record``; they stay readable, whatever the code becomes.
"""

from __future__ import annotations

from pathlib import Path

from backend import report
from backend.core import events as ev
from backend.core.catalog import Catalog
from backend.core.run import Run
from backend.core.views import read_payload

DATA = Path(__file__).parent / "data"


def test_every_line_of_the_recorded_run_is_understood() -> None:
    run = Run(DATA / "run")
    lines = (run.path / "events.jsonl").read_text().splitlines()
    events = run.events()
    assert len(events) == len(lines)
    assert isinstance(events[0], ev.RunStarted)
    assert isinstance(events[-1], ev.RunFinished)
    assert events[-1].status == "finished"
    assert run.state() == "finished"
    kinds = {type(e).__name__ for e in events}
    assert {"NodeStarted", "Progress", "Metric", "View", "Image", "Log", "NodeFinished"} <= kinds


def test_its_files_are_there_and_its_report_can_be_drawn(tmp_path: Path) -> None:
    run = Run(DATA / "run")
    for event in run.events():
        if isinstance(event, ev.Image):
            assert (run.path / event.path).read_bytes().startswith(b"\x89PNG")
        if isinstance(event, ev.View):
            payload = event.data or read_payload(run.path / str(event.path))
            assert payload.kind == event.view
    page = report.write(run, tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Float against 8-bit" in page


def test_its_nodes_are_in_the_recorded_catalogue() -> None:
    catalog = Catalog.model_validate_json((DATA / "catalog.json").read_bytes())
    graph = Run(DATA / "run").graph()
    assert {node.type for node in graph.nodes.values()} <= set(catalog.nodes)
    assert graph.problems(catalog.nodes) == []
