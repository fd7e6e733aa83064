"""Numbers of dialogues, chunks, utterances and pairs of a synthetic corpus, by split and scale."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["SCALES", "PlannedCounts", "Scale", "dialogue_ids"]


@dataclass(frozen=True)
class PlannedCounts:
    """Counts of one split, which the random plan meets exactly.

    Attributes:
        dialogues: Source dialogues.
        chunks: Chunks, which partition the dialogues.
        utterances: Utterances of all chunks.
        pairs: Candidate pairs, including forward ones.
        emotional_targets: Non-neutral utterances.
        targets_with_context: Non-neutral utterances that have an ``emo_context``.
        forward_causes: ``emo_cause`` pairs whose cause comes after the target (temporal exceptions).
        forward_contexts: ``emo_context`` pairs whose candidate comes after the target.
        pair_to_cause: Source pairs (binary labels of ConvECPE) with the role ``emo_cause``.
        pair_to_context: Source pairs with the role ``emo_context``.
        pair_to_non_pair: Source pairs with the role ``non_pair``.
        non_pair_to_cause: Source non-pairs with the role ``emo_cause``.
        non_pair_to_context: Source non-pairs with the role ``emo_context``.
    """

    dialogues: int
    chunks: int
    utterances: int
    pairs: int
    emotional_targets: int
    targets_with_context: int
    forward_causes: int
    forward_contexts: int
    pair_to_cause: int
    pair_to_context: int
    pair_to_non_pair: int
    non_pair_to_cause: int
    non_pair_to_context: int

    @property
    def causes(self) -> int:
        """Pairs with the role ``emo_cause``."""
        return self.pair_to_cause + self.non_pair_to_cause

    @property
    def contexts(self) -> int:
        """Pairs with the role ``emo_context``."""
        return self.pair_to_context + self.non_pair_to_context

    @property
    def non_pairs(self) -> int:
        """Pairs with the role ``non_pair``."""
        return self.pairs - self.causes - self.contexts

    @property
    def exceptions(self) -> int:
        """Candidates whose cause comes after the target."""
        return self.forward_causes + self.forward_contexts

    @property
    def triangle(self) -> int:
        """Candidates whose cause is not after the target: the lower triangles of all chunks."""
        return self.pairs - self.exceptions


@dataclass(frozen=True)
class Scale:
    """Size of a corpus: the counts of its splits and the shape of its chunks.

    Attributes:
        splits: Counts by canonical split name.
        shortest_chunk: Smallest number of utterances of a chunk.
        longest_chunk: Largest number of utterances of a chunk.
        topics: Number of topics of the dialogues, shared by all splits.
        words_per_topic: Number of words for each topic.
    """

    splits: dict[str, PlannedCounts]
    shortest_chunk: int
    longest_chunk: int
    topics: int
    words_per_topic: int


SCALES = {
    # Trains in about a minute; every role has its published rate.
    "demo": Scale(
        splits={
            "train": PlannedCounts(28, 60, 900, 7838, 698, 354, 22, 8, 1040, 99, 3, 40, 417),
            "validation": PlannedCounts(8, 15, 225, 1964, 172, 84, 5, 2, 240, 28, 1, 8, 104),
            "test": PlannedCounts(10, 20, 300, 2620, 229, 113, 7, 3, 320, 27, 1, 13, 158),
        },
        shortest_chunk=8,
        longest_chunk=24,
        topics=20,
        words_per_topic=2,
    ),
    # The published counts of IEMO-MECP (arXiv 2605.25208, dataset statistics and the original-to-final flow). The ratio
    # of causes to contexts among the exceptions is published for test only; train and validation use the same.
    "full": Scale(
        splits={
            "train": PlannedCounts(96, 260, 4587, 53323, 3554, 1805, 107, 40, 5297, 506, 13, 202, 2124),
            "validation": PlannedCounts(24, 68, 1223, 14488, 932, 439, 28, 10, 1297, 156, 8, 45, 563),
            "test": PlannedCounts(31, 95, 1623, 18264, 1239, 605, 26, 10, 1722, 143, 3, 72, 854),
        },
        shortest_chunk=3,
        longest_chunk=35,
        topics=36,
        words_per_topic=3,
    ),
}
"""Scales by name."""

_SCRIPTED = ("script01_1", "script01_2", "script01_3", "script02_1", "script02_2", "script03_1", "script03_2")


def dialogue_ids(session: int) -> list[str]:
    """Lists the dialogue ids of a session of IEMOCAP: 28, 30, 32, 30 and 31 of them.

    Args:
        session: 1 to 5.

    Returns:
        Dialogue ids, improvised ones first, alternating between both recording sides.

    Example:
        >>> [len(dialogue_ids(session)) for session in range(1, 6)]
        [28, 30, 32, 30, 31]
        >>> dialogue_ids(5)[:2]
        ['Ses05F_impro01', 'Ses05M_impro01']
    """
    improvised = [f"impro{number:02d}" for number in range(1, 8 if session == 1 else 9)]
    names = [(name, side) for name in improvised + list(_SCRIPTED) for side in "FM"]
    if session == 3:
        names = [pair for pair in names if pair not in {("impro05", "M"), ("impro08", "M")}]
        names += [("impro05a", "M"), ("impro05b", "M"), ("impro08a", "M"), ("impro08b", "M")]
    if session == 5:
        names.append(("script01_1b", "M"))
    return [f"Ses{session:02d}{side}_{name}" for name, side in names]
