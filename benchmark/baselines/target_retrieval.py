"""Nearest train targets by their words: behind the row ``retrieval`` of explanations and the examples of prompts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.errors import missing_extra

__all__ = ["NearestTargets"]


class NearestTargets:
    """Ranks train utterances by the cosine of TF-IDF vectors of 1- and 2-grams, fitted on them.

    Args:
        texts: The train utterances.

    Raises:
        MissingDependencyError: scikit-learn is not installed.

    Example:
        >>> nearest = NearestTargets(["The train is late.", "We lost the game!", "What a game!"])
        >>> nearest.ranked(["A late train?", "Which game?"], [0, 1, 2]).tolist()
        [[0, 2, 1], [2, 1, 0]]
    """

    def __init__(self, texts: Sequence[str]) -> None:
        try:
            from sklearn.feature_extraction.text import TfidfVectorizer
        except ImportError as error:
            raise missing_extra("scikit-learn", "train") from error
        self._vectorizer = TfidfVectorizer(token_pattern=r"(?u)\b\w+\b|[!?]", ngram_range=(1, 2), sublinear_tf=True)
        try:
            self._train = self._vectorizer.fit_transform(texts)
        except ValueError:  # an empty vocabulary
            self._train = None

    @property
    def has_words(self) -> bool:
        """Whether the train utterances have any; without, all are equally near."""
        return self._train is not None

    def ranked(self, texts: Sequence[str], members: Sequence[int]) -> NDArray[np.int64]:
        """Ranks some train utterances by their similarity to each text.

        Args:
            texts: ``n`` texts.
            members: Positions of ``m`` train utterances.

        Returns:
            ``(n, m)`` positions, the nearest first; equals, to nine digits, in the order of ``members``.
        """
        order = np.asarray(members, dtype=np.int64)
        if self._train is None:
            return np.tile(order, (len(texts), 1))
        similar = (self._vectorizer.transform(texts) @ self._train[order].T).todense()
        # Sums of the same values in another order differ in their last bits.
        return order[np.argsort(-np.asarray(similar).round(9), axis=1, kind="stable")]
