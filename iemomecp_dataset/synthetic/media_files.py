"""Writes videos of coloured faces: of whole dialogues, both actors side by side, or of single utterances."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.errors import missing_extra
from iemomecp_dataset.synthetic.dialogues import Dialogue

__all__ = ["require_media", "write_dialogue_avi", "write_utterance_mp4"]

# Small: 4 frames per second of 96 x 48 pixels take about 0.2 MB per minute.
FRAMES_PER_SECOND = 4
FACE_SIDE = 48

# Colour (red, green, blue) of a speaking face. Listeners, and emotions outside the six, are grey.
_FACES = {
    "ang": (200, 40, 40),
    "fru": (200, 110, 60),
    "sad": (50, 70, 190),
    "hap": (240, 200, 80),
    "exc": (250, 230, 40),
    "neu": (150, 150, 150),
}
_LISTENING = (110, 110, 110)


def require_media() -> Any:
    """Imports PyAV.

    Returns:
        The module ``av``.

    Raises:
        MissingDependencyError: PyAV is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise missing_extra("av", "media") from error
    return av


def write_dialogue_avi(path: Path, dialogue: Dialogue, rng: random.Random) -> None:
    """Writes a video without audio; the actor named by the dialogue id (``Ses01F``: F) is on the left.

    Args:
        path: The ``.avi`` file.
        dialogue: The dialogue.
        rng: Random generator of the shades of the faces.

    Raises:
        MissingDependencyError: PyAV is not installed.
    """
    left = dialogue.dialogue_id[5]
    spans = [
        (utterance.start, utterance.end, utterance.speaker, _shade(utterance.emotion, rng))
        for utterance in dialogue.utterances
    ]
    length = max(span[1] for span in spans) + 1.0

    def frames() -> Iterable[NDArray[np.uint8]]:
        first = 0
        for index in range(round(length * FRAMES_PER_SECOND)):
            time = index / FRAMES_PER_SECOND
            while first < len(spans) - 1 and spans[first][1] < time:
                first += 1
            start, end, speaker, color = spans[first]
            yield _frame(left, speaker if start <= time <= end else None, color, mouth_open=index % 2 == 0)

    _write(path, frames(), "avi", width=2 * FACE_SIDE)


def write_utterance_mp4(
    path: Path, face: tuple[int, int, int], object_shown: tuple[int, int, int] | None, *, n_frames: int = 4
) -> None:
    """Writes a clip of an utterance without audio: the speaker's face at the left, an object or nothing at the right.

    Args:
        path: The ``.mp4`` file.
        face: Colour of the face.
        object_shown: Colour of the object; None for nothing.
        n_frames: Its frames, at 4 per second.

    Raises:
        MissingDependencyError: PyAV is not installed.
    """

    def frames() -> Iterable[NDArray[np.uint8]]:
        for index in range(n_frames):
            frame = _frame("F", "F", face, mouth_open=index % 2 == 0)
            frame[:, FACE_SIDE:] = 0
            if object_shown is not None:
                frame[4:-4, FACE_SIDE + 4 : -4] = object_shown
            yield frame

    _write(path, frames(), "mp4", width=2 * FACE_SIDE)


def _write(path: Path, frames: Iterable[NDArray[np.uint8]], container_format: str, *, width: int) -> None:
    av = require_media()
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", format=container_format, options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("mpeg4", rate=FRAMES_PER_SECOND)
        stream.width, stream.height, stream.pix_fmt = width, FACE_SIDE, "yuv420p"
        # High enough to preserve the colours, which encode the emotion.
        stream.codec_context.bit_rate = 400_000
        # A single thread and no version strings, so that equal seeds give equal bytes.
        stream.codec_context.thread_count = 1
        stream.codec_context.options = {"flags": "+bitexact"}
        for frame in frames:
            for packet in stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


def _shade(emotion: str, rng: random.Random) -> tuple[int, int, int]:
    red, green, blue = (min(255, max(0, value + rng.randint(-20, 20))) for value in _FACES.get(emotion, _LISTENING))
    return red, green, blue


def _frame(left: str, speaking: str | None, color: tuple[int, int, int], mouth_open: bool) -> NDArray[np.uint8]:
    """Draws a frame ``(48, 96, 3)`` of two faces; the speaker's has the colour and a moving mouth."""
    frame = np.zeros((FACE_SIDE, 2 * FACE_SIDE, 3), dtype=np.uint8)
    for half, actor in enumerate((left, "M" if left == "F" else "F")):
        face = frame[:, half * FACE_SIDE : (half + 1) * FACE_SIDE]
        face[6:-6, 8:-8] = color if actor == speaking else _LISTENING
        face[16:20, 14:18] = face[16:20, -18:-14] = 20
        mouth = 6 if actor == speaking and mouth_open else 2
        face[34 - mouth // 2 : 34 + mouth // 2, 18:-18] = 20
    return frame
