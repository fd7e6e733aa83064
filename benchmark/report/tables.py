"""Builds the results table of a board on one split, with all cells formatted for the page."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from iemomecp_dataset.benchmark.board import Board, score_columns, signatures_of, split_notes
from iemomecp_dataset.benchmark.board_rows import MOST_PROBABLE, OWN_DECISIONS, BoardRow, Score
from iemomecp_dataset.benchmark.published.beside import published_beside
from iemomecp_dataset.benchmark.report.headline import PAIR_F1, Headline
from iemomecp_dataset.benchmark.report.reading_ladder import language_model_words
from iemomecp_dataset.benchmark.results_table import count_words, percent
from iemomecp_dataset.benchmark.row_labels import RowLabels

__all__ = ["ResultsRow", "ResultsTable", "ScoreCell", "duration_text", "results_of_split", "table_of_split"]


@dataclass(frozen=True)
class ScoreCell:
    """One score of a system.

    Attributes:
        text: The mean as text.
        spread: Standard deviation over seeds as text, without the sign; empty for a single value.
        sort: Sort key.
        reason: Why the score is undefined, if it is.
        best: Whether it is the best of its column.
        share: Length of the bar: the headline score relative to the largest in the table.
    """

    text: str
    spread: str = ""
    sort: float = -1e9
    reason: str = ""
    best: bool = False
    share: float = 0.0


@dataclass(frozen=True)
class ResultsRow:
    """One system: its number if figures number the systems, its name, scores and cost, and what it is warned of."""

    kind: str
    number: str
    name: str
    note: str
    cells: list[ScoreCell]
    seeds: str
    n_seeds: int
    threshold: str
    cost: str
    memory: str
    cost_seconds: float
    warning: str = ""


@dataclass(frozen=True)
class ResultsTable:
    """All systems on one split, best headline score first, with the notes that belong beside them."""

    split: str
    title: str
    counts: str
    headline: str
    columns: list[tuple[str, str]]
    rows: list[ResultsRow]
    spreads: set[str]
    has_thresholds: bool
    thresholds_from: str
    class_columns: list[str]
    classes: list[tuple[str, str, list[str]]]
    notes: list[str]
    reasons: list[str]
    signatures: list[tuple[str, str]]


def table_of_split(board: Board, split: str) -> ResultsTable:
    """Builds the results table of one split, with published rows where the configuration has them.

    Args:
        board: Comparable runs that find pairs.
        split: The split.

    Returns:
        The table.
    """
    beside = published_beside(board, split)
    names = board.key.class_names
    return results_of_split(
        board,
        split,
        PAIR_F1,
        score_columns(names),
        beside=beside.rows,
        beside_notes=beside.notes,
        has_thresholds=True,
        class_columns={**_CLASS_COLUMNS, "auprc": "AUPRC", "support": "gold pairs"},
        classes=names if len(names) > 2 else (),  # of two classes, the table itself shows class 0
    )


_CLASS_COLUMNS = {"precision": "P", "recall": "R", "f1": "F1"}


def _percent(key: str, value: float, signed: bool = False) -> str:
    return percent(value, signed)


def results_of_split(
    board: Board,
    split: str,
    headline: Headline,
    columns: list[tuple[str, str]],
    *,
    beside: Sequence[BoardRow] = (),
    beside_notes: Sequence[str] = (),
    has_thresholds: bool = False,
    class_columns: Mapping[str, str] = _CLASS_COLUMNS | {"support": "gold utterances"},
    classes: Sequence[str] = (),
    written: Callable[[str, float, bool], str] = _percent,
) -> ResultsTable:
    """Builds the results table of one split.

    Args:
        board: Comparable runs of any task.
        split: The split.
        headline: The score that ranks them.
        columns: Metric key and heading.
        beside: Published rows.
        beside_notes: Remarks on them.
        has_thresholds: Whether a row may decide by a threshold.
        class_columns: Metric, without the class in front, and heading of the table by class.
        classes: Classes in that table.
        written: Formats a value of a metric, with a sign or without.

    Returns:
        The table.
    """
    best = {
        key: max(
            (score.mean for row in board.rows if (score := row.score(split, key)) and not math.isnan(score.mean)),
            default=math.nan,
        )
        for key, _ in columns
        if not key.endswith("_se")  # of an error, the largest is not the best
    }
    # The sort is stable. Of equal scores, the less informed baseline comes first, as on the board, and of trained
    # systems the one with the smaller number.
    ranked = sorted([*board.structural, *board.trained[::-1], *beside], key=lambda row: -headline.of(row, split))
    rows = [_table_row(row, board.labels, split, columns, best, headline, written) for row in ranked]
    reasons: dict[str, None] = {}
    for row in board.rows:
        for key, heading in columns:
            score = row.score(split, key)
            if score is not None and math.isnan(score.mean) and score.reason:
                reasons[f"{heading} of {row.name}: {score.reason}."] = None
    signatures = [
        (run.results.run_name, text)
        for run in board.runs
        if (text := signatures_of(run.results).get(split)) is not None
    ]
    counts = next((run.results.counts[split] for run in board.runs if split in run.results.counts), {})
    return ResultsTable(
        split,
        f"{split}, upper bounds" if board.oracle else split,
        count_words(counts),
        headline.key,
        columns,
        rows,
        {
            key
            for (key, _), cells in zip(columns, zip(*(row.cells for row in rows), strict=True), strict=True)
            if any(cell.spread for cell in cells)
        },
        has_thresholds,
        " and ".join(sorted({origin for row in rows if (origin := row.threshold.partition(", from ")[2])})),
        list(class_columns.values()),
        _per_class(ranked, split, classes, class_columns),
        [*split_notes(board, split), *beside_notes],
        list(reasons),
        signatures,
    )


def _per_class(
    rows: Sequence[BoardRow], split: str, classes: Sequence[str], columns: Mapping[str, str]
) -> list[tuple[str, str, list[str]]]:
    """Lists the scores of each class by system."""
    lines = []
    for name in classes:
        for row in rows:
            scores = {key: row.score(split, f"{name}_{key}") for key in columns}
            if any(score for key, score in scores.items() if key != "support"):
                cells = [_plain(score, counted=key == "support") for key, score in scores.items()]
                lines.append((row.name, name, cells))
    return lines


def _plain(score: Score | None, *, counted: bool) -> str:
    if score is None:
        return "–"
    return f"{score.mean:,.0f}" if counted else percent(score.mean)


def _table_row(
    row: BoardRow,
    labels: RowLabels,
    split: str,
    columns: list[tuple[str, str]],
    best: Mapping[str, float],
    headline: Headline,
    written: Callable[[str, float, bool], str],
) -> ResultsRow:
    seconds = [run.results.wall_seconds for run in row.runs]
    memory = [run.results.peak_memory_mb for run in row.runs]
    mean_seconds = sum(seconds) / len(seconds) if seconds else math.nan
    cost = ""
    if row.runs:
        cost = "n/a" if math.isnan(mean_seconds) else duration_text(mean_seconds)
    return ResultsRow(
        kind=row.kind,
        number=labels[row.name] if labels.numbered and row.name in labels.names else "",
        name=row.name,
        note="; ".join(filter(None, (language_model_words(row.runs, split), row.note))),
        cells=[
            # Published scores are for comparison only and are never marked as the best of the column.
            _cell(
                row.score(split, key),
                key,
                math.nan if row.kind == "published" else best.get(key, math.nan),
                best,
                headline,
                written,
            )
            for key, _ in columns
        ],
        seeds=", ".join(map(str, row.seeds)),
        n_seeds=len(row.runs),
        threshold="" if row.threshold in (MOST_PROBABLE, OWN_DECISIONS) else row.threshold,
        cost=cost,
        memory=f"{max(memory) / 1024:.1f} GB" if memory and not math.isnan(sum(memory)) else "",
        cost_seconds=-1.0 if math.isnan(mean_seconds) else mean_seconds,
        warning=" ".join(row.warnings),
    )


def _cell(
    score: Score | None,
    key: str,
    best: float,
    highest: Mapping[str, float],
    headline: Headline,
    written: Callable[[str, float, bool], str],
) -> ScoreCell:
    if score is None:
        return ScoreCell("–")
    if math.isnan(score.mean):
        return ScoreCell("n/a", reason=score.reason or "undefined")
    return ScoreCell(
        text=written(key, score.mean, key == "gain_over_distance").replace("-", "\N{MINUS SIGN}"),
        # The gain over a fixed baseline has the same standard deviation as Pair F1, which is shown already.
        spread="" if math.isnan(score.sd) or key == "gain_over_distance" else written(key, score.sd, False),
        sort=score.mean,
        best=score.mean == best,
        share=max(0.0, score.mean / highest[key]) if key == headline.key and highest[key] > 0 else 0.0,
    )


def duration_text(seconds: float) -> str:
    """Formats a duration in seconds, minutes or hours.

    Example:
        >>> duration_text(42), duration_text(150), duration_text(5400)
        ('42 s', '2.5 min', '1.5 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
