"""Operations of a model as torch counts them, and the rate of large matrix products."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from iemomecp_dataset.benchmark.speed.gpu.clock import event_seconds

if TYPE_CHECKING:
    import torch

__all__ = ["counted_flops", "matmul_tflops"]


def counted_flops(action: Callable[[], object]) -> int:
    """Counts the operations of matrix products, convolutions and attention; padding is counted as computed.

    A product of ``(m, k)`` and ``(k, n)`` has ``2 m k n``. What is done element by element is not counted: norms,
    activations, the optimizer.

    Args:
        action: Runs the model, forwards and backwards if it is trained.

    Returns:
        The count.

    Example:
        >>> import torch
        >>> counted_flops(lambda: torch.ones(3, 4) @ torch.ones(4, 5))
        120
    """
    import torch
    from torch.utils import flop_counter as torch_counter

    flop_counter: Any = torch_counter  # without types

    def forward(query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
        return int(flop_counter.sdpa_flop_count(query, key, value))

    def backward(gradient: Any, query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
        return int(flop_counter.sdpa_backward_flop_count(gradient, query, key, value))

    # torch counts the attention kernels of a GPU, and not that of a CPU.
    on_cpu = {
        torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: forward,
        torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: backward,
    }
    with flop_counter.FlopCounterMode(display=False, custom_mapping=on_cpu) as counter:
        action()
    return int(counter.get_total_flops())


def matmul_tflops(device: torch.device, dtype: torch.dtype, *, size: int, repeats: int = 20) -> float:
    """Rate of products of two square matrices, in 10^12 operations a second.

    Args:
        device: Where to compute.
        dtype: Of the numbers.
        size: Rows and columns.
        repeats: Products that are measured; the median counts.
    """
    import torch

    generator = torch.Generator(device).manual_seed(0)
    one, other = (torch.randn(size, size, device=device, generator=generator).to(dtype) for _ in range(2))
    result = torch.empty_like(one)
    seconds = event_seconds(lambda: torch.mm(one, other, out=result), device, repeats=repeats)
    return 2 * size**3 / seconds / 1e12
