r"""Texts in cells of CSV files, so that no spreadsheet takes a name or an utterance for a formula.

A cell that begins with ``=``, ``+``, ``-``, ``@``, a tab or a line end is computed when the file is opened in a
spreadsheet, and can call programs (`CSV injection <https://owasp.org/www-community/attacks/CSV_Injection>`_). Every CSV
file that this package writes from texts of others goes through :func:`csv_text`, which puts ``'`` in front of such a
cell; readers of tables take it away again (:func:`original_text`), so that ids stay the same. Numbers stay numbers.
Files in the layout of a corpus are written as that corpus has them.
"""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["csv_text", "original_text", "safe_text"]

_FORMULA = re.compile(r"'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_QUOTED = re.compile(r"'+[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def safe_text(text: str) -> str:
    """Makes a text safe as the content of a cell.

    Args:
        text: Any text.

    Returns:
        The text, with ``'`` in front where a spreadsheet would compute it, or where :func:`original_text` would take a
        ``'`` away; numbers are left as they are.

    Example:
        >>> safe_text("=1+1"), safe_text("-0.5"), safe_text("@Ana"), safe_text("Ana"), safe_text("'=x")
        ("'=1+1", '-0.5', "'@Ana", 'Ana', "''=x")
    """
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def original_text(cell: str) -> str:
    """Gives the text that :func:`safe_text` was given.

    Args:
        cell: Content of a cell.

    Returns:
        The text; any other content as it is.

    Example:
        >>> original_text("'=1+1"), original_text("'tis late"), original_text("-0.5")
        ('=1+1', "'tis late", '-0.5')
    """
    return cell[1:] if _QUOTED.match(cell) else cell


def csv_text(frame: pd.DataFrame, *, header: bool = True, na_rep: str = "") -> str:
    """Writes a table as CSV whose cells no spreadsheet computes.

    Args:
        frame: Columns of numbers, texts, or both; its index is not written.
        header: Whether a line of headings comes first.
        na_rep: What stands for a missing value.

    Returns:
        Lines that end in a line feed.

    Example:
        >>> import pandas as pd
        >>> print(csv_text(pd.DataFrame({"who": ["=A1", "Ana"], "gain": [-0.5, 1.0]})), end="")
        who,gain
        '=A1,-0.5
        Ana,1.0
    """
    safe = _safe_frame(frame)
    # The csv module leaves a carriage return bare where lines end otherwise, and readers then see a further row.
    cells = [*safe.columns, *(value for _, column in safe.items() for value in column)]
    bare = any("\r" in cell for cell in cells if isinstance(cell, str))
    quoting = csv.QUOTE_NONNUMERIC if bare else csv.QUOTE_MINIMAL
    return str(safe.to_csv(index=False, header=header, na_rep=na_rep, lineterminator="\n", quoting=quoting))


def _safe_frame(frame: pd.DataFrame) -> pd.DataFrame:
    found = frame.copy()
    for place, kind in enumerate(frame.dtypes):
        if kind.kind not in "biufcmM":
            found.isetitem(place, frame.iloc[:, place].map(_safe_value, na_action="ignore"))
    return found.set_axis([_safe_value(name) for name in frame.columns], axis=1)


def _safe_value(value: Any) -> Any:
    return safe_text(value) if isinstance(value, str) else value
