"""Loads pretrained encoders, names their revision, and chooses among their layers."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from iemomecp_dataset.errors import (
    InvalidDataError,
    MissingDataError,
    MissingModelError,
    UsageError,
    missing_extra,
    nearest_path,
)
from iemomecp_dataset.files import file_digest, read_json

__all__ = [
    "autocast",
    "check_model",
    "concatenated_layers",
    "hidden_layers",
    "load_encoder",
    "load_model",
    "load_pretrained",
    "model_revision",
    "require_torch",
    "stored_model",
    "without_load_report",
]

_logger = logging.getLogger(__name__)


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


def load_model(
    name: str, revision: str | None, what: str, *, option: str = "--model", unused: tuple[str, ...] = ()
) -> Any:
    """Loads a pretrained encoder.

    Weights beside the encoder's own, such as a language model's head, are ignored; a weight that the encoder needs and
    the folder lacks is a warning.

    Args:
        name: A folder, or a name on the Hub.
        revision: Commit, branch or tag, or None.
        what: The kind of encoder, for messages.
        option: The option that names it, for messages.
        unused: Prefixes of weights that the caller does not use; they may be missing.

    Raises:
        MissingModelError: It is neither on disk nor reachable.
    """
    from transformers import AutoModel

    load = partial(AutoModel.from_pretrained, output_loading_info=True)
    with without_load_report():
        model, report = load_pretrained(load, name, revision, what, option=option)
    missing = sorted(key for key in report["missing_keys"] if not key.startswith(unused))
    if missing:
        _logger.warning(
            "The %s %s lacks %d of its weights, such as %s: they start at random values.",
            *(what, name, len(missing), missing[0]),
        )
    return model


def check_model(name: str, revision: str | None, what: str) -> None:
    """Looks whether a model can be loaded, by its configuration and the names of its files.

    Args:
        name: A folder, or a name on the Hub.
        revision: Commit, branch or tag, or None.
        what: The kind of encoder, for messages.

    Raises:
        MissingModelError: It is neither on disk nor reachable, or its folder has no weights.
    """
    from transformers import AutoConfig

    load_pretrained(AutoConfig.from_pretrained, name, revision, what)
    if _is_folder(name) and not any(path.suffix in (".safetensors", ".bin") for path in Path(name).iterdir()):
        raise MissingModelError(_why(name, what, "--model", FileNotFoundError("no file of weights")))


def load_encoder(
    name: str, revision: str | None, what: str, device: Any, *, unused: tuple[str, ...] = ()
) -> tuple[Any, Any]:
    """Loads a pretrained model for inference; of encoder-decoder models the encoder alone.

    Args:
        name: A folder, or a name on the Hub.
        revision: Commit, branch or tag, or None.
        what: Kind of encoder, for messages.
        device: Device to compute on.
        unused: Prefixes of weights that the caller does not use; they may be missing.

    Returns:
        Encoder on the device, in evaluation mode; and the configuration of the whole model.

    Raises:
        MissingModelError: The model is neither on disk nor reachable.
    """
    model = load_model(name, revision, what, unused=unused)
    encoder = model.get_encoder() if model.config.is_encoder_decoder else model
    return encoder.to(device).eval(), model.config


def load_pretrained(
    load: Callable[..., Any], name: str, revision: str | None, what: str, *, option: str = "--model"
) -> Any:
    """Calls a ``from_pretrained``.

    Args:
        load: The function.
        name: A folder, or a name on the Hub.
        revision: Commit, branch or tag, or None.
        what: The kind of encoder, for the error.
        option: The option that names it, for the error.

    Raises:
        MissingModelError: It is neither on disk nor reachable; one sentence.
    """
    _check_reachable(name, revision, what, option)
    try:
        return load(name, revision=revision) if revision else load(name)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise MissingModelError(_why(name, what, option, error)) from error


def model_revision(name: str, config: Any) -> str:
    """Identifies the weights of a model.

    Args:
        name: A folder, or a name on the Hub.
        config: Configuration of the loaded model.

    Returns:
        Commit on the Hub, or ``folder-`` and 16 hexadecimal characters that hash the files of a folder.
    """
    folder = Path(name)
    if not folder.is_dir():
        return str(getattr(config, "_commit_hash", None) or "unknown")
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.suffix in (".safetensors", ".bin", ".json", ".txt", ".model"):
            digest.update(path.name.encode())
            digest.update(bytes.fromhex(file_digest(path)))
    return f"folder-{digest.hexdigest()[:16]}"


def stored_model(name: str) -> tuple[str | None, dict[str, Any]]:
    """Identifies a model by its files, without loading it and without asking the Hub.

    Args:
        name: A folder, or a name on the Hub.

    Returns:
        Its revision as in :func:`model_revision`, and its configuration; None and nothing where it is not on this disk.
    """
    from huggingface_hub import try_to_load_from_cache

    folder = Path(name)
    path = folder / "config.json"
    if not folder.is_dir():
        try:
            cached = try_to_load_from_cache(name, "config.json")
        except ValueError:  # not the form of a name on the Hub
            cached = None
        if not isinstance(cached, str):
            return None, {}
        path = Path(cached)
    try:
        content = read_json(path)
    except (MissingDataError, InvalidDataError):
        content = {}
    config = content if isinstance(content, dict) else {}
    # The cache keeps each commit in a folder of its name.
    return (model_revision(name, None) if folder.is_dir() else path.parent.name), config


def hidden_layers(
    spec: str, n_states: int, *, option: str = "--layers", named: tuple[str, Sequence[int]] = ("last", (-1,))
) -> tuple[int, ...]:
    """Positions among hidden states; 0 is the input of the first layer.

    Args:
        spec: Comma-separated numbers, negative ones counted from the top, or a name.
        n_states: Number of hidden states.
        option: The option that gives them, for the error.
        named: The name and the layers it stands for.

    Raises:
        UsageError: A number is not an integer, or the encoder has no such layer.

    Example:
        >>> hidden_layers("last", 13), hidden_layers("6,-1", 13)
        ((12,), (6, 12))
    """
    name, layers = named
    if spec != name:
        try:
            layers = [int(part) for part in spec.split(",")]
        except ValueError:
            raise UsageError(f"{option} takes {name!r} or comma-separated integers, but has {spec!r}.") from None
    for layer in layers:
        if not -n_states <= layer < n_states:
            top = n_states - 1
            raise UsageError(
                f"{option} names layer {layer}, but the encoder has layers 0 to {top}: 0 is its input, 1 to {top} are "
                "its own."
            )
    return tuple(layer % n_states for layer in layers)


def concatenated_layers(hidden_states: Sequence[Any], layers: Sequence[int]) -> Any:
    """Concatenates hidden layers along the width.

    Args:
        hidden_states: ``(B, T, D)`` of each layer, of any float type.
        layers: Positions among them, see :func:`hidden_layers`.

    Returns:
        ``(B, T, D * len(layers))`` float32.
    """
    import torch

    return torch.cat([hidden_states[layer].float() for layer in layers], dim=-1)


def autocast(device: Any, precision: str) -> Any:
    """Builds the autocast context of a precision.

    Args:
        device: Device to compute on.
        precision: ``fp32`` (no autocast), ``bf16`` or ``fp16``.

    Returns:
        A context manager.
    """
    import torch

    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision, torch.float32)
    return torch.autocast(device.type, dtype=dtype, enabled=precision != "fp32")


@contextmanager
def without_load_report() -> Iterator[None]:
    """Drops transformers' table of all weights that were not found, not used or of another shape."""
    logger = logging.getLogger("transformers.modeling_utils")

    def keep(record: logging.LogRecord) -> bool:
        return "LOAD REPORT" not in record.getMessage()

    logger.addFilter(keep)
    try:
        yield
    finally:
        logger.removeFilter(keep)


