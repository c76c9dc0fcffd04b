"""The start script: its decisions, and whole set-ups with a stand-in for the installers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import start
from tests import __main__ as checks

REPOSITORY = Path(start.__file__).parent


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout without .venv, in which the start script works; its Python is this one."""
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    (tmp_path / "constraints.txt").write_text("torch==2.13.0\n")
    venv = tmp_path / ".venv"
    monkeypatch.setattr(start, "ROOT", tmp_path)
    monkeypatch.setattr(start, "VENV", venv)
    monkeypatch.setattr(start, "PYTHON", str(venv / "python"))
    for name in ("lock", "busy", "stamp"):
        monkeypatch.setattr(start, name.upper(), venv / f"start.{name}")
    return tmp_path


class Installers:
    """Stands in for venv, pip and uv: notes what it is asked for, and fails as told."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.asked, self.answers = folder, [], {}
        monkeypatch.setattr(start, "make_venv", self.make_venv)
        monkeypatch.setattr(start, "install", self.install)
        monkeypatch.setattr(start, "run", self.run)

    def make_venv(self) -> None:
        self.asked.append("venv")
        (self.folder / ".venv" / "python").touch()

    def install(self, *command: str) -> str:
        self.asked.append(" ".join(command))
        found = [text for words, text in self.answers.items() if words in self.asked[-1]]
        return found[0] if found else ""

    def run(self, command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        assert command[1:] == ["-m", "pip", "config", "list"]
        return subprocess.CompletedProcess(command, 0, self.answers.get("pip config", ""))


@pytest.fixture
def installers(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Installers:
    return Installers(folder, monkeypatch)


def test_first_start_makes_venv_then_installs_by_uv(installers: Installers) -> None:
    start.set_up("hub,samples,diffusion", cpu=False)
    venv, get_uv, install = installers.asked
    assert venv == "venv"
    assert get_uv == "pip install -q -c constraints.txt uv"
    assert install.startswith("uv pip install ")
    assert install.endswith("--compile-bytecode -c constraints.txt -e .[hub,samples,diffusion]")
    assert start.is_set_up("hub,samples,diffusion")


def test_second_start_installs_nothing(installers: Installers) -> None:
    start.set_up("test", cpu=False)
    count = len(installers.asked)
    start.set_up("test", cpu=False)
    start.set_up("hub,samples,diffusion", cpu=False)  # `test` holds it
    assert len(installers.asked) == count


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_changed_file_installs_again_but_keeps_venv(
    installers: Installers, folder: Path, name: str
) -> None:
    start.set_up("test", cpu=False)
    (folder / name).write_text("changed")
    assert not start.is_set_up("test")
    start.set_up("test", cpu=False)
    assert installers.asked.count("venv") == 1
    assert start.is_set_up("test")


def test_stamp_depends_on_python_place_and_extras(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stamps = {start.stamp("test"), start.stamp("hub")}
    monkeypatch.setattr(start, "ROOT", folder / "moved")
    (folder / "moved").mkdir()
    for name in ("pyproject.toml", "constraints.txt"):
        (folder / "moved" / name).write_bytes((folder / name).read_bytes())
    stamps.add(start.stamp("test"))
    monkeypatch.setattr(start, "VERSION", "3.99")
    assert len(stamps | {start.stamp("test")}) == 4


def test_other_python_makes_venv_anew(
    installers: Installers, monkeypatch: pytest.MonkeyPatch
) -> None:
    start.set_up("test", cpu=False)
    monkeypatch.setattr(start, "VERSION", "3.99")
    start.set_up("test", cpu=False)
    assert installers.asked.count("venv") == 2


def test_start_that_was_cut_off_is_repaired(installers: Installers) -> None:
    def cut_off(*command: str) -> str:
        raise KeyboardInterrupt

    install, start.install = start.install, cut_off  # the fixture puts the real one back
    with pytest.raises(SystemExit, match="next start repairs it"):
        start.main(["test"])
    assert start.BUSY.exists()
    assert not start.is_set_up("test")
    start.install = install
    start.set_up("test", cpu=False)
    assert installers.asked.count("venv") == 2
    assert start.is_set_up("test")


def test_venv_made_by_hand_is_kept(installers: Installers, folder: Path) -> None:
    (folder / ".venv").mkdir()
    (folder / ".venv" / "python").touch()
    start.set_up("test", cpu=False)
    assert "venv" not in installers.asked


def test_without_uv_pip_installs(installers: Installers) -> None:
    installers.answers["pip install -q"] = "ERROR: No matching distribution found for uv"
    start.set_up("test", cpu=False)
    assert installers.asked[-1] == "pip install -c constraints.txt -e .[test]"


def test_without_network_nothing_else_is_tried_and_what_was_there_stays(
    installers: Installers, folder: Path
) -> None:
    start.set_up("hub,samples,diffusion", cpu=False)
    count = len(installers.asked)
    installers.answers["pip install -q"] = (
        "NewConnectionError: Failed to establish a new connection"
    )
    with pytest.raises(SystemExit, match="check the network"):
        start.set_up("test", cpu=False)
    assert len(installers.asked) == count + 1
    assert start.is_set_up("hub,samples,diffusion")


def test_full_disk_is_named_and_repaired_later(installers: Installers) -> None:
    installers.answers["uv pip"] = "error: failed\n  cause: No space left on device (os error 28)"
    with pytest.raises(SystemExit, match=r"disk is full: make room"):
        start.set_up("test", cpu=False)
    assert start.BUSY.exists()
    installers.answers.clear()
    start.set_up("test", cpu=False)
    assert installers.asked.count("venv") == 2


def test_find_links_of_pip_are_passed_on_to_uv(installers: Installers) -> None:
    installers.answers["pip config"] = (
        ":env:.disable-pip-version-check='1'\n:env:.find-links='/a b'\n"
        "global.find-links='/a\\n/c'\nglobal.extra-index-url='file:///d'\n"
    )
    start.set_up("test", cpu=False)
    links = [word for word in installers.asked[-1].split() if word.startswith("--find-links")]
    assert links == ["--find-links=/a", "--find-links=b", "--find-links=/c"]


@pytest.mark.skipif(sys.platform != "linux", reason="--cpu means something on Linux only")
def test_cpu_installs_the_smaller_torch_first(
    installers: Installers, capsys: pytest.CaptureFixture[str]
) -> None:
    start.set_up("test", cpu=True)
    torch, fretsaw = installers.asked[-2:]
    assert " torch --no-deps --index-url=https://download.pytorch.org/whl/cpu" in torch
    assert "index-url" not in fretsaw
    assert "--cpu" not in capsys.readouterr().out


@pytest.mark.skipif(
    sys.platform != "linux" or any(Path("/dev").glob("nvidia[0-9]*")),
    reason="the advice is for Linux without an NVIDIA device",
)
def test_cpu_is_advised_once_where_it_saves_space(
    installers: Installers, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start.set_up("hub,samples,diffusion", cpu=False)
    assert "with --cpu the set-up is several GB smaller" in capsys.readouterr().out
    start.set_up("test", cpu=False)
    assert "--cpu" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("There is not enough space on the disk. (os error 112)", "disk is full"),
        ("error: Failed to fetch: `https://h/simple/torch/`", "check the network"),
        ("Failed to establish a new connection: [Errno -3]", "check the network"),
        ("[Errno 13] Permission denied: '.venv'", "start as its owner"),
        ("a\nerror: no wheel fits\n", "The set-up failed: error: no wheel fits"),
        ("", "no reason was given"),
    ],
)
def test_failures_become_one_sentence(said: str, sentence: str) -> None:
    found = start.diagnose(said)
    assert sentence in found
    assert "\n" not in found


def test_missing_venv_module_names_the_package(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / ".venv").mkdir()
    monkeypatch.setattr(start.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(start.shutil, "which", lambda name: None)
    with pytest.raises(SystemExit, match=rf"sudo apt-get install python{start.VERSION}-venv$"):
        start.make_venv()


def test_old_python_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start.sys, "version_info", (3, 10, 1))
    with pytest.raises(SystemExit, match=r"needs Python 3\.11 or newer"):
        start.main(["demo"])


def test_help_sets_nothing_up(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert start.main(["--help"]) == 0
    assert "python3 start.py demo" in capsys.readouterr().out
    assert not (folder / ".venv").exists()


@pytest.mark.parametrize(
    ("words", "module", "cpu"),
    [
        (["demo", "--fast"], ["-P", "-m", "backend", "demo", "--fast"], False),
        (["--cpu", "doctor"], ["-P", "-m", "backend", "doctor"], True),
        (["ls", "--cpu"], ["-P", "-m", "backend", "ls"], True),
        (["test", "-k", "a b"], ["-m", "tests", "-k", "a b"], False),
        ([], ["-P", "-m", "studio"], False),
        (["studio", "a.json"], ["-P", "-m", "studio", "a.json"], False),
    ],
)
def test_commands(
    folder: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], module: list[str], cpu: bool
) -> None:
    asked: list[object] = []
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setattr(start, "set_up", lambda extras, cpu: asked.extend([extras, cpu]))
    monkeypatch.setattr(start.sys, "platform", "win32")  # there it waits instead of exec
    monkeypatch.setattr(start, "call", lambda command, env: asked.extend([command, env]) or 7)
    assert start.main(words) == 7
    extras, with_cpu, command, env = asked
    assert extras == ("test" if words[:1] == ["test"] else "hub,samples,diffusion")
    assert with_cpu == cpu
    assert command[1:] == module
    assert "PYTHONDONTWRITEBYTECODE" not in env


def test_studio_needs_a_display(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(start.sys, "platform", "linux")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setenv("DISPLAY", ":0")
    assert start.without_command() == ["studio"]
    monkeypatch.delenv("DISPLAY")
    assert start.without_command() == ["backend", "demo"]
    assert "needs a display" in capsys.readouterr().out


def test_what_qt_lacks_is_named_by_its_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(start, "install_debian", lambda *told: asked.extend(told) or "told")
    found = {"libc.so.6": "libc6"} if sys.platform == "linux" else {}
    assert start.install_qt(found) == ""
    assert start.install_qt({**found, "libnowhere.so.9": "libnowhere9"}) == "told"
    assert asked == ["Qt lacks system libraries", "libnowhere9"]


@pytest.mark.skipif(sys.platform != "linux", reason="only there Qt needs system libraries")
def test_studio_does_not_start_without_what_qt_needs(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(start, "is_set_up", lambda extras: True)
    monkeypatch.setattr(start, "install_qt", lambda libraries: f"{len(libraries)} are missing")
    with pytest.raises(SystemExit, match=f"{len(start.QT | start.QT_WINDOW)} are missing"):
        start.main([])
    with pytest.raises(SystemExit, match=f"{len(start.QT)} are missing"):
        start.main(["test"])


@pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX output of a child through a lock")
def test_second_start_waits_for_the_first(folder: Path) -> None:
    (folder / ".venv").mkdir()
    script = (
        "import sys, pathlib; sys.path.insert(0, sys.argv[1]); import start\n"
        "with pathlib.Path(sys.argv[2]).open('a') as file:\n"
        "    start.lock(file.fileno()); print('mine', flush=True)\n"
    )
    command = [sys.executable, "-u", "-c", script, str(REPOSITORY), str(start.LOCK)]
    with start.LOCK.open("a") as file:
        start.lock(file.fileno())
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        assert "waiting" in child.stdout.readline()
    assert child.communicate(timeout=20)[0] == "mine\n"


def test_install_returns_what_a_failing_installer_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(start, "PYTHON", sys.executable)
    assert start.install("timeit", "-n1", "-r1", "pass") == ""
    assert "No module named nothing_of_this_name" in start.install("nothing_of_this_name")
    assert "No module named nothing_of_this_name" in capsys.readouterr().out


def test_debian_packages_are_named_where_they_cannot_be_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(start.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(os, "geteuid", lambda: 1000, raising=False)
    assert start.install_debian("A is missing", "b", "c") == (
        "A is missing. On Debian and Ubuntu: sudo apt-get install b c"
    )


def test_missing_components(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    table = {"here": (str(tmp_path), "a"), "lost": ("no-such-program", "b c"), "d": ("none", "d")}
    monkeypatch.setattr(checks, "COMPONENTS", table)
    assert checks.missing_components(["here", "lost", "unknown"]) == ["b", "c"]


def test_every_check_runs_and_one_failure_decides(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = []

    def call(command: list[str], env: dict[str, str]) -> int:
        asked.append(command[1:])
        assert (env["QT_QPA_PLATFORM"], env["HF_HUB_OFFLINE"], env["OMP_NUM_THREADS"]) == (
            "offscreen",
            "1",
            "1",
        )
        return int("mypy" in command)

    monkeypatch.delenv("FRETSAW_REQUIRE", raising=False)
    monkeypatch.setattr(checks.subprocess, "call", call)
    assert checks.main(["-k", "core"]) == 1
    assert asked == [*checks.CHECKS.values(), ["-m", "pytest", "-k", "core"]]
    assert capsys.readouterr().out.endswith("== pytest (failed before it: mypy)\n")


def test_parts_of_a_lane_follow_each_other_and_one_failure_decides(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, value in (("good", 1), ("bad", 0)):
        (tmp_path / f"test_{name}.py").write_text(f"def test_{name}():\n    assert {value}\n")
    good, bad = ([str(tmp_path / f"test_{name}.py"), "-q"] for name in ("good", "bad"))
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    assert checks.run_lanes([[good]], env) == 0
    capfd.readouterr()
    assert checks.run_lanes([[good], [bad, good]], env) == 1
    said = capfd.readouterr().out
    assert (said.count("1 passed"), said.count("1 failed")) == (2, 1)
    assert said.rindex("1 passed") > said.rindex("1 failed"), "in turn, after the first lane"


@pytest.mark.parametrize("code", [0, 1])
def test_the_emoji_are_fetched_while_the_checks_run(
    code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = []

    class Fetching:
        def wait(self) -> int:
            assert len(folders) == len(checks.CHECKS)
            return code

    def call(command: list[str], env: dict[str, str]) -> int:
        folders.append(env.get("FRETSAW_EMOJI"))
        return 0

    monkeypatch.setenv("FRETSAW_REQUIRE", "chromium,emoji")
    monkeypatch.delenv("FRETSAW_EMOJI", raising=False)
    monkeypatch.setattr(checks, "require", lambda names: None)
    monkeypatch.setattr(checks, "fetch_emoji", Fetching)
    monkeypatch.setattr(checks.subprocess, "call", call)
    assert checks.main(["-k", "core"]) == 0
    assert set(folders) == {str(checks.EMOJI)}
    assert ("cannot be downloaded" in capsys.readouterr().out) == bool(code)


def test_constraints_cover_every_requirement_of_the_project() -> None:
    import tomllib

    from packaging.requirements import Requirement

    from backend.doctor import read_pins

    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    pins = read_pins((REPOSITORY / "constraints.txt").read_text())
    assert next(iter(pins)) == "torch"
    extras = project["optional-dependencies"]
    for text in [
        *project["dependencies"],
        *extras["hub"],
        *extras["samples"],
        *extras["diffusion"],
        *extras["test"],
    ]:
        wanted = Requirement(text)
        if wanted.name != "fretsaw":
            assert wanted.specifier.contains(pins[wanted.name.replace("_", "-")]), text
