"""What a peer decided on one split, in our dialogue ids and 1-based turns, whatever file it left that in.

The reader of each peer (:mod:`~iemomecp_dataset.benchmark.peers.imports.hilo_output` and so on) makes it; every pair
of every dialogue is decided on, or has the reason why the peer did not decide.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.benchmark.peers.manifest import Manifest, ManifestDialogue
from iemomecp_dataset.corpora.metadata import IEMOMECP, corpus_of_config
from iemomecp_dataset.errors import InvalidDataError, UsageError
from iemomecp_dataset.field_checks import check_pair

__all__ = [
    "DROPPED",
    "FUTURE",
    "NOT_PROPOSED",
    "OUTSIDE_WINDOW",
    "SCORED",
    "UNSCORED",
    "DialogueOutput",
    "PeerOutput",
    "check_dialogues",
    "our_emotions",
    "pair_matrix",
    "split_of_dialogues",
]

SCORED, FUTURE, OUTSIDE_WINDOW, DROPPED, NOT_PROPOSED = range(5)
"""Why a pair was not decided on, as a number; 0: it was."""

UNSCORED: Mapping[int, str] = {
    FUTURE: "future",
    OUTSIDE_WINDOW: "outside its distance window",
    DROPPED: "dropped by its filter",
    NOT_PROPOSED: "not among its step-1 candidates",
}
"""The reasons in words, as a run's record counts them."""

_NAMED = 5


@dataclass(frozen=True)
class DialogueOutput:
    """Decisions on the pairs of one dialogue of ``N`` turns: row ``t - 1`` is target ``t``, column ``c - 1`` cause.

    Attributes:
        dialogue_id: Its id in our rows.
        decided: ``(N, N)`` bool, the pairs that the peer predicts.
        reasons: ``(N, N)`` int64, why it did not decide on a pair: a key of :data:`UNSCORED`, or :data:`SCORED`.
        probabilities: ``(N, N)`` float64, the probability of a pair, 0 where it was not scored; or ``None``.
        emotions: The predicted emotion of each turn by our names, empty where there is none; or ``None``.
    """

    dialogue_id: str
    decided: NDArray[np.bool_]
    reasons: NDArray[np.int64]
    probabilities: NDArray[np.float64] | None = None
    emotions: tuple[str, ...] | None = None


@dataclass(frozen=True)
class PeerOutput:
    """Decisions of a peer on one split.

    Attributes:
        path: The file that it left.
        split: The split.
        dialogues: Each dialogue of the manifest once, in its order.
        printed: Scores that the peer printed of them, by name.
        epoch_chosen_on: The split that it chose its epoch on, where that is known.
        notes: Remarks for readers of its scores.
    """

    path: Path
    split: str
    dialogues: tuple[DialogueOutput, ...]
    printed: Mapping[str, float] = field(default_factory=dict)
    epoch_chosen_on: str | None = None
    notes: tuple[str, ...] = ()


def pair_matrix(pairs: Iterable[tuple[int, int]], n_turns: int, where: str) -> NDArray[np.bool_]:
    """Marks listed pairs.

    Args:
        pairs: ``(target, cause)``, 1-based.
        n_turns: Turns of their dialogue.
        where: File and dialogue, for the error.

    Returns:
        ``(N, N)`` bool.

    Raises:
        InvalidDataError: A pair is outside the dialogue, or is listed twice.

    Example:
        >>> pair_matrix([(2, 1)], 2, "run1_test.txt, dialogue 7").tolist()
        [[False, False], [True, False]]
    """
    marked = np.zeros((n_turns, n_turns), dtype=np.bool_)
    for target, cause in pairs:
        check_pair(target, cause, n_turns, where)
        if marked[target - 1, cause - 1]:
            raise InvalidDataError(
                f"{where}: the pair ({target}, {cause}) is named twice; every pair is decided on once. Is the output "
                "of two runs in one file?"
            )
        marked[target - 1, cause - 1] = True
    return marked


def check_dialogues(path: Path, found: Sequence[str], expected: Sequence[ManifestDialogue], split: str) -> None:
    """Refuses the output on other dialogues than those of the manifest, each once; the order is free.

    Args:
        path: The file.
        found: The peer's ids of its dialogues.
        expected: Those of the manifest.
        split: The split.

    Raises:
        InvalidDataError: Some are missing, unknown or there twice.
    """
    wanted = [dialogue.peer_id for dialogue in expected]
    known, seen = set(wanted), set(found)
    twice = [name for name in dict.fromkeys(found) if found.count(name) > 1] if len(seen) < len(found) else []
    problems = [
        f"{len(names)} {what} ({', '.join(names[:_NAMED])})"
        for what, names in (
            ("are missing", [name for name in wanted if name not in seen]),
            ("are not in the manifest", [name for name in dict.fromkeys(found) if name not in known]),
            ("are there twice", twice),
        )
        if names
    ]
    if problems:
        raise InvalidDataError(
            f"{path}: it has {len(found)} dialogues, and {len(wanted)} of {split} were exported: "
            f"{'; '.join(problems)}. Give the output of a peer that was started on that export."
        )


def split_of_dialogues(path: Path, found: Collection[str], manifest: Manifest) -> str:
    """Finds the split that a file is of, which does not state it, by its dialogues.

    Args:
        path: The file.
        found: The peer's ids of its dialogues.
        manifest: The manifest.

    Returns:
        The split that shares the most dialogues with it.

    Raises:
        InvalidDataError: It shares none with any.
        UsageError: It is of train.
    """
    shared = {
        split: sum(dialogue.peer_id in found for dialogue in dialogues) for split, dialogues in manifest.splits.items()
    }
    split = max(shared, key=lambda name: shared[name], default="")
    if not split or not shared[split]:
        raise InvalidDataError(
            f"{path}: none of its {len(found)} dialogues is in the manifest. Give the output of a peer that was "
            "started on that export."
        )
    if split == "train":
        raise UsageError(
            f"{path}: its dialogues are those of train. Runs are scored on validation and test; give those."
        )
    return split


def our_emotions(manifest: Manifest, configs: Collection[str] | None = None) -> dict[str, str]:
    """Maps a peer's names of emotions to ours.

    Args:
        manifest: The manifest.
        configs: The configurations whose emotions mean the same there; ``None``: all but those of IEMO-MECP, whose
            emotions stand in the slots of other ones.

    Returns:
        Our name by the peer's in lower case; empty where the peer's emotions are not imported.

    Example:
        >>> from types import SimpleNamespace
        >>> our_emotions(SimpleNamespace(config_name="mecad", emotions={"happy": "Happy"}))
        {'happy': 'happy'}
        >>> our_emotions(SimpleNamespace(config_name="3class", emotions={"hap": "Happy"}))
        {}
    """
    if corpus_of_config(manifest.config_name) == IEMOMECP:
        return {}
    if configs is not None and manifest.config_name not in configs:
        return {}
    return {theirs.lower(): ours for ours, theirs in manifest.emotions.items()}
