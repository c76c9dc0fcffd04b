"""The list of served files, third-party files with their hashes, tokens; nothing from elsewhere."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from pathlib import Path

import pytest

from device_bridge.page import refresh_vendor, write_list, write_tokens
from device_bridge.pages import page_files

PAGE = Path(write_list.__file__).parent
OWN = sorted(
    path for suffix in ("*.js", "*.css", "*.html", "*.webmanifest") for path in PAGE.glob(suffix)
)
VENDOR = json.loads((PAGE / "vendor" / "vendor.json").read_text())


def test_the_list_of_served_files_is_current() -> None:
    assert (PAGE / "files.json").read_text() == write_list.text()
    files = page_files()
    assert files["/"].path.name == "index.html"
    wasm = files["/vendor/ort-wasm-simd-threaded.wasm"]
    assert (wasm.type, wasm.encoding) == ("application/wasm", "gzip")
    assert files["/vendor/ort.wasm.bundle.min.mjs"].type.startswith("text/javascript")


def test_tokens_and_manifest_are_current() -> None:
    look = json.loads(write_tokens.TOKENS.read_text())
    assert (PAGE / "tokens.css").read_text() == write_tokens.css(look)
    assert (PAGE / "manifest.webmanifest").read_text() == write_tokens.manifest(look)


@pytest.mark.parametrize("record", VENDOR, ids=lambda record: record["file"])
def test_a_vendor_file_is_what_its_record_says(record: dict) -> None:
    stored = (PAGE / "vendor" / record["file"]).read_bytes()
    assert len(stored) == record["stored_bytes"] <= refresh_vendor.MOST_BYTES
    assert hashlib.sha256(stored).hexdigest() == record["stored_sha256"]
    raw = gzip.decompress(stored) if record["file"].endswith(".gz") else stored
    assert len(raw) == record["bytes"]
    assert hashlib.sha256(raw).hexdigest() == record["sha256"]
    assert record["licence"] in ("MIT", "OFL-1.1")


def test_vendor_holds_what_the_script_fetches_and_nothing_else() -> None:
    wanted = {
        Path(path).name + (".gz" if package.packed else "")
        for package in refresh_vendor.PACKAGES
        for path in package.files
    }
    there = {path.name for path in (PAGE / "vendor").iterdir()} - {"vendor.json"}
    assert there == wanted == {record["file"] for record in VENDOR}
    versions = {package.name: package.version for package in refresh_vendor.PACKAGES}
    assert all(versions[record["package"]] == record["version"] for record in VENDOR)


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_no_file_names_an_address_elsewhere(path: Path) -> None:
    addresses = set(
        re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}[^\s\"'`)]*", path.read_text())
    )
    assert addresses <= {"http://www.w3.org/2000/svg"}  # the name of a format, never fetched


def test_every_file_that_the_page_names_is_served() -> None:
    served = set(page_files())
    for path in OWN:
        text = path.read_text()
        named = re.findall(r"""["'(](/(?:page|vendor)/[\w./-]+\.\w+)["')]""", text)
        named += [f"/page/{name}" for name in re.findall(r"from '\./([\w.]+)'", text)]
        assert set(named) <= served, path.name


def test_the_pages_policy_needs_no_inline_code() -> None:
    html = (PAGE / "index.html").read_text()
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\son\w+=", html)
    for path in PAGE.glob("*.js"):
        code = path.read_text()
        assert not re.search(r"\beval\(|new Function|innerHTML|document\.write", code), path.name


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_colours_come_from_the_tokens(path: Path) -> None:
    if path.name in ("tokens.css", "manifest.webmanifest"):
        return
    assert not re.findall(r"#[0-9a-fA-F]{6}\b", path.read_text())


def test_modules_are_small() -> None:
    assert max(len(path.read_text().splitlines()) for path in PAGE.glob("*.js")) <= 400


def test_another_runtime_makes_another_cache() -> None:
    version = next(r["version"] for r in VENDOR if r["package"] == "onnxruntime-web")
    assert f"const CACHE = 'fretsaw-page-{version}';" in (PAGE / "sw.js").read_text()
