"""Reading JSON that people made: strict about duplicate keys, and errors that name the file and the place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.text_files import read_text

__all__ = ["read_json"]


def read_json(path: Path) -> Any:
    """Reads a JSON file.

    Args:
        path: The file, UTF-8, with or without a byte-order mark.

    Returns:
        Its content.

    Raises:
        MissingDataError: The file is not there or cannot be read.
        InvalidDataError: It is no JSON, is cut off, or gives a key of one object twice.
    """
    text = read_text(path)
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        ended = error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated")
        hint = "the file ends too early; fetch it again" if ended else "repair the file, or fetch it again"
        raise InvalidDataError(
            f"{path}, line {error.lineno}, column {error.colno}: not valid JSON ({error.msg}); {hint}."
        ) from None
    except _RepeatedKeyError as error:
        raise InvalidDataError(
            f"{path}: the key {str(error)[:80]!r} is given twice in one object; which of the two counts is unknown."
        ) from None
    except (RecursionError, ValueError) as error:
        # Nested thousands of levels deep, or an integer of thousands of digits.
        raise InvalidDataError(f"{path}: not valid JSON ({str(error)[:120]}).") from None


class _RepeatedKeyError(Exception):
    """An object gives a key twice."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        seen: set[str] = set()
        raise _RepeatedKeyError(next(key for key, _ in pairs if key in seen or seen.add(key)))  # type: ignore[func-returns-value]
    return content
