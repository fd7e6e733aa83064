"""Activations of encoder layers that are computed a second time in the backward pass, in place of being kept.

A layer then keeps its input alone. Its dropout masks are drawn from the same random state both times, so that losses
and gradients are those of a run that keeps everything (Chen et al. 2016, arXiv 1604.06174).
"""

from __future__ import annotations

import warnings
from typing import Any

from torch import nn

from iemomecp_dataset.errors import UsageError

__all__ = ["recompute_activations"]

_HOW = {"use_reentrant": False}
"""Torch's way that takes frozen layers, keyword arguments, and parameters without a gradient."""


def recompute_activations(model: nn.Module) -> None:
    """Recomputes the activations of a model's pretrained encoder or language model in the backward pass.

    Only training is affected: a model in evaluation mode keeps no activations.

    Args:
        model: A model that trains a part from transformers.

    Raises:
        UsageError: It has no such part, or the part cannot do so.
    """
    from transformers import PreTrainedModel

    found: Any = None
    if getattr(model, "supports_gradient_checkpointing", False):
        found = model  # it passes it on
    else:
        parts = [one for one in model.modules() if one is not model and isinstance(one, PreTrainedModel)]
        found = next((part for part in parts if any(p.requires_grad for p in part.parameters())), None)
    if found is None:
        raise UsageError(
            "--gradient_checkpointing recomputes the layers of a pretrained encoder, and "
            f"{type(model).__name__} trains none. Leave it out."
        )
    if not found.supports_gradient_checkpointing:
        raise UsageError(
            f"--gradient_checkpointing: {type(found).__name__} of transformers cannot recompute its layers. Leave it "
            "out, or give another --text_encoder."
        )
    with warnings.catch_warnings():
        # The newer name exists since transformers 5.2 alone.
        warnings.filterwarnings("ignore", message=".*gradient_checkpointing", category=FutureWarning)
        found.gradient_checkpointing_enable(_HOW)
