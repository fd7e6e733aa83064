"""Bootstrap over dialogues: intervals of scores and of differences between systems."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from iemomecp_dataset.errors import MetricInputError
from iemomecp_dataset.excerpts import shown
from iemomecp_dataset.metrics.arguments.argument_checks import check_count, check_list, check_number
from iemomecp_dataset.metrics.significance.counts import UnitCounts

__all__ = [
    "MOST_DRAWS",
    "Interval",
    "Resamples",
    "as_runs",
    "bootstrap_intervals",
    "check_same_units",
    "paired_bootstrap",
    "resample_systems",
]

MOST_DRAWS = 1_000_000
"""Resamples, or permutations, that may be asked for: all of them lie in memory."""

# Counts of resamples held at once: summing is a quarter faster where they fit the processor's cache.
_ENTRIES = 1_000_000


@dataclass(frozen=True)
class Interval:
    r"""Holds a score, or a difference, with its interval.

    Attributes:
        estimate: On the sample itself.
        low: Lower end of the percentile interval.
        high: Upper end.
        standard_error: Standard deviation over resamples (ddof 1).
        confidence: Share of resamples inside, such as 0.95.
        n_units: Units resampled.
        n_resamples: Resamples drawn.
        n_undefined: Resamples in which the score was undefined (no gold pair); they are left out.
        p_value: For a difference: two-sided, :math:`2 \min(P(d^* \le 0), P(d^* \ge 0))` with one added to each count;
            ``None`` for a single score.
    """

    estimate: float
    low: float
    high: float
    standard_error: float
    confidence: float
    n_units: int
    n_resamples: int
    n_undefined: int = 0
    p_value: float | None = None


@dataclass(frozen=True)
class Resamples:
    """Holds a system's scores on the sample and on resamples; systems resampled together share the resamples.

    Attributes:
        estimates: On the sample itself.
        samples: ``(n_resamples,)`` of each score; NaN where it is undefined.
        n_units: Units resampled.
        confidence: Share of resamples inside the intervals.
    """

    estimates: dict[str, float]
    samples: dict[str, NDArray[np.float64]]
    n_units: int
    confidence: float

    def intervals(self) -> dict[str, Interval]:
        """Computes the interval of each score."""
        return {
            name: _interval(self.estimates[name], values, self.confidence, self.n_units, difference=False)
            for name, values in self.samples.items()
        }

    def less(self, other: Resamples) -> dict[str, Interval]:
        """Computes the difference, this minus the other, for each score that both have."""
        return {
            name: _interval(
                self.estimates[name] - other.estimates[name],
                values - other.samples[name],
                self.confidence,
                self.n_units,
                difference=True,
            )
            for name, values in self.samples.items()
            if name in other.samples
        }


def resample_systems(
    systems: Sequence[UnitCounts | Sequence[UnitCounts]],
    *,
    n_resamples: int = 10_000,
    confidence: float = 0.95,
    seed: int = 0,
    progress: bool = False,
) -> list[Resamples]:
    """Scores any number of systems on the same resamples of units, drawn with replacement (Efron, 1979).

    Each system is scored once, however many others it is then compared with.

    Args:
        systems: For each the counts of one run, or of runs that differ in their seed; then a score is their mean.
        n_resamples: Resamples.
        confidence: Coverage aimed at.
        seed: Of the resampling. Equal seeds and units give equal resamples.
        progress: Show a progress bar.

    Returns:
        One for each system.

    Raises:
        MetricInputError: Fewer than two units, runs on other units, or options out of range.
    """
    n_resamples = check_count(
        n_resamples, "n_resamples", f"a whole number of 1 to {MOST_DRAWS:,}", smallest=1, largest=MOST_DRAWS
    )
    confidence = check_number(confidence, "confidence", "a number between 0 and 1", smallest=0.0, largest=1.0)
    if confidence in (0.0, 1.0):
        raise MetricInputError(f"confidence must be a number between 0 and 1; found {confidence}.")
    seed = check_count(seed, "seed", "a whole number of 0 or more", largest=2**64)
    runs_of = [_as_runs(runs) for runs in check_list(systems, "systems", "counts")]
    if not runs_of:
        raise MetricInputError("There are no systems to resample.")
    check_same_units([runs[0] for runs in runs_of])
    n_units = len(runs_of[0][0].units)
    drawn = np.random.default_rng(seed).multinomial(n_units, np.full(n_units, 1 / n_units), size=n_resamples)
    steps = n_resamples * sum(map(len, runs_of))
    resampled = []
    with tqdm(total=steps, desc="Bootstrap", unit="resample", disable=not progress, leave=False) as bar:
        for runs in runs_of:
            samples = _mean_scores(runs, drawn, bar.update)
            resampled.append(Resamples(_estimates(runs), samples, n_units, confidence))
    return resampled


def bootstrap_intervals(
    runs: UnitCounts | Sequence[UnitCounts],
    *,
    n_resamples: int = 10_000,
    confidence: float = 0.95,
    seed: int = 0,
    progress: bool = False,
) -> dict[str, Interval]:
    """Computes percentile bootstrap intervals of every score.

    Args:
        runs: Counts of one run, or of runs that differ in their seed; then the score is their mean.
        n_resamples: As in :func:`resample_systems`.
        confidence: As in :func:`resample_systems`.
        seed: As in :func:`resample_systems`.
        progress: As in :func:`resample_systems`.

    Returns:
        An interval for each score.

    Raises:
        MetricInputError: As in :func:`resample_systems`.

    Example:
        >>> from iemomecp_dataset.metrics.significance.counts import candidate_unit_counts
        >>> counts, = candidate_unit_counts([[0, 0, 1, 1]], [0, 1, 0, 1], ["a", "a", "b", "c"], ["pair", "non_pair"])
        >>> bootstrap_intervals(counts, n_resamples=200)["pair_f1"].estimate
        0.5
    """
    (resampled,) = resample_systems(
        [runs], n_resamples=n_resamples, confidence=confidence, seed=seed, progress=progress
    )
    return resampled.intervals()


def paired_bootstrap(
    first: UnitCounts | Sequence[UnitCounts],
    second: UnitCounts | Sequence[UnitCounts],
    *,
    n_resamples: int = 10_000,
    confidence: float = 0.95,
    seed: int = 0,
    progress: bool = False,
) -> dict[str, Interval]:
    """Computes bootstrap intervals of ``first - second``, both scored on the same resamples.

    Args:
        first: Counts of a system's run, or of its runs over seeds.
        second: Counts of the other's.
        n_resamples: As in :func:`resample_systems`.
        confidence: As in :func:`resample_systems`.
        seed: As in :func:`resample_systems`.
        progress: As in :func:`resample_systems`.

    Returns:
        For each score both have, the difference with interval and p-value.

    Raises:
        MetricInputError: As in :func:`resample_systems`, or systems scored on other units.
    """
    one, other = resample_systems(
        [first, second], n_resamples=n_resamples, confidence=confidence, seed=seed, progress=progress
    )
    return one.less(other)


def check_same_units(runs: Sequence[UnitCounts]) -> None:
    """Refuses runs that were not scored on the same dialogues.

    Args:
        runs: Their counts.

    Raises:
        MetricInputError: The units differ.
    """
    for run in runs[1:]:
        if not np.array_equal(run.units, runs[0].units):
            alone = sorted(set(runs[0].units.tolist()) ^ set(run.units.tolist()))
            raise MetricInputError(
                f"A paired test needs both systems on the same dialogues; {len(alone)} dialogues are in one of them "
                f"only, the first is {alone[0]!r}."
            )


def as_runs(runs: UnitCounts | Sequence[UnitCounts]) -> list[UnitCounts]:
    """Lists the counts of one run or of several.

    Args:
        runs: Counts of one run, or a list of them.

    Returns:
        A list.

    Raises:
        MetricInputError: It holds something else, such as probabilities.
    """
    systems = [runs] if isinstance(runs, UnitCounts) else check_list(runs, "A system", "the counts of its runs")
    for run in systems:
        if not isinstance(run, UnitCounts):
            raise MetricInputError(
                f"Systems are compared by their counts, from candidate_unit_counts say; found {shown(run)}."
            )
    return systems


def _as_runs(runs: UnitCounts | Sequence[UnitCounts]) -> list[UnitCounts]:
    systems = as_runs(runs)
    if not systems:
        raise MetricInputError("There are no runs to resample.")
    check_same_units(systems)
    if len(systems[0].units) < 2:
        raise MetricInputError(
            f"Resampling needs at least two dialogues; found {len(systems[0].units)}. One dialogue does not represent "
            "others."
        )
    return systems


def _estimates(runs: list[UnitCounts]) -> dict[str, float]:
    each = [run.scores() for run in runs]
    return {name: sum(scores[name] for scores in each) / len(each) for name in each[0]}


def _mean_scores(
    runs: list[UnitCounts], drawn: NDArray[np.int64], progress: Callable[[int], Any]
) -> dict[str, NDArray[np.float64]]:
    """Scores ``(n_resamples,)`` resamples, a part of them at a time to save memory."""
    parts: list[dict[str, NDArray[np.float64]]] = []
    chunk = max(1, _ENTRIES // max(run.counts.shape[1] for run in runs))
    for start in range(0, len(drawn), chunk):
        weights = drawn[start : start + chunk]
        total: dict[str, NDArray[np.float64]] = {}
        for run in runs:
            for name, values in run.score(weights.astype(run.counts.dtype) @ run.counts).items():
                total[name] = total.get(name, np.float64(0.0)) + values
            progress(len(weights))
        parts.append({name: values / len(runs) for name, values in total.items()})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _interval(
    estimate: float, samples: NDArray[np.float64], confidence: float, n_units: int, *, difference: bool
) -> Interval:
    defined = samples[~np.isnan(samples)]
    nan = float("nan")
    low, high = np.quantile(defined, [(1 - confidence) / 2, (1 + confidence) / 2]) if len(defined) else (nan, nan)
    p_value = None
    if difference and len(defined):
        smaller = min(int((defined <= 0).sum()), int((defined >= 0).sum()))
        p_value = min(1.0, 2 * (smaller + 1) / (len(defined) + 1))
    return Interval(
        estimate=estimate,
        low=float(low),
        high=float(high),
        standard_error=float(defined.std(ddof=1)) if len(defined) > 1 else nan,
        confidence=confidence,
        n_units=n_units,
        n_resamples=len(samples),
        n_undefined=len(samples) - len(defined),
        p_value=p_value,
    )
