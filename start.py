"""Set Fretsaw up in .venv on the first start, then run it.

    python3 start.py                  the studio; without a display, the demo
    python3 start.py demo             the first pipeline on real data, ending in a report
    python3 start.py test [ARGS]      every check, then pytest with ARGS
    python3 start.py doctor           what is there, what is missing, what to do about it
    python3 start.py studio [FILE]    the studio on a graph, a model or a run
    python3 start.py COMMAND [ARGS]   any other command of `python -m backend`

--cpu: CPU-only PyTorch on Linux, several GB smaller, for machines without an NVIDIA device.
On Windows write `py` for `python3`. To set everything up anew, delete the folder .venv.
"""

from __future__ import annotations

import ast
import ctypes
import hashlib
import importlib.util
import itertools
import os
import re
import shutil
import sys
import time
from pathlib import Path
from subprocess import PIPE, STDOUT, Popen, call, run

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = str(VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
# Lock: held while setting up. Busy: left by a set-up that was cut off. Stamp: what is set up.
LOCK, BUSY, STAMP = (VENV / f"start.{name}" for name in ("lock", "busy", "stamp"))
VERSION = "{}.{}".format(*sys.version_info)
CPU_TORCH = ["torch", "--no-deps", "--index-url=https://download.pytorch.org/whl/cpu"]
# What Qt loads on Linux, and the Debian packages that bring it; the second lot for a window.
QT = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libglib-2.0.so.0": "libglib2.0-0",
}
QT_WINDOW = {
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
}
REASONS = {
    r"No space left|os error (28|112)\b|Errno 28\b|not enough space": "The disk is full: make room "
    "(.venv needs 2 GB, with CUDA 7 GB) and start again.",
    r"Failed to fetch|sending request|(new|a) connection|Connection ?(broken|error|refused|reset)|"
    r"timed? ?out|ProxyError|certificate|name resolution|dns error": "The packages cannot be "
    "downloaded: check the network (or HTTPS_PROXY) and start again.",
    "Permission denied": f"No permission to write {VENV}: start as its owner, or copy the folder.",
}


