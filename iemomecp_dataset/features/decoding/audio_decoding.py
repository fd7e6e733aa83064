"""Decodes audio files to mono waveforms at the encoder's sampling rate."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.features.decoding.utterance_media import check_times, existing_media, require_packages
from iemomecp_dataset.features.decoding.wav_sizes import open_sound_file, wav_sizes
from iemomecp_dataset.features.store.store_rows import FeatureProblem
from iemomecp_dataset.features.work_items import WorkItem

__all__ = ["Waveform", "decode_audio", "require_audio"]

# Formats of libsndfile; all others (mp4, avi, mkv) are decoded by FFmpeg.
_SOUND_FILES = (".wav", ".flac", ".ogg", ".mp3", ".aiff", ".au")
_SILENCE = 2.0**-15  # One step of 16-bit audio.


@dataclass(frozen=True)
class Waveform:
    """Decoded audio of an utterance.

    Attributes:
        samples: ``(n,)`` float32 in [-1, 1], one channel, at the requested sampling rate.
        seconds: Duration.
        note: Preprocessing that was applied, or None.
    """

    samples: NDArray[np.float32]
    seconds: float
    note: str | None


def require_audio() -> None:
    """Checks that audio can be decoded.

    Raises:
        MissingDependencyError: soundfile or PyAV is not installed; the message has the pip line.
    """
    require_packages("soundfile", "av")


def decode_audio(item: WorkItem, rate: int) -> Waveform:
    """Decodes the audio of an utterance: cuts it by its times, averages channels, resamples.

    Args:
        item: The utterance.
        rate: Sampling rate in Hz.

    Returns:
        The waveform.

    Raises:
        FeatureProblem: There is no audio to encode; carries status and reason.

    See Also:
        :func:`iemomecp_dataset.features.decoding.video_decoding.decode_video` for the frames.
    """
    path = existing_media(item)
    reads = _read_sound_file if path.suffix.lower() in _SOUND_FILES else _read_container
    samples, found_rate, partial = reads(path, item.start, item.end)
    notes = [partial] if partial else []
    if samples.size == 0:
        raise FeatureProblem("empty", f"{path.name} has no samples")
    if not np.isfinite(samples).all():
        raise FeatureProblem("unreadable", f"{path.name} has NaN or infinite samples")
    if samples.shape[1] > 1:
        notes.append(f"{samples.shape[1]} channels averaged")
    mono = samples.mean(axis=1, dtype=np.float32)
    # Checked after averaging: channels that cancel out leave nothing to encode either.
    if float(np.abs(mono).max()) < _SILENCE:
        raise FeatureProblem("silent", f"{path.name} is silent")
    seconds = len(mono) / found_rate
    if found_rate != rate:
        mono = _resample(mono, found_rate, rate)
        notes.append(f"resampled from {found_rate} to {rate} Hz")
    return Waveform(mono, seconds, "; ".join(notes) or None)


_Samples = tuple[NDArray[np.float32], int, str | None]


def _read_sound_file(path: Path, start: float | None, end: float | None) -> _Samples:
    try:
        # A truncated file, which libsndfile does not report.
        sizes = wav_sizes(path) if path.suffix.lower() == ".wav" else None
        if sizes is not None and sizes.truncated:
            raise FeatureProblem(
                "truncated",
                f"{path.name}: the header declares {sizes.declared} bytes of audio, the file has {sizes.present}",
            )
        with open_sound_file(path) as file:
            rate, total = file.samplerate, file.frames
            first, last, note = _span(path, start, end, total / rate, rate, total)
            file.seek(first)
            samples = file.read(last - first, dtype="float32", always_2d=True)
    except (RuntimeError, OSError) as error:
        raise FeatureProblem("unreadable", f"{path.name}: {str(error).strip()}") from None
    if len(samples) < last - first:
        raise FeatureProblem("truncated", f"{path.name} has only {len(samples)} of {last - first} samples")
    return samples, rate, note


def _read_container(path: Path, start: float | None, end: float | None) -> _Samples:
    """Decodes the audio track of a container from the beginning, as seeking in audio is not exact in every format."""
    import av

    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise FeatureProblem("unreadable", f"{path.name} has no audio track")
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
    """Converts times to the first and last sample, with a note if the file ends earlier."""
    if start is None or end is None:
        return 0, total, None
    check_times(path, start, end, seconds)
    note = f"the last {end - seconds:.2f} s are beyond the end of the file" if end > seconds + 1 / rate else None
    return round(start * rate), min(round(end * rate), total), note


def _resample(samples: NDArray[np.float32], found: int, wanted: int) -> NDArray[np.float32]:
    import av

    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[None]), format="fltp", layout="mono")
    frame.sample_rate = found
    resampler = av.AudioResampler(format="fltp", layout="mono", rate=wanted)
    parts = [part.to_ndarray()[0] for part in [*resampler.resample(frame), *resampler.resample(None)]]
    return np.concatenate(parts).astype(np.float32) if parts else np.zeros(0, np.float32)
