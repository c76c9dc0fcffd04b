"""What the machine lacks: room on the disk, the right to write, packages, memory."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from pathlib import Path

import pytest
import torch

from backend.core import events as ev
from backend.core.errors import sentence
from backend.core.run import Run
from backend.engine.checkpoint import Checkpoints
from backend.engine.faults import describe
from tests.bad_input.told import (
    Outcome,
    cli,
    failed,
    judged,
    newest,
    pipeline,
    refused,
    run,
    single,
    spawn,
    toy,
)
from tests.fakes import backend

FULL = "The disk is full"


def fill(disk: Path, leave: int = 0) -> None:
    """Use up the room on a disk, but for ``leave`` bytes."""
    free = os.statvfs(disk)
    (disk / "fill").write_bytes(bytes(free.f_bavail * free.f_bsize - leave))


def files(folder: Path) -> dict[str, bytes]:
    """Return the contents of all files below a folder."""
    return {str(p): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_disk_that_is_full_before_the_run(small_disk, tmp_path: Path) -> None:
    disk, _ = small_disk
    assert run(toy(tmp_path)).code == 0
    first = newest()
    before = files(first.path)
    fill(disk)
    refused(run(toy(tmp_path), "--set", "grow.steps=6"), 2, FULL, "gc")
    refused(cli("report", first.name), 2, FULL)
    for command in ("ls", "show", "gc", "stop"):
        assert cli(command).code == 0
    assert files(first.path) == before
    (disk / "fill").unlink()
    assert run(toy(tmp_path), "--set", "grow.steps=6").code == 0


def test_a_run_that_could_not_be_made_leaves_nothing(small_disk, tmp_path: Path) -> None:
    disk, _ = small_disk
    (disk / "runs").mkdir()
    fill(disk)
    refused(run(toy(tmp_path)), 2, FULL)
    assert list((disk / "runs").iterdir()) == []


def test_a_full_disk_is_named(small_disk, tmp_path: Path) -> None:
    disk, _ = small_disk
    fill(disk)
    refused(run(toy(tmp_path)), 2, FULL, str(disk))


def test_a_result_that_does_not_fit_on_the_disk(small_disk, tmp_path: Path) -> None:
    disk, remount = small_disk
    graph = judged(tmp_path, ("model.resnet", {"depth": 8, "width": 64}), "cost.macs")
    text = json.loads(graph.read_text())
    text["links"] = [link for link in text["links"] if link[1] != "it.data"]
    graph.write_text(json.dumps(text))
    failed(run(graph), "No space left on device", "Free some space")
    before = newest()
    assert [p.name for p in (disk / "store").glob(".*.tmp")] == []
    remount("size=64m")
    assert cli("resume", before.name).code == 0
    assert before.state() == "finished"


@pytest.fixture
def filled_up(small_disk, catalog_file: Path, tmp_path: Path):
    """A run during which the disk became full: disk, outcome, run."""
    disk, _ = small_disk
    (disk / "cache").mkdir()
    shutil.copy(catalog_file, disk / "cache")
    graph = toy(tmp_path, "slow", steps=40, pause=0.05, every=1)
    process = backend("run", str(graph), "--threads", "1")
    deadline = time.monotonic() + 60
    found: list[Run] = []
    while time.monotonic() < deadline and not found:
        runs = [Run(p.parent) for p in (disk / "runs").glob("*/events.jsonl")]
        found = [r for r in runs if any(isinstance(e, ev.Metric) for e in r.tail()[0])]
        time.sleep(0.02)
    fill(disk)
    out, err = process.communicate(timeout=60)
    return disk, Outcome(process.returncode, out, err), found[0]


def test_a_disk_that_becomes_full_during_the_run(filled_up) -> None:
    disk, found, slow = filled_up
    assert FULL in found.err
    assert "Traceback" not in found.out + found.err
    assert found.code != 70
    assert cli("ls").code == 0
    assert cli("show", slow.name).code == 0
    (disk / "fill").unlink()
    assert cli("resume", slow.name).code == 0
    steps = [e.step for e in slow.events() if isinstance(e, ev.Metric)]
    assert sorted(set(steps)) == list(range(40)), "no step is lost"
    assert slow.state() == "finished"


def test_a_disk_that_becomes_full_fails_the_node(filled_up) -> None:
    _, found, _ = filled_up
    assert found.code == 3
    assert found.err.count(FULL) == 1 + found.err.count("The report could not be written")


def test_a_checkpoint_that_does_not_fit(small_disk) -> None:
    disk, _ = small_disk
    kept = Checkpoints(disk / "checkpoints")
    kept.save(0, 1, 1, {"s": {"x": torch.ones(100)}})
    before = files(disk / "checkpoints")
    fill(disk, leave=16_384)
    with pytest.raises(Exception, match="space") as caught:
        kept.save(0, 2, 2, {"s": {"x": torch.ones(100_000)}})
    assert files(disk / "checkpoints") == before
    assert FULL in sentence(caught.value)


def test_a_disk_that_may_not_be_written_to(small_disk, tmp_path: Path) -> None:
    disk, remount = small_disk
    assert run(toy(tmp_path)).code == 0
    first = newest()
    before = files(disk)
    remount("ro")
    words = ("read-only", str(disk), "FRETSAW_HOME")
    refused(run(toy(tmp_path)), 2, *words)
    refused(cli("run", first.path), 2, *words)
    refused(cli("report", first.name), 2, *words)
    for command in (["ls"], ["show"], ["catalog"], ["check", toy(tmp_path)], ["gc"]):
        assert (cli(*command).code, cli(*command).err) == (0, "")
    assert cli("report", "-o", tmp_path / "page.html").code == 0
    assert files(disk) == before
    remount("rw")
    assert run(toy(tmp_path)).code == 0


def test_a_file_in_the_place_of_the_workspace(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("FRETSAW_HOME", str(tmp_path / "file"))
    refused(run(toy(tmp_path)), 2, str(tmp_path / "file"), "FRETSAW_HOME")


# -- packages ------------------------------------------------------------------------------------

HIDING = """
import os
import sys


