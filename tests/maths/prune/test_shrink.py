"""Channel groups and shrinking; properties P8 to P12 of the CAT digest."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from backend.models.inception import Branch, InceptionBlock, InceptionGenerator
from backend.models.recipe import Recipe, RecipeError, apply, build, load_network, save_network
from backend.models.registry import zoo
from backend.prune.channels import ChannelError, Channels, find_channels
from backend.prune.shrink import shrink_plan

SMALL = Recipe(zoo("inception_generator", width=8, blocks=2, reduction=4))
SIZE = (3, 16, 16)


def small(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    network = build(SMALL, meta=False).eval()
    with torch.no_grad():
        for part in network.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.weight.normal_(1, 0.3)
                part.bias.normal_(0, 0.3)
                part.running_mean.normal_(0, 0.1)
                part.running_var.uniform_(0.5, 1.5)
    return network


def macs(channels: Channels, widths: dict[str, int] | None = None) -> float:
    sizes = {name: group.width for name, group in channels.groups.items()} | (widths or {})

    def side(x: str | int) -> int:
        return x if isinstance(x, int) else sizes[x]

    return sum(t.factor * side(t.inputs) * side(t.outputs) for t in channels.terms)


def picture(seed: int = 0) -> torch.Tensor:
    return torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(seed))


def test_the_papers_teacher_costs_what_the_digest_derives() -> None:
    network = build(Recipe(zoo("inception_generator")))
    channels = find_channels(network, (3, 256, 256))
    assert macs(channels) == pytest.approx(43.49e9, rel=1e-3)
    weights = sum(p.numel() for n, p in network.named_parameters() if p.dim() == 4)
    assert weights == pytest.approx(8.12e6, rel=1e-2)
    outer = {name: 16 for name, g in channels.groups.items() if not g.fixed and not g.can_vanish}
    inner = {name: 0 for name, g in channels.groups.items() if g.can_vanish}
    assert macs(channels, outer | inner) == pytest.approx(0.544e9, rel=1e-3)


def test_cat_p10_macs_of_a_toy_are_counted_by_both_conventions() -> None:
    toy = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(),
        nn.ConvTranspose2d(4, 3, 3, 2, 1, output_padding=1),
    )  # fmt: skip
    conv, up = 3 * 4 * 9 * 64, 4 * 3 * 9
    assert macs(find_channels(toy, (3, 8, 8))) == conv + up * 256
    assert macs(find_channels(toy, (3, 8, 8), convention="input")) == conv + up * 64


def test_norms_without_running_statistics_are_counted() -> None:
    toy = nn.Sequential(nn.Conv2d(3, 4, 1), nn.InstanceNorm2d(4, affine=True))
    assert macs(find_channels(toy, (3, 8, 8))) == 12 * 64 + 4 * 64


def test_scores_are_the_first_norms_and_the_stream_is_one_group() -> None:
    channels = find_channels(small(), SIZE)
    norms = {group.norm for group in channels.groups.values() if not group.fixed}
    assert "down_sampling.8" in norms
    assert "features.0.branches.residual3.2" in norms
    assert "features.0.branches.depthwise5.1" in norms
    assert not any("norm_pw" in norm or norm.endswith("depthwise5.5") for norm in norms)
    stream = channels.groups["down_sampling.7"]
    assert ("features.1.norm_pw", "norm", 0) in stream.cuts
    assert not stream.can_vanish


def test_cat_p8_dead_residual_channels_leave_without_a_trace() -> None:
    network = small()
    norm = network.get_submodule("features.0.branches.residual3.2")
    dead = list(range(0, norm.num_features, 2))
    with torch.no_grad():
        norm.weight[dead] = 0
        norm.bias[dead] = 0
    channels = find_channels(network, SIZE)
    group = next(g for g in channels.groups.values() if g.norm == "features.0.branches.residual3.2")
    scores = channels.scores(network, group.name)
    kept = [i for i, score in enumerate(scores) if score > 0]
    assert kept == [i for i in range(norm.num_features) if i not in dead]
    student, _ = apply(network, SMALL, "shrink.channels", shrink_plan(channels, {group.name: kept}))
    assert student.get_submodule("features.0.branches.residual3.2").num_features == len(kept)
    with torch.no_grad():
        assert (student.eval()(picture()) - network(picture())).abs().max() < 1e-4


def test_cat_p8_a_depthwise_branch_follows_its_mask_in_all_its_layers() -> None:
    network = small()
    channels = find_channels(network, SIZE)
    name = "features.0.branches.depthwise3.0"
    student, _ = apply(network, SMALL, "shrink.channels", shrink_plan(channels, {name: [1, 3, 4]}))
    branch = student.get_submodule("features.0.branches.depthwise3")
    assert (branch[4].groups, branch[4].in_channels, branch[4].out_channels) == (3, 3, 3)
    teacher = network.get_submodule("features.0.branches.depthwise3")
    assert torch.equal(branch[4].weight, teacher[4].weight[[1, 3, 4]])
    assert torch.equal(branch[5].running_mean, teacher[5].running_mean[[1, 3, 4]])
    assert torch.equal(branch[7].weight, teacher[7].weight[:, [1, 3, 4]])


def test_cat_p9_empty_branches_go_and_an_empty_block_is_the_identity() -> None:
    network = small()
    channels = find_channels(network, SIZE)
    gone = {g.name: [] for g in channels.groups.values() if g.can_vanish and ".0." in g.name}
    student, recipe = apply(network, SMALL, "shrink.channels", shrink_plan(channels, gone))
    block = student.get_submodule("features.0")
    assert not len(block.branches)
    assert not hasattr(block, "norm_pw")
    x = torch.randn(1, 32, 4, 4)
    assert torch.equal(block(x), x)
    assert len(recipe.transforms) == 1
    assert InceptionBlock(8, [Branch("residual", 3, 0)], "batch")(x[:, :8]).equal(x[:, :8])


@pytest.mark.parametrize("kernel", [1, 3, 5, 7])
def test_cat_p11_reflection_keeps_the_size(kernel: int) -> None:
    branches = [Branch("residual", kernel, 2), Branch("depthwise", kernel, 2)]
    block = InceptionBlock(4, branches, "instance")
    assert block(torch.randn(1, 4, 9, 7)).shape == (1, 4, 9, 7)


def test_cat_p12_a_shrunk_network_is_saved_and_loaded_the_same(tmp_path) -> None:
    network = small()
    channels = find_channels(network, SIZE)
    keep = {g.name: list(range(0, g.width, 2)) for g in channels.groups.values() if not g.fixed}
    student, recipe = apply(network, SMALL, "shrink.channels", shrink_plan(channels, keep))
    save_network(tmp_path, recipe, student)
    _, loaded = load_network(tmp_path)
    with torch.no_grad():
        assert torch.equal(loaded.eval()(picture()), student.eval()(picture()))
    again = find_channels(student, SIZE)
    assert macs(again) == macs(channels, {name: len(kept) for name, kept in keep.items()})


def test_cat_p12_running_statistics_and_rows_are_copied_by_mask() -> None:
    network = small()
    channels = find_channels(network, SIZE)
    plan = shrink_plan(channels, {"down_sampling.1": [0, 5]})
    student, _ = apply(network, SMALL, "shrink.channels", plan)
    down, old = student.down_sampling, network.down_sampling
    assert torch.equal(down[1].weight, old[1].weight[[0, 5]])
    assert torch.equal(down[2].running_var, old[2].running_var[[0, 5]])
    assert torch.equal(down[4].weight, old[4].weight[:, [0, 5]])


def test_transposed_convolutions_and_joined_channels_are_cut_on_the_right_axis() -> None:
    class Skip(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.na = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4)
            self.b, self.nb = nn.Conv2d(4, 6, 3, 2, 1), nn.BatchNorm2d(6)
            self.up, self.nu = nn.ConvTranspose2d(6, 5, 2, 2), nn.BatchNorm2d(5)
            self.out = nn.Conv2d(9, 3, 1)

        def forward(self, x):
            a = torch.relu(self.na(self.a(x)))
            y = self.nu(self.up(torch.relu(self.nb(self.b(a)))))
            return self.out(torch.cat([a, y], 1))

    torch.manual_seed(0)
    network = Skip().eval()
    channels = find_channels(network, (3, 8, 8))
    from backend.prune.shrink import shrink_channels

    plan = shrink_plan(channels, {"a": [1, 2], "up": [0, 4], "b": [3]})
    student = shrink_channels(network, plan)
    assert torch.equal(student.out.weight, network.out.weight[:, [1, 2, 4, 8]])
    assert torch.equal(student.up.weight, network.up.weight[[3]][:, [0, 4]])
    assert student(torch.randn(1, 3, 8, 8)).shape == (1, 3, 8, 8)


def test_what_cannot_be_pruned_is_named() -> None:
    with pytest.raises(ChannelError, match="0"):
        find_channels(nn.Sequential(nn.Softmax2d()), (4, 8, 8))
    with pytest.raises(RecipeError, match="does not have"):
        apply(small(), SMALL, "shrink.channels", {"modules": {"nope": {"out": [0]}}, "remove": []})
    with pytest.raises(RecipeError, match="cannot vanish"):
        apply(small(), SMALL, "shrink.channels", {"modules": {}, "remove": ["down_sampling"]})
    with pytest.raises(RecipeError, match="odd numbers"):
        build(Recipe('zoo:inception_generator(residual_kernels="2,3")'))


def test_a_generator_keeps_the_pictures_size() -> None:
    network = InceptionGenerator((4, 8, 16), [[Branch("residual", 3, 2)]], (8, 4), resize="nearest")
    assert network(torch.randn(1, 3, 20, 12)).shape == (1, 3, 20, 12)
