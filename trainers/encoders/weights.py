"""Weights before training: those of another run to start from, and those of an encoder that stay frozen."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from iemomecp_dataset.errors import UsageError, nearest_path
from iemomecp_dataset.files import read_json
from iemomecp_dataset.trainers.ensemble import SCORER as ENSEMBLE

__all__ = ["depths", "freeze_lowest", "load_initial_weights"]

_logger = logging.getLogger(__name__)
_CATEGORIES = "emotion_category_head."
"""Parameters of the dialogue scorer's head of emotion categories."""


def load_initial_weights(model: nn.Module, folder: str | Path) -> None:
    """Loads the weights of a finished run into a scorer of the same shape.

    A run with a frozen encoder has no encoder in its weights; the scorer then keeps the pretrained one. Training the
    head first and the encoder with it afterwards distorts the encoder less than training both from a random head
    (Kumar et al. 2022, arXiv 2202.10054).

    Args:
        model: The scorer, with its text encoder if it trains one.
        folder: A run folder, or a folder that ``save_pretrained`` wrote.

    The head of emotion categories begins anew where the run predicts others, or none.

    Raises:
        UsageError: There are no weights, they are those of an ensemble's members, or they are of another shape.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    found = [path for path in (Path(folder) / "model", Path(folder)) if (path / "model.safetensors").is_file()]
    if not found:
        _refuse_ensemble(Path(folder))
        raise UsageError(
            f"--init_from: {folder} holds no weights (looked for model/model.safetensors and model.safetensors)."
            f"{nearest_path(folder)} Give the folder of a finished run."
        )
    path = found[0] / "model.safetensors"
    try:
        weights = load_file(path)
    except SafetensorError as error:
        raise UsageError(f"--init_from: {path} cannot be read: {error}.") from error
    weights, own = _without_other_categories(model, weights, found[0]), model.state_dict()
    encoder = {name for name in own if name.startswith("text_encoder.")}
    begun_anew = {name for name in own if name.startswith(_CATEGORIES)} if not _has_categories(weights) else set()
    missing = sorted(own.keys() - weights.keys() - begun_anew - (encoder if not encoder & weights.keys() else set()))
    unknown = sorted(weights.keys() - own.keys())
    reshaped = sorted(name for name in own.keys() & weights.keys() if own[name].shape != weights[name].shape)
    for names, what in (
        (missing, "lacks"),
        (unknown, "has besides"),
        (reshaped, "has in another shape"),
    ):
        if names:
            layers = _layers_of(found[0], own, names[0])
            raise UsageError(
                f"--init_from: the model in {found[0]} is of another shape than this run's: it {what} {names[0]}"
                + (f" and {len(names) - 1} more" if len(names) > 1 else "")
                + f". Give both runs the same modalities, classes and model options{layers}."
            )
    model.load_state_dict(weights, strict=False)


def _layers_of(folder: Path, own: Mapping[str, Tensor], name: str) -> str:
    """Names the option for an input of texts that is of another width: the layers that the earlier run pooled."""
    config = read_json(folder / "config.json") if (folder / "config.json").is_file() else {}
    layers = config.get("text_layers") if isinstance(config, dict) else None
    if not (name.startswith("projections.text.") and name in own and isinstance(layers, list)):
        return ""
    return f" (its --text_layers: {','.join(map(str, layers))})"


def _has_categories(weights: Mapping[str, Tensor]) -> bool:
    return any(name.startswith(_CATEGORIES) for name in weights)


def _without_other_categories(model: nn.Module, weights: dict[str, Tensor], folder: Path) -> dict[str, Tensor]:
    """Leaves out the head of emotion categories if they are others than this run's, or in another order."""
    own = getattr(getattr(model, "config", None), "emotion_names", None)
    config = read_json(folder / "config.json") if (folder / "config.json").is_file() else {}
    stored = config.get("emotion_names") if isinstance(config, dict) else None
    if stored == own:
        return weights
    if own:
        _logger.info("--init_from: %s predicts other emotion categories; their head begins anew.", folder)
    return {name: value for name, value in weights.items() if not name.startswith(_CATEGORIES)}


def _refuse_ensemble(folder: Path) -> None:
    """Says of the folder of an ensemble what it is: the weights are those of its members."""
    for model in (folder / "model", folder):
        if (model / "config.json").is_file():
            config = read_json(model / "config.json")
            if isinstance(config, dict) and config.get("model_type") == ENSEMBLE.model_type:
                raise UsageError(
                    f"--init_from: {folder} is an ensemble, the mean of several runs, which has no weights of its own. "
                    f"Give the folder of one of its runs, such as {model / 'member_1'}."
                )


def freeze_lowest(encoder: nn.Module, count: int) -> None:
    """Freezes the embeddings and the lowest layers of an encoder.

    They carry general features of language; training them on a small corpus costs time and overfits (Lee, Tang and Lin
    2019, arXiv 1911.03090). No gradient is computed below the lowest trained layer.

    Args:
        encoder: A transformers encoder with a list of its ``num_hidden_layers`` layers.
        count: Number of layers; with 0 nothing is frozen, not even the embeddings.

    Raises:
        UsageError: The encoder has fewer layers, or keeps them otherwise.
    """
    if not count:
        return
    layers = _layers(encoder, "--frozen_layers")
    if count > len(layers):
        raise UsageError(f"--frozen_layers {count} is more than the encoder's {len(layers)} layers.")
    trained = {id(parameter) for layer in layers[count:] for parameter in layer.parameters()}
    # Modules above the layers, such as a last norm, are trained; those beside or below them are frozen.
    trained |= {id(parameter) for module in _above(encoder) for parameter in module.parameters()}
    for parameter in encoder.parameters():
        if id(parameter) not in trained:
            parameter.requires_grad_(False)


def depths(encoder: nn.Module) -> dict[int, int]:
    """How far below the top the parameters of an encoder are.

    Args:
        encoder: A transformers encoder with a list of its ``num_hidden_layers`` layers.

    Returns:
        By the id of a parameter 0 for the top layer and what is above it, 1 for the layer below, and so on; for the
        embeddings and whatever else is beside the layers their number.

    Raises:
        UsageError: The encoder keeps its layers otherwise.
    """
    layers = _layers(encoder, "--layer_decay")
    found = {id(parameter): len(layers) for parameter in encoder.parameters()}
    for depth, layer in enumerate(reversed(layers)):
        found |= {id(parameter): depth for parameter in layer.parameters()}
    return found | {id(parameter): 0 for module in _above(encoder) for parameter in module.parameters()}


def _layers(encoder: nn.Module, option: str) -> nn.ModuleList:
    depth = int(encoder.config.num_hidden_layers)  # type: ignore[union-attr, arg-type]
    layers = next((m for m in encoder.modules() if isinstance(m, nn.ModuleList) and len(m) == depth), None)
    if layers is None:
        raise UsageError(
            f"{option} does not know where {type(encoder).__name__} keeps its {depth} layers (no list of so many). "
            "Leave it out."
        )
    return layers


def _above(encoder: nn.Module) -> list[nn.Module]:
    """Modules above the layers."""
    return [m for name, m in encoder.named_children() if "norm" in name.lower() or "pool" in name.lower()]
