"""Decoding: samples and frames equal those of the files, and every broken input gets a status and a reason."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from iemomecp_dataset.errors import InvalidDataError, MissingDataError, UsageError
from iemomecp_dataset.features.decoding.audio_decoding import decode_audio
from iemomecp_dataset.features.decoding.speaker_crop import speaker_side
from iemomecp_dataset.features.decoding.video_decoding import decode_video, sample_times
from iemomecp_dataset.features.store.store_rows import STATUSES, FeatureProblem
from iemomecp_dataset.features.work_items import WorkItem

RATE = 16_000


def item(media: Path | None, start: float | None = None, end: float | None = None, **changes: object) -> WorkItem:
    timed = bool(changes.pop("timed", start is not None))
    plain = {"utterance_id": "u", "dialogue_id": "Ses01F_impro01", "speaker": "F", "text": "", "seconds": None}
    return WorkItem(**(plain | changes), media=media, start=start, end=end, timed=timed)  # type: ignore[arg-type]


def tone(seconds: float, rate: int = RATE, hertz: float = 220.0) -> np.ndarray:
    return (0.4 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def wav(path: Path, samples: np.ndarray, rate: int = RATE) -> Path:
    soundfile.write(path, samples, rate)
    return path


def problem(*arguments: object) -> FeatureProblem:
    with pytest.raises(FeatureProblem) as caught:
        (decode_audio if len(arguments) == 2 else decode_video)(*arguments)
    assert caught.value.status in STATUSES
    assert caught.value.reason
    return caught.value


# --- sound --------------------------------------------------------------------------------------------------------


def test_samples_are_those_of_the_file(tmp_path: Path) -> None:
    sound = decode_audio(item(wav(tmp_path / "a.wav", tone(0.5))), RATE)
    assert np.abs(sound.samples - tone(0.5)).max() < 2**-14
    assert (sound.seconds, sound.note) == (0.5, None)


def test_a_segment_of_a_dialogue_is_read_by_its_times(tmp_path: Path) -> None:
    ramp = np.linspace(-0.5, 0.5, RATE * 4, dtype=np.float32)
    sound = decode_audio(item(wav(tmp_path / "d.wav", ramp), 1.0, 1.5), RATE)
    assert np.abs(sound.samples - ramp[RATE : RATE * 3 // 2]).max() < 2**-14


def test_stereo_is_averaged_and_said(tmp_path: Path) -> None:
    both = np.stack([tone(0.2), np.zeros(3200, np.float32)], axis=1)
    sound = decode_audio(item(wav(tmp_path / "s.wav", both)), RATE)
    assert np.abs(sound.samples - tone(0.2) / 2).max() < 2**-14
    assert sound.note == "2 channels averaged"


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000])
def test_another_rate_is_resampled_and_said(tmp_path: Path, rate: int) -> None:
    sound = decode_audio(item(wav(tmp_path / "r.wav", tone(0.5, rate), rate)), RATE)
    assert sound.note == f"resampled from {rate} to 16000 Hz"
    assert sound.seconds == pytest.approx(0.5, abs=1e-4)
    assert abs(len(sound.samples) - 8000) <= 16
    # Away from the borders the tone equals the one generated at 16 kHz.
    middle = slice(1000, 7000)
    assert np.abs(sound.samples[middle] - tone(0.5)[middle]).max() < 0.02


def test_missing_and_empty_files(tmp_path: Path) -> None:
    assert problem(item(None), RATE).status == "missing_media"
    missing = problem(item(tmp_path / "none.wav"), RATE)
    assert (missing.status, "none.wav" in missing.reason) == ("missing_media", True)
    (tmp_path / "zero.wav").touch()
    assert problem(item(tmp_path / "zero.wav"), RATE).status == "empty"
    assert problem(item(wav(tmp_path / "no_samples.wav", np.zeros(0, np.float32))), RATE).status == "empty"
    (tmp_path / "folder.wav").mkdir()
    assert problem(item(tmp_path / "folder.wav"), RATE).status == "missing_media"


def test_truncated_wav(tmp_path: Path) -> None:
    path = wav(tmp_path / "t.wav", tone(1.0))
    path.write_bytes(path.read_bytes()[:-1000])
    found = problem(item(path), RATE)
    assert found.status == "truncated"
    assert "declares 32000 bytes of audio, the file has 31000" in found.reason
    path.write_bytes(path.read_bytes()[:30])
    assert problem(item(path), RATE).status in ("unreadable", "truncated")


def test_silence_and_noise_that_is_no_number(tmp_path: Path) -> None:
    assert problem(item(wav(tmp_path / "s.wav", np.zeros(4000, np.float32))), RATE).status == "silent"
    bad = tone(0.1)
    bad[7] = np.nan
    soundfile.write(tmp_path / "n.wav", bad, RATE, subtype="FLOAT")
    assert problem(item(tmp_path / "n.wav"), RATE).status == "unreadable"


@pytest.mark.parametrize("content", [b"this is no sound at all", b"RIFF\x00\x00\x00\x00WAVE", bytes(5000)])
@pytest.mark.parametrize("suffix", [".wav", ".mp4", ".avi"])
def test_unreadable_files(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    path.write_bytes(content)
    assert problem(item(path), RATE).status in ("unreadable", "empty")


@pytest.mark.parametrize(("start", "end"), [(2.5, 3.0), (1.0, 4.0), (1.5, 1.5), (1.5, 1.0), (-1.0, 1.0)])
def test_times_outside_the_file(tmp_path: Path, start: float, end: float) -> None:
    found = problem(item(wav(tmp_path / "d.wav", tone(2.0)), start, end), RATE)
    assert found.status == "outside_file"
    assert "d.wav has 2.00 s" in found.reason


def test_a_little_beyond_the_end_is_said(tmp_path: Path) -> None:
    sound = decode_audio(item(wav(tmp_path / "d.wav", tone(2.0)), 1.0, 2.2), RATE)
    assert sound.seconds == pytest.approx(1.0)
    assert sound.note == "the last 0.20 s are beyond the end of the file"


def test_dialogues_without_times(tmp_path: Path) -> None:
    assert problem(item(wav(tmp_path / "d.wav", tone(1.0)), timed=True), RATE).status == "no_times"


def test_sound_of_a_video_file(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=RATE, layout="mono")
        for at in range(0, RATE * 2, 1024):
            part = np.zeros((1, 1024), np.float32)
            samples = tone(2.0)[at : at + 1024]
            part[0, : len(samples)] = samples
            frame = av.AudioFrame.from_ndarray(part, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = RATE, at
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    sound = decode_audio(item(path, 0.5, 1.5), RATE)
    assert sound.seconds == pytest.approx(1.0)
    assert np.sqrt((sound.samples**2).mean()) == pytest.approx(0.4 / np.sqrt(2), rel=0.05)
    assert problem(item(video(tmp_path / "mute.avi")), RATE).reason == "mute.avi has no audio track"


# --- pictures -----------------------------------------------------------------------------------------------------

FPS, LENGTH = 10, 12.0


def video(path: Path, length: float = LENGTH) -> Path:
    """Grey levels that encode the time: 2 per tenth of a second in the left half; the right half is darker by 40."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=FPS)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = 64, 32, "yuv420p", 25
        stream.codec_context.bit_rate = 4_000_000
        for index in range(round(length * FPS)):
            picture = np.full((32, 64, 3), 2 * index + 10, np.uint8)
            picture[:, 32:] = max(0, 2 * index + 10 - 40) if index >= 20 else 0
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def dialogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return video(tmp_path_factory.mktemp("video") / "d.avi")


