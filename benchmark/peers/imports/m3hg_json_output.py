"""Reads predictions in the layout of M3HG's JSON, which other systems read and write too.

An object by dialogue: a list that holds one list of turns, each with ``turn``, ``expanded emotion cause evidence`` (the
predicted causes; without the key or with an empty list there is none) and, where it is predicted, ``emotion``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
from iemomecp_dataset.benchmark.peers.manifest import Manifest, ManifestDialogue
from iemomecp_dataset.errors import InvalidDataError, did_you_mean
from iemomecp_dataset.excerpts import excerpt
from iemomecp_dataset.field_checks import is_integer, json_kind
from iemomecp_dataset.files import read_json

__all__ = ["read_m3hg_json_output"]

_EVIDENCE = "expanded emotion cause evidence"
_LATENT = "b"


def read_m3hg_json_output(path: Path, manifest: Manifest) -> PeerOutput:
    """Reads a file of predictions.

    Args:
        path: The JSON file; its dialogues tell the split.
        manifest: The manifest of the export.

    Returns:
        Its decisions, with the emotions of turns where every target of a pair has one.

    Raises:
        MissingDataError: There is no such file.
        InvalidDataError: It breaks the format, is of other dialogues or turns, or names an emotion that was not
            exported.
        UsageError: It is of train.
    """
    content = read_json(path)
    if not isinstance(content, dict):
        raise InvalidDataError(f"{path}: expected an object by dialogue, found {json_kind(content)}.")
    split = split_of_dialogues(path, content, manifest)
    expected = manifest.splits[split]
    check_dialogues(path, list(content), expected, split)
    names = our_emotions(manifest)
    read = [_dialogue(content[dialogue.peer_id], dialogue, names, path) for dialogue in expected]
    n_latent = sum(latent for _, latent in read)
    dialogues = [dialogue for dialogue, _ in read]
    notes = [f"{n_latent} causes outside the dialogue ({_LATENT}) are no pairs."] if n_latent else []
    return PeerOutput(path, split, tuple(dialogues), notes=tuple(notes))


def _dialogue(
    wrapped: Any, dialogue: ManifestDialogue, names: dict[str, str], path: Path
) -> tuple[DialogueOutput, int]:
    where = f"{path}, dialogue {dialogue.peer_id}"
    turns = wrapped[0] if isinstance(wrapped, list) and len(wrapped) == 1 else None
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        raise InvalidDataError(f"{where}: expected a list that holds one list of turns, found {json_kind(wrapped)}.")
    if [turn.get("turn") for turn in turns] != list(range(1, dialogue.n_turns + 1)):
        raise InvalidDataError(
            f"{where}: expected the turns 1 to {dialogue.n_turns}, in order; found {len(turns)}. Give the output of a "
            "peer that was started on that export."
        )
    pairs: list[tuple[int, int]] = []
    emotions: list[str] = []
    latent = 0
    for turn, entry in enumerate(turns, start=1):
        causes = entry.get(_EVIDENCE) or []
        if not isinstance(causes, list) or not all(is_integer(cause) or cause == _LATENT for cause in causes):
            raise InvalidDataError(f"{where}, turn {turn}: {_EVIDENCE!r} must list turns, found {excerpt(causes)}.")
        latent += causes.count(_LATENT)
        pairs += [(turn, cause) for cause in causes if cause != _LATENT]
        emotions.append(_emotion(entry.get("emotion"), names, f"{where}, turn {turn}"))
    decided = pair_matrix(pairs, dialogue.n_turns, where)
    reasons = np.full(decided.shape, SCORED, dtype=np.int64)
    return DialogueOutput(dialogue.dialogue_id, decided, reasons, emotions=tuple(emotions) if names else None), latent


def _emotion(value: Any, names: dict[str, str], where: str) -> str:
    if not names or value is None or value == "":
        return ""
    found = value.strip().lower() if isinstance(value, str) else ""
    if found not in names:
        raise InvalidDataError(
            f"{where}: there is no emotion {excerpt(value)!r} in the export. {did_you_mean(str(value), names)}"
        )
    return names[found]
