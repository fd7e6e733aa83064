"""Predictions as arrays: of any system on a list of pairs, and of a run on all candidates with their gold."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.candidates import CANDIDATE_SPACES
from iemomecp_dataset.metrics.evaluation.prediction_facts import PredictionFacts
from iemomecp_dataset.metrics.scoring import decide, decide_by_fold
from iemomecp_dataset.pair_table import PairKeys, PairTable

__all__ = ["CandidatePredictions", "Predictions"]


@dataclass(frozen=True)
class CandidatePredictions:
    """Predictions of any system on a list of candidates, in the order of the file.

    Attributes:
        path: The file.
        class_names: Classes by id.
        pairs: ``n`` pairs. Their source dialogue, the unit to resample, is the file's own column, else the dialogue id
            without a chunk suffix ``__c<number>``.
        labels: ``(n,)`` int64 gold class ids, or ``None``.
        probabilities: ``(n, C)`` float64, or ``None`` where the file has no scores, or not for all rows.
        decisions: ``(n,)`` int64, the system's own decision, or ``None``.
        emotions: ``(n,)`` str, the predicted emotion of the target, empty where a row has none; or ``None``.
        listed: The dialogues that the file lists, also those without a pair; ``None`` where a table has rows alone.
        n_unscored: Rows without scores, or marked in the file as not scored by the model.
        facts: Metadata of the file.
        notes: Remarks on the file, for readers of its scores.
        folds: ``(n,)`` int64, the fold of each pair in a file of out-of-fold predictions, or ``None``.
        thresholds: ``(n,)`` float64, the decision threshold of its fold, which ``decisions`` follow, or ``None``.
    """

    path: Path
    class_names: tuple[str, ...]
    pairs: PairKeys
    labels: NDArray[np.int64] | None
    probabilities: NDArray[np.float64] | None
    decisions: NDArray[np.int64] | None
    emotions: NDArray[np.str_] | None = None
    listed: frozenset[str] | None = None
    n_unscored: int = 0
    facts: PredictionFacts = field(default_factory=PredictionFacts)
    notes: tuple[str, ...] = ()
    folds: NDArray[np.int64] | None = None
    thresholds: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.pairs)

    @property
    def candidate_space(self) -> str:
        """The candidate space that the file states, else the one that its pairs imply.

        ``past`` where no cause comes after its target and at least half of such pairs are listed; a list of predicted
        pairs alone implies nothing, and ``all`` is taken.
        """
        if self.facts.candidates in CANDIDATE_SPACES:
            return str(self.facts.candidates)
        predicted_alone = self.probabilities is None and self.decisions is not None and not self.decisions.any()
        if not len(self) or predicted_alone or (self.pairs.distances < 0).any():
            return "all"
        names, dialogue = np.unique(self.pairs.dialogue_ids, return_inverse=True)
        longest = np.zeros(len(names), dtype=np.int64)
        np.maximum.at(longest, dialogue, self.pairs.target_turns)
        return "past" if 2 * len(self) >= int((longest * (longest + 1) // 2).sum()) else "all"

    def take(self, chosen: NDArray[Any]) -> CandidatePredictions:
        """Selects or reorders rows.

        Args:
            chosen: ``(n,)`` bool, or the positions of the rows to take.

        Returns:
            Those rows.
        """
        return replace(
            self,
            pairs=self.pairs.take(chosen),
            labels=None if self.labels is None else self.labels[chosen],
            probabilities=None if self.probabilities is None else self.probabilities[chosen],
            decisions=None if self.decisions is None else self.decisions[chosen],
            emotions=None if self.emotions is None else self.emotions[chosen],
            folds=None if self.folds is None else self.folds[chosen],
            thresholds=None if self.thresholds is None else self.thresholds[chosen],
        )


@dataclass(frozen=True)
class Predictions:
    """Predicted probabilities of all candidate pairs of one split, with their gold.

    Attributes:
        pairs: ``n`` pairs.
        probabilities: ``(n, C)`` float64.
        class_names: The ``C`` class names, by id.
        facts: Metadata of the file.
        emotions: ``(n,)`` str, the predicted emotion of the target, or ``None``.
        folds: ``(n,)`` int64, the fold of each pair in a file of out-of-fold predictions, or ``None``.
        thresholds: ``(n,)`` float64, the decision threshold of its fold, or ``None``.
    """

    pairs: PairTable
    probabilities: NDArray[np.float64]
    class_names: tuple[str, ...]
    facts: PredictionFacts = field(default_factory=PredictionFacts)
    emotions: NDArray[np.str_] | None = None
    folds: NDArray[np.int64] | None = None
    thresholds: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.pairs)

    @property
    def dialogue_ids(self) -> NDArray[np.str_]:
        """``(n,)`` str."""
        return self.pairs.dialogue_ids

    @property
    def target_turns(self) -> NDArray[np.int64]:
        """``(n,)`` int64, 1-based."""
        return self.pairs.target_turns

    @property
    def cause_turns(self) -> NDArray[np.int64]:
        """``(n,)`` int64, 1-based."""
        return self.pairs.cause_turns

    @property
    def labels(self) -> NDArray[np.int64]:
        """``(n,)`` int64, gold class ids."""
        return self.pairs.labels

    @property
    def distances(self) -> NDArray[np.int64]:
        """``(n,)`` signed distance ``target - cause`` in turns."""
        return self.pairs.distances

    @property
    def missed_positives(self) -> int:
        """Gold pairs that are not candidates."""
        return self.pairs.missed_positives

    @property
    def threshold(self) -> float | None:
        """A pair is class 0 iff its probability reaches this; None: the most probable class is decided for.

        None as well where each fold has its own, in ``thresholds``; ``decided`` heeds both.
        """
        return self.facts.threshold

    @property
    def decisions_alone(self) -> bool:
        """Whether the system only decides: its probabilities are 0 and 1, and rank nothing."""
        return bool(self.facts.decisions_alone)

    @property
    def decided(self) -> NDArray[np.int64]:
        """``(n,)`` predicted class ids by the run's own decision rule."""
        if self.thresholds is not None:
            return decide_by_fold(self.probabilities, self.thresholds)
        return decide(self.probabilities, None if self.decisions_alone else self.threshold)
