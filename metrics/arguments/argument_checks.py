"""Checks the arguments of scores: numbers, counts, and columns with one entry per item, in whatever holds them.

Columns may be lists, arrays, tensors (on any device, with or without gradients), and columns of pandas, pyarrow and
``datasets``. What does not fit is a :class:`MetricInputError` that tells what was found, shortened.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from iemomecp_dataset.errors import MetricInputError
from iemomecp_dataset.excerpts import shown

__all__ = [
    "as_array",
    "check_count",
    "check_flag",
    "check_list",
    "check_missed_positives",
    "check_number",
    "number_column",
    "text_column",
    "turn_column",
]

_LARGEST_COUNT = 10**15
"""No corpus has as many pairs; larger counts leave what 64 bits can sum."""


def check_number(
    value: Any, name: str, expected: str, *, smallest: float = -math.inf, largest: float = math.inf
) -> float:
    """Checks a number.

    Args:
        value: A number of Python, NumPy or torch.
        name: The argument, for the error.
        expected: What it must be, for the error.
        smallest: Its lower bound.
        largest: Its upper bound.

    Returns:
        The number.

    Raises:
        MetricInputError: It is none, such as text, a truth value or a list, or it is NaN or out of bounds.

    Example:
        >>> check_number(np.float32(0.5), "threshold", "a probability", smallest=0, largest=1)
        0.5
    """
    number = _single(value)
    if _is_number(number) and smallest <= number <= largest:
        with contextlib.suppress(OverflowError):  # whole numbers of more than 308 digits
            return float(number)
    raise MetricInputError(f"{name} must be {expected}; found {shown(value)}.")


def check_count(value: Any, name: str, expected: str, *, smallest: int = 0, largest: int = _LARGEST_COUNT) -> int:
    """Checks a whole number.

    Args:
        value: A number of Python, NumPy or torch; ``2.0`` is 2.
        name: The argument, for the error.
        expected: What it counts, for the error.
        smallest: Its lower bound.
        largest: Its upper bound.

    Returns:
        The number.

    Raises:
        MetricInputError: It is none, such as text, a truth value or a fraction, or it is out of bounds.

    Example:
        >>> check_count(2.0, "n_bins", "a number of bins"), check_count(np.int8(3), "n_bins", "a number of bins")
        (2, 3)
    """
    number = _single(value)
    if _is_number(number) and smallest <= number <= largest and int(number) == number:
        return int(number)
    raise MetricInputError(f"{name} must be {expected}; found {shown(value)}.")


def check_flag(value: Any, name: str) -> bool:
    """Checks a truth value.

    Args:
        value: ``True`` or ``False``.
        name: The argument, for the error.

    Returns:
        The same.

    Raises:
        MetricInputError: It is something else.
    """
    if isinstance(value, bool | np.bool_):
        return bool(value)
    raise MetricInputError(f"{name} is True or False; found {shown(value)}.")


def check_list(values: Any, name: str, of: str) -> list[Any]:
    """Checks a list of any length.

    Args:
        values: A list, or what can be gone through like one.
        name: The argument, for the error.
        of: What it is a list of, for the error.

    Returns:
        Its entries.

    Raises:
        MetricInputError: It is a single value, a text or an object with keys.
    """
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise MetricInputError(f"{name} is a list of {of}; found {shown(values)}.")
    try:
        return list(values)
    except TypeError:  # an array or tensor without dimensions
        raise MetricInputError(f"{name} is a list of {of}; found {shown(values)}.") from None


def check_missed_positives(missed_positives: Any) -> int:
    """Checks a count of gold pairs that are no candidates.

    Args:
        missed_positives: Gold pairs of class 0 outside the candidates.

    Returns:
        The count.

    Raises:
        MetricInputError: It is negative or not a whole number.
    """
    return check_count(missed_positives, "missed_positives", "a count of 0 or more gold pairs, a whole number")


def as_array(values: Any, what: str, item: str) -> NDArray[Any]:
    """Converts a list, an array, a tensor or a column of a table.

    Args:
        values: Numbers.
        what: What they are, for messages.
        item: What they are of.

    Returns:
        The same as an array of NumPy; tensors leave their device and their gradients.

    Raises:
        MetricInputError: Rows of different lengths, masked values, or truth values among numbers.
    """
    try:
        given: Any = _without_tensors(values)
        array = _of_objects(np.asarray(given))
    except MetricInputError:
        raise
    except Exception as error:  # each library has errors of its own, such as for tensors that hold no numbers
        reason = " ".join(str(error).split())[:200]
        raise MetricInputError(
            f"The {what} are ragged or not numbers: every row must have the same length ({reason})."
        ) from None
    if isinstance(given, np.ma.MaskedArray) and np.ma.is_masked(given):
        raise MetricInputError(f"The {what} have masked values, which are no numbers: leave these {item}s out.")
    # NumPy makes 1 and 0 of truth values that stand among numbers.
    if array.dtype != np.bool_ and _has_truth_values(given):
        where = next(i for i, value in enumerate(given) if _has_truth_values(value))
        raise MetricInputError(
            f"The {what} must be integer class ids{' or probabilities' if array.ndim > 1 else ''}; found the truth "
            f"value {shown(given[where])} for {item} {where}."
        )
    return array


def number_column(values: ArrayLike, name: str, item: str = "pair") -> NDArray[np.float64]:
    """Converts a column of numbers.

    Args:
        values: ``(n,)`` numbers.
        name: The argument, for the error.
        item: What they are of.

    Returns:
        ``(n,)`` floats, which may be NaN.

    Raises:
        MetricInputError: They are no numbers, or not one per item.
    """
    array = as_array(values, name, item)
    if array.ndim != 1 or not (array.dtype.kind in "iuf" or not array.size):
        raise MetricInputError(f"{name} must be one number per {item}, shape (n,); found {_found(array)}.")
    return array.astype(np.float64)


def turn_column(values: ArrayLike, name: str, item: str = "pair") -> NDArray[np.int64]:
    """Converts a column of turn numbers.

    Args:
        values: ``(n,)`` whole numbers.
        name: The argument, for the error.
        item: What they are of.

    Returns:
        ``(n,)`` int64.

    Raises:
        MetricInputError: They are no whole numbers of 0 or more, or not one per item.
    """
    array = as_array(values, name, item)
    fits = array.dtype.kind in "iu" or not array.size
    if array.ndim != 1 or not fits or (array.size and (array.min() < 0 or array.max() > _LARGEST_COUNT)):
        raise MetricInputError(
            f"{name} must be turn numbers, integers of 0 or more, one per {item}; found {_found(array)}."
        )
    return array.astype(np.int64)


def text_column(values: ArrayLike, name: str, item: str = "pair") -> NDArray[np.str_]:
    """Converts a column of ids or names.

    Args:
        values: ``(n,)`` texts, or whole numbers, which are taken as their text.
        name: The argument, for the error.
        item: What they are of.

    Returns:
        ``(n,)`` str.

    Raises:
        MetricInputError: An entry is missing or is something else, or there is not one per item.
    """
    try:
        array = np.asarray(_without_tensors(values))
    except Exception:
        array = np.asarray(None)
    fits = array.dtype.kind in "iuUT" or not array.size
    if array.ndim == 1 and array.dtype == object:
        wrong = (i for i, v in enumerate(array) if not isinstance(v, str | int | np.integer) or isinstance(v, bool))
        where = next(wrong, None)
        if where is not None:
            raise MetricInputError(f"{name}: {item} {where} has {shown(array[where])}, not a text.")
        fits = True
    if array.ndim != 1 or not fits:
        raise MetricInputError(f"{name} must be one text per {item}, shape (n,); found {_found(array)}.")
    return array.astype(np.str_)


def _found(array: NDArray[Any]) -> str:
    if array.ndim == 0:
        return shown(array.item())
    first = f", first value {shown(array[:1].tolist()[0])}" if len(array) else ""
    return f"shape {array.shape}, dtype {array.dtype}{first}"


def _is_number(value: Any) -> bool:
    # Truth values are whole numbers to Python; decimals and fractions are left out.
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def _single(value: Any) -> Any:
    """Takes the number out of an array or tensor without dimensions."""
    if getattr(value, "ndim", None) == 0 and callable(getattr(value, "item", None)):
        try:
            return value.item()
        except Exception:  # a tensor that holds no numbers
            return value
    return value


def _of_objects(array: NDArray[Any]) -> NDArray[Any]:
    """Finds the numbers in an array of objects, such as a column of lists or one that could have gaps."""
    if array.dtype != object or not array.ndim or not array.size:
        return array
    rows = [row.tolist() if isinstance(row, np.ndarray) else row for row in array.tolist()]
    return np.asarray(rows)


def _has_truth_values(value: Any) -> bool:
    if not isinstance(value, list | tuple):
        return isinstance(value, bool) or getattr(value, "dtype", None) == np.bool_
    # The few types first: a look at each of many numbers takes longer than to convert them.
    return not set(map(type, value)) <= {int, float} and any(map(_has_truth_values, value))


def _without_tensors(values: Any) -> Any:
    """Converts tensors for NumPy, which reads neither gradients, other devices nor bfloat16; torch is not imported."""
    if isinstance(values, list | tuple):
        held = any(hasattr(kind, "detach") for kind in set(map(type, values)))
        return [_without_tensors(value) for value in values] if held else values
    if not hasattr(values, "detach"):
        return _without_arrow(values)
    values = values.detach().cpu()
    return (values.float() if str(values.dtype) == "torch.bfloat16" else values).numpy()


def _without_arrow(values: Any) -> Any:
    """Converts columns of pyarrow, whose lists NumPy would take for objects."""
    is_arrow = type(values).__module__.partition(".")[0] == "pyarrow"
    return values.to_pylist() if is_arrow and hasattr(values, "to_pylist") else values
