"""What was published for the systems of a table: rows to stand under it, and gains to compare with."""

from __future__ import annotations

from dataclasses import dataclass

from iemomecp_dataset.benchmark.board import Board, BoardRow, Score, settings_of
from iemomecp_dataset.benchmark.published.experiments import PublishedResult, differing_options, published_result

__all__ = ["Beside", "published_beside"]

_NAMED_OPTIONS = 4


@dataclass(frozen=True)
class Beside:
    """Published numbers for one split of a table.

    Attributes:
        rows: Rows of the kind ``published``, without runs: their authors' scores.
        notes: Published gains beside the table's own, in sentences.
    """

    rows: tuple[BoardRow, ...] = ()
    notes: tuple[str, ...] = ()


def published_beside(board: Board, split: str) -> Beside:
    """Finds published numbers for the configurations of a table's rows.

    Args:
        board: Comparable runs.
        split: The split that is shown.

    Returns:
        What there is; nothing for synthetic data, or where definition or split are not those of the paper.
    """
    if board.key.synthetic:
        return Beside()
    rows: dict[str, BoardRow] = {}
    notes: dict[str, str] = {}
    for own in board.trained:
        settings = {**settings_of(own.runs[0]), **_of_record(own)}
        found = published_result(settings)
        if found is None or found.split != split or found.definition != board.key.definition:
            continue
        if found.values and found.experiment not in rows:
            rows[found.experiment] = _row(found, own, differing_options(found, settings))
        if found.gains and found.experiment not in notes:
            notes[found.experiment] = _gain(found, own, board, split, differing_options(found, settings))
    return Beside(tuple(rows.values()), tuple(notes.values()))


def _of_record(row: BoardRow) -> dict[str, str]:
    record = row.runs[0].results
    return {name: str(getattr(record, name)) for name in ("config_name", "scorer", "objective", "modalities")}


def _row(found: PublishedResult, own: BoardRow, differing: list[str]) -> BoardRow:
    statistic = f"{found.source}, {found.statistic}"
    return BoardRow(
        kind="published",
        name=f"{found.system} (published)",
        note=f"{statistic}; {_compared(own, differing)}",
        scores={found.split: {key: Score((value,)) for key, value in found.values.items()}},
        threshold="",
    )


def _gain(found: PublishedResult, own: BoardRow, board: Board, split: str, differing: list[str]) -> str:
    words = f"{found.gains['pair_f1']:+.2f} Pair F1"
    said = f"Published for {found.system} ({found.source}, {found.statistic}): {words}"
    base = _base_of(own, board)
    if base is None:
        return f"{said}; no row here is its Base."
    mine, its = own.score(split, "pair_f1"), base.score(split, "pair_f1")
    if mine is None or its is None:
        return f"{said}."
    return f"{said}; here {100 * (mine.mean - its.mean):+.2f}. {_compared(own, differing)}."


def _base_of(own: BoardRow, board: Board) -> BoardRow | None:
    """The row without the objective's terms that has the most options in common."""
    mine = settings_of(own.runs[0])
    record = own.runs[0].results
    bases = [
        row
        for row in board.trained
        if (its := row.runs[0].results).objective == "base"
        and (its.modalities, its.scorer) == (record.modalities, record.scorer)
    ]
    return max(bases, key=lambda row: len(mine.items() & settings_of(row.runs[0]).items()), default=None)


def _compared(own: BoardRow, differing: list[str]) -> str:
    if not differing:
        return f"{own.name} here has the same options"
    named = ", ".join(differing[:_NAMED_OPTIONS])
    more = len(differing) - _NAMED_OPTIONS
    return f"{own.name} here differs in {named}" + (f" and {more} more" if more > 0 else "")
