"""What the studio knows of phones, and the words it has for it; no window."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backend.core import phone_records
from backend.core.errors import DocumentError
from backend.core.workspace import Workspace
from device_bridge import protocol as say
from device_bridge import wire
from studio.docks.phone_qr import modules
from studio.docks.phone_steps import lines
from studio.phone.artefacts import all_edits, edit_id, edit_of, read_edit
from studio.phone.state import WINDOW_S, PhoneState, ShownConcept
from studio.phone.words import browser, code_groups, device_name, milliseconds, size, small
from studio.run_row import key_of, read_row
from tests.studio.phone_parts import (
    AGENT,
    GRAPH,
    edit,
    hello,
    ready,
    telemetry,
    write_artefact,
    write_export,
)


def connected(state: PhoneState, device: str = "d1", now: float = 100.0) -> set[str]:
    event = wire.Connected(device=device, name="", route="wifi", hello=hello())
    return state.hear(event, now)


def said(state: PhoneState, message: object, now: float = 100.0) -> set[str]:
    return state.hear(wire.Said(device="d1", message=message), now)  # type: ignore[arg-type]


def test_a_phone_is_named_by_its_browser_if_it_has_no_name() -> None:
    state = PhoneState()
    assert "devices" in connected(state)
    assert state.device is not None
    assert state.device.name == "Pixel 7"
    assert browser(AGENT) == "Chrome"


@pytest.mark.parametrize(
    ("name", "agent", "expected"),
    [
        ("My phone", AGENT, "My phone"),
        ("", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18 Safari", "iPhone"),
        ("", "Mozilla/5.0 (Linux; Android 10; K) Chrome/156 Mobile", "Android phone"),
        ("", "curl", "Phone"),
        ("x" * 90, "", "x" * 40),
    ],
)
def test_names(name: str, agent: str, expected: str) -> None:
    assert device_name(name, agent) == expected


def test_figures_are_words_with_the_digits_that_help() -> None:
    assert (milliseconds(38.2), milliseconds(4.61)) == ("38", "4.6")
    assert (small(1.1e-5), small(0.0)) == ("1.1e-5", "0")
    assert (size(340_000), size(21_000), size(4_200_000)) == ("0.34 MB", "21 kB", "4.2 MB")
    assert code_groups("K7F42Q") == "K7F 42Q"


def test_telemetry_keeps_two_minutes_and_no_more() -> None:
    state = PhoneState()
    connected(state)
    for second in range(200):
        said(state, telemetry(run=float(second + 1)), 1000.0 + second)
    points = state.devices["d1"].points
    assert len(points) == WINDOW_S + 1
    assert points[0].at >= 1199 - WINDOW_S
    assert points[-1].p50 == 200.0


def test_a_paused_camera_adds_no_points() -> None:
    state = PhoneState()
    connected(state)
    said(state, telemetry(fps=0.0))
    assert not state.devices["d1"].points


def test_an_edit_goes_from_offered_over_sending_to_ready_and_marks_the_swap() -> None:
    state = PhoneState()
    connected(state)
    state.push(edit(epoch=14))
    phone = state.devices["d1"]
    assert phone.edits["starry"].state == "offered"
    said(state, say.FileProgress(id="starry", done=10, total=40))
    assert (phone.edits["starry"].state, phone.edits["starry"].done) == ("sending", 10)
    said(state, ready())
    assert phone.edits["starry"].state == "ready"
    assert phone.edit == "starry"
    assert [swap.words for swap in phone.swaps] == ["epoch 14 swapped in"]


def test_a_failure_keeps_the_live_edit() -> None:
    state = PhoneState()
    connected(state)
    state.push(edit())
    said(state, ready())
    state.push(edit("Poster"))
    said(state, say.Failed(id="poster", stage="operator", text="No operator Foo."))
    phone = state.devices["d1"]
    assert phone.edit == "starry"
    assert (phone.edits["poster"].state, phone.edits["poster"].text) == (
        "failed",
        "No operator Foo.",
    )


def test_golden_of_another_edit_is_not_shown_for_the_chosen_one() -> None:
    state = PhoneState()
    connected(state)
    golden = say.Golden(id="starry", backend="wasm-4", max_error=1e-5, mean_error=1e-6, ok=True)
    said(state, golden)
    said(state, say.Chosen(id="poster"))
    assert state.devices["d1"].golden is None


def test_what_a_phone_says_that_is_not_connected_is_nothing() -> None:
    state = PhoneState()
    assert said(state, telemetry()) == set()


def test_a_phone_that_left_is_gone_but_pushed_edits_stay() -> None:
    state = PhoneState()
    connected(state)
    state.push(edit())
    assert "devices" in state.hear(wire.Gone(device="d1", why="asleep"), 1.0)
    assert state.device is None
    assert list(state.edits) == ["starry"]
    connected(state)
    assert state.devices["d1"].edits["starry"].state == "offered"


def test_the_question_stands_until_it_is_answered() -> None:
    state = PhoneState()
    state.hear(wire.Asks(device="d1", name="Pixel 7", address="192.168.1.40"), 1.0)
    assert [ask.device for ask in state.asks] == ["d1"]
    state.answered("d1")
    assert state.asks == []


def test_the_doctor_names_the_failing_step_and_its_fix() -> None:
    state = PhoneState()
    assert {step.state for step in lines(state.doctor)} == {"waiting"}
    listening = wire.Listening(url="https://x/", host="192.168.1.2", port=1, tls=True)
    state.hear(listening, 1.0)
    state.hear(wire.Token(url="https://x/#t=A", code="ABCDEF", expires=9e12), 1.0)
    trouble = wire.Trouble(
        text="The phone does not trust it.", remedy="Choose Advanced.", command="certificate"
    )
    assert state.hear(trouble, 1.0) == {"checks"}, "said at its step, not as other news"
    failed = [step for step in lines(state.doctor) if step.state == "failed"]
    assert [(step.name, step.remedy) for step in failed] == [("certificate", "Choose Advanced.")]
    connected(state)
    said(state, say.Check(step="memory", state="failed", text="Storage is full."))
    assert "memory" in [step.name for step in lines(state.doctor)], "shown since it failed"


def test_a_qr_code_is_square_and_has_its_three_corners() -> None:
    rows = modules("https://192.168.1.23:41234/#t=" + "A1b2" * 8)
    side = len(rows)
    assert side >= 33
    assert all(len(row) == side for row in rows)
    for top, left in ((0, 0), (0, side - 7), (side - 7, 0)):
        ring = [rows[top][left + n] for n in range(7)]
        assert ring == [1] * 7
        assert [rows[top + 1][left + n] for n in range(7)] == [1, 0, 0, 0, 0, 0, 1]


# -- artefacts -------------------------------------------------------------------------------------


def test_an_export_becomes_an_edit_with_a_stable_id(tmp_path: Path) -> None:
    weights = {"weights": {"path": "w.bin", "bytes": 100}, "epochs": 20}
    folder = write_artefact(tmp_path / "a", "Starry night!", **weights)
    found = read_edit(folder, "/runs/one", "export")
    assert (found.id, found.name, found.bytes, found.epoch) == (
        "starry-night", "Starry night!", 105, 20,
    )  # fmt: skip
    assert edit_id("Starry  Night!") == "starry-night"
    wire.Push(folder="x", id=edit_id("\u00c4\u00d6\u00dc"), name="x")  # an id that the wire takes


def test_a_classifier_or_damaged_record_is_refused_with_a_remedy(tmp_path: Path) -> None:
    folder = write_artefact(tmp_path / "a", task="classification")
    with pytest.raises(DocumentError, match="does not turn a picture into a picture"):
        read_edit(folder)
    (folder / "artifact.json").write_text("{")
    with pytest.raises(DocumentError, match="holds no exported network"):
        read_edit(folder)
    with pytest.raises(DocumentError, match="holds no exported network"):
        read_edit(tmp_path / "nowhere")


def test_a_thumb_outside_the_folder_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(b"x")
    folder = write_artefact(tmp_path / "a", thumb="../secret.png")
    assert read_edit(folder).thumb == ""


def test_exports_are_found_by_run_and_node(workspace: Workspace) -> None:
    write_export(workspace, "2026-01-01_one", "export", "Starry")
    write_export(workspace, "2026-01-02_two", "export", "Starry")
    write_export(workspace, "2026-01-02_two", "other", "Poster")
    assert edit_of(workspace, "2026-01-02_two", "other").name == "Poster"
    found = all_edits(workspace)
    assert sorted(one.name for one in found) == ["Poster", "Starry"]
    newest = next(one for one in found if one.name == "Starry")
    assert Path(newest.run).name == "2026-01-02_two"
    first = next(one for one in all_edits(workspace, "2026-01-01_one") if one.name == "Starry")
    assert Path(first.run).name == "2026-01-01_one", "the run shown comes first"
    with pytest.raises(DocumentError, match="exported no network"):
        edit_of(workspace, "2026-01-02_two", "nothing")
    with pytest.raises(DocumentError, match="exported no network"):
        edit_of(workspace, "../../etc", "nothing")


# -- records ---------------------------------------------------------------------------------------


def record(**more: object) -> str:
    return json.dumps({"at": 1.0, "device": "Pixel 7", "id": "starry", **more})


def write_records(run: Path, *records: str) -> None:
    run.mkdir(parents=True, exist_ok=True)
    (run / phone_records.FILE).write_text("\n".join(records) + "\n")


def test_a_benchmark_beats_live_figures_and_the_newest_beats_older_ones(tmp_path: Path) -> None:
    times = [
        {"backend": "wasm-1", "median_ms": 71.0, "p90_ms": 80.0},
        {"backend": "wasm-4", "median_ms": 38.0, "p90_ms": 46.0},
        {"backend": "webgpu", "median_ms": 0.0, "p90_ms": 0.0, "error": "no adapter"},
    ]
    write_records(
        tmp_path,
        record(t="tel", ms={"run": {"p50": 55.0, "p95": 60.0}}, backend="wasm-1"),
        record(t="bench", graph=GRAPH, times=[{"backend": "wasm-1", "median_ms": 99.0}]),
        record(t="bench", graph=GRAPH, times=times, chosen="wasm-4"),
        '{"torn',
        "[1]",
        json.dumps({"device": "Galaxy", "id": "starry", "t": "tel", "ms": {"run": {"p50": 20.0}}}),
        json.dumps({"device": "Galaxy", "id": "starry", "t": "tel", "ms": {"run": {"p50": 30.0}}}),
    )
    assert phone_records.median_ms(tmp_path) == {"Pixel 7": 38.0, "Galaxy": 25.0}
    found = {one.device: one for one in phone_records.times(tmp_path)}
    assert (found["Pixel 7"].how, found["Pixel 7"].graph) == ("bench", GRAPH)
    assert found["Galaxy"].how == "live"


def test_hostile_figures_are_left_out(tmp_path: Path) -> None:
    write_records(
        tmp_path,
        record(t="bench", times="many"),
        record(t="bench", times=[{"median_ms": "fast"}, {"median_ms": True}, 3]),
        record(t="tel", ms={"run": {"p50": -1}}),
        record(t="tel", ms=[1]),
    )
    assert phone_records.times(tmp_path) == []
    assert phone_records.times(tmp_path / "nowhere") == []


def test_a_row_of_the_runs_table_has_the_phones_figures(recorded_run: Path) -> None:
    before = key_of(recorded_run)
    row = read_row(recorded_run)
    assert not isinstance(row, str)
    assert row.phone == {}
    times = [{"backend": "wasm-4", "median_ms": 38.0, "p90_ms": 46.0}]
    write_records(recorded_run, record(t="bench", graph=GRAPH, times=times))
    assert key_of(recorded_run) != before, "the row is out of date"
    row = read_row(recorded_run)
    assert not isinstance(row, str)
    assert row.phone == {"Pixel 7": 38.0}


def shown(first: str, **more: object) -> say.ConceptShown:
    return say.ConceptShown(id="styles", first=first, backend="wasm-4", **more)  # type: ignore[arg-type]


def test_which_concept_a_phone_shows_is_known() -> None:
    state = PhoneState()
    connected(state)
    device = state.device
    assert device is not None
    state.push(edit(id="styles", name="Styles"))
    mix = say.Mix(first="candy")
    assert "concepts" in said(state, telemetry(id="styles", concept=mix))
    assert device.concept == ShownConcept("styles", "candy")
    assert "concepts" in said(state, shown("mosaic", switch_ms=61.0), 101.0)
    assert device.concept == ShownConcept("styles", "mosaic", ms=61.0)
    assert device.edits["styles"].state == "ready"
    assert state.shown_on(device) == "Styles, mosaic"
    assert (device.swaps[-1].words, device.swaps[-1].ms) == ("mosaic shown", 61.0)
    swaps = len(device.swaps)
    for n in range(1, 10):
        blend = shown("mosaic", second="candy", share=n / 10, switch_ms=50.0)
        assert said(state, blend) == {"concepts"}, "a slider does not fill the chart"
    assert len(device.swaps) == swaps
    assert device.concept == ShownConcept("styles", "mosaic", "candy", 0.9, 50.0)
    said(state, telemetry(id="styles", concept=say.Mix(first="mosaic")))
    assert device.concept.second == "candy", "what was painted last counts, not a second-old word"


def test_another_edit_ends_a_concept_and_coming_back_tells_it() -> None:
    state = PhoneState()
    connected(state)
    device = state.device
    assert device is not None
    said(state, shown("mosaic"))
    said(state, say.Chosen(id="poster"))
    assert device.concept is None
    assert state.shown_on(device) == "poster"
    said(state, say.Chosen(id="styles", concept=say.Mix(first="candy")))
    assert device.concept == ShownConcept("styles", "candy")
    said(state, say.Failed(id="styles", stage="concept", text="It is damaged."))
