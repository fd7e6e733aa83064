"""Checks the inputs of scores: probabilities, class ids and names, before anything is computed from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from iemomecp_dataset.errors import MetricInputError
from iemomecp_dataset.excerpts import excerpt, shown
from iemomecp_dataset.metrics.arguments.argument_checks import (
    as_array,
    check_list,
    check_missed_positives,
    check_number,
)

__all__ = [
    "SUM_TOLERANCE",
    "PairInputs",
    "check_class_names",
    "check_gold_flags",
    "check_pair_inputs",
    "check_probabilities",
    "check_threshold",
    "clipped_probabilities",
]

SUM_TOLERANCE = 1e-3
"""How far the sum of a row of probabilities may be from one: wide enough for half precision, whose 11 significant bits
move a sum by less than 2^-10. Coarser digits explain more (:func:`check_probabilities`)."""

_SUM_NOISE = 1e-6  # of a sum in single precision
_BFLOAT16_ERROR = 2.0**-7  # of 8 significant bits, rounded or cut off, relative to the value
_PRINTED_RELATIVE, _PRINTED_ABSOLUTE = 5e-8, 5e-9  # half a unit of the 8th digit, or of the 8th decimal
_WITHOUT_GOLD = {"utterance": "utterances without a known emotion (-1) and "}


@dataclass(frozen=True)
class PairInputs:
    """Checked inputs of a score.

    Attributes:
        probabilities: ``(n, C)`` floats, or ``None`` where hard ids were given.
        hard_ids: ``(n,)`` int64, or ``None`` where probabilities were given.
        labels: ``(n,)`` int64.
        class_names: The ``C`` names.
        missed_positives: Gold pairs of class 0 outside the candidates.
        n_rescaled: Pairs whose probabilities were rescaled to sum to one (:func:`check_probabilities`).
        threshold: The threshold that was given.
    """

    probabilities: NDArray[np.floating[Any]] | None
    hard_ids: NDArray[np.int64] | None
    labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    missed_positives: int = 0
    n_rescaled: int = 0
    threshold: float | None = None


def check_pair_inputs(
    probabilities: ArrayLike,
    labels: ArrayLike,
    class_names: Sequence[str],
    *,
    threshold: float | None = None,
    missed_positives: int = 0,
    item: str = "pair",
) -> PairInputs:
    """Checks the inputs of :func:`~iemomecp_dataset.metrics.scoring.pair_scores`, or of a score of other items.

    Args:
        probabilities: As there.
        labels: As there.
        class_names: As there.
        threshold: As there.
        missed_positives: As there.
        item: What is scored, for messages: ``pair`` or ``utterance``.

    Returns:
        The same as arrays.

    Raises:
        MetricInputError: Anything about them that cannot be scored.
    """
    names = check_class_names(class_names)
    gold = _checked_ids(labels, "label", names, item)
    if not len(gold):
        raise MetricInputError(f"There are no {item}s: give at least one prediction and its label.")
    missed_positives = check_missed_positives(missed_positives)
    threshold = check_threshold(threshold)
    predictions = as_array(probabilities, "predictions", item)
    if predictions.ndim == 1 and (predictions.dtype.kind in "iu" or not len(predictions)):
        ids = _checked_ids(predictions, "prediction", names, item)
        _check_lengths(len(ids), len(gold), item)
        if threshold is not None:
            raise MetricInputError(
                f"A threshold ({threshold}) needs probabilities; the predictions are hard class ids. "
                "Give (n, C) probabilities, or leave the threshold out."
            )
        return PairInputs(None, ids, gold, names, missed_positives)
    checked, n_rescaled = check_probabilities(predictions, names, item=item)
    _check_lengths(len(checked), len(gold), item)
    return PairInputs(checked, None, gold, names, missed_positives, n_rescaled, threshold)


def check_probabilities(
    values: ArrayLike, class_names: Sequence[str], *, item: str = "pair"
) -> tuple[NDArray[np.floating[Any]], int]:
    """Checks rows of probabilities and rescales those whose digits explain why they do not sum to one.

    Sums within :data:`SUM_TOLERANCE` of one are accepted as they are. Where one is farther, all rows are divided by
    their sums if the digits that the values of such a row share explain its difference: with two or three decimals,
    half a unit of the last one per class; with bfloat16 numbers, also printed with 8 digits or more, 2^-7 (8
    significant bits). Each row is judged alone, so that rows of several origins may stand together. Logits are
    refused: they leave [0, 1] or sum to something else.

    Args:
        values: ``(n, C)`` numbers.
        class_names: The ``C`` names.
        item: What a row is of, for messages.

    Returns:
        ``(n, C)`` floats, and how many rows were rescaled.

    Raises:
        MetricInputError: Other shapes or types, truth values among them, or a row that holds no probabilities.

    Example:
        >>> rows, n_rescaled = check_probabilities([[0.33, 0.66], [0.25, 0.75]], ["pair", "non_pair"])
        >>> rows.round(4).tolist(), n_rescaled
        ([[0.3333, 0.6667], [0.25, 0.75]], 1)
    """
    values, names = as_array(values, "predictions", item), tuple(class_names)
    if values.ndim == 0:
        raise MetricInputError(f"The predictions must be a list or an array; found {shown(values.item())}.")
    if values.ndim != 2 or values.shape[1] != len(names):
        raise MetricInputError(
            f"The predictions must be probabilities of shape (n, {len(names)}), one column for each of "
            f"{', '.join(names)}, or integer class ids of shape (n,); found shape {values.shape}, dtype {values.dtype}."
        )
    if values.dtype.kind not in "iuf":
        raise MetricInputError(f"The predictions must be numbers; found {_no_number(values)}.")
    if not np.issubdtype(values.dtype, np.floating):
        values = values.astype(np.float64)
    elif values.dtype.itemsize < 4:
        values = values.astype(np.float32)  # exact, and sorts far faster than half precision
    total = values[:, 0].copy()
    with np.errstate(invalid="ignore"):  # inf - inf; refused below in words
        for column in range(1, len(names)):
            total += values[:, column]
    # One look at the sums finds every NaN and infinity (also inf - inf), so that good input is read only twice.
    if not np.isfinite(total).all():
        _raise_first(values, ~np.isfinite(values).all(axis=1), "are not all finite", names, item)
    smallest, largest = values.min(initial=0.0), values.max(initial=0.0)
    if smallest < -SUM_TOLERANCE or largest > 1 + SUM_TOLERANCE:
        outside = (values < -SUM_TOLERANCE) | (values > 1 + SUM_TOLERANCE)
        _raise_first(
            values,
            np.asarray(outside.any(axis=1)),
            "are not all in [0, 1] (are these logits? apply softmax first)",
            names,
            item,
        )
    away = np.abs(total - 1.0)
    if not len(away) or away.max() <= SUM_TOLERANCE - _SUM_NOISE:  # three decimals are off by just the tolerance
        return values, 0
    far = np.flatnonzero(away > SUM_TOLERANCE)
    wrong = np.zeros(len(values), dtype=np.bool_)
    wrong[far] = away[far] > _explained_differences(values[far])
    if wrong.any():
        _raise_first(values, wrong, "do not sum to one (are these logits? apply softmax first)", names, item)
    exact = values.astype(np.float64)  # the same quotients, and ties, whatever type the values came in
    return exact / exact.sum(axis=1, keepdims=True), int((away > _SUM_NOISE).sum())


def check_threshold(threshold: Any) -> float | None:
    """Checks a decision threshold.

    Args:
        threshold: A number in [0, 1], or ``None``.

    Returns:
        The same.

    Raises:
        MetricInputError: It is something else, NaN included.
    """
    if threshold is None:
        return None
    expected = "a number in [0, 1], as it is compared with a probability, or None"
    return check_number(threshold, "The threshold", expected, smallest=0.0, largest=1.0)


def check_gold_flags(positive: NDArray[Any]) -> None:
    """Refuses gold flags that are not booleans, such as class ids, where 0 is the positive class.

    Args:
        positive: The flags.

    Raises:
        MetricInputError: They have another type.
    """
    if positive.dtype != np.bool_:
        raise MetricInputError(f"positive must be booleans (labels == 0); found dtype {positive.dtype}.")


def clipped_probabilities(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Checks probabilities and clips them at 1: softmax in single precision may end a rounding error above it.

    Args:
        values: ``(n,)`` probabilities of class 0.

    Returns:
        ``(n,)`` the same, at most 1.

    Raises:
        MetricInputError: One is below 0, above 1 by more than :data:`SUM_TOLERANCE`, or NaN.
    """
    bad = ~((values >= 0) & (values <= 1 + SUM_TOLERANCE))  # true for NaN
    if bad.any():
        where = int(np.flatnonzero(bad)[0])
        raise MetricInputError(f"The probability of pair {where} is {values[where]}; expected a number in [0, 1].")
    return np.minimum(values, 1.0)


