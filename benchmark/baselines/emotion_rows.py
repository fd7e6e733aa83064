"""Structural rows of emotion recognition: scores that need no model of the dialogue.

They belong in every table of emotion scores: only what a system scores beyond them comes from context or from better
encoders.

====================  ==================================================================================
key                   predicted emotion of an utterance
====================  ==================================================================================
``majority``          the most frequent one among the train utterances
``previous_emotion``  the one that a regression on words alone *predicts* for the speaker's previous
                      utterance in the dialogue; for a speaker's first utterance its own prediction
``tfidf``             logistic regression on the TF-IDF of its words
``frozen_encoder``    logistic regression on the vectors of a frozen text encoder, computed or from a store
====================  ==================================================================================

None of them uses a gold emotion of the split that it predicts; all are fitted on train. The regressions, their settings
and the order of utterances are those of :mod:`~iemomecp_dataset.benchmark.baselines.emotion_detection`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.benchmark.baselines.emotion_detection import TFIDF, class_probabilities
from iemomecp_dataset.benchmark.baselines.structural import StructuralSystem
from iemomecp_dataset.benchmark.baselines.utterance_table import UtteranceTable, utterance_table
from iemomecp_dataset.corpus import Corpus
from iemomecp_dataset.emotion_table import EmotionTable, emotion_table
from iemomecp_dataset.metrics.scoring import decide

__all__ = ["FROZEN_ENCODER", "MAJORITY", "PREVIOUS_EMOTION", "TFIDF_WORDS", "emotion_systems", "previous_of_speaker"]

MAJORITY, PREVIOUS_EMOTION = "majority", "previous_emotion"
TFIDF_WORDS, FROZEN_ENCODER = "tfidf", "frozen_encoder"
"""Keys of the rows."""


def emotion_systems(
    corpus: Corpus,
    *,
    utterance_features: Mapping[str, NDArray[np.float32]] | None = None,
    feature_source: str = TFIDF,
) -> list[StructuralSystem]:
    """Builds every row that the corpus allows, with predictions for all splits.

    Args:
        corpus: The corpus, whole dialogues; without known emotions in a train split there are no rows.
        utterance_features: By split ``(m, d)``, one vector per utterance in row order: of a frozen text encoder. A row
            of NaN is a missing vector: its utterance is not fitted on, is predicted by the shares of the emotions in
            train, and is counted in the description.
        feature_source: Name of these features.

    Returns:
        The systems, from the least to the most informed. One that cannot be built has no probabilities, and the reason
        in its description.

    Raises:
        UsageError: Features are named that a split does not have.
        InvalidDataError: Features are not one vector per utterance.
    """
    tables = {split: emotion_table(rows) for split, rows in corpus.rows.items()}
    if "train" not in tables or not tables["train"].labelled.any():
        return []
    names, labels = corpus.emotion_names, tables["train"].labels
    features = utterance_features or {}
    utterances = {split: utterance_table(rows, names, features.get(split)) for split, rows in corpus.rows.items()}
    most = int(np.bincount(labels[labels >= 0], minlength=len(names)).argmax())
    systems = [
        StructuralSystem(
            MAJORITY,
            f"majority ({names[most]})",
            "Predicts the most frequent emotion of the train utterances, without any input.",
            {split: np.tile(np.eye(len(names))[most], (len(table), 1)) for split, table in tables.items()},
            hard=True,
        )
    ]
    by_words = _regression(utterances, labels, len(names), TFIDF)
    by_features, missing = _by_vectors(utterances, labels, len(names), feature_source) if features else ({}, "")
    source, of_text = (TFIDF, by_words) if by_words else (feature_source, by_features)
    previous = {
        split: np.eye(len(names))[decide(of_text[split])[previous_of_speaker(table)]]
        for split, table in tables.items()
        if split in of_text
    }
    systems.append(
        StructuralSystem(
            PREVIOUS_EMOTION,
            f"speaker's previous emotion, predicted ({source})",
            _or_reason(
                previous,
                "Predicts the emotion that the logistic regression on the text predicts for the speaker's previous "
                "utterance in the dialogue; for a speaker's first utterance its own. No gold emotions.",
                _NO_TEXT,
            ),
            previous,
            hard=True,
        )
    )
    vectors = feature_source if features else "frozen encoder"
    for key, source, of_split, further, reason in (
        (TFIDF_WORDS, TFIDF, by_words, "", _NO_TEXT),
        (FROZEN_ENCODER, vectors, by_features, missing, missing or _NO_VECTORS),
    ):
        words = (
            f"Multinomial logistic regression on {source} of each utterance alone, without context, fitted on train."
        )
        words = _or_reason(of_split, f"{words} {further}".strip(), reason)
        systems.append(StructuralSystem(key, f"{source} + logistic regression", words, dict(of_split)))
    return systems


def previous_of_speaker(table: EmotionTable) -> NDArray[np.int64]:
    """Finds the previous utterance of the same speaker in the dialogue.

    Args:
        table: ``m`` utterances; the order of a dialogue is that of their turns. An empty speaker is unknown.

    Returns:
        ``(m,)`` positions in the table; of a speaker's first utterance, and of unknown speakers, its own.

    Example:
        >>> speakers = np.array(["A", "B", "A", ""])
        >>> one = EmotionTable(np.array(["d"] * 4), np.array([1, 2, 3, 4]), speakers, np.zeros(4, int))
        >>> previous_of_speaker(one).tolist()
        [0, 1, 0, 3]
    """
    found = np.arange(len(table), dtype=np.int64)
    _, who = np.unique(np.stack([table.dialogue_ids, table.speakers]), axis=1, return_inverse=True)
    order = np.lexsort((table.turns, who))
    same = (np.diff(who[order]) == 0) & (table.speakers[order[1:]] != "")
    found[order[1:][same]] = order[:-1][same]
    return found


def _regression(
    utterances: Mapping[str, UtteranceTable], labels: NDArray[np.int64], n_classes: int, source: str
) -> dict[str, NDArray[np.float64]]:
    """Probabilities by split; none where words are asked for and there are none."""
    train = utterances["train"]
    if source == TFIDF and not any(text.strip() for text in train.texts):
        return {}
    others = {split: table for split, table in utterances.items() if split != "train"}
    return class_probabilities(train, others, labels, n_classes, source)


def _by_vectors(
    utterances: Mapping[str, UtteranceTable], labels: NDArray[np.int64], n_classes: int, source: str
) -> tuple[dict[str, NDArray[np.float64]], str]:
    """Probabilities by split of a regression on vectors, and what is to be said about missing ones."""
    absent = {
        split: np.isnan(table.features).any(axis=1)
        for split, table in utterances.items()
        if table.features is not None and len(table)
    }
    if not any(of_split.any() for of_split in absent.values()):
        return _regression(utterances, labels, n_classes, source), ""
    known = labels[labels >= 0]
    fitted_on = np.where(absent["train"], -1, labels) if "train" in absent else labels
    if (fitted_on < 0).all():
        return {}, "Not built: no train utterance with a known emotion has a vector."
    filled = {
        split: table if table.features is None else replace(table, features=np.nan_to_num(table.features))
        for split, table in utterances.items()
    }
    found = _regression(filled, fitted_on, n_classes, source)
    for split, of_split in absent.items():
        found[split][of_split] = np.bincount(known, minlength=n_classes) / len(known)
    counts = ", ".join(f"{of_split.sum()} of {split}" for split, of_split in absent.items() if of_split.any())
    return found, (
        f"Vectors are missing ({counts}): these utterances are not fitted on, and are predicted by the shares of the "
        "emotions in train."
    )


_NO_TEXT = "Not built: the utterances have no text and no features were given."
_NO_VECTORS = (
    "Not built: the run has no vectors of a frozen text encoder: it uses no text, trains its encoder, or is known by "
    "its predictions alone."
)


def _or_reason(built: Mapping[str, NDArray[np.float64]], words: str, reason: str) -> str:
    return words if built else reason
