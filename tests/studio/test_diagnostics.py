"""Diagnostics hold what helps and nothing that tells who or where the user is."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.core.catalog import Broken
from backend.core.errors import DocumentError
from backend.core.workspace import Workspace
from studio.diagnostics import collect, tail, write
from studio.diagnostics_window import DiagnosticsWindow
from studio.redact import Secrets, redacted
from studio.settings import SettingsStore

LINUX = Secrets(homes=("/home/annegret",), users=("annegret",), hosts=("birch-desk",))
WINDOWS = Secrets(
    homes=("C:\\Users\\Annegret Möller",), users=("Annegret Möller",), hosts=("BIRCH",)
)


@pytest.mark.parametrize(
    "text",
    [
        "/home/annegret/models/net.onnx",
        'File "/home/annegret/a.py", line 3, in f',
        "user annegret on birch-desk",
        "ANNEGRET@Birch-Desk:~$",
        "path=/home/annegret",
        "file:///home/annegret/x",
        "run_annegret_2",
        "/tmp/annegret-cache/x",
    ],
)
def test_home_user_and_computer_are_taken_out(text: str) -> None:
    left = redacted(text, LINUX).lower()
    assert "annegret" not in left
    assert "birch" not in left


@pytest.mark.parametrize(
    "plain",
    [
        "C:\\Users\\Annegret Möller\\Documents\\net.onnx",
        "C:/Users/Annegret Möller/net.onnx",
        "c:\\users\\annegret möller\\x",
        "\\\\BIRCH\\share",
        "owner: Annegret Möller",
        "C:\\Users\\ANNEGR~1\\AppData",
    ],
)
@pytest.mark.parametrize("times", [0, 1, 2])
@pytest.mark.parametrize("ascii", [True, False])
def test_windows_paths_are_taken_out_however_often_they_are_escaped(
    plain: str, times: int, ascii: bool
) -> None:
    text = plain
    for _ in range(times):
        text = json.dumps({"path": text}, ensure_ascii=ascii)
    left = redacted(text, WINDOWS).lower()
    assert "annegr" not in left
    assert "birch" not in left


def test_homes_of_others_are_taken_out_too() -> None:
    text = "/home/bob/x C:\\Users\\Carol\\y /Users/dave/z"
    left = redacted(text, LINUX)
    assert left == "/home/<user>/x C:\\Users\\<user>\\y /Users/<user>/z"


def test_other_words_stay() -> None:
    secrets = Secrets(homes=("/home/ann",), users=("ann",), hosts=("x",))
    assert redacted("planning cannot annotate", secrets) == "planning cannot annotate"
    assert redacted("x = 3", secrets) == "x = 3"


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_text_around_a_home_keeps_it(before: str, after: str) -> None:
    left = redacted(f"{before} /home/annegret/{after}", LINUX)
    assert "/home/annegret/" not in left


def test_the_secrets_of_this_computer_are_found(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("HOME", "/home/annegret")
    monkeypatch.setenv("USER", "annegret")
    found = Secrets.here(tmp_path)
    assert "/home/annegret" in found.homes
    assert "annegret" in found.users
    assert str(tmp_path) in found.folders


def planted(workspace: Workspace, run: Path) -> SettingsStore:
    """Put names and paths wherever they may come from."""
    home = "C:\\Users\\Annegret Möller"
    line = {"t": 1.0, "kind": "log", "node": "", "level": "error", "text": f"{home}\\net.onnx"}
    with open(run / "events.jsonl", "a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
    with open(run / "log.txt", "a", encoding="utf-8") as file:
        file.write(f"Annegret Möller on BIRCH: {home}\\x {workspace.root}\n")
    log = workspace.root / "studio" / "studio.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(f"opened {home}/graph.json", encoding="utf-8")
    return SettingsStore(workspace)


def test_everything_that_is_planted_is_taken_out(workspace: Workspace, recorded_run: Path) -> None:
    store = planted(workspace, recorded_run)
    broken = [
        Broken(
            module="m",
            file="C:\\Users\\Annegret Möller\\m.py",
            line=3,
            error="bad",
            details="BIRCH",
        )
    ]
    secrets = Secrets(WINDOWS.homes, WINDOWS.users, WINDOWS.hosts, (str(workspace.root),))
    entries = collect(workspace, store, broken, f"ok  Python: {workspace.root}", secrets)
    names = [entry.name for entry in entries]
    assert names[:4] == ["doctor.txt", "settings.json", "catalog_errors.json", "studio.log"]
    assert "runs/1/events.jsonl" in names
    assert "runs/1/log.txt" in names
    assert "C:\\Users" not in "".join(names)
    for entry in entries:
        for secret in ("annegret", "m\\u00f6ller", "birch", str(workspace.root)):
            assert secret not in entry.text.lower(), (entry.name, secret)
    assert any("<home>" in entry.text for entry in entries)
    assert any("<workspace>" in entry.text for entry in entries)


def test_no_pictures_and_no_weights_go_in(workspace: Workspace, recorded_run: Path) -> None:
    (recorded_run / "nodes" / "train" / "weights.safetensors").write_bytes(b"x" * 100)
    entries = collect(workspace, SettingsStore(workspace), [], "ok")
    kinds = {Path(entry.name).suffix for entry in entries}
    assert kinds <= {".txt", ".json", ".jsonl", ".log"}


def test_long_files_lose_their_beginning_not_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text("\n".join(f"line {n}" for n in range(100_000)))
    text = tail(path, 1000)
    assert len(text) <= 1000
    assert text.startswith("line ")
    assert text.endswith("line 99999")
    assert tail(tmp_path / "none.txt").startswith("could not be read")


def test_the_zip_holds_what_was_listed(workspace: Workspace, tmp_path: Path) -> None:
    entries = collect(workspace, SettingsStore(workspace), [], "ok")
    path = tmp_path / "out.zip"
    write(path, entries)
    with zipfile.ZipFile(path) as file:
        assert file.namelist() == [entry.name for entry in entries]
        assert file.read("doctor.txt").decode() == "ok"
    assert list(tmp_path.iterdir()) == [path]


def test_a_zip_that_cannot_be_written_is_told(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="Diagnostics were not written"):
        write(tmp_path / "none" / "out.zip", collect(workspace, SettingsStore(workspace), [], "ok"))


def test_the_window_lists_before_it_writes(
    qtbot: Any, session: Any, recorded_run: Path, tmp_path: Path
) -> None:
    window = DiagnosticsWindow(session)
    qtbot.addWidget(window)
    window.show()
    assert not window.save.isEnabled()
    window._doctor.abort()
    window._collected(0, "ok  Python: 3.11\n", "")
    assert window.list.topLevelItemCount() == len(window.entries)
    assert "Python" in window.text.toPlainText()
    target = tmp_path / "fretsaw.zip"
    window.save_to(str(target))
    assert zipfile.is_zipfile(target)
    window.save_to(str(tmp_path / "none" / "x.zip"))
    assert window.state.text().startswith("Diagnostics were not written")
    window.close()
