"""The one unit in which scores are printed: percent. Files keep shares."""

from __future__ import annotations

import math

__all__ = ["UNIT_STATEMENT", "in_unit", "is_share"]

UNIT_STATEMENT = "scores in percent, differences in points; the JSON file holds shares"

_AS_THEY_ARE = ("cider", "content_cider", "bleurt", "sacrebleu")


def is_share(key: str) -> bool:
    """Tells whether a score is printed in percent of what files hold.

    Args:
        key: Its name; one of an error or an end of an interval has its suffix.

    Returns:
        False for CIDEr, from 0 to 10, BLEURT, which has no bounds, and sacreBLEU, which files hold in percent.

    Example:
        >>> is_share("pair_f1"), is_share("content_cider_se"), is_share("sacrebleu")
        (True, False, False)
    """
    return key.removesuffix("_se").removesuffix("_low").removesuffix("_high") not in _AS_THEY_ARE


def in_unit(key: str, value: float, *, signed: bool = False, undefined: str = "undefined") -> str:
    """Formats a score, or a difference of two.

    Args:
        key: Name of the score.
        value: As files hold it.
        signed: Whether a plus sign is written.
        undefined: What stands for NaN.

    Returns:
        A share in percent, with two decimals; CIDEr and BLEURT as they are, with three.

    Example:
        >>> in_unit("pair_f1", 0.57912), in_unit("pair_f1", -0.004, signed=True), in_unit("content_cider", 0.0594)
        ('57.91', '-0.40', '0.059')
    """
    if math.isnan(value):
        return undefined
    sign = "+" if signed else ""
    if is_share(key):
        return f"{100 * value:{sign}.2f}"
    return f"{value:{sign}.{2 if key.startswith('sacrebleu') else 3}f}"
