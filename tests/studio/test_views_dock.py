"""The Views dock: its list, steps, files read beside it, and what stands in place of a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from backend.core import events as ev
from backend.core import views
from backend.core.run import Run
from studio.docks.views import ViewsWidget, step_names

CONFUSION = ("float_test", "heatmap", "confusion")


@pytest.fixture
def dock(qtbot: Any, session: Any, recorded_run: Path) -> ViewsWidget:
    session.document.open(recorded_run / "graph.json")
    session.set_focus(recorded_run.name)
    session.focus.read(10)
    widget = ViewsWidget(session)
    qtbot.addWidget(widget)
    widget.resize(700, 400)
    widget.show()
    return widget


def bars(title: str, value: float = 1.0) -> views.Bars:
    return views.Bars(title=title, labels=["a"], groups={"n": [value]})


def news(session: Any, *events: ev.Event) -> None:
    session.focus.fold.feed(events)
    session.focus.changed.emit(list(events))


def test_all_views_of_the_run_are_listed_by_node(dock: ViewsWidget, session: Any) -> None:
    assert set(dock.list.keys) == set(session.focus.fold.views)
    titles = [dock.list.topLevelItem(n).text(0) for n in range(dock.list.topLevelItemCount())]
    assert "F8Net" in titles
    assert "Evaluate, float_test" in titles


@pytest.mark.parametrize("kind", ["bars", "heatmap", "table", "verdict", "layers"])
def test_a_recorded_view_of_each_kind_is_shown(dock: ViewsWidget, kind: str) -> None:
    key = next(k for k in dock.list.keys if k[1] == kind)
    dock.set_view(key)
    assert dock.viewer.payload.kind == kind
    assert dock.viewer.words == ""
    assert dock.viewer.title.text() == dock.viewer.payload.title


def test_the_dock_follows_the_selected_node(dock: ViewsWidget, session: Any) -> None:
    session.selection.set(["onnx"])
    assert dock.list.key == ("onnx", "verdict", "parity")
    session.selection.set(["net"])  # has no view: what is shown stays
    assert dock.list.key == ("onnx", "verdict", "parity")


def test_the_keyboard_picks_views(dock: ViewsWidget) -> None:
    dock.set_view(CONFUSION)
    QTest.keyClick(dock.list, Qt.Key.Key_Down)
    QTest.keyClick(dock.list, Qt.Key.Key_Down)
    assert dock.list.key is not None
    assert dock.list.key != CONFUSION
    assert dock.viewer.payload.kind == dock.list.key[1]


def test_steps_are_scrubbed_and_the_newest_followed(
    dock: ViewsWidget, session: Any, qtbot: Any
) -> None:
    key = ("f8net", "bars", "live")
    first = [
        ev.View(node="f8net", view="bars", name="live", step=n, data=bars(f"at {n}"), seq=900 + n)
        for n in (10, 20)
    ]
    news(session, *first)
    qtbot.waitUntil(lambda: key in dock.list.keys)
    dock.set_view(key)
    assert dock.viewer.payload.title == "at 20"
    third = ev.View(node="f8net", view="bars", name="live", step=30, data=bars("at 30"), seq=930)
    news(session, third)
    qtbot.waitUntil(lambda: dock.viewer.payload.title == "at 30")
    dock.scrubber.move_to(0)
    assert dock.viewer.payload.title == "at 10"
    fourth = ev.View(node="f8net", view="bars", name="live", step=40, data=bars("at 40"), seq=940)
    news(session, fourth)
    qtbot.waitUntil(lambda: len(dock.scrubber.names) == 4)
    assert dock.viewer.payload.title == "at 10"


def test_another_view_starts_at_its_newest_step(dock: ViewsWidget, session: Any) -> None:
    steps = [
        ev.View(node="net", view="bars", name="live", step=n, data=bars(f"at {n}"), seq=n)
        for n in (1, 2, 3)
    ]
    session.focus.fold.feed(steps)
    dock.refresh()
    dock.set_view(("f8net", "layers", "layers"))
    dock.scrubber.move_to(0)
    dock.set_view(("net", "bars", "live"))
    assert dock.viewer.payload.title == "at 3"


def test_another_focus_is_not_drawn_while_hidden(dock: ViewsWidget, session: Any) -> None:
    told: list[int] = []
    dock._following.news.connect(lambda: told.append(1))
    dock.hide()
    session.set_focus(None)
    assert told == []
    dock.show()
    assert told == [1]
    assert dock.empty.isVisible()


def test_a_hidden_dock_reads_nothing_until_it_is_seen(
    dock: ViewsWidget, session: Any, qtbot: Any
) -> None:
    dock.hide()
    news(session, ev.View(node="net", view="bars", name="late", data=bars("late"), seq=1))
    assert ("net", "bars", "late") not in dock.list.keys
    dock.show()
    assert ("net", "bars", "late") in dock.list.keys


def test_a_large_payload_is_read_beside_the_interface(
    dock: ViewsWidget, session: Any, recorded_run: Path, qtbot: Any
) -> None:
    names = [f"class {n}" for n in range(300)]
    big = views.Heatmap(title="Big", rows=names, columns=names, values=[[1.0] * 300] * 300)
    views.write_payload(recorded_run / "nodes" / "net" / "big.json.gz", big)
    path = "nodes/net/big.json.gz"
    news(session, ev.View(node="net", view="heatmap", name="big", path=path, seq=1))
    key = ("net", "heatmap", "big")
    qtbot.waitUntil(lambda: key in dock.list.keys)
    dock.set_view(key)
    assert dock.viewer.payload is None or dock.viewer.payload.title != "Big"
    qtbot.waitUntil(lambda: dock.viewer.payload is not None and dock.viewer.payload.title == "Big")


@pytest.mark.parametrize(
    ("path", "content", "said"),
    [
        ("nodes/net/gone.json.gz", None, "missing"),
        ("nodes/net/torn.json.gz", b"\x1f\x8b\x08\x00torn", "damaged"),
        ("nodes/net/text.json.gz", b"not gzip", "damaged"),
        ("../../outside.json.gz", None, "leads out"),
    ],
)
def test_a_file_that_cannot_be_read_is_said_in_place(
    dock: ViewsWidget,
    session: Any,
    recorded_run: Path,
    qtbot: Any,
    path: str,
    content: bytes | None,
    said: str,
) -> None:
    if content is not None:
        (recorded_run / path).parent.mkdir(parents=True, exist_ok=True)
        (recorded_run / path).write_bytes(content)
    news(session, ev.View(node="net", view="heatmap", name="odd", path=path, seq=1))
    key = ("net", "heatmap", "odd")
    qtbot.waitUntil(lambda: key in dock.list.keys)
    dock.set_view(key)
    qtbot.waitUntil(lambda: said in dock.viewer.words)
    assert not dock.viewer.more.isEnabled()


def test_layers_lead_to_their_own_dock(dock: ViewsWidget, session: Any) -> None:
    asked: list[Any] = []
    session.acted.connect(lambda name, details: asked.append((name, details)))
    dock.set_view(("f8net", "layers", "layers"))
    assert dock.special.isVisible()
    QTest.mouseClick(dock.special, Qt.MouseButton.LeftButton)
    assert asked == [("show_dock", {"name": "layers"})]
    assert session.selection.current == "f8net"
    dock.set_view(CONFUSION)
    assert not dock.special.isVisible()


def test_without_a_run_there_is_a_sentence_and_a_way_on(session: Any, qtbot: Any) -> None:
    asked: list[str] = []
    session.acted.connect(lambda name, _details: asked.append(name))
    widget = ViewsWidget(session)
    qtbot.addWidget(widget)
    widget.show()
    assert widget.empty.isVisible()
    widget.empty.button.click()
    assert asked == ["run"]


def test_another_run_in_focus_replaces_the_list(
    dock: ViewsWidget, session: Any, recorded_run: Path, workspace: Any
) -> None:
    other = Run.create(Run(recorded_run).graph(), workspace)
    other.append(ev.View(node="data", view="bars", name="only", data=bars("Only")))
    other.close()
    session.set_focus(other.name)
    session.focus.read(10)
    dock.refresh()
    assert dock.list.keys == [("data", "bars", "only")]
    assert dock.viewer.payload.title == "Only"
    session.set_focus(None)
    assert dock.empty.isVisible()


def test_steps_without_a_number_are_counted() -> None:
    event = ev.View(node="a", view="bars")
    assert step_names([event, event.model_copy(update={"step": 1200})]) == ["1", "1,200"]
