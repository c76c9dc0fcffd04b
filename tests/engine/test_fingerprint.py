from __future__ import annotations

from pathlib import Path

from backend.engine import fingerprint


def modules_behind(module: str) -> set[str]:
    return set(fingerprint._closure(module))


def test_what_a_node_imports_counts_and_other_methods_do_not() -> None:
    behind = modules_behind("backend.methods.models")
    assert {"backend.methods.models", "backend.values", "backend.models.recipe"} <= behind
    assert "backend.models.resnet" in behind, "imported by name only when a graph wants it"
    assert not any(
        name.startswith("backend.methods.") for name in behind - {"backend.methods.models"}
    )
    assert not any(name.startswith(("backend.core", "backend.engine")) for name in behind)


def test_relative_imports_and_submodules_are_followed(tmp_path: Path, monkeypatch) -> None:
    package = tmp_path / "fp_package"
    (package / "inner").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "inner" / "__init__.py").write_text("from . import deep\n")
    (package / "inner" / "deep.py").write_text("x = 1\n")
    (package / "a.py").write_text("def f():\n    from .inner import deep\n")
    (package / "b.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    behind = modules_behind("fp_package.a")
    assert behind == {"fp_package", "fp_package.a", "fp_package.inner", "fp_package.inner.deep"}
    before = fingerprint.source_hash("fp_package.a")
    (package / "b.py").write_text("x = 2\n")
    fingerprint.source_hash.cache_clear()
    assert fingerprint.source_hash("fp_package.a") == before
    (package / "inner" / "deep.py").write_text("x = 22\n")
    assert fingerprint.source_hash("fp_package.a") == before, (
        "a process runs the code it began with"
    )
    fingerprint.source_hash.cache_clear()
    assert fingerprint.source_hash("fp_package.a") != before
