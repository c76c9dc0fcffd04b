"""Stand-ins for tests: a plugin package with tiny nodes, and ways to run it."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

PLUGINS = Path(__file__).parent / "plugins"
ROOT = Path(__file__).parents[2]


def with_toy_nodes() -> None:
    """Make the toy plugin importable and its entry points visible in this process."""
    if str(PLUGINS) not in sys.path:
        sys.path.append(str(PLUGINS))
        importlib.invalidate_caches()


def backend(*arguments: str, plugins: Path = PLUGINS, **popen: object) -> subprocess.Popen[str]:
    """Start ``python -m backend`` with the toy nodes."""
    path = os.pathsep.join([str(plugins), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    return subprocess.Popen(
        [sys.executable, "-m", "backend", *arguments],
        env={**os.environ, "PYTHONPATH": path},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **popen,  # type: ignore[call-overload]
    )


def call(*arguments: str, **options: object) -> tuple[int, str, str]:
    """Run ``python -m backend`` to its end: exit code, output, errors."""
    process = backend(*arguments, **options)  # type: ignore[arg-type]
    out, err = process.communicate(timeout=900)
    return process.returncode, out, err
