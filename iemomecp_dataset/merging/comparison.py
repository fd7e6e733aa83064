"""Compares ConvECPE with IEMOCAP, utterance by utterance."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from iemomecp_dataset.merging.merge_report import Check
from iemomecp_dataset.merging.text_places import DialogueTexts, letters
from iemomecp_dataset.schema import IEMOCAP_EMOTIONS
from iemomecp_dataset.sources.ecpec import SourceDialogue
from iemomecp_dataset.sources.iemocap_release import IemocapUtterance

__all__ = ["CHECK_NAMES", "SAME_TIME", "Comparison", "ReleaseDialogue"]

CHECK_NAMES = {
    "transcript line": "utterances of ConvECPE in IEMOCAP's transcripts",
    "evaluation line": "utterances of ConvECPE in IEMOCAP's EmoEvaluation",
    "text": "text of IEMOCAP against ConvECPE's sentence (letters and digits only)",
    "emotion": "emotion of EmoEvaluation against ConvECPE's",
    "speaker": "speaker in the utterance id against ConvECPE's",
}
"""Compared properties, by short name."""

SAME_TIME = 0.05
"""Seconds that transcript and EmoEvaluation may differ by; both state the same times."""

# Such as [LAUGHTER]; ConvECPE may lack them.
_MARK = re.compile(r"\[[A-Z][A-Z _-]{1,40}\]")


@dataclass(frozen=True)
class ReleaseDialogue:
    """Transcript, evaluation and video of one dialogue; paths are None without a release."""

    transcript: dict[str, IemocapUtterance]
    evaluation: dict[str, IemocapUtterance]
    video: str | None = None
    transcript_path: Path | None = None
    evaluation_path: Path | None = None


class Comparison:
    """Compares dialogues and collects what differs."""

    def __init__(self) -> None:
        self._compared: Counter[str] = Counter()
        self._mismatches: dict[str, list[str]] = {name: [] for name in CHECK_NAMES}
        self._positions: dict[str, dict[str, list[int]]] = {name: {} for name in CHECK_NAMES}
        self._dialogues: dict[str, tuple[SourceDialogue, ReleaseDialogue]] = {}
        self._other_times: Counter[str] = Counter()

    def add(self, dialogue: SourceDialogue, release: ReleaseDialogue) -> None:
        """Compares one dialogue.

        Args:
            dialogue: The dialogue in ConvECPE.
            release: The same in IEMOCAP.
        """
        self._dialogues[dialogue.dialogue_id] = (dialogue, release)
        for position, utterance_id in enumerate(dialogue.utterance_ids):
            line, evaluation = release.transcript.get(utterance_id), release.evaluation.get(utterance_id)
            self._other_times[dialogue.dialogue_id] += _times_differ(line, evaluation)
            found = self._differences(utterance_id, dialogue, position, line, evaluation)
            for name, mismatch in found:
                self._compared[name] += 1
                if mismatch is not None:
                    self._mismatches[name].append(mismatch)
                    self._positions[name].setdefault(dialogue.dialogue_id, []).append(position)

    def _differences(
        self,
        utterance_id: str,
        dialogue: SourceDialogue,
        position: int,
        line: IemocapUtterance | None,
        evaluation: IemocapUtterance | None,
    ) -> Iterator[tuple[str, str | None]]:
        """Yields every check that applies, with what differs or None."""
        missing = f"{utterance_id}: not in the transcript; the text is ConvECPE's"
        yield "transcript line", missing if line is None else None
        yield "evaluation line", f"{utterance_id}: not in EmoEvaluation" if evaluation is None else None
        if line is not None:
            text, sentence = line.text or "", dialogue.sentences[position]
            same = text == sentence or _spoken(text) == _spoken(sentence)
            yield "text", None if same else f"{utterance_id}: IEMOCAP {text!r}, ConvECPE {sentence!r}"
        if evaluation is not None:
            emotion = IEMOCAP_EMOTIONS[dialogue.emotions[position]]
            differs = f"{utterance_id}: EmoEvaluation {evaluation.emotion!r}, ConvECPE {emotion!r}"
            yield "emotion", None if evaluation.emotion == emotion else differs
        last = utterance_id.rpartition("_")[2][:1]
        if last in ("F", "M"):
            speaker = dialogue.speakers[position]
            yield "speaker", None if last == speaker else f"{utterance_id}: ConvECPE {speaker!r}"

    def checks(self) -> list[Check]:
        """Lists the comparisons; none where there was no release."""
        if not self._dialogues:
            return []
        return [Check(CHECK_NAMES[name], self._compared[name], tuple(self._mismatches[name])) for name in CHECK_NAMES]

    @property
    def names(self) -> Sequence[str]:
        """Ids of the compared dialogues."""
        return tuple(self._dialogues)

    @property
    def missing_texts(self) -> int:
        """Number of utterances that the transcripts lack."""
        return len(self._mismatches["transcript line"])

    def positions(self, name: str) -> Mapping[str, Sequence[int]]:
        """Finds where a check differs.

        Args:
            name: A key of :data:`CHECK_NAMES`.

        Returns:
            Positions of the utterances by dialogue, from 0; dialogues without any are absent.
        """
        return self._positions[name]

    def other_times(self, share: float) -> dict[str, int]:
        """Counts utterances whose times differ between transcript and EmoEvaluation.

        Args:
            share: The accepted share of a dialogue's utterances; a single one is always accepted.

        Returns:
            Their number, of the dialogues with more.
        """
        return {
            dialogue: count
            for dialogue, count in self._other_times.items()
            if count > 1 and count > share * len(self._dialogues[dialogue][0])
        }

    def beyond(self, name: str, share: float) -> dict[str, Sequence[int]]:
        """Finds dialogues in which more than one utterance and more than a share differ.

        Args:
            name: A key of :data:`CHECK_NAMES`.
            share: The accepted share of a dialogue's utterances.

        Returns:
            Positions of the utterances by dialogue.
        """
        return {
            dialogue: found
            for dialogue, found in self._positions[name].items()
            if len(found) > 1 and len(found) > share * len(self._dialogues[dialogue][0])
        }

    def source(self, dialogue_id: str) -> SourceDialogue:
        """Returns a dialogue as ConvECPE has it."""
        return self._dialogues[dialogue_id][0]

    def release(self, dialogue_id: str) -> ReleaseDialogue:
        """Returns a dialogue as IEMOCAP has it."""
        return self._dialogues[dialogue_id][1]

    def texts(self) -> dict[str, DialogueTexts]:
        """Reduces the texts of all dialogues to letters and digits, for finding where they belong."""
        return {
            name: DialogueTexts(
                utterance_ids=source.utterance_ids,
                sentences=[letters(sentence) for sentence in source.sentences],
                lines={key: letters(line.text or "") for key, line in release.transcript.items()},
                differing=self._positions["text"].get(name, ()),
            )
            for name, (source, release) in self._dialogues.items()
        }

    def files(self, what: str) -> dict[str, Mapping[str, IemocapUtterance]]:
        """Returns the content of every ``transcript`` or ``evaluation`` file by the dialogue that it is named after."""
        return {name: getattr(release, what) for name, (_, release) in self._dialogues.items()}


def _spoken(text: str) -> str:
    """Letters and digits of a text, without marks of what is heard beside the words."""
    return letters(_MARK.sub(" ", text) if "[" in text else text)


def _times_differ(line: IemocapUtterance | None, evaluation: IemocapUtterance | None) -> bool:
    if line is None or evaluation is None:
        return False
    pairs = ((line.start, evaluation.start), (line.end, evaluation.end))
    return any(one is not None and other is not None and abs(one - other) > SAME_TIME for one, other in pairs)
