"""A generator that is told by text which edit to make, the base of E2GAN.

Down-sampling, two residual blocks, a transformer block at half the size again, a residual block,
up-sampling. There is no transposed convolution: adapters of peft know none, and phones prefer
nearest up-sampling and a convolution.
Source: Gong et al., E2GAN, ICML 2024, fig. 3 (macro layout); widths as in pix2pix; inner details of
the transformer block are ours.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backend.models.errors import RecipeError
from backend.models.layers import require_positive
from backend.models.recipe import transform
from backend.models.registry import network

GROUPS = ("down", "rb_before", "ds", "tb", "us", "rb_after", "up")
"""Parts of the generator, in order: the names of its children."""
Norm = Literal["instance", "plain", "none"]
"""Instance norm with or without a scale and shift of each channel, or none. Norms that keep means
of a training are not offered: an adapter would change them, and they are not stored with it."""


class ConceptGenerator(nn.Module):
    """Maps pictures (N, 3, H, W) in -1..1 and text tokens (N, T, D) to edited pictures.

    H and W are multiples of 8. Once a concept is fixed (:func:`fix_concept`), the text is not
    needed any more.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        text_dim: int,
        blocks: tuple[int, int],
        halved: bool = True,
        norm: Norm = "instance",
    ) -> None:
        super().__init__()
        w, c = width, 4 * width
        self.down = nn.Sequential(
            *_conv(3, w, 7, norm=norm),
            *_conv(w, 2 * w, 3, stride=2, norm=norm),
            *_conv(2 * w, c, 3, stride=2, norm=norm),
        )
        self.rb_before = nn.Sequential(*(ResidualBlock(c, norm) for _ in range(blocks[0])))
        self.ds = nn.Sequential(*_conv(c, c, 3, stride=2 if halved else 1, norm=norm))
        self.tb = TransformerBlock(c, heads, text_dim)
        self.us = nn.Sequential(
            nn.Upsample(scale_factor=2, mode="nearest") if halved else nn.Identity(),
            *_conv(c, c, 3, norm=norm),
        )
        self.rb_after = nn.Sequential(*(ResidualBlock(c, norm) for _ in range(blocks[1])))
        self.up = nn.Sequential(
            nn.Upsample(scale_factor=2, mode="nearest"),
            *_conv(c, 2 * w, 3, norm=norm),
            nn.Upsample(scale_factor=2, mode="nearest"),
            *_conv(2 * w, w, 3, norm=norm),
            nn.ReflectionPad2d(3),
            nn.Conv2d(w, 3, 7),
            nn.Tanh(),
        )

    def forward(self, x: Tensor, text: Tensor | None = None) -> Tensor:
        """Return the edited pictures (N, 3, H, W)."""
        x = self.rb_before(self.down(x))
        y = self.us(self.tb(self.ds(x), text))
        return self.up(self.rb_after(y))


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions with norms beside the identity."""

    def __init__(self, channels: int, norm: Norm = "instance") -> None:
        super().__init__()
        layers = [layer for _ in range(2) for layer in _conv(channels, channels, 3, norm=norm)]
        self.body = nn.Sequential(*layers[:-1])

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        return x + self.body(x)


class TransformerBlock(nn.Module):
    """Self-attention over positions, cross-attention to text, feed-forward; each added.

    ``key`` and ``value`` (1, heads, T, C / heads) hold the projected text of a fixed concept.
    """

    def __init__(self, channels: int, heads: int, text_dim: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(channels) for _ in range(3))
        self.q1, self.k1, self.v1, self.o1 = (nn.Linear(channels, channels) for _ in range(4))
        self.q2, self.o2 = nn.Linear(channels, channels), nn.Linear(channels, channels)
        self.k2, self.v2 = nn.Linear(text_dim, channels), nn.Linear(text_dim, channels)
        self.ff1, self.ff2 = nn.Linear(channels, 4 * channels), nn.Linear(4 * channels, channels)
        self.register_buffer("key", None)
        self.register_buffer("value", None)

    def forward(self, x: Tensor, text: Tensor | None) -> Tensor:
        """Map (N, C, H, W) and tokens (N, T, D) to (N, C, H, W).

        Raises:
            ValueError: no text, and no concept is fixed.
        """
        n, c, h, w = x.shape
        t = x.flatten(2).transpose(1, 2)  # (N, H W, C)
        y = self.norm1(t)
        t = t + self.o1(self._attend(self.q1(y), self._split(self.k1(y)), self._split(self.v1(y))))
        key, value = self._text(text)
        t = t + self.o2(self._attend(self.q2(self.norm2(t)), key, value))
        t = t + self.ff2(F.gelu(self.ff1(self.norm3(t))))
        return t.transpose(1, 2).reshape(n, c, h, w)

    def project(self, text: Tensor) -> tuple[Tensor, Tensor]:
        """Return key and value (N, heads, T, C / heads) of text tokens (N, T, D)."""
        return self._split(self.k2(text)), self._split(self.v2(text))

    def _text(self, text: Tensor | None) -> tuple[Tensor, Tensor]:
        if text is not None:
            return self.project(text)
        if self.key is None or self.value is None:
            raise ValueError("This generator needs a text, or a fixed concept.")
        return self.key, self.value

    def _split(self, t: Tensor) -> Tensor:
        return t.unflatten(2, (self.heads, -1)).transpose(1, 2)

    def _attend(self, q: Tensor, key: Tensor, value: Tensor) -> Tensor:
        q = self._split(q)
        # Spelled out: it exports to plain MatMul and Softmax, which every runtime is quick at.
        scores = (q * q.shape[-1] ** -0.5) @ key.transpose(2, 3)
        return (scores.softmax(-1) @ value).transpose(1, 2).flatten(2)


class Prompted(nn.Module):
    """A concept generator that is told which of some texts (C, T, D) each picture is edited by.

    ``which`` holds an index (N,) for each picture of the next pass; None takes the first text for
    all of them.
    """

    def __init__(self, network: nn.Module, texts: Tensor) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("texts", texts, persistent=False)
        self.which: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Return the edited pictures (N, 3, H, W).

        Raises:
            ValueError: ``which`` was set for another number of pictures.
        """
        if self.which is None:
            return self.network(x, self.texts[:1].expand(len(x), -1, -1))
        if len(self.which) != len(x):
            raise ValueError(f"{len(x)} pictures came, {len(self.which)} texts were named.")
        return self.network(x, self.texts[self.which.to(self.texts.device)])


