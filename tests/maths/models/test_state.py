"""Weights from files of any origin."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from backend.models.errors import RecipeError
from backend.models.state import fit_state, load_state


def network() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2, 3))


@pytest.mark.parametrize("name", ["w.safetensors", "w.pt", "w.pth"])
def test_files_of_weights_are_read(name: str, tmp_path: Path) -> None:
    state = network().state_dict()
    (save_file if name.endswith("tensors") else torch.save)(state, tmp_path / name)
    found = load_state(tmp_path / name)
    assert found.keys() == state.keys()
    assert all(torch.equal(found[key], state[key]) for key in state)


@pytest.mark.parametrize("wrapper", ["state_dict", "model"])
def test_training_checkpoint_with_prefixes_is_understood(wrapper: str, tmp_path: Path) -> None:
    state = {f"module.{key}": value for key, value in network().state_dict().items()}
    torch.save({"epoch": 3, wrapper: state, "optimizer": {"lr": 0.1}}, tmp_path / "c.pt")
    assert load_state(tmp_path / "c.pt").keys() == network().state_dict().keys()


class Evil:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple:
        return (Path.touch, (self.mark,))


def test_pickle_that_would_run_code_is_refused_and_does_not_run(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    torch.save({"weight": Evil(mark)}, tmp_path / "evil.pt")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Evil(mark)))
    for name in ("evil.pt", "plain.pt"):
        with pytest.raises(RecipeError, match="would run code"):
            load_state(tmp_path / name)
    assert not mark.exists()


def test_whole_pickled_network_is_refused(tmp_path: Path) -> None:
    torch.save(network(), tmp_path / "whole.pt")
    with pytest.raises(RecipeError, match="would run code"):
        load_state(tmp_path / "whole.pt")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.pt", b"not a checkpoint", "truncated, damaged"),
        ("a.pth", b"", "truncated, damaged"),
        ("a.safetensors", b"\x00" * 40, "truncated, damaged"),
        ("a.txt", b"hello", "no file of weights"),
    ],
)
def test_wrong_file_is_one_sentence(name: str, content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RecipeError, match=words):
        load_state(tmp_path / name)


def test_truncated_checkpoint_is_one_sentence(tmp_path: Path) -> None:
    torch.save(network().state_dict(), tmp_path / "a.pt")
    (tmp_path / "a.pt").write_bytes((tmp_path / "a.pt").read_bytes()[:-300])
    with pytest.raises(RecipeError, match="truncated, damaged"):
        load_state(tmp_path / "a.pt")


def test_file_without_weights_is_refused(tmp_path: Path) -> None:
    torch.save({"epoch": 3}, tmp_path / "a.pt")
    with pytest.raises(RecipeError, match="no table of weights"):
        load_state(tmp_path / "a.pt")
    with pytest.raises(RecipeError, match="There is no file"):
        load_state(tmp_path / "b.pt")


def test_misfit_is_reported_whole_and_nothing_changes() -> None:
    target = network()
    before = {key: value.clone() for key, value in target.state_dict().items()}
    state = {key: value + 1 for key, value in before.items()}
    state["extra.bias"] = torch.zeros(1)
    state["3.weight"] = torch.zeros(5, 2)
    del state["0.bias"]
    words = (
        r"1 missing \(0\.bias\), 1 unexpected \(extra\.bias\), "
        r"1 of another shape \(3\.weight: \(5, 2\) instead of \(3, 2\)\)"
    )
    with pytest.raises(RecipeError, match=words):
        fit_state(target, state)
    assert all(torch.equal(before[key], value) for key, value in target.state_dict().items())


def test_old_files_without_batch_counters_fit() -> None:
    source, target = network(), network()
    source[0].weight.data += 1
    state = source.state_dict()
    del state["1.num_batches_tracked"]
    fit_state(target, state)
    assert torch.equal(target[0].weight, source[0].weight)
    assert int(target[1].num_batches_tracked) == 0
