"""The doctor: sees what is wrong, names the remedy, never breaks."""

from __future__ import annotations

import json
from collections import namedtuple
from pathlib import Path

import pytest

from backend import doctor


def test_report_looks_at_everything_and_is_json() -> None:
    checks = doctor.report()
    assert [check.name for check in checks] == list(doctor.CHECKS)
    assert json.loads(json.dumps([vars(check) for check in checks]))[0]["name"] == "Python"
    for check in checks:
        assert check.text
        assert check.ok or check.remedy


def test_report_leaves_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRETSAW_HOME", str(tmp_path / "not" / "there"))
    assert doctor.workspace().ok
    assert list(tmp_path.iterdir()) == []


def test_a_check_that_breaks_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> doctor.Check:
        raise ImportError("libcudart.so is not here")

    monkeypatch.setattr(doctor, "CHECKS", {"PyTorch": broken, "Python": doctor.python})
    first, second = doctor.report()
    assert first == doctor.Check(
        "PyTorch", False, "ImportError: libcudart.so is not here", doctor.SET_UP
    )
    assert second.ok


def test_workspace_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("FRETSAW_HOME", str(tmp_path / "file" / "inside"))
    check = doctor.workspace()
    assert not check.ok
    assert "cannot be written" in check.text
    assert "FRETSAW_HOME" in check.remedy


def test_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRETSAW_HOME", str(tmp_path))
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: usage(100, 0, 5e8))
    check = doctor.workspace()
    assert (check.ok, check.text) == (False, f"{tmp_path}, 0.5 GB free")
    assert "fretsaw gc" in check.remedy


@pytest.mark.parametrize(
    ("capabilities", "start", "end"),
    [
        ({"avx2": True}, "AVX2 yes, AVX-512 no, VNNI no", "in the target runtime"),
        (
            {"avx2": True, "avx_vnni": True},
            "AVX2 yes, AVX-512 no, VNNI yes",
            "fast in ONNX Runtime",
        ),
        ({"avx512_f": True, "avx512_vnni": True}, "AVX2 no, AVX-512 yes, VNNI yes", "ONNX Runtime"),
    ],
)
def test_processor_says_what_vnni_means(
    capabilities: dict[str, bool], start: str, end: str
) -> None:
    text = doctor.describe_x86(capabilities)
    assert text.startswith(start)
    assert text.endswith(end)


def test_versions_compare_with_the_constraints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = {"torch": "2.13.0+cpu", "numpy": "2.4.6"}

    def version(name: str) -> str:
        if name not in installed:
            raise doctor.importlib.metadata.PackageNotFoundError(name)
        return installed[name]

    monkeypatch.setattr(doctor.importlib.metadata, "version", version)
    monkeypatch.setattr(doctor, "CONSTRAINTS", tmp_path / "constraints.txt")
    assert doctor.versions().ok
    doctor.CONSTRAINTS.write_text("torch==2.13.0 # why\nnumpy==2.4.6\nabsent==1\n")
    assert doctor.versions().ok
    installed["numpy"] = "2.5.0"
    check = doctor.versions()
    assert (check.ok, check.text) == (False, "numpy 2.5.0 (tested with 2.4.6)")
    assert "start.py" in check.remedy


def test_optional_packages_are_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda name: None)
    check = doctor.optional_packages()
    assert check.ok
    assert "scikit-learn (the 8x8 digits)" in check.text


def test_missing_assets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.assets, "sample", lambda name: tmp_path / name)
    assert not doctor.shipped_files().ok


def test_module_is_cheap_to_import() -> None:
    import subprocess
    import sys

    script = (
        "import sys, backend.doctor; print(sorted({'torch', 'onnxruntime'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
