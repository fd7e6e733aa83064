"""Utterances as ConvECPE and IEMOCAP have them, and what the two disagree on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tqdm import tqdm

from iemomecp_dataset.errors import InvalidDataError, MissingDataError
from iemomecp_dataset.merging.merge_report import Check
from iemomecp_dataset.options import TextSource
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

__all__ = ["CHECK_NAMES", "Utterances", "enforce_limit", "merged_utterances"]

_SHOWN = 5

Utterances = Mapping[str, UtteranceRow]
"""Everything about an utterance but its turn in a chunk, by utterance id."""

CHECK_NAMES = {
    "transcript line": "utterances of ConvECPE in IEMOCAP's transcripts",
    "evaluation line": "utterances of ConvECPE in IEMOCAP's EmoEvaluation",
    "text": "text of IEMOCAP against ConvECPE's sentence (letters and digits only)",
    "emotion": "emotion of EmoEvaluation against ConvECPE's",
    "speaker": "speaker in the utterance id against ConvECPE's",
}
"""What is compared, by short name."""


def merged_utterances(
    ecpec: Ecpec, iemocap: IemocapFiles | None, text_source: TextSource
) -> tuple[Utterances, list[Check], list[str]]:
    """Everything about an utterance but its turn in a chunk, by utterance id."""
    merged: dict[str, UtteranceRow] = {}
    comparison = _Comparison()
    bar = tqdm(ecpec.dialogues.values(), desc="Reading IEMOCAP", unit=" dialogues", leave=False, disable=None)
    for dialogue in bar:
        spoken = _Spoken.read(dialogue, iemocap)
        for position, utterance_id in enumerate(dialogue.utterance_ids):
            heard, judged = spoken.transcript.get(utterance_id), spoken.evaluation.get(utterance_id)
            sentence = dialogue.sentences[position]
            if iemocap is not None:
                comparison.add(utterance_id, dialogue, position, heard, judged)
            text = heard.text if heard is not None and text_source == "iemocap" else sentence
            timed = heard if heard is not None and heard.start is not None else judged
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
                "video": spoken.video,
            }
    notes = []
    if iemocap is None:
        notes.append("Text is ConvECPE's; there is no IEMOCAP release, so times and media are null.")
    elif text_source == "ecpec":
        notes.append("Text is ConvECPE's, as asked for by text_source='ecpec'; times and media are IEMOCAP's.")
    return merged, comparison.checks() if iemocap is not None else [], notes


@dataclass(frozen=True)
class _Spoken:
    """What the release has on one dialogue."""

    transcript: Mapping[str, IemocapUtterance]
    evaluation: Mapping[str, IemocapUtterance]
    video: str | None

    @staticmethod
    def read(dialogue: SourceDialogue, iemocap: IemocapFiles | None) -> _Spoken:
        if iemocap is None:
            return _Spoken({}, {}, None)
        name = dialogue.dialogue_id
        for what, files in (("transcriptions", iemocap.transcripts), ("EmoEvaluation", iemocap.evaluations)):
            if name not in files:
                session = session_of(name)
                place = iemocap.root / f"Session{session if session > 0 else '*'}" / "dialog" / what / f"{name}.txt"
                raise MissingDataError(
                    f"{place}: missing, though ConvECPE has the dialogue {name!r}. The release is incomplete; to "
                    f"obtain it: {IEMOCAP_SOURCE}."
                )
        video = iemocap.videos.get(name)
        return _Spoken(
            transcript=read_transcript(iemocap.transcripts[name]),
            evaluation=read_evaluation(iemocap.evaluations[name]),
            video=video[0] if video is not None and video[1] >= 0 else None,
        )


class _Comparison:
    """Collects what ConvECPE and IEMOCAP disagree on."""

    def __init__(self) -> None:
        self._compared: Counter[str] = Counter()
        self._mismatches: dict[str, list[str]] = {name: [] for name in CHECK_NAMES}

    def add(
        self,
        utterance_id: str,
        dialogue: SourceDialogue,
        position: int,
        heard: IemocapUtterance | None,
        judged: IemocapUtterance | None,
    ) -> None:
        self._check("transcript line", heard is not None, f"{utterance_id}: not in the transcript; text is ConvECPE's")
        self._check("evaluation line", judged is not None, f"{utterance_id}: not in EmoEvaluation")
        if heard is not None:
            text, sentence = heard.text or "", dialogue.sentences[position]
            self._check(
                "text", _letters(text) == _letters(sentence), f"{utterance_id}: IEMOCAP {text!r}, ConvECPE {sentence!r}"
            )
        if judged is not None:
            emotion = IEMOCAP_EMOTIONS[dialogue.emotions[position]]
            self._check(
                "emotion",
                judged.emotion == emotion,
                f"{utterance_id}: EmoEvaluation {judged.emotion!r}, ConvECPE {emotion!r}",
            )
        last = utterance_id.rpartition("_")[2][:1]
        if last in ("F", "M"):
            speaker = dialogue.speakers[position]
            self._check("speaker", last == speaker, f"{utterance_id}: ConvECPE says {speaker!r}")

    def _check(self, name: str, same: bool, mismatch: str) -> None:
        self._compared[name] += 1
        if not same:
            self._mismatches[name].append(mismatch)

    def checks(self) -> list[Check]:
        return [Check(CHECK_NAMES[name], self._compared[name], tuple(self._mismatches[name])) for name in CHECK_NAMES]


def _letters(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())


def enforce_limit(checks: Iterable[Check], max_mismatch: float) -> None:
    """Refuses sources that disagree on too much.

    Args:
        checks: Comparisons.
        max_mismatch: Largest accepted share of mismatches in each.

    Raises:
        InvalidDataError: A share is larger; the message has examples.
    """
    for check in checks:
        if check.share > max_mismatch:
            examples = "\n  ".join(check.mismatches[:_SHOWN])
            raise InvalidDataError(
                f"{check.name}: {len(check.mismatches)} of {check.compared} differ ({check.share:.2%}), more than the "
                f"accepted {max_mismatch:.2%}. Examples:\n  {examples}\nThe sources belong to different versions. If "
                f"the differences are harmless, raise max_mismatch, or take ConvECPE's text with text_source='ecpec'."
            )
