"""CAT: a student is cut out of a trained generator in one step; see cat_distill for its lesson."""

from __future__ import annotations

import copy
from typing import Literal, NamedTuple

import torch
from pydantic import Field, model_validator
from torch import nn
from torch.nn.utils import parametrize

from backend.core.channel_plan import ChannelSpace, CostTerm, ScoreGroup, spelled
from backend.core.context import Context
from backend.core.errors import FretsawError
from backend.core.node import Params, node
from backend.core.views import plan_of
from backend.data.preprocess import ImageInput
from backend.models.recipe import Recipe, build
from backend.models.registry import zoo
from backend.models.seeded import seeded
from backend.prune.channels import Channels, find_channels
from backend.prune.norms import begin_without_norms
from backend.prune.shrink import shrink_plan
from backend.values import Cost, CutPlan, Generator

_BOUNDS = "Bounds"
_BRANCHES = "Branches"


class TeacherParams(Params):
    """Which inception generator."""

    size: int = Field(
        default=256,
        ge=16,
        le=2048,
        multiple_of=4,
        title="Picture size",
        description="Height and width that MACs are counted for; others fit, too.",
        json_schema_extra={"unit": "px"},
    )
    width: int = Field(
        default=64,
        ge=4,
        le=256,
        title="Width",
        description="Channels after the first convolution; doubled twice.",
        json_schema_extra={"origin": "paper"},
    )
    blocks: int = Field(
        default=9,
        ge=1,
        le=32,
        title="Blocks",
        description="Inception residual blocks.",
        json_schema_extra={"origin": "paper"},
    )
    residual_kernels: str = Field(
        default="1,3,5",
        title="Residual kernels",
        description="Kernel sizes of the residual branches; empty for none.",
        json_schema_extra={"group": _BRANCHES, "origin": "paper"},
    )
    depthwise_kernels: str = Field(
        default="1,3,5",
        title="Depth-wise kernels",
        description="Kernel sizes of the depth-wise branches; empty for none.",
        json_schema_extra={"group": _BRANCHES, "origin": "paper"},
    )
    reduction: int = Field(
        default=6,
        ge=1,
        le=64,
        title="Reduction",
        description="Hidden width of a branch: block width divided by this.",
        json_schema_extra={"group": _BRANCHES, "origin": "paper"},
    )
    norm: Literal["batch", "instance"] = Field(
        default="batch",
        title="Norm",
        description="Batch for paired data, instance for unpaired; both with a scale.",
        json_schema_extra={"origin": "paper"},
    )
    resize: Literal["transposed", "nearest"] = Field(
        default="transposed",
        title="Up-sampling",
        description="Transposed convolutions (paper), or nearest and convolution (for phones).",
        json_schema_extra={"origin": "paper"},
    )


@node("cat.teacher", title="CAT teacher")
def cat_teacher(ctx: Context, p: TeacherParams) -> Generator:
    """Make the untrained inception generator: teacher and search space in one.

    Train it with Train image to image. Its norms' scales then say which channels matter.

    Source: Jin et al., Teachers Do More Than Teach (CAT), CVPR 2021, sec. 3.1
    """
    recipe = Recipe(
        zoo(
            "inception_generator",
            width=p.width,
            blocks=p.blocks,
            residual_kernels=p.residual_kernels,
            depthwise_kernels=p.depthwise_kernels,
            reduction=p.reduction,
            norm=p.norm,
            resize=p.resize,
        )
    )
    with seeded(ctx.seed):
        module = build(recipe, meta=False)
        initialise(module)
    image = ImageInput(3, p.size, p.size, (0.5,) * 3, (0.5,) * 3)
    return Generator(recipe, module, image, "CAT teacher")


