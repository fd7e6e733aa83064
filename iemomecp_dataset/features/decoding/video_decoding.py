"""Decodes the video frames of an utterance by seeking, without cutting files."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.features.decoding.utterance_media import check_times, existing_media, require_packages
from iemomecp_dataset.features.store.store_rows import FeatureProblem
from iemomecp_dataset.features.work_items import WorkItem

__all__ = ["VideoFrames", "decode_positions", "decode_video", "require_video", "sample_times"]

# Decoding through a gap is faster than seeking if it is shorter than the usual distance of key frames.
_SEEK_GAP_SECONDS = 5.0


@dataclass(frozen=True)
class VideoFrames:
    """Decoded video frames of an utterance.

    Attributes:
        frames: ``(height, width, 3)`` uint8 RGB each, in temporal order, without repetition.
        seconds: Duration of the utterance.
        note: Deviation from the request, or None.
    """

    frames: tuple[NDArray[np.uint8], ...]
    seconds: float
    note: str | None


def require_video() -> None:
    """Checks that video can be decoded.

    Raises:
        MissingDependencyError: PyAV or Pillow is not installed; the message has the pip line.
    """
    require_packages("av", "PIL")


def sample_times(start: float, end: float, frames: int, strategy: str) -> list[float]:
    r"""Computes the sampling times of an utterance.

    .. math:: t_i = \text{start} + \frac{i + 1/2}{n} (\text{end} - \text{start}), \quad i = 0, \dots, n - 1

    Args:
        start: Start of the utterance in seconds.
        end: End of the utterance in seconds.
        frames: Number of times for ``uniform``.
        strategy: ``uniform``: the midpoints of ``frames`` equal parts; ``middle``: the midpoint of the utterance.

    Returns:
        Times in seconds, ascending.

    Example:
        >>> sample_times(10.0, 14.0, 2, "uniform"), sample_times(10.0, 14.0, 2, "middle")
        ([11.0, 13.0], [12.0])
    """
    if strategy == "middle":
        frames = 1
    return [start + (i + 0.5) * (end - start) / frames for i in range(frames)]


def decode_video(item: WorkItem, frames: int, strategy: str, side: str | None) -> VideoFrames:
    """Decodes the frames of an utterance at its sampling times.

    Args:
        item: The utterance.
        frames: Number of frames for ``uniform``.
        strategy: Sampling strategy, see :func:`sample_times`.
        side: Speaker crop: ``left`` or ``right`` half of the frame, or None for the whole frame.

    Returns:
        The frames; fewer than requested if several sampling times show the same frame.

    Raises:
        FeatureProblem: There are no frames to encode; carries status and reason.

    See Also:
        :func:`decode_positions` for frames by their numbers;
        :func:`iemomecp_dataset.features.decoding.audio_decoding.decode_audio` for the waveform;
        :func:`iemomecp_dataset.features.decoding.speaker_crop.speaker_side` for the side.
    """

    def times(start: float, end: float, _: float | None) -> list[float]:
        return sample_times(start, end, frames, strategy)

    return _decode(item, times, side)


def decode_positions(item: WorkItem, positions: Callable[[int], Sequence[int]], side: str | None = None) -> VideoFrames:
    """Decodes frames of an utterance by their numbers.

    Args:
        item: The utterance.
        positions: Function from the number of frames of the utterance, by its duration and frame rate, to the numbers
            of the wanted ones, from 0 and ascending.
        side: Speaker crop, see :func:`decode_video`.

    Returns:
        The frames; fewer than requested if the file ends earlier than it states.

    Raises:
        FeatureProblem: There are no frames to encode, or the file does not state its frame rate.
    """

    def times(start: float, end: float, rate: float | None) -> list[float]:
        if not rate:
            raise ValueError("the video does not state its frame rate")
        # A frame is displayed for one step; its middle is safe from rounding.
        return [start + (position + 0.5) / rate for position in positions(max(1, round((end - start) * rate)))]

    return _decode(item, times, side)


def _decode(
    item: WorkItem, times: Callable[[float, float, float | None], list[float]], side: str | None
) -> VideoFrames:
    """Decodes the frames at the times that a function of start, end and frame rate gives."""
    import av

    path = existing_media(item)
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise FeatureProblem("no_frames", f"{path.name} has no video track")
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            length = _length(container, stream)
            start, end = (item.start, item.end) if item.timed else (0.0, length)
            if start is None or end is None:
                raise FeatureProblem("unreadable", f"{path.name} does not state its duration")
            check_times(path, start, end, length)
            wanted = times(start, end, float(stream.average_rate) if stream.average_rate else None)
            found = _frames_at(container, stream, wanted, start)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise FeatureProblem("unreadable", f"{path.name}: {error}") from None
    if not found:
        raise FeatureProblem("no_frames", f"{path.name} has no frame from {start:.2f} to {end:.2f} s")
    notes = [] if len(found) == len(wanted) else [f"{len(found)} distinct frames at {len(wanted)} sampling times"]
    if side is not None:
        found = [_half(frame, side) for frame in found]
    return VideoFrames(tuple(found), end - start, "; ".join(notes) or None)


def _length(container: Any, stream: Any) -> float | None:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return container.duration / 1_000_000 if container.duration else None


def _frames_at(container: Any, stream: Any, times: list[float], start: float) -> list[NDArray[np.uint8]]:
    """Decodes the frame that is displayed at each time, without repetition."""
    step = float(1 / stream.average_rate) if stream.average_rate else 0.0
    offset = float(stream.start_time * stream.time_base) if stream.start_time is not None else 0.0
    chosen: dict[float, Any] = {}
    decoder: Any = iter(())
    shown: Any = None  # Displayed at the current time.
    ahead: Any = None  # Decoded, but displayed later.
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
            # Some containers have no key frame before this time; the next frame is within one step.
            if ahead is None or _time(ahead, offset) > time + step:
                continue
            shown, ahead = ahead, None
        at = _time(shown, offset)
        # A frame is displayed for one step; a longer time is a gap in the video.
        if at > start - step - 1e-6 and time - at < max(2 * step, 0.1):
            chosen.setdefault(at, shown)
    return [frame.to_ndarray(format="rgb24") for frame in chosen.values()]


def _time(frame: Any, offset: float) -> float:
    if frame.time is not None:
        return float(frame.time) - offset
    with contextlib.suppress(TypeError):
        return float(frame.dts * frame.time_base) - offset
    return 0.0


def _half(frame: NDArray[np.uint8], side: str) -> NDArray[np.uint8]:
    middle = frame.shape[1] // 2
    return np.ascontiguousarray(frame[:, :middle] if side == "left" else frame[:, -middle:])
