from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from torch import nn

from backend.core.errors import FretsawError
from backend.engine.checkpoint import Checkpoints, restore


def test_state_of_every_kind_comes_back_equal(tmp_path) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    adam = torch.optim.Adam(net.parameters())
    net(torch.randn(5, 3)).sum().backward()
    adam.step()
    bag = {"best": torch.arange(4), "none": None, "t": (1, [2.5, "x"]), 7: {"deep": torch.ones(2)}}
    state = {"net": net, "adam": adam, "bag": bag}
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(0, 5, 11, state)
    expected = {k: v.clone() for k, v in net.state_dict().items()}
    moments = [s["exp_avg"].clone() for s in adam.state.values()]
    draws = (torch.rand(3), np.random.rand(3).tolist(), random.random())

    with torch.no_grad():
        for p in net.parameters():
            p.zero_()
    adam.step()
    bag.clear()
    saved = checkpoints.load(0)
    restore(saved, state)
    assert (saved.done, saved.seq) == (5, 11)
    assert all(torch.equal(net.state_dict()[k], v) for k, v in expected.items())
    assert all(
        torch.equal(s["exp_avg"], m) for s, m in zip(adam.state.values(), moments, strict=True)
    )
    assert torch.equal(bag["best"], torch.arange(4))
    assert bag["t"] == (1, [2.5, "x"])
    assert torch.equal(bag[7]["deep"], torch.ones(2))
    again = (torch.rand(3), np.random.rand(3).tolist(), random.random())
    assert torch.equal(draws[0], again[0])
    assert draws[1:] == again[1:]


def test_tied_tensors_and_replaced_files(tmp_path) -> None:
    tied = torch.ones(4)
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(0, 1, 1, {"s": {"a": tied, "b": tied}})
    checkpoints.save(0, 2, 2, {"s": {"a": tied * 2, "b": tied}})
    assert checkpoints.load(0).state["s"]["a"].tolist() == [2, 2, 2, 2]
    assert len(list(tmp_path.glob("*.safetensors"))) == 1
    assert checkpoints.furthest() == (2, 2)
    assert checkpoints.load(1) is None


def test_other_objects_and_odd_values_are_refused_in_words(tmp_path) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(0, 1, 1, {"a": {}})
    with pytest.raises(FretsawError, match="code changed"):
        restore(checkpoints.load(0), {"b": {}})
    with pytest.raises(FretsawError, match="cannot be kept"):
        checkpoints.save(0, 2, 2, {"a": {"x": object()}})
    assert checkpoints.load(0).done == 1
