"""Which half of an IEMOCAP picture shows the speaker.

IEMOCAP films both actors of a dialogue side by side. Its dialogue ids name the actor who wears the markers of the
motion capture (``Ses01F_impro01``: the woman of session 1), and that actor is taken to be in the left half. This was
not checked on the release: look at one video of each session, and override it where it is otherwise.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from iemomecp_dataset.errors import InvalidDataError, MissingDataError, UsageError
from iemomecp_dataset.features.work_items import WorkItem

__all__ = ["speaker_side"]

_MARKED = re.compile(r"Ses\d\d([FM])")


def speaker_side(left_actor: str) -> Callable[[WorkItem], str]:
    """Makes the rule.

    Args:
        left_actor: ``F``, ``M``, ``marked``, ``unmarked``, or a JSON file ``{dialogue_id: "F" or "M"}``.

    Returns:
        ``left`` or ``right`` by utterance; it raises :class:`~iemomecp_dataset.errors.InvalidDataError` for one without
        speaker F or M.

    Raises:
        UsageError: There is no such rule.
        MissingDataError: The file is not there.
        InvalidDataError: It is no such file.
    """
    known: dict[str, str] = {}
    if left_actor not in ("F", "M", "marked", "unmarked"):
        known = _read_sides(left_actor)

    def side(item: WorkItem) -> str:
        marked = _MARKED.match(item.dialogue_id)
        if item.speaker not in ("F", "M") or marked is None:
            raise InvalidDataError(
                f"utterance {item.utterance_id}: halves of the picture need an IEMOCAP dialogue and a speaker F or M, "
                f"found {item.dialogue_id!r} and {item.speaker!r}. Use --crop none."
            )
        if known:
            if item.dialogue_id not in known:
                raise InvalidDataError(f"{left_actor}: it says nothing about dialogue {item.dialogue_id}. Add it.")
            left = known[item.dialogue_id]
        elif left_actor in ("F", "M"):
            left = left_actor
        else:
            left = marked[1] if left_actor == "marked" else {"F": "M", "M": "F"}[marked[1]]
        return "left" if item.speaker == left else "right"

    return side


def _read_sides(name: str) -> dict[str, str]:
    path = Path(name)
    if path.suffix != ".json":
        raise UsageError(f"--left_actor has no value {name!r}: F, M, marked, unmarked, or a .json file.")
    if not path.is_file():
        raise MissingDataError(f"The file of --left_actor, {path}, is not there.")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        good = isinstance(content, dict) and bool(content) and all(side in ("F", "M") for side in content.values())
    except (OSError, ValueError, TypeError):
        good = False
    if not good:
        raise InvalidDataError(
            f'{path}: expected {{"Ses01F_impro01": "F", …}}, the actor in the left half by dialogue.'
        )
    return dict(content)
