"""The options of an F8Net network: what the plan of the transform ``quantize.f8net`` may say."""

from __future__ import annotations

import difflib
import types
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from backend.quant.fixed_point import QuantError


@dataclass(frozen=True)
class F8Options:
    """How a float network becomes an F8Net network; JSON data in a recipe.

    Source: Jin et al., F8Net, ICLR 2022; the names in brackets are those of its reference options.
    """

    wl: int = 8
    """Word length of weights and activations in bits, sign included."""
    input_wl: int = 8
    """Word length of the picture at the first layer; pictures are 8-bit data."""
    image: Literal["signed", "unit"] = "signed"
    """``unit``: the picture is uint8 / 255 and its codes are used as they are (FL 8, no rounding at
    all). ``signed``: any other preprocessing, for instance mean and std; own FL, signed."""
    selector: Literal["auto", "std", "mae", "rms", "grid"] = "auto"
    """What chooses fraction lengths: a statistic (8 bits only) or least squared error. ``auto`` is
    std for 8 bits, grid otherwise, without clipping and for weights with one format a channel: a
    channel of few weights has no telling deviation."""
    std_source: Literal["pre_relu", "raw_input"] = "pre_relu"
    """``pre_relu``: the statistic is taken before the ReLU, for which the rule is calibrated.
    ``raw_input``: whatever arrives at the layer, as in the reference code."""
    alpha: float = 8.0
    """Initial clip level; a ReLU6 starts at 6."""
    granularity: Literal["layer", "channel"] = "layer"
    """One weight format a layer, or one for each output channel. Inputs have one format a layer,
    so that a sum over channels stays an integer sum. With selector ``auto`` the formats of channels
    are found by least squared error."""
    train_fl: Literal["batch", "running"] = "batch"
    """In training, quantize activations with the FL of this batch (published) or with the rounded
    running FL that scales and evaluation use."""
    fl_units: Literal["real", "scaled"] = "real"
    """Judge activations in the float network's units, or as they arrive, divided by their scale
    (reference code). The scale holds 2^FL itself, so ``scaled`` feeds an FL back into the next one:
    it runs to the end of its range where the clip level does not suit the rule."""
    bn_gradient: bool = True
    """Let the gradient flow through the batch statistics that are folded into the weights."""
    no_clipping: bool = False
    """No learned clip level, all scales 1: for fine-tuning a public network in few steps."""
    quant_bias: bool = True
    """In evaluation, biases are 32-bit fixed point of FL_input + FL_weight. A layer whose biases do
    not fit (words of about 14 bits or more) keeps them as floating-point numbers."""
    rescale: Literal["off", "constant", "stddev"] = "off"
    """Rescaling of the last linear layer's weights in training (published: ``constant``).
    Evaluation divides the bias instead, so its logits are those of training divided by one
    positive number. ``off`` folds the scale like in every other layer and keeps true logits."""
    fl_range: Literal["auto", "legal", "any"] = "auto"
    """``legal``: 0 .. WL - signed. ``any``: every power of two, where grid search chooses. ``auto``
    is legal for 8 bits and any for the rest, where weights would waste the few codes they have."""
    paper_code_shortcut: bool = False
    """Leave out the shift of identity shortcuts between different FL, as the reference does."""
    shape: tuple[int, ...] | None = None
    """Channels, height and width of the picture, if the network asks for shapes in its code."""

    @classmethod
    def from_plan(cls, plan: Mapping[str, Any]) -> F8Options:
        """Read a plan; a missing option keeps its default.

        Raises:
            QuantError: an unknown option or a value that does not fit, with the remedy.
        """
        hints = get_type_hints(cls)
        for name, value in plan.items():
            if name not in hints:
                near = difflib.get_close_matches(name, hints, n=1)
                hint = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(hints)}."
                raise QuantError(f"F8Net has no option '{name}'; {hint}")
            if not _fits(value, hints[name]):
                raise QuantError(
                    f"The F8Net option {name} cannot be {value!r}; it must be "
                    f"{_words(hints[name])}."
                )
        values = dict(plan)
        if values.get("shape") is not None:
            values["shape"] = tuple(values["shape"])
        options = cls(**values)
        options._check()
        return options

    def to_plan(self) -> dict[str, Any]:
        """Return what differs from the defaults, as JSON data."""
        default = F8Options()
        plan = {name: one for name, one in asdict(self).items() if one != getattr(default, name)}
        return {name: list(one) if isinstance(one, tuple) else one for name, one in plan.items()}

    @property
    def rule(self) -> str:
        """The selector in force."""
        if self.selector != "auto":
            return self.selector
        return "std" if self.wl == 8 and not self.no_clipping else "grid"

    @property
    def weight_rule(self) -> str:
        """The selector in force for weights."""
        is_own = self.selector == "auto" and self.granularity == "channel"
        return "grid" if is_own else self.rule

    @property
    def weights_any(self) -> bool:
        """Whether weights may take any power of two."""
        return self.fl_range == "any" or (self.fl_range == "auto" and self.wl != 8)

    @property
    def inputs_any(self) -> bool:
        """Whether activations may: only with scales of 1, since a scale would chase its own FL."""
        return self.weights_any and self.no_clipping

    def _check(self) -> None:
        for name in ("wl", "input_wl"):
            if not 2 <= getattr(self, name) <= 16:
                raise QuantError(f"The F8Net option {name} must be 2 to 16 bits.")
        if self.alpha <= 0:
            raise QuantError("The F8Net option alpha must be above 0.")
        if self.rule != "grid" and not self.wl == self.input_wl == 8:
            raise QuantError(
                f"The rule '{self.rule}' is known for 8 bits only; choose the selector 'grid'."
            )
        if self.fl_range == "any" and self.rule != "grid":
            raise QuantError("fl_range 'any' needs the selector 'grid': a statistic has its range.")


PRESETS: dict[str, dict[str, Any]] = {
    # Conventional training as published, from a float network trained with the same clips.
    "conventional": {"rescale": "constant"},
    # The same with what the reference code does beside the text.
    "reference_code": {
        "rescale": "constant",
        "fl_units": "scaled",
        "std_source": "raw_input",
        "paper_code_shortcut": True,
    },
    # A public checkpoint, few steps, small or no learning rate.
    "fine_tuning": {"no_clipping": True},
    # The baseline without training: nearest power-of-two formats, found by `f8_training.calibrate`.
    "rounding": {"no_clipping": True, "selector": "grid", "fl_range": "any"},
}
"""Plans by name, to be merged with word length, picture and the rest."""


def _fits(value: Any, hint: Any) -> bool:
    if get_origin(hint) is Literal:
        return value in get_args(hint) and isinstance(value, str)
    if get_origin(hint) in (Union, types.UnionType):
        is_shape = isinstance(value, list | tuple) and len(value) == 3
        return value is None or (is_shape and all(_fits(one, int) and one > 0 for one in value))
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is hint


def _words(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return "one of " + ", ".join(map(repr, get_args(hint)))
    return {int: "a whole number", float: "a number", bool: "true or false"}.get(
        hint, "three whole numbers: channels, height, width"
    )
