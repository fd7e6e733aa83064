"""Loads pretrained encoders, says which one it was, and what to do when it is not there."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from iemomecp_dataset.errors import MissingModelError, UsageError, missing_extra

__all__ = ["hidden_layers", "load_pretrained", "model_revision", "require_torch", "torch_device"]


def require_torch() -> Any:
    """Imports torch and transformers.

    Returns:
        The module ``transformers``.

    Raises:
        MissingDependencyError: One of them is not installed.
    """
    try:
        import torch  # noqa: F401
        import transformers
    except ImportError as error:
        raise missing_extra(error.name or "torch", "train") from None
    return transformers


def load_pretrained(load: Callable[..., Any], name: str, revision: str | None, what: str) -> Any:
    """Calls a ``from_pretrained``.

    Args:
        load: The function.
        name: A folder, or a name on the Hub.
        revision: Commit, branch or tag, or None.
        what: What is being loaded, for the error.

    Raises:
        MissingModelError: It is neither on disk nor reachable; one sentence.
    """
    try:
        return load(name, revision=revision) if revision else load(name)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise MissingModelError(_why(name, what, error)) from error


def model_revision(name: str, config: Any) -> str:
    """Which weights these are: the commit on the Hub, or a hash of the files of a folder."""
    folder = Path(name)
    if not folder.is_dir():
        return str(getattr(config, "_commit_hash", None) or "unknown")
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.suffix in (".safetensors", ".bin", ".json", ".txt", ".model"):
            digest.update(path.name.encode())
            with open(path, "rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return f"folder-{digest.hexdigest()[:16]}"


def torch_device(name: str, local_rank: int = 0) -> Any:
    """The device of a name; ``auto`` is a GPU where there is one.

    Args:
        name: ``auto``, or as torch spells it.
        local_rank: Which GPU of this machine ``auto`` takes.

    Raises:
        UsageError: There is no such device.
    """
    import torch

    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda", local_rank % torch.cuda.device_count())
        return torch.device("cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(f"--device {name} cannot be used ({str(error).splitlines()[0]}). Try auto or cpu.") from None
    return device


def hidden_layers(spec: str, n_states: int) -> tuple[int, ...]:
    """Positions among hidden states; 0 is the input of the first layer.

    Args:
        spec: ``last``, or comma-separated numbers.
        n_states: How many hidden states there are.

    Raises:
        UsageError: The encoder has no such layer.

    Example:
        >>> hidden_layers("last", 13), hidden_layers("6,-1", 13)
        ((12,), (6, 12))
    """
    wanted = [-1] if spec == "last" else [int(layer) for layer in spec.split(",")]
    for layer in wanted:
        if not -n_states <= layer < n_states:
            raise UsageError(f"--layers {spec}: the encoder has layers 0 (its input) to {n_states - 1}.")
    return tuple(layer % n_states for layer in wanted)


def _why(name: str, what: str, error: Exception) -> str:
    first_line = next((line.strip().rstrip(".") for line in str(error).splitlines() if line.strip()), "no reason given")
    if Path(name).is_dir():
        return (
            f"The folder {name} holds no {what} that can be loaded ({first_line}): give --model a folder with the "
            "config.json, the weights and the preprocessor or tokenizer files that save_pretrained writes."
        )
    return (
        f"The {what} {name!r} is neither a folder, nor downloaded, nor reachable on the Hugging Face Hub from here: "
        f"give --model the folder of a downloaded model, or run once while online: hf download {name}"
    )
