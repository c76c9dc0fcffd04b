from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QRectF

from backend.core import graph_file
from backend.core.catalog import Catalog
from backend.core.errors import DocumentError
from backend.core.graph import Change, Graph
from backend.core.workspace import Workspace
from studio import document_file, journal
from studio.document import Document
from studio.document_file import VERSIONS, ChangedOnDisk, InUse
from studio.editor.fragment import taken
from tests.studio.editing import chain, text


@pytest.fixture
def documents(workspace: Workspace, recorded_catalog: Catalog) -> Iterator[list[Document]]:
    """Two windows' documents on one workspace."""
    made = [Document(workspace), Document(workspace)]
    for document in made:
        document.set_specs(recorded_catalog.nodes)
    yield made
    for document in made:
        document.close()


@pytest.fixture
def document(documents: list[Document]) -> Document:
    return documents[0]


@pytest.fixture
def saved(document: Document, tmp_path: Path) -> Path:
    chain(document)
    document.save_as(tmp_path / "mine.json")
    return tmp_path / "mine.json"


def backups(workspace: Workspace) -> list[Path]:
    return sorted((workspace.root / "backups").rglob("*.json"))


# -- edits are told ------------------------------------------------------------------------------


def test_every_edit_undo_and_redo_is_told(document) -> None:
    heard: list[Change] = []
    document.changed.connect(heard.append)
    document.add("data.digits", name="a")
    document.stack.undo()
    document.stack.redo()
    assert heard == [Change("added", "a"), Change("removed", "a"), Change("added", "a")]
    heard.clear()
    document.rename("a", "b")
    document.set_seed(3)
    document.add_note(QRectF(1, 2, 3, 4), "x")
    assert heard == [Change("renamed", "b", was="a"), Change("titled"), Change("notes")]


def test_a_new_node_is_of_the_installed_version(document, recorded_catalog) -> None:
    name = document.add("quantize.f8net")
    assert document.graph.nodes[name].version == recorded_catalog.nodes["quantize.f8net"].version


def test_another_graph_tells_nothing_of_the_old_one(document, saved) -> None:
    heard, old = [], document.graph
    document.changed.connect(heard.append)
    document.new()
    old.set("q", bits=3)
    assert heard == []
    assert document.graph.nodes == {}
    assert not document.stack.canUndo()


# -- problems ------------------------------------------------------------------------------------


def test_a_burst_of_edits_is_validated_once(document, qtbot) -> None:
    chain(document)
    told = []
    document.validated.connect(lambda: told.append(len(document.problems)))
    with qtbot.waitSignal(document.validated):
        document.disconnect("train.classifier", "q.model")
        document.set("q", bits=99)
        document.set("train", nonsense=1)
    qtbot.wait(1)
    assert told == [3]
    assert {p.where for p in document.problems_of("q")} == {"bits", "model"}
    assert document.problems_of("data") == []
    with qtbot.waitSignal(document.validated):
        for _ in range(3):
            document.stack.undo()
    assert document.problems == []


def test_moving_validates_nothing(document, saved, qtbot) -> None:
    document.validate()
    with qtbot.assertNotEmitted(document.validated, wait=20):
        document.move({"q": (1, 1)})
        document.add_note((0, 0, 10, 10), "x")


def test_without_a_catalogue_there_are_no_problems_and_links_are_free(workspace, qtbot) -> None:
    document = Document(workspace)
    document.add("some.kind", name="a")
    document.add("some.kind", name="b")
    document.connect("a.x", "b.y")
    with pytest.raises(DocumentError, match="circle"):
        document.connect("b.x", "a.y")
    document.validate()
    assert document.problems == []
    document.close()


