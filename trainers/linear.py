"""Linear layers that are as fast as the CPU allows.

Torch multiplies float32 matrices with MKL, which leaves half of the vector units of AMD's processors idle; oneDNN,
which torch brings too and compiled models call, does not. Where both use them all, neither is slower. The sums are the
same up to rounding.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

__all__ = ["Linear", "use_fast_linear"]

# Multiplications below which the detour costs more than it saves.
_WORTHWHILE = 1 << 21


class Linear(nn.Linear):
    """What :class:`torch.nn.Linear` computes, forwards and backwards, multiplied by oneDNN on a CPU with AVX-512.

    Example:
        >>> layer, inputs = Linear(256, 256), torch.randn(64, 256)
        >>> torch.allclose(layer(inputs), torch.nn.functional.linear(inputs, layer.weight, layer.bias), atol=1e-5)
        True
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's name
        """``(..., in_features)`` to ``(..., out_features)``."""
        # Other types (under autocast, say) torch itself gives to oneDNN; sharded weights are tensors of a kind.
        if (
            input.numel() * self.out_features < _WORTHWHILE
            or not input.dtype == self.weight.dtype == torch.float32
            or not input.device.type == self.weight.device.type == "cpu"
            or torch.is_autocast_enabled("cpu")
            or type(self.weight) not in (nn.Parameter, Tensor)
            or not _available()
        ):
            return F.linear(input, self.weight, self.bias)
        product: Tensor = _OneDnnLinear.apply(input.reshape(-1, self.in_features), self.weight, self.bias)  # type: ignore[no-untyped-call]
        return product.view(*input.shape[:-1], self.out_features)


def use_fast_linear(module: nn.Module) -> None:
    """Makes every ``nn.Linear`` within a module a :class:`Linear`, with the same parameters."""
    for child in module.modules():
        if type(child) is nn.Linear:
            child.__class__ = Linear


def _available() -> bool:
    return torch.backends.cpu.get_cpu_capability() == "AVX512" and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def _product(left: Tensor, right: Tensor, bias: Tensor | None = None) -> Tensor:
    """``left @ right.T + bias`` of matrices in any layout."""
    # A gradient that is one number everywhere comes as a view without strides, which oneDNN does not take.
    left = left if 0 not in left.stride() else left.contiguous()
    result: Tensor = torch.ops.mkldnn._linear_pointwise(left, right, bias, "none", [], "")
    return result


class _OneDnnLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(inputs, weight)
        return _product(inputs, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        inputs, weight = ctx.saved_tensors
        for_inputs, for_weight, for_bias = ctx.needs_input_grad
        return (
            _product(gradient, weight.t()) if for_inputs else None,
            _product(gradient.t(), inputs.t()) if for_weight else None,
            gradient.sum(dim=0) if for_bias else None,
        )
