"""From a video to the pictures of an utterance: by seeking, without cutting files."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.errors import missing_extra
from iemomecp_dataset.features.decoding.audio_decoding import existing_media
from iemomecp_dataset.features.store.store_rows import FeatureProblem
from iemomecp_dataset.features.work_items import WorkItem

__all__ = ["Pictures", "decode_video", "require_video", "sample_times"]

# Decoding over a gap costs less than seeking when it is shorter than the usual distance of key frames.
_SEEK_GAP_SECONDS = 5.0
_OUTSIDE_SECONDS = 0.5


@dataclass(frozen=True)
class Pictures:
    """Decoded pictures.

    Attributes:
        frames: ``(height, width, 3)`` uint8 RGB each, in order, each picture of the video at most once.
        seconds: Length of the utterance.
        note: What was done, or None.
    """

    frames: tuple[NDArray[np.uint8], ...]
    seconds: float
    note: str | None


def require_video() -> None:
    """Checks that video can be decoded.

    Raises:
        MissingDependencyError: It cannot; the message has the pip line.
    """
    for package in ("av", "PIL"):
        try:
            __import__(package)
        except ImportError:
            raise missing_extra(package, "media") from None


def sample_times(start: float, end: float, frames: int, strategy: str) -> list[float]:
    """Moments at which an utterance is looked at.

    Args:
        start: Its beginning in seconds.
        end: Its end.
        frames: How many, for ``uniform``.
        strategy: ``uniform``: the middles of equal parts; ``middle``: one moment.

    Example:
        >>> sample_times(10.0, 14.0, 2, "uniform"), sample_times(10.0, 14.0, 2, "middle")
        ([11.0, 13.0], [12.0])
    """
    if strategy == "middle":
        frames = 1
    return [start + (i + 0.5) * (end - start) / frames for i in range(frames)]


def decode_video(item: WorkItem, frames: int, strategy: str, side: str | None) -> Pictures:
    """Decodes the pictures of an utterance.

    Args:
        item: The utterance.
        frames: Pictures wanted, for ``uniform``.
        strategy: See :func:`sample_times`.
        side: ``left`` or ``right`` half of the picture, or None for all of it.

    Raises:
        FeatureProblem: There are no pictures to encode; with status and reason.
    """
    import av

    path = existing_media(item)
    if item.timed and (item.start is None or item.end is None):
        raise FeatureProblem("no_times", f"{path.name} holds a whole dialogue, and the corpus has no times")
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise FeatureProblem("no_frames", f"{path.name} has no pictures")
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            length = _length(container, stream)
            start, end = (item.start, item.end) if item.timed else (0.0, length)
            if start is None or end is None:
                raise FeatureProblem("unreadable", f"{path.name} does not say how long it is")
            if (
                start < 0
                or end <= start
                or (length is not None and (start >= length or end > length + _OUTSIDE_SECONDS))
            ):
                shown = "an unknown length" if length is None else f"{length:.2f} s"
                raise FeatureProblem(
                    "outside_file", f"its times are {start:.2f} to {end:.2f} s, and {path.name} has {shown}"
                )
            wanted = sample_times(start, end, frames, strategy)
            found = _pictures_at(container, stream, wanted, start)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise FeatureProblem("unreadable", f"{path.name}: {error}") from None
    if not found:
        raise FeatureProblem("no_frames", f"{path.name} has no picture from {start:.2f} to {end:.2f} s")
    notes = [] if len(found) == len(wanted) else [f"{len(found)} distinct pictures at {len(wanted)} moments"]
    if side is not None:
        found = [_half(picture, side) for picture in found]
    return Pictures(tuple(found), end - start, "; ".join(notes) or None)


def _length(container: Any, stream: Any) -> float | None:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return container.duration / 1_000_000 if container.duration else None


def _pictures_at(container: Any, stream: Any, times: list[float], start: float) -> list[NDArray[np.uint8]]:
    """The picture on the screen at each moment, the same one once."""
    step = float(1 / stream.average_rate) if stream.average_rate else 0.0
    offset = float(stream.start_time * stream.time_base) if stream.start_time is not None else 0.0
    chosen: dict[float, Any] = {}
    decoder: Any = iter(())
    shown: Any = None  # On the screen now.
    ahead: Any = None  # Decoded, and not yet on the screen.
    position = -float("inf")
    for time in times:
        if time - position > _SEEK_GAP_SECONDS:
            container.seek(max(0, int((time + offset) / stream.time_base)), stream=stream, backward=True)
            decoder, shown, ahead = container.decode(stream), None, None
        while True:
            if ahead is None:
                ahead = next(decoder, None)
            if ahead is None or _time(ahead, offset) > time + 1e-6:
                break
            shown, ahead = ahead, None
        position = time
        if shown is None:
            # Some containers have no key frame before the moment; the next picture is as near.
            if ahead is None or _time(ahead, offset) > time + step:
                continue
            shown, ahead = ahead, None
        at = _time(shown, offset)
        # A picture stays for one step; one that has been there for longer is a gap in the video.
        if at > start - step - 1e-6 and time - at < max(2 * step, 0.1):
            chosen.setdefault(at, shown)
    return [frame.to_ndarray(format="rgb24") for frame in chosen.values()]


def _time(frame: Any, offset: float) -> float:
    if frame.time is not None:
        return float(frame.time) - offset
    with contextlib.suppress(TypeError):
        return float(frame.dts * frame.time_base) - offset
    return 0.0


def _half(picture: NDArray[np.uint8], side: str) -> NDArray[np.uint8]:
    middle = picture.shape[1] // 2
    return np.ascontiguousarray(picture[:, :middle] if side == "left" else picture[:, -middle:])
