"""From a sound file to samples: one channel at the encoder's rate, or the reason why not."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.errors import missing_extra
from iemomecp_dataset.features.store.store_rows import FeatureProblem
from iemomecp_dataset.features.work_items import WorkItem

__all__ = ["Sound", "decode_audio", "require_audio"]

# What libsndfile reads by itself; everything else (mp4, avi, mkv) goes through FFmpeg.
_SOUND_FILES = (".wav", ".flac", ".ogg", ".mp3", ".aiff", ".au")
_SILENCE = 2.0**-15  # Less than one step of 16-bit sound.
_OUTSIDE_SECONDS = 0.5
_UNKNOWN_SIZES = (0, 0xFFFFFFFF)  # Written by programs that stream.


@dataclass(frozen=True)
class Sound:
    """Decoded sound.

    Attributes:
        samples: ``(n,)`` float32 in [-1, 1], one channel, at the rate asked for.
        seconds: Their length.
        note: What was done to them, or None.
    """

    samples: NDArray[np.float32]
    seconds: float
    note: str | None


def require_audio() -> None:
    """Checks that sound can be decoded.

    Raises:
        MissingDependencyError: It cannot; the message has the pip line.
    """
    for package in ("soundfile", "av"):
        try:
            __import__(package)
        except ImportError:
            raise missing_extra(package, "media") from None


def decode_audio(item: WorkItem, rate: int) -> Sound:
    """Decodes an utterance.

    Args:
        item: The utterance.
        rate: Hz.

    Raises:
        FeatureProblem: There is no sound to encode; with status and reason.
    """
    path = existing_media(item)
    if item.timed and (item.start is None or item.end is None):
        raise FeatureProblem("no_times", f"{path.name} holds a whole dialogue, and the corpus has no times")
    reads = _read_sound_file if path.suffix.lower() in _SOUND_FILES else _read_container
    samples, found_rate, partial = reads(path, item.start, item.end)
    notes = [partial] if partial else []
    if samples.size == 0:
        raise FeatureProblem("empty", f"{path.name} has no samples")
    if not np.isfinite(samples).all():
        raise FeatureProblem("unreadable", f"{path.name} holds samples that are NaN or infinite")
    if samples.shape[1] > 1:
        notes.append(f"{samples.shape[1]} channels averaged")
    mono = samples.mean(axis=1, dtype=np.float32)
    # Of the channels, not of their mean: two that cancel out are no silence, but nothing is left to encode either.
    if float(np.abs(mono).max()) < _SILENCE:
        raise FeatureProblem("silent", f"{path.name} is silent")
    seconds = len(mono) / found_rate
    if found_rate != rate:
        mono = _resample(mono, found_rate, rate)
        notes.append(f"resampled from {found_rate} to {rate} Hz")
    return Sound(mono, seconds, "; ".join(notes) or None)


def existing_media(item: WorkItem) -> Path:
    """The file of an utterance.

    Raises:
        FeatureProblem: The corpus names none, or it is not there or has no content.
    """
    if item.media is None:
        raise FeatureProblem("missing_media", "the corpus names no file for it")
    try:
        size = item.media.stat().st_size if item.media.is_file() else -1
    except OSError as error:
        raise FeatureProblem("unreadable", f"{item.media.name}: {error.strerror}") from None
    if size < 0:
        raise FeatureProblem("missing_media", f"there is no file {item.media}")
    if size == 0:
        raise FeatureProblem("empty", f"{item.media.name} has no content")
    return item.media


_Samples = tuple[NDArray[np.float32], int, str | None]


def _read_sound_file(path: Path, start: float | None, end: float | None) -> _Samples:
    import soundfile

    declared = _declared_bytes(path) if path.suffix.lower() == ".wav" else None
    if declared is not None:
        raise FeatureProblem(
            "truncated", f"{path.name}: its header says {declared[0]} bytes of sound, there are {declared[1]}"
        )
    try:
        with soundfile.SoundFile(str(path)) as file:
            rate, total = file.samplerate, file.frames
            first, last, note = _span(path, start, end, total / rate, rate, total)
            file.seek(first)
            samples = file.read(last - first, dtype="float32", always_2d=True)
    except (RuntimeError, OSError) as error:
        raise FeatureProblem("unreadable", f"{path.name}: {str(error).strip()}") from None
    if len(samples) < last - first:
        raise FeatureProblem("truncated", f"{path.name} has {len(samples)} of {last - first} samples")
    return samples, rate, note


def _read_container(path: Path, start: float | None, end: float | None) -> _Samples:
    """Sound of a video file, decoded from the beginning: seeking in sound is not exact in every format."""
    import av

    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise FeatureProblem("unreadable", f"{path.name} has no sound track")
            stream = container.streams.audio[0]
            rate = int(stream.rate)
            resampler = av.AudioResampler(format="fltp", layout=stream.layout, rate=rate)
            parts: list[Any] = []
            for frame in container.decode(stream):
                if end is not None and frame.time is not None and frame.time > end:
                    break
                parts += [part.to_ndarray() for part in resampler.resample(frame)]
    except (av.FFmpegError, OSError, ValueError) as error:
        raise FeatureProblem("unreadable", f"{path.name}: {error}") from None
    if not parts:
        raise FeatureProblem("empty", f"{path.name} has no samples")
    samples = np.concatenate(parts, axis=1).T
    first, last, note = _span(path, start, end, len(samples) / rate, rate, len(samples))
    return np.ascontiguousarray(samples[first:last], dtype=np.float32), rate, note


def _span(
    path: Path, start: float | None, end: float | None, seconds: float, rate: int, total: int
) -> tuple[int, int, str | None]:
    if start is None or end is None:
        return 0, total, None
    if start < 0 or end <= start or start >= seconds or end > seconds + _OUTSIDE_SECONDS:
        raise FeatureProblem(
            "outside_file", f"its times are {start:.2f} to {end:.2f} s, and {path.name} has {seconds:.2f} s"
        )
    note = f"{end - seconds:.2f} s of it are after the end of the file" if end > seconds + 1 / rate else None
    return round(start * rate), min(round(end * rate), total), note


def _declared_bytes(path: Path) -> tuple[int, int] | None:
    """Bytes of sound that a RIFF header promises and that are there, when they are fewer; libsndfile says nothing."""
    with open(path, "rb") as file:
        size = path.stat().st_size
        if file.read(4) != b"RIFF" or len(file.read(4)) < 4 or file.read(4) != b"WAVE":
            return None
        while len(head := file.read(8)) == 8:
            name, length = struct.unpack("<4sI", head)
            if name == b"data":
                present = size - file.tell()
                return (length, present) if length not in _UNKNOWN_SIZES and present < length else None
            file.seek(length + length % 2, 1)
    return None


def _resample(samples: NDArray[np.float32], found: int, wanted: int) -> NDArray[np.float32]:
    import av

    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[None]), format="fltp", layout="mono")
    frame.sample_rate = found
    resampler = av.AudioResampler(format="fltp", layout="mono", rate=wanted)
    parts = [part.to_ndarray()[0] for part in [*resampler.resample(frame), *resampler.resample(None)]]
    return np.concatenate(parts).astype(np.float32) if parts else np.zeros(0, np.float32)
