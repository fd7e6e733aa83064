"""Scores of explanations by pretrained models: BERTScore and BLEURT, over ``transformers``' own classes.

Neither needs the package of its name, both of which fail with recent versions of transformers.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.errors import MetricInputError, MissingModelError
from iemomecp_dataset.features.encoders.devices import torch_device
from iemomecp_dataset.features.encoders.model_loading import (
    load_model,
    load_pretrained,
    require_torch,
    stored_model,
)
from iemomecp_dataset.metrics.explanations.signature import model_word

if TYPE_CHECKING:
    import torch

__all__ = ["bertscore_items", "bertscore_word", "bleurt_items"]

_logger = logging.getLogger(__name__)

# Layers of the published scores by the end of the model's name: those that agree best with human ratings.
_PUBLISHED_LAYERS = {"roberta-large": 17, "deberta-xlarge-mnli": 40}
# What configurations call the number of their layers.
_N_LAYERS = ("num_hidden_layers", "n_layers", "n_layer")
_LONGEST = 512


def bertscore_items(
    candidates: Sequence[str],
    references: Sequence[str],
    model_name: str,
    *,
    layer: int | None = None,
    batch_size: int = 32,
) -> NDArray[np.float64]:
    r"""Computes BERTScore F1 of each item (Zhang et al., 2020), without idf weights and not rescaled.

    .. math:: P = \frac1{|c|} \sum_i \max_j \cos(c_i, r_j), \qquad R = \frac1{|r|} \sum_j \max_i \cos(c_i, r_j),
              \qquad F_1 = \frac{2 P R}{P + R}

    of the hidden states of one layer. Markers around the text can be matched, but are not averaged over.

    Args:
        candidates: ``m`` texts.
        references: Their references.
        model_name: Folder or name of an encoder.
        layer: The layer, 1 for the first; None: that of the published scores for ``roberta-large`` and
            ``deberta-xlarge-mnli``, else the last.
        batch_size: Items at once.

    Returns:
        ``(m,)``; 0 where the candidate is empty.

    Raises:
        MissingModelError: The model cannot be loaded.
        MissingDependencyError: torch or transformers is not installed.
        MetricInputError: The model has no such layer.
    """
    transformers = require_torch()
    tokenizer = _load_tokenizer(transformers, model_name, "bertscore_model=")
    _say_what_is_cut(tokenizer, model_name, [*candidates, *references])
    model, device = _placed(load_model(model_name, None, "encoder", option="bertscore_model=", unused=("pooler.",)))
    n_layers = model.config.num_hidden_layers
    chosen = _named_layer(model_name, n_layers) if layer is None else layer
    if not 1 <= chosen <= n_layers:
        raise MetricInputError(f"bertscore_layer= must be 1 to {n_layers}, the layers of {model_name}; found {chosen}.")
    # As in the published scores: words of these vocabularies begin with a blank, the first of a text too.
    space = " " if type(tokenizer).__name__.startswith(("Roberta", "GPT2")) else ""

    def embed(texts: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        batch = _encode(tokenizer, device, [space + text.strip() if text.strip() else "" for text in texts])
        special = batch.pop("special_tokens_mask").bool()
        states = model(**batch, output_hidden_states=True).hidden_states[chosen].float()
        there = batch["attention_mask"].bool()
        return torch.nn.functional.normalize(states, dim=-1), there, there & ~special

    def score(rows: Sequence[int]) -> NDArray[np.float64]:
        first, first_there, first_words = embed([candidates[row] for row in rows])
        second, second_there, second_words = embed([references[row] for row in rows])
        cosine = first @ second.transpose(1, 2)
        cosine = cosine.masked_fill(~(first_there[:, :, None] & second_there[:, None, :]), -torch.inf)
        precision = _mean(cosine.amax(dim=2), first_words)
        recall = _mean(cosine.amax(dim=1), second_words)
        empty = ~(first_words.any(dim=1) & second_words.any(dim=1))
        f1 = (2 * precision * recall / (precision + recall)).masked_fill(empty, 0.0)
        return np.asarray(f1.double().cpu().numpy())

    import torch

    return _in_batches(score, candidates, references, batch_size)


def bertscore_word(model_name: str | None, layer: int | None = None) -> str:
    """Names the encoder of BERTScore and its layer in a signature.

    Args:
        model_name: Folder or name of the encoder; None: none.
        layer: Its layer; None: the one that :func:`bertscore_items` takes then, if the encoder is on this disk.

    Returns:
        A word, such as ``roberta-large@17``; without the layer where it is not known.
    """
    if model_name is None:
        return model_word(None)
    if layer is None:
        _, config = stored_model(model_name)
        n_layers = next((int(config[key]) for key in _N_LAYERS if key in config), None)
        layer = None if n_layers is None else _named_layer(model_name, n_layers)
    return model_word(model_name, layer)


def _named_layer(model_name: str, n_layers: int) -> int:
    """The layer of the published scores, else the last."""
    return next((of for end, of in _PUBLISHED_LAYERS.items() if model_name.rstrip("/").endswith(end)), n_layers)


def bleurt_items(
    candidates: Sequence[str], references: Sequence[str], model_name: str, *, batch_size: int = 32
) -> NDArray[np.float64]:
    """Computes BLEURT of each item (Sellam et al., 2020): what a classifier gives a reference and a candidate.

    Args:
        candidates: ``m`` texts.
        references: Their references.
        model_name: Folder or name of a sequence classifier with one output. Checkpoints differ; name yours.
        batch_size: Items at once.

    Returns:
        ``(m,)``; an empty candidate scores at most 0.

    Raises:
        MissingModelError: The model cannot be loaded, or is no such classifier.
        MissingDependencyError: torch or transformers is not installed.
    """
    transformers = require_torch()
    tokenizer = _load_tokenizer(transformers, model_name, "bleurt_model=")
    _say_what_is_cut(tokenizer, model_name, references, candidates)
    load = partial(transformers.AutoModelForSequenceClassification.from_pretrained, output_loading_info=True)
    loaded, report = load_pretrained(load, model_name, None, "sequence classifier", option="bleurt_model=")
    if loaded.config.num_labels != 1 or report["missing_keys"]:
        missing = sorted(report["missing_keys"])
        found = f"lacks the weights {', '.join(missing[:3])}" if missing else f"has {loaded.config.num_labels} outputs"
        raise MissingModelError(
            f"bleurt_model={model_name} must be a sequence classifier with one output, but it {found}. Give a BLEURT "
            "checkpoint converted for transformers."
        )
    model, device = _placed(loaded)

    def score(rows: Sequence[int]) -> NDArray[np.float64]:
        batch = _encode(tokenizer, device, [references[row] for row in rows], [candidates[row] for row in rows])
        batch.pop("special_tokens_mask")
        values = model(**batch).logits[:, 0].double().cpu().numpy()
        # An empty text must not gain by a scale whose zero is arbitrary.
        written = [bool(candidates[row].strip()) for row in rows]
        return np.asarray(np.where(written, values, np.minimum(values, 0.0)))

    return _in_batches(score, candidates, references, batch_size)


def _load_tokenizer(transformers: Any, name: str, option: str) -> Any:
    return load_pretrained(transformers.AutoTokenizer.from_pretrained, name, None, "tokenizer", option=option)


def _placed(model: Any) -> tuple[Any, Any]:
    device = torch_device("auto")
    return model.to(device).eval(), device


def _longest(tokenizer: Any) -> int:
    return int(min(_LONGEST, tokenizer.model_max_length))


def _say_what_is_cut(tokenizer: Any, model_name: str, *texts: Sequence[str]) -> None:
    """Warns of texts, or of pairs of them, that are longer than what the model reads."""
    lengths = [len(ids) for ids in tokenizer(*map(list, texts), truncation=False, verbose=False)["input_ids"]]
    cut = sum(length > _longest(tokenizer) for length in lengths)
    if cut:
        _logger.warning(
            "%d of %d inputs of %s are longer than the %d tokens that it reads; their ends are not scored.",
            cut,
            len(lengths),
            model_name,
            _longest(tokenizer),
        )


def _encode(tokenizer: Any, device: Any, *texts: list[str]) -> dict[str, Any]:
    batch = tokenizer(
        *texts,
        padding=True,
        truncation=True,
        max_length=_longest(tokenizer),
        return_tensors="pt",
        return_special_tokens_mask=True,
    )
    return {name: values.to(device) for name, values in batch.items()}


def _mean(values: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
    return values.masked_fill(~kept, 0.0).sum(dim=1) / kept.sum(dim=1).clamp(min=1)


def _in_batches(
    score: Callable[[Sequence[int]], NDArray[np.float64]],
    candidates: Sequence[str],
    references: Sequence[str],
    batch_size: int,
) -> NDArray[np.float64]:
    """Scores items of similar length together, which saves padding."""
    import torch

    order = sorted(range(len(candidates)), key=lambda row: len(candidates[row]) + len(references[row]))
    found = np.zeros(len(order))
    with torch.inference_mode():
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            found[rows] = score(rows)
    return found
