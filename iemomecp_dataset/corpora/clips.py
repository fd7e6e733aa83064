"""The clip of an utterance, as annotation files state it: its file name, and where in the recording it was cut from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.excerpts import excerpt
from iemomecp_dataset.files.bounds import LONGEST_FIELD

__all__ = ["Clip", "StatedTimes", "clock_seconds", "read_clip"]

_CLOCK = re.compile(r"\s*(\d{1,6}):(\d{1,6}):(\d{1,6}(?:\.\d{1,12})?)\s*")
_NAMES = ("video", "video_name")
_SOURCE = "video_source"


@dataclass(frozen=True)
class StatedTimes:
    """Episode and times of one utterance as the file writes them, such as ``S1E1`` and ``00:00:01.50 - 00:00:02``."""

    episode: str
    start_end: str


@dataclass(frozen=True)
class Clip:
    """The clip of an utterance; what the file does not state is None.

    Attributes:
        start: Start in seconds within the recording.
        end: End, likewise.
        video: Name of the clip's file, without a folder. The file itself need not be there.
        times: Episode, start and end as the file writes them.
    """

    start: float | None = None
    end: float | None = None
    video: str | None = None
    times: StatedTimes | None = None


def clock_seconds(text: str) -> float | None:
    """Reads a time of day as seconds.

    Args:
        text: ``hh:mm:ss`` with decimals or without.

    Returns:
        Seconds, or None for any other text.

    Example:
        >>> clock_seconds("01:00:03.250"), clock_seconds("3.25")
        (3603.25, None)
    """
    match = _CLOCK.fullmatch(text) if len(text) <= LONGEST_FIELD else None
    return None if match is None else int(match[1]) * 3600 + int(match[2]) * 60 + float(match[3])


def read_clip(entry: Mapping[str, Any], where: str) -> Clip:
    """Reads the clip of an utterance from its JSON object.

    Args:
        entry: The object, with ``video`` or ``video_name``, and ``video_source`` ``[episode, start, end]``; all of them
            may be absent or null.
        where: File, dialogue and turn, for the error.

    Returns:
        The clip.

    Raises:
        InvalidDataError: A field holds something else.

    Example:
        >>> clip = read_clip({"video": "dia1/utt2.mp4", "video_source": ["S1E1", "00:00:01.5", "00:00:02"]}, "x.json")
        >>> clip.start, clip.end, clip.video
        (1.5, 2.0, 'utt2.mp4')
    """
    video = None
    for key in _NAMES:
        name = entry.get(key)
        if name is not None and not isinstance(name, str):
            raise InvalidDataError(f"{where}: {key!r} must be the name of a clip, but is {excerpt(name)!r}.")
        video = video or PurePosixPath((name or "").strip().replace("\\", "/")).name or None
    source = entry.get(_SOURCE)
    if source is None:
        return Clip(video=video)
    if isinstance(source, list) and len(source) == 3 and all(isinstance(part, str) for part in source):
        start, end = clock_seconds(source[1]), clock_seconds(source[2])
        if start is not None and end is not None:
            return Clip(start, end, video, StatedTimes(source[0].strip(), f"{source[1].strip()} - {source[2].strip()}"))
    raise InvalidDataError(
        f"{where}: expected {_SOURCE!r} like ['S01E01', '00:00:01.000', '00:00:01.900'], found {excerpt(source, 80)!r}."
    )