def environment(**more: str) -> dict[str, str]:
    """Return the environment for children, byte code on: without it each start costs seconds."""
    kept = {key: text for key, text in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return {"UV_SYSTEM_CERTS": "1", **kept, **more}


def stamp(extras: str) -> str:
    """Return all that a set-up depends on: Python version, digest of the rest, and the extras."""
    files = [(ROOT / name).read_bytes() for name in ("pyproject.toml", "constraints.txt")]
    return f"{VERSION} {hashlib.sha256(b' '.join([bytes(ROOT), *files])).hexdigest()} {extras}"


def is_set_up(extras: str) -> bool:
    """Tell whether .venv is complete; the extra `test` holds all the others."""
    whole = STAMP.exists() and os.path.exists(PYTHON) and not BUSY.exists()
    return whole and STAMP.read_text() in (stamp(extras), stamp("test"))


def find_links(listing: str) -> list[str]:
    """Read pip's find-links from what `pip config list` prints, one section.name='value' a line."""
    found = re.findall(r"^\S+\.find-links=(.+)$", listing, re.M)
    return list(dict.fromkeys(link for text in found for link in ast.literal_eval(text).split()))


def diagnose(output: str) -> str:
    """Put the output of a failed installer into one sentence."""
    last = (output.strip().splitlines() or ["no reason was given"])[-1]
    known = (reason for words, reason in REASONS.items() if re.search(words, output, re.I))
    return next(known, f"The set-up failed: {last}")


def install(*command: str) -> str:
    """Run an installer in .venv and show what it says; return "" or, if it failed, what it said."""
    whole = (PYTHON, "-m", *command)
    child = Popen(whole, cwd=ROOT, env=environment(), stdout=PIPE, stderr=STDOUT, errors="replace")
    lines = []
    for line in child.stdout or ():
        lines.append(line.rstrip())
        if not line.startswith((" + ", " - ", " ~ ", "Requirement already")):
            print(f"  {lines[-1]}")
    return ("\n".join(lines) or "no reason was given") if child.wait() else ""


def install_debian(why: str, *packages: str) -> str:
    """Install Debian packages if we may; return "" or the sentence that tells the user to."""
    if not shutil.which("apt-get") or os.geteuid() != 0:
        return f"{why}. On Debian and Ubuntu: sudo apt-get install {' '.join(packages)}"
    print(f"{why}: installing {' '.join(packages)}.")
    env = environment(DEBIAN_FRONTEND="noninteractive")
    for step in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
        done = run(["apt-get", *step], env=env, stdout=PIPE, stderr=STDOUT, errors="replace")
        if done.returncode:
            return f"{done.stdout}{why}, and `apt-get {' '.join(step)}` failed."
    return ""


def install_qt(libraries: dict[str, str]) -> str:
    """Install the system libraries that Qt lacks; return "" or the sentence that says how to."""
    lacking = []
    for library, package in libraries.items():
        try:
            ctypes.CDLL(library)
        except OSError:
            lacking.append(package)
    return install_debian("Qt lacks system libraries", *lacking) if lacking else ""


def lock(file: int) -> None:
    """Lock the open `file`; wait while another start holds it."""
    for waited in itertools.count():
        try:
            if sys.platform == "win32":
                return msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            if not waited:
                print("Another start is setting Fretsaw up; waiting for it.")
            time.sleep(0.5)


def make_venv() -> None:
    """Make a new .venv in place of what there is."""
    problem = ""
    if not all(importlib.util.find_spec(name) for name in ("venv", "ensurepip")):
        problem = install_debian("Python lacks its venv module", f"python{VERSION}-venv")
    if not problem:
        for path in set(VENV.iterdir()) - {LOCK, BUSY}:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        python = getattr(sys, "_base_executable", sys.executable)  # not the one just deleted
        made = run([python, "-m", "venv", VENV], stdout=PIPE, stderr=STDOUT, errors="replace")
        is_full = shutil.disk_usage(VENV).free < 5e7  # of which venv says nothing
        problem = diagnose("No space left" if is_full else made.stdout) if made.returncode else ""
    if problem:
        raise SystemExit(problem)


def install_fretsaw(extras: str, cpu: bool) -> str:
    """Install Fretsaw with `extras` by uv, or by pip if uv cannot be had; return as `install`."""
    listing = run([PYTHON, "-m", "pip", "config", "list"], stdout=PIPE, text=True).stdout
    links = find_links(listing)
    plain = not (cpu or links or STAMP.exists() or any(Path("/dev").glob("nvidia[0-9]*")))
    if plain and sys.platform == "linux":
        print("No NVIDIA device here: with --cpu the set-up is several GB smaller.")
    problem = install("pip", "install", "-q", "-c", "constraints.txt", "uv")
    if "network" in diagnose(problem):
        return problem
    tool = ["uv", "pip", "install", f"--python={PYTHON}", "--compile-bytecode"]
    tool += [f"--find-links={link}" for link in links]
    if problem:
        print("uv cannot be had: pip installs, which takes longer.")
        tool = ["pip", "install"]
    tool += ["-c", "constraints.txt"]
    problem = install(*tool, *CPU_TORCH) if cpu and sys.platform == "linux" else ""
    return problem or install(*tool, "-e", f".[{extras}]")


def set_up(extras: str, cpu: bool) -> None:
    """Make .venv hold Fretsaw with `extras`; what an earlier start left half-made is made anew."""
    VENV.mkdir(exist_ok=True)
    with LOCK.open("a") as file:
        lock(file.fileno())
        if is_set_up(extras):
            return
        print(f"Setting Fretsaw up in {VENV}: a few minutes, once.")
        other = STAMP.exists() and STAMP.read_text().split()[0] != VERSION
        anew = other or BUSY.exists() or not os.path.exists(PYTHON)
        BUSY.touch()
        if anew:
            make_venv()
        output = install_fretsaw(extras, cpu)
        if "disk is full" not in diagnose(output):
            BUSY.unlink()  # the installer ended by itself: what is there is whole
        if output:
            raise SystemExit(diagnose(output))
        STAMP.write_text(stamp(extras))


def without_command() -> list[str]:
    """Return the module and arguments that a start without a command runs."""
    if sys.platform == "linux" and not {"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys():
        print("The studio needs a display and finds none: running the demo.")
    else:
        return ["studio"]
    return ["backend", "demo"]


def main(argv: list[str]) -> int:
    """Set up what is missing, then do what the command says; return the exit code."""
    if sys.version_info < (3, 11):  # noqa: UP036 - the reader may have an older one
        raise SystemExit(f"Fretsaw needs Python 3.11 or newer, this is {VERSION}.")
    words = [word for word in argv if word != "--cpu"]
    if words[:1] in (["-h"], ["--help"], ["help"]):
        print(str(__doc__).strip())
        return 0
    extras = "test" if words[:1] == ["test"] else "hub,samples,diffusion"
    try:
        if not is_set_up(extras):
            set_up(extras, cpu=len(words) < len(argv))
    except OSError as error:
        raise SystemExit(diagnose(str(error))) from error
    except KeyboardInterrupt:
        raise SystemExit("The set-up was cut off; the next start repairs it.") from None
    # -P: a folder named `backend` where the user happens to be is not ours.
    module = words if words[:1] == ["studio"] else ["backend", *words]
    command = [PYTHON, "-P", "-m", *(module if words else without_command())]
    if sys.platform == "linux" and (extras == "test" or "studio" in command):
        problem = install_qt(QT if extras == "test" else QT | QT_WINDOW)
        if problem:
            raise SystemExit(problem)
    if extras == "test":
        os.chdir(ROOT)
        command = [PYTHON, "-m", "tests", *words[1:]]
    if sys.platform != "win32":
        os.execve(PYTHON, command, environment())
    return call(command, env=environment())


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr] # children print too
    sys.exit(main(sys.argv[1:]))
