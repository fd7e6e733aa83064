"""Predicts P(an utterance is emotional) from its features or its words, for the emotion x distance baseline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.benchmark.baselines.utterance_table import UtteranceTable
from iemomecp_dataset.errors import UsageError, missing_extra

__all__ = ["TFIDF", "emotion_probabilities"]

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
    inputs, classifier = _inputs_and_classifier(train, others, feature_source)
    if train.emotional.all() or not train.emotional.any():
        # A single class cannot be fitted: predict its frequency.
        constant = float(train.emotional.mean()) if len(train) else 0.0
        return {split: np.full(len(table), constant) for split, table in {"train": train, **others}.items()}
    classifier.fit(inputs["train"], train.emotional)
    positive = list(classifier.classes_).index(True)
    return {
        split: np.asarray(classifier.predict_proba(values)[:, positive], dtype=np.float64)
        if values.shape[0]
        else np.zeros(0)
        for split, values in inputs.items()
    }


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
