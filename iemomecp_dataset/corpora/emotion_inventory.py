"""The common emotions of all corpora (``emotions="common"``): which of them each corpus's own label is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from iemomecp_dataset.reader import Loaded
from iemomecp_dataset.schema import COMMON_EMOTIONS, Row

__all__ = ["COMMON_EMOTION_OF", "with_common_emotions"]

COMMON_EMOTION_OF: Mapping[str | None, str | None] = {
    "neutral": "neutral",
    "neu": "neutral",
    "joy": "joy",
    "happiness": "joy",
    "happy": "joy",
    "hap": "joy",
    "excitement": "excitement",
    "exc": "excitement",
    "surprise": "surprise",
    "sadness": "sadness",
    "sad": "sadness",
    "anger": "anger",
    "ang": "anger",
    "frustration": "frustration",
    "fru": "frustration",
    "disgust": "disgust",
    "fear": "fear",
    "other": "other",
    # MEC4 states that there is an emotion, by its pairs, and not which.
    "emotional": "other",
    # No annotation, or no agreement: it is unknown whether there is an emotion, so it is none of the inventory.
    None: None,
}
"""The common emotion by the emotion names of all corpora (``CorpusMetadata.emotions``); None: not known."""


def with_common_emotions(loaded: Loaded, emotion_names: Sequence[str]) -> Loaded:
    """Replaces the emotions of a corpus by the common ones.

    Args:
        loaded: Its rows.
        emotion_names: Its emotions by id.

    Returns:
        The rows with ids of :data:`~iemomecp_dataset.schema.COMMON_EMOTIONS`, and the corpus's name of the emotion as
        ``emotion_source``. Utterances whose emotion is not known keep null in both, and a note counts them.

    Example:
        >>> row = {"dialogue_id": "d", "utterances": [{"turn": 1, "emotion": 1}, {"turn": 2, "emotion": None}]}
        >>> found = with_common_emotions(Loaded(rows={"train": [row]}), ["neutral", "happy"])
        >>> [(u["emotion"], u["emotion_source"]) for u in found.rows["train"][0]["utterances"]]
        [(1, 'happy'), (None, None)]
        >>> found.notes
        ("train: the emotion of 1 of 2 utterances is not known; it stays null with emotions='common'.",)
    """
    unknown: Counter[str] = Counter()
    rows: dict[str, list[Row]] = {}
    for split, split_rows in loaded.rows.items():
        rows[split] = [_converted(row, emotion_names) for row in split_rows]
        unknown[split] = sum(u["emotion"] is None for row in rows[split] for u in row["utterances"])
    notes = tuple(
        f"{split}: the emotion of {count} of {sum(len(row['utterances']) for row in rows[split])} utterances is not "
        f"known; it stays null with emotions='common'."
        for split, count in unknown.items()
        if count
    )
    return replace(loaded, rows=rows, notes=(*loaded.notes, *notes))


def _converted(row: Row, emotion_names: Sequence[str]) -> Row:
    utterances: list[Any] = []
    for utterance in row["utterances"]:
        source = None if utterance["emotion"] is None else emotion_names[utterance["emotion"]]
        common = COMMON_EMOTION_OF[source]
        number = None if common is None else COMMON_EMOTIONS.index(common)
        utterances.append({**utterance, "emotion": number, "emotion_source": source})
    return {**row, "utterances": utterances}
