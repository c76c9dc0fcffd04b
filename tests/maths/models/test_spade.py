"""The SPADE generator, its discriminator, and how CAT prunes it."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from backend.distill.alignment import Taps
from backend.distill.gan_losses import feature_matching, over_scales, scaled_matching
from backend.distill.layers import alignment_layers, channels_of
from backend.models.errors import RecipeError
from backend.models.inception import Branch
from backend.models.recipe import Recipe, apply, build, load_network, save_network
from backend.models.registry import zoo
from backend.models.spade import InceptionSpade, LabelCode, SpadeBlock, part_of, stages_of
from backend.prune.channels import ChannelError, Channels, find_channels
from backend.prune.shrink import shrink_plan

TOY = {"classes": 5, "width": 2, "upsampling": "normal", "reduction": 2, "spade_width": 8,
       "residual_kernels": "1,3", "depthwise_kernels": "3"}  # fmt: skip
SIZE = (3, 32, 64)


def recipe(**more: object) -> Recipe:
    return Recipe(zoo("inception_spade", **{**TOY, **more}))


def made(seed: int = 0, **more: object) -> nn.Module:
    """A generator as a trained one: norms with scales, shifts and statistics of their own."""
    torch.manual_seed(seed)
    network = build(recipe(**more), meta=False).eval()
    with torch.no_grad():
        for part in network.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.running_mean.normal_(0, 0.1)
                part.running_var.uniform_(0.5, 1.5)
                if part.affine:
                    part.weight.normal_(1, 0.3)
                    part.bias.normal_(0, 0.3)
    return network


def labels(count: int = 2, size: tuple[int, int] = (32, 64), classes: int = 5) -> torch.Tensor:
    dice = torch.Generator().manual_seed(0)
    coarse = torch.randint(0, classes, (count, 1, size[0] // 8, size[1] // 8), generator=dice)
    fine = F.interpolate(coarse.float(), size, mode="nearest")
    return (fine * LabelCode(classes).step / 255).repeat(1, 3, 1, 1)


def macs(channels: Channels, widths: dict[str, int] | None = None) -> float:
    sizes = {name: group.width for name, group in channels.groups.items()} | (widths or {})

    def side(x: str | int) -> int:
        return x if isinstance(x, int) else sizes[x]

    return sum(t.factor * side(t.inputs) * side(t.outputs) for t in channels.terms)


@pytest.mark.parametrize("classes", [2, 5, 35, 150, 256])
def test_labels_come_back_out_of_their_levels_of_grey(classes: int) -> None:
    code = LabelCode(classes)
    pixels = torch.arange(classes).view(1, 1, 1, -1) * code.step
    assert pixels.max() <= 255
    hot = code.one_hot(pixels.float() / 255)
    assert torch.allclose(hot[0, :, 0].T, torch.eye(classes), atol=1e-4)


def test_classes_that_do_not_fit_a_byte_are_refused() -> None:
    for classes in (1, 257):
        with pytest.raises(RecipeError, match="2 to 256 classes"):
            LabelCode(classes)


@pytest.mark.parametrize(("upsampling", "multiple"), [("normal", 32), ("more", 64), ("most", 128)])
@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_pictures_have_the_size_of_their_labels(upsampling: str, multiple: int, norm: str) -> None:
    network = made(upsampling=upsampling, norm=norm)
    assert network.multiple == multiple
    with torch.no_grad():
        found = network(labels(2, (multiple, 2 * multiple)))
    assert found.shape == (2, 3, multiple, 2 * multiple)
    assert found.abs().max() <= 1


def test_the_paper_s_widths_halve_from_stage_to_stage() -> None:
    network = build(Recipe(zoo("inception_spade")))
    outputs = [channels_of(network, [name])[name] for name in stages_of("more")]
    assert outputs == [1024, 1024, 1024, 512, 256, 128, 64]
    assert network.head_0.branches["residual3"][0].out_channels == 1024 // 6
    assert network.up_3.branches["depthwise5"][3].out_channels == 64 // 6
    assert network.up_3.spade.branches["depthwise5"][3].out_channels == 128 // 6
    assert network.head_0.branches["depthwise3"][4].affine is False
    assert network.head_0.spade.branches["depthwise3"][4].affine is True
    assert not hasattr(network.up_0.shortcut[1], "bias") or network.up_0.shortcut[1].bias is None


def test_what_a_label_says_reaches_its_place_only() -> None:
    """Instance norms and small maps aside: the last block's beta follows the labels."""
    spade = InceptionSpade(LabelCode(3), 4, [Branch("residual", 1, 2)], "batch").eval()
    x = torch.randn(1, 4, 4, 8)
    grey = torch.zeros(1, 1, 4, 8)
    grey[..., 4:] = LabelCode(3).step / 255
    with torch.no_grad():
        found, plain = spade(x, grey), spade(x, torch.zeros_like(grey))
    assert torch.equal(found[..., :4], plain[..., :4])
    assert not torch.allclose(found[..., 4:], plain[..., 4:])


