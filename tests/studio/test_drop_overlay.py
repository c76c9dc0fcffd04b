"""Dropping files: what will happen is said from what is in them, before release."""

from __future__ import annotations

import json
import pickle
import struct
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDragMoveEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QMainWindow, QWidget

from studio.drop_overlay import DropOverlay, what_happens
from studio.drop_plan import graph_in_page

GRAPH = {"format": "fretsaw.graph", "schema_version": 1, "name": "f8net", "nodes": {}, "links": []}
# The head of a real ONNX file: ir_version 10, then the producer's name.
ONNX = b"\x08\x0a\x12\x07pytorch" + bytes(40)


def safetensors() -> bytes:
    head = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    return struct.pack("<Q", len(head)) + head + bytes(4)


def torch_zip(path: Path, *names: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    return path


def picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4)).save(path)
    return path


def written(path: Path, content: bytes | str | dict) -> Path:
    if isinstance(content, dict):
        content = json.dumps(content)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


PAGE = '<!DOCTYPE html><html><script type="application/json" class="figures">[1]</script></html>'
RECEIPT = (
    f'<!DOCTYPE html><html><script type="application/json">{json.dumps(GRAPH)}</script></html>'
)

TABLE = [
    # name, content, kind, action, words of the sentence
    ("net.onnx", ONNX, "model", "inspect", "net.onnx opens in the inspector."),
    ("net.safetensors", safetensors(), "model", "inspect", "opens in the inspector"),
    ("weights.pt", pickle.dumps([1], 2), "weights", "inspect", "may hold program code"),
    ("weights.pth", pickle.dumps({}, 4), "weights", "inspect", "Only tensors are read."),
    ("graph.json", GRAPH, "graph", "open_file", "The graph f8net opens."),
    ("bom.json", b"\xef\xbb\xbf" + json.dumps(GRAPH).encode(), "graph", "open_file", "f8net"),
    ("report.html", RECEIPT, "report", "open_receipt", "carries its graph"),
    ("bare.html", PAGE, "report", "open_in_browser", "carries no graph"),
    # wrong by content, right by suffix
    ("fake.onnx", b"hello, this is text", "refused", "", "is damaged or no onnx file"),
    ("fake.safetensors", b"\xff" * 64, "refused", "", "is damaged or no safetensors file"),
    ("fake.pt", b"not a pickle at all", "refused", "", "is damaged or no pt file"),
    ("broken.pt", b"PK\x03\x04" + bytes(30), "refused", "", "is damaged"),
    ("other.json", {"nodes": []}, "refused", "", "is no graph"),
    ("deep.json", "{" + '"a":{' * 100_000, "refused", "", "is no graph"),
    # right by content, wrong by suffix
    ("net.bin", safetensors(), "refused", "", "Rename it to end in .safetensors"),
    ("picture.txt", b"\x89PNG\r\n\x1a\n" + bytes(20), "images", "add_image_folder", "Image folder"),
    ("graph.txt", GRAPH, "graph", "open_file", "The graph f8net opens."),
    ("data.pkl", pickle.dumps([1], 4), "refused", "", "may hold program code and is not opened"),
    # neither
    ("empty.onnx", b"", "refused", "", "is empty"),
    ("song.mp3", b"ID3\x04" + bytes(40), "refused", "", "cannot be dropped here"),
    ("notes.txt", "some words", "refused", "", "Drop a graph, a model, a run or a folder"),
]


@pytest.mark.parametrize(("name", "content", "kind", "action", "words"), TABLE)
def test_files_by_their_content(tmp_path, name, content, kind, action, words):
    file = written(tmp_path / name, content)
    plan = what_happens([file])
    assert (plan.kind, plan.action) == (kind, action)
    assert words in plan.sentence
    assert plan.is_possible == bool(action)
    assert plan.is_possible == bool(plan.paths)


def test_torch_archives(tmp_path):
    good = torch_zip(tmp_path / "good.pt", "good/data.pkl", "good/data/0", "good/version")
    script = torch_zip(tmp_path / "script.pt", "s/constants.pkl", "s/data.pkl", "s/code/a.py")
    renamed = torch_zip(tmp_path / "good.zip", "good/data.pkl")
    other = torch_zip(tmp_path / "other.zip", "a.txt")
    assert what_happens([good]).kind == "weights"
    assert "TorchScript" in what_happens([script]).sentence
    assert "Rename it to end in .pt" in what_happens([renamed]).sentence
    assert "Unpack it" in what_happens([other]).sentence


