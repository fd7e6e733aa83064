"""JSON schemas of the answers, one per number of turns: turns are listed, as every engine honours an ``enum``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

__all__ = [
    "MOST_CAUSES",
    "MOST_RECORDS",
    "dialogue_schema",
    "emotions_schema",
    "explanation_schema",
    "fits",
    "target_schema",
    "verify_schema",
]

MOST_RECORDS = 32
"""Most targets of one answer."""

MOST_CAUSES = 8
"""Most causes, or contexts, of one target."""

Schema = Mapping[str, Any]


@lru_cache(maxsize=256)
def dialogue_schema(n_turns: int, emotions: tuple[str, ...], roles: bool = False) -> Schema:
    """The answer on a whole dialogue: its targets with their causes.

    Args:
        n_turns: Number of turns; they are numbered from 1.
        emotions: The emotions a target can have.
        roles: Whether each target has a list ``context`` beside its list ``causes``.

    Example:
        >>> schema = dialogue_schema(2, ("joy",))
        >>> fits(schema, {"records": [{"target": 2, "emotion": "joy", "causes": [1]}]})
        True
        >>> fits(schema, {"records": [{"target": 3, "emotion": "joy", "causes": [1]}]})
        False
    """
    record = {
        "target": {"type": "integer", "enum": _turns(n_turns)},
        "emotion": {"type": "string", "enum": list(emotions)},
        **_lists(n_turns, roles),
    }
    return _object({"records": {"type": "array", "items": _object(record), "maxItems": MOST_RECORDS}})


@lru_cache(maxsize=256)
def target_schema(n_turns: int, emotions: tuple[str, ...], roles: bool = False) -> Schema:
    """The answer on one utterance: its emotion, neutral included, and its causes.

    Args:
        n_turns: As in :func:`dialogue_schema`, and so is ``roles``.
        emotions: The emotions an utterance can have.
        roles: Whether there is a list ``context``.
    """
    return _object({"emotion": {"type": "string", "enum": list(emotions)}, **_lists(n_turns, roles)})


def verify_schema(turns: tuple[int, ...], roles: bool = False) -> Schema:
    """The answer on a target that was proposed: which of its proposed turns are causes, or context.

    Args:
        turns: The proposed turns; at least one.
        roles: Whether there is a list ``context``.

    Example:
        >>> fits(verify_schema((2, 5)), {"causes": [5]}), fits(verify_schema((2, 5)), {"causes": [4]})
        (True, False)
    """
    turn = {"type": "integer", "enum": list(turns)}
    names = ("causes", "context") if roles else ("causes",)
    return _object({name: {"type": "array", "items": turn, "maxItems": len(turns)} for name in names})


@lru_cache(maxsize=256)
def emotions_schema(n_turns: int, emotions: tuple[str, ...]) -> Schema:
    """The answer that names the emotion of every turn, in order.

    Args:
        n_turns: Number of turns.
        emotions: The emotions an utterance can have.

    Example:
        >>> fits(emotions_schema(2, ("joy", "neutral")), {"emotions": ["joy", "neutral"]})
        True
        >>> fits(emotions_schema(2, ("joy", "neutral")), {"emotions": ["joy"]})
        False
    """
    one = {"type": "string", "enum": list(emotions)}
    return _object({"emotions": {"type": "array", "items": one, "minItems": n_turns, "maxItems": n_turns}})


def explanation_schema() -> Schema:
    """The answer that explains one emotion in a sentence."""
    return _object({"explanation": {"type": "string"}})


def fits(schema: Schema, value: Any) -> bool:
    """Whether a decoded value is valid by one of these schemas.

    Args:
        schema: The schema; only the keywords that occur here are looked at.
        value: The value.
    """
    kind = schema["type"]
    if kind == "object":
        parts = schema["properties"]
        return isinstance(value, dict) and value.keys() == parts.keys() and all(fits(parts[k], value[k]) for k in parts)
    if kind == "array":
        return (
            isinstance(value, list)
            and schema.get("minItems", 0) <= len(value) <= schema["maxItems"]
            and all(fits(schema["items"], item) for item in value)
        )
    # In Python True equals 1.
    of_kind = isinstance(value, int) and not isinstance(value, bool) if kind == "integer" else isinstance(value, str)
    return of_kind and ("enum" not in schema or value in schema["enum"])


def _turns(n_turns: int) -> list[int]:
    return list(range(1, n_turns + 1))


def _lists(n_turns: int, roles: bool) -> dict[str, Schema]:
    names: Sequence[str] = ("causes", "context") if roles else ("causes",)
    turn = {"type": "integer", "enum": _turns(n_turns)}
    return {name: {"type": "array", "items": turn, "maxItems": MOST_CAUSES} for name in names}


def _object(properties: Mapping[str, Any]) -> Schema:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }
