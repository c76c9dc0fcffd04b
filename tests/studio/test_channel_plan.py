"""The Channel plan dock: a dragged target plans again, and is set on the node in one step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt

from backend.core import events as ev
from backend.core.channel_plan import ChannelSpace, CostTerm, ScoreGroup
from backend.core.graph import Graph
from backend.core.run import Run
from backend.core.views import Plan, plan_of
from studio.docks.channel_plan import STEPS, ChannelPlanDock, ChannelPlanWidget

SPACE = ChannelSpace(
    groups=(
        ScoreGroup(name="a", width=8, scores=tuple(i / 8 for i in range(1, 9)), lower=2),
        ScoreGroup(name="b", width=4, scores=(0.2, 0.4, 0.6, 0.8), lower=0),
    ),
    terms=(
        CostTerm(layer="a", factor=1e9, inputs=3, outputs="a"),
        CostTerm(layer="b", factor=1e9, inputs="a", outputs="b"),
    ),
)


def plan(target: float) -> Plan:
    return plan_of(SPACE, SPACE.search(target).widths, target)


@pytest.fixture
def dock(qtbot: Any, session: Any, workspace: Any, tmp_path: Path) -> ChannelPlanWidget:
    graph = Graph("shrink")
    graph.add("cat.plan", "plan", {"ratio": 0.5})
    run = Run.create(graph, workspace)
    run.append(ev.RunStarted(seed=0, device="cpu", threads=1, nodes=["plan"]))
    run.append(ev.NodeStarted(node="plan"))
    run.append(ev.View(node="plan", name="channels", view="plan", data=plan(28e9)))
    run.close()
    graph.save(tmp_path / "shrink.json")
    session.document.open(tmp_path / "shrink.json")
    session.set_focus(run.name)
    session.focus.read(10)
    widget = ChannelPlanWidget(session)
    qtbot.addWidget(widget)
    widget.resize(700, 400)
    widget.show()
    return widget


def test_it_shows_the_plan_of_the_run_and_stands_at_its_target(dock: ChannelPlanWidget) -> None:
    low, high = SPACE.bounds()
    assert dock.slider.value() == round(STEPS * (28e9 - low) / (high - low))
    assert dock.viewer.payload == plan(28e9)
    assert not dock.use.isEnabled(), "the target is the node's own"


def test_a_dragged_target_plans_again_as_the_node_would(dock: ChannelPlanWidget) -> None:
    low, high = SPACE.bounds()
    for value in (0, 250, 700, STEPS):
        dock.slider.setValue(value)
        target = low + (high - low) * value / STEPS
        found = SPACE.search(target)
        shown = dock.viewer.payload
        assert {row.layer: row.after for row in shown.rows} == found.widths
        assert sum(row.cost_after for row in shown.rows) == found.cost <= target
        assert f"threshold {found.threshold:.4g}" in dock.figures.text()
    assert {row.layer: row.after for row in shown.rows} == {"a": 7, "b": 4}, "all but the least"


def test_use_sets_the_target_in_one_step_that_is_undone(
    dock: ChannelPlanWidget, session: Any, qtbot: Any
) -> None:
    dock.slider.setValue(300)
    assert dock.use.isEnabled()
    qtbot.mouseClick(dock.use, Qt.MouseButton.LeftButton)
    low, high = SPACE.bounds()
    target = session.document.graph.nodes["plan"].params["target"]
    assert target * 1e9 == pytest.approx(low + (high - low) * 0.3, rel=1e-5)
    session.document.stack.undo()
    assert "target" not in session.document.graph.nodes["plan"].params


def test_news_of_the_run_do_not_take_a_dragged_target_away(dock: ChannelPlanWidget) -> None:
    dock.slider.setValue(300)
    dock.refresh()
    assert dock.slider.value() == 300
    assert dock.use.isEnabled()


def test_without_a_plan_it_says_what_appears_here(session: Any, qtbot: Any) -> None:
    widget = ChannelPlanWidget(session)
    qtbot.addWidget(widget)
    assert "CAT plan" in widget.message.label.text()


def test_a_plan_without_scores_is_shown_and_cannot_be_dragged(dock: ChannelPlanWidget) -> None:
    dock._adopt(plan(28e9).model_copy(update={"space": None}))
    assert not dock.slider.isEnabled()
    assert not dock.use.isEnabled()


def test_the_dock_is_offered_for_plans() -> None:
    assert ChannelPlanDock.KINDS == ("plan",)
    assert ChannelPlanDock.WIDGET is ChannelPlanWidget
