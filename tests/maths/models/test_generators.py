"""Generators and discriminators: shapes, sizes known by hand, saving, files for runtimes."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from backend.export.onnx import export_onnx
from backend.models.discriminators import patch_size
from backend.models.errors import RecipeError
from backend.models.gan_layers import initialise_gan
from backend.models.generators import multiple_of
from backend.models.recipe import Recipe, build, load_network, save_network
from backend.profile import profile

SMALL = "width=4, blocks=1, kernel=3"
GENERATORS = [
    f"resnet_generator({SMALL})",
    f"resnet_generator({SMALL}, norm='none', init='kaiming', padding='zero')",
    f"resnet_generator({SMALL}, norm='batch', upsampling='shuffle', skips=True)",
    f"resnet_generator({SMALL}, upsampling='transposed', activation='leaky')",
    f"resnet_generator({SMALL}, shuffle=2, shortcut=True, outer_norm=False)",
    f"resnet_generator({SMALL}, shuffle=4, downs=0, activation='silu', init='xavier')",
    f"resnet_generator({SMALL}, separable=True, context=True, tanh=False)",
    "unet_generator(width=4, depth=3)",
    "unet_generator(width=4, depth=4, norm='instance', upsampling='shuffle')",
    "unet_generator(width=4, depth=2, most=4, norm='none', upsampling='transposed', dropout=0.5)",
]


def made(text: str) -> nn.Module:
    torch.manual_seed(0)
    return build(Recipe(f"zoo:{text}"), meta=False)


def lively(module: nn.Module) -> nn.Module:
    """Statistics and scales as after some training, so that norms are no identities."""
    dice = torch.Generator().manual_seed(1)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.uniform_(-0.2, 0.2, generator=dice)
            part.running_var.uniform_(0.5, 2, generator=dice)
        if isinstance(part, nn.BatchNorm2d | nn.InstanceNorm2d) and part.affine:
            part.weight.data.uniform_(0.5, 1.5, generator=dice)
            part.bias.data.uniform_(-0.3, 0.3, generator=dice)
    return module.eval()


def picture(height: int, width: int, count: int = 1) -> Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(2)) * 2 - 1


@pytest.mark.parametrize("text", GENERATORS)
def test_gives_a_picture_of_the_same_size_and_learns_in_every_weight(text: str) -> None:
    module = made(text)
    multiple = multiple_of(module)
    for height, width in ((4 * multiple, 4 * multiple), (5 * multiple, 3 * multiple)):
        answer = module(picture(height, width, 2))
        assert answer.shape == (2, 3, height, width)
    if "tanh=False" not in text:
        assert answer.abs().max() <= 1
    answer.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in module.parameters())


@pytest.mark.parametrize("text", GENERATORS)
def test_is_equal_after_saving(text: str, tmp_path: Path) -> None:
    module = lively(made(text))
    save_network(tmp_path, Recipe(f"zoo:{text}"), module)
    _, again = load_network(tmp_path)
    x = picture(32, 48)
    with torch.no_grad():
        assert torch.equal(again(x), module(x))


@pytest.mark.parametrize("text", [GENERATORS[i] for i in (2, 4, 5, 6, 7, 9)])
def test_the_runtime_agrees_with_torch(text: str, tmp_path: Path) -> None:
    module = lively(made(text))
    x = picture(32, 32)
    export_onnx(module, x, tmp_path / "net.onnx", output_name="edited", dynamic_batch=False)
    session = onnxruntime.InferenceSession(
        str(tmp_path / "net.onnx"), providers=["CPUExecutionProvider"]
    )
    (found,) = session.run(None, {"image": x.numpy()})
    with torch.no_grad():
        assert np.abs(found - module(x).numpy()).max() < 1e-4


def test_macs_of_the_published_generator() -> None:
    # Two thirds of the literature on compressing it quote 56.8 G at 256 x 256, where transposed
    # convolutions count at their output's size, as convolutions behind an enlargement do.
    module = build(Recipe("zoo:resnet_generator()"))
    assert sum(p.numel() for p in module.parameters()) == _published_weights()
    macs = profile(made("resnet_generator()").eval(), torch.zeros(1, 3, 64, 64)).macs
    assert macs * 16 == pytest.approx(56.8e9, rel=1e-3)


def _published_weights() -> int:
    """Convolutions of c7s1-64, d128, d256, R256 x 9, u128, u64, c7s1-3; two values a norm."""
    convs = [(3, 64, 7), (64, 128, 3), (128, 256, 3), *[(256, 256, 3)] * 18]
    convs += [(256, 128, 3), (128, 64, 3)]
    weights = sum(a * b * k * k + 2 * b for a, b, k in convs)
    return weights + 64 * 3 * 49 + 3


@pytest.mark.parametrize("upsampling", ["nearest", "shuffle"])
@pytest.mark.parametrize("shuffle", [1, 2, 4])
def test_macs_by_hand(upsampling: str, shuffle: int) -> None:
    width, blocks, side = 4, 2, 64
    text = f"resnet_generator(width={width}, blocks={blocks}, kernel=3, norm='none', "
    module = made(f"{text}shuffle={shuffle}, upsampling='{upsampling}', shortcut=True)")
    colours, top = 3 * shuffle**2, (side // shuffle) ** 2
    expected = 2 * 9 * colours * width * top  # stem and head
    expected += 9 * width * 2 * width * top // 4 + 9 * 2 * width * 4 * width * top // 16
    expected += blocks * 2 * 9 * (4 * width) ** 2 * top // 16
    expected += 9 * 4 * width * 2 * width * top // 4 + 9 * 2 * width * width * top
    expected += 9 * side**2  # the colour shortcut
    assert profile(module.eval(), torch.zeros(1, 3, side, side)).macs == expected


def test_a_unet_has_the_weights_of_the_paper() -> None:
    # e64-e128-e256-e512x5 and cd512x3-c512-c256-c128-c64 with 3 x 3 kernels behind the enlargement.
    module = build(Recipe("zoo:unet_generator()"))
    down = [3, 64, 128, 256, 512, 512, 512, 512, 512]
    weights = sum(16 * a * b for a, b in itertools.pairwise(down))
    weights += 64 + 512 + 2 * (128 + 256 + 4 * 512)  # biases of the ends, norms between
    up = [(512, 512), (1024, 512), (1024, 512), (1024, 512), (1024, 256), (512, 128), (256, 64)]
    weights += sum(9 * a * b + 2 * b for a, b in up) + 9 * 128 * 3 + 3
    assert sum(p.numel() for p in module.parameters()) == weights


def test_context_lets_a_far_corner_matter() -> None:
    x = picture(64, 64)
    y = x.clone()
    y[:, :, -2:, -2:] = 1
    text = f"resnet_generator({SMALL}, norm='none', downs=1, init='kaiming'"
    for context in (False, True):
        module = made(f"{text}, context={context})").eval()
        with torch.no_grad():
            moved = (module(x) - module(y))[:, :, :8, :8].abs().max() > 0
        assert bool(moved) is context


def test_the_colour_shortcut_starts_as_the_picture() -> None:
    module = made(f"resnet_generator({SMALL}, norm='none', shortcut=True)")
    nn.init.zeros_(module.head[-1].weight)
    x = picture(16, 16)
    assert torch.allclose(module(x), torch.tanh(2 * x), atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "deviation"), [("normal", 0.02), ("kaiming", (2 / 144) ** 0.5), ("xavier", 0.0)]
)
def test_first_values(kind: str, deviation: float) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(16, 64, 3)
    initialise_gan(nn.Sequential(conv), kind)
    expected = deviation or (0.02 * 2 / (144 + 576)) ** 0.5
    assert conv.weight.std().item() == pytest.approx(expected, rel=0.05)
    assert not conv.bias.any()


@pytest.mark.parametrize(
    "text",
    [
        "resnet_generator(kernel=4)",
        "resnet_generator(downs=-1)",
        "resnet_generator(width=0)",
        "unet_generator(depth=1)",
        "unet_generator(dropout=1.0)",
        "patch_discriminator(layers=-1)",
        "patch_discriminator(width=0)",
    ],
)
def test_refuses_sizes_that_make_no_network(text: str) -> None:
    with pytest.raises(RecipeError):
        build(Recipe(f"zoo:{text}"))


@pytest.mark.parametrize(("layers", "side"), [(1, 16), (2, 34), (3, 70), (5, 286)])
def test_patches_are_those_of_the_paper(layers: int, side: int) -> None:
    assert patch_size(layers) == side


@pytest.mark.parametrize(("layers", "side"), [(1, 16), (2, 34), (3, 70)])
def test_a_score_sees_exactly_its_patch(layers: int, side: int) -> None:
    module = made(f"patch_discriminator(inputs=3, width=2, layers={layers}, norm='none')")
    for parameter in module.parameters():
        nn.init.constant_(parameter, 0.1)  # no influence cancels another
    x = torch.rand(1, 3, 160, 160, requires_grad=True)
    scores = module(x)
    middle = scores.shape[2] // 2
    scores[0, 0, middle, middle].backward()
    rows = x.grad.abs().sum((0, 1, 3)).nonzero()
    assert rows.max() - rows.min() + 1 == side


@pytest.mark.parametrize("norm", ["none", "batch", "instance"])
@pytest.mark.parametrize("spectral", [False, True])
def test_a_discriminator_scores_saves_and_shows_its_levels(
    norm: str, spectral: bool, tmp_path: Path
) -> None:
    text = f"patch_discriminator(width=4, layers=2, norm='{norm}', spectral={spectral})"
    module = made(text)
    x = torch.cat([picture(64, 64), picture(64, 64)], 1)
    levels = module.features(x)
    assert levels[-1].shape == (1, 1, 14, 14)
    assert [level.shape[1] for level in levels] == [4, 8, 16, 1]
    module.eval()
    save_network(tmp_path, Recipe(f"zoo:{text}"), module)
    _, again = load_network(tmp_path)
    with torch.no_grad():
        assert torch.equal(again(x), module(x))


def test_spectral_norm_bounds_every_layer() -> None:
    module = made("patch_discriminator(width=8, layers=2, norm='none', spectral=True)").train()
    x = torch.cat([picture(32, 32), picture(32, 32)], 1)
    for _ in range(60):  # each pass in training is one step of power iteration
        module(x)
    for level in module.levels:
        largest = torch.linalg.matrix_norm(level[0].weight.flatten(1), 2)
        assert largest.item() == pytest.approx(1, abs=0.02)
