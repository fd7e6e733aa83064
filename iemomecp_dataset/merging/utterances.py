"""Merges the utterances of ConvECPE and IEMOCAP, and compares the two sources."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tqdm import tqdm

from iemomecp_dataset.errors import InvalidDataError, MissingDataError
from iemomecp_dataset.merging.merge_report import Check
from iemomecp_dataset.options import TextSource
from iemomecp_dataset.progress import bars_hidden
from iemomecp_dataset.schema import IEMOCAP_EMOTIONS, UtteranceRow
from iemomecp_dataset.sources.ecpec import Ecpec, SourceDialogue
from iemomecp_dataset.sources.iemocap_release import (
    IEMOCAP_SOURCE,
    IemocapFiles,
    IemocapUtterance,
    read_evaluation,
    read_transcript,
    session_of,
)

__all__ = ["CHECK_NAMES", "Utterances", "enforce_limit", "merged_utterances", "warn_of_mismatches"]

_LOGGER = logging.getLogger(__name__)
_SHOWN = 5

Utterances = Mapping[str, UtteranceRow]
"""Fields of each utterance except its turn in a chunk, by utterance id."""

CHECK_NAMES = {
    "transcript line": "utterances of ConvECPE in IEMOCAP's transcripts",
    "evaluation line": "utterances of ConvECPE in IEMOCAP's EmoEvaluation",
    "text": "text of IEMOCAP against ConvECPE's sentence (letters and digits only)",
    "emotion": "emotion of EmoEvaluation against ConvECPE's",
    "speaker": "speaker in the utterance id against ConvECPE's",
}
"""Compared properties, by short name."""


def merged_utterances(
    ecpec: Ecpec, iemocap: IemocapFiles | None, text_source: TextSource
) -> tuple[Utterances, list[Check], list[str]]:
    """Merges all utterances of ConvECPE with their transcript lines, evaluations and media.

    Args:
        ecpec: The source annotation.
        iemocap: Files of the release, or None.
        text_source: ``iemocap`` for the text of the transcripts, ``ecpec`` for that of ConvECPE.

    Returns:
        Utterances by id, with turn 0; comparisons of the two sources; notes for the report.

    Raises:
        MissingDataError: The release lacks the transcript or the evaluation of a dialogue.
    """
    merged: dict[str, UtteranceRow] = {}
    comparison = _Comparison()
    bar = tqdm(ecpec.dialogues.values(), desc="Reading IEMOCAP", unit=" dialogues", leave=False, disable=bars_hidden())
    for dialogue in bar:
        release = _ReleaseDialogue.read(dialogue, iemocap)
        for position, utterance_id in enumerate(dialogue.utterance_ids):
            line, evaluation = release.transcript.get(utterance_id), release.evaluation.get(utterance_id)
            sentence = dialogue.sentences[position]
            if iemocap is not None:
                comparison.add(utterance_id, dialogue, position, line, evaluation)
            text = line.text if line is not None and text_source == "iemocap" else sentence
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
    if iemocap is None:
        notes.append("Without an IEMOCAP release the text is ConvECPE's, and times and media are null.")
    elif text_source == "ecpec":
        notes.append("The text is ConvECPE's (text_source='ecpec'); times and media are IEMOCAP's.")
    return merged, comparison.checks() if iemocap is not None else [], notes


@dataclass(frozen=True)
class _ReleaseDialogue:
    """Transcript, evaluation and video of one dialogue."""

    transcript: Mapping[str, IemocapUtterance]
    evaluation: Mapping[str, IemocapUtterance]
    video: str | None

    @staticmethod
    def read(dialogue: SourceDialogue, iemocap: IemocapFiles | None) -> _ReleaseDialogue:
        if iemocap is None:
            return _ReleaseDialogue({}, {}, None)
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
        return _ReleaseDialogue(
            transcript=read_transcript(iemocap.transcripts[name]),
            evaluation=read_evaluation(iemocap.evaluations[name]),
            video=video[0] if video is not None and video[1] >= 0 else None,
        )


class _Comparison:
    """Compares ConvECPE with IEMOCAP and collects the mismatches."""

    def __init__(self) -> None:
        self._compared: Counter[str] = Counter()
        self._mismatches: dict[str, list[str]] = {name: [] for name in CHECK_NAMES}

    def add(
        self,
        utterance_id: str,
        dialogue: SourceDialogue,
        position: int,
        line: IemocapUtterance | None,
        evaluation: IemocapUtterance | None,
    ) -> None:
        missing = f"{utterance_id}: not in the transcript; the text is ConvECPE's"
        self._check("transcript line", line is not None, missing)
        self._check("evaluation line", evaluation is not None, f"{utterance_id}: not in EmoEvaluation")
        if line is not None:
            text, sentence = line.text or "", dialogue.sentences[position]
            self._check(
                "text", _letters(text) == _letters(sentence), f"{utterance_id}: IEMOCAP {text!r}, ConvECPE {sentence!r}"
            )
        if evaluation is not None:
            emotion = IEMOCAP_EMOTIONS[dialogue.emotions[position]]
            self._check(
                "emotion",
                evaluation.emotion == emotion,
                f"{utterance_id}: EmoEvaluation {evaluation.emotion!r}, ConvECPE {emotion!r}",
            )
        last = utterance_id.rpartition("_")[2][:1]
        if last in ("F", "M"):
            speaker = dialogue.speakers[position]
            self._check("speaker", last == speaker, f"{utterance_id}: ConvECPE {speaker!r}")

    def _check(self, name: str, same: bool, mismatch: str) -> None:
        self._compared[name] += 1
        if not same:
            self._mismatches[name].append(mismatch)

    def checks(self) -> list[Check]:
        return [Check(CHECK_NAMES[name], self._compared[name], tuple(self._mismatches[name])) for name in CHECK_NAMES]


def _letters(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())


def enforce_limit(checks: Iterable[Check], max_mismatch: float, text_source: TextSource) -> None:
    """Refuses sources that disagree too often.

    Args:
        checks: Comparisons.
        max_mismatch: Largest accepted share of mismatches in each.
        text_source: With ``ecpec`` the texts are compared and may differ, as IEMOCAP's are not used.

    Raises:
        InvalidDataError: A share is larger; the message has examples.
    """
    for check in checks:
        if text_source == "ecpec" and check.name == CHECK_NAMES["text"]:
            continue
        if check.share > max_mismatch:
            examples = "\n  ".join(check.mismatches[:_SHOWN])
            raise InvalidDataError(
                f"{check.name}: {len(check.mismatches)} of {check.compared} differ ({check.share:.2%}), more than the "
                f"accepted {max_mismatch:.2%}. Examples:\n  {examples}\nThe sources belong to different versions. If "
                f"the differences are harmless, raise max_mismatch, or take ConvECPE's text with text_source='ecpec'."
            )


def warn_of_mismatches(checks: Iterable[Check], where: str) -> None:
    """Warns of accepted disagreements between the sources, with an example of each kind.

    Args:
        checks: Comparisons.
        where: Sentence that says where all of them are listed.
    """
    for check in checks:
        if check.mismatches:
            _LOGGER.warning(
                "%s: %d of %d utterances differ, such as %s. %s",
                check.name,
                len(check.mismatches),
                check.compared,
                check.mismatches[0],
                where,
            )
