"""What of an explanation model is trained, and how that part is stored.

``projector``: the projector and the two vectors around the video; ``lora``: low-rank adapters of the language model,
and the projector; ``full``: the language model and the projector; ``none``: nothing. The vision tower is never trained.

A saved folder holds ``model.safetensors`` (the projector), and beside it ``adapter/`` in the layout of ``peft``, or
``language_model/`` and ``vision_tower/`` as transformers saves them. The base model of an adapter is not stored: the
configuration has its name and revision. So it has for a fully tuned one of an earlier run that was not trained further.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from typing import Any, Literal

from torch import nn

from iemomecp_dataset.errors import MissingModelError, UsageError, nearest_path, require_packages
from iemomecp_dataset.trainers.explanation.language_model import (
    language_model_revision,
    load_language_model,
    load_vision_tower,
)

__all__ = [
    "Tuning",
    "add_adapter",
    "base_of",
    "load_adapter",
    "save_adapter",
    "saved_folder",
    "saved_language_model",
    "saved_tower",
    "trained_names",
]

_logger = logging.getLogger(__name__)

Tuning = Literal["projector", "lora", "full", "none"]

_ADAPTER_WEIGHTS = "adapter_model.safetensors"
_HELD = {
    "lora": "adapters for",
    "projector": "a projector for",
    "full": "what goes with",
    "none": "what goes with",
}
"""What a saved folder is to a language model that lies elsewhere, by tuning."""


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
    config = copy(language_model.peft_config["default"])
    config.inference_mode = True
    # The order of a set differs between processes; equal adapters make equal files.
    for name, value in vars(config).items():
        if isinstance(value, set):
            setattr(config, name, sorted(value))
    config.save_pretrained(str(folder))


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


def saved_folder(name: str, revision: str | None, token: str | bool | None) -> Path:
    """Finds a saved explanation model, on this disk or on the Hub.

    Raises:
        MissingModelError: It is neither.
    """
    folder = Path(name)
    if not folder.is_dir():
        from huggingface_hub import snapshot_download

        try:
            folder = Path(snapshot_download(name, revision=revision, token=token))
        except Exception as error:  # whatever the HTTP client raises, or the name is none of the Hub
            raise MissingModelError(
                f"The explanation model {name!r} is neither a folder, nor downloaded, nor reachable on the Hugging "
                f"Face Hub from here.{nearest_path(name)}"
            ) from error
    if not (folder / "config.json").is_file():
        raise MissingModelError(
            f"The folder {folder} has no config.json: give the folder that save_pretrained wrote, such as a run's "
            "model/."
        )
    return folder


def saved_language_model(
    folder: Path, config: Any, given: str | Any | None, dtype: Any, options: Mapping[str, Any]
) -> Any:
    """Loads the language model of a saved model: the stored one, or the one that its configuration names.

    Args:
        folder: Where the model is saved.
        config: Its :class:`~iemomecp_dataset.trainers.explanation.modeling_explanation.ExplanationConfig`.
        given: Where the language model is now, or the model itself; None for where it was.
        dtype: Type of the weights.
        options: Passed on to ``from_pretrained``.

    Raises:
        MissingModelError: It is not there; the message names the option.
    """
    if given is not None and not isinstance(given, str | Path):
        return given
    if config.tuning == "full" and not config.language_model_elsewhere and given is None:
        return load_language_model(str(folder / "language_model"), dtype=dtype, **options)
    name = str(given or config.language_model_name)
    known = config.language_model_revision
    commit = known if given is None and known and not known.startswith(("folder-", "unknown")) else None
    try:
        model = load_language_model(name, gguf_file=config.gguf_file, revision=commit, dtype=dtype, **options)
    except MissingModelError as error:
        raise MissingModelError(
            f"{folder} holds {_HELD[config.tuning]} the language model {name}, which is not there (any more). Name its "
            "folder with the option language_model=, such as "
            f"from_pretrained(…, language_model='models/{Path(name).name}')."
        ) from error
    found = language_model_revision(name, model.config, config.gguf_file)
    if known and found != known:
        _logger.warning(
            "The language model %s is %s, but %s was trained with %s: scores may differ.", name, found, folder, known
        )
    return model


def saved_tower(folder: Path, config: Any, given: str | Any | None, dtype: Any) -> Any:
    """Loads the vision tower of a saved model, if it has one; as :func:`saved_language_model`."""
    if config.vision_tower is None or (given is not None and not isinstance(given, str | Path)):
        return given
    own = folder / "vision_tower"
    name = str(given or (own if own.is_dir() else config.vision_tower_name))
    try:
        return load_vision_tower(name, dtype=dtype)
    except MissingModelError as error:
        raise MissingModelError(
            f"{folder} holds a projector for the vision tower {name}, which is not there (any more). Name its folder "
            "with the option vision_tower=."
        ) from error


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Drops what peft corrects by itself, and what it calls in transformers by an old name."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="fan_in_fan_out is set to")
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated", category=FutureWarning)
        yield