def test_a_pickle_is_never_run(tmp_path):
    target = tmp_path / "was-here"

    class Evil:
        def __reduce__(self):
            return (Path.touch, (target,))

    for name in ("evil.pt", "evil.pkl", "evil.onnx", "evil.json"):
        what_happens([written(tmp_path / name, pickle.dumps(Evil(), 4))])
    assert not target.exists()


def test_folders(tmp_path, recorded_run):
    assert what_happens([recorded_run]).action == "open_run"
    (recorded_run / "graph.json").unlink()
    half = what_happens([recorded_run])
    assert half.kind == "refused"
    assert "no graph.json" in half.sentence
    for name in ("ant/0.png", "ant/1.png", "bee/0.jpg"):
        picture(tmp_path / "pictures" / name)
    plan = what_happens([tmp_path / "pictures"])
    assert plan.action == "add_image_folder"
    assert "3 pictures in 2 folders" in plan.sentence
    (tmp_path / "empty").mkdir()
    assert "holds no pictures" in what_happens([tmp_path / "empty"]).sentence


def test_a_picture_means_its_folder(tmp_path):
    file = picture(tmp_path / "cats" / "0.png")
    plan = what_happens([file])
    assert plan.paths == (file.parent,)
    assert "cats" in plan.sentence


def test_several(tmp_path):
    pictures = [picture(tmp_path / "cats" / f"{i}.png") for i in range(3)]
    together = what_happens(pictures)
    assert together.action == "add_image_folder"
    assert "3 pictures" in together.sentence
    apart = what_happens([pictures[0], picture(tmp_path / "dogs" / "0.png")])
    assert apart.kind == "refused"
    assert "2 folders" in apart.sentence
    model = written(tmp_path / "net.onnx", ONNX)
    notes = written(tmp_path / "notes.txt", "words")
    mixed = what_happens([notes, model])
    assert (mixed.kind, mixed.action, mixed.paths) == ("several", "inspect", (model,))
    assert "only the first that fits" in mixed.sentence
    assert what_happens([notes, notes]).kind == "refused"


def test_nothing_and_gone(tmp_path):
    assert what_happens([]).kind == "refused"
    assert "is not there any more" in what_happens([tmp_path / "gone.onnx"]).sentence


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    file = written(tmp_path / "net.onnx", ONNX)

    def refuse(*_args, **_more):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    plan = what_happens([file])
    assert plan.kind == "refused"
    assert "permission" in plan.sentence


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(head=st.binary(max_size=64), suffix=st.sampled_from([".onnx", ".pt", ".json", ".html", ""]))
def test_any_bytes_give_one_plan(tmp_path, head, suffix):
    plan = what_happens([written(tmp_path / f"file{suffix}", head)])
    assert plan.sentence.endswith(".")
    assert plan.is_possible == bool(plan.paths)


def test_the_graph_in_a_page():
    assert graph_in_page(RECEIPT) == GRAPH
    assert graph_in_page(PAGE) is None
    assert graph_in_page(RECEIPT.replace('"nodes"', '"nodes')) is None


# -- the overlay -----------------------------------------------------------------------------------


@pytest.fixture
def window(qtbot):
    made = QMainWindow()
    qtbot.addWidget(made)
    made.resize(800, 500)
    made.show()
    return made


def mime(*paths: Path) -> QMimeData:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    return data


_ANY = (Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)


def enter(target, data: QMimeData) -> QDragEnterEvent:
    event = QDragEnterEvent(QPoint(50, 50), _ANY[0], data, *_ANY[1:])
    QApplication.sendEvent(target, event)
    return event


def drop(target, data: QMimeData) -> QDropEvent:
    event = QDropEvent(QPointF(50, 50), _ANY[0], data, *_ANY[1:])
    QApplication.sendEvent(target, event)
    return event


