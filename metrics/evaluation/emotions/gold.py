"""The gold emotions of one split, and the order in which a file has its utterances."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.corpus import Corpus, load_corpus, whole_corpus
from iemomecp_dataset.emotion_table import EmotionTable, emotion_table
from iemomecp_dataset.errors import InvalidDataError, UsageError, did_you_mean

__all__ = ["EmotionGold", "aligned_utterances", "emotion_gold", "load_emotion_gold"]

_SHOWN = 5


@dataclass(frozen=True)
class EmotionGold:
    """Everything about a split that an emotion score depends on.

    Attributes:
        corpus: Name of the corpus.
        config_name: Name of the configuration.
        split: Name of the split.
        class_names: Its emotions by id.
        table: All utterances of its whole dialogues, with their gold.
        text_fingerprint: Fingerprint of their texts.
        synthetic: Whether a program made the data.
    """

    corpus: str
    config_name: str
    split: str
    class_names: tuple[str, ...]
    table: EmotionTable
    text_fingerprint: str
    synthetic: bool


def load_emotion_gold(config_name: str, data_dir: str | Path, split: str) -> EmotionGold:
    """Loads the gold emotions of a split.

    Args:
        config_name: As in :func:`iemomecp_dataset.load`.
        data_dir: As there.
        split: train, validation or test.

    Returns:
        The gold.

    Raises:
        UsageError: The configuration has no emotions to recognise.
        IemomecpError: The data is missing or breaks its format, or has no such split.
    """
    corpus = load_corpus(config_name, data_dir, split=split, for_training=False)
    return emotion_gold(whole_corpus(corpus), split)


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
    if split not in corpus.rows:
        raise UsageError(
            f"There is no split {split!r} of {corpus.config_name} here. {did_you_mean(split, corpus.rows)}"
        )
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


def aligned_utterances(whose: str, found: EmotionTable, wanted: EmotionTable, of: str) -> NDArray[np.intp]:
    """Finds the positions that bring the found utterances into the order of the wanted ones.

    Args:
        whose: Name of the found utterances for the message, such as a path.
        found: Utterances of the predictions, each of them once.
        wanted: Those that must be there, each of them once.
        of: What the wanted ones are, for the message.

    Returns:
        ``(n,)`` positions ``order``, so that entry ``order[i]`` of the found is utterance ``i`` of the wanted.

    Raises:
        InvalidDataError: Utterances are missing or unknown; both are counted, the first ones named.

    Example:
        >>> def table(turns):
        ...     n = len(turns)
        ...     return EmotionTable(np.array(["d"] * n), np.array(turns), np.array(["A"] * n), np.zeros(n, np.int64))
        >>> aligned_utterances("theirs.csv", table([2, 1]), table([1, 2]), "ecf, test").tolist()
        [1, 0]
    """
    place = {key: i for i, key in enumerate(_keys(found))}
    keys = _keys(wanted)
    missing = [key for key in keys if key not in place]
    unknown = sorted(place.keys() - set(keys))
    problems = [
        f"{len(these)} utterance{'s' * (len(these) > 1)} {what}: {_named(these)}"
        for what, these in (("missing", missing), ("not in the data", unknown))
        if these
    ]
    if problems:
        raise InvalidDataError(
            f"{whose}: its {len(found)} utterances are not the {len(wanted)} of {of}, each exactly once: "
            f"{'; '.join(problems)}. Predict every utterance once, or check that corpus and split are the same."
        )
    return np.array([place[key] for key in keys], dtype=np.intp)


def _keys(table: EmotionTable) -> list[tuple[str, int]]:
    return list(zip(table.dialogue_ids.tolist(), table.turns.tolist(), strict=True))


def _named(keys: list[tuple[str, int]]) -> str:
    shown = ", ".join(f"(dialogue {dialogue}, turn {turn})" for dialogue, turn in keys[:_SHOWN])
    return shown + (f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else "")
