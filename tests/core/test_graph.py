from __future__ import annotations

import itertools
import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.core import graph_file
from backend.core.errors import DocumentError
from backend.core.graph import Change, Graph
from backend.core.order import circle, postorder


def chain(*names: str) -> Graph:
    graph = Graph("chain")
    for name in names:
        graph.add("toy.same", name)
    for one, two in itertools.pairwise(names):
        graph.connect(f"{one}.number", f"{two}.number")
    return graph


def test_edits_are_told_and_a_listener_can_leave() -> None:
    graph, heard = Graph(), []
    leave = graph.subscribe(heard.append)
    graph.add("toy.start", "a")
    graph.add("toy.same", "b")
    link = graph.connect("a.count", "b.number")
    graph.set("a", x=3)
    graph.move("a", 1, 2)
    graph.remove("a")
    leave()
    graph.set("b", x=1)
    assert heard == [
        Change("added", "a"),
        Change("added", "b"),
        Change("connected", link=link),
        Change("set", "a"),
        Change("moved", "a"),
        Change("disconnected", link=link),
        Change("removed", "a"),
    ]


def test_names_are_made_and_checked() -> None:
    graph = Graph()
    assert [graph.add("toy.same") for _ in range(3)] == ["same", "same2", "same3"]
    with pytest.raises(DocumentError, match="already a node"):
        graph.add("toy.same", "same")
    with pytest.raises(DocumentError, match="cannot be the name"):
        graph.add("toy.same", "a.b")
    with pytest.raises(DocumentError, match='Did you mean "same2"'):
        graph.remove("sane2")


def test_a_circle_is_refused_and_named() -> None:
    graph = chain("a", "b", "c")
    with pytest.raises(DocumentError, match="circle"):
        graph.connect("c.number", "a.number")
    data = graph.to_json()
    data["links"].append(["c.number", "a.number"])
    damaged = Graph.from_json(data)
    assert damaged.circle() in (list("abca"), list("bcab"), list("cabc"))
    with pytest.raises(DocumentError, match="round in a circle"):
        damaged.order()
    assert any("circle" in str(p) for p in damaged.problems({}))


def test_order_puts_sources_first_and_only_what_is_needed() -> None:
    graph = chain("a", "b", "c")
    graph.add("toy.same", "d")
    graph.connect("a.number", "d.number")
    assert graph.order() == ["a", "b", "c", "d"]
    assert graph.order("d") == ["a", "d"]


def test_a_chain_of_ten_thousand_nodes_is_ordered() -> None:
    graph = Graph()
    names = [f"n{i}" for i in range(10_000)]
    sources = {name: [names[i - 1]] if i else [] for i, name in enumerate(names)}
    assert postorder(names[-1], lambda n: sources[n]) == names
    assert circle(sources) == []
    assert graph.order() == []


def test_layout_is_apart_from_meaning(tmp_path) -> None:
    graph = chain("a", "b")
    before = graph.to_json()
    graph.move("a", 10, 20)
    after = graph.to_json()
    assert before.pop("layout") != after.pop("layout")
    assert before == after


def test_unknown_nodes_survive_a_round_trip(tmp_path) -> None:
    graph = Graph("odd")
    graph.add("nobody.knows", "x", {"deep": {"list": [1, 2.5, None, "ü"]}}, version=7)
    graph.bypass("x")
    graph.save(tmp_path / "g.json")
    again = Graph.load(tmp_path / "g.json")
    assert again.nodes == graph.nodes
    assert again.to_json() == graph.to_json()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ('{"format": "fretsaw.graph", "nodes"', "truncated"),
        ("[1, 2]", "no pipeline"),
        ('{"format": "other"}', "no pipeline"),
        ('{"format": "fretsaw.graph"}', "schema version"),
        ('{"format": "fretsaw.graph", "schema_version": 99}', "newer Fretsaw"),
        ('{"format": "fretsaw.graph", "schema_version": 1}', "damaged"),
        ('{"format": "fretsaw.graph", "schema_version": 1, "nodes": [], "links": []}', "damaged"),
        (
            '{"format": "fretsaw.graph", "schema_version": 1, "nodes": {"a": 3}, "links": []}',
            "damaged",
        ),
        ("\x89PNG", "truncated or is no JSON"),
    ],
)
def test_a_foreign_or_damaged_file_gets_one_sentence(tmp_path, text: str, words: str) -> None:
    path = tmp_path / "g.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DocumentError, match=words) as caught:
        Graph.load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_binary_and_missing_files_get_one_sentence(tmp_path) -> None:
    (tmp_path / "b.json").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(DocumentError, match="not a text file"):
        Graph.load(tmp_path / "b.json")
    with pytest.raises(DocumentError, match="no file"):
        Graph.load(tmp_path / "none.json")


def test_a_failed_save_leaves_the_previous_file(tmp_path, monkeypatch) -> None:
    path = tmp_path / "g.json"
    chain("a").save(path)
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        chain("a", "b").save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["g.json"]


