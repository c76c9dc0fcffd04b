from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from PySide6.QtCore import QMimeData
from PySide6.QtGui import QGuiApplication

from backend.core.catalog import Catalog
from backend.core.errors import DocumentError
from backend.core.graph import Graph, Link
from backend.core.workspace import Workspace
from studio.document import Document
from studio.editor import clipboard, fragment
from tests.studio.editing import chain, history, text


@pytest.fixture
def windows(workspace: Workspace, recorded_catalog: Catalog) -> Iterator[list[Document]]:
    made = [Document(workspace), Document(workspace)]
    for document in made:
        document.set_specs(recorded_catalog.nodes)
    chain(made[0])
    made[0].stack.clear()
    yield made
    for document in made:
        document.close()
    QGuiApplication.clipboard().clear()


@pytest.fixture
def document(windows: list[Document]) -> Document:
    return windows[0]


def put(content: str, mime: str = "text/plain") -> None:
    data = QMimeData()
    data.setData(mime, content.encode())
    QGuiApplication.clipboard().setMimeData(data)


def test_paste_gives_new_names_and_keeps_the_links_among_them(document) -> None:
    document.set("q", bits=4)
    document.bypass("train", True)
    clipboard.copy(document, ["train", "q"])
    names = clipboard.paste(document, (1000, 500))
    assert names == ["train2", "q2"]
    graph = document.graph
    assert graph.nodes["q2"] == graph.nodes["q"]
    assert graph.nodes["train2"] == graph.nodes["train"]
    assert graph.layout["train2"] == {"x": 1000.0, "y": 500.0}
    assert graph.layout["q2"] == {"x": 1100.0, "y": 500.0}
    assert graph.links_of(["train2", "q2"]) == [Link("train2.classifier", "q2.model")]
    assert clipboard.paste(document, (0, 0)) == ["train3", "q3"]
    assert history(document)[-1] == "Paste 2 nodes"
    document.stack.undo()
    document.stack.undo()
    assert "train2" not in graph.nodes


def test_links_from_outside_come_along_if_asked(document) -> None:
    clipboard.copy(document, ["q"])
    clipboard.paste(document, (0, 0), outside=True)
    assert document.graph.into("q2") == [
        Link("train.classifier", "q2.model"),
        Link("data.data", "q2.data"),
    ]
    document.remove(["train", "train"])
    clipboard.paste(document, (0, 0), outside=True)
    assert document.graph.into("q3") == [Link("data.data", "q3.data")]


def test_duplicate_keeps_all_links_and_the_clipboard(document) -> None:
    clipboard.copy(document, ["data"])
    note = document.add_note((0, 0, 50, 50), "note")
    names = clipboard.duplicate(document, ["train", "q"], [note])
    assert names == ["train2", "q2"]
    assert {link.source for link in document.graph.links_of(names)} == {
        "net.classifier",
        "data.data",
        "train2.classifier",
    }
    place, step = document.graph.layout["train"], fragment.STEP
    assert document.graph.layout["train2"] == {"x": place["x"] + step, "y": place["y"] + step}
    assert [note["id"] for note in document.graph.notes] == ["note1", "note2"]
    assert history(document)[-1] == "Duplicate 2 nodes and a note"
    assert clipboard.paste(document) == ["data2"]


def test_cut_is_one_step_and_pastes_under_the_same_name(document) -> None:
    before = text(document)
    clipboard.cut(document, ["train"])
    assert history(document) == ["Cut Train"] or history(document) == ["Cut Train classifier"]
    assert "train" not in document.graph.nodes
    assert clipboard.paste(document, (200, 0), outside=True) == ["train"]
    assert Link("net.classifier", "train.model") in document.graph.links
    document.stack.undo()
    document.stack.undo()
    assert text(document) == before


def test_paste_into_another_window_as_text_and_as_own_type(windows) -> None:
    one, two = windows
    one.add("not.installed", name="odd", params={"x": [None, {"y": 1.5}]})
    clipboard.copy(one, list(one.graph.nodes))
    assert clipboard.can_paste()
    plain = QGuiApplication.clipboard().mimeData().text()
    clipboard.paste(two, (0, 0))
    assert two.graph.nodes == one.graph.nodes
    assert two.graph.links == one.graph.links
    put(plain)
    assert clipboard.can_paste()
    assert clipboard.paste(two, (0, 0))[0] == "data2"
    put(json.dumps(one.graph.to_json()))
    assert clipboard.paste(two, (0, 0))[0] == "data3"
    put(plain, clipboard.MIME)
    assert clipboard.paste(two, (0, 0))[0] == "data4"