def moments(frames: tuple[np.ndarray, ...]) -> list[float]:
    return [(float(frame.mean()) - 10) / 2 / FPS for frame in frames]


@pytest.mark.parametrize(("start", "end"), [(0.0, 1.0), (3.0, 4.6), (5.05, 9.85), (0.0, 12.0), (11.0, 12.0)])
@pytest.mark.parametrize("frames", [1, 4, 8])
def test_pictures_are_those_of_their_moments(dialogue: Path, start: float, end: float, frames: int) -> None:
    pictures = decode_video(item(dialogue, start, end), frames, "uniform", "left")
    on_screen = dict.fromkeys(int(time * FPS + 1e-6) / FPS for time in sample_times(start, end, frames, "uniform"))
    assert moments(pictures.frames) == pytest.approx(list(on_screen), abs=0.08)
    assert pictures.seconds == pytest.approx(end - start)


def test_the_middle(dialogue: Path) -> None:
    assert moments(decode_video(item(dialogue, 4.0, 6.0), 8, "middle", "left").frames) == pytest.approx([5.0], abs=0.08)


def test_halves(dialogue: Path) -> None:
    left, right, both = (
        decode_video(item(dialogue, 6.0, 6.1), 1, "uniform", side).frames[0] for side in ("left", "right", None)
    )
    assert left.shape == right.shape == (32, 32, 3)
    assert both.shape == (32, 64, 3)
    assert float(left.mean()) - float(right.mean()) == pytest.approx(40, abs=4)