class PlanParams(Params):
    """How small, and what must stay."""

    ratio: float = Field(
        default=0.1,
        gt=0,
        le=1,
        title="Target ratio",
        description="Cost of the student over that of the teacher; used without a target.",
    )
    target: float | None = Field(
        default=None,
        gt=0,
        title="Target",
        description="Cost of the student: GMAC, or the unit of the linked cost (such as ms).",
    )
    convention: Literal["output", "input"] = Field(
        default="output",
        title="MAC convention",
        description="Transposed convolutions by output size, as papers on GANs do, or by input "
        "size, the true work.",
        json_schema_extra={"origin": "paper", "labels": {"output": "Paper", "input": "True work"}},
    )
    lower: int = Field(
        default=16,
        ge=1,
        le=512,
        title="Least width",
        description="Of every layer outside the branches; branches may vanish.",
        json_schema_extra={"group": _BOUNDS, "origin": "paper"},
    )
    upper: int | None = Field(
        default=None,
        ge=1,
        title="Most at the input",
        description="Of the first layer.",
        json_schema_extra={"group": _BOUNDS},
    )
    stream: int | None = Field(
        default=None,
        ge=1,
        title="Least in the blocks",
        description="Of the stream through the residual blocks.",
        json_schema_extra={"group": _BOUNDS},
    )
    multiple: int = Field(
        default=1,
        ge=1,
        le=64,
        title="Round up to",
        description="Widths in multiples of this; 8 suits phones, 1 is the paper's.",
        json_schema_extra={"group": _BOUNDS, "origin": "paper"},
    )
    choice: Literal["scores", "uniform"] = Field(
        default="scores",
        title="Channels by",
        description="Norm scales, or uniformly narrower at the same cost (a baseline).",
        json_schema_extra={"labels": {"scores": "Norm scales", "uniform": "Uniform"}},
    )


class Planned(NamedTuple):
    """The plan that was found."""

    plan: CutPlan


@node("cat.plan", title="CAT plan", views=("plan",))
def cat_plan(ctx: Context, p: PlanParams, model: Generator, cost: Cost | None = None) -> Planned:
    """Find the widths of a student of a target cost: one threshold on all norm scales, no training.

    A linked cost (milliseconds of this computer or of a phone) replaces MACs; it is taken as
    proportional to each layer's channels, and a phone's figure for the whole network as spread
    over its layers by their true work. So measure the student afterwards.

    Source: Jin et al., Teachers Do More Than Teach (CAT), CVPR 2021, sec. 3.2
    """
    size = (model.image.channels, model.image.height, model.image.width)
    convention = p.convention if cost is None else "input"
    channels = find_channels(model.module, size, convention=convention)
    space = _space(p, model, channels, cost)
    full = space.bounds()[1]
    scale = 1e9 if cost is None else 1.0
    target = p.target * scale if p.target is not None else p.ratio * full
    if p.choice == "uniform":
        widths = space.uniform(target)
        threshold, found = 0.0, space.cost(widths)
    else:
        plan = space.search(target)
        widths, threshold, found = plan.widths, plan.threshold, plan.cost
    ctx.view(plan_of(space, widths, target), name="channels")
    unit = space.unit
    ctx.metric(0, cost=found, teacher_cost=full, ratio=found / full, threshold=threshold)
    ctx.log(
        f"{spelled(found, unit)} of {spelled(full, unit)} ({full / max(found, 1e-12):.1f} times "
        f"less), target {spelled(target, unit)}."
    )
    kept = space.keep(widths)
    return Planned(CutPlan(space, widths, kept, threshold, size))


class ShrinkParams(Params):
    """What the student begins with."""

    inherit: bool = Field(
        default=False,
        title="Inherit weights",
        description="Begin with the teacher's weights; off as in the paper's code.",
        json_schema_extra={"origin": "paper"},
    )
    norms: Literal["keep", "drop"] = Field(
        default="keep",
        title="Norms",
        description="As in the teacher (paper), or none: better for edits of colours, which an "
        "instance norm forgets.",
        json_schema_extra={"labels": {"keep": "As the teacher", "drop": "None (extra)"}},
    )

    @model_validator(mode="after")
    def _weights_fit(self) -> ShrinkParams:
        if self.inherit and self.norms == "drop":
            raise ValueError(
                "Inherited weights are worth nothing without their norms; keep the norms, or begin "
                "with new weights."
            )
        return self


