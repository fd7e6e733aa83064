"""The text form of signatures, ``prefix|name:value|…``, and how two of them are compared, whatever their fields."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from iemomecp_dataset.errors import MetricInputError

__all__ = [
    "NOT_STATED",
    "NO_EPOCH_CHOSEN",
    "AnySignature",
    "as_text",
    "check_words",
    "differing_fields",
    "fields_of_text",
    "keys_fingerprint",
]

NO_EPOCH_CHOSEN = "none"
"""What stands for the split that an epoch was chosen on where the last one is kept."""

NOT_STATED = "unknown"
"""A digest that one of two signatures does not state tells them apart in no comparison of the two."""

_WORD = re.compile(r"[^|:\s]+")


class AnySignature(Protocol):
    """What every signature states."""

    @property
    def texts(self) -> str:
        """Fingerprint of the texts, or :data:`NOT_STATED`."""

    @property
    def oracle(self) -> bool:
        """Whether something was chosen on the very split that is scored."""


def check_words(signature: AnySignature, names: Iterable[str]) -> None:
    """Refuses fields that would break the text form.

    Args:
        signature: A signature.
        names: Its fields that must be words.

    Raises:
        MetricInputError: One is not.
    """
    for name in names:
        value = getattr(signature, name)
        if not isinstance(value, str) or not _WORD.fullmatch(value):
            raise MetricInputError(
                f"The field {name} of a signature is a word without spaces, '|' and ':'; found {value!r}."
            )


def as_text(prefix: str, fields: Mapping[str, Any]) -> str:
    """Writes a signature.

    Example:
        >>> as_text("iemomecp", {"def": "F", "gold": 3})
        'iemomecp|def:F|gold:3'
    """
    return "|".join([prefix, *(f"{name}:{value}" for name, value in fields.items())])


def fields_of_text(text: str, prefix: str, wanted: Sequence[str], later: Mapping[str, str]) -> dict[str, str]:
    """Reads the fields of a signature.

    Args:
        text: The signature.
        prefix: The word that it starts with.
        wanted: Fields that it must have.
        later: Fields that signatures of earlier versions lack, with what they then are.

    Returns:
        Value by field.

    Raises:
        MetricInputError: The text is not such a signature.

    Example:
        >>> fields_of_text("iemomecp|def:F|gold:3", "iemomecp", ["def", "gold"], {"epoch": "unknown"})
        {'epoch': 'unknown', 'def': 'F', 'gold': '3'}
    """
    start, *parts = text.strip().split("|")
    fields = dict(part.partition(":")[::2] for part in parts)
    missing = [name for name in wanted if name not in fields]
    extra = [name for name in fields if name not in wanted and name not in later]
    if start != prefix or missing or extra or len(parts) != len(fields):
        raise MetricInputError(
            f"{text!r} is not a signature: it must start with '{prefix}|' and have each field once; missing: "
            f"{', '.join(missing) or 'none'}; unknown: {', '.join(extra) or 'none'}."
        )
    return dict(later) | fields


def differing_fields(first: AnySignature, second: AnySignature, names: Iterable[str], chosen: str) -> list[str]:
    """Lists the fields in which two signatures differ.

    Args:
        first: A signature.
        second: Another.
        names: The fields that must agree. Texts that one of the two does not state are not compared.
        chosen: What an oracle chose on the scored split, in words.

    Returns:
        One line for each.
    """
    unstated = {"texts"} if NOT_STATED in (first.texts, second.texts) else set()
    found = [
        f"{name}: {getattr(first, name)} against {getattr(second, name)}"
        for name in names
        if name not in unstated and getattr(first, name) != getattr(second, name)
    ]
    if first.oracle != second.oracle:
        found.append(f"{chosen} chosen on the scored split: {first.oracle} against {second.oracle}")
    return found


def keys_fingerprint(dialogue_ids: ArrayLike, *columns: ArrayLike) -> str:
    """Hashes dialogues with numbers beside them; the order of entries is irrelevant.

    Args:
        dialogue_ids: ``(n,)`` str.
        *columns: Each ``(n,)`` ints.

    Returns:
        12 hexadecimal characters.

    Example:
        >>> keys_fingerprint(["a", "b"], [1, 2]) == keys_fingerprint(["b", "a"], [2, 1])
        True
    """
    dialogues = np.asarray(dialogue_ids, dtype=np.str_)
    numbers = [np.asarray(values).astype("<i8") for values in columns]
    names, dialogue = np.unique(dialogues, return_inverse=True)
    order = np.lexsort((*numbers[::-1], dialogue))
    digest = hashlib.sha256()
    for name in names.tolist():
        digest.update(name.encode("utf-8", "surrogatepass") + b"\n")
    for values in (dialogue.astype("<i8"), *numbers):
        digest.update(np.ascontiguousarray(values[order]).tobytes())
    return digest.hexdigest()[:12]
