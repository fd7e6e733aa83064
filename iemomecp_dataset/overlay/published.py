"""Published facts of the IEMO-MECP release: counts by split and the identity of its files.

Counts: arXiv 2605.25208 and the aggregate tables of its artifact (MIT licence),
repository panzhzh/ECPExsame at the commit below.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = [
    "LABEL_BLOBS",
    "LABEL_REPOSITORY",
    "LABEL_REVISION",
    "PUBLISHED_COUNTS",
    "PUBLISHED_TRANSITIONS",
    "OverlayCounts",
]

LABEL_REPOSITORY = "panzhzh/ECPExsame"
LABEL_REVISION = "e70d867be3540fc4deef7cac893a3b214fde4397"
"""The pinned commit of the label files."""

LABEL_BLOBS: Mapping[str, str] = {
    "train.json": "c9433e6a36eb62b437e006f0c7310f01788fe616",
    "valid.json": "426b64fa273dbff0521e5ce864d3ba9cebda95c1",
    "test.json": "baa7f7784b418cbe2910ae14095f3d37ed948be6",
}
"""Git blob ids by file name."""


@dataclass(frozen=True)
class OverlayCounts:
    """One line of the split table.

    Attributes:
        dialogues: Source dialogues; -1 if the chunk ids do not contain them.
        chunks: Chunks.
        utterances: Utterances.
        pairs: Candidate pairs.
        emo_cause: Pairs with role ``emo_cause``.
        emo_context: Pairs with role ``emo_context``.
        non_pair: Pairs with role ``non_pair``.
        exceptions: Temporal exceptions: pairs whose cause comes after the target.
        emotional_targets: Targets of an ``emo_cause``, which are the non-neutral utterances.
        emotional_with_context: Emotional targets that also have an ``emo_context``.
    """

    dialogues: int
    chunks: int
    utterances: int
    pairs: int
    emo_cause: int
    emo_context: int
    non_pair: int
    exceptions: int
    emotional_targets: int
    emotional_with_context: int


PUBLISHED_COUNTS: Mapping[str, OverlayCounts] = {
    "train": OverlayCounts(96, 260, 4587, 53323, 5499, 2630, 45194, 147, 3554, 1805),
    "validation": OverlayCounts(24, 68, 1223, 14488, 1342, 719, 12427, 38, 932, 439),
    "test": OverlayCounts(31, 95, 1623, 18264, 1794, 997, 15473, 36, 1239, 605),
    "all": OverlayCounts(151, 423, 7433, 86075, 8635, 4346, 73094, 221, 5725, 2849),
}
"""The published split table, by split and for all splits."""

PUBLISHED_TRANSITIONS: Mapping[str, Mapping[str, int]] = {
    "pair": {"emo_cause": 8316, "emo_context": 805, "non_pair": 24},
    "non_pair": {"emo_cause": 319, "emo_context": 3541, "non_pair": 73070},
}
"""Pairs of all splits by source label and role."""
