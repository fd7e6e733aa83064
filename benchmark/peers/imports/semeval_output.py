"""Reads predictions in the layout of SemEval-2024 Task 3, as its official evaluator does."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from iemomecp_dataset.benchmark.peers.imports.outputs import (
    SCORED,
    DialogueOutput,
    PeerOutput,
    check_dialogues,
    our_emotions,
    pair_matrix,
    split_of_dialogues,
)
from iemomecp_dataset.benchmark.peers.manifest import Manifest
from iemomecp_dataset.corpora.semeval_json import TURNS_KEY
from iemomecp_dataset.errors import InvalidDataError, did_you_mean
from iemomecp_dataset.metrics.evaluation.semeval import Reading, read_semeval

__all__ = ["read_semeval_output"]


def read_semeval_output(path: Path, manifest: Manifest, *, reading: Reading = "strict") -> PeerOutput:
    """Reads a file of either subtask.

    Args:
        path: The JSON file; its conversations tell the split.
        manifest: The manifest of the export.
        reading: ``strict`` or ``leniently``, see :func:`~iemomecp_dataset.metrics.evaluation.semeval.read_semeval`.

    Returns:
        Its decisions, with the emotions of targets. A pair that it names with two emotions is one pair; where a target
        has several emotions, none of the file is imported.

    Raises:
        MissingDataError: There is no such file.
        InvalidDataError: It breaks the format, is of other dialogues, or names an emotion that was not exported.
        UsageError: It is of train.
    """
    read = read_semeval(path, reading=reading)
    split = split_of_dialogues(path, read.conversations, manifest)
    expected = manifest.splits[split]
    check_dialogues(path, list(read.conversations), expected, split)
    # Pairs that were given the gold emotions of their targets state nothing that a system predicted.
    names = {} if read.emotions == "gold" else our_emotions(manifest)
    emotions_of: dict[str, dict[int, set[str]]] = {}
    pairs_of: dict[str, dict[tuple[int, int], None]] = {}
    assert read.pairs.emotions is not None  # the format has them
    columns = (read.pairs.dialogue_ids, read.pairs.target_turns, read.pairs.cause_turns, read.pairs.emotions)
    for dialogue, target, cause, emotion in zip(*(column.tolist() for column in columns), strict=True):
        pairs_of.setdefault(dialogue, {})[target, cause] = None
        if names and emotion.lower() not in names:
            raise InvalidDataError(
                f"{path}, dialogue {dialogue}, pair ({target}, {cause}): there is no emotion {emotion!r} in the "
                f"export. {did_you_mean(emotion, names)}"
            )
        emotions_of.setdefault(dialogue, {}).setdefault(target, set()).add(names.get(emotion.lower(), ""))
    n_several = sum(len(found) > 1 for of_dialogue in emotions_of.values() for found in of_dialogue.values())
    dialogues = []
    for dialogue in expected:
        where = f"{path}, dialogue {dialogue.peer_id}"
        turns = read.conversations[dialogue.peer_id].get(TURNS_KEY)
        # A system may leave the utterances out; those that it lists are the exported ones.
        if isinstance(turns, list) and len(turns) not in (0, dialogue.n_turns):
            raise InvalidDataError(
                f"{where}: {len(turns)} utterances are listed, and {dialogue.n_turns} were exported. Give the output "
                "of a system that was started on that export."
            )
        decided = pair_matrix(pairs_of.get(dialogue.peer_id, ()), dialogue.n_turns, where)
        emotions = None
        if names and not n_several:
            of_turn = emotions_of.get(dialogue.peer_id, {})
            emotions = tuple(min(of_turn.get(turn, {""})) for turn in range(1, dialogue.n_turns + 1))
        reasons = np.full(decided.shape, SCORED, dtype=np.int64)
        dialogues.append(DialogueOutput(dialogue.dialogue_id, decided, reasons, emotions=emotions))
    notes = list(read.notes)
    if read.emotions == "gold":
        notes.append("The file states that its emotions are gold; they are not imported.")
    if names and n_several:
        notes.append(
            f"{n_several} targets have several emotions; a list of candidates has one each, so none is imported."
        )
    return PeerOutput(path, split, tuple(dialogues), notes=tuple(notes))
