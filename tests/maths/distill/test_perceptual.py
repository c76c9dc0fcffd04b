"""The perceptual loss: zero for equals, gradients, scales, and the trained networks behind it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from backend.distill.perceptual import TITLES, PerceptualLoss, perceptual_loss
from backend.models import backbones
from backend.models.backbones import trunk_state
from backend.models.errors import RecipeError
from tests.requirements import require


def small(**options) -> PerceptualLoss:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 6, 3, stride=2, padding=1)]
    options = {"mean": (0.4, 0.5, 0.6), "std": (0.2, 0.3, 0.4), **options}
    return PerceptualLoss(nn.Sequential(*layers), (1, 2), **options)


def pictures(count: int = 2) -> torch.Tensor:
    return torch.rand(count, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_is_zero_for_equals_and_grows_with_the_distance() -> None:
    loss, x = small(), pictures()
    near, far = (x + size * torch.randn_like(x) for size in (0.01, 0.5))
    assert loss(x, x).item() == 0
    assert 0 < loss(near, x) < loss(far, x)


def test_gradients_reach_the_made_picture_only() -> None:
    loss = small()
    made, wanted = pictures().requires_grad_(), (-pictures()).requires_grad_()
    loss(made, wanted).backward()
    assert made.grad.abs().sum() > 0
    assert wanted.grad is None
    assert not any(p.requires_grad for p in loss.parameters())


def test_features_see_what_the_network_was_trained_on() -> None:
    x = pictures()
    plain = small(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    whole = small(mean=(10.0, 20.0, 30.0), std=(1.0, 1.0, 1.0), scale=255.0, bgr=True)
    by_hand = ((x + 1) / 2 * 255).flip(1) - torch.tensor([10.0, 20, 30]).view(1, 3, 1, 1)
    expected = whole.backbone[1](whole.backbone[0](by_hand))
    assert torch.allclose(whole.features(x)[0], expected)
    assert [f.shape[1] for f in plain.features(x)] == [4, 6]


def test_layers_of_unlike_size_count_alike() -> None:
    loss = small()
    with torch.no_grad():
        x, y = pictures(), pictures().flip(3)
        before = loss(x, y)
        loss.backbone[2].weight *= 1000
        loss.backbone[2].bias *= 1000
        assert loss(x, y).item() == pytest.approx(before.item(), rel=1e-4)


def test_no_backbone_is_no_loss() -> None:
    assert perceptual_loss("none") is None
    with pytest.raises(ValueError, match="vgg16"):
        perceptual_loss("alexnet")  # type: ignore[arg-type]


@pytest.mark.parametrize("backbone", sorted(TITLES))
def test_missing_weights_are_named_with_the_way_to_get_them(backbone: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="There is no file"):
        perceptual_loss(backbone, tmp_path / "absent")


def write_trunk(path: Path, trunk: nn.Sequential) -> None:
    """Write a file in Keras' layout, (h, w, in, out)."""
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        for i, block in enumerate(trunk):
            convs = [part for part in block if isinstance(part, nn.Conv2d)]
            for j, conv in enumerate(convs):
                group = f"block{i + 1}/layers/conv2d{f'_{j}' if j else ''}/vars/"
                file[group + "0"] = conv.weight.detach().numpy().transpose(2, 3, 1, 0)
                file[group + "1"] = conv.bias.detach().numpy()


def test_kernels_of_a_keras_file_are_turned(tmp_path: Path) -> None:
    torch.manual_seed(0)
    trunk = nn.Sequential(
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 5, 3), nn.ReLU()),
        nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(5, 6, 3), nn.ReLU()),
    )
    write_trunk(tmp_path / "trunk.h5", trunk)
    state = trunk_state(trunk, tmp_path / "trunk.h5")
    own = trunk.state_dict()
    assert list(state) == list(own)
    assert all(torch.equal(state[name], own[name]) for name in own)


@pytest.mark.parametrize("content", [b"", b"\x89HDF\r\n\x1a\n" + bytes(100), b"no h5 at all"])
def test_a_damaged_keras_file_is_refused(content: bytes, tmp_path: Path) -> None:
    pytest.importorskip("h5py")
    (tmp_path / "trunk.h5").write_bytes(content)
    with pytest.raises(RecipeError, match="does not hold the layers"):
        trunk_state(nn.Sequential(nn.Sequential(nn.Conv2d(3, 4, 3))), tmp_path / "trunk.h5")


def test_a_keras_file_without_a_layer_is_refused(tmp_path: Path) -> None:
    one = nn.Sequential(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()))
    write_trunk(tmp_path / "trunk.h5", one)
    two = nn.Sequential(*one, nn.Sequential(nn.Conv2d(4, 4, 3)))
    with pytest.raises(RecipeError, match="does not hold the layers"):
        trunk_state(two, tmp_path / "trunk.h5")


def test_the_trained_mobilenet_tells_an_edge_from_noise() -> None:
    """Its batch statistics belong to natural pictures: normalised features are of size one."""
    require("mobilenet")
    loss = perceptual_loss("mobilenet_v2")
    dice = np.random.default_rng(0)
    smooth = torch.linspace(-1, 1, 64).expand(1, 3, 64, 64)
    noise = torch.from_numpy(dice.uniform(-1, 1, (1, 3, 64, 64)).astype(np.float32))
    assert loss is not None
    near = loss(smooth.flip(3) * 0.98, smooth.flip(3))
    assert 0 < near < 0.3 * loss(noise, smooth)
    assert [f.shape[1] for f in loss.features(smooth)] == [16, 24, 32, 96]


def test_files_are_named_exactly() -> None:
    for file in (backbones.MOBILENET, backbones.VGG_TRUNK):
        assert len(file.sha256) == 64
        assert file.size > 1e6
        assert file.licence == "MIT"
