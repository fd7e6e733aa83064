"""Is a difference real? Intervals and paired tests over dialogues, for the systems of one table."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from iemomecp_dataset.benchmark.board import Board, Row
from iemomecp_dataset.metrics.evaluation.predictions import Predictions
from iemomecp_dataset.metrics.significance.bootstrap import Interval, resample_systems
from iemomecp_dataset.metrics.significance.counts import UnitCounts, candidate_unit_counts

__all__ = ["RULE", "Comparison", "Comparisons", "compare", "holm"]

METRICS = ("pair_f1", "pair_auprc")
RULE = "self + previous"
"""The structural baseline that systems are tested against: it can be told from turns alone, and in the corpora tried it
decides as the distance-only one does."""

_MOST_PAIRS = 15


@dataclass(frozen=True)
class Comparison:
    """One difference.

    Attributes:
        first: Name of a system.
        second: Name of another, or :data:`RULE`.
        metric: ``pair_f1`` or ``pair_auprc``.
        difference: ``first - second`` with its interval and p-value.
        p_holm: The p-value corrected for all comparisons of this metric in the table.
        seeds: Seeds that both systems have.
        seed_error: Standard error of the mean difference over these seeds, paired by seed; NaN below two seeds.
    """

    first: str
    second: str
    metric: str
    difference: Interval
    p_holm: float
    seeds: int = 0
    seed_error: float = math.nan


@dataclass(frozen=True)
class Comparisons:
    """What can be said about the systems of a table on one split.

    Attributes:
        intervals: By system and metric.
        comparisons: Differences between systems, and of each to :data:`RULE`.
        n_units: Source dialogues that were resampled.
        n_resamples: Resamples drawn.
        left_out: Systems without predictions for all their runs, which are in none of this.
    """

    intervals: Mapping[str, Mapping[str, Interval]]
    comparisons: tuple[Comparison, ...]
    n_units: int
    n_resamples: int
    left_out: tuple[str, ...]


def compare(
    board: Board, predictions: Mapping[str, Predictions], *, n_resamples: int = 2000, seed: int = 0
) -> Comparisons | None:
    """Resamples source dialogues, so that chunks of one stay together, and scores all systems on the same resamples.

    A system's score is the mean over its seeds. The intervals say how far it would move with other dialogues of the
    same kind; they do not cover other seeds, which the standard deviation in the table is for.

    Args:
        board: Comparable runs.
        predictions: By run name, all on the same pairs of one split.
        n_resamples: Resamples.
        seed: Of the resampling.

    Returns:
        The comparisons, or None when nothing has predictions or there are fewer than two dialogues to resample. All
        pairs of systems are compared while there are few; else each with the Base of its kind, or with the best where
        there is none.
    """
    rows = [row for row in board.trained if all(run.results.run_name in predictions for run in row.runs)]
    left_out = tuple(row.name for row in board.trained if row not in rows)
    if not rows:
        return None
    first = predictions[rows[0].runs[0].results.run_name]
    n_units = len(np.unique(first.source_dialogue_ids))
    if n_units < 2:
        return None
    counts = _counts(rows, predictions, first)
    *of_systems, rule = resample_systems([*counts.values(), _rule_counts(first)], n_resamples=n_resamples, seed=seed)
    resampled = dict(zip(counts, of_systems, strict=True))
    pairs = list(itertools.combinations(reversed(rows), 2))
    if len(pairs) > _MOST_PAIRS:
        pairs = _with_base(rows)
    raw: list[tuple[str, str, str, Interval]] = []
    for one, other in pairs:
        found = resampled[one.name].less(resampled[other.name])
        raw += [(one.name, other.name, metric, found[metric]) for metric in METRICS if metric in found]
    for row in reversed(rows):
        raw.append((row.name, RULE, "pair_f1", resampled[row.name].less(rule)["pair_f1"]))
    corrected: dict[int, float] = {}
    for metric in METRICS:
        places = [i for i, entry in enumerate(raw) if entry[2] == metric]
        values = holm([_p(raw[i][3]) for i in places])
        corrected.update(zip(places, values, strict=True))
    by_name = {row.name: row for row in rows}
    return Comparisons(
        intervals={row.name: resampled[row.name].intervals() for row in rows},
        comparisons=tuple(
            Comparison(*entry, corrected[i], *_over_seeds(by_name[entry[0]], by_name.get(entry[1]), counts, entry[2]))
            for i, entry in enumerate(raw)
        ),
        n_units=n_units,
        n_resamples=n_resamples,
        left_out=left_out,
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction (1979): controls the chance of any false alarm among several tests.

    The i-th smallest of m p-values is multiplied by ``m - i + 1``, and none may be below a smaller one's.

    Args:
        p_values: One a test; NaN where a test is undefined, which counts as no test.

    Returns:
        Corrected p-values, in the same order.

    Example:
        >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
        [0.03, 0.06, 0.06]
    """
    order = sorted((i for i, p in enumerate(p_values) if not math.isnan(p)), key=lambda i: p_values[i])
    corrected = [math.nan] * len(p_values)
    running = 0.0
    for rank, i in enumerate(order):
        running = max(running, min(1.0, (len(order) - rank) * p_values[i]))
        corrected[i] = running
    return corrected


