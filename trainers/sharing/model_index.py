"""Metadata of a model's card in the schema of the Hub: ``model-index``, licence, data, tags and base model.

The Hub lists results by task and data set: one entry per split that a run was scored on, with the settings that a
number is meaningless without (definition, decision rule, candidates).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from iemomecp_dataset.benchmark.runs.results import ERC, EXPLANATION, PAIRS, RunResults
from iemomecp_dataset.corpora.metadata import CORPORA, IEMOMECP
from iemomecp_dataset.trainers.sharing.names import is_local

__all__ = ["LICENSE_NAME", "TASKS", "card_metadata", "metadata_header"]

LICENSE_NAME = "terms-of-the-training-data"
"""``license_name`` of every model: neither the data nor the text encoder leave the choice of another one."""

TASKS: Mapping[str, tuple[str, str, str]] = {
    PAIRS: ("text-classification", "Emotion-cause pair extraction", "emotion-cause-pair-extraction"),
    ERC: ("text-classification", "Emotion recognition in conversation", "emotion-recognition-in-conversation"),
    EXPLANATION: ("text-generation", "Emotion-cause explanation", "emotion-cause-explanation"),
}
"""By the task of a run: the Hub's task, its own name, and the tag of the card."""

_METRICS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    PAIRS: {
        "pair_f1": ("f1", "Pair F1"),
        "pair_precision": ("precision", "Pair precision"),
        "pair_recall": ("recall", "Pair recall"),
        "pair_auprc": ("average_precision", "Pair average precision"),
        "macro_f1": ("f1", "Macro F1 of the pair classes"),
    },
    ERC: {
        "weighted_f1": ("f1", "Weighted F1"),
        "accuracy": ("accuracy", "Accuracy"),
        "macro_f1": ("f1", "Macro F1"),
    },
    EXPLANATION: {
        "content_cider": ("cider", "Content CIDEr (0 to 10)"),
        "content_rouge_l": ("rouge", "Content ROUGE-L"),
        "content_bleu_4": ("bleu", "Content BLEU-4"),
        "cider": ("cider", "CIDEr (0 to 10)"),
        "rouge_l": ("rouge", "ROUGE-L"),
        "bleu_4": ("bleu", "BLEU-4"),
    },
}
"""By task and by name of a score: the Hub's metric and the name shown."""


def card_metadata(results: RunResults, *, base_model: str | None = None) -> dict[str, Any]:
    """Builds the metadata of a model's card.

    Args:
        results: The run's results.
        base_model: Name on the Hub of the text encoder or language model; by default what the run names, where that is
            no local path.

    Returns:
        The metadata, as ``huggingface_hub.ModelCardData`` writes it. Scores are fractions as the metrics give them;
        undefined ones are left out.
    """
    from huggingface_hub import EvalResult, ModelCardData

    task, task_name, tag = TASKS.get(results.task, TASKS[PAIRS])
    metrics = _METRICS.get(results.task, _METRICS[PAIRS])
    known = CORPORA.get(results.corpus)
    title = "IEMO-MECP" if results.corpus == IEMOMECP else known.title if known else results.corpus
    data_type = _as_id(results.corpus + "-synthetic" * results.synthetic)
    evaluated = [
        EvalResult(
            task_type=task,
            task_name=task_name,
            dataset_type=data_type,
            dataset_name=title + ", SYNTHETIC" * results.synthetic,
            dataset_config=results.config_name,
            dataset_split=split,
            dataset_args=_data_settings(results, split),
            metric_type=metric,
            metric_name=shown,
            metric_value=float(scores[name]),
            metric_args=_decision(results),
            verified=False,
        )
        for split, scores in results.metrics.items()
        for name, (metric, shown) in metrics.items()
        if isinstance(scores.get(name), int | float) and math.isfinite(scores[name])
    ]
    languages = {IEMOMECP: "en", **{name: corpus.language for name, corpus in CORPORA.items()}}
    card = ModelCardData(
        language=languages.get(results.corpus),
        license="other",
        license_name=LICENSE_NAME,
        library_name="transformers",
        pipeline_tag=task,
        tags=[tag, "iemomecp", *["synthetic"] * results.synthetic],
        datasets=[data_type],
        metrics=list(dict.fromkeys(result.metric_type for result in evaluated)) or None,
        base_model=base_model or _base_model(results),
        model_name=results.run_name,
        eval_results=evaluated or None,
    )
    metadata: dict[str, Any] = card.to_dict()
    metadata.pop("model_name", None)  # stands in model-index
    return metadata


def metadata_header(metadata: Mapping[str, Any]) -> str:
    """Writes metadata as the header of a card, between its two lines ``---``."""
    from huggingface_hub import CardData

    return f"---\n{CardData(**metadata).to_yaml()}\n---\n"


def _data_settings(results: RunResults, split: str) -> dict[str, Any]:
    """What the numbers of a split are of, beside its name."""
    settings: dict[str, Any] = {"fingerprint": results.data_fingerprint.get(split, "")[:12]}
    if results.candidates:
        settings["candidates"] = results.candidates
    return {name: value for name, value in settings.items() if value}


def _decision(results: RunResults) -> dict[str, Any] | None:
    """Definition and decision rule of pairs; of other tasks there is no choice."""
    if results.task != PAIRS:
        return None
    value = results.threshold["value"]
    rule = "the most probable class" if value is None else f"P({results.class_names[0]}) >= {value:.6g}"
    chosen = {} if value is None else {"threshold_chosen_on": str(results.threshold["chosen_on"])}
    return {"definition": results.definition, "decision": rule, **chosen}


def _base_model(results: RunResults) -> str | None:
    named = results.settings.get("language_model") if results.task == EXPLANATION else results.text_encoder
    found = isinstance(named, str) and named not in ("", "none") and not is_local(named)
    return str(named) if found and re.fullmatch(r"[\w.-]+(/[\w.-]+)?", str(named)) else None


def _as_id(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name).strip("-.") or "unnamed"
