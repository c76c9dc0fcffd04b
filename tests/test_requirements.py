from __future__ import annotations

import pytest

from tests.requirements import require


def test_a_component_that_is_here_passes():
    require("numpy")


def test_a_missing_component_skips_with_its_name(monkeypatch):
    monkeypatch.delenv("FRETSAW_REQUIRE", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no_such_component"):
        require("no_such_component")


def test_a_promised_component_fails(monkeypatch):
    monkeypatch.setenv("FRETSAW_REQUIRE", "xvfb, no_such_component")
    with pytest.raises(pytest.fail.Exception, match="no_such_component"):
        require("no_such_component")
