"""What a diagnostic looks at: predictions of some runs of one system on the same pairs, with facts of these pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.benchmark.diagnostics.pair_facts import PairFacts
from iemomecp_dataset.benchmark.diagnostics.variant import Variant
from iemomecp_dataset.errors import MissingDataError
from iemomecp_dataset.metrics.scoring import decide, decide_by_fold
from iemomecp_dataset.pair_table import PairTable

__all__ = ["Lacking", "View", "given"]

T = TypeVar("T")


@dataclass(frozen=True)
class Lacking:
    """Stands for what some runs or their data do not have.

    Attributes:
        reason: What is missing, and what to do.
    """

    reason: str


def given(value: T | Lacking) -> T:
    """Returns what is there.

    Raises:
        MissingDataError: It is not there; the message is the reason.
    """
    if isinstance(value, Lacking):
        raise MissingDataError(value.reason)
    return value


@dataclass(frozen=True)
class View:
    """Predictions of ``S`` runs of one system on ``n`` pairs, all in the same order.

    Attributes:
        pairs: The pairs with the gold classes that the runs were scored on.
        splits: ``(n,)`` str, the split of each pair.
        class_names: The ``C`` classes by id.
        probabilities: ``(S, n, C)``.
        thresholds: The threshold of each run, or ``(n,)`` of its pairs where each fold has one; ``None``: it decides
            for the most probable class.
        decisions_alone: Whether a run only decides: its probabilities are 0 and 1.
        roles: ``(n,)`` ids of the gold roles.
        facts: What the data says about the pairs; of one split.
        removed: ``(S, n, C)`` probabilities after the evidence of the candidates was removed.
        binary: ``(S, n)`` twice, decisions of the binary runs of the same system and seeds: by the most probable class,
            and by their own decision rule. True: a pair.
    """

    pairs: PairTable
    splits: NDArray[np.str_]
    class_names: tuple[str, ...]
    probabilities: NDArray[np.float64]
    thresholds: tuple[float | NDArray[np.float64] | None, ...]
    decisions_alone: bool = False
    roles: NDArray[np.int64] | Lacking = Lacking("The gold roles are not known.")
    facts: PairFacts | Lacking = Lacking("The data is not known.")
    removed: NDArray[np.float64] | Lacking = Lacking("There are no predictions without evidence.")
    binary: tuple[NDArray[np.bool_], NDArray[np.bool_]] | Lacking = Lacking("There is no binary run.")

    @property
    def n_runs(self) -> int:
        """``S``."""
        return len(self.probabilities)

    def decided(self, variant: Variant) -> NDArray[np.int64]:
        """Decides for a class: as published for the most probable one, corrected by each run's own rule.

        Returns:
            ``(S, n)`` class ids.
        """
        return self._decided(self.probabilities, variant)

    def decided_without_evidence(self, variant: Variant) -> NDArray[np.int64]:
        """Decides likewise after the evidence of the candidates was removed.

        Returns:
            ``(S, n)`` class ids.

        Raises:
            MissingDataError: A run has no such predictions.
        """
        return self._decided(given(self.removed), variant)

    def _decided(self, probabilities: NDArray[np.float64], variant: Variant) -> NDArray[np.int64]:
        rules = [None] * self.n_runs if variant == "as_published" else self.thresholds
        return np.stack(
            [
                decide_by_fold(of_run, rule) if isinstance(rule, np.ndarray) else decide(of_run, rule)
                for of_run, rule in zip(probabilities, rules, strict=True)
            ]
        )
