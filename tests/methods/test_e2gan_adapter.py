"""e2gan.adapter: bundled adapters by name, own ones by folder, all else in words."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from backend.core.context import QuietContext
from backend.core.errors import FretsawError
from backend.methods.e2gan_adapter import AdapterParams, bundled, e2gan_adapter
from tests.methods.test_e2gan import adapter, base


def test_an_own_adapter_is_loaded_as_it_was_saved(tmp_path: Path) -> None:
    one = adapter(base(), 1)
    one.save(tmp_path)
    again = e2gan_adapter(QuietContext(), AdapterParams(folder=tmp_path))
    assert (again.concept, again.base, again.ranks) == (one.concept, one.base, one.ranks)
    assert all(torch.equal(again.tensors[name], one.tensors[name]) for name in one.tensors)


def test_every_bundled_adapter_fits_the_bundled_base() -> None:
    from backend.methods.e2gan import LoadParams, e2gan_load

    of = e2gan_load(QuietContext(), LoadParams()).conceptbase
    assert bundled()
    for name in bundled():
        e2gan_adapter(QuietContext(), AdapterParams(concept=name)).require_base(of)


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(FretsawError, match='no bundled adapter "mosiac"'):
        e2gan_adapter(QuietContext(), AdapterParams(concept="mosiac"))
    with pytest.raises(FretsawError, match="holds no adapter"):
        e2gan_adapter(QuietContext(), AdapterParams(folder=tmp_path))
