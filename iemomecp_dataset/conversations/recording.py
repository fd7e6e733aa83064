"""One recording of a whole conversation, which the times of its utterances divide."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Literal

from iemomecp_dataset.conversations.conversation import Conversation
from iemomecp_dataset.errors import InvalidDataError, MissingDataError, UsageError

__all__ = ["with_recording"]


def with_recording(conversation: Conversation, path: str | Path, *, kind: Literal["audio", "video"]) -> Conversation:
    """Adds one recording of a whole conversation.

    Args:
        conversation: A conversation whose utterances have times.
        path: The recording.
        kind: Whether its sound or its pictures are meant.

    Returns:
        The conversation, with the recording at every utterance. An utterance without an end ends where the next one
        begins, which a note says.

    Raises:
        MissingDataError: The recording does not exist.
        InvalidDataError: An utterance has no start, the last one has no end, or one has a recording of its own.
    """
    if kind not in ("audio", "video"):
        raise UsageError(f"kind must be 'audio' or 'video', but is {kind!r}.")
    try:
        found = Path(path).is_file()
    except OSError:  # Too long for the name of a file.
        found = False
    if not found:
        raise MissingDataError(f"{path}: there is no such recording. Check its name and folder.")
    spoken = conversation.utterances
    without = [turn for turn, utterance in enumerate(spoken, start=1) if utterance.start is None]
    if without:
        raise InvalidDataError(
            f"{conversation.name}, utterance {without[0]}: no start time, which one recording of the whole "
            f"conversation needs ({len(without)} of {len(spoken)} utterances lack it). Give 'start' and 'end' in "
            "seconds, subtitles, or a recording per utterance."
        )
    if spoken[-1].end is None:
        raise InvalidDataError(
            f"{conversation.name}, utterance {len(spoken)}: no end time, which the last utterance needs. "
            "Give its 'end' in seconds, in text as [0:05 - 0:07.5]."
        )
    for turn, utterance in enumerate(spoken, start=1):
        if own := getattr(utterance, kind):
            raise InvalidDataError(
                f"{conversation.name}, utterance {turn}: has {kind} of its own, {own}. Leave out one of the two."
            )
    starts = [utterance.start or 0.0 for utterance in spoken]
    ends = [
        following if utterance.end is None else utterance.end
        for utterance, following in zip(spoken, [*starts[1:], 0.0], strict=True)
    ]
    for turn, (start, end) in enumerate(zip(starts, ends, strict=True), start=1):
        if end < start:
            raise InvalidDataError(
                f"{conversation.name}, utterance {turn}: begins at {start:g} s, after the next one at "
                f"{end:g} s. Correct the times, or give its end."
            )
    filled = sum(utterance.end is None for utterance in spoken)
    note = f"Utterances without an end last until the next one begins: {filled}."
    recording = os.fspath(path)
    return dataclasses.replace(
        conversation,
        utterances=tuple(
            dataclasses.replace(utterance, end=end, audio=recording)
            if kind == "audio"
            else dataclasses.replace(utterance, end=end, video=recording)
            for utterance, end in zip(spoken, ends, strict=True)
        ),
        notes=(*conversation.notes, *((note,) if filled else ())),
    )
