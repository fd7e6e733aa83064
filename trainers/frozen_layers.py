"""Keeping the lowest layers of a trained encoder as they are."""

from __future__ import annotations

from torch import nn

from iemomecp_dataset.errors import UsageError

__all__ = ["freeze_lowest"]


def freeze_lowest(encoder: nn.Module, count: int) -> None:
    """Takes the embeddings and the lowest layers of an encoder out of training.

    They hold what any language needs; on a small corpus to train them costs time and overfits (Lee, Tang and Lin 2019,
    arXiv 1911.03090). No gradient is computed below the lowest trained layer.

    Args:
        encoder: A transformers encoder with a list of its ``num_hidden_layers`` layers.
        count: How many layers; with 0 nothing is frozen, the embeddings neither.

    Raises:
        UsageError: The encoder has fewer layers, or keeps them otherwise.
    """
    if not count:
        return
    depth = int(encoder.config.num_hidden_layers)  # type: ignore[union-attr, arg-type]
    if count > depth:
        raise UsageError(f"--frozen_layers {count} is more than the encoder's {depth} layers.")
    layers = next((m for m in encoder.modules() if isinstance(m, nn.ModuleList) and len(m) == depth), None)
    if layers is None:
        raise UsageError(
            f"--frozen_layers does not know where {type(encoder).__name__} keeps its {depth} layers (no list of so "
            "many). Leave it out."
        )
    trained = {id(parameter) for layer in layers[count:] for parameter in layer.parameters()}
    # What lies above the layers, such as a last norm, is trained; what lies beside or below them is not.
    above = [m for name, m in encoder.named_children() if "norm" in name.lower() or "pool" in name.lower()]
    trained |= {id(parameter) for module in above for parameter in module.parameters()}
    for parameter in encoder.parameters():
        if id(parameter) not in trained:
            parameter.requires_grad_(False)
