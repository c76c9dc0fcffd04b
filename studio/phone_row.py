"""The phone's part of the window: tools of the Phone workspace, words in the status bar."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, QTimer
from PySide6.QtWidgets import QHBoxLayout, QLabel, QWidget

from studio.phone.known import known_phone
from studio.reasons import why_not
from studio.theme import theme
from studio.widgets.button import plain, primary
from studio.widgets.switch import Switch

if TYPE_CHECKING:
    from studio.main_window import MainWindow
    from studio.phone.phone import Phone

WORKSPACE = "Phone"
_SETTLE_MS = 250


class PhoneRow(QObject):
    """Push, Follow training and Pair in the tool row while the Phone workspace is chosen."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._phone: Phone | None = None
        self.left, self.middle = QWidget(window.tool_row), QWidget(window.tool_row)
        self.push = primary("Push", "cellphone-link")
        self.push.large = False
        self.push.setProperty("kind", "plain")  # as high as the buttons beside it
        self.push.clicked.connect(lambda: window.act("phone_push"))
        self.follow = Switch("Follow training")
        self.follow.clicked.connect(self._follow_clicked)
        self.follow_label = QLabel("Follow training")
        self.follow_label.setBuddy(self.follow)
        self.pair = plain("Pair a phone", "qrcode")
        self.pair.clicked.connect(lambda: window.act("phone_pair"))
        self._place(self.left, self.push)
        self._place(self.middle, self.follow, self.follow_label)
        window.tool_row.add_phone(self.left, self.middle, self.pair)
        for part in (self.push, self.pair):
            part.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        window.layouts.arranged.connect(self._arranged)
        window.status.phone_clicked.connect(lambda: window.act("phone_show"))
        self._later = QTimer(self)  # telemetry comes twice a second; a row of words need not
        self._later.setSingleShot(True)
        self._later.setInterval(_SETTLE_MS)
        self._later.timeout.connect(self.refresh)
        session = window.session
        session.focus_changed.connect(self._later.start)
        session.runner.changed.connect(self._later.start)
        session.phoned.connect(self._found)
        theme().changed.connect(self._dress)
        self._dress()
        if (found := known_phone(session)) is not None:
            self._found(found)
        self._arranged(window.layouts.name)

    def refresh(self) -> None:
        """Bring words and switches in line with what is."""
        phone, window = self._phone or known_phone(self._window.session), self._window
        device = phone.device if phone is not None else None
        self.push.setText(f"Push to {device.name}" if device is not None else "Push to the phone")
        why = why_not(window, "pushable")
        self.push.setEnabled(not why)
        self.push.setToolTip(f"Push: {why}" if why else "Send the export of this run to the phone")
        self.pair.setText("Pair another" if device is not None else "Pair a phone")
        following = phone is not None and phone.follower.is_running
        why = why_not(window, "followable")
        self.follow.setChecked(following)
        self.follow.setEnabled(not why)
        self.follow_label.setEnabled(not why)
        self.follow.setToolTip(
            f"Follow training: {why}" if why else "Send every epoch of the training to the phone"
        )
        window.status.set_phone(*(phone.summary() if phone is not None else ("", "")))

    # -- inner -----------------------------------------------------------------------------------

    def _found(self, phone: Phone) -> None:
        self._phone = phone
        phone.changed.connect(self._changed)
        self._later.start()

    def _changed(self, parts: set[str]) -> None:
        if not self._later.isActive():
            self._later.start()
        if parts & {"devices", "server", "edits"}:
            self._window.refresh()

    def _arranged(self, name: str) -> None:
        is_here = name == WORKSPACE
        row = self._window.tool_row
        row.set_phone_tools(is_here)
        self.left.setVisible(is_here)
        self.middle.setVisible(is_here)
        self.pair.setVisible(is_here)
        row.workspaces.set_value(name)
        if not is_here:
            self._keep_panel()
        self.refresh()

    def _keep_panel(self) -> None:
        """A phone that is connected keeps its panel, as a tab beside the properties.

        The bridge lives as long as the panel: changing a setting must not cost the connection.
        """
        phone, frames = known_phone(self._window.session), self._window.frames
        if phone is None or phone.device is None or "phone" not in frames:
            return
        beside = frames.get("properties")
        if beside is not None and frames["phone"].isHidden():
            self._window.tabifyDockWidget(beside, frames["phone"])
            frames["phone"].show()
            beside.raise_()

    def _follow_clicked(self, on: bool) -> None:
        self._window.act("phone_follow", on=on)
        self._later.start()

    @staticmethod
    def _place(ground: QWidget, *parts: QWidget) -> None:
        row = QHBoxLayout(ground)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        for part in parts:
            row.addWidget(part)

    def _dress(self) -> None:
        self.follow_label.setFont(theme().font("body"))
