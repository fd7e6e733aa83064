"""Times of utterances: seconds, or timecodes such as ``00:01:02.500``."""

from __future__ import annotations

import math
import re

from iemomecp_dataset.excerpts import excerpt

__all__ = ["TIMECODE", "seconds_of", "timecode_seconds"]

TIMECODE = r"(?:\d{1,6}:)?\d{1,2}:\d{2}(?:[.,]\d{1,6})?"
"""Regular expression of ``[hours:]minutes:seconds[.fraction]``, without groups."""

_PARTS = re.compile(r"(?:(\d{1,6}):)?(\d{1,2}):(\d{2})(?:[.,](\d{1,6}))?")


def timecode_seconds(timecode: str) -> float:
    """Converts a timecode.

    Args:
        timecode: ``[hours:]minutes:seconds[.fraction]``; the fraction may follow a comma, as in SubRip.

    Returns:
        Seconds.

    Raises:
        ValueError: It is not one, or has 60 or more minutes or seconds.

    Example:
        >>> timecode_seconds("01:00:02,500"), timecode_seconds("1:02")
        (3602.5, 62.0)
    """
    found = _PARTS.fullmatch(timecode.strip())
    if found is None or int(found[2]) > 59 or int(found[3]) > 59:
        raise ValueError(f"{timecode[:40]!r} is not a time such as 00:01:02.500")
    fraction = (found[4] or "").ljust(6, "0")
    # In whole microseconds, so that 2.9 is 2.9 and not 2.9000000000000004.
    whole = int(found[1] or 0) * 3600 + int(found[2]) * 60 + int(found[3])
    return (whole * 1_000_000 + int(fraction)) / 1_000_000


def seconds_of(value: object) -> float | None:
    """Reads a time from a record.

    Args:
        value: A number of seconds, the same as text, or a timecode; None, NaN and empty text where it is not known.

    Returns:
        Seconds, or None.

    Raises:
        ValueError: It is none of these, is negative, or is infinite.

    Example:
        >>> [seconds_of(value) for value in (2, "1,5", "00:01:02.5", "", float("nan"))]
        [2.0, 1.5, 62.5, None, None]
    """
    if value is None:
        return None
    if isinstance(value, str):
        text = value.strip()
        if not text:
            return None
        if ":" in text:
            return timecode_seconds(text)
        value = text.replace(",", ".")
    try:
        if isinstance(value, bool):
            raise TypeError
        seconds = float(value)  # type: ignore[arg-type]  # What it does not take is the error below.
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{excerpt(value)!r} is not a time: give seconds, or 00:01:02.500") from None
    if math.isnan(seconds):
        return None
    if not 0 <= seconds < math.inf:
        raise ValueError(f"{excerpt(value)!r} is not a time: it must be finite and not negative")
    return seconds
