"""Which channels of a SPADE generator may go: rules of their own, since stages hang together.

The width before the first block decides those of all stages by halving; it is rounded down to a
multiple of 16 (32 with "most" doublings). Hidden channels of branches, of blocks and of the norms
inside them, are counted one by one and may all go.
Source: Jin et al., Teachers Do More Than Teach (CAT), CVPR 2021, and the released code.
"""

from __future__ import annotations

from torch import nn

from backend.models.spade import SpadeBlock, SpadeGenerator, doubles_before, part_of, stages_of
from backend.prune.channels import ChannelError, Channels, Group, Term, Tied

ROOT = "fc"
"""The group of the first width; the others are tied to it."""


def spade_channels(module: SpadeGenerator, size: tuple[int, int, int]) -> Channels:
    """Group the channels of ``module`` for one label map of ``size`` (3, H, W).

    Raises:
        ChannelError: a size that the generator does not read.
    """
    _, height, width = size
    multiple = module.multiple
    if height % multiple or width % multiple or not height or not width:
        raise ChannelError(
            f"This generator reads pictures whose sides are multiples of {multiple}, not "
            f"{height} x {width}."
        )
    return _Walk(module, height // multiple, width // multiple).run()


class _Walk:
    """Goes through the stages and notes groups, cuts and costs."""

    def __init__(self, module: SpadeGenerator, height: int, width: int) -> None:
        self.module, self.area = module, float(height * width)
        step = 32 if module.upsampling == "most" else 16
        first = module.fc.out_channels
        self.root = Group(ROOT, first, norm="fc_norm", step=min(step, first))
        self.groups: dict[str, Group] = {ROOT: self.root}
        self.tied: dict[float, Tied] = {}
        self.terms: list[Term] = []
        self.needs: tuple[str, ...] = ()

    def run(self) -> Channels:
        """Return the groups of the whole generator."""
        self._conv("fc", "", 1.0)
        self._norm("fc_norm", 1.0)
        stream = 1.0
        for name in stages_of(self.module.upsampling):
            if doubles_before(name, self.module.upsampling):
                self.area *= 4
            self._block(name, stream, part_of(name))
            stream = part_of(name)
        self._conv("conv_img", "", None, inputs=stream)
        return Channels(self.groups, tuple(self.terms), tuple(self.tied.values()))

    def _block(self, name: str, inputs: float, outputs: float) -> None:
        block = self.module.get_submodule(name)
        assert isinstance(block, SpadeBlock)
        if len(block.branches):
            # Without a branch of its own a block modulates nothing.
            self.needs = tuple(f"{name}.branches.{branch}.0" for branch in block.branches)
            self._norm(f"{name}.spade.norm", inputs)
            for branch in block.spade.branches:
                path = f"{name}.spade.branches.{branch}"
                self._branch(path, block.spade.branches[branch], None, inputs, twice=True)
            self.needs = ()
        for branch in block.branches:
            path = f"{name}.branches.{branch}"
            self._branch(path, block.branches[branch], inputs, outputs, twice=False)
        if isinstance(block.shortcut, nn.Sequential):
            self._norm(f"{name}.shortcut.0", inputs)
            self._conv(f"{name}.shortcut.1", "", outputs, inputs=inputs)

    def _branch(
        self, path: str, branch: nn.Module, inputs: float | None, outputs: float, *, twice: bool
    ) -> None:
        """Note a branch: its hidden channels are a group, its ends are of the stream or labels."""
        hidden = branch[0].out_channels  # type: ignore[index]
        group = Group(f"{path}.0", hidden, norm=f"{path}.1", can_vanish=True)
        self.groups[group.name] = group
        self._conv(f"{path}.0", "", None, inputs=inputs, group_out=group)
        self._norm(f"{path}.1", None, group)
        last = len(branch) - 1  # type: ignore[arg-type]
        if last == 6:  # 1 x 1, norm, ReLU, depth-wise, norm, ReLU, 1 x 1
            conv = self.module.get_submodule(f"{path}.3")
            group.cuts.append((f"{path}.3", "depthwise", 0))
            area = self.area * conv.kernel_size[0] * conv.kernel_size[1]
            self.terms.append(Term(f"{path}.3", area, 1, group.name, self.needs))
            self._norm(f"{path}.4", None, group)
        self._conv(f"{path}.{last}", group.name, outputs, twice=twice)
        group.cuts.append((f"{path}.{last}", "in", 0))

    def _conv(
        self,
        name: str,
        hidden: str,
        outputs: float | None,
        *,
        inputs: float | None = None,
        group_out: Group | None = None,
        twice: bool = False,
    ) -> None:
        """Note the cost and the cuts of a convolution; None is a side that is not cut here."""
        conv = self.module.get_submodule(name)
        factor = self.area * conv.kernel_size[0] * conv.kernel_size[1]
        ins: str | int = hidden or conv.in_channels
        outs: str | int = conv.out_channels
        if inputs is not None:
            ins, factor = ROOT, factor * inputs
            self._cut(inputs, (name, "in", 0))
        if outputs is not None:
            outs, factor = ROOT, factor * outputs * (2 if twice else 1)
            self._cut(outputs, (name, "out", 0))
            if twice:  # gamma, then beta
                self._cut(outputs, (name, "out", conv.out_channels // 2))
        if group_out is not None:
            outs = group_out.name
            group_out.cuts.append((name, "out", 0))
        self.terms.append(Term(name, factor, ins, outs, self.needs))

    def _norm(self, name: str, part: float | None, group: Group | None = None) -> None:
        norm = self.module.get_submodule(name)
        if group is not None:
            group.cuts.append((name, "norm", 0))
        else:
            assert part is not None
            self._cut(part, (name, "norm", 0))
        if not norm.track_running_stats:
            factor = self.area * (part if part is not None else 1.0)
            side = group.name if group is not None else ROOT
            self.terms.append(Term(name, factor, 1, side, self.needs))

    def _cut(self, part: float, cut: tuple[str, str, int]) -> None:
        """Note a cut of the stream where it has ``part`` of the first width."""
        if part == 1.0:
            self.root.cuts.append(cut)
            return
        if part not in self.tied:
            width = round(self.root.width * part)
            self.tied[part] = Tied(f"stream / {round(1 / part)}", ROOT, part, width)
        self.tied[part].cuts.append(cut)
