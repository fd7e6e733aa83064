"""Paired permutation test over dialogues for the difference of two systems."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from iemomecp_dataset.errors import MetricInputError
from iemomecp_dataset.metrics.arguments.argument_checks import check_count
from iemomecp_dataset.metrics.significance.bootstrap import MOST_DRAWS, as_runs, check_same_units
from iemomecp_dataset.metrics.significance.counts import UnitCounts

__all__ = ["PermutationTest", "permutation_test"]


@dataclass(frozen=True)
class PermutationTest:
    """Holds the result of a paired permutation test.

    Attributes:
        difference: First system minus second.
        p_value: Two-sided: share of permutations at least as far from 0, one added to both counts.
        n_permutations: Permutations drawn.
        n_units: Units exchanged.
    """

    difference: float
    p_value: float
    n_permutations: int
    n_units: int


def permutation_test(
    first: UnitCounts | Sequence[UnitCounts],
    second: UnitCounts | Sequence[UnitCounts],
    *,
    n_permutations: int = 10_000,
    seed: int = 0,
    progress: bool = False,
) -> dict[str, PermutationTest]:
    """Exchanges the two systems' outputs, per dialogue with probability 1/2 (approximate randomisation; Noreen, 1989).

    Under the null hypothesis the outputs of the two systems are exchangeable. Where a system has several runs, the
    score is their mean, and run ``k`` of the one is exchanged with run ``k`` of the other in the same dialogues.
    ``pair_auprc`` mixes the scores of both systems in one ranking, so it also depends on their scales: for it the
    paired bootstrap is the safer test.

    Args:
        first: Counts of a system's run, or of its runs. Counts of both systems must come from one call of
            :func:`~iemomecp_dataset.metrics.significance.counts.candidate_unit_counts`, or be those of set scores.
        second: Counts of the other's, as many.
        n_permutations: Permutations.
        seed: Seed of the permutations.
        progress: Show a progress bar.

    Returns:
        A test for each score.

    Raises:
        MetricInputError: Systems on other units, other numbers of runs, or counts of other kinds.

    Example:
        >>> from iemomecp_dataset.metrics.significance.counts import candidate_unit_counts
        >>> same = candidate_unit_counts([[0, 1], [0, 1]], [0, 0], ["a", "b"], ["pair", "non_pair"])
        >>> permutation_test(*same, n_permutations=99)["pair_f1"].p_value
        1.0
    """
    ones, others = as_runs(first), as_runs(second)
    if not ones or len(ones) != len(others):
        raise MetricInputError(
            f"A permutation test exchanges run by run and needs as many runs of both; found {len(ones)} and "
            f"{len(others)}."
        )
    n_permutations = check_count(
        n_permutations, "n_permutations", f"a whole number of 1 to {MOST_DRAWS:,}", smallest=1, largest=MOST_DRAWS
    )
    seed = check_count(seed, "seed", "a whole number of 0 or more", largest=2**64)
    check_same_units([*ones, *others])
    if len({run.counts.shape for run in (*ones, *others)}) > 1:
        raise MetricInputError("The counts of the systems are of other kinds; make them in one call.")
    generator = np.random.default_rng(seed)
    n_units = len(ones[0].units)
    chunk = max(1, min(n_permutations, 8_000_000 // ones[0].counts.shape[1]))
    observed = _difference(ones, others, np.zeros((1, n_units)))
    at_least = dict.fromkeys(observed, 0)
    with tqdm(total=n_permutations, desc="permutation", unit="draw", disable=not progress, leave=False) as bar:
        for start in range(0, n_permutations, chunk):
            size = min(chunk, n_permutations - start)
            exchanged = generator.integers(0, 2, size=(size, n_units))
            for name, values in _difference(ones, others, exchanged).items():
                # Equal differences come from different sums; rounding errors must not decide.
                at_least[name] += int((np.abs(values) >= abs(observed[name][0]) - 1e-12).sum())
            bar.update(size)
    return {
        name: PermutationTest(
            difference=float(values[0]),
            p_value=(at_least[name] + 1) / (n_permutations + 1) if not np.isnan(values[0]) else float("nan"),
            n_permutations=n_permutations,
            n_units=n_units,
        )
        for name, values in observed.items()
    }


def _difference(
    ones: list[UnitCounts], others: list[UnitCounts], exchanged: NDArray[np.generic]
) -> dict[str, NDArray[np.float64]]:
    total: dict[str, NDArray[np.float64]] = {}
    for one, other in zip(ones, others, strict=True):
        swap = exchanged.astype(one.counts.dtype)
        moved = swap @ (other.counts - one.counts)
        first = one.score(one.counts.sum(axis=0) + moved)
        second = other.score(other.counts.sum(axis=0) - moved)
        for name in first:
            total[name] = total.get(name, np.float64(0.0)) + (first[name] - second[name]) / len(ones)
    return total
