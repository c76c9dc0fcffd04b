from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.core.catalog import Catalog
from backend.core.errors import DocumentError
from backend.core.graph import Link
from backend.core.workspace import Workspace
from studio.document import Document
from studio.editor import history as history_module
from studio.editor.fragment import taken
from tests.studio.editing import chain, history, text


@pytest.fixture
def document(workspace: Workspace, recorded_catalog: Catalog, tmp_path: Path) -> Iterator[Document]:
    made = Document(workspace)
    made.set_specs(recorded_catalog.nodes)
    chain(made)
    made.save_as(tmp_path / "chain.json")
    made.stack.clear()
    yield made
    made.close()


def edit_each(document: Document) -> list[str]:
    """Do every kind of edit once; return what the history should call them."""
    document.set("q", bits=4)
    document.reset("q", "bits")
    document.bypass(["train", "q"], True)
    document.bypass("q", False)
    document.rename("net", "Net")
    document.rename("Net", "resnet")
    document.move({"q": (5, 6), "train": (7, 8)})
    document.disconnect("data.data", "train.data")
    document.connect("data.data", "train.data", position=0)
    document.connect("resnet.classifier", "q.model", replace=True)
    document.add_note((0, 0, 300, 200), "Quantized half", "frame", color="model")
    document.change_note("note1", text="The quantized half")
    document.change_note("note1", x=40.0)
    document.insert(taken(document.graph, ["train", "q"], ["note1"]), (900, 900))
    document.remove(["data", "q2"], notes=["note1"])
    document.remove_notes(["note2"])
    document.set_seed(7)
    document.set_name("a new name")
    with document.macro("Put one in between"):
        document.add("quantize.po2", name="po2", link=("train.classifier", "model"))
        document.move({"po2": (1, 1)})
    return [
        "Set F8Net word length to 4",
        "Reset F8Net word length",
        "Bypass 2 nodes",
        "Let F8Net run again",
        "Rename net to Net",
        "Rename Net to resnet",
        "Move 2 nodes",
        "Remove a link",
        "Link data to train",
        "Link resnet to q",
        "Add a frame",
        "Edit a note",
        "Move a note",
        "Paste 2 nodes and a note",
        "Remove 2 nodes and a note",
        "Remove a note",
        "Set the seed to 7",
        "Name it a new name",
        "Put one in between",
    ]


def test_each_edit_is_one_step_with_a_name_and_goes_back_exactly(document) -> None:
    states, start = [], text(document)
    document.stack.indexChanged.connect(lambda _: states.append(text(document)))
    expected = edit_each(document)
    assert history(document) == expected
    forward = [start, *states]
    assert all(one != two for one, two in pairwise(forward)), "an edit changed nothing"
    for state in reversed(forward[:-1]):
        document.stack.undo()
        assert text(document) == state
    assert not document.stack.canUndo()
    for state in forward[1:]:
        document.stack.redo()
        assert text(document) == state


def test_removing_a_node_gives_back_links_in_order_layout_bypass_and_version(document) -> None:
    document.add("report.compare", name="table")
    for name in ("train", "q"):
        document.add("evaluate.classifier", name=f"{name}_test")
        document.connect(f"{name}.classifier", f"{name}_test.model")
        document.connect(f"{name}_test.report", "table.reports")
    document.bypass("train", True)
    node, before = document.graph.nodes["train"], text(document)
    document.remove(["train", "train_test"])
    assert document.graph.into("table") == [Link("q_test.report", "table.reports")]
    document.stack.undo()
    assert document.graph.nodes["train"] == node
    assert node.bypass
    assert node.version is not None
    assert text(document) == before