def test_work_grows_with_the_graph_not_with_its_square(document, monkeypatch) -> None:
    """Counts, not seconds: links looked at while 1,000 nodes are linked, copied and validated."""
    from backend.core.links import Link

    def looked_at(count: int) -> int:
        document.new()
        seen = [0]
        target_node = Link.target_node.fget
        with monkeypatch.context() as patch:

            def counted(link: Link) -> str:
                seen[0] += 1
                return target_node(link)

            patch.setattr(Link, "target_node", property(counted))
            document.add("data.digits", name="data")
            document.add("model.resnet", name="n0", link=("data.data", "data"))
            for index in range(1, count):
                document.add("quantize.f8net", name=f"n{index}")
                document.connect(f"n{index - 1}.classifier", f"n{index}.model")
                document.connect("data.data", f"n{index}.data")
            document.insert(taken(document.graph, list(document.graph.nodes)), (0, 0))
            document.validate()
            document.remove(list(document.graph.nodes))
            document.stack.undo()
        assert document.problems == []
        return seen[0]

    assert looked_at(240) < 2.5 * looked_at(120)


# -- the modified mark ---------------------------------------------------------------------------


def test_moving_alone_does_not_modify_but_can_be_saved(document, saved) -> None:
    document.move({"q": (7, 7)})
    assert not document.is_modified
    assert not document.is_saved
    document.set("q", bits=4)
    assert document.is_modified
    document.stack.undo()
    assert not document.is_modified
    document.stack.undo()
    assert document.is_saved
    document.stack.redo()
    document.save()
    assert document.is_saved
    assert Graph.load(saved).layout["q"] == {"x": 7.0, "y": 7.0}


def test_notes_modify_and_moving_them_does_not(document, saved) -> None:
    note = document.add_note((0, 0, 100, 50), "look here")
    assert document.is_modified
    document.save()
    document.change_note(note, x=50.0, width=200.0)
    assert not document.is_modified
    document.change_note(note, text="no, here")
    assert document.is_modified


def test_undo_to_the_saved_state_clears_the_mark_and_tells_the_title(document, saved) -> None:
    told = []
    document.titled.connect(lambda: told.append(document.is_modified))
    document.set("q", bits=4)
    document.bypass("q", True)
    document.stack.undo()
    document.stack.undo()
    assert told == [True, False]
    document.stack.redo()
    document.save()
    document.stack.undo()
    assert document.is_modified
    document.set_seed(5)
    document.stack.undo()
    assert document.is_modified, "the saved state can no longer be reached"


# -- files ---------------------------------------------------------------------------------------


def test_save_as_names_an_untitled_document_after_its_file(document, tmp_path) -> None:
    with pytest.raises(DocumentError, match="no file yet"):
        document.save()
    document.save_as(tmp_path / "small net")
    assert document.path == tmp_path / "small net.json"
    assert document.name == "small net"
    document.save_as(tmp_path / "other.json")
    assert document.name == "small net"


def test_a_name_without_its_ending_replaces_nothing_unasked(document, tmp_path) -> None:
    document.save_as(tmp_path / "net v1.2")
    assert document.path == tmp_path / "net v1.2.json"
    document.set_seed(4)
    with pytest.raises(DocumentError, match=r'already a file "net v1\.2\.json"'):
        document.save_as(tmp_path / "net v1.2")
    document.save_as(tmp_path / "net v1.2.json")
    assert Graph.load(tmp_path / "net v1.2.json").seed == 4


def test_open_restores_what_was_saved(documents, saved) -> None:
    one, two = documents
    one.add_note((0, 0, 10, 10), "x")
    one.save()
    before = text(one)
    one.new()
    two.open(saved)
    assert text(two) == before
    assert not two.is_modified
    assert not two.stack.canUndo()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "no file"),
        (b"", "is empty"),
        (b'{"format": "fretsaw.graph", "nod', "truncated"),
        (b"\xff\xfe\x00binary", "not a text file"),
        (b"[1, 2]", "is no pipeline"),
        (b'{"a": 1}', "is no pipeline"),
        (b'{"format": "fretsaw.graph", "schema_version": 99}', "newer Fretsaw"),
        (b'{"format": "fretsaw.graph", "schema_version": 1, "nodes": {}}', "damaged"),
        (
            b'{"format": "fretsaw.graph", "schema_version": 1, "nodes": {}, "links": [],'
            b' "layout": {"notes": [{"x": NaN, "y": 0}]}}',
            "damaged",
        ),
        (
            b'{"format": "fretsaw.graph", "schema_version": 1, "links": [],'
            b' "nodes": {"a": {"type": "t"}}, "layout": {"nodes": {"a": 3}}}',
            "damaged",
        ),
    ],
)
def test_what_cannot_be_opened_is_told_and_the_open_document_stays(
    documents, saved, tmp_path, content, words
) -> None:
    document, other = documents
    document.set("q", bits=4)
    before, path = text(document), tmp_path / "bad.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DocumentError, match=words):
        document.open(path)
    assert text(document) == before
    assert document.path == saved
    assert document.is_modified
    assert document.stack.canUndo()
    with pytest.raises(DocumentError, match=words):
        other.open(path)  # and no claim on it was left behind
    with pytest.raises(InUse):
        other.open(saved)


