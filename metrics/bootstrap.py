"""Bootstrap over dialogues: how far a score, or the difference of two, would move with other dialogues."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from iemomecp_dataset.errors import MetricInputError
from iemomecp_dataset.metrics.unit_counts import UnitCounts

__all__ = ["Interval", "bootstrap_intervals", "check_same_units", "paired_bootstrap"]


@dataclass(frozen=True)
class Interval:
    """A score, or a difference, with its uncertainty.

    Attributes:
        estimate: On the sample itself.
        low: Lower end of the percentile interval.
        high: Upper end.
        standard_error: Standard deviation over resamples (ddof 1).
        confidence: Share of resamples inside, such as 0.95.
        n_units: Units resampled.
        n_resamples: Resamples drawn.
        n_undefined: Resamples in which the score was undefined (no gold pair); they are left out.
        p_value: For a difference: two-sided, ``2 min(P(d* <= 0), P(d* >= 0))`` with one added to each count; ``None``
            for a single score.
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


def bootstrap_intervals(
    runs: UnitCounts | Sequence[UnitCounts],
    *,
    n_resamples: int = 10_000,
    confidence: float = 0.95,
    seed: int = 0,
    progress: bool = False,
) -> dict[str, Interval]:
    """Percentile bootstrap intervals of every score, resampling units with replacement (Efron, 1979).

    Args:
        runs: Counts of one run, or of runs that differ in their seed; then the score is their mean.
        n_resamples: Resamples.
        confidence: Coverage aimed at.
        seed: Of the resampling. Equal seeds and units give equal resamples.
        progress: Show a progress bar.

    Returns:
        An interval for each score.

    Raises:
        MetricInputError: Fewer than two units, runs on other units, or options out of range.

    Example:
        >>> from iemomecp_dataset.metrics.unit_counts import candidate_unit_counts
        >>> counts, = candidate_unit_counts([[0, 0, 1, 1]], [0, 1, 0, 1], ["a", "a", "b", "c"], ["pair", "non_pair"])
        >>> bootstrap_intervals(counts, n_resamples=200)["pair_f1"].estimate
        0.5
    """
    systems = _as_runs(runs)
    estimates = _estimates(systems)
    samples = _resampled([systems], n_resamples, confidence, seed, progress)[0]
    return {
        name: _interval(estimates[name], values, confidence, len(systems[0].units), difference=False)
        for name, values in samples.items()
    }


def paired_bootstrap(
    first: UnitCounts | Sequence[UnitCounts],
    second: UnitCounts | Sequence[UnitCounts],
    *,
    n_resamples: int = 10_000,
    confidence: float = 0.95,
    seed: int = 0,
    progress: bool = False,
) -> dict[str, Interval]:
    """Bootstrap intervals of ``first - second``, both scored on the same resamples.

    Args:
        first: Counts of a system's run, or of its runs over seeds.
        second: Counts of the other's.
        n_resamples: As in :func:`bootstrap_intervals`.
        confidence: As in :func:`bootstrap_intervals`.
        seed: As in :func:`bootstrap_intervals`.
        progress: As in :func:`bootstrap_intervals`.

    Returns:
        For each score both have, the difference with interval and p-value.

    Raises:
        MetricInputError: As in :func:`bootstrap_intervals`, or systems scored on other units.
    """
    systems = [_as_runs(first), _as_runs(second)]
    check_same_units([*systems[0], *systems[1]])
    estimates = [_estimates(runs) for runs in systems]
    samples = _resampled(systems, n_resamples, confidence, seed, progress)
    return {
        name: _interval(
            estimates[0][name] - estimates[1][name],
            samples[0][name] - samples[1][name],
            confidence,
            len(systems[0][0].units),
            difference=True,
        )
        for name in samples[0]
        if name in samples[1]
    }


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


def _as_runs(runs: UnitCounts | Sequence[UnitCounts]) -> list[UnitCounts]:
    systems = [runs] if isinstance(runs, UnitCounts) else list(runs)
    if not systems:
        raise MetricInputError("There are no runs to resample.")
    check_same_units(systems)
    if len(systems[0].units) < 2:
        raise MetricInputError(
            f"Resampling needs at least two dialogues; found {len(systems[0].units)}. One dialogue says nothing about "
            "others."
        )
    return systems


def _estimates(runs: list[UnitCounts]) -> dict[str, float]:
    each = [run.scores() for run in runs]
    return {name: sum(scores[name] for scores in each) / len(each) for name in each[0]}


def _mean_scores(runs: list[UnitCounts], weights: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    total: dict[str, NDArray[np.float64]] = {}
    for run in runs:
        for name, values in run.score(weights.astype(run.counts.dtype) @ run.counts).items():
            total[name] = total.get(name, np.float64(0.0)) + values
    return {name: values / len(runs) for name, values in total.items()}


def _resampled(
    systems: list[list[UnitCounts]], n_resamples: int, confidence: float, seed: int, progress: bool
) -> list[dict[str, NDArray[np.float64]]]:
    if n_resamples < 1 or not 0.0 < confidence < 1.0:
        raise MetricInputError(
            f"n_resamples must be at least 1 and confidence between 0 and 1; found {n_resamples} and {confidence}."
        )
    generator = np.random.default_rng(seed)
    n_units = len(systems[0][0].units)
    widest = max(run.counts.shape[1] for runs in systems for run in runs)
    chunk = max(1, min(n_resamples, 8_000_000 // widest))
    samples: list[dict[str, list[NDArray[np.float64]]]] = [{} for _ in systems]
    with tqdm(total=n_resamples, desc="bootstrap", unit="resample", disable=not progress, leave=False) as bar:
        for start in range(0, n_resamples, chunk):
            size = min(chunk, n_resamples - start)
            weights = generator.multinomial(n_units, np.full(n_units, 1 / n_units), size=size)
            for runs, collected in zip(systems, samples, strict=True):
                for name, values in _mean_scores(runs, weights).items():
                    collected.setdefault(name, []).append(values)
            bar.update(size)
    return [{name: np.concatenate(parts) for name, parts in collected.items()} for collected in samples]


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
