"""Starts the studio: the window is painted first, everything heavy comes after."""

from __future__ import annotations

import argparse
import logging
import logging.handlers
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

from PySide6.QtCore import QTimer, QtMsgType, qInstallMessageHandler
from PySide6.QtWidgets import QApplication

from backend.core.errors import FretsawError, sentence
from backend.core.workspace import Workspace
from studio import style
from studio.main_window import MainWindow
from studio.session import Session
from studio.theme import theme

log = logging.getLogger("studio")
_TOLD_SECONDS = 5.0


def main(argv: Sequence[str] | None = None) -> int:
    """Open the studio; with a path, on that graph, model or run."""
    parser = argparse.ArgumentParser(prog="fretsaw-studio", description="The Fretsaw studio.")
    parser.add_argument("path", nargs="?", type=Path, help="a graph, a model file or a run to open")
    words = parser.parse_args(argv)
    app = make_application()
    workspace = Workspace.current()
    try:
        workspace.root.mkdir(parents=True, exist_ok=True)
        _log_to(workspace.root / "studio" / "studio.log")
    except OSError as error:
        print(sentence(error), file=sys.stderr)
        return 6
    window = open_window(Session(workspace))
    QTimer.singleShot(0, window, lambda: _after_first_paint(window, words.path))
    app.commitDataRequest.connect(lambda _manager: window.close_with_desktop())
    _let_interrupts_in(window)
    return _run(app)


def _run(app: QApplication) -> int:
    """Handle events until the last window closes.

    What goes wrong while Qt paints or asks a model may fall out of here instead of being handed
    to the hook. That is no reason to end.
    """
    while True:
        try:
            return app.exec()
        except Exception as error:
            sys.excepthook(type(error), error, error.__traceback__)


def make_application() -> QApplication:
    """Return the application with fonts, palette and style sheet of the theme."""
    found = QApplication.instance()
    app = found if isinstance(found, QApplication) else QApplication(sys.argv[:1])
    app.setApplicationName("Fretsaw")
    app.setDesktopFileName("fretsaw")
    app.setStyle("Fusion")
    look = theme()
    style.apply(app, look)
    look.changed.connect(lambda: style.apply(app, look))
    app.styleHints().colorSchemeChanged.connect(lambda _scheme: look.refresh())
    return app


def open_window(session: Session) -> MainWindow:
    """Show a window on ``session``; what goes wrong in it becomes a sentence on it."""
    window = MainWindow(session)
    if not window.layouts.has_geometry:
        window.resize(1600, 1000)
    _catch(window)
    window.show()
    return window


def _after_first_paint(window: MainWindow, path: Path | None) -> None:
    session = window.session
    session.catalog.start()
    session.runner.scan()
    window.offer_recovery()
    if path is not None:
        window.open_any(path)


def _catch(window: MainWindow) -> None:
    """Log an error that nobody foresaw and tell it in a sentence: no traceback reaches a user.

    One that comes again and again, as while something is painted, is told once in a while.
    """
    told: dict[tuple[str, str], float] = {}

    def caught(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        if isinstance(error, KeyboardInterrupt):
            window.close_with_desktop()
            return
        now, again = time.monotonic(), (kind.__name__, str(error))
        if now - told.get(again, -_TOLD_SECONDS) < _TOLD_SECONDS:
            return
        told[again] = now
        log.error("Not foreseen", exc_info=(kind, error, trace))
        known = isinstance(error, FretsawError | OSError)
        text = sentence(error) if known else "Something went wrong in the window."
        detail = "" if known else f"{kind.__name__}: {error}. Your graph is kept; see the log."
        window.session.tell(text, detail, kind="bad", action=("Diagnose", _diagnose(window)))

    sys.excepthook = caught
    threading.excepthook = lambda given: caught(
        given.exc_type, given.exc_value or RuntimeError("?"), given.exc_traceback
    )


def _diagnose(window: MainWindow) -> Callable[[], None]:
    return lambda: window.act("diagnostics")


def _log_to(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.handlers.RotatingFileHandler(path, maxBytes=1_000_000, backupCount=1)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    levels = {
        QtMsgType.QtWarningMsg: logging.WARNING,
        QtMsgType.QtCriticalMsg: logging.ERROR,
        QtMsgType.QtFatalMsg: logging.CRITICAL,
    }
    qInstallMessageHandler(lambda kind, _c, text: log.log(levels.get(kind, logging.INFO), text))


def _let_interrupts_in(window: MainWindow) -> None:
    """Ctrl+C in the terminal closes the window, as it would end any other program."""
    signal.signal(signal.SIGINT, lambda *_: window.close_with_desktop())
    beat = QTimer(window)
    beat.timeout.connect(lambda: None)  # Python handles signals only between byte codes
    beat.start(500)
