"""The gold emotions of one split, and the order in which a file has its utterances."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from iemomecp_dataset.corpus import Corpus, load_corpus, whole_corpus
from iemomecp_dataset.emotion_table import EmotionTable, emotion_table
from iemomecp_dataset.metrics.evaluation.gold import further_split, require_split
from iemomecp_dataset.metrics.evaluation.turn_files import TurnGold
from iemomecp_dataset.options import EmotionInventory
from iemomecp_dataset.schema import canonical_split

__all__ = ["EmotionGold", "emotion_gold", "load_emotion_gold"]


@dataclass(frozen=True, kw_only=True)
class EmotionGold(TurnGold):
    """Everything about a split that an emotion score depends on.

    Attributes:
        class_names: Its emotions by id.
        table: All utterances of its whole dialogues, with their gold.
    """

    class_names: tuple[str, ...]
    table: EmotionTable


def load_emotion_gold(
    config_name: str, data_dir: str | Path, split: str, *, emotions: EmotionInventory = "corpus"
) -> EmotionGold:
    """Loads the gold emotions of a split.

    Args:
        config_name: As in :func:`iemomecp_dataset.load`.
        data_dir: As there.
        split: train, validation or test.
        emotions: ``corpus``, or ``common`` for the common ones of all corpora.

    Returns:
        The gold.

    Raises:
        UsageError: The configuration has no emotions to recognise.
        IemomecpError: The data is missing or breaks its format, or has no such split.
    """
    split = canonical_split(split)
    corpus = load_corpus(config_name, data_dir, split=further_split(split), for_training=False, emotions=emotions)
    require_split(corpus, split)
    whole = whole_corpus(corpus)
    return replace(emotion_gold(whole, split), loaded=whole)


def emotion_gold(corpus: Corpus, split: str) -> EmotionGold:
    """Collects the gold emotions of one split of a loaded corpus.

    Args:
        corpus: The corpus, whole dialogues (:func:`~iemomecp_dataset.corpus.whole_corpus`).
        split: One of its splits.

    Returns:
        The gold.

    Raises:
        UsageError: There is no such split, or its utterances have no emotions.
    """
    require_split(corpus, split)
    table = emotion_table(corpus.rows[split])
    corpus.require_emotions(split=split)
    return EmotionGold(
        corpus=corpus.name,
        config_name=corpus.config_name,
        split=split,
        class_names=corpus.emotion_names,
        table=table,
        text_fingerprint=corpus.text_fingerprints[split],
        synthetic=corpus.synthetic,
    )
