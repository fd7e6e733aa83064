"""WAV files of streams, whose headers state no length, are read to their end; all others by their header."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from iemomecp_dataset.features.decoding.audio_decoding import decode_audio
from iemomecp_dataset.features.decoding.wav_sizes import open_sound_file, wav_sizes
from iemomecp_dataset.features.store.store_rows import FeatureProblem
from iemomecp_dataset.features.work_items import WorkItem

RATE = 16_000
NOISE = np.random.default_rng(0).uniform(-0.5, 0.5, RATE // 2).astype(np.float32)


def item(media: Path, start: float | None = None, end: float | None = None) -> WorkItem:
    return WorkItem("u", "d", "F", "", media, start, end, None, start is not None)


def stated(path: Path, whole: int | None, samples: int, *, subtype: str = "PCM_16") -> Path:
    """Writes noise with these sizes in its header; None keeps the true size of the file."""
    soundfile.write(path, NOISE, RATE, subtype=subtype)
    data = bytearray(path.read_bytes())
    at = data.index(b"data") + 4
    data[at : at + 4] = struct.pack("<I", samples)
    if whole is not None:
        data[4:8] = struct.pack("<I", whole)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("whole", "samples"),
    [
        (0, 0),
        (36, 0),
        (0xFFFFFFFF, 0xFFFFFFFF),
        (0x7FFFFFFF, 0x7FFFFFFF),
        (0xFFFFFFFF, 0),
        (0xFFFFFFFF, 0xFFFFFFFF - 36),
        (0x7FFFF024, 0x7FFFF000),
        (None, 0xFFFFFFFF),
    ],
)
def test_a_placeholder_means_to_the_end_of_the_file(tmp_path: Path, whole: int | None, samples: int) -> None:
    expected = decode_audio(item(stated(tmp_path / "a.wav", None, 2 * len(NOISE))), RATE)
    streamed = stated(tmp_path / "b.wav", whole, samples)
    found = decode_audio(item(streamed), RATE)
    assert (found.seconds, found.note) == (expected.seconds, expected.note) == (0.5, None)
    np.testing.assert_array_equal(found.samples, expected.samples)
    part = decode_audio(item(streamed, 0.125, 0.25), RATE)
    np.testing.assert_array_equal(part.samples, expected.samples[RATE // 8 : RATE // 4])
    with open_sound_file(streamed) as file:
        assert file.frames == len(NOISE)


def test_float_samples_of_a_stream(tmp_path: Path) -> None:
    path = stated(tmp_path / "f.WAV", 0, 0, subtype="FLOAT")
    np.testing.assert_array_equal(decode_audio(item(path), RATE).samples, NOISE)


def test_a_header_with_the_right_size_is_believed(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "none.wav", NOISE[:0], RATE)
    assert decode_status(tmp_path / "none.wav") == "empty"
    # No samples, and a list of tags behind them: the size of the whole file is right.
    data = (tmp_path / "none.wav").read_bytes() + b"LIST" + struct.pack("<I", 4) + b"INFO"
    (tmp_path / "tags.wav").write_bytes(data[:4] + struct.pack("<I", len(data) - 8) + data[8:])
    assert decode_status(tmp_path / "tags.wav") == "empty"
    cut = stated(tmp_path / "cut.wav", None, 2 * len(NOISE))
    cut.write_bytes(cut.read_bytes()[:-1000])
    assert decode_status(cut) == "truncated"
    sizes = wav_sizes(cut)
    assert sizes is not None
    assert (sizes.declared - sizes.present, sizes.streamed, sizes.truncated) == (1000, False, True)


def decode_status(path: Path) -> str:
    with pytest.raises(FeatureProblem) as caught:
        decode_audio(item(path), RATE)
    return caught.value.status


@pytest.mark.parametrize("content", [b"", b"RIFF", b"RIFF\0\0\0\0WAVE", b"RIFF\0\0\0\0WAVEdata", b"OggS" + bytes(60)])
def test_what_is_no_wav_file_has_no_sizes(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.wav").write_bytes(content)
    assert wav_sizes(tmp_path / "x.wav") is None
