"""The main window: canvas in the middle, docks around it, made from the actions table."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QEvent, QSize, Qt, QTimer
from PySide6.QtGui import QAction, QCloseEvent, QHideEvent, QShowEvent
from PySide6.QtWidgets import QMainWindow, QMenuBar, QStackedWidget, QTabWidget, QWidget

from studio import deeds, layouts, reasons, window_actions
from studio.actions import BY_ID
from studio.ask_panel import Answer, AskPanel
from studio.autosave import Autosave
from studio.awake import Awake
from studio.canvas import CanvasPage
from studio.dock_frame import DockFrame, dock_points
from studio.dock_tabs import DockTabs
from studio.drop_overlay import DropOverlay
from studio.menus import Menus
from studio.phone_row import PhoneRow
from studio.recent import RecentFiles
from studio.run_display import RunDisplay
from studio.session import Message, Session
from studio.status_bar import StatusBar
from studio.theme import theme
from studio.tool_row import ToolRow
from studio.top_bar import MenuRow, TopBar
from studio.widgets.toast import ToastStack

if TYPE_CHECKING:
    from studio.command_palette import CommandPalette

log = logging.getLogger(__name__)


class MainWindow(QMainWindow):
    """One window on one document."""

    full_screen_state = Qt.WindowState.WindowFullScreen

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.setObjectName("main")
        self.setDockNestingEnabled(True)
        self.setDockOptions(
            QMainWindow.DockOption.AllowTabbedDocks | QMainWindow.DockOption.AllowNestedDocks
        )
        self.setTabPosition(Qt.DockWidgetArea.AllDockWidgetAreas, QTabWidget.TabPosition.North)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)
        self.recent = RecentFiles(session.workspace, self)
        self.saved_at: float | None = None
        self.actions_by_id: dict[str, QAction] = window_actions.make_actions(self)
        self.canvas = CanvasPage(session)
        self.view = self.canvas.view
        self._pages = QStackedWidget(self)
        self._pages.addWidget(self.canvas)
        self._welcome: QWidget | None = None
        self._palette: CommandPalette | None = None
        self.setCentralWidget(self._pages)
        self.frames = {
            name: DockFrame(point, session, self) for name, point in dock_points().items()
        }
        self._menus = QMenuBar(self)
        self.menu_row = MenuRow(self._menus)
        self.tool_row = ToolRow(session, self.actions_by_id, self.set_workspace)
        self.top = TopBar(self.menu_row, self.tool_row)
        self.setMenuWidget(self.top)
        window_actions.place_shortcuts(self)
        self.status = StatusBar(self)
        bar = self.statusBar()
        bar.setSizeGripEnabled(False)
        bar.addWidget(self.status, 1)
        bar.setContentsMargins(0, 0, 0, 0)
        self.display = RunDisplay(self)
        self._awake, self._autosave = Awake(session), Autosave(session)
        self.toasts = ToastStack(self.canvas)
        self.questions = AskPanel(self)
        self.drop_overlay = DropOverlay(self)
        self.layouts = layouts.Layouts(self)
        self.tabs = DockTabs(self, self.frames.values())
        self._tool_windows: dict[str, QWidget] = {}
        self._is_closing, self._is_seen = False, True
        self._was_not_asked = False
        self.menus, self.phone_row = Menus(self, self._menus), PhoneRow(self)
        self._connect()
        self.layouts.arrange("Graph")
        self.show_welcome()
        self.setMinimumSize(QSize(960, 600))
        self.refresh()
        if session.settings.problem:
            session.tell(session.settings.problem, kind="warn")

    # -- pages -----------------------------------------------------------------------------------

    @property
    def shows_graph(self) -> bool:
        """Whether the canvas is in front, not the welcome page."""
        return self._pages.currentWidget() is self.canvas

    def show_graph(self) -> None:
        """Bring canvas and docks to the front."""
        if not self.shows_graph:
            self._pages.setCurrentWidget(self.canvas)
            self.layouts.show_docks(True)
        self.tool_row.show()
        self.refresh()

    def show_welcome(self) -> None:
        """Bring the welcome page to the front."""
        if self._welcome is None:
            from studio.docks.welcome import WelcomeWidget

            page = WelcomeWidget(self.session, self.recent)
            page.new_graph.connect(lambda: self.act("new"))
            page.open_dialog.connect(lambda: self.act("open"))
            page.open_file.connect(lambda path: self.act("open_file", path=path))
            page.open_pipeline.connect(lambda path: self.act("open_pipeline", path=path))
            page.load_model.connect(lambda: self.act("load_model"))
            self._welcome = page
            self._pages.addWidget(page)
        self.layouts.show_docks(False)
        self._pages.setCurrentWidget(self._welcome)
        self._welcome.setFocus()
        self.tool_row.hide()
        self.refresh()

    # -- actions ---------------------------------------------------------------------------------

    def act(self, action_id: str, details: dict[str, Any] | None = None, **more: Any) -> None:
        """Do an entry of the actions table, unless a reason stands in the way."""
        action = BY_ID[action_id]
        reason = reasons.why_not(self, action.why_not)
        if reason:
            self.session.tell(f"{action.text}: {reason}", kind="info")
            return
        deeds.do(self, action, {**(details or {}), **more})
        self._refresh_later.start()

    def ask(self, question: str, *answers: Answer) -> None:
        """Ask something over the window; Esc leaves all as it is."""
        self.questions.ask(question, *answers)

    def open_palette(self, text: str = "") -> None:
        """Open the command palette."""
        from studio.command_palette import CommandPalette
        from studio.palette_entries import providers

        palette = self._palette = CommandPalette(self)
        palette.closed.connect(self._forget_palette)
        palette.open(providers(self))
        if text:
            palette.set_text(text)

    def _forget_palette(self) -> None:
        self._palette = None

    # -- docks -----------------------------------------------------------------------------------

    def dock_widget(self, name: str) -> Any:
        """Return the content of a dock, made if it was not seen yet; None if there is none."""
        frame = self.frames.get(name)
        return frame.fill() if frame else None

    def show_dock(self, name: str, focus: bool = True) -> None:
        """Bring a dock to the front of its group."""
        frame = self.frames.get(name)
        if frame is None:
            return
        self.show_graph()
        frame.show()
        frame.raise_()
        content = frame.fill()
        if focus and content is not None:
            content.setFocus()
        self.tabs.schedule()

    def set_workspace(self, name: str) -> None:
        """Choose another arrangement of the docks."""
        self.show_graph()
        if self._palette is not None:
            self._palette.dismiss()
        self.layouts.choose(name)
        self.tool_row.workspaces.set_value(name)
        self.tabs.schedule()

    def reset_layout(self) -> None:
        """Put the docks of this workspace where they were at first."""
        self.layouts.reset()
        self.tabs.schedule()

    def inspect(self, path: Path) -> None:
        """Show what is in a model file."""
        self.show_dock("inspector")
        widget = self.dock_widget("inspector")
        if widget is not None:
            widget.inspect(path)

    def inspect_output(self, run: str, node: str) -> None:
        """Show what a node of a run gave."""
        self.show_dock("inspector")
        widget = self.dock_widget("inspector")
        if widget is not None:
            widget.inspect_output(run, node)

    # -- runs ------------------------------------------------------------------------------------

    def run_to_stop(self) -> str:
        """Name of the run that Stop means: the one shown if it lives, else the one that runs."""
        return self.display.run_to_stop()

    def focus_run_of_document(self) -> None:
        """Show the newest run of the open document, the one that lives first."""
        self.display.focus_run_of_document()

    # -- other windows ---------------------------------------------------------------------------

    def open_settings(self, page: str = "") -> None:
        """Open the settings beside this window."""
        from studio.settings_window import SettingsWindow

        window = self.open_tool_window("settings", SettingsWindow)
        if page and isinstance(window, SettingsWindow):
            window.show_page(page)

    def open_tool_window(self, name: str, make: Callable[[Session, QWidget], QWidget]) -> QWidget:
        """Open a window that does not block this one; there is one of each kind."""
        window = self._tool_windows.get(name)
        if window is None:
            window = self._tool_windows[name] = make(self.session, self)
        window.show()
        window.raise_()
        window.activateWindow()
        return window

    def note_saved(self) -> None:
        """Note the time for the status bar."""
        self.saved_at = time.time()
        self._refresh_later.start()

    def close_without_asking(self) -> None:
        """Close and give up what is not saved."""
        self._discard_and_close()

    def open_any(self, path: Path) -> None:
        """Open what a path leads to: a graph, a model, a run, a folder of pictures."""
        from studio.drop_plan import what_happens

        self.act("drop", plan=what_happens([path]))

    def offer_recovery(self) -> None:
        """Ask about what an earlier window could not save, if there is anything."""
        from studio.recovery import offer

        offer(self)

    def open_history(self) -> None:
        """List the edits."""
        from studio.history import HistoryWindow

        self.open_tool_window("history", HistoryWindow)

    def open_context_menu(self, position: Any = None, **details: Any) -> None:
        """Open the menu of what is under the pointer."""
        from studio.context_menu import context_menu

        menu = context_menu(self, details)
        menu.popup(position or self.view.mapToGlobal(self.view.rect().center()))

    # -- Qt --------------------------------------------------------------------------------------

    def closeEvent(self, event: QCloseEvent) -> None:
        """Ask once about unsaved changes; runs go on."""
        if self.session.document.is_modified and not self._is_closing:
            event.ignore()
            document = self.session.document
            self.ask(
                f'Save the changes to "{document.name}" before closing?',
                ("Save", self._save_and_close),
                ("Close without saving", self._discard_and_close),
            )
            return
        self._is_closing = True
        self.layouts.save()
        self.display.close()
        self._awake.release()
        self._autosave.stop()
        for window in self._tool_windows.values():
            window.close()
        self.session.close(keep=self._was_not_asked)
        event.accept()

    def showEvent(self, event: QShowEvent) -> None:
        """Let the docks fill once the window was painted."""
        super().showEvent(event)
        self._follow_visibility()
        QTimer.singleShot(0, self, self.fill_docks)

    def hideEvent(self, event: QHideEvent) -> None:
        """Follow slowly what nobody sees."""
        super().hideEvent(event)
        self._follow_visibility()

    def changeEvent(self, event: QEvent) -> None:
        """Look whether the window was minimised."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.WindowStateChange:
            self._follow_visibility()

    def _follow_visibility(self) -> None:
        is_seen = self.isVisible() and not self.isMinimized()
        if is_seen != self._is_seen and not self._is_closing:
            self._is_seen = is_seen
            self.session.runner.set_visible(is_seen)

    def fill_docks(self) -> None:
        """Allow the docks to make their content; what is hidden waits until it is seen."""
        for frame in self.frames.values():
            frame.allow_filling()
        self.tabs.schedule()

    # -- inner -----------------------------------------------------------------------------------

    def _connect(self) -> None:
        session = self.session
        self._refresh_later = QTimer(self)
        self._refresh_later.setSingleShot(True)
        self._refresh_later.setInterval(0)
        self._refresh_later.timeout.connect(self.refresh)
        document = session.document
        for signal in (
            document.changed,
            document.replaced,
            document.titled,
            document.validated,
            session.selection.changed,
            session.focus_changed,
            session.runner.changed,
        ):
            signal.connect(self._refresh_soon)
        for left in (self.tool_row.left, *(frame.left for frame in self.frames.values())):
            left.connect(self.view.setFocus)
        session.acted.connect(self.act)
        session.told.connect(self._tell)
        session.settings.changed.connect(self._settings_changed)
        session.revealed.connect(self._reveal)
        self.drop_overlay.dropped.connect(lambda plan: self.act("drop", plan=plan))
        self.menu_row.search.clicked.connect(lambda: self.act("palette"))
        self.menu_row.theme_button.clicked.connect(self._flip_theme)
        self.tool_row.device.clicked.connect(lambda: self.open_settings("Running"))
        self.status.hint_clicked.connect(lambda: self.act("next_problem"))
        self.status.run_clicked.connect(lambda: self.show_dock("runs"))
        theme().changed.connect(self._refresh_soon)

    def _refresh_soon(self, _change: object = None) -> None:
        self._refresh_later.start()

    def refresh(self) -> None:
        """Bring title, actions, tool row and status bar in line with what is."""
        window_actions.refresh(self)
        document = self.session.document
        name = document.name if self.shows_graph else "Welcome"
        is_edited = document.is_modified and self.shows_graph
        self.menu_row.set_title(name, is_edited)
        self.setWindowTitle(f"{name}[*] - Fretsaw")
        self.setWindowModified(is_edited)
        self.display.refresh()

    def _tell(self, message: Message) -> None:
        self.toasts.show_toast(message.text, message.detail, message.kind, message.action)

    def _settings_changed(self) -> None:
        window_actions.follow_settings(self)
        self._refresh_later.start()

    def _reveal(self, node: str) -> None:
        self.show_graph()
        self.view.center_on_node(node)

    def _flip_theme(self) -> None:
        self.session.settings.set(theme="light" if theme().is_dark else "dark")

    def close_with_desktop(self) -> None:
        """Close without a question, since nobody is there; the next start offers the rest."""
        self._was_not_asked = self._is_closing = True
        self.close()

    def _save_and_close(self) -> None:
        self.act("save")
        if not self.session.document.is_modified:
            self.close()

    def _discard_and_close(self) -> None:
        self._is_closing = True
        self.close()
