"""Text, event, audio and video vectors of utterances with an emotion, as stores and in the released layouts.

Every modality is informative alone and none is alone sufficient: ``text`` (vectors of an encoder that was tuned on
emotions) and ``event`` (general text vectors) reveal an emotion only if the words express it, ``audio`` and ``video``
always, but with more noise.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from iemomecp_dataset.synthetic.evidence import FeatureSpace

__all__ = [
    "VARIANTS",
    "WIDTHS",
    "EmotionalUtterance",
    "draw_vectors",
    "write_iemocap_pickles",
    "write_meld_pickle",
    "write_stores",
]

WIDTHS = {"text": 24, "event": 24, "audio": 16, "video": 20}
"""Width of each modality; narrow, so that a few hundred utterances suffice to learn from them."""

VARIANTS = 4
"""Variants of the text and of the event vectors, which the releases number 1 to 4."""

_AROUSAL = {"hap": 0.5, "exc": 1.0, "sad": -0.8, "ang": 1.0, "fru": 0.7} | {
    "surprise": 0.9,
    "fear": 0.6,
    "sadness": -0.8,
    "joy": 0.8,
    "disgust": 0.2,
    "anger": 1.0,
}
_VALENCE = {"hap": 1.0, "exc": 0.9, "sad": -0.8, "ang": -1.0, "fru": -0.7} | {
    "surprise": 0.1,
    "fear": -0.7,
    "sadness": -0.8,
    "joy": 1.0,
    "disgust": -0.9,
    "anger": -1.0,
}
# Distances between class means, in standard deviations of the noise: of an emotion, and of any emotion from none.
_EMOTION_STRENGTH = {"text": 3.0, "event": 2.4, "audio": 1.4, "video": 1.2}
_INTENSITY_STRENGTH = {"text": 1.5, "event": 1.0, "audio": 1.4, "video": 1.1}


@dataclass(frozen=True)
class EmotionalUtterance:
    """What the files of features state of an utterance.

    Attributes:
        utterance_id: Its id.
        speaker: Its speaker.
        text: Its text.
        emotion: Name of its emotion.
        expressed: Whether the words express the emotion.
    """

    utterance_id: str
    speaker: str
    text: str
    emotion: str
    expressed: bool


Dialogues = Mapping[Any, Sequence[EmotionalUtterance]]


def draw_vectors(dialogues: Dialogues, emotions: Sequence[str], seed: int) -> dict[str, dict[Any, NDArray[np.float32]]]:
    """Draws the vectors of all utterances.

    Args:
        dialogues: Utterances by dialogue.
        emotions: Names of the emotions.
        seed: Seed of the vectors.

    Returns:
        ``(turns, width)`` by dialogue, by modality; ``text2`` to ``text4`` and ``event2`` to ``event4`` are further
        variants, which differ in their noise.
    """
    emotional = [name for name in emotions if name in _AROUSAL]
    names = [(modality, "") for modality in WIDTHS]
    names += [(modality, str(n)) for modality in ("text", "event") for n in range(2, VARIANTS + 1)]
    drawn = {}
    for number, (modality, variant) in enumerate(names):
        space = FeatureSpace(len(emotional) + 2, WIDTHS[modality], (seed, 41, number))
        drawn[modality + variant] = {
            key: np.stack([space.measure(_latents(utterance, modality, emotional)) for utterance in utterances])
            for key, utterances in dialogues.items()
        }
    return drawn


def _latents(utterance: EmotionalUtterance, modality: str, emotional: Sequence[str]) -> NDArray[np.float64]:
    shown = utterance.emotion in _AROUSAL and (utterance.expressed or modality in ("audio", "video"))
    scale = _VALENCE if modality in ("video", "event") else _AROUSAL
    return shown * np.array(
        [
            scale.get(utterance.emotion, 0.0),
            _INTENSITY_STRENGTH[modality],
            *(_EMOTION_STRENGTH[modality] * (utterance.emotion == name) for name in emotional),
        ]
    )


def write_stores(
    folder: Path,
    dialogues: Dialogues,
    vectors: Mapping[str, Mapping[Any, NDArray[np.float32]]],
    modalities: Sequence[str] = tuple(WIDTHS),
) -> None:
    """Writes ``{modality}.parquet`` files, which every command takes as a feature store.

    Args:
        folder: Output folder.
        dialogues: Utterances by dialogue.
        vectors: As :func:`draw_vectors` returns them.
        modalities: Which of them to write.
    """
    folder.mkdir(parents=True, exist_ok=True)
    schema = pa.schema(
        [("utterance_id", pa.string()), ("vector", pa.list_(pa.float32()))], metadata={"synthetic": "true"}
    )
    ids = [utterance.utterance_id for utterances in dialogues.values() for utterance in utterances]
    for modality in modalities:
        rows = [vector for key in dialogues for vector in vectors[modality][key]]
        pq.write_table(pa.table({"utterance_id": ids, "vector": rows}, schema=schema), folder / f"{modality}.parquet")


def write_meld_pickle(
    path: Path,
    splits: Mapping[str, Dialogues],
    sentiments: Mapping[Any, Sequence[int]],
    emotions: Sequence[str],
    vectors: Mapping[str, Mapping[Any, NDArray[np.float32]]],
) -> None:
    """Writes ``meld_emotion_semantic_features_roberta.pkl``, 17 entries by dialogue.

    Args:
        path: Output file.
        splits: Utterances by dialogue, by split; a dialogue has the same key in all entries.
        sentiments: Sentiment ids of the utterances by dialogue.
        emotions: Emotion names by id.
        vectors: As :func:`draw_vectors` returns them.
    """
    dialogues = {key: utterances for split in splits.values() for key, utterances in split.items()}
    keys = {split: list(splits.get(split, ())) for split in ("train", "test", "validation")}
    content = (
        {key: _one_hot_speakers(utterances, 9) for key, utterances in dialogues.items()},
        _labels(dialogues, emotions),
        {key: list(sentiments[key]) for key in dialogues},
        *_text_variants(vectors, "text"),
        *_text_variants(vectors, "event"),
        vectors["audio"],
        vectors["video"],
        _sentences(dialogues),
        *keys.values(),
    )
    _dump(path, content)


def write_iemocap_pickles(
    folder: Path,
    dialogues: Dialogues,
    test: Sequence[str],
    validation: Sequence[str],
    emotions: Sequence[str],
    vectors: Mapping[str, Mapping[Any, NDArray[np.float32]]],
) -> None:
    """Writes the three pickles of IEMOCAP features, of 9, 10 and 16 entries by dialogue.

    Args:
        folder: Output folder.
        dialogues: Utterances by dialogue.
        test: Ids of the test dialogues.
        validation: Ids of the validation dialogues, which are among the train dialogues of every file.
        emotions: Emotion names by id.
        vectors: As :func:`draw_vectors` returns them.
    """
    labels, sentences = _labels(dialogues, emotions), _sentences(dialogues)
    speakers = {key: [utterance.speaker for utterance in utterances] for key, utterances in dialogues.items()}
    one_hot = {key: [[int(name == "M"), int(name == "F")] for name in names] for key, names in speakers.items()}
    lists = {name: {key: list(rows) for key, rows in by_dialogue.items()} for name, by_dialogue in vectors.items()}
    ids = {key: [utterance.utterance_id for utterance in utterances] for key, utterances in dialogues.items()}
    train = [key for key in dialogues if key not in set(test)]
    _dump(
        folder / "IEMOCAP_features.pkl",
        (ids, speakers, labels, lists["event"], lists["audio"], lists["video"], sentences, train, list(test)),
    )
    tuned, general = _text_variants(vectors, "text"), _text_variants(lists, "event")
    parts = (train, list(test), list(validation))
    _dump(folder / "iemocap_emotion_features_roberta.pkl", (one_hot, labels, *tuned, sentences, *parts))
    _dump(
        folder / "iemocap_emotion_semantic_features_roberta.pkl",
        (one_hot, labels, *tuned, *general, vectors["audio"], vectors["video"], sentences, *parts),
    )


def _text_variants(vectors: Mapping[str, Mapping[Any, Any]], modality: str) -> list[Mapping[Any, Any]]:
    return [vectors[modality + ("" if n == 1 else str(n))] for n in range(1, VARIANTS + 1)]


def _labels(dialogues: Dialogues, emotions: Sequence[str]) -> dict[Any, list[int]]:
    ids = {name: number for number, name in enumerate(emotions)}
    return {key: [ids[utterance.emotion] for utterance in utterances] for key, utterances in dialogues.items()}


def _sentences(dialogues: Dialogues) -> dict[Any, list[str]]:
    return {key: [utterance.text for utterance in utterances] for key, utterances in dialogues.items()}


def _one_hot_speakers(utterances: Sequence[EmotionalUtterance], width: int) -> list[list[int]]:
    order = list(dict.fromkeys(utterance.speaker for utterance in utterances))
    return [[int(order.index(utterance.speaker) == n) for n in range(width)] for utterance in utterances]


def _dump(path: Path, content: tuple[Any, ...]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        pickle.dump(content, file, protocol=3)
