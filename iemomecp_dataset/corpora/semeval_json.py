"""The JSON of SemEval-2024 Task 3 (ECF 2.0): how its ids, numbers and pairs are read, by the loader and the scorer.

A list of ``{"conversation_ID": int, "conversation": [{"utterance_ID", ...}], "emotion-cause_pairs": [["3_surprise",
"1"], ...]}``. In subtask 2 the cause is an utterance number; in subtask 1 it is ``"1_<span text>"``, of which only the
utterance is kept. As for the official evaluator, a number may be text or a number, with blanks around it or a ``U``
before it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.excerpts import excerpt
from iemomecp_dataset.field_checks import is_integer, json_kind

__all__ = ["ID_KEY", "PAIRS_KEY", "TURNS_KEY", "labeled_pair", "listed_pairs", "semeval_conversations", "turn_number"]

ID_KEY = "conversation_ID"
TURNS_KEY = "conversation"
PAIRS_KEY = "emotion-cause_pairs"

_LARGEST = 10**6
"""No dialogue has as many turns; what is larger is no number of an utterance."""
_NUMBER = re.compile(r"\s*U?([0-9]{1,6})\s*")
_TARGET = re.compile(r"\s*U?([0-9]{1,6})\s*_\s*(\S+)\s*")
_CAUSE = re.compile(r"\s*U?([0-9]{1,6})\s*(?:_.*)?", re.DOTALL)


def semeval_conversations(path: Path, content: Any) -> dict[str, Mapping[str, Any]]:
    """Takes the conversations out of a decoded file.

    Args:
        path: The file, for errors.
        content: What :func:`~iemomecp_dataset.files.read_json` gives of it.

    Returns:
        By id, as text, in file order.

    Raises:
        InvalidDataError: It is not a list of conversations, each with an id of its own.
    """
    if not isinstance(content, list):
        raise InvalidDataError(f"{path}: expected a list of conversations, found {json_kind(content)}.")
    conversations: dict[str, Mapping[str, Any]] = {}
    for position, entry in enumerate(content, start=1):
        number = entry.get(ID_KEY) if isinstance(entry, dict) else None
        if not (is_integer(number) or (isinstance(number, str) and number.strip())):
            raise InvalidDataError(
                f"{path}: entry {position} is not a conversation; it needs the key {ID_KEY!r} with a number, found "
                f"{excerpt(entry if number is None else number)!r}."
            )
        name = str(number).strip()
        if name in conversations:
            raise InvalidDataError(f"{path}: conversation {excerpt(name, 80)} occurs twice; each must occur once.")
        conversations[name] = entry
    return conversations


def listed_pairs(conversation: Mapping[str, Any], where: str) -> Any:
    """Finds the pairs of a conversation.

    Args:
        conversation: The conversation.
        where: File and conversation, for the error.

    Returns:
        What the file has under :data:`PAIRS_KEY`, which may be anything.

    Raises:
        InvalidDataError: There is no such key; the message names one that is spelt alike.
    """
    if PAIRS_KEY in conversation:
        return conversation[PAIRS_KEY]
    keys = [str(key) for key in conversation if key not in (ID_KEY, TURNS_KEY)]
    close = difflib.get_close_matches(PAIRS_KEY, keys, n=1, cutoff=0.4)
    hint = (
        f"Did you mean {close[0]!r}? Rename that key."
        if close
        else "A conversation without pairs has an empty list; files of the task's test phase have no labels."
    )
    raise InvalidDataError(f"{where}: there is no key {PAIRS_KEY!r}. {hint}")


def turn_number(value: Any) -> int | None:
    """Reads the number of an utterance.

    Args:
        value: A decoded value.

    Returns:
        The number, or None where it is not one.

    Example:
        >>> [turn_number(value) for value in (2, " 2", "U2", "2.", True, 2.0)]
        [2, 2, 2, None, None, None]
    """
    if is_integer(value):
        return value if 0 <= value < _LARGEST else None
    match = _NUMBER.fullmatch(value) if isinstance(value, str) else None
    return None if match is None else int(match[1])


def labeled_pair(pair: Any) -> tuple[int, str, int] | None:
    """Reads a pair.

    Args:
        pair: A decoded value.

    Returns:
        Target turn, emotion and cause turn, or None where it is not a pair of the format.

    Example:
        >>> labeled_pair(["3_surprise", "1"]), labeled_pair(["U3_surprise", " 1_So what?"]), labeled_pair(["3", "1"])
        ((3, 'surprise', 1), (3, 'surprise', 1), None)
    """
    if not isinstance(pair, list) or len(pair) != 2 or not isinstance(pair[0], str):
        return None
    target = _TARGET.fullmatch(pair[0])
    cause = turn_number(pair[1])
    if cause is None and isinstance(pair[1], str) and (match := _CAUSE.fullmatch(pair[1])) is not None:
        cause = int(match[1])
    return None if target is None or cause is None else (int(target[1]), target[2], cause)