def test_an_older_schema_is_migrated(monkeypatch) -> None:
    data = chain("a").to_json()
    data["boxes"] = data.pop("nodes")
    monkeypatch.setattr(graph_file, "SCHEMA_VERSION", 2)
    monkeypatch.setitem(
        graph_file.MIGRATIONS, 1, lambda old: {**old, "nodes": old["boxes"], "schema_version": 2}
    )
    assert list(Graph.from_json(data).nodes) == ["a"]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.sampled_from("arcdsm"), st.integers(0, 6), st.integers(0, 6))))
def test_any_sequence_of_edits_keeps_the_document_sound(edits) -> None:
    graph = Graph()
    for kind, i, j in edits:
        one, two = f"n{i}", f"n{j}"
        try:
            if kind == "a":
                graph.add("toy.same", one)
            elif kind == "r":
                graph.remove(one)
            elif kind == "c":
                graph.connect(f"{one}.number", f"{two}.number")
            elif kind == "d":
                graph.disconnect(f"{one}.number", f"{two}.number")
            elif kind == "s":
                graph.set(one, x=j)
            else:
                graph.move(one, i, j)
        except DocumentError:
            continue
    assert graph.circle() == []
    assert sorted(graph.order()) == sorted(graph.nodes)
    assert all(x.source_node in graph.nodes and x.target_node in graph.nodes for x in graph.links)
    assert set(graph.layout) <= set(graph.nodes)
    again = Graph.from_json(json.loads(json.dumps(graph.to_json())))
    assert again.to_json() == graph.to_json()


def test_a_node_is_renamed_with_its_links_and_place() -> None:
    graph = chain("a", "b", "c")
    graph.move("b", 1, 2)
    heard = []
    graph.subscribe(heard.append)
    graph.rename("b", "B")
    graph.rename("B", "long-name")
    assert heard == [Change("renamed", "B", was="b"), Change("renamed", "long-name", was="B")]
    assert list(graph.nodes) == ["a", "long-name", "c"]
    assert graph.layout == {"long-name": {"x": 1.0, "y": 2.0}}
    assert [link.source for link in graph.into("c")] == ["long-name.number"]
    assert [link.target for link in graph.out_of("a.number")] == ["long-name.number"]
    for new, words in (("A", "already a node"), ("x.y", "cannot be the name")):
        with pytest.raises(DocumentError, match=words):
            graph.rename("c", new)
    with pytest.raises(DocumentError, match='no node "gone"'):
        graph.rename("gone", "x")


def test_what_undo_is_made_of_puts_things_where_they_were() -> None:
    graph = chain("a", "b", "c", "d")
    graph.connect("a.number", "d.other")
    before = json.dumps(graph.to_json())
    node, links = graph.nodes["b"], list(graph.links)
    gone = graph.links_of(["b"])
    graph.remove("b")
    graph.restore("b", node, None, 1)
    for link in gone:
        graph.relink(link, links.index(link))
    assert json.dumps(graph.to_json()) == before


def test_a_copy_has_no_listeners_and_is_not_edited_along() -> None:
    graph = chain("a", "b")
    graph.move("a", 1, 2)
    copy, before = graph.copy(), graph.to_json()
    heard = []
    graph.subscribe(heard.append)
    copy.set("a", x=1)
    copy.disconnect("a.number", "b.number")
    copy.move("a", 5, 5)
    copy.set_notes([{"id": "n"}])
    copy.set_title("other", 4)
    assert graph.to_json() == before
    assert heard == []
    graph.set("b", x=1)
    assert copy.nodes["b"].params == {}


def test_name_seed_and_notes_are_told() -> None:
    graph, heard = Graph(), []
    graph.subscribe(heard.append)
    graph.set_title(name="new")
    graph.set_title(seed=4)
    graph.set_notes([{"id": "n", "x": 0, "y": 0}])
    assert (graph.name, graph.seed) == ("new", 4)
    assert heard == [Change("titled"), Change("titled"), Change("notes")]


def test_a_free_name_is_free_of_other_capitals_too() -> None:
    graph = Graph()
    graph.add("toy.same", "SAME")
    assert graph.add("toy.same") == "same2"


@pytest.mark.parametrize(
    "layout",
    [
        {"nodes": {"a": 3}},
        {"nodes": {"a": {"x": 1}}},
        {"nodes": {"a": {"x": "1", "y": 2}}},
        {"nodes": {"a": {"x": float("nan"), "y": 2}}},
        {"nodes": {"a": {"x": 1e12, "y": 2}}},
        {"notes": ["text"]},
        {"notes": [{"x": 1, "y": 2, "width": None}]},
        {"notes": 3},
    ],
)
def test_places_that_no_canvas_can_show_are_damage(layout: dict) -> None:
    data = {**chain("a").to_json(), "layout": layout}
    with pytest.raises(DocumentError, match="is damaged"):
        Graph.from_json(data)
