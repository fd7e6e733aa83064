"""Columns of plain text."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["columns"]


def columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Pads cells, so that columns line up; one line per row.

    Example:
        >>> columns([("score", "value"), ("pair_f1", "57.91")])
        ['score    value', 'pair_f1  57.91']
    """
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