def _with_base(rows: Sequence[Row]) -> list[tuple[Row, Row]]:
    """Each system with the Base of its kind; where there is none, with the best one."""
    bases = {_kind(row): row for row in rows if row.runs[0].results.objective == "base"}
    pairs = []
    for row in reversed(rows):
        base = bases.get(_kind(row))
        if base is None and row is not rows[-1]:
            pairs.append((rows[-1], row))
        elif base is not None and row is not base:
            pairs.append((row, base))
    return pairs


def _kind(row: Row) -> tuple[str, ...]:
    results = row.runs[0].results
    return results.scorer, results.modalities, results.text_encoder, results.encoder_mode


def _over_seeds(
    first: Row, second: Row | None, counts: Mapping[str, Sequence[UnitCounts]], metric: str
) -> tuple[int, float]:
    """How many seeds two systems share, and the standard error of the mean of the differences by seed."""
    if second is None:
        return 0, math.nan
    of_seed = [
        {seed: run.scores()[metric] for seed, run in zip(row.seeds, counts[row.name], strict=True)}
        for row in (first, second)
    ]
    shared = sorted(of_seed[0].keys() & of_seed[1].keys())
    if len(shared) < 2:
        return len(shared), math.nan
    differences = [of_seed[0][seed] - of_seed[1][seed] for seed in shared]
    return len(shared), float(np.std(differences, ddof=1) / math.sqrt(len(shared)))


def _counts(
    rows: Sequence[Row], predictions: Mapping[str, Predictions], first: Predictions
) -> dict[str, list[UnitCounts]]:
    """Counts of all runs, each on the grid of its own scores: one for all would be as many times wider."""
    counts: dict[str, list[UnitCounts]] = {}
    for row in rows:
        counts[row.name] = []
        for run in row.runs:
            found = predictions[run.results.run_name]
            decides = found.decisions_alone
            counts[row.name] += candidate_unit_counts(
                [found.decided if decides else found.probabilities],
                first.labels,
                first.source_dialogue_ids,
                first.class_names,
                thresholds=None if decides else [found.threshold],
                missed_positives=first.missed_positives,
            )
    return counts


def _rule_counts(first: Predictions) -> list[UnitCounts]:
    near = (first.distances == 0) | (first.distances == 1)
    decided = np.where(near, 0, len(first.class_names) - 1)
    return candidate_unit_counts(
        [decided],
        first.labels,
        first.source_dialogue_ids,
        first.class_names,
        missed_positives=first.missed_positives,
    )


def _p(interval: Interval) -> float:
    return math.nan if interval.p_value is None else interval.p_value
