"""The attention bridge of a trained ECERC on a corpus with cause pairs: its inputs, and the table that is printed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import torch
from numpy.typing import NDArray

from iemomecp_dataset.benchmark.diagnostics.attention_bridge import attention_bridge
from iemomecp_dataset.corpus import Corpus, load_corpus, whole_corpus
from iemomecp_dataset.errors import UsageError, did_you_mean
from iemomecp_dataset.features import read_feature_table
from iemomecp_dataset.metrics.emotion_scoring import neutral_of
from iemomecp_dataset.options import PairCorpus
from iemomecp_dataset.schema import canonical_split
from iemomecp_dataset.trainers.dialogue.data import Collator, UtteranceInputs, dialogue_examples
from iemomecp_dataset.trainers.dialogue.task import inference_inputs
from iemomecp_dataset.trainers.emotions.modeling_ecerc import EcercModel
from iemomecp_dataset.trainers.pipelines.loading import load_scorer

__all__ = ["bridge_of_run", "bridge_table"]

_STREAMS = ("text", "event", "audio", "video")
_INPUTS = ("mask", "speakers", *_STREAMS, "audio_present", "video_present", "valid", "gold")
_DIALOGUES = 32

_ROWS = (
    ("attention of the run", "hint"),
    ("control: uniform attention, same masks", "uniform"),
    ("control: attention of untrained weights", "untrained"),
    ("control: distance of the turns", "distance"),
    ("distance x attention of the run", "distance_hint"),
)


def bridge_of_run(
    folder: str | Path,
    config_name: str,
    data_dir: str | Path,
    *,
    split: str = "validation",
    text_encoder: str | None = None,
    stores: Mapping[str, str | Path] | None = None,
    max_missing_features: float = 0.01,
    seed: int = 0,
) -> tuple[dict[str, float], Corpus]:
    """Ranks the candidate pairs of a split by the attention of a trained ECERC and by the controls.

    Causes after their target count as missed: candidates are a turn's own and its earlier ones (``past``), or those of
    IEMO-MECP. Dialogues are whole.

    Args:
        folder: Folder of the run, or of its model.
        config_name: Configuration of the corpus.
        data_dir: Its folder.
        split: The split whose pairs are ranked; train gives the rates by distance.
        text_encoder: As in :func:`~iemomecp_dataset.trainers.inference.predict`.
        stores: By stream (``text``, ``event``, ``audio``, ``video``) feature stores or Parquet files, where the model
            was trained on such.
        max_missing_features: Share of utterances that may lack a vector.
        seed: Of the untrained weights.

    Returns:
        What :func:`~iemomecp_dataset.benchmark.diagnostics.attention_bridge.attention_bridge` gives, and the corpus.

    Raises:
        UsageError: The model is not an ECERC or has no neutral class, there is no such split, or the corpus has no
            pairs.
        IemomecpError: Model, data or features are missing or do not fit.
    """
    model = load_scorer(folder)
    if not isinstance(model, EcercModel):
        raise UsageError(
            f"{folder} holds a {type(model).__name__}, but the attention bridge is of ECERC's attention. Give a run of "
            "trainers/ecerc.py."
        )
    names = model.config.class_names or ()
    neutral = neutral_of(names)
    if neutral is None:
        raise UsageError(
            f"{folder}: none of the model's emotions ({', '.join(names)}) is neutral, so "
            "P(not neutral) is not defined. Give a run on a corpus with neutral utterances."
        )
    candidates = "past" if config_name in get_args(PairCorpus) else None
    corpus = whole_corpus(load_corpus(config_name, data_dir, candidates=candidates).require_pairs())
    split = canonical_split(split)
    if split not in corpus.rows:
        raise UsageError(f"{data_dir} has no split {split!r} of {config_name}. {did_you_mean(split, corpus.rows)}")
    rows = corpus.rows[split]
    ids = [utterance["utterance_id"] for row in rows for utterance in row["utterances"]]
    vectors: dict[str, Mapping[str, NDArray[Any]]] = {
        name: read_feature_table(path)
        .check_use(name, corpus=corpus.name, synthetic=corpus.synthetic)
        .select(ids, tolerance=max_missing_features)
        for name, path in (stores or {}).items()
        if getattr(model.config, f"{name}_size", 0)
    }
    inputs = inference_inputs(model, rows, vectors, text_encoder)
    found = attention_bridge(
        model,
        _batches(rows, corpus.emotion_names, inputs),
        neutral=list(names).index(neutral),
        fitted_on=_batches(corpus.rows["train"], corpus.emotion_names, UtteranceInputs()),
        missed_positives=corpus.tables[split].missed_positives,
        seed=seed,
    )
    return found, corpus


def bridge_table(found: Mapping[str, float]) -> list[str]:
    r"""Lays out the AUPRC in percent, one line per ranking.

    Example:
        >>> names = ("hint", "uniform", "untrained", "distance")
        >>> found = {f"{p}{name}": 0.25 for p in ("", "p_") for name in names} | {"p_distance_hint": 0.5}
        >>> print("\n".join(bridge_table(found)[::4]))
        ranked by                                  alone  x P(not neutral)
        control: distance of the turns             25.00             25.00
    """
    lines = [f"{'ranked by':<41}{'alone':>7}{'x P(not neutral)':>18}"]
    for words, name in _ROWS:
        alone, weighed = (f"{100 * found[key]:.2f}" if key in found else "" for key in (name, f"p_{name}"))
        lines.append(f"{words:<41}{alone:>7}{weighed:>18}")
    return lines


def _batches(
    rows: Sequence[Mapping[str, Any]], emotion_names: Sequence[str], inputs: UtteranceInputs
) -> Iterator[dict[str, torch.Tensor]]:
    examples, collate = dialogue_examples(rows, emotion_names), Collator(inputs)
    for first in range(0, len(examples), _DIALOGUES):
        batch = collate(list(enumerate(examples[first : first + _DIALOGUES])))
        yield {name: batch[name] for name in _INPUTS if name in batch}