def test_unknown_kinds_and_odd_notes_are_kept(document, tmp_path) -> None:
    graph = Graph("odd")
    graph.add("not.installed", "a", {"x": [1, {"y": None}]}, version=9)
    graph.notes = [{"x": 1, "y": 2, "text": "hand made"}, {"id": "n", "x": 0, "y": 0, "mine": 1}]
    graph.save(tmp_path / "odd.json")
    document.open(tmp_path / "odd.json")
    assert document.graph.nodes == graph.nodes
    assert [note["text"] for note in document.graph.notes] == ["hand made", ""]
    assert document.graph.notes[1]["mine"] == 1
    assert len({note["id"] for note in document.graph.notes}) == 2


def test_the_last_five_versions_are_kept_apart_from_the_file(document, saved, workspace) -> None:
    for bits in range(2, 10):
        document.set("q", bits=bits)
        document.save()
    kept = [Graph.load(path).nodes["q"].params["bits"] for path in backups(workspace)]
    assert kept == [4, 5, 6, 7, 8]
    assert len(kept) == VERSIONS
    assert [path.name for path in saved.parent.glob("*.json*")] == ["mine.json"]
    document.save()
    document.save()
    assert len(backups(workspace)) == VERSIONS, "the same again is no version"


def test_the_settings_say_how_many_versions_are_kept(session, tmp_path) -> None:
    document = session.document
    name = document.add("quantize.f8net")
    document.save_as(tmp_path / "mine.json")

    def kept_after(saves: int) -> int:
        for _ in range(saves):
            document.set(name, bits=2 + document.graph.nodes[name].params.get("bits", 0) % 15)
            document.save()
        return len(backups(session.workspace))

    session.settings.set(backups=2)
    assert kept_after(4) == 2
    session.settings.set(backups=7)
    assert kept_after(6) == 7
    session.settings.set(backups=0)
    assert kept_after(2) == 0


def test_revert_reads_the_file_and_keeps_what_it_gives_up(document, saved, workspace) -> None:
    document.set("q", bits=4)
    document.revert()
    assert document.graph.nodes["q"].params == {}
    assert not document.is_modified
    (kept,) = backups(workspace)
    assert Graph.load(kept).nodes["q"].params == {"bits": 4}
    document.new()
    with pytest.raises(DocumentError, match="no file to go back to"):
        document.revert()


def test_an_older_format_is_kept_for_good_and_told(document, saved, workspace, monkeypatch) -> None:
    old = saved.read_bytes()
    monkeypatch.setattr(graph_file, "SCHEMA_VERSION", 2)
    monkeypatch.setitem(graph_file.MIGRATIONS, 1, lambda data: {**data, "seed": 11})
    told = []
    document.told.connect(told.append)
    document.open(saved)
    assert document.graph.seed == 11
    assert saved.read_bytes() == old, "opening changes nothing"
    for seed in range(VERSIONS + 3):
        document.set_seed(seed)
        document.save()
    (sentence,) = told
    (kept,) = [path for path in backups(workspace) if "schema1" in path.name]
    assert str(kept) in sentence
    assert kept.read_bytes() == old