@network("concept_generator")
def concept_generator(
    width: Annotated[int, "Channels at full size; 64 as in pix2pix, 12 for a phone."] = 64,
    heads: Annotated[int, "Attention heads."] = 8,
    text_dim: Annotated[int, "Length of one text token's vector."] = 384,
    blocks_before: Annotated[int, "Residual blocks before the transformer block."] = 2,
    blocks_after: Annotated[int, "Residual blocks after it."] = 1,
    halved: Annotated[bool, "Halve the map around the transformer block."] = True,
    norm: Annotated[Norm, "Norm behind convolutions."] = "instance",
) -> nn.Module:
    """Text-conditioned generator of E2GAN."""
    require_positive("concept_generator", width=width, heads=heads, text_dim=text_dim)
    if (4 * width) % heads:
        raise RecipeError(
            f"{4 * width} channels cannot be shared by {heads} heads; choose a number of heads "
            "that divides them."
        )
    return ConceptGenerator(width, heads, text_dim, (blocks_before, blocks_after), halved, norm)


@transform("concept.fix", version=1)
def fix_concept_shape(module: nn.Module, plan: dict[str, Any]) -> nn.Module:
    """Give a concept generator room for one projected text of ``plan["tokens"]`` tokens."""
    block = _transformer(module)
    head = block.q2.in_features // block.heads
    shape = (1, block.heads, plan["tokens"], head)
    like = block.q2.weight
    block.key = torch.zeros(shape, dtype=like.dtype, device=like.device)
    block.value = torch.zeros(shape, dtype=like.dtype, device=like.device)
    return module


@torch.no_grad()
def fix_concept(module: nn.Module, text: Tensor) -> None:
    """Store the projected tokens (T, D) of one concept in a network with room for them.

    Afterwards ``module(x)`` equals ``module(x, text)``, and the text is not needed.
    """
    block = _transformer(module)
    key, value = block.project(text[None].to(block.k2.weight))
    block.key.copy_(key)
    block.value.copy_(value)


def _transformer(module: nn.Module) -> TransformerBlock:
    block = getattr(module, "tb", None)
    if not isinstance(block, TransformerBlock):
        raise RecipeError("Only a concept generator can be given a fixed concept.")
    return block


def _conv(
    inputs: int, outputs: int, kernel: int, stride: int = 1, norm: Norm = "instance"
) -> list[nn.Module]:
    # Reflection as a module of its own: the adapters' convolutions take over stride and padding
    # of a layer, but not its padding mode.
    return [
        nn.ReflectionPad2d(kernel // 2),
        nn.Conv2d(inputs, outputs, kernel, stride),
        nn.Identity() if norm == "none" else nn.InstanceNorm2d(outputs, affine=norm == "instance"),
        nn.ReLU(),
    ]