class Hiding:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        hidden = name.split(".")[0] in os.environ["HIDDEN"].split(",")
        return None if hidden else self.finder.find_spec(name, path, target)

    def __getattr__(self, name):
        return getattr(self.finder, name)


sys.meta_path[:] = [Hiding(finder) for finder in sys.meta_path]
"""


@pytest.fixture
def without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: Path):
    """Hide packages from new processes."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(HIDING)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    return lambda *names: monkeypatch.setenv("HIDDEN", ",".join(names))


@pytest.mark.parametrize(
    ("hidden", "kind", "params", "words"),
    [
        ("transformers", "model.pretrained", {"source": "a/b"}, "install fretsaw[hub]"),
        ("sklearn", "data.digits", {}, "python -m pip install scikit-learn"),
    ],
)
def test_a_missing_package(hidden, kind, params, words, without, tmp_path: Path) -> None:
    without(hidden)
    failed(spawn("run", single(tmp_path, kind, **params), "--threads", "1"), words)


def test_the_exporter_is_missing(without, tmp_path: Path) -> None:
    without("onnxscript")
    graph = judged(tmp_path, ("model.resnet", {"depth": 8, "width": 4}), "export.onnx")
    failed(spawn("run", graph, "--threads", "1"), "onnxscript", "pip install onnxscript")


def test_without_any_optional_package_the_rest_works(without, tmp_path: Path) -> None:
    without("transformers", "sklearn", "skimage", "onnxscript", "huggingface_hub", "pyarrow")
    assert spawn("catalog").code == 0
    assert "BROKEN" not in spawn("catalog").out
    assert spawn("run", toy(tmp_path), "--threads", "1").code == 0


@pytest.mark.parametrize(
    ("module", "package"), [("sklearn", "scikit-learn"), ("PIL", "pillow"), ("yaml", "pyyaml")]
)
def test_the_command_installs_the_right_package(module: str, package: str) -> None:
    text = sentence(ModuleNotFoundError(f"No module named '{module}'", name=module))
    assert text.endswith(f"python -m pip install {package}")


# -- memory --------------------------------------------------------------------------------------

LIMIT = """
import sys


class Limit:
    def find_spec(self, name, path=None, target=None):
        if name == "backend.train.loop":
            import resource

            assert "torch" in sys.modules
            with open("/proc/self/statm") as file:
                used = int(file.read().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (used + 300 * 2**20,) * 2)


sys.meta_path.insert(0, Limit())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux limits memory so")
def test_memory_that_runs_out_in_training(known: Path, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(LIMIT)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    graph = pipeline(tmp_path, batch=2048)
    # The first activation alone is beyond the limit, and all that comes before it far below: where
    # memory ends inside a library instead, some of them crash.
    sizes = ("--set", "net.width=128", "--set", "data.train_limit=1200")
    found = spawn("run", graph, "--threads", "1", *sizes)
    failed(found, "Out of memory", "iB more were needed", "are free", "set batch to 1024")
    monkeypatch.delenv("PYTHONPATH")
    assert run(graph).code == 0


NEEDS = {
    "Windows": "[enforce fail at alloc_cpu.cpp:116] data. DefaultCPUAllocator: not enough memory: "
    "you tried to allocate 8589934592 bytes.",
    "Linux": "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate "
    "memory: you tried to allocate 8589934592 bytes. Error code 12 (Cannot allocate memory)",
}


class Params:
    batch = 64


@pytest.mark.parametrize("system", ["Windows", "Linux"])
def test_memory_that_torch_does_not_get(system: str) -> None:
    text = describe(RuntimeError(NEEDS[system]), Params())
    assert text.startswith("Out of memory: 8.0 GiB more were needed, ")
    assert "GiB are free" in text
    assert "set batch to 32" in text


def test_memory_that_numpy_does_not_get() -> None:
    error = MemoryError("Unable to allocate 8.00 GiB for an array with shape (1,) and data type")
    assert "8.0 GiB more were needed" in describe(error)


def test_memory_that_a_device_does_not_have() -> None:
    error = torch.OutOfMemoryError(
        "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 8.00 GiB "
        "of which 1.25 GiB is free. Including non-PyTorch memory, this process has 6.00 GiB."
    )
    text = describe(error, Params())
    assert "2.0 GiB more were needed" in text
    assert "1.2 GiB are free" in text


def test_a_library_that_memory_no_longer_suffices_for() -> None:
    error = ImportError("/lib/x.so: failed to map segment from shared object")
    assert describe(error, Params()).startswith("Out of memory: ")
    assert not describe(ImportError("no such symbol")).startswith("Out of memory")
