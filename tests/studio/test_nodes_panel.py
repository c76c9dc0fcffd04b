"""The palette: groups, search, favourites, adding, dragging, broken files."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QModelIndex, QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QHBoxLayout, QWidget

from backend.core.catalog import Broken, Catalog
from studio.docks.nodes import FilesDock, NodesDock
from studio.editor import node_search
from studio.editor.nodes_model import NODE_MIME, GroupRow, NodeRow, tooltip
from studio.editor.nodes_panel import NodesPanel, ghost
from studio.editor.palette_memory import PaletteMemory
from studio.editor.view import GraphView


@pytest.fixture
def panel(session, qtbot):
    made = NodesPanel(session)
    qtbot.addWidget(made)
    made.resize(240, 700)
    made.show()
    return made


def titles(panel):
    return [row.spec.title for row in panel.model.rows if isinstance(row, NodeRow)]


def go_to(panel, type_id):
    for at, row in enumerate(panel.model.rows):
        if isinstance(row, NodeRow) and row.spec.id == type_id:
            panel.list.setCurrentIndex(panel.model.index(at, 0))
            return panel.list.visualRect(panel.model.index(at, 0))
    raise AssertionError(type_id)


def test_every_kind_is_listed_once_in_the_order_of_a_pipeline(panel, session):
    groups = [row.title for row in panel.model.rows if isinstance(row, GroupRow)]
    assert groups[:4] == ["Data", "Models", "Train", "Quantize"]
    assert sorted(titles(panel)) == sorted(spec.title for spec in session.catalog.specs.values())


def test_search_puts_the_best_first_and_enter_adds_it(panel, session):
    panel.field.setFocus()
    QTest.keyClicks(panel.field, "res")
    assert titles(panel)[0] == "ResNet"
    QTest.keyClick(panel.field, Qt.Key.Key_Return)
    assert list(session.document.graph.nodes) == ["resnet"]
    assert session.selection.nodes == ("resnet",)


def test_search_finds_by_source_and_by_first_letters(session):
    specs = session.catalog.specs.values()
    assert "quantize.f8net" in [spec.id for spec in node_search.found("jin", specs)]
    assert node_search.found("rsn", specs)[0].id == "model.resnet"
    assert node_search.found("xqzv", specs) == []


def test_a_search_without_result_says_so_and_escape_ends_it(panel, session):
    panel.field.setFocus()
    QTest.keyClicks(panel.field, "xqzv")
    assert panel._none.isVisible()
    assert '"xqzv"' in panel._none.text()
    QTest.keyClick(panel.field, Qt.Key.Key_Escape)
    assert not panel._none.isVisible()
    assert len(titles(panel)) == len(session.catalog.specs)


def test_added_node_goes_to_the_place_that_the_window_names(panel, session):
    panel.place = lambda: (123.0, 45.0)
    panel.add("data.digits")
    assert session.document.graph.layout["digits"] == {"x": 123.0, "y": 45.0}
    session.document.stack.undo()
    assert not session.document.graph.nodes


def test_added_nodes_do_not_hide_each_other_in_the_middle_of_the_canvas(session, qtbot):
    window = QWidget()
    qtbot.addWidget(window)
    row = QHBoxLayout(window)
    panel, view = NodesPanel(session), GraphView(session)
    row.addWidget(panel)
    row.addWidget(view)
    window.resize(900, 500)
    window.show()
    panel.add("data.digits")
    panel.add("data.digits")
    middle = view.mapToScene(view.viewport().rect().center())
    first, second = session.document.graph.layout.values()
    assert abs(first["x"] + 96 - middle.x()) <= 4
    assert abs(first["y"] + 60 - middle.y()) <= 4
    assert second != first


def test_double_click_adds_one(panel, session):
    rect = go_to(panel, "data.digits")
    viewport = panel.list.viewport()
    point = QPoint(60, rect.center().y())
    QTest.mouseClick(viewport, Qt.MouseButton.LeftButton, pos=point)
    assert not session.document.graph.nodes
    QTest.mouseDClick(viewport, Qt.MouseButton.LeftButton, pos=point)
    assert list(session.document.graph.nodes) == ["digits"]


def test_keys_walk_fold_and_favour(panel):
    panel.field.setFocus()
    QTest.keyClick(panel.field, Qt.Key.Key_Down)
    first = panel.list.row()
    assert isinstance(first, NodeRow)
    QTest.keyClick(panel.list, Qt.Key.Key_F)
    assert panel.memory.favourites == {first.spec.id}
    assert panel.list.row().spec.id == first.spec.id  # the rows moved, the place did not
    QTest.keyClick(panel.list, Qt.Key.Key_F)
    assert panel.memory.favourites == set()
    panel.list.setCurrentIndex(panel.model.index(0, 0))
    QTest.keyClick(panel.list, Qt.Key.Key_Left)
    assert panel.model.rows[0] == GroupRow("Data", "Data", True)
    assert isinstance(panel.model.rows[1], GroupRow)
    QTest.keyClick(panel.list, Qt.Key.Key_Right)
    assert isinstance(panel.model.rows[1], NodeRow)


def test_the_current_row_stays_in_place_when_rows_come_and_go(panel, session):
    panel.resize(240, 300)
    QTest.qWait(0)
    go_to(panel, "quantize.f8net")
    index = panel.list.currentIndex()
    top, number = panel.list.visualRect(index).top(), index.row()
    panel.add("data.digits")  # "Recently used" appears above
    index = panel.list.currentIndex()
    assert index.row() == number + 2
    assert panel.list.row().spec.id == "quantize.f8net"
    assert panel.list.visualRect(index).top() == top
    panel.list.setFocus()
    for _ in range(2):
        QTest.keyClick(panel.list, Qt.Key.Key_Return)
    assert len(session.document.graph.nodes) == 3


def test_letters_typed_into_the_list_go_to_the_search(panel):
    go_to(panel, "data.digits")
    panel.list.setFocus()
    QTest.keyClicks(panel.list, "v")
    assert panel.field.text() == "v"
    assert "VGG" in titles(panel)


def test_clicks_on_star_and_heading(panel):
    rect = go_to(panel, "data.digits")
    star = panel.list.itemDelegate().star_rect(rect).center()
    QTest.mouseClick(panel.list.viewport(), Qt.MouseButton.LeftButton, pos=star)
    assert panel.memory.favourites == {"data.digits"}
    assert panel.model.rows[0].title == "Favourites"
    heading = panel.list.visualRect(panel.model.index(0, 0)).center()
    QTest.mouseClick(panel.list.viewport(), Qt.MouseButton.LeftButton, pos=heading)
    assert panel.memory.folded == {"Favourites"}


def test_favourites_folds_and_uses_are_remembered(panel, session, workspace):
    panel.memory.favour("model.vgg", True)
    panel.memory.fold("Train", True)
    panel.add("model.resnet")
    assert PaletteMemory.of(workspace) is panel.memory
    again = PaletteMemory(workspace.root / "studio" / "palette.json")
    assert again.favourites == {"model.vgg"}
    assert again.folded == {"Train"}
    assert again.recent == ["model.resnet"]
    assert panel.model.rows[0].title == "Recently used"


@pytest.mark.parametrize("text", ["", "[]", '{"recent": 3, "uses": [1]}', '{"uses": {"a": true}}'])
def test_a_damaged_memory_is_an_empty_one(tmp_path, text):
    path = tmp_path / "palette.json"
    path.write_text(text)
    memory = PaletteMemory(path)
    assert (memory.favourites, memory.recent, memory.uses) == (set(), [], {})


def test_a_drag_carries_the_type(panel):
    go_to(panel, "quantize.f8net")
    index = panel.list.currentIndex()
    assert index.flags() & Qt.ItemFlag.ItemIsDragEnabled
    mime = panel.model.mimeData([index])
    assert bytes(mime.data(NODE_MIME).data()) == b"quantize.f8net"
    assert mime.text() == "quantize.f8net"
    heading = panel.model.index(0, 0)
    assert not heading.flags() & Qt.ItemFlag.ItemIsDragEnabled
    assert not ghost(panel.list.row().spec).isNull()


def test_tooltip_names_source_and_ports_and_is_no_html_of_strangers(session):
    text = tooltip(session.catalog.specs["quantize.f8net"])
    assert "Takes model: Classifier" in text
    assert "Gives Classifier" in text
    assert "ICLR 2022" in text
    odd = session.catalog.specs["profile"].model_copy(update={"doc": "<img src=x>"})
    assert "<img" not in tooltip(odd)


def broken(session, *files):
    session.catalog._catalog = Catalog(key=[], nodes=session.catalog.specs, broken=list(files))
    session.catalog.changed.emit()


def test_a_file_that_did_not_load_shows_line_reason_and_details(panel, session):
    assert not panel.broken.isVisible()
    broken(
        session,
        Broken(module="m.slim", file="/x/slim_prune.py", line=41, error="no Tensr", details="T: x"),
        Broken(module="m.b", file="/x/other.py", line=0, error="it is empty."),
    )
    card = panel.broken
    assert card.isVisible()
    assert card.title.text() == "slim_prune.py did not load"
    assert card.reason.text() == "Line 41: no Tensr."
    assert not card.details.isVisible()
    QTest.mouseClick(card.show_button, Qt.MouseButton.LeftButton)
    assert card.details.isVisible()
    assert card.details.toPlainText() == "T: x"
    QTest.mouseClick(card.copy_button, Qt.MouseButton.LeftButton)
    assert "slim_prune.py, line 41" in QGuiApplication.clipboard().text()
    QTest.mouseClick(card.next_button, Qt.MouseButton.LeftButton)
    assert card.title.text() == "other.py did not load"
    assert card.reason.text() == "it is empty."
    broken(session)
    assert not card.isVisible()


def test_every_row_can_be_spoken(panel):
    for at in range(panel.model.rowCount(QModelIndex())):
        assert panel.model.index(at, 0).data(Qt.ItemDataRole.AccessibleTextRole)


def test_files_tab_lists_examples_and_opens_them_by_an_action(session, qtbot, workspace):
    widget = FilesDock.WIDGET(session)
    qtbot.addWidget(widget)
    (workspace.root / "mine.json").write_text("{}")
    widget.refresh()
    names = [row.title for row in widget.model.rows]
    assert names[:3] == ["In the workspace", "mine", "Examples"]
    assert {"Quantize classifier", "Edit photos"} <= set(names[3:])
    acted = []
    session.acted.connect(lambda name, details: acted.append((name, details)))
    widget.list._open(widget.model.index(1, 0))
    widget.list._open(widget.model.index(3, 0))
    assert [name for name, _ in acted] == ["open_file", "open_pipeline"]
    assert acted[0][1] == {"path": str(workspace.root / "mine.json")}
    widget.field.setText("zzz")
    assert widget.empty.isVisibleTo(widget)


def test_docks_say_where_they_belong():
    assert NodesDock.AREA == FilesDock.AREA == "left"
    assert NodesDock.WIDGET is NodesPanel