def test_without_a_branch_gamma_and_beta_are_0_and_a_block_is_its_shortcut() -> None:
    code, x, grey = LabelCode(3), torch.randn(2, 4, 8, 8), torch.zeros(2, 1, 8, 8)
    spade = InceptionSpade(code, 4, [Branch("residual", 3, 0)], "batch")
    assert torch.equal(spade(x, grey), spade.norm(x))
    inner = [Branch("residual", 1, 2)]
    block = SpadeBlock(code, 4, 4, inner, [], "batch", spectral=False)
    assert torch.equal(block(x, grey), x)
    narrow = SpadeBlock(code, 4, 2, inner, [], "batch", spectral=False).eval()
    assert torch.equal(narrow(x, grey), narrow.shortcut(x))


def test_macs_of_a_toy_are_those_of_its_convolutions() -> None:
    network, seen = made(), []

    def count(conv: nn.Conv2d, _: object, output: torch.Tensor) -> None:
        kernel = conv.weight[0].numel()  # of one output: inputs of its group, times the kernel
        seen.append(output.shape[2] * output.shape[3] * conv.out_channels * kernel)

    for part in network.modules():
        if isinstance(part, nn.Conv2d):
            part.register_forward_hook(count)
    with torch.no_grad():
        network(labels(1))
    assert macs(find_channels(network, SIZE)) == pytest.approx(sum(seen))


def test_the_first_convolution_costs_what_paper_and_pencil_give() -> None:
    terms = {t.layer: t for t in find_channels(made(), SIZE).terms}
    channels = find_channels(made(), SIZE)
    fc = terms["fc"]  # a map of 1 x 2, 5 classes, 32 channels, 3 x 3
    assert fc.factor * fc.inputs * channels.groups["fc"].width == 1 * 2 * 5 * 32 * 9  # type: ignore[operator]
    last = terms["conv_img"]  # 32 x 64, 2 channels of 32, 3 colours
    assert last.factor * channels.groups["fc"].width * 3 == 32 * 64 * 2 * 3 * 9


def test_norms_without_statistics_are_counted() -> None:
    batch, instance = (find_channels(made(norm=n), SIZE) for n in ("batch", "instance"))
    assert macs(instance) > macs(batch)
    assert not any("norm" in term.layer.rsplit(".", 1)[-1] for term in batch.terms)


def test_scores_are_the_first_norms_and_the_root_steps_by_16() -> None:
    channels = find_channels(made(), SIZE)
    norms = {group.norm for group in channels.groups.values()}
    assert "fc_norm" in norms
    assert "head_0.branches.residual3.1" in norms
    assert "up_2.spade.branches.depthwise3.1" in norms
    assert not any(norm.endswith(".4") or "shortcut" in norm for norm in norms)
    assert channels.groups["fc"].step == 16
    assert find_channels(made(upsampling="most"), (3, 128, 128)).groups["fc"].step == 32
    assert all(g.can_vanish for name, g in channels.groups.items() if name != "fc")


def test_dead_channels_leave_without_a_trace() -> None:
    """P8 for SPADE: zero scale and shift in residual branches of a block and of a norm."""
    network = made()
    channels = find_channels(network, SIZE)
    keep = {}
    for path in ("up_1.branches.residual3", "up_1.spade.branches.residual1"):
        norm = network.get_submodule(f"{path}.1")
        dead = list(range(0, norm.num_features, 2))
        with torch.no_grad():
            norm.weight[dead] = 0
            norm.bias[dead] = 0
        scores = channels.scores(network, f"{path}.0")
        keep[f"{path}.0"] = [i for i, score in enumerate(scores) if score > 0]
        assert len(keep[f"{path}.0"]) == norm.num_features - len(dead)
    student, _ = apply(network, recipe(), "shrink.channels", shrink_plan(channels, keep))
    with torch.no_grad():
        x = labels()
        assert (student.eval()(x) - network(x)).abs().max() < 1e-5
    assert macs(find_channels(student, SIZE)) == macs(
        channels, {name: len(kept) for name, kept in keep.items()}
    )


def test_the_width_of_the_root_halves_through_all_stages() -> None:
    network = made(width=4)
    channels = find_channels(network, SIZE)
    keep = {"fc": list(range(0, 64, 2))}
    student, made_of = apply(
        network, recipe(width=4), "shrink.channels", shrink_plan(channels, keep)
    )
    outputs = [channels_of(student, [name])[name] for name in stages_of("normal")]
    assert outputs == [round(32 * part_of(name)) for name in stages_of("normal")]
    assert torch.equal(student.fc.weight, network.fc.weight[::2])
    with torch.no_grad():
        assert student.eval()(labels()).shape == (2, 3, 32, 64)
    assert macs(find_channels(student, SIZE)) == macs(channels, {"fc": 32})
    assert made_of.transforms[0].name == "shrink.channels"


