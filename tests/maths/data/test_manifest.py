from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from backend.data.manifest import DataError, FileEntry, Manifest, workspace


def _manifest(path, *, digest=False):
    return Manifest("k", "t", ("a", "b"), (FileEntry.of(path, digest=digest),), {"seed": 3})


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "file.bin"
    path.write_bytes(b"abc")
    return path


def test_json_round_trip(path):
    manifest = _manifest(path, digest=True)
    assert Manifest.from_json(json.loads(json.dumps(manifest.to_json()))) == manifest
    assert manifest.files[0].sha256.startswith("ba7816bf")  # SHA-256 of "abc", FIPS 180-2


@pytest.mark.parametrize("data", [{}, {"kind": "k"}, {"files": 3}])
def test_what_is_no_manifest_gets_a_sentence(data):
    with pytest.raises(DataError, match="not a data manifest"):
        Manifest.from_json(data)


def test_unknown_fields_of_a_file_get_a_sentence(path):
    data = _manifest(path).to_json()
    data["files"][0]["extra"] = 1
    with pytest.raises(DataError, match="not a data manifest"):
        Manifest.from_json(data)


def test_an_untouched_file_is_not_stale(path):
    assert _manifest(path).stale() is None


def test_a_vanished_file_is_named(path):
    manifest = _manifest(path)
    path.unlink()
    assert str(path) in manifest.stale()
    assert "gone" in manifest.stale()


def test_a_changed_file_is_named(path):
    manifest = _manifest(path, digest=True)
    path.write_bytes(b"abd")
    os.utime(path, ns=(0, manifest.files[0].mtime_ns + 1))
    assert "has changed" in manifest.stale()
    path.write_bytes(b"abcd")
    assert "has changed" in manifest.stale()


@pytest.mark.parametrize(("digest", "stale"), [(True, False), (False, True)])
def test_a_copy_with_another_time_is_stale_only_without_its_hash(path, digest, stale):
    manifest = _manifest(path, digest=digest)
    os.utime(path, ns=(0, 10**9))
    assert (manifest.stale() is not None) is stale


def test_workspace_follows_the_variable(monkeypatch, tmp_path):
    assert workspace().name.startswith("workspace")
    monkeypatch.setenv("FRETSAW_HOME", str(tmp_path))
    assert workspace() == tmp_path
    monkeypatch.delenv("FRETSAW_HOME")
    assert workspace().name == "Fretsaw"


def test_manifests_need_neither_torch_nor_an_optional_package():
    heavy = "torch", "sklearn", "huggingface_hub", "pyarrow", "onnx"
    code = f"import sys, backend.data.vision; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
