"""The window opens without torch and the like; and Qt is one that Python survives."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NEVER = ("torch", "diffusers", "onnxruntime", "onnx", "transformers", "peft", "backend.engine")
LATER = ("pyqtgraph", "numpy")
OPEN = """
import json, sys
from PySide6.QtCore import QEventLoop, QTimer
from backend.core.workspace import Workspace
from studio.app import make_application, open_window
from studio.session import Session

app = make_application()
window = open_window(Session(Workspace.current()))
app.sendPostedEvents()
window.repaint()
first = sorted(sys.modules)
window.act("open_pipeline", path="quantize_classifier.json")
loop = QEventLoop()
QTimer.singleShot(300, loop.quit)
loop.exec()
for name in window.frames:
    window.show_dock(name)
    app.processEvents()
filled = sorted(name for name, frame in window.frames.items() if frame.content)
print(json.dumps([first, sorted(sys.modules), filled]))
window.close_without_asking()
"""


def test_window_opens_without_torch_and_paints_before_the_plots() -> None:
    env = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(
        [sys.executable, "-P", "-c", OPEN], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    first, whole, filled = json.loads(done.stdout.strip().splitlines()[-1])
    assert not [name for name in LATER if name in first]
    assert not [name for name in NEVER if name in whole]
    assert "pyqtgraph" in whole
    assert {"nodes", "properties", "curves", "layers", "inspector"} <= set(filled)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="None is immortal there")
def test_qt_keeps_the_references_to_none(qapp: object) -> None:
    """PySide6 6.12 drops one for each call that returns nothing; Python 3.11 then aborts."""
    from PySide6.QtWidgets import QWidget

    widget = QWidget()
    before = sys.getrefcount(None)
    for _ in range(500):
        widget.setToolTip("x")
        widget.update()
    assert before - sys.getrefcount(None) < 50


def test_no_colour_outside_the_tokens() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in sorted((ROOT / "studio").rglob("*.py"))
        for match in re.finditer(r"#[0-9a-fA-F]{6}\b|QColor\(\s*\d", path.read_text())
    ]
    assert not found


def test_docks_are_found_by_entry_point() -> None:
    from studio.dock_frame import dock_points

    points = dock_points()
    assert len(points) >= 10
    for point in points.values():
        assert find_spec(point.module) is not None, point