def test_a_short_utterance_has_each_picture_once(dialogue: Path) -> None:
    pictures = decode_video(item(dialogue, 6.0, 6.2), 8, "uniform", None)
    assert len(pictures.frames) == 2
    assert pictures.note == "2 distinct frames at 8 sampling times"


@pytest.mark.parametrize(("start", "end"), [(13.0, 14.0), (11.0, 15.0), (3.0, 3.0), (4.0, 3.0), (-2.0, 1.0)])
def test_times_outside_the_video(dialogue: Path, start: float, end: float) -> None:
    assert problem(item(dialogue, start, end), 4, "uniform", None).status == "outside_file"


def test_a_video_without_pictures_in_the_interval(tmp_path: Path) -> None:
    path = tmp_path / "gap.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
        for index in [*range(10), *range(80, 90)]:
            frame = av.VideoFrame.from_ndarray(np.full((32, 64, 3), 90, np.uint8), format="rgb24")
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    found = problem(item(path, 3.0, 5.0), 4, "uniform", None)
    assert found.status == "no_frames"
    assert "from 3.00 to 5.00 s" in found.reason
    assert len(decode_video(item(path, 8.2, 8.6), 2, "uniform", None).frames) == 2


def test_broken_videos(tmp_path: Path, dialogue: Path) -> None:
    (tmp_path / "x.avi").write_bytes(b"no video")
    assert problem(item(tmp_path / "x.avi", 0.0, 1.0), 4, "uniform", None).status == "unreadable"
    sound = wav(tmp_path / "sound.wav", tone(1.0))
    assert problem(item(sound, 0.0, 1.0), 4, "uniform", None).status == "no_frames"
    assert problem(item(dialogue, timed=True), 4, "uniform", None).status == "no_times"
    (tmp_path / "cut.avi").write_bytes(dialogue.read_bytes()[: dialogue.stat().st_size // 2])
    assert problem(item(tmp_path / "cut.avi", 11.0, 11.5), 4, "uniform", None).status in (
        *("no_frames", "unreadable", "outside_file"),
    )


# --- halves -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left_actor", "dialogue_id", "speaker", "side"),
    [
        ("marked", "Ses01F_impro01", "F", "left"),
        ("marked", "Ses01F_impro01", "M", "right"),
        ("marked", "Ses03M_script01_1", "F", "right"),
        ("unmarked", "Ses01F_impro01", "F", "right"),
        ("F", "Ses03M_impro01", "F", "left"),
        ("M", "Ses03M_impro01", "F", "right"),
    ],
)
def test_who_is_where(left_actor: str, dialogue_id: str, speaker: str, side: str) -> None:
    assert speaker_side(left_actor)(item(None, dialogue_id=dialogue_id, speaker=speaker)) == side


def test_sides_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "sides.json"
    path.write_text('{"Ses01F_impro01": "M"}')
    assert speaker_side(str(path))(item(None)) == "right"
    with pytest.raises(InvalidDataError, match="dialogue Ses02F_impro01 is missing"):
        speaker_side(str(path))(item(None, dialogue_id="Ses02F_impro01"))
    with pytest.raises(MissingDataError):
        speaker_side(str(tmp_path / "none.json"))
    path.write_text('{"Ses01F_impro01": "left"}')
    with pytest.raises(InvalidDataError, match="the actor in the left half by dialogue"):
        speaker_side(str(path))
    with pytest.raises(UsageError, match="--left_actor has no value 'L'"):
        speaker_side("L")
    with pytest.raises(InvalidDataError, match="Use --crop none"):
        speaker_side("F")(item(None, speaker="Rachel"))
