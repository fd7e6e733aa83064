"""Predicts classes of utterances from their features or their words, without context.

P(an utterance is emotional) goes into the emotion x distance baseline, the classes into the structural rows of emotion
recognition.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.benchmark.baselines.utterance_table import UtteranceTable
from iemomecp_dataset.errors import UsageError, missing_extra

__all__ = ["TFIDF", "class_probabilities", "emotion_probabilities"]

TFIDF = "TF-IDF"
"""Name of the feature source that is built here from the texts."""


def emotion_probabilities(
    train: UtteranceTable, others: Mapping[str, UtteranceTable], feature_source: str = TFIDF
) -> dict[str, NDArray[np.float64]]:
    """Fits a logistic regression on the train utterances and applies it to every split.

    TF-IDF is of word 1- and 2-grams fitted on train, with "!" and "?" as words; of characters where the language is
    written without spaces. Any other source is the features in the tables, standardised by the train mean and standard
    deviation. Train gold emotions are the labels; those of other splits are not used.

    Args:
        train: The utterances to fit on.
        others: The utterances of the other splits, by split.
        feature_source: ``"TF-IDF"``, or the name of the features that the tables hold.

    Returns:
        For ``train`` and each other split ``(m,)`` probabilities, in the order of its utterances.

    Raises:
        UsageError: Features are named that a split does not have, or TF-IDF is asked for and there is no text.
    """
    found = class_probabilities(train, others, train.emotional.astype(np.int64), 2, feature_source)
    return {split: of_split[:, 1] for split, of_split in found.items()}


def class_probabilities(
    train: UtteranceTable,
    others: Mapping[str, UtteranceTable],
    labels: NDArray[np.int64],
    n_classes: int,
    feature_source: str = TFIDF,
) -> dict[str, NDArray[np.float64]]:
    """Fits a multinomial logistic regression on the train utterances and applies it to every split.

    Args:
        train: The utterances to fit on.
        others: The utterances of the other splits, by split.
        labels: ``(m,)`` classes of the train utterances; those below 0 are unknown and left out.
        n_classes: Number of classes ``C``; one that train lacks gets probability 0.
        feature_source: As in :func:`emotion_probabilities`.

    Returns:
        For ``train`` and each other split ``(m, C)`` probabilities, in the order of its utterances.

    Raises:
        UsageError: As in :func:`emotion_probabilities`.
    """
    inputs, classifier = _inputs_and_classifier(train, others, feature_source)
    sizes = {split: len(table) for split, table in {"train": train, **others}.items()}
    known = labels >= 0
    found = {split: np.zeros((size, n_classes)) for split, size in sizes.items()}
    classes = np.unique(labels[known])
    if len(classes) < 2:
        # A single class cannot be fitted: predict it.
        for of_split in found.values():
            of_split[:, classes if len(classes) else 0] = 1.0
        return found
    classifier.fit(inputs["train"][known], labels[known])
    for split, of_split in found.items():
        if sizes[split]:
            of_split[:, classes] = classifier.predict_proba(inputs[split])
    return found


def _inputs_and_classifier(
    train: UtteranceTable, others: Mapping[str, UtteranceTable], feature_source: str
) -> tuple[dict[str, Any], Any]:
    tables = {"train": train, **others}
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
    except ImportError as error:
        raise missing_extra("scikit-learn", "train") from error
    if feature_source == TFIDF:
        if not any(text.strip() for text in train.texts):
            raise UsageError(
                "The train utterances have no text, so TF-IDF features cannot be built. Give utterance features, and "
                "their name as feature_source."
            )
        # Exclamation and question marks predict emotions as well as words do.
        # Without spaces between words a whole utterance would be one token, hence characters there.
        by_word = not _written_without_spaces(train.texts)
        vectorizer = TfidfVectorizer(
            analyzer="word" if by_word else "char",
            token_pattern=r"(?u)\b\w+\b|[!?]" if by_word else None,
            ngram_range=(1, 2),
            sublinear_tf=True,
        )
        vectorizer.fit(train.texts)
        return (
            {split: vectorizer.transform(table.texts) for split, table in tables.items()},
            LogisticRegression(C=2.0, max_iter=2000),
        )
    missing = [split for split, table in tables.items() if table.features is None]
    if missing:
        raise UsageError(
            f"feature_source={feature_source!r} names features of the utterance tables, but these splits have none: "
            f"{', '.join(missing)}. Give features for every split, or feature_source='{TFIDF}' to use the texts."
        )
    # Hundreds of standardised dimensions on some thousand utterances overfit without a strong penalty.
    return (
        {split: table.features for split, table in tables.items()},
        make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2000)),
    )


def _written_without_spaces(texts: tuple[str, ...]) -> bool:
    """Tells whether at least a third of the characters are ideographs (Chinese)."""
    written = "".join(character for text in texts for character in text if character.isalnum())
    ideographs = sum("\u4e00" <= character <= "\u9fff" for character in written)
    return 3 * ideographs >= len(written) > 0
