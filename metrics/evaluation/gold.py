"""The gold of one split, as predictions are scored against it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.errors import UsageError, did_you_mean
from iemomecp_dataset.metrics.set_scores import SEMEVAL_EMOTIONS, PairSet, pair_set
from iemomecp_dataset.pair_table import PairTable, pair_table
from iemomecp_dataset.schema import NEUTRAL_EMOTIONS

__all__ = ["GoldSplit", "load_gold_split"]

_CORPUS_OF_CONFIG = {"3class": "iemomecp", "source_binary": "iemomecp", "overlay": "iemomecp"}


@dataclass(frozen=True)
class GoldSplit:
    """Everything about a split that a score can ask for.

    Attributes:
        corpus: Name of the corpus.
        config_name: Name of the configuration.
        split: Name of the split.
        class_names: Pair classes by id.
        table: All candidates with their gold.
        pairs: All gold pairs, those outside the candidates included, with the emotion of the target where known.
        source_pairs: ``(n,)`` bool, the source-binary gold of each candidate (cause not after target, as published);
            ``None`` outside IEMO-MECP.
        source_dialogues: The source dialogue of every dialogue.
        missed_by_source: Gold pairs that are no candidates, in each source dialogue.
        emotions: The emotion of each ``(dialogue, turn)``; empty where the corpus has none.
        conversations: Dialogues in the shape of SemEval-2024 files, for writing predictions.
        forward_pairs: How pairs with a future cause are treated.
        data_fingerprint: Of the split.
        synthetic: Whether it was made by a program.
    """

    corpus: str
    config_name: str
    split: str
    class_names: tuple[str, ...]
    table: PairTable
    pairs: PairSet
    source_pairs: NDArray[np.bool_] | None
    source_dialogues: Mapping[str, str]
    missed_by_source: Mapping[str, int]
    emotions: Mapping[tuple[str, int], str]
    conversations: tuple[dict[str, Any], ...]
    forward_pairs: str
    data_fingerprint: str
    synthetic: bool

    @property
    def scored_emotions(self) -> tuple[str, ...]:
        """The emotions of definitions C and D: those of SemEval-2024, or the corpus's own where it has others."""
        own = set(self.emotions.values()) - NEUTRAL_EMOTIONS
        return SEMEVAL_EMOTIONS if own <= set(SEMEVAL_EMOTIONS) else tuple(sorted(own))


def load_gold_split(config_name: str, data_dir: str, split: str, **options: Any) -> GoldSplit:
    """Loads the gold of a split through the package's own loader.

    Args:
        config_name: As in :func:`iemomecp_dataset.load`.
        data_dir: As in :func:`iemomecp_dataset.load`.
        split: train, validation or test.
        **options: ``candidates`` or ``forward_pairs``, as in :func:`iemomecp_dataset.load`.

    Returns:
        The gold.

    Raises:
        IemomecpError: The data is not there or breaks its format, or has no such split.
    """
    import iemomecp_dataset
    from iemomecp_dataset.fingerprints import data_fingerprint

    splits = iemomecp_dataset.load(config_name, data_dir=data_dir, **options)
    if split not in splits:
        raise UsageError(f"{data_dir} has no split {split!r} of {config_name}. {did_you_mean(split, splits)}")
    dataset = splits[split]
    rows = list(dataset)
    utterance = _item(dataset.features["utterances"])
    class_names = tuple(_item(dataset.features["pairs"])["label"].names)
    emotion_names = list(utterance["emotion"].names)
    gold_keys: list[tuple[str, int, int]] = []
    missed: dict[str, int] = {}
    emotions: dict[tuple[str, int], str] = {}
    for row in rows:
        name, source = row["dialogue_id"], row["source_dialogue_id"] or row["dialogue_id"]
        gold_keys.extend((name, target, cause) for target, cause in iemomecp_dataset.gold_pairs(row))
        outside = len(row.get("gold_outside_candidates") or [])
        if outside:
            missed[source] = missed.get(source, 0) + outside
        for turn in row["utterances"]:
            if turn["emotion"] is not None and turn["emotion"] >= 0:
                emotions[(name, turn["turn"])] = emotion_names[turn["emotion"]]
    table = pair_table(rows, emotion_names)
    known = bool(emotions) and all((name, target) in emotions for name, target, _ in gold_keys)
    return GoldSplit(
        corpus=_CORPUS_OF_CONFIG.get(config_name, config_name),
        config_name=config_name,
        split=split,
        class_names=class_names,
        table=table,
        pairs=pair_set(
            [key[0] for key in gold_keys],
            np.array([key[1] for key in gold_keys], dtype=np.int64),
            np.array([key[2] for key in gold_keys], dtype=np.int64),
            [emotions[key[:2]] for key in gold_keys] if known else None,
        ),
        source_pairs=_source_pairs(rows, table) if config_name in _CORPUS_OF_CONFIG else None,
        source_dialogues={row["dialogue_id"]: row["source_dialogue_id"] or row["dialogue_id"] for row in rows},
        missed_by_source=missed,
        emotions=emotions,
        conversations=tuple(_conversation(row, emotion_names) for row in rows),
        forward_pairs=str(
            options.get("forward_pairs") or "as_published"
            if config_name in _CORPUS_OF_CONFIG
            else options.get("candidates") or "all"
        ),
        data_fingerprint=data_fingerprint(rows),
        synthetic=iemomecp_dataset.is_synthetic(dataset),
    )


def _item(feature: Any) -> Any:
    return feature[0] if isinstance(feature, list) else feature.feature


def _source_pairs(rows: list[dict[str, Any]], table: PairTable) -> NDArray[np.bool_] | None:
    flags = [pair["source_pair"] for row in rows for pair in row["pairs"]]
    if any(flag is None for flag in flags):
        return None
    return np.array(flags, dtype=np.bool_) & (table.distances >= 0)


def _conversation(row: Mapping[str, Any], emotion_names: list[str]) -> dict[str, Any]:
    name = row["dialogue_id"]
    return {
        "conversation_ID": int(name) if name.isdecimal() and str(int(name)) == name else name,
        "conversation": [
            {
                "utterance_ID": turn["turn"],
                "text": turn["text"],
                "speaker": turn["speaker"],
                "emotion": None if turn["emotion"] is None else emotion_names[turn["emotion"]],
            }
            for turn in row["utterances"]
        ],
    }