def test_names_that_differ_in_capitals_alone_or_are_long_are_made_unique(windows) -> None:
    one, two = windows
    two.add("data.digits", name="DATA")
    two.add("data.digits", name="n" * 64)
    assert two.insert(fragment.taken(one.graph, ["data"]), (0, 0)) == ["data2"]
    (name,) = two.insert(fragment.taken(two.graph, ["n" * 64]), (0, 0))
    assert name != "n" * 64
    assert len(name) <= 64


FRAGMENT = {
    "format": "fretsaw.fragment",
    "schema_version": 1,
    "nodes": {"a": {"type": "data.digits", "params": {}}},
    "links": [],
}


def broken(**changes: object) -> str:
    return json.dumps({**FRAGMENT, **changes})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "holds no nodes"),
        ("some words", "holds no nodes"),
        ("[1, 2, 3]", "holds no nodes"),
        ('{"nodes": {}}', "holds no nodes"),
        ("[" * 100_000, "holds no nodes"),
        ('{"format": "fretsaw.fragment", "x": ' + "[" * 900 + "]" * 900 + "}", "schema|no nodes"),
        (broken(nodes={"a": {"type": "t", "params": {"x": float("nan")}}}), "holds no nodes"),
        (broken(schema_version=2), "newer Fretsaw"),
        (broken(nodes={"../../etc": {"type": "t"}}), "cannot be the name"),
        (broken(nodes={"a": {}}), "damaged"),
        (broken(nodes={"a": {"type": "t", "params": 3}}), "damaged"),
        (broken(nodes=[1]), "damaged"),
        (broken(links=[["a.x", "gone.y"]]), "links lead nowhere"),
        (broken(links=[["a.x", "a.y"]]), "links lead nowhere"),
        (broken(links=[["a.x"]]), "damaged"),
        (broken(outside=[["x"]]), "links lead nowhere"),
        (broken(outside=3), "links lead nowhere"),
        (broken(layout={"nodes": {"a": {"x": 1e300, "y": 0}}}), "damaged"),
        (broken(layout={"notes": ["x"]}), "damaged"),
        (broken(layout={"notes": [{"x": 0, "y": 0, "kind": "virus"}]}), "no kind of note"),
        (broken(nodes={f"n{i}": {"type": "t"} for i in range(5001)}), "At most 5000"),
    ],
)
def test_foreign_and_damaged_text_is_refused_in_a_sentence(document, content, words) -> None:
    before = text(document)
    put(content)
    with pytest.raises(DocumentError, match=words):
        clipboard.paste(document, (0, 0))
    assert text(document) == before
    assert not document.stack.canUndo()


def test_an_endless_text_is_not_even_read(document, monkeypatch) -> None:
    monkeypatch.setattr(fragment, "MOST_BYTES", 100)
    put(" " * 101)
    with pytest.raises(DocumentError, match="too much"):
        clipboard.paste(document, (0, 0))


def test_nothing_and_unknown_names_are_not_copied(document) -> None:
    put("mine")
    clipboard.copy(document, [])
    assert QGuiApplication.clipboard().text() == "mine"
    assert not clipboard.can_paste()
    with pytest.raises(DocumentError, match="no node"):
        clipboard.copy(document, ["nobody"])
    document.set("q", bits=float("nan"))
    with pytest.raises(DocumentError, match="value that no file can hold"):
        clipboard.cut(document, ["q"])
    assert "q" in document.graph.nodes


def test_a_fragment_shares_nothing_with_its_document(document) -> None:
    document.set("net", blocks=[1, 2])
    data = fragment.taken(document.graph, ["net"])
    data["nodes"]["net"]["params"]["blocks"].append(3)
    assert document.graph.nodes["net"].params["blocks"] == [1, 2]
    (name,) = document.insert(data, (0, 0))
    data["nodes"]["net"]["params"]["blocks"].append(4)
    assert document.graph.nodes[name].params["blocks"] == [1, 2, 3]
    assert isinstance(document.graph, Graph)