def check_class_names(class_names: Sequence[str]) -> tuple[str, ...]:
    """Checks the names of classes.

    Args:
        class_names: The names, class 0 first.

    Returns:
        The same as a tuple.

    Raises:
        MetricInputError: Fewer than two, repeated, not texts, or a name that would overwrite a result key.
    """
    given = check_list(class_names, "class_names", "names, one per class")
    names = tuple(str(name) if isinstance(name, str) else name for name in given)  # NumPy's become Python's
    if not all(isinstance(name, str) and name for name in names):
        raise MetricInputError(f"class_names must be a list of names, one per class; found {shown(class_names)}.")
    if len(names) < 2:
        raise MetricInputError(
            f"Scores need at least two classes, a positive one and another; found {shown(list(names))}."
        )
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise MetricInputError(
            f"Class names must differ, as they name result keys; {shown(repeated)} repeat in {shown(list(names))}."
        )
    # 'pair' may be class 0, whose scores are the pair scores.
    reserved = sorted({"macro", "weighted"}.intersection(names) | {"pair"}.intersection(names[1:]))
    if reserved:
        raise MetricInputError(
            f"Class name {reserved[0]!r} at id {names.index(reserved[0])} would overwrite the result key "
            f"'{reserved[0]}_f1'; rename it ('pair' may only be class 0)."
        )
    return names


