"""Writes the IEMOCAP tree: transcriptions, EmoEvaluation and sentence wavs in the genuine layouts."""

from __future__ import annotations

import math
import random
import struct
import wave
from collections.abc import Sequence
from pathlib import Path

from iemomecp_dataset.synthetic.dialogues import Dialogue, RecordedUtterance

__all__ = ["avi_path", "write_emo_evaluation", "write_sentence_wavs", "write_transcription"]

SAMPLE_RATE = 16_000
# Real durations would take gigabytes; a tenth of a second takes 32 MB at full scale.
WAV_SECONDS = 0.1

_CATEGORY_NAMES = {
    "ang": "Anger",
    "hap": "Happiness",
    "exc": "Excited",
    "sad": "Sadness",
    "neu": "Neutral state",
    "fru": "Frustration",
    "fea": "Fear",
    "sur": "Surprise",
    "dis": "Disgust",
    "oth": "Other",
    "xxx": "Other",
}
# Valence, activation, dominance on IEMOCAP's scale of 1 to 5.
_DIMENSIONS = {
    "ang": (1.8, 3.8, 4.0),
    "hap": (4.0, 3.2, 3.0),
    "exc": (4.2, 3.8, 3.4),
    "sad": (2.0, 2.2, 2.6),
    "neu": (3.0, 2.6, 2.9),
    "fru": (2.2, 3.2, 3.5),
}
# Pitch in Hz and loudness from 0 to 1, so that features extracted from the wavs are informative too.
_TONES = {
    "ang": (300, 0.9),
    "hap": (260, 0.6),
    "exc": (340, 0.9),
    "sad": (150, 0.3),
    "neu": (200, 0.4),
    "fru": (240, 0.7),
}
_UNTIMED_SPEAKER_LINE = "Mm."


def write_transcription(root: Path, dialogue: Dialogue, rng: random.Random) -> None:
    """Writes ``Session*/dialog/transcriptions/<dialogue>.txt``, with stray lines as in the release.

    Args:
        root: The ``IEMOCAP`` folder.
        dialogue: The dialogue.
        rng: Random generator of the stray lines.
    """
    lines = []
    for utterance in dialogue.utterances:
        times = f" [{utterance.start:08.4f}-{utterance.end:08.4f}]" if utterance.timed else ""
        lines.append(f"{utterance.utterance_id}{times}: {utterance.text}")
        if rng.random() < 0.01:
            lines.append(f"{utterance.speaker}: {_UNTIMED_SPEAKER_LINE}")
    _write_text(root / f"Session{dialogue.session}/dialog/transcriptions/{dialogue.dialogue_id}.txt", lines)


def write_emo_evaluation(root: Path, dialogue: Dialogue, rng: random.Random) -> None:
    """Writes ``Session*/dialog/EmoEvaluation/<dialogue>.txt``: per utterance a summary line and the annotators' votes.

    Args:
        root: The ``IEMOCAP`` folder.
        dialogue: The dialogue.
        rng: Random generator of the votes.
    """
    lines = ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]", ""]
    for utterance in dialogue.utterances:
        center = _DIMENSIONS.get(utterance.emotion, (3.0, 3.0, 3.0))
        votes = [tuple(min(5, max(1, round(rng.gauss(value, 0.6)))) for value in center) for _ in range(2)]
        means = ", ".join(f"{(first + second) / 2:.4f}" for first, second in zip(*votes, strict=True))
        lines.append(
            f"[{utterance.start:.4f} - {utterance.end:.4f}]\t{utterance.utterance_id}\t{utterance.emotion}\t[{means}]"
        )
        for annotator in ("C-E2", "C-E3", "C-E4"):
            lines.append(f"{annotator}:\t{_vote(utterance, annotator, rng)};\t()")
        for annotator, (valence, activation, dominance) in zip(("A-E3", "A-E4"), votes, strict=True):
            lines.append(f"{annotator}:\tval {valence}; act {activation}; dom {dominance};\t()")
        lines.append("")
    _write_text(root / f"Session{dialogue.session}/dialog/EmoEvaluation/{dialogue.dialogue_id}.txt", lines)


def write_sentence_wavs(root: Path, dialogue: Dialogue, rng: random.Random) -> None:
    """Writes ``Session*/sentences/wav/<dialogue>/<utterance>.wav``: 16 kHz, mono, 16 bit, a tenth of a second.

    Args:
        root: The ``IEMOCAP`` folder.
        dialogue: The dialogue.
        rng: Random generator of pitch and loudness.
    """
    folder = root / f"Session{dialogue.session}/sentences/wav/{dialogue.dialogue_id}"
    folder.mkdir(parents=True, exist_ok=True)
    for utterance in dialogue.utterances:
        base, loudness = _TONES.get(utterance.emotion, (200, 0.4))
        pitch = base * (1.5 if utterance.speaker == "F" else 1.0) * rng.uniform(0.9, 1.1)
        with wave.open(str(folder / f"{utterance.utterance_id}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(SAMPLE_RATE)
            file.writeframes(_tone(pitch, loudness * rng.uniform(0.7, 1.0)))


def avi_path(root: Path, dialogue: Dialogue) -> Path:
    """Builds the path of a dialogue's video, which shows both actors side by side.

    Args:
        root: The ``IEMOCAP`` folder.
        dialogue: The dialogue.

    Returns:
        ``Session*/dialog/avi/DivX/<dialogue>.avi``.
    """
    return root / f"Session{dialogue.session}/dialog/avi/DivX/{dialogue.dialogue_id}.avi"


def _vote(utterance: RecordedUtterance, annotator: str, rng: random.Random) -> str:
    if annotator == "C-E3" and rng.random() < 0.3:
        return rng.choice(sorted(set(_CATEGORY_NAMES.values())))
    return _CATEGORY_NAMES[utterance.emotion]


def _tone(pitch: float, loudness: float) -> bytes:
    samples = round(SAMPLE_RATE * WAV_SECONDS)
    step = 2 * math.pi * pitch / SAMPLE_RATE
    values = [round(20_000 * loudness * math.sin(step * index)) for index in range(samples)]
    return struct.pack(f"<{samples}h", *values)


def _write_text(path: Path, lines: Sequence[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
