"""The zoo: sizes known from the papers and published models, shapes, options, traceability."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from backend.models.errors import RecipeError
from backend.models.recipe import Recipe, build
from backend.models.registry import network_names, options, zoo
from backend.models.tracing import trace

# A small ResNet of n blocks a stage and first width w, c colours, k classes, by hand:
#   stem 9 c w + 2 w; stage 1: 2 n (9 w^2 + 2 w)
# stage 2: 9 w 2w + (2n - 1) 9 (2w)^2 + 2n 2 (2w) + shortcut (2 w^2 + 4 w); stage 3 the same with
# 2w   head 4 w k + k.
# w = 16, c = 3, k = 10, n = 1: 464 + 4672 + (4608 + 9216 + 128 + 576)
#   + (18432 + 36864 + 256 + 2176) + 650 = 78042; with c = 1: 78042 - 288 = 77754.
# n = 3: 464 + 14016 + (4608 + 5 * 9216 + 384 + 576) + (18432 + 5 * 36864 + 768 + 2176) + 650 =
# 272474. Each n more adds 2 (2304 + 32 + 9216 + 64 + 36864 + 128) = 97216: n = 5, 7, 9.
COUNTS = {
    "resnet(depth=8, in_channels=1)": 77_754,
    "resnet(depth=20)": 272_474,
    "resnet(depth=32)": 272_474 + 2 * 97_216,
    "resnet(depth=44)": 272_474 + 4 * 97_216,
    "resnet(depth=56)": 272_474 + 6 * 97_216,
    # Published counts of the ImageNet models.
    "resnet(depth=18)": 11_689_512,
    "resnet(depth=50)": 25_557_032,
    "vgg(depth=11, classes=1000, head='classic')": 132_868_840,
    "vgg(depth=13, classes=1000, head='classic')": 133_053_736,
    "vgg(depth=16, classes=1000, head='classic')": 138_365_992,
    "mobilenet_v1()": 4_231_976,
    "mobilenet_v2()": 3_504_872,
    "efficientnet_lite0()": 4_652_008,
    # ResNet-18 without its head (1000 * 513), with 10 classes (10 * 513) and a 3 x 3 stem instead
    # of 7 x 7 (64 * 3 * 40 less).
    "resnet(depth=18, classes=10, stem='cifar')": 11_689_512 - 990 * 513 - 64 * 3 * 40,
    # VGG-11: convolutions of the published model (132868840 - 25088 * 4096 - 4096 - 4096 * 4097
    # - 1000 * 4097) and a head of 513 values a class.
    "vgg(depth=11)": 132_868_840 - 25_088 * 4096 - 4096 - 4096 * 4097 - 4_097_000 + 5130,
}


@pytest.mark.parametrize("text", COUNTS)
def test_parameters_are_as_many_as_published(text: str) -> None:
    network = build(Recipe(f"zoo:{text}"))
    assert sum(p.numel() for p in network.parameters()) == COUNTS[text]


# Builder, input (C, H, W), and the size of the map before the global mean.
SHAPES = [
    ("resnet(depth=8, width=4, in_channels=1)", (1, 28, 28), 7),
    ("resnet(depth=8, width=4, stem='imagenet', classes=3)", (3, 64, 64), 4),
    ("resnet(depth=18, width=8, stem='cifar', classes=7)", (3, 32, 32), 4),
    ("resnet(depth=50, width=4)", (3, 64, 64), 2),
    ("vgg(depth=11, width=4, in_channels=1)", (1, 32, 32), 1),
    ("vgg(depth=16, width=4)", (3, 64, 64), 2),
    ("mobilenet_v1(width=0.25)", (3, 64, 64), 2),
    ("mobilenet_v1(width=0.25, stem='cifar', classes=10)", (3, 32, 32), 4),
    ("mobilenet_v2(width=0.25)", (3, 64, 64), 2),
    ("mobilenet_v2(width=0.25, stem='cifar', in_channels=1)", (1, 32, 32), 4),
    ("efficientnet_lite0(classes=5)", (3, 64, 64), 2),
]


@pytest.mark.parametrize(("text", "shape", "size"), SHAPES)
def test_network_runs_trains_and_traces(text: str, shape: tuple[int, ...], size: int) -> None:
    torch.manual_seed(0)
    network = build(Recipe(f"zoo:{text}"), meta=False)
    x = torch.randn(2, *shape)
    seen: list[torch.Size] = []
    network.avgpool.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape))
    logits = network(x)
    head = [part for part in network.modules() if isinstance(part, nn.Linear)][-1]
    assert logits.shape == (2, head.out_features)
    assert seen[0][2:] == (size, size)
    logits.square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
    network.eval()
    assert torch.equal(trace(network)(x), network(x))


def test_each_option_has_a_sentence_and_a_default_that_fits() -> None:
    assert network_names() == [
        "concept_generator",
        "cyclegan_generator",
        "efficientnet_lite0",
        "inception_generator",
        "inception_spade",
        "mobilenet_v1",
        "mobilenet_v2",
        "patch_discriminator",
        "resnet",
        "resnet_generator",
        "scaled_discriminator",
        "unet_generator",
        "vgg",
    ]
    for name in network_names():
        for option in options(name):
            assert option.doc[0].isupper() or option.doc[0] == "'"
            assert option.doc.endswith(".")
        build(Recipe(zoo(name, **{option.name: option.default for option in options(name)})))


def test_zoo_writes_the_shortest_text() -> None:
    assert zoo("resnet") == "zoo:resnet()"
    assert zoo("resnet", depth=20, width=8, stem="cifar") == "zoo:resnet(width=8, stem='cifar')"
    with pytest.raises(RecipeError, match="did you mean 'width'"):
        zoo("resnet", widht=8)


def test_initial_values_keep_the_size_of_the_signal() -> None:
    torch.manual_seed(0)
    network = build(Recipe("zoo:vgg(depth=11, width=32)"), meta=False)
    conv = network.features[4]
    # He's rule over the outputs: variance 2 / (9 * 64).
    assert conv.weight.std().item() == pytest.approx((2 / (9 * 64)) ** 0.5, rel=0.02)
    assert conv.bias.abs().max() == 0


def test_refuses_a_dropout_of_one() -> None:
    with pytest.raises(RecipeError, match="above 0"):
        build(Recipe("zoo:mobilenet_v2(dropout=1.0)"))