@node("cat.shrink", title="CAT shrink")
def cat_shrink(ctx: Context, p: ShrinkParams, model: Generator, plan: CutPlan) -> Generator:
    """Cut the student out of the teacher as planned.

    Without inheritance only the architecture survives: the weights are new.

    Source: Jin et al., Teachers Do More Than Teach (CAT), CVPR 2021, sec. 3.2
    """
    channels = find_channels(model.module, plan.size)
    if {g.name: g.width for g in channels.groups.values()} != plan.space.full_widths:
        raise FretsawError(
            f"The plan was made for another network than {model.label}.",
            "Link the same network to the plan and to this node.",
        )
    label = f"{model.label} student"
    student = model.transformed("shrink.channels", shrink_plan(channels, plan.keep), label=label)
    if p.norms == "drop":
        student = student.transformed("norm.drop", {}, label=label)
    student.facts["epochs"] = 0
    if not p.inherit:
        with seeded(ctx.seed):
            begin = initialise if p.norms == "keep" else begin_without_norms
            begin(student.module)
    return student


def initialise(module: nn.Module) -> None:
    """Give convolutions N(0, 0.02) and norms N(1, 0.02) with zero shift, as CAT's code does."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            is_bound = parametrize.is_parametrized(part, "weight")  # spectral norm
            weight = part.parametrizations.weight.original if is_bound else part.weight
            nn.init.normal_(weight, 0.0, 0.02)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
        elif isinstance(part, nn.BatchNorm2d | nn.InstanceNorm2d) and part.affine:
            nn.init.normal_(part.weight, 1.0, 0.02)
            nn.init.zeros_(part.bias)
            if part.track_running_stats:
                part.reset_running_stats()


def _space(p: PlanParams, model: Generator, channels: Channels, cost: Cost | None) -> ChannelSpace:
    groups = []
    movable = [group for group in channels.groups.values() if not group.fixed]
    stream = max(movable, key=lambda group: len(group.cuts), default=None)
    for group in channels.groups.values():
        lower = 0 if group.can_vanish else p.lower * group.step
        if group is stream and p.stream is not None:
            lower = max(lower, p.stream)
        first = bool(movable) and group is movable[0]
        groups.append(
            ScoreGroup(
                name=group.name,
                width=group.width,
                scores=tuple(channels.scores(model.module, group.name)),
                lower=lower,
                upper=p.upper if first else None,
                stage=group.norm,
                step=group.step,
            )
        )
    if not any(group.scores for group in groups):
        raise FretsawError(
            f"{model.label} has no norm with a scale whose channels may leave, so nothing is cut.",
            "Use a generator with affine batch or instance norms, such as the CAT teacher.",
        )
    terms = [
        CostTerm(layer=t.layer, factor=t.factor, inputs=t.inputs, outputs=t.outputs, needs=t.needs)
        for t in channels.terms
    ]
    if cost is None:
        unit = "MAC"
    else:
        unit, terms = cost.unit, _costs(model, channels, terms, cost)
    return ChannelSpace(
        groups=tuple(groups),
        terms=tuple(terms),
        unit=unit,
        convention=p.convention if cost is None else "",
        multiple=p.multiple,
    )


def _costs(
    model: Generator, channels: Channels, terms: list[CostTerm], cost: Cost
) -> list[CostTerm]:
    """Return the terms in the unit of ``cost``: each layer's figure, spread over its MACs."""
    from backend.methods.phone import NETWORK
    from backend.methods.profile import key
    from backend.profile import macs_table

    image = model.image
    example = torch.zeros(1, image.channels, image.height, image.width)
    layers = macs_table(copy.deepcopy(model.module).cpu().eval(), example).layers
    sizes = {name: group.width for name, group in channels.groups.items()}

    def full(term: CostTerm) -> float:
        sides = (term.inputs, term.outputs)
        a, b = (side if isinstance(side, int) else sizes[side] for side in sides)
        return term.factor * a * b

    macs: dict[str, float] = {}
    for term in terms:
        macs[term.layer] = macs.get(term.layer, 0.0) + full(term)
    if NETWORK in cost.table:  # one figure for all layers together
        share = cost.table[NETWORK] / sum(macs.values())
        return [term.model_copy(update={"factor": term.factor * share}) for term in terms]
    made = []
    for term in terms:
        operations = layers.get(term.layer, ())
        try:
            figure = cost.total(key(operation) for operation in operations)
        except KeyError:
            raise FretsawError(
                f'The linked cost has no figure for the layer "{term.layer}".',
                "Measure the cost of the same network, at the same picture size.",
            ) from None
        share = figure / macs[term.layer] if macs[term.layer] else 0.0
        made.append(term.model_copy(update={"factor": term.factor * share}))
    return made