def test_a_drag_shows_the_sentence_and_a_drop_tells_the_plan(window, tmp_path):
    overlay = DropOverlay(window)
    told = []
    overlay.dropped.connect(told.append)
    data = mime(written(tmp_path / "net.onnx", ONNX))
    assert enter(window, data).isAccepted()
    assert overlay.isVisible()
    assert overlay.geometry() == window.rect()
    assert overlay.accessibleName() == "net.onnx opens in the inspector."
    assert told == []
    move = QDragMoveEvent(QPoint(60, 60), _ANY[0], data, *_ANY[1:])
    QApplication.sendEvent(overlay, move)
    assert move.isAccepted()
    drop(overlay, data)
    assert overlay.isHidden()
    assert [plan.action for plan in told] == ["inspect"]


def test_what_cannot_be_dropped_is_said_and_does_nothing(window, tmp_path):
    overlay = DropOverlay(window)
    told = []
    overlay.dropped.connect(told.append)
    data = mime(written(tmp_path / "notes.txt", "words"))
    enter(window, data)
    assert overlay.isVisible()
    assert "cannot be dropped here" in overlay.accessibleName()
    move = QDragMoveEvent(QPoint(60, 60), _ANY[0], data, *_ANY[1:])
    QApplication.sendEvent(overlay, move)
    assert not move.isAccepted()
    drop(overlay, data)
    assert told == []
    assert overlay.isHidden()


def test_leaving_ends_it_and_other_drags_do_not_begin_it(qtbot, window, tmp_path):
    overlay = DropOverlay(window)
    text = QMimeData()
    text.setText("model.resnet")
    assert not enter(window, text).isAccepted()
    assert overlay.isHidden()
    enter(window, mime(written(tmp_path / "net.onnx", ONNX)))
    QApplication.sendEvent(window, QDragLeaveEvent())
    qtbot.waitUntil(overlay.isHidden)


def test_the_drag_goes_over_from_the_window_to_the_overlay(qtbot, window, tmp_path):
    overlay = DropOverlay(window)
    data = mime(written(tmp_path / "net.onnx", ONNX))
    enter(window, data)
    QApplication.sendEvent(window, QDragLeaveEvent())
    assert enter(overlay, data).isAccepted()
    QApplication.processEvents()
    assert overlay.isVisible()
    QApplication.sendEvent(overlay, QDragLeaveEvent())
    assert overlay.isHidden()


def test_it_paints_every_kind_of_plan(window, tmp_path):
    overlay = DropOverlay(window)
    seen = {}
    for name, content, *_ in TABLE:
        plan = overlay.show_plan([written(tmp_path / name, content)])
        seen[plan.sentence] = bytes(overlay.grab().toImage().constBits())
    assert len(set(seen.values())) == len(seen) > 15


class Field(QWidget):
    """A field that takes one file, as those for paths do."""

    def __init__(self, parent):
        super().__init__(parent)
        self.taken = []
        self.setAcceptDrops(True)
        self.setAccessibleName("Folder")

    def dragEnterEvent(self, event):
        if len(event.mimeData().urls()) == 1:
            event.acceptProposedAction()

    def dropEvent(self, event):
        self.taken.append(event.mimeData().urls()[0].toLocalFile())


def test_a_field_below_the_overlay_takes_its_path(window, tmp_path):
    overlay = DropOverlay(window)
    told = []
    overlay.dropped.connect(told.append)
    field = Field(window)
    field.setGeometry(40, 40, 100, 30)
    field.show()
    file = written(tmp_path / "net.onnx", ONNX)
    data = mime(file)
    enter(window, data)
    move = QDragMoveEvent(QPoint(50, 50), _ANY[0], data, *_ANY[1:])
    QApplication.sendEvent(overlay, move)
    over_field = overlay.grab().toImage()
    assert move.isAccepted()
    away = QDragMoveEvent(QPoint(300, 300), _ANY[0], data, *_ANY[1:])
    QApplication.sendEvent(overlay, away)
    assert overlay.grab().toImage() != over_field
    drop(overlay, data)  # at 50, 50 again
    assert field.taken == [str(file)]
    assert told == []
    two = mime(file, file)
    enter(window, two)
    drop(overlay, two)
    assert field.taken == [str(file)]
    assert [plan.kind for plan in told] == ["several"]
