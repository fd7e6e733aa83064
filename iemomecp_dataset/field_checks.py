"""Checks values decoded from annotation files; an error states the place, the expected and the found value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeGuard

from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.excerpts import excerpt

__all__ = ["check_pair", "check_text_fields", "described", "fits_column", "is_integer", "json_kind"]

_KINDS = {dict: "an object", list: "a list", str: "text", bool: "a boolean", int: "an integer", float: "a number"}


def is_integer(value: Any) -> TypeGuard[int]:
    """Tells integers from everything else, booleans included.

    Args:
        value: A decoded value.

    Returns:
        Whether it is an ``int`` and not a ``bool``.

    Example:
        >>> is_integer(3), is_integer(True), is_integer(3.0)
        (True, False, False)
    """
    return isinstance(value, int) and not isinstance(value, bool)


def fits_column(value: Any) -> TypeGuard[int]:
    """Tells integers that a column of turns or ids takes, which has 32 bits.

    Args:
        value: A decoded value.

    Returns:
        Whether it is an integer, and neither above 2,147,483,647 nor below the same with a minus.

    Example:
        >>> fits_column(3), fits_column(2**31), fits_column("3")
        (True, False, False)
    """
    return is_integer(value) and -(2**31) < value < 2**31


def json_kind(value: Any) -> str:
    """Names the JSON type of a value, with its article, for error messages.

    Args:
        value: A decoded value.

    Returns:
        Such as ``a list`` or ``null``.

    Example:
        >>> json_kind([1]), json_kind(None), json_kind(2.5)
        ('a list', 'null', 'a number')
    """
    return "null" if value is None else _KINDS.get(type(value), f"a {type(value).__name__}")


def described(content: Any) -> str:
    """Describes the content of a JSON file that is not what was expected, for error messages.

    Args:
        content: A decoded value.

    Returns:
        Its type, whether it is empty, and the first keys of an object.

    Example:
        >>> described({}), described([]), described({"data": [], "version": 1})
        ('an empty object', 'an empty list', "an object with the keys 'data', 'version'")
    """
    if content in ({}, []):
        return f"an empty {'object' if isinstance(content, dict) else 'list'}"
    if isinstance(content, dict):
        return f"an object with the keys {', '.join(repr(excerpt(key)) for key in list(content)[:5])}"
    return json_kind(content)


def check_text_fields(entry: Mapping[str, Any], keys: Iterable[str], where: str) -> None:
    """Checks that fields hold text.

    Args:
        entry: A decoded object.
        keys: Fields that must hold text.
        where: File, dialogue and turn, for the error.

    Raises:
        InvalidDataError: A field is missing or holds something else.
    """
    for key in keys:
        if not isinstance(entry.get(key), str):
            raise InvalidDataError(f"{where}: {key!r} must be text, but is {excerpt(entry.get(key))!r}.")


def check_pair(target: int, cause: int, n_turns: int, where: str) -> tuple[int, int]:
    """Checks that both turns of a pair lie within their dialogue.

    Args:
        target: Target turn, 1-based.
        cause: Cause turn, 1-based.
        n_turns: Utterances of the dialogue.
        where: File and dialogue, for the error.

    Returns:
        ``(target, cause)``.

    Raises:
        InvalidDataError: A turn is outside 1 to ``n_turns``.

    Example:
        >>> check_pair(2, 1, 3, "train.txt, conversation 7")
        (2, 1)
    """
    if not (1 <= target <= n_turns and 1 <= cause <= n_turns):
        raise InvalidDataError(
            f"{where}, pair ({excerpt(target)}, {excerpt(cause)}): points outside the dialogue, which has turns 1 to "
            f"{n_turns}."
        )
    return target, cause
