"""Synthetic dialogues as they were recorded: ids, times and words, the utterances outside ECPEC included."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from iemomecp_dataset.synthetic.counts import Scale, dialogue_ids
from iemomecp_dataset.synthetic.plan import ChunkPlan, PlannedUtterance, plan_split
from iemomecp_dataset.synthetic.wording import filler_sentence, word_chunk

__all__ = ["Dialogue", "RecordedUtterance", "record_dialogues"]

# IEMOCAP has about 10,000 utterances of which ECPEC takes 7433.
_OUTSIDE_SHARE = 0.26
_OUTSIDE_EMOTIONS = ("xxx", "xxx", "xxx", "sur", "fea", "oth", "dis")
# Some transcript lines of the genuine release lack the times; EmoEvaluation has them.
_UNTIMED_SHARE = 0.01
_TEST_SESSION = 5


@dataclass(frozen=True)
class RecordedUtterance:
    """One line of a transcript.

    Attributes:
        utterance_id: IEMOCAP's name for it.
        speaker: ``F`` or ``M``.
        emotion: IEMOCAP's categorical label; outside the six, ECPEC does not have the utterance.
        text: Our own words.
        start: Seconds.
        end: Seconds.
        timed: Whether the transcript line has its times.
        plan: What it is about; ``None`` for an utterance that ECPEC does not have.
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
        dialogue_id: IEMOCAP's name, such as ``Ses01F_impro01``.
        session: 1 to 5.
        split: Canonical split name.
        utterances: In order of time.
        chunks: Plans whose utterances, one chunk after the other, are those that ECPEC has.
    """

    dialogue_id: str
    session: int
    split: str
    utterances: tuple[RecordedUtterance, ...]
    chunks: tuple[ChunkPlan, ...]

    @property
    def in_ecpec(self) -> tuple[RecordedUtterance, ...]:
        """The utterances that ECPEC has."""
        return tuple(utterance for utterance in self.utterances if utterance.plan is not None)


def record_dialogues(scale: Scale, seed: int) -> list[Dialogue]:
    """Plans, words and times all dialogues of a corpus.

    Args:
        scale: Its size.
        seed: Fixes everything.

    Returns:
        Dialogues in IEMOCAP's order, by session.
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
    """Session 5 is the test split; train and validation share sessions 1 to 4 evenly."""
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
        # The next speaker now and then comes in early.
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