def test_typing_is_one_step_until_another_edit_or_a_pause(document, monkeypatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(history_module.time, "monotonic", lambda: clock[0])
    start = text(document)
    for bits in (4, 5, 6):
        document.set("q", bits=bits)
        clock[0] += 0.9
    assert history(document) == ["Set F8Net word length to 6"]
    document.set("train", epochs=3)
    document.set("q", bits=7)
    assert len(history(document)) == 3, "another edit lay between"
    clock[0] += 1.1
    document.set("q", bits=8)
    assert len(history(document)) == 4, "a pause lay between"
    document.stack.undo()
    document.set("q", bits=3)
    assert len(history(document)) == 4, "an undo lay between"
    while document.stack.canUndo():
        document.stack.undo()
    assert text(document) == start


def test_typing_that_leads_back_leaves_no_step_and_no_mark(document) -> None:
    document.set_seed(5)
    assert document.is_modified
    document.set_seed(0)
    assert history(document) == []
    assert not document.is_modified
    document.set("q", bits=4)
    document.set_seed(5)
    document.set_seed(0)
    assert history(document) == ["Set F8Net word length to 4"]
    document.stack.undo()
    assert not document.is_modified


def test_a_saved_state_is_the_end_of_typing(document, tmp_path) -> None:
    document.set("q", bits=4)
    document.save_as(tmp_path / "a.json")
    document.set("q", bits=5)
    assert len(history(document)) == 2
    assert document.is_modified
    document.stack.undo()
    assert not document.is_modified


def test_moves_by_keys_join_and_moves_by_hand_do_not(document) -> None:
    for x in (1, 2, 3):
        document.move({"q": (x, 0)}, burst=True)
    document.move({"q": (4, 0)})
    document.move({"q": (5, 0)})
    assert history(document) == ["Move F8Net"] * 3
    document.move({"q": (5, 0)})
    assert len(history(document)) == 3, "nothing moved"


def test_the_history_is_200_deep(document) -> None:
    for seed in range(1, 260):
        document.set_seed(seed)
        document.bypass("q", bool(seed % 2))
    assert document.stack.count() == 200
    while document.stack.canUndo():
        document.stack.undo()
    assert document.graph.seed == 159


def test_a_macro_with_a_refusal_leaves_nothing(document) -> None:
    start = text(document)

    def much() -> None:
        with document.macro("Much"):
            document.add("quantize.po2", name="po2")
            document.set_seed(9)
            document.connect("net.classifier", "q.model")

    with pytest.raises(DocumentError, match="takes one link"):
        much()
    assert text(document) == start
    assert not document.stack.canUndo()
    assert not document.is_modified
    with document.macro("Nothing"):
        pass
    assert not document.stack.canUndo()


def test_a_refused_part_is_undone_where_the_whole_goes_on(document) -> None:
    with document.macro("Some"):
        document.set_seed(9)
        with pytest.raises(DocumentError):
            document.add("quantize.po2", name="po2", link=("q.nothing", "model"))
    assert document.graph.seed == 9
    assert "po2" not in document.graph.nodes
    assert history(document) == ["Some"]


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda d: d.set("nobody", x=1), 'no node "nobody"'),
        (lambda d: d.reset("nobody", "x"), 'no node "nobody"'),
        (lambda d: d.add("quantize.po2", name="q"), 'already a node "q"'),
        (lambda d: d.add("quantize.po2", name="a.b"), "cannot be the name"),
        (lambda d: d.add("quantize.po2", (float("nan"), 0)), "no place"),
        (lambda d: d.remove(["q", "nobody"]), 'no node "nobody"'),
        (lambda d: d.remove(["q"], [Link("q.x", "train.model")]), "no link from q.x"),
        (lambda d: d.connect("q.classifier", "train.model", replace=True), "circle"),
        (lambda d: d.connect("data.data", "q.model", replace=True), "gives Data, but"),
        (lambda d: d.connect("train.classifier", "q.model"), "linked already"),
        (lambda d: d.connect("net.classifier", "q.model"), "takes one link"),
        (lambda d: d.disconnect("net.classifier", "q.model"), "no link from"),
        (lambda d: d.rename("q", "Train"), 'already a node "train"'),
        (lambda d: d.rename("nobody", "x"), 'no node "nobody"'),
        (lambda d: d.move({"q": (0, 9), "nobody": (1, 1)}), 'no node "nobody"'),
        (lambda d: d.bypass(["q", "nobody"], True), 'no node "nobody"'),
        (lambda d: d.set_seed(-1), "seed -1"),
        (lambda d: d.set_name("  "), "name of a graph"),
        (lambda d: d.add_note((0, 0, float("inf"), 1), ""), "width of a note"),
        (lambda d: d.add_note((0, 0, 1, 1), "", "sticker"), "no kind of note"),
        (lambda d: d.change_note("note9", text="x"), "no longer there"),
        (lambda d: d.insert({"format": "x"}), "is no pipeline|does not say"),
    ],
)
def test_a_refusal_is_a_sentence_and_changes_nothing(document, edit, words: str) -> None:
    start = text(document)
    with pytest.raises(DocumentError, match=words):
        edit(document)
    assert text(document) == start
    assert document.stack.count() == 0
    assert not document.is_modified


