"""Recognises systems that predict one class for everything, whose scores are those of a rule."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["one_class_warning"]


def one_class_warning(predicted: ArrayLike, class_names: Sequence[str], split: str, items: str = "pairs") -> str:
    """States that a system predicts the same class for everything.

    Args:
        predicted: ``(n,)`` ints, class ids by the system's own decision rule.
        class_names: Classes by id.
        split: The split they are of; empty where it is not known.
        items: What has a class, in the plural.

    Returns:
        A sentence; empty where two classes are predicted, or there are fewer than two predictions.

    Example:
        >>> one_class_warning([1, 1, 1], ["pair", "non_pair"], "test")
        'It predicts non_pair for all 3 pairs of test, as a rule without a model would.'
        >>> one_class_warning([1, 0, 1], ["pair", "non_pair"], "test")
        ''
    """
    ids = np.asarray(predicted)
    if len(ids) < 2 or (ids != ids[0]).any():
        return ""
    of_split = f" of {split}" if split else ""
    name = class_names[int(ids[0])]
    return f"It predicts {name} for all {len(ids):,} {items}{of_split}, as a rule without a model would."
