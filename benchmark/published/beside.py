"""Published numbers for the systems of a board: rows below its own, and published gains beside the measured ones."""

from __future__ import annotations

from dataclasses import dataclass

from iemomecp_dataset.benchmark.board import Board, BoardRow, Score
from iemomecp_dataset.benchmark.experiments import Experiment, PublishedNumbers
from iemomecp_dataset.benchmark.published.experiments import differing_options, published_experiment, published_values
from iemomecp_dataset.benchmark.runs.identity import system_of

__all__ = ["Beside", "published_beside"]

_NAMED_OPTIONS = 4


@dataclass(frozen=True)
class Beside:
    """Published numbers for one split of a board.

    Attributes:
        rows: Rows of the kind ``published``, without runs: the authors' scores.
        notes: Published gains beside the board's own, in sentences.
    """

    rows: tuple[BoardRow, ...] = ()
    notes: tuple[str, ...] = ()


def published_beside(board: Board, split: str) -> Beside:
    """Finds published numbers for the configurations of a board's rows.

    Args:
        board: Comparable runs.
        split: The split that is shown.

    Returns:
        The rows and notes; none for synthetic data, for upper bounds, or if definition or split differ from the
        paper's.
    """
    if board.key.synthetic or board.oracle:
        return Beside()
    rows: dict[str, BoardRow] = {}
    notes: dict[str, str] = {}
    for own in board.trained:
        settings = {**system_of(own.runs[0].results), **_of_record(own)}
        experiment = published_experiment(settings)
        published = experiment.published if experiment else None
        if experiment is None or published is None:
            continue
        if (published.split, published.definition) != (split, board.key.definition):
            continue
        compared = _compared(own, differing_options(experiment, settings))
        source = f"{experiment.source}, {published.statistic}"
        if published.table and experiment.name not in rows:
            rows[experiment.name] = _row(experiment, split, f"{source}; {compared}")
        if published.gains and experiment.name not in notes:
            said = f"Published for {experiment.system} ({source})"
            notes[experiment.name] = f"{said}: {_gain(published, own, board, split, compared)}"
    return Beside(tuple(rows.values()), tuple(notes.values()))


def _of_record(row: BoardRow) -> dict[str, str]:
    record = row.runs[0].results
    return {name: str(getattr(record, name)) for name in ("config_name", "scorer", "objective", "modalities")}


def _row(experiment: Experiment, split: str, note: str) -> BoardRow:
    return BoardRow(
        kind="published",
        name=f"{experiment.system} (published)",
        note=note,
        scores={split: {key: Score((value,)) for key, value in published_values(experiment).items()}},
        threshold="",
    )


def _gain(published: PublishedNumbers, own: BoardRow, board: Board, split: str, compared: str) -> str:
    gain = f"{published.gains['pair_f1']:+.2f} Pair F1"
    base = _base_of(own, board)
    if base is None:
        return f"{gain}; no row here is its Base."
    mine, its = own.score(split, "pair_f1"), base.score(split, "pair_f1")
    if mine is None or its is None:
        return f"{gain}."
    return f"{gain}; here {100 * (mine.mean - its.mean):+.2f}. {compared}."


def _base_of(own: BoardRow, board: Board) -> BoardRow | None:
    """Finds the row with the objective ``base`` that has the most options in common."""
    mine = system_of(own.runs[0].results)
    record = own.runs[0].results
    bases = [
        row
        for row in board.trained
        if (its := row.runs[0].results).objective == "base"
        and (its.modalities, its.scorer) == (record.modalities, record.scorer)
    ]
    return max(bases, key=lambda row: len(mine.items() & system_of(row.runs[0].results).items()), default=None)


def _compared(own: BoardRow, differing: list[str]) -> str:
    if not differing:
        return f"{own.name} here has the same options"
    named = ", ".join(differing[:_NAMED_OPTIONS])
    more = len(differing) - _NAMED_OPTIONS
    return f"{own.name} here differs in {named}" + (f" and {more} more" if more > 0 else "")
