"""What of an explanation model is trained, and how that part is stored.

``projector``: the projector and the two vectors around the video; ``lora``: low-rank adapters of the language model,
and the projector; ``full``: the language model and the projector. The vision tower is never trained.

A saved folder holds ``model.safetensors`` (the projector), and beside it ``adapter/`` in the layout of ``peft``, or
``language_model/`` and ``vision_tower/`` as transformers saves them. The base model of an adapter is not stored: the
configuration has its name and revision.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from torch import nn

from iemomecp_dataset.errors import UsageError, require_packages

__all__ = ["Tuning", "add_adapter", "base_of", "load_adapter", "save_adapter", "trained_names"]

Tuning = Literal["projector", "lora", "full"]

_ADAPTER_WEIGHTS = "adapter_model.safetensors"


def add_adapter(
    language_model: Any, *, rank: int, alpha: float, dropout: float, targets: str | list[str] = "all-linear"
) -> Any:
    """Wraps a language model with untrained low-rank adapters; everything else in it is frozen.

    Args:
        language_model: The model.
        rank: Rank of the two factors.
        alpha: The product is scaled by ``alpha / rank``.
        dropout: Dropout probability of their input.
        targets: Names of the linear layers that get one, or ``all-linear``: all but the output layer.

    Raises:
        MissingDependencyError: ``peft`` is not installed.
        UsageError: The model has no such layers.
    """
    require_packages("peft", extra="explain")
    from peft import LoraConfig, TaskType, get_peft_model

    task = TaskType.SEQ_2_SEQ_LM if language_model.config.is_encoder_decoder else TaskType.CAUSAL_LM
    config = LoraConfig(r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules=targets, task_type=task)
    try:
        with _without_warnings():
            return get_peft_model(language_model, config)
    except ValueError as error:
        raise UsageError(f"lora_targets {targets!r} do not fit this language model: {error}") from error


def save_adapter(language_model: Any, folder: Path) -> None:
    """Writes the adapters of a wrapped language model in the layout of ``peft``, without the model itself."""
    from peft import get_peft_model_state_dict
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    weights = get_peft_model_state_dict(language_model, save_embedding_layers=False)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    save_file(tensors, folder / _ADAPTER_WEIGHTS, metadata={"format": "pt"})
    config = language_model.peft_config["default"]
    trained, config.inference_mode = config.inference_mode, True
    config.save_pretrained(str(folder))
    config.inference_mode = trained


def load_adapter(language_model: Any, folder: Path) -> Any:
    """Wraps a language model with stored adapters, which can be trained further.

    Raises:
        MissingDependencyError: ``peft`` is not installed.
        UsageError: The adapters belong to a model of another shape.
    """
    require_packages("peft", extra="explain")
    from peft import PeftModel

    try:
        with _without_warnings():
            return PeftModel.from_pretrained(language_model, str(folder), is_trainable=True)
    except (RuntimeError, ValueError) as error:
        first_line = str(error).strip().splitlines()[0]
        raise UsageError(
            f"The adapters in {folder} do not fit the language model ({first_line}). Give the model that they were "
            "trained with as language_model=."
        ) from error


def base_of(language_model: Any) -> Any:
    """The language model itself, without the wrapper that adapters put around it."""
    return language_model.get_base_model() if hasattr(language_model, "peft_config") else language_model


def trained_names(model: nn.Module) -> set[str]:
    """Names of the parameters that are trained; of several names of one parameter the first."""
    return {name for name, parameter in model.named_parameters() if parameter.requires_grad}


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Drops what peft corrects by itself, and what it calls in transformers by an old name."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="fan_in_fan_out is set to")
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated", category=FutureWarning)
        yield