def test_a_block_without_branches_loses_its_norm_and_all_branches_may_go(tmp_path) -> None:
    network = made()
    channels = find_channels(network, SIZE)
    gone = {name: [] for name in channels.groups if name != "fc"}
    student, again = apply(network, recipe(), "shrink.channels", shrink_plan(channels, gone))
    assert not any(len(b.branches) for b in student.modules() if isinstance(b, SpadeBlock))
    assert isinstance(student.up_0.spade, nn.Identity)
    save_network(tmp_path, again, student)
    _, loaded = load_network(tmp_path)
    with torch.no_grad():
        assert torch.equal(loaded.eval()(labels()), student.eval()(labels()))
    inner = {name: [] for name in channels.groups if name.startswith("up_0.spade")}
    student, _ = apply(network, recipe(), "shrink.channels", shrink_plan(channels, inner))
    assert not len(student.up_0.spade.branches)
    with torch.no_grad():
        assert student.eval()(labels()).shape == (2, 3, 32, 64)


def test_a_network_under_spectral_norm_is_cut_saved_and_trained(tmp_path) -> None:
    few = {"spectral": True, "width": 4, "residual_kernels": "3", "depthwise_kernels": ""}
    network = made(**few)
    channels = find_channels(network, SIZE)
    keep = {n: list(range(0, g.width, 2)) for n, g in channels.groups.items()}
    student, again = apply(network, recipe(**few), "shrink.channels", shrink_plan(channels, keep))
    save_network(tmp_path, again, student)
    _, loaded = load_network(tmp_path)
    with torch.no_grad():
        assert torch.equal(loaded.eval()(labels()), student.eval()(labels()))
    student.train()(labels()).sum().backward()
    kernel = student.up_0.branches["residual3"][0].parametrizations.weight.original
    assert kernel.grad is not None
    assert kernel.shape[0] == len(keep["up_0.branches.residual3.0"])


def test_the_layers_that_are_aligned_are_three_blocks() -> None:
    network = made()
    names = alignment_layers(network)
    assert names == ["head_0", "G_middle_1", "up_1"]
    taps = Taps(network, names)
    with torch.no_grad():
        network(labels())
    widths = {name: x.shape[1] for name, x in taps.features.items()}
    assert widths == channels_of(network, names)


def test_sizes_that_it_cannot_read_are_named() -> None:
    with pytest.raises(ChannelError, match="multiples of 32"):
        find_channels(made(), (3, 48, 64))
    with pytest.raises(RecipeError, match="even number"):
        build(recipe(upsampling="most", width=3))
    with pytest.raises(RecipeError, match="no channel"):
        build(recipe(spade_width=1))


def test_the_discriminator_sees_labels_and_judges_each_scale() -> None:
    torch.manual_seed(0)
    judge = build(
        Recipe(zoo("scaled_discriminator", classes=5, width=4, layers=2)), meta=False
    ).eval()
    picture, source = torch.randn(2, 3, 32, 64).tanh(), labels() * 2 - 1
    with torch.no_grad():
        scores = judge(torch.cat([source, picture], 1))
        levels = judge.features(torch.cat([source, picture], 1))
        other = judge(torch.cat([source.flip(3), picture], 1))
    assert [tuple(s.shape[2:]) for s in scores] == [(6, 14), (2, 6)]
    assert all(torch.allclose(s, one[-1]) for s, one in zip(scores, levels, strict=True))
    assert not torch.allclose(scores[0], other[0])


def test_losses_of_several_scales_are_means_over_them() -> None:
    one, two = torch.tensor([1.0, 3.0]), torch.tensor([[5.0]])
    assert over_scales(torch.mean, [one, two]).item() == pytest.approx((2 + 5) / 2)
    assert over_scales(torch.mean, one).item() == 2
    dice = torch.Generator().manual_seed(0)
    real = [[torch.randn(1, 2, 3, 3, generator=dice) for _ in range(3)] for _ in range(2)]
    fake = [[torch.randn(1, 2, 3, 3, generator=dice) for _ in range(3)] for _ in range(2)]
    wanted = sum(
        (real[s][i] - fake[s][i]).abs().mean() for s in range(2) for i in range(2)
    )  # the third level is the score
    assert scaled_matching(real, fake).item() == pytest.approx(float(wanted) / 2, rel=1e-6)
    assert scaled_matching(real[:1], fake[:1]).item() == pytest.approx(
        2 * feature_matching(real[0], fake[0]).item(), rel=1e-6
    )
