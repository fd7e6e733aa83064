"""Synthetic recordings: ids, times and texts of all utterances, including those that ECPEC omits."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from iemomecp_dataset.synthetic.counts import Scale, dialogue_ids
from iemomecp_dataset.synthetic.plan import ChunkPlan, PlannedUtterance, plan_split
from iemomecp_dataset.synthetic.wording import filler_sentence, word_chunk

__all__ = ["Dialogue", "RecordedUtterance", "record_dialogues"]

# ECPEC has 7433 of about 10,000 utterances of IEMOCAP.
_OUTSIDE_SHARE = 0.26
_OUTSIDE_EMOTIONS = ("xxx", "xxx", "xxx", "sur", "fea", "oth", "dis")
# Some transcript lines of the genuine release lack their times, which EmoEvaluation has.
_UNTIMED_SHARE = 0.01
_TEST_SESSION = 5


@dataclass(frozen=True)
class RecordedUtterance:
    """One line of a transcript.

    Attributes:
        utterance_id: Id in the style of IEMOCAP.
        speaker: ``F`` or ``M``.
        emotion: Categorical label of IEMOCAP; ECPEC omits utterances outside its six emotions.
        text: Generated text.
        start: Start in seconds.
        end: End in seconds.
        timed: Whether the transcript line has its times.
        plan: Plan of the utterance; ``None`` if ECPEC omits it.
    """

    utterance_id: str
    speaker: str
    emotion: str
    text: str
    start: float
    end: float
    timed: bool
    plan: PlannedUtterance | None


@dataclass(frozen=True)
class Dialogue:
    """One recorded dialogue with its chunks.

    Attributes:
        dialogue_id: Id in the style of IEMOCAP, such as ``Ses01F_impro01``.
        session: 1 to 5.
        split: Canonical split name.
        utterances: Utterances in temporal order.
        chunks: Plans of the chunks; together they have the utterances that ECPEC has, in order.
    """

    dialogue_id: str
    session: int
    split: str
    utterances: tuple[RecordedUtterance, ...]
    chunks: tuple[ChunkPlan, ...]

    @property
    def in_ecpec(self) -> tuple[RecordedUtterance, ...]:
        """Utterances that ECPEC has."""
        return tuple(utterance for utterance in self.utterances if utterance.plan is not None)


def record_dialogues(scale: Scale, seed: int) -> list[Dialogue]:
    """Generates all dialogues of a corpus: plans, texts and times.

    Args:
        scale: Size of the corpus.
        seed: Seed of the generator.

    Returns:
        Dialogues ordered by session and id.
    """
    names = _dialogue_names(scale, random.Random(f"{seed} names"))
    dialogues = []
    for split, counts in scale.splits.items():
        rng = random.Random(f"{seed} {split}")
        plans = plan_split(counts, scale, rng)
        for dialogue_id, chunks in zip(names[split], plans, strict=True):
            dialogues.append(
                Dialogue(
                    dialogue_id=dialogue_id,
                    session=int(dialogue_id[3:5]),
                    split=split,
                    utterances=tuple(_record(dialogue_id, chunks, scale, rng)),
                    chunks=tuple(chunks),
                )
            )
    return sorted(dialogues, key=lambda dialogue: (dialogue.session, dialogue.dialogue_id))


def _dialogue_names(scale: Scale, rng: random.Random) -> dict[str, list[str]]:
    """Assigns session 5 to test, and divides sessions 1 to 4 evenly between train and validation."""
    wanted = scale.splits["train"].dialogues + scale.splits["validation"].dialogues
    by_session = [dialogue_ids(session) for session in range(1, _TEST_SESSION)]
    early: list[str] = []
    turn = 0
    while len(early) < wanted:
        session = by_session[turn % len(by_session)]
        if session:
            early.append(session.pop(0))
        turn += 1
    rng.shuffle(early)
    cut = scale.splits["train"].dialogues
    return {
        "train": early[:cut],
        "validation": early[cut:],
        "test": dialogue_ids(_TEST_SESSION)[: scale.splits["test"].dialogues],
    }


def _record(dialogue_id: str, chunks: Sequence[ChunkPlan], scale: Scale, rng: random.Random) -> list[RecordedUtterance]:
    spoken: list[tuple[PlannedUtterance | None, str, str, str]] = []
    for chunk in chunks:
        for planned, text in zip(chunk.utterances, word_chunk(chunk, scale.words_per_topic, rng), strict=True):
            while rng.random() < _OUTSIDE_SHARE:
                spoken.append((None, rng.choice("FM"), rng.choice(_OUTSIDE_EMOTIONS), filler_sentence(rng)))
            spoken.append((planned, planned.speaker, planned.emotion, text))
    numbers = {"F": 0, "M": 0}
    clock = rng.uniform(1.0, 8.0)
    recorded = []
    for plan, speaker, emotion, text in spoken:
        start = clock
        end = start + 0.4 + 0.3 * len(text.split()) * rng.uniform(0.8, 1.25)
        # Utterances overlap occasionally.
        clock = end + rng.uniform(-0.3, 0.9)
        recorded.append(
            RecordedUtterance(
                utterance_id=f"{dialogue_id}_{speaker}{numbers[speaker]:03d}",
                speaker=speaker,
                emotion=emotion,
                text=text,
                start=round(start, 4),
                end=round(end, 4),
                timed=rng.random() >= _UNTIMED_SHARE,
                plan=plan,
            )
        )
        numbers[speaker] += 1
    return recorded
