"""Merges the utterances of ConvECPE and IEMOCAP."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from tqdm import tqdm

from iemomecp_dataset.errors import InvalidDataError, MissingDataError
from iemomecp_dataset.merging.comparison import Comparison, ReleaseDialogue
from iemomecp_dataset.options import TextSource
from iemomecp_dataset.progress import bars_hidden
from iemomecp_dataset.schema import UtteranceRow
from iemomecp_dataset.sources.ecpec import Ecpec, SourceDialogue
from iemomecp_dataset.sources.iemocap_release import (
    IEMOCAP_SOURCE,
    IemocapFiles,
    IemocapUtterance,
    read_evaluation,
    read_transcript,
    session_of,
)

__all__ = ["Utterances", "merged_utterances"]

_LOGGER = logging.getLogger(__name__)

Utterances = Mapping[str, UtteranceRow]
"""Fields of each utterance except its turn in a chunk, by utterance id."""


def merged_utterances(
    ecpec: Ecpec, iemocap: IemocapFiles | None, text_source: TextSource
) -> tuple[Utterances, Comparison, list[str]]:
    """Merges all utterances of ConvECPE with their transcript lines, evaluations and media.

    Args:
        ecpec: The source annotation.
        iemocap: Files of the release, or None.
        text_source: ``iemocap`` for the text of the transcripts, ``ecpec`` for that of ConvECPE.

    Returns:
        Utterances by id, with turn 0; the comparison of the two sources, empty without a release; notes for the report.

    Raises:
        MissingDataError: The release lacks the transcript or the evaluation of a dialogue.
        InvalidDataError: A file of the release cannot be read as text, or an utterance ends before it starts.
    """
    merged: dict[str, UtteranceRow] = {}
    comparison = Comparison()
    bar = tqdm(ecpec.dialogues.values(), desc="Reading IEMOCAP", unit=" dialogues", leave=False, disable=bars_hidden())
    for dialogue in bar:
        release = _release_dialogue(dialogue, iemocap)
        if iemocap is not None:
            comparison.add(dialogue, release)
        for position, utterance_id in enumerate(dialogue.utterance_ids):
            line, evaluation = release.transcript.get(utterance_id), release.evaluation.get(utterance_id)
            text = line.text if line is not None and text_source == "iemocap" else dialogue.sentences[position]
            timed = line if line is not None and line.start is not None else evaluation
            wav = iemocap.wavs.get(utterance_id) if iemocap is not None else None
            merged[utterance_id] = {
                "turn": 0,
                "source_turn": position + 1,
                "utterance_id": utterance_id,
                "speaker": dialogue.speakers[position],
                "text": text,
                "emotion": dialogue.emotions[position],
                "start": timed.start if timed is not None else None,
                "end": timed.end if timed is not None else None,
                "wav": wav[0] if wav is not None and wav[1] >= 0 else None,
                "video": release.video,
            }
    notes = []
    if iemocap is not None:
        _warn_of_missing_recordings(iemocap, merged)
    if iemocap is None:
        notes.append("Without an IEMOCAP release the text is ConvECPE's, and times and media are null.")
    elif text_source == "ecpec":
        notes.append("The text is ConvECPE's (text_source='ecpec'); times and media are IEMOCAP's.")
    return merged, comparison, notes


def _release_dialogue(dialogue: SourceDialogue, iemocap: IemocapFiles | None) -> ReleaseDialogue:
    if iemocap is None:
        return ReleaseDialogue({}, {})
    name = dialogue.dialogue_id
    for what, files in (("transcriptions", iemocap.transcripts), ("EmoEvaluation", iemocap.evaluations)):
        if name not in files:
            session = session_of(name)
            place = iemocap.root / f"Session{session if session > 0 else '*'}" / "dialog" / what / f"{name}.txt"
            raise MissingDataError(
                f"{place}: missing, although ConvECPE has the dialogue {name!r}. The release is incomplete; to "
                f"obtain it: {IEMOCAP_SOURCE}."
            )
    video = iemocap.videos.get(name)
    release = ReleaseDialogue(
        transcript=read_transcript(iemocap.transcripts[name]),
        evaluation=read_evaluation(iemocap.evaluations[name]),
        video=video[0] if video is not None and video[1] >= 0 else None,
        transcript_path=iemocap.transcripts[name],
        evaluation_path=iemocap.evaluations[name],
    )
    for path, lines in (
        (iemocap.transcripts[name], release.transcript),
        (iemocap.evaluations[name], release.evaluation),
    ):
        _check_times(path, dialogue, lines)
    return release


def _warn_of_missing_recordings(iemocap: IemocapFiles, merged: Utterances) -> None:
    """Counts null paths. A release without any video is common, as the videos are most of its size."""
    for key, place, expected in (
        ("wav", "Session*/sentences/wav/<dialogue>/<utterance>.wav", True),
        ("video", "Session*/dialog/avi/DivX/<dialogue>.avi", bool(iemocap.videos)),
    ):
        without = [name for name, utterance in merged.items() if utterance[key] is None]  # type: ignore[literal-required]
        if without and expected:
            _LOGGER.warning(
                "%s: %d of %d utterances are without a recording, the first %s; expected as %s. Their %s is null.",
                *(iemocap.root, len(without), len(merged), without[0], place, key),
            )


def _check_times(path: Path, dialogue: SourceDialogue, lines: Mapping[str, IemocapUtterance]) -> None:
    for turn, utterance_id in enumerate(dialogue.utterance_ids, start=1):
        line = lines.get(utterance_id)
        if line is not None and line.start is not None and line.end is not None and line.start > line.end:
            raise InvalidDataError(
                f"{path}, turn {turn}, {utterance_id}: starts at {line.start:g} s and ends before that, at "
                f"{line.end:g} s. Restore the file from the release, or correct the line."
            )