def _checked_ids(values: ArrayLike, what: str, names: tuple[str, ...], item: str) -> NDArray[np.int64]:
    ids, n_classes = as_array(values, f"{what}s", item), len(names)
    if ids.ndim == 0:
        raise MetricInputError(f"The {what}s must be a list or an array; found {shown(ids.item())}.")
    if ids.ndim != 1:
        raise MetricInputError(f"The {what}s must be one class id per {item}, shape (n,); found shape {ids.shape}.")
    if ids.dtype.kind not in "iu":
        if len(ids):
            raise MetricInputError(f"The {what}s must be integer class ids; found {_no_number(ids)}.")
        return np.zeros(0, dtype=np.int64)
    if len(ids) and (ids.min() < 0 or ids.max() >= n_classes):
        where = int(np.flatnonzero((ids < 0) | (ids >= n_classes))[0])
        raise MetricInputError(
            f"{what.capitalize()} {int(ids[where])} of {item} {where} is not a class id; expected 0 to "
            f"{n_classes - 1} ({', '.join(names)}). Leave {_WITHOUT_GOLD.get(item, '')}padded {item}s (-100) out "
            "before scoring."
        )
    return ids.astype(np.int64, copy=False)


def _no_number(values: NDArray[Any]) -> str:
    """Tells the type of an array and one of its values, where there are objects the first that is no number."""
    flat = values.ravel().tolist()
    if values.dtype != object:
        return f"dtype {values.dtype}, first value {shown(flat[0])}"
    where = next((i for i, v in enumerate(flat) if not isinstance(v, int | float) or isinstance(v, bool)), 0)
    return f"dtype {values.dtype}, such as {shown(flat[where])} at {where}"


def _explained_differences(values: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Derives from the digits of each row of ``(n, C)`` probabilities how far from one it may sum; ``(n,)``."""
    single, half = values.astype(np.float32), values.astype(np.float16)
    # 0.33 is not exact in binary: it is the nearest number of the type that was rounded.
    of_half = (half == values).all(axis=1)
    explained = np.full(len(values), SUM_TOLERANCE)
    for decimals, narrow, of_type in [(d, *kind) for d in (3, 2) for kind in ((single, True), (half, of_half))]:
        rounded = (np.round(narrow, decimals) == narrow).all(axis=1) & of_type
        explained[rounded] = values.shape[1] * 0.5 * 10.0**-decimals + _SUM_NOISE
    # A bfloat16 number is a single-precision one whose lower 16 bits are 0.
    bits = np.ascontiguousarray(single).view(np.uint32)
    nearest = ((bits + np.uint32(0x8000)) & np.uint32(0xFFFF0000)).view(np.float32)
    printed = np.isclose(values, nearest, rtol=_PRINTED_RELATIVE, atol=_PRINTED_ABSOLUTE).all(axis=1)
    explained[printed] = np.maximum(explained[printed], _BFLOAT16_ERROR)
    return explained


def _raise_first(values: NDArray[Any], wrong: NDArray[np.bool_], what: str, names: tuple[str, ...], item: str) -> None:
    where = int(np.flatnonzero(wrong)[0])
    row = ", ".join(f"{excerpt(name)} {value}" for name, value in zip(names, values[where].tolist(), strict=True))
    raise MetricInputError(
        f"The probabilities of {item} {where} {what}: {row}. {int(wrong.sum())} of {len(values)} {item}s."
    )


def _check_lengths(n_predictions: int, n_labels: int, item: str) -> None:
    if n_predictions != n_labels:
        raise MetricInputError(
            f"There are {n_predictions} predictions for {n_labels} labels; each {item} needs one of both."
        )
