"""The table of runs: columns, order, filters, the queue, and tables as text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from PySide6.QtCore import QModelIndex, Qt

from studio.docks import tables
from studio.docks.run_list import best_of, metric_title, when
from studio.docks.runs_diff import differing
from studio.docks.runs_filter import Filter
from studio.docks.runs_model import NAME_ROLE, RunsModel
from studio.run_row import RunRow
from studio.widgets.table import BEST_ROLE, ICON_ROLE

SHOWN = Qt.ItemDataRole.DisplayRole


def row(name: str, **fields: Any) -> RunRow:
    fields.setdefault("state", "finished")
    return RunRow(name=name, label=fields.pop("label", name), **fields)


def names(model: RunsModel) -> list[str]:
    return [entry.name for entry in model.rows]


def column(model: RunsModel, name: str) -> int:
    return model.columns.index(name)


# -- the model ------------------------------------------------------------------------------------


@pytest.fixture
def model() -> RunsModel:
    made = RunsModel()
    made.set_rows(
        [
            row("a", started=1.0, seconds=30.0, best={"t.top1": 90.0}, last={"t.top1": 88.0}),
            row("b", started=3.0, best={"t.top1": 92.0}, last={"t.top1": 91.0}, state="failed"),
            row("c", started=2.0, seconds=5.0, star=True, tags=("paper",), note="warm start"),
        ]
    )
    return made


def test_newest_first_and_best_value_is_heavy(model: RunsModel) -> None:
    assert names(model) == ["b", "c", "a"]
    best = column(model, "best:t.top1")
    assert [model.index(r, best).data(SHOWN) for r in range(3)] == ["92.00", "", "90.00"]
    assert [bool(model.index(r, best).data(BEST_ROLE)) for r in range(3)] == [True, False, False]
    last = column(model, "last:t.top1")
    assert model.index(0, last).data(SHOWN) == "91.00"


@pytest.mark.parametrize("order", list(Qt.SortOrder))
def test_what_has_no_value_is_last_either_way(model: RunsModel, order: Qt.SortOrder) -> None:
    model.sort(column(model, "best:t.top1"), order)
    ascending = order == Qt.SortOrder.AscendingOrder
    assert names(model) == (["a", "b", "c"] if ascending else ["b", "a", "c"])


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Filter(text="WARM start"), ["c"]),
        (Filter(text="paper"), ["c"]),
        (Filter(states=frozenset({"failed"})), ["b"]),
        (Filter(starred=True), ["c"]),
        (Filter(tag="paper"), ["c"]),
        (Filter(text="nothing like this"), []),
    ],
)
def test_filters(model: RunsModel, wanted: Filter, found: list[str]) -> None:
    model.set_filter(wanted)
    assert names(model) == found
    model.set_filter(Filter())
    assert len(names(model)) == 3


def test_states_have_an_icon_and_a_word(model: RunsModel) -> None:
    state = model.index(0, column(model, "state"))
    assert state.data(SHOWN) == "failed"
    assert state.data(ICON_ROLE) == ("close", "bad")
    assert "failed" in state.data(Qt.ItemDataRole.AccessibleTextRole)


def test_dragging_a_waiting_run_onto_another_reorders_the_queue() -> None:
    model = RunsModel()
    model.set_queue(["x", "y", "z"])
    model.set_rows([row("done", started=9.0), *(row(n, state="queued") for n in "xyz")])
    assert names(model) == ["x", "y", "z", "done"]
    assert model.index(0, column(model, "state")).data(SHOWN) == "queued, next"
    told: list[list[str]] = []
    model.reordered.connect(told.append)
    drag = model.mimeData([model.index(2, c) for c in range(3)])
    model.dropMimeData(drag, Qt.DropAction.MoveAction, -1, -1, model.index(0, 3))
    assert told == [["z", "x", "y"]]
    model.dropMimeData(drag, Qt.DropAction.MoveAction, 4, 0, QModelIndex())
    assert told[-1] == ["x", "y", "z"]
    assert not model.flags(model.index(3, 0)) & Qt.ItemFlag.ItemIsDragEnabled


def test_a_change_keeps_what_is_picked(model: RunsModel) -> None:
    from PySide6.QtCore import QPersistentModelIndex

    kept = QPersistentModelIndex(model.index(2, 0))
    assert kept.data(NAME_ROLE) == "a"
    model.set_rows([row("new", started=99.0), *model.rows])
    assert kept.row() == 3
    assert kept.data(NAME_ROLE) == "a"


def test_words_and_best() -> None:
    assert metric_title("f8net_test.top1") == "f8net_test top-1"
    assert metric_title("cost.macs") == "cost MACs"
    assert best_of([1.0, None, 3.0], "loss") == 1.0
    assert best_of([1.0, 3.0], "top1") == 3.0
    assert best_of([1.0, 3.0], "lr") is None
    assert best_of([2.0, 2.0], "loss") is None
    assert when(0) == ""


def test_tables_as_text_are_harmless() -> None:
    text = tables.to_markdown(["Run", "Top-1"], [["a|b\nc", "90"]], [False, True])
    assert text == "| Run | Top-1 |\n| --- | ---: |\n| a\\|b c | 90 |\n"
    assert tables.to_csv(["x"], [["=1+1"], ["-0.5"], ["a,b"]]) == 'x\n\'=1+1\n-0.5\n"a,b"\n'


def test_only_settings_that_differ_are_told() -> None:
    runs = [{"a": 1, "b": 2}, {"a": 1, "b": 3, "c": 4}, {"a": 1, "b": 2}]
    assert differing(runs) == {"b": [2, 3, 2], "c": [None, 4, None]}
    assert differing(runs[:1]) == {}


def test_two_thousand_rows_need_no_more_than_the_visible_cells(qtbot: Any) -> None:
    from studio.docks.runs_view import RunsView

    model = RunsModel()
    model.set_rows([row(f"r{k}", started=float(k), best={"t.top1": k / 20}) for k in range(2000)])
    view = RunsView(model)
    qtbot.addWidget(view)
    asked: set[int] = set()
    original: Callable[..., Any] = model.data
    model.data = lambda index, role=SHOWN: (asked.add(index.row()), original(index, role))[1]  # type: ignore[method-assign]
    view.resize(900, 300)
    view.show()
    qtbot.waitExposed(view)
    view.grab()
    assert model.rowCount() == 2000
    assert 0 < len(asked) < 60
