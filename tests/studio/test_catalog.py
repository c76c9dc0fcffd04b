"""The kinds of node: from the file at once, from a subprocess when something changed."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from backend.core import catalog as catalogs
from backend.core.catalog import Catalog
from backend.core.workspace import Workspace
from studio.catalog import CatalogModel
from tests.fakes import PLUGINS


def test_a_given_catalogue_is_not_looked_after(
    workspace: Workspace, recorded_catalog: Catalog
) -> None:
    model = CatalogModel(workspace, recorded_catalog)
    model.start()
    assert not model.is_building
    assert model.specs == recorded_catalog.nodes
    assert list(model.broken) == []


def test_built_in_the_background_and_kept(
    workspace: Workspace, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugins = tmp_path / "plugins"
    shutil.copytree(PLUGINS, plugins)
    (plugins / "fretsaw_toy" / "bad.py").write_text('"""Bad."""\n\nimport nothing_of_the_kind\n')
    monkeypatch.setenv("PYTHONPATH", str(plugins))
    model = CatalogModel(workspace)
    assert model.specs == {}
    model.start()
    assert model.is_building
    qtbot.waitUntil(lambda: not model.is_building, timeout=60_000)
    assert "toy.grow" in model.specs
    (broken,) = model.broken
    assert (Path(broken.file).name, broken.line) == ("bad.py", 3)
    assert "toy.grow" not in sys.modules
    again = CatalogModel(workspace)
    assert again.specs == model.specs
    again.start()
    assert again.is_building, "what is broken may have been mended"
    again.close()
    assert not again.is_building


def test_current_as_long_as_no_file_changes(
    workspace: Workspace, recorded_catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = catalogs._key(catalogs._node_modules())
    current = recorded_catalog.model_copy(update={"key": key})
    assert catalogs.is_current(current)
    workspace.cache.mkdir()
    (workspace.cache / "catalog.json").write_text(current.model_dump_json())
    model = CatalogModel(workspace)
    model.start()
    assert not model.is_building
    assert not catalogs.is_current(recorded_catalog)


def test_a_failure_is_a_sentence(
    workspace: Workspace, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "backend").mkdir()
    (tmp_path / "backend" / "__init__.py").write_text("raise ImportError('not today')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    model = CatalogModel(workspace)
    model.refresh()
    qtbot.waitUntil(lambda: not model.is_building, timeout=60_000)
    assert model.error.startswith("The list of nodes could not be made")
    assert "not today" in model.error
    assert "Traceback" in model.details
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no_python"))
    model.refresh()
    qtbot.waitUntil(lambda: not model.is_building, timeout=60_000)
    assert "could not be started" in model.error


def test_finding_plugins_imports_none_of_their_parents(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "heavy_parent"
    (package / "nodes").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "nodes" / "__init__.py").write_text("")
    (package / "nodes" / "one.py").write_text("")
    info = tmp_path / "heavy_parent-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: heavy_parent\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[fretsaw.nodes]\nheavy = heavy_parent.nodes\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert catalogs._node_modules()["heavy_parent.nodes.one"] == package / "nodes" / "one.py"
    assert "heavy_parent" not in sys.modules
