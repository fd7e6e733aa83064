"""Loading language models, their tokenizers and vision towers."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from iemomecp_dataset.errors import UsageError, require_packages
from iemomecp_dataset.features.encoders.model_loading import load_pretrained, model_revision
from iemomecp_dataset.files import file_digest

__all__ = ["language_model_revision", "load_language_model", "load_language_tokenizer", "load_vision_tower"]

_LANGUAGE_MODEL = "language model"


def load_language_model(
    name: str, *, gguf_file: str | None = None, revision: str | None = None, dtype: Any = "float32", **options: Any
) -> Any:
    """Loads a causal language model or an encoder-decoder.

    Args:
        name: A folder, or a name on the Hub.
        gguf_file: File in it that holds a model in GGUF; its weights are expanded.
        revision: Commit, branch or tag, or None.
        dtype: Type of the weights, as transformers takes it.
        options: Passed on to ``from_pretrained``.

    Raises:
        MissingModelError: It is neither on disk nor reachable, or no language model.
        MissingDependencyError: The package ``gguf`` is missing.
    """
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM

    _check_gguf(name, gguf_file)
    more = {"gguf_file": gguf_file} if gguf_file else {}
    config = load_pretrained(
        partial(AutoConfig.from_pretrained, **more), name, revision, _LANGUAGE_MODEL, option="language_model"
    )
    auto = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
    load = partial(auto.from_pretrained, dtype=dtype, **more, **options)
    model = load_pretrained(load, name, revision, _LANGUAGE_MODEL, option="language_model")
    return _rebuilt(model) if gguf_file else model


def load_language_tokenizer(name: str, *, gguf_file: str | None = None, revision: str | None = None) -> Any:
    """Loads the tokenizer of a language model.

    Args:
        name: A folder, or a name on the Hub.
        gguf_file: File in it that holds model and tokenizer in GGUF.
        revision: Commit, branch or tag, or None.

    Raises:
        MissingModelError: It is neither on disk nor reachable.
        MissingDependencyError: The package ``gguf`` is missing.
    """
    from transformers import AutoTokenizer

    _check_gguf(name, gguf_file)
    load = partial(AutoTokenizer.from_pretrained, **({"gguf_file": gguf_file} if gguf_file else {}))
    return load_pretrained(load, name, revision, "tokenizer of a language model", option="language_model")


def load_vision_tower(name: str, *, revision: str | None = None, dtype: Any = "float32") -> Any:
    """Loads the vision part of a model, such as CLIP's.

    Args:
        name: A folder, or a name on the Hub.
        revision: Commit, branch or tag, or None.
        dtype: Type of the weights.

    Raises:
        MissingModelError: It is neither on disk nor reachable.
    """
    from transformers import AutoModel

    load = partial(AutoModel.from_pretrained, dtype=dtype)
    model = load_pretrained(load, name, revision, "vision tower", option="vision_tower")
    return model if model.config.model_type == "clip_vision_model" else getattr(model, "vision_model", model)


def language_model_revision(name: str, config: Any, gguf_file: str | None = None) -> str:
    """Identifies the weights of a language model.

    Args:
        name: A folder, or a name on the Hub.
        config: Configuration of the loaded model.
        gguf_file: The file in it that was loaded.

    Returns:
        Commit on the Hub, or ``folder-`` and 16 hexadecimal characters that hash the folder's files, or that file.
    """
    path = Path(name) / (gguf_file or "")
    if not gguf_file or not path.is_file():
        return model_revision(name, config)
    return f"folder-{file_digest(path)[:16]}"


def _check_gguf(name: str, gguf_file: str | None) -> None:
    if not gguf_file:
        return
    require_packages("gguf", extra="explain")
    folder = Path(name)
    if folder.is_dir() and not (folder / gguf_file).is_file():
        found = ", ".join(sorted(path.name for path in folder.glob("*.gguf"))) or "none"
        raise UsageError(f"gguf_file: the folder {name} has no file {gguf_file!r}. GGUF files there: {found}.")


def _rebuilt(model: Any) -> Any:
    """The same weights in a fresh module; one that was loaded from GGUF counts as quantized and cannot be saved."""
    config = model.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    fresh = type(model)(config).to(model.dtype)
    fresh.load_state_dict(model.state_dict())
    fresh.tie_weights()
    fresh.generation_config = model.generation_config
    fresh.name_or_path = model.name_or_path
    return fresh.eval()
