"""Bad documents and files of the workspace, through the window."""

from __future__ import annotations

import json

import pytest
from PySide6.QtCore import QCoreApplication, QMimeData
from PySide6.QtGui import QGuiApplication

from studio.docks.while_away import LastSeen
from studio.editor import clipboard
from studio.recent import RecentFiles
from studio.session import Session
from tests.studio.bad_world import PIPELINE, Told, document, opened, press

GARBAGE = [b"\xff\xfe\x00\x01", b"", b"[1, 2", b"[]", b"null", b"42", b"[" * 100_000]
KEPT = ["recent.json", "queue.json"]
KEPT += [f"studio/{n}.json" for n in ("settings", "palette", "layouts", "last_seen", "dock-log")]
KEPT += ["cache/runs.json", "cache/catalog.json"]
GRAPH = json.loads(PIPELINE.read_text(encoding="utf-8"))
NODES, LINKS = GRAPH["nodes"], GRAPH["links"]


@pytest.fixture
def told(session: Session) -> Told:
    return Told(session)


# -- what the workspace keeps ----------------------------------------------------------------------


@pytest.mark.parametrize("content", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_in_every_file_that_is_kept(workspace, recorded_catalog, content: bytes) -> None:
    for name in KEPT:
        (workspace.root / name).parent.mkdir(parents=True, exist_ok=True)
        (workspace.root / name).write_bytes(content)
    with opened(workspace, recorded_catalog) as window:
        window.heard.one("warn", "The settings file is damaged", "kept as")
        window.act("open_pipeline", path=PIPELINE.name)
        QCoreApplication.processEvents()
        window.heard.nothing()
        assert set(window.session.document.graph.nodes) == set(NODES)
    (copy,) = (workspace.root / "studio").glob("settings-*.json")
    assert copy.read_bytes() == content


def test_settings_of_a_newer_version_are_kept(workspace, recorded_catalog) -> None:
    path = workspace.root / "studio" / "settings.json"
    path.parent.mkdir(parents=True)
    newer = json.dumps({"format": "fretsaw.settings", "version": 2, "values": {"theme": "neon"}})
    path.write_text(newer)
    with opened(workspace, recorded_catalog) as window:
        window.heard.one("warn", "from a newer Fretsaw", "at their defaults", "kept as")
    (copy,) = path.parent.glob("settings-*.json")
    assert copy.read_text() == newer


@pytest.mark.parametrize("text", ["a", "\u00e9", "AAAAAAAA"])
def test_a_layout_that_is_no_layout_is_passed_over(workspace, recorded_catalog, text) -> None:
    path = workspace.root / "studio" / "layouts.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"Graph": text, "Compare": text, "geometry": text}))
    with opened(workspace, recorded_catalog) as window:
        window.act("new")
        window.set_workspace("Compare")
        assert window.frames["properties"].isVisible()
        window.heard.nothing()


@pytest.mark.parametrize("at", ["NaN", "1e300", "-1e18", '"x"', "null"])
def test_times_that_no_clock_shows(workspace, at: str) -> None:
    path = workspace.root / "studio" / "last_seen.json"
    path.parent.mkdir(parents=True)
    path.write_text(f'{{"at": {at}}}')
    assert LastSeen(workspace.root).at is None


def test_one_bad_line_of_the_recent_files_costs_that_line(workspace, tmp_path) -> None:
    good = str(tmp_path / "good.json")
    lines = [{"path": "a\0b", "opened": 1}, 3, {"path": "", "opened": 1}, {"opened": 2}]
    lines += [{"path": good, "opened": float("nan")}]
    (workspace.root / "recent.json").write_text(json.dumps({"files": lines}))
    (kept,) = RecentFiles(workspace).files
    assert (str(kept.path), kept.opened, kept.is_missing) == (good, 0.0, True)


# -- documents -------------------------------------------------------------------------------------


def _with(node: str, **more: object) -> dict[str, object]:
    return {"nodes": {**NODES, node: {**NODES.get(node, {"type": "data.digits"}), **more}}}


REFUSED = [
    (_with("data", params=[1]), ['its node "data" has the wrong form', "older copy"]),
    (_with("a/b"), ["cannot be opened", '"a/b" cannot be the name', "letters"]),
    ({"links": [["a", "b", "c"]]}, ["its list of links has the wrong form", "older copy"]),
    ({"layout": {"nodes": {"data": {"x": float("nan"), "y": 1}}}}, ["its layout", "older copy"]),
    ({"layout": {"notes": [1]}}, ["one of its notes has the wrong form", "older copy"]),
    ({"metadata": [1]}, ["its metadata has the wrong form", "older copy"]),
    ({"schema_version": 99}, ["newer Fretsaw", "Update Fretsaw", "not changed"]),
    ({"seed": float("nan")}, ["its head has the wrong form", "older copy"]),
    ({"metadata": {"a": json.loads("[" * 80 + "]" * 80)}}, ["nested too deep", "older copy"]),
]


@pytest.mark.parametrize(("change", "words"), REFUSED, ids=[w[0] for _, w in REFUSED])
def test_a_document_that_cannot_be_opened(window, told, tmp_path, change, words) -> None:
    window.act("open_pipeline", path=PIPELINE.name)
    window.session.document.set("train", epochs=7)
    path = document(tmp_path, **change)
    before = path.read_bytes()
    window.act("open_file", path=path)
    press(window, "Discard")
    told.one("bad", str(path), *words)
    assert window.session.document.graph.nodes["train"].params["epochs"] == 7, "it stays open"
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "is empty"),
        (b'{"a": ', "truncated"),
        (b"\xff\xfe\x00", "not a text file"),
        (b"[]", "is no pipeline"),
        (b"[" * 100_000, "no JSON"),
    ],
)
def test_a_file_that_is_no_document(window, told, tmp_path, content: bytes, word: str) -> None:
    path = tmp_path / "odd.json"
    path.write_bytes(content)
    window.act("open_file", path=path)
    told.one("bad", str(path), word)
    assert window.session.document.path is None
    path.unlink()
    window.act("open_file", path=path)
    told.one("bad", "There is no file", str(path), "Check the path.")


