"""The Channel plan dock: widths, cost and threshold are planned again while the target is moved."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QHBoxLayout,
    QPushButton,
    QSlider,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from backend.core.channel_plan import ChannelSpace, spelled
from backend.core.errors import FretsawError
from backend.core.events import View
from backend.core.views import Plan, plan_of
from studio.docks.views import Key, node_title
from studio.pictures.following import Following, Payloads
from studio.pictures.viewer import Viewer
from studio.session import Session
from studio.widgets.elided import ElidedLabel
from studio.widgets.empty_state import EmptyState

STEPS = 1_000
"""Positions of the slider, evenly spaced from the least cost to the whole."""


class ChannelPlanWidget(QWidget):
    """Bars of each layer before and after, and the target that they follow."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._payloads = Payloads(self)
        self._wish: Key | None = None
        self._source: Plan | None = None
        self._target = 0.0
        self._build()
        self._payloads.ready.connect(lambda _key: self.refresh())
        self._following = Following(session, self)
        self._following.news.connect(self.refresh)
        self.slider.valueChanged.connect(self._dragged)
        self.use.clicked.connect(self._use)
        session.selection.changed.connect(self.refresh)
        self.refresh()

    def _build(self) -> None:
        self.viewer = Viewer(self._session)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, STEPS)
        self.slider.setPageStep(STEPS // 20)
        self.slider.setAccessibleName("Target cost")
        self.slider.setToolTip("Drag to plan for another target; nothing is trained.")
        self.figures = ElidedLabel("", "small", "muted")
        self.use = QPushButton("Use this target")
        self.message = EmptyState("layers-triple-outline", "")
        row = QHBoxLayout()
        row.setContentsMargins(12, 0, 12, 8)
        row.addWidget(self.slider, 1)
        row.addWidget(self.use)
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.viewer, 1)
        self.figures.setContentsMargins(12, 0, 12, 0)
        column.addWidget(self.figures)
        column.addLayout(row)
        self._page = page
        self._pages = QStackedLayout(self)
        self._pages.setContentsMargins(0, 0, 0, 0)
        self._pages.addWidget(self.message)
        self._pages.addWidget(page)

    @property
    def key(self) -> Key | None:
        """The view that is shown: the one asked for, the selected node's, or the newest."""
        watch = self._following.watch
        keys = [k for k in watch.fold.views if k[1] == "plan"] if watch is not None else []
        if self._wish in keys:
            return self._wish
        mine = [k for k in keys if k[0] == self._session.selection.current]
        return mine[0] if mine else (keys[-1] if keys else None)

    def set_view(self, fold: Any, key: Key) -> None:
        """Show this view; ``fold`` is that of the run in focus."""
        self._wish = key
        self.refresh()

    def refresh(self) -> None:
        """Read the run in focus again; a target that was dragged stays until the plan changes."""
        watch, key = self._following.watch, self.key
        if watch is None or key is None:
            self._say("The channels of a plan appear here when a CAT plan has run.")
            return
        event: View = watch.fold.views[key][-1]
        payload = self._payloads.get(watch.run.path, event)
        if isinstance(payload, str):
            self._say(payload)
        elif isinstance(payload, Plan) and payload is not self._source:
            self._source = payload
            self._adopt(payload)

    def _say(self, text: str) -> None:
        self._source = None
        self.message.set(text)
        self._pages.setCurrentWidget(self.message)

    def _adopt(self, plan: Plan) -> None:
        can_plan = plan.space is not None and any(g.scores for g in plan.space.groups)
        self.slider.setEnabled(can_plan)
        self.use.setEnabled(False)
        self.viewer.show_payload(plan)
        self.figures.setText("" if can_plan else "This plan cannot be planned again here.")
        if plan.space is not None and can_plan:
            low, high = plan.space.bounds()
            self._target = min(max(plan.target or high, low), high)
            self.slider.blockSignals(True)
            span = high - low
            self.slider.setValue(round(STEPS * (self._target - low) / span) if span > 0 else 0)
            self.slider.blockSignals(False)
        self._pages.setCurrentWidget(self._page)

    @property
    def space(self) -> ChannelSpace | None:
        """What is planned in."""
        return self._source.space if self._source is not None else None

    def _dragged(self, value: int) -> None:
        space = self.space
        if space is None:
            return
        low, high = space.bounds()
        self._target = low + (high - low) * value / STEPS
        try:
            plan = space.search(self._target)
        except FretsawError as error:
            self.figures.setText(str(error))
            self.use.setEnabled(False)
            return
        self.viewer.show_payload(plan_of(space, plan.widths, self._target))
        self.figures.setText(
            f"{spelled(plan.cost, space.unit)} of {spelled(plan.full_cost, space.unit)} "
            f"({plan.ratio:.1%}), threshold {plan.threshold:.4g}"
        )
        self.use.setEnabled(self._node() is not None)

    def _node(self) -> str | None:
        key = self.key
        node = self._session.document.graph.nodes.get(key[0]) if key is not None else None
        return key[0] if key is not None and node is not None and node.type == "cat.plan" else None

    def _use(self) -> None:
        """Set the node's target, in one step that can be undone."""
        node, space = self._node(), self.space
        if node is None or space is None:
            return
        scale = 1e9 if space.unit == "MAC" else 1.0
        self._session.document.set(node, target=float(f"{self._target / scale:.6g}"))
        self.use.setEnabled(False)
        self._session.tell(f"The target of {node_title(self._session, node)} is set.")


class ChannelPlanDock:
    """The Channel plan dock, as the window finds it."""

    NAME = "channel_plan"
    TITLE = "Channel plan"
    ICON = "layers-triple-outline"
    AREA = "bottom-right"
    KINDS: tuple[str, ...] = ("plan",)
    WIDGET = ChannelPlanWidget
