"""Speaker crop: which half of an IEMOCAP frame shows the speaker.

IEMOCAP films both actors of a dialogue side by side. Its dialogue ids name the actor who wears the markers of the
motion capture (``Ses01F_impro01``: the woman of session 1). This actor is assumed to be in the left half, which was not
verified on the release: look at one video of each session, and override the rule if it is wrong there.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from iemomecp_dataset.errors import InvalidDataError, MissingDataError, UsageError
from iemomecp_dataset.features.work_items import WorkItem
from iemomecp_dataset.files import read_json

__all__ = ["speaker_side"]

_MARKED = re.compile(r"Ses\d\d([FM])")


def speaker_side(left_actor: str) -> Callable[[WorkItem], str]:
    """Builds the rule that gives the speaker's half of the frame.

    Args:
        left_actor: Actor in the left half: ``F``, ``M``, ``marked``, ``unmarked``, or a JSON file
            ``{dialogue_id: "F" or "M"}``.

    Returns:
        Function from an utterance to ``left`` or ``right``. It raises
        :class:`~iemomecp_dataset.errors.InvalidDataError` if the utterance is not of IEMOCAP, its speaker is neither F
        nor M, or the file lacks its dialogue.

    Raises:
        UsageError: ``left_actor`` is neither a rule nor a JSON file.
        MissingDataError: The file does not exist.
        InvalidDataError: The file does not map dialogues to F or M.
    """
    known: dict[str, str] = {}
    if left_actor not in ("F", "M", "marked", "unmarked"):
        known = _read_sides(left_actor)

    def side(item: WorkItem) -> str:
        marked = _MARKED.match(item.dialogue_id)
        if item.speaker not in ("F", "M") or marked is None:
            raise InvalidDataError(
                f"utterance {item.utterance_id}: the speaker crop needs an IEMOCAP dialogue and a speaker F or M, "
                f"found {item.dialogue_id!r} and {item.speaker!r}. Use --crop none."
            )
        if known:
            if item.dialogue_id not in known:
                raise InvalidDataError(f"{left_actor}: dialogue {item.dialogue_id} is missing. Add it.")
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
    content = read_json(path)
    if not isinstance(content, dict) or not content or any(side not in ("F", "M") for side in content.values()):
        raise InvalidDataError(
            f'{path}: expected {{"Ses01F_impro01": "F", …}}, the actor in the left half by dialogue.'
        )
    return dict(content)
