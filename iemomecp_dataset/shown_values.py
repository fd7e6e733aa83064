"""Shows a value in an error message: a few words, whatever the value is and however large."""

from __future__ import annotations

import reprlib
from typing import Any

__all__ = ["described_value"]

_LONGEST = 80

# Looks at a few entries of a few levels, so that lists of lists of lists, a few bytes in a file, are not written out.
_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxstring, _SHORT.maxother = 3, _LONGEST, _LONGEST


def described_value(value: Any) -> str:
    """Shows a value in an error, whatever it is and however long.

    Args:
        value: Any value.

    Returns:
        What Python prints for it, at most 80 characters; entries of long or deep lists are left out.

    Example:
        >>> described_value("0.5"), described_value(10**5000), described_value([1] * 500)
        ("'0.5'", 'a whole number of more than 4000 digits', '[1, 1, 1, 1, 1, 1, ...]')
    """
    try:
        shown = " ".join(_SHORT.repr(value).split())
    except Exception:  # such as numbers that Python does not print, and objects whose own words fail
        whole = isinstance(value, int)
        return "a whole number of more than 4000 digits" if whole else f"a value of type {type(value).__name__}"
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"
