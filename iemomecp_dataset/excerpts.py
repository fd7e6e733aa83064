"""Values from files as messages show them: the beginning, whatever the value is.

A value that a file gives may be of any size, and a nested one may be far larger when written out than in the file: a
list of ten lists, each of ten times the same list, and so on. Neither is ever written out as a whole.
"""

from __future__ import annotations

import reprlib
from collections.abc import Callable
from typing import Any

__all__ = ["excerpt", "shortened", "shown"]

_LONGEST_INTEGER = 10_000
"""Bits; Python writes out no integer of more than 4,300 digits, which has some 14,000."""


def excerpt(value: Any, length: int = 40) -> str:
    """The first characters of a value as text.

    Args:
        value: Anything.
        length: Most characters.

    Returns:
        The beginning of text, or of what :func:`str` gives for anything else.

    Example:
        >>> excerpt("It rains.", 4), excerpt([1, {"a": None}]), excerpt(10**5000)
        ('It r', "[1, {'a': None}]", 'an integer of 16,610 bits')
        >>> deep = []
        >>> for _ in range(100):
        ...     deep = [deep] * 10
        >>> excerpt(deep, 20)
        '[[[[...], [...], [..'
    """
    if isinstance(value, str):
        return value[:length]
    if type(value).__module__ == "numpy" and getattr(value, "shape", None) == ():
        value = value.item()
    return _BOUNDED.repr(value)[:length]


def shortened(text: str, length: int) -> str:
    """Cuts a text at ``length`` characters, the ellipsis that says so among them.

    Example:
        >>> shortened("We missed it.", 9)
        'We misse…'
    """
    return text if len(text) <= length else f"{text[: length - 1]}…"


def shown(value: Any) -> str:
    """A value as an error shows it, shortened; text is in quotation marks.

    Args:
        value: Anything.

    Returns:
        At most 42 characters of it.

    Example:
        >>> shown("We missed it because the bus was late again, as always.")
        "'We missed it because the bus was late aga…'"
    """
    short = shortened(excerpt(value, 43), 42)
    return repr(short) if isinstance(value, str) else short


class _Bounded(reprlib.Repr):
    """Shows the first parts of containers of every kind, their subclasses too, and bytes and integers of every size."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 3
        self.maxdict = self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = 12
        self.maxstring = self.maxother = 200

    def repr1(self, x: Any, level: int) -> str:
        ways: tuple[tuple[Any, Callable[[Any], str]], ...] = (
            (bool, str),
            (dict, lambda value: self.repr_dict(value, level)),
            (list, lambda value: self.repr_list(value, level)),
            (tuple, lambda value: self.repr_tuple(value, level)),
            (set | frozenset, lambda value: self.repr_list(list(value)[: self.maxset + 1], level)),
            (int, _integer),
            (str, lambda value: repr(value[: self.maxstring])),
            (bytes | bytearray, lambda value: repr(bytes(value[: self.maxstring]))),
        )
        for kind, show in ways:
            if isinstance(x, kind):
                return show(x)
        try:
            return super().repr1(x, level)
        except Exception:  # What an object of another class does when it is shown.
            return f"<{type(x).__name__}>"

    def repr_dict(self, x: Any, level: int) -> str:
        if not x or level <= 0:
            return "{...}" if x else "{}"
        parts = [f"{self.repr1(key, level - 1)}: {self.repr1(x[key], level - 1)}" for key in list(x)[: self.maxdict]]
        return "{" + ", ".join([*parts, *(["..."] if len(x) > self.maxdict else [])]) + "}"


def _integer(value: int) -> str:
    bits = value.bit_length()
    return str(value) if bits <= _LONGEST_INTEGER else f"an integer of {bits:,} bits"


_BOUNDED = _Bounded()