def _check_reachable(name: str, revision: str | None, what: str, option: str) -> None:
    """Tries the Hub once for a model that is neither a folder nor downloaded: loading tries it many times over."""
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url, try_to_load_from_cache
    from huggingface_hub.errors import HfHubHTTPError

    if _is_folder(name) or constants.HF_HUB_OFFLINE:
        return
    if _is_path(name):
        raise MissingModelError(_why(name, what, option, FileNotFoundError(name)))
    try:
        if try_to_load_from_cache(name, "config.json", revision=revision) is None:
            get_hf_file_metadata(hf_hub_url(name, "config.json", revision=revision))
    except HfHubHTTPError:
        return  # the Hub answers; loading says what it lacks
    except Exception as error:  # whatever the HTTP client of this version raises, or the name is none of the Hub
        raise MissingModelError(_why(name, what, option, error)) from error


def _is_folder(name: str) -> bool:
    try:
        return Path(name).is_dir()
    except OSError:  # such as a name that is too long for any file
        return False


def _is_path(name: str) -> bool:
    """Whether a name can only be that of a folder: on the Hub, it is ``NAME`` or ``OWNER/NAME``."""
    return Path(name).is_absolute() or name.startswith((".", "~")) or name.count("/") > 1


def _why(name: str, what: str, option: str, error: Exception) -> str:
    first_line = next((line.strip().rstrip(".") for line in str(error).splitlines() if line.strip()), "no reason given")
    if _is_folder(name):
        return (
            f"The folder {name} contains no {what} that can be loaded ({first_line}): give {option} a folder with the "
            "config.json, the weights and the preprocessor or tokenizer files that save_pretrained writes."
        )
    near = nearest_path(name)
    if _is_path(name):
        return f"There is no folder {name} with the {what}: give {option} the folder of a downloaded model.{near}"
    if near or ("/" in name and _is_folder(str(Path(name).parent))):
        return (
            f"There is no folder {name} with the {what}, nor can a model of this name be reached on the Hugging Face "
            f"Hub from here: give {option} the folder of a downloaded model.{near}"
        )
    return (
        f"There is no folder {name} here, and the {what} {name!r} is neither downloaded nor reachable on the Hugging "
        f"Face Hub: give {option} the folder of a downloaded model, or, if the name is that of a model of the Hub, run "
        f"once while online: hf download {name}"
    )
