"""A convolution whose adapter is two matrices; their product is reshaped to the kernel.

peft has adapters of two convolutions only, so it is handed a module for the other form.
Source: loralib, ``ConvLoRA``; Hu et al., LoRA, ICLR 2022.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backend.distill.lora import delta


class Factor(nn.Module):
    """One of both factors; ``weight`` is where peft's layers have it."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(shape))


@functools.cache
def matrix_conv() -> type[nn.Module]:
    """Return the class of the module; peft is imported here and not before."""
    from peft.tuners.lora.layer import Conv2d

    class MatrixConv2d(Conv2d):
        """Adds scale * B A, reshaped to the kernel, to a convolution's weight.

        A (r, k, in k) is drawn as a matrix (r k, in k) is, B (out, r, k, k) is zero at the start.
        """

        def update_layer(
            self, adapter_name: str, r: int, lora_alpha: float, config: Any, **kwargs: Any
        ) -> None:
            """Make the adapter ``adapter_name`` of rank ``r``."""
            base = self.get_base_layer()
            side = base.kernel_size[0]
            self.r[adapter_name] = r
            self.lora_alpha[adapter_name] = lora_alpha
            self.scaling[adapter_name] = lora_alpha / r
            self.lora_dropout[adapter_name] = nn.Identity()
            self.lora_bias[adapter_name] = self.use_rslora[adapter_name] = False
            self.use_dora[adapter_name] = False
            a = Factor(r, side, base.in_channels * side)
            nn.init.kaiming_uniform_(a.weight.data.flatten(0, 1), a=math.sqrt(5))
            self.lora_A[adapter_name] = a
            self.lora_B[adapter_name] = Factor(base.out_channels, r, side, side)
            self._move_adapter_to_device_of_base_layer(adapter_name)
            self.set_adapter(self.active_adapters, inference_mode=config.inference_mode)

        def get_delta_weight(self, adapter: str) -> Tensor:
            """Return the change (out, in, k, k) of the weight."""
            a, b = self.lora_A[adapter].weight, self.lora_B[adapter].weight
            return delta(a, b, tuple(self.get_base_layer().weight.shape), self.scaling[adapter])

        def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
            """Convolve (N, in, H, W) with the changed weight."""
            base = self.get_base_layer()
            weight = base.weight
            for name in () if self.merged or self.disable_adapters else self.active_adapters:
                if name in self.lora_A:
                    weight = weight + self.get_delta_weight(name)
            return F.conv2d(x, weight, base.bias, base.stride, base.padding)

    return MatrixConv2d