def test_an_unknown_node_is_kept_as_it_is(window, told, tmp_path) -> None:
    path = document(tmp_path, **_with("data", type="acme.widget", params={"secret": [1]}))
    window.act("open_file", path=path)
    found = window.session.document
    found.validate()
    (problem,) = [p for p in found.problems_of("data") if "acme" in str(p)]
    assert str(problem) == (
        'data: The kind "acme.widget" is not installed. '
        "Install the package that brings it, or remove the node."
    )
    found.set("train", epochs=2)
    window.act("save")
    again = json.loads(path.read_text())["nodes"]["data"]
    assert (again["type"], again["params"]) == ("acme.widget", {"secret": [1]})
    window.act("run")
    told.one("info", '"acme.widget" is not installed', "remove the node")
    assert not window.session.runner.queued


def test_odd_notes_do_not_lock_the_document(window, told, tmp_path) -> None:
    notes = [{"id": {"a": 1}, "x": 1, "y": 2, "text": 5, "color": ["x"], "kind": ["y"]}]
    notes += [{"id": [1], "x": 1, "y": 2, "width": -5, "height": 0, "text": None}]
    window.act("open_file", path=document(tmp_path, layout={"notes": notes}))
    window.grab()
    assert len({note["id"] for note in window.session.document.graph.notes}) == 2
    window.act("new")
    assert not window.session.document.graph.nodes
    told.nothing()


def test_numbers_and_letters_that_no_field_or_file_holds(window, told, tmp_path) -> None:
    params = {"epochs": 10**400, "seed_text": "\ud800"}
    path = document(tmp_path, **_with("train", params=params), name="\ud800", seed=10**400)
    window.act("open_file", path=path)
    window.show_dock("properties")
    window.session.selection.set(["train"])
    window.session.document.validate()
    window.grab()
    assert all(len(str(p)) < 400 for p in window.session.document.problems)
    window.session.document.set("train", batch=8)
    window.act("save")
    kept = json.loads(path.read_text(encoding="utf-8"))
    assert kept["name"] == "\ud800"
    assert kept["nodes"]["train"]["params"] == {**params, "batch": 8}
    told.nothing()


@pytest.mark.parametrize(
    "presets", [5, [1], "tiny", {"tiny": 7}, {"tiny": {"no.x": 1, "train.": 2}}]
)
def test_presets_that_fit_nothing(window, told, tmp_path, presets) -> None:
    window.act("open_file", path=document(tmp_path, metadata={"presets": presets}))
    window.menus.fill_presets()
    window.act("preset", name="tiny")
    told.one("bad", '"tiny"', "Set the parameters by hand.")
    assert not window.session.document.is_modified


def test_a_preset_that_fits_in_part_says_what_it_left_out(window, told, tmp_path) -> None:
    presets = {"tiny": {"train.epochs": 1, "gone.epochs": 2}}
    window.act("open_file", path=document(tmp_path, metadata={"presets": presets}))
    window.act("preset", name="tiny")
    told.one("warn", "1 parameter is set.", "Not there any more: 'gone.epochs'.")
    assert window.session.document.graph.nodes["train"].params["epochs"] == 1


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("[" * 100_000, "no nodes"),
        ("x" * 9_000_000, "too much"),
        ("\0", "no nodes"),
        ('{"format":"fretsaw.fragment","schema_version":9,"nodes":{},"links":[]}', "newer"),
        ('{"format":"fretsaw.fragment","schema_version":1,"nodes":5,"links":[]}', "nodes"),
    ],
    ids=["deep", "large", "zero", "newer", "damaged"],
)
def test_a_clipboard_from_elsewhere(window, told, text: str, word: str) -> None:
    data = QMimeData()
    data.setData(clipboard.MIME, text.encode())
    QGuiApplication.clipboard().setMimeData(data)
    window.act("new")
    window.act("paste")
    told.one("bad", word)
    assert not window.session.document.graph.nodes
    QGuiApplication.clipboard().clear()


def test_two_windows_on_one_document(window, told, workspace, recorded_catalog, tmp_path) -> None:
    path = document(tmp_path)
    window.act("open_file", path=path)
    with opened(workspace, recorded_catalog) as other:
        other.act("open_file", path=path)
        message = other.heard.messages[0]
        other.heard.one("warn", '"doc.json" is open in another window', "copy")
        assert message.action is not None
        assert message.action[0] == "Open a copy"
        message.action[1]()
        assert other.session.document.path is None
        assert set(other.session.document.graph.nodes) == set(NODES)
        other.session.document.set("train", epochs=3)
    assert window.session.document.path == path
    window.session.document.set("train", epochs=4)
    window.act("save")
    told.nothing()
    assert json.loads(path.read_text())["nodes"]["train"]["params"]["epochs"] == 4
