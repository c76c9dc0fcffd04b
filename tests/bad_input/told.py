"""Runs commands and judges what they say when the input is bad."""

from __future__ import annotations

import contextlib
import io
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.cli import main
from backend.core.graph import Graph
from backend.core.run import Run, all_runs
from tests.fakes import call

DIGITS = {"train_limit": 60, "test_limit": 60}
TRAIN = {"epochs": 1, "batch": 32}
NET = {"depth": 8, "width": 4}
_PREFIX = re.compile(r"^(?:fretsaw: |[\w-]+: failed\. )")


@dataclass(frozen=True)
class Outcome:
    """What a command answered."""

    code: int
    out: str
    err: str


def cli(*arguments: object) -> Outcome:
    """Run a command of the command line in this process, which is a second quicker."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main([str(a) for a in arguments])
        except SystemExit as leaving:  # argparse
            code = int(leaving.code or 0)
    return Outcome(code, out.getvalue(), err.getvalue())


def run(graph: object, *arguments: object) -> Outcome:
    """Run a graph in this process, with one thread."""
    return cli("run", graph, "--threads", "1", *arguments)


def spawn(*arguments: object, **options: Any) -> Outcome:
    """Run a command as a user does."""
    return Outcome(*call(*(str(a) for a in arguments), **options))


def refused(found: Outcome, code: int, *words: str, sentences: int = 2) -> str:
    """Judge a refusal: its exit code, its words, one or two sentences, nothing of the inside."""
    assert found.code == code, found
    assert "Traceback" not in found.out + found.err
    assert "unexpected" not in found.out + found.err, found.err
    text = found.err.strip() or found.out.strip()
    for word in words:
        assert word in text, text
    told = [line for line in text.split("\n") if line != "fretsaw: The graph cannot run:"]
    assert len(told) == 1, text
    assert len(re.findall(r'[.?!](?=["\s]|$)(?!\s[a-z])', _PREFIX.sub("", told[0]))) <= sentences
    return told[0]


def failed(found: Outcome, *words: str, sentences: int = 2) -> str:
    """Judge a node that failed: code 3, a clear sentence, and the details in the log of its run."""
    text = refused(found, 3, *words, sentences=sentences)
    assert "Traceback" in (newest().path / "log.txt").read_text()
    assert newest().state() == "failed"
    return text


def newest() -> Run:
    """Return the newest run."""
    return max(all_runs(), key=lambda r: r.path.stat().st_ctime_ns)


def single(folder: Path, kind: str, /, **params: object) -> Path:
    """Write a graph of one node, called ``it``."""
    graph = Graph("single")
    graph.add(kind, "it", params)
    graph.save(folder / "single.json")
    return folder / "single.json"


def toy(folder: Path, name: str = "toy", /, **grow: object) -> Path:
    """Write a graph of two toy nodes, ``start`` and ``grow``."""
    graph = Graph(name)
    graph.add("toy.start", "start")
    graph.add("toy.grow", "grow", grow, version=2)
    graph.connect("start.count", "grow.number")
    graph.save(folder / f"{name}.json")
    return folder / f"{name}.json"


def pipeline(folder: Path, /, **train: object) -> Path:
    """Write digits -> ResNet-8 -> train -> eval."""
    graph = Graph("pipeline")
    graph.add("data.digits", "data", DIGITS)
    graph.add("model.resnet", "net", NET)
    graph.add("train.classifier", "train", {**TRAIN, **train})
    graph.add("evaluate.classifier", "eval")
    graph.connect("data.data", "net.data")
    graph.connect("net.classifier", "train.model")
    graph.connect("data.data", "train.data")
    graph.connect("train.classifier", "eval.model")
    graph.connect("data.data", "eval.data")
    graph.save(folder / "pipeline.json")
    return folder / "pipeline.json"


def judged(
    where: Path,
    model: tuple[str, dict[str, object]],
    node: str,
    data: tuple[str, dict[str, object]] = ("data.digits", DIGITS),
    /,
    *,
    links_data: bool = True,
    **params: object,
) -> Path:
    """Write data -> model -> ``it``, a node that takes both."""
    graph = Graph("judged")
    graph.add(data[0], "data", data[1])
    graph.add(model[0], "net", model[1])
    graph.add(node, "it", params)
    if links_data:
        graph.connect("data.data", "net.data")
    graph.connect("net.classifier", "it.model")
    graph.connect("data.data", "it.data")
    graph.save(where / "judged.json")
    return where / "judged.json"


def flip(path: Path, at: int = -10) -> None:
    """Flip the bits of one byte."""
    content = bytearray(path.read_bytes())
    content[at] ^= 0xFF
    path.write_bytes(bytes(content))


def cut(path: Path, part: float = 0.5) -> None:
    """Truncate a file."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])


@contextlib.contextmanager
def mounted(folder: Path, size: str) -> Iterator[Callable[[str], None]]:
    """Mount a small disk at ``folder``; gives a function that mounts it anew with options."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)
    try:
        yield lambda options: subprocess.run(
            ["mount", "-o", f"remount,{options}", folder], check=True
        )  # type: ignore[return-value]
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