def test_an_older_format_is_not_replaced_when_no_copy_can_be_kept(
    document, saved, workspace, monkeypatch
) -> None:
    old = saved.read_bytes()
    monkeypatch.setattr(graph_file, "SCHEMA_VERSION", 2)
    monkeypatch.setitem(graph_file.MIGRATIONS, 1, lambda data: data)
    document.open(saved)
    (workspace.root / "backups").write_text("in the way")
    document.set_seed(5)
    with pytest.raises(DocumentError, match="no copy of it can be kept"):
        document.save()
    assert saved.read_bytes() == old


def test_a_file_that_changed_meanwhile_is_not_overwritten_unasked(document, saved) -> None:
    theirs = Graph("theirs")
    theirs.save(saved)
    document.set("q", bits=4)
    with pytest.raises(ChangedOnDisk, match=r"mine\.json.*Overwrite"):
        document.save()
    assert Graph.load(saved).name == "theirs"
    assert document.is_modified
    document.save(force=True)
    assert Graph.load(saved).nodes["q"].params == {"bits": 4}
    document.save()
    saved.unlink()
    document.set("q", bits=5)
    document.save()
    assert saved.exists(), "a file that is gone is written again"


@pytest.mark.parametrize("error", [PermissionError(13, "denied"), OSError(28, "No space left")])
def test_a_failed_save_keeps_file_mark_and_work(document, saved, monkeypatch, error) -> None:
    before = saved.read_bytes()
    document.set("q", bits=4)

    def fail(path: Path, data: object) -> None:
        raise error

    monkeypatch.setattr(document_file.graph_file, "write", fail)
    with pytest.raises(DocumentError, match="was not saved"):
        document.save()
    with pytest.raises(DocumentError, match="was not saved"):
        document.save_as(saved.parent / "other.json")
    assert document.path == saved
    assert document.is_modified
    assert saved.read_bytes() == before


def test_a_folder_that_is_a_file_and_a_value_that_is_none(document, saved, tmp_path) -> None:
    with pytest.raises(DocumentError, match="a file, not a folder"):
        document.save_as(saved / "inside.json")
    document.set("q", bits=Path("x"))
    with pytest.raises(DocumentError, match="value that no file can hold"):
        document.save()
    assert Graph.load(saved).nodes["q"].params == {}


def test_two_windows_do_not_edit_one_file(documents, saved, tmp_path, workspace) -> None:
    one, two = documents
    chain(two)
    before = text(two)
    link = tmp_path / "link.json"
    link.symlink_to(saved)
    for path in (saved, link, saved.parent / "." / "mine.json"):
        with pytest.raises(InUse, match="open in another window"):
            two.open(path)
        with pytest.raises(InUse):
            two.save_as(path)
    assert text(two) == before
    two.open(saved, as_copy=True)
    assert two.path is None
    assert two.graph.nodes == one.graph.nodes
    one.save_as(tmp_path / "elsewhere.json")
    two.open(saved)
    assert two.path == saved
    one.open(one.path)
    two.close()
    one.open(saved)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "elsewhere.json",
        "link.json",
        "mine.json",
    ]


def test_saving_over_a_link_keeps_it_a_link(document, saved, tmp_path) -> None:
    link = tmp_path / "link.json"
    link.symlink_to(saved)
    document.new()
    document.open(link)
    assert document.path == link
    document.set("q", bits=4)
    document.save()
    assert link.is_symlink()
    assert Graph.load(saved).nodes["q"].params == {"bits": 4}


def test_a_workspace_that_cannot_be_written_does_not_keep_a_file_from_being_edited(
    tmp_path, qtbot, monkeypatch
) -> None:
    monkeypatch.setattr(journal, "DELAY_MS", 10)
    (tmp_path / "home").write_text("a file where the workspace should be")
    document = Document(Workspace(tmp_path / "home"))
    chain(document)
    told = []
    document.told.connect(told.append)
    document.save_as(tmp_path / "mine.json")
    document.set_seed(4)
    document.save()
    document.set_seed(5)

    def edited() -> bool:
        document.set_seed(document.graph.seed + 1)
        return bool(told)

    qtbot.waitUntil(edited)
    assert "cannot be kept safe" in told[0]
    assert Graph.load(tmp_path / "mine.json").seed == 4
    document.close()
