"""The same run without the window: as a command for a terminal, and as a Python program."""

from __future__ import annotations

import keyword
import os
import re
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from backend.core.files import slug
from backend.core.graph import Graph, GraphNode
from backend.core.run import Run

Shell = Literal["posix", "powershell"]
_WIDTH = 100
# Words that neither shell reads anything into.
_PLAIN = re.compile(r"[A-Za-z0-9_./:=+,\\-]+")


def as_command(
    what: Run | Graph,
    *,
    path: Path | None = None,
    shell: str | None = None,
    settings: Mapping[str, Any] | None = None,
) -> str:
    """Return a command that computes a run's document again, or a document.

    Args:
        path: where the document is saved; without it, a file name made of its title.
        shell: ``posix`` or ``powershell``; None for the one that is usual on this system.
        settings: as ``run.json`` keeps them; those of the run where ``what`` is one.
    """
    if isinstance(what, Run):
        path, settings = what.path / "graph.json", settings or what.settings
    words = [sys.executable, "-m", "backend", "run"]
    words.append(str(path or f"{slug(what.name)}.json"))
    words += _options(settings or {})
    return quoted(words, shell or ("powershell" if os.name == "nt" else "posix"))


def quoted(words: Sequence[str], shell: str) -> str:
    """Join ``words`` to a line that the shell takes apart into the same words again."""
    if shell == "posix":
        return shlex.join(words)
    texts = [word if _is_plain(word) else _single(word) for word in words]
    # A quoted word at the beginning is a text to PowerShell; the ampersand makes it a call.
    return " ".join(["&", *texts] if texts[0].startswith("'") else texts)


def as_python(graph: Graph, settings: Mapping[str, Any] | None = None) -> str:
    """Return a program that makes the document and runs it with ``settings``, as run.json has them.

    Places on the canvas and notes are left out: they do not change what is computed.
    """
    lines = [f"{_docstring(graph.name)}", "", "import backend", ""]
    lines += _call("graph = backend.Graph", [repr(graph.name), f"seed={graph.seed}"])
    for name, node in graph.nodes.items():
        lines += _call("graph.add", _add_arguments(name, node))
    for name, node in graph.nodes.items():
        if node.bypass:
            lines.append(f"graph.bypass({name!r})")
    for link in graph.links:
        lines.append(f"graph.connect({link.source!r}, {link.target!r})")
    chosen = {k: v for k, v in (settings or {}).items() if k in _RUN_ARGUMENTS and v is not None}
    arguments = ["graph", *(f"{key}={value!r}" for key, value in chosen.items())]
    lines += ["", 'if __name__ == "__main__":']
    lines += [f"    {line}" for line in _call("run = backend.run", arguments, _WIDTH - 4)]
    lines.append("    print(run.path, run.state())")
    return "\n".join(lines) + "\n"


_RUN_ARGUMENTS = ("target", "force", "device", "threads")


def _options(settings: Mapping[str, Any]) -> list[str]:
    words: list[str] = []
    for target in _listed(settings.get("target")):
        words += ["--target", target]
    for node in _listed(settings.get("force")):
        words += ["--force", node]
    for option in ("device", "threads", "every"):
        if settings.get(option) is not None:
            words += [f"--{option}", str(settings[option])]
    return words


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else [str(one) for one in value or ()]


def _is_plain(word: str) -> bool:
    # PowerShell takes a comma apart, and a leading dash with a dot or a colon in it.
    return bool(_PLAIN.fullmatch(word)) and "," not in word and not word.startswith("-.")


def _single(word: str) -> str:
    return "'" + re.sub("(['‘’‚‛])", r"\1\1", word) + "'"


def _docstring(name: str) -> str:
    text = " ".join(name.split()).replace("\\", "\\\\").replace('"', '\\"')
    return f'"""{text or "untitled"}, as a program."""'


def _add_arguments(name: str, node: GraphNode) -> list[str]:
    arguments = [repr(node.type), repr(name)]
    if all(_is_argument(key) for key in node.params):
        arguments += [f"{key}={value!r}" for key, value in node.params.items()]
    else:
        arguments.append(repr(node.params))
    if node.version is not None:
        arguments.append(f"version={node.version}")
    return arguments


def _is_argument(key: str) -> bool:
    taken = ("self", "type", "name", "params", "at", "version")
    return key.isidentifier() and not keyword.iskeyword(key) and key not in taken


def _call(function: str, arguments: Iterable[str], width: int = _WIDTH) -> list[str]:
    """Write a call on one line if it fits, else with one argument a line."""
    texts = list(arguments)
    line = f"{function}({', '.join(texts)})"
    if len(line) <= width:
        return [line]
    return [f"{function}(", *(f"    {text}," for text in texts), ")"]