def test_settings_that_were_handed_over_are_not_shared(document) -> None:
    stages = [1, 2]
    document.set("net", blocks=stages)
    stages.append(3)
    assert document.graph.nodes["net"].params["blocks"] == [1, 2]
    document.set("net", node="a parameter may be called so")
    assert document.graph.nodes["net"].params["node"] == "a parameter may be called so"


NAMES = st.sampled_from(["data", "net", "train", "q", "q2", "data2", "new"])
PORTS = st.sampled_from(["data", "model", "classifier", "report"])
NUMBERS = st.integers(0, 5)
EDITS = st.one_of(
    st.tuples(st.just("add"), st.sampled_from(["quantize.f8net", "data.digits", "gone.kind"])),
    st.tuples(st.just("remove"), st.lists(NAMES, max_size=3)),
    st.tuples(st.just("connect"), NAMES, PORTS, NAMES, PORTS, st.booleans(), NUMBERS),
    st.tuples(st.just("disconnect"), NUMBERS),
    st.tuples(st.just("set"), NAMES, NUMBERS),
    st.tuples(st.just("reset"), NAMES),
    st.tuples(st.just("bypass"), st.lists(NAMES, max_size=3), st.booleans()),
    st.tuples(st.just("rename"), NAMES, NAMES),
    st.tuples(st.just("move"), st.lists(NAMES, max_size=3), NUMBERS),
    st.tuples(st.just("insert"), st.lists(NAMES, max_size=3), st.booleans()),
    st.tuples(st.just("note"), st.sampled_from(["add", "text", "move", "remove"]), NUMBERS),
    st.tuples(st.just("seed"), NUMBERS),
    st.tuples(st.just("name"), NAMES),
    st.tuples(st.just("both"), NAMES, NUMBERS),
    st.tuples(st.just("undo"), NUMBERS),
    st.tuples(st.just("redo"), NUMBERS),
)


def apply(document: Document, edit: tuple) -> None:
    kind, *rest = edit
    graph = document.graph
    match kind, rest:
        case "add", [type]:
            document.add(type, (1, 2))
        case "remove", [names]:
            document.remove(set(names), graph.links[:1] if "new" in names else ())
        case "connect", [a, out, b, port, replace, position]:
            document.connect(f"{a}.{out}", f"{b}.{port}", replace=replace, position=position)
        case "disconnect", [index]:
            link = graph.links[index % len(graph.links)] if graph.links else Link("a.a", "b.b")
            document.disconnect(link.source, link.target)
        case "set", [name, number]:
            document.set(name, bits=number)
        case "reset", [name]:
            document.reset(name, "bits")
        case "bypass", [names, on]:
            document.bypass(names, on)
        case "rename", [old, new]:
            document.rename(old, new)
        case "move", [names, x]:
            document.move({name: (x, x) for name in names}, burst=bool(x % 2))
        case "insert", [names, outside]:
            document.insert(taken(graph, names), (3, 3), outside=outside)
        case "note", ["add", x]:
            document.add_note((x, x, 100, 50), "words")
        case "note", ["text", number]:
            document.change_note("note1", text=f"words {number}")
        case "note", ["move", x]:
            document.change_note("note1", x=float(x))
        case "note", ["remove", number]:
            document.remove_notes([f"note{number}"])
        case "seed", [seed]:
            document.set_seed(seed)
        case "name", [name]:
            document.set_name(name)
        case "both", [name, number]:
            with document.macro("Both"):
                document.set(name, bits=number)
                document.rename(name, f"{name}x")
        case "undo", [times]:
            for _ in range(times):
                document.stack.undo()
        case "redo", [times]:
            for _ in range(times):
                document.stack.redo()


@settings(max_examples=150)
@given(edits=st.lists(EDITS, max_size=25))
def test_any_edits_go_back_to_the_start_and_forth_to_the_end(qapp, recorded_catalog, edits) -> None:
    document = Document(Workspace.current())
    document.set_specs(recorded_catalog.nodes)
    chain(document)
    document.stack.clear()
    start, refused = text(document), 0
    for edit in edits:
        before = text(document)
        try:
            apply(document, edit)
        except DocumentError:
            refused += 1
            assert text(document) == before, "a refused edit changed something"
    while document.stack.canRedo():
        document.stack.redo()
    end, problems = text(document), document.graph.problems(recorded_catalog.nodes)
    while document.stack.canUndo():
        document.stack.undo()
    assert text(document) == start
    while document.stack.canRedo():
        document.stack.redo()
    assert text(document) == end
    assert document.graph.problems(recorded_catalog.nodes) == problems
    document.close()
