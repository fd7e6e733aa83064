"""Writes JSON in M3HG's layout: by dialogue one list that holds one list of turns. BridgeProt and others read it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from iemomecp_dataset.benchmark.peers.exports.peer_dialogues import PeerDialogue, peer_dialogues
from iemomecp_dataset.benchmark.peers.exports.request import Exported, ExportRequest
from iemomecp_dataset.benchmark.peers.positives import Positive
from iemomecp_dataset.corpus import Corpus
from iemomecp_dataset.files import write_json

__all__ = ["SPLIT_FILES", "count_clips", "export_m3hg_json", "turn_lists"]

SPLIT_FILES = {"train": "train_data_pair.json", "validation": "valid_data_pair.json", "test": "test_data_pair.json"}

_BEFORE, _AFTER = ("cause_modality", "confidence", "cause_type"), ("annotator_name",)
"""What MECAD's files state beside a cause, around it."""


def count_clips(dialogues: Iterable[PeerDialogue], counts: Counter[str]) -> None:
    """Counts the clips that the corpus does not name: the field must be there, so the utterance's id stands in it."""
    for dialogue in dialogues:
        named = sum(bool(utterance.get("video")) for utterance in dialogue.row["utterances"])
        counts["clips named after the utterance"] += len(dialogue.utterances) - named


def turn_lists(dialogues: Iterable[PeerDialogue]) -> dict[str, Any]:
    """Lays out dialogues.

    Args:
        dialogues: The dialogues, in the order of the file.

    Returns:
        By the peer's id a list of one list of turns. Only a turn with causes has the list of them. Where a row keeps
        what MECAD states beside a cause, its turns have that, too.

    See Also:
        :func:`iemomecp_dataset.corpora.turn_lists.read_turn_lists` reads it.
    """
    dialogues = list(dialogues)
    # A file with annotations names all its utterances, those of dialogues without causes too.
    has_names = any(dialogue.row.get("cause_annotations") for dialogue in dialogues)
    return {dialogue.peer_id: [_turns(dialogue, has_names)] for dialogue in dialogues}


def _turns(dialogue: PeerDialogue, has_names: bool) -> list[dict[str, Any]]:
    causes: dict[int, list[int]] = {}
    for target, cause in dialogue.pairs:
        causes.setdefault(target, []).append(cause)
    stated: list[Mapping[str, Any]] = dialogue.row.get("cause_annotations") or []
    annotations = {annotation["target_turn"]: annotation for annotation in stated}
    turns = []
    for turn, utterance in enumerate(dialogue.utterances, start=1):
        entry: dict[str, Any] = {
            "turn": turn,
            "speaker": utterance.speaker,
            "utterance": utterance.text,
            "emotion": utterance.emotion,
        }
        if has_names:
            entry["utterance_name"] = utterance.utterance_id
        entry["video"] = utterance.video
        annotation = annotations.get(turn, {})
        entry |= {key: annotation[key] for key in _BEFORE if annotation.get(key)}
        if turn in causes:
            entry["expanded emotion cause evidence"] = causes[turn]
        entry |= {key: annotation[key] for key in _AFTER if annotation.get(key)}
        turns.append(entry)
    return turns


def export_m3hg_json(
    corpus: Corpus, request: ExportRequest, positive: Positive, emotions: Mapping[str, str]
) -> Exported:
    """Writes one JSON file per split, with ids, texts and emotions as they are.

    Args:
        corpus: The corpus.
        request: What to export.
        positive: The class whose pairs are exported.
        emotions: The peer's name of every emotion.

    Returns:
        What was written.

    Raises:
        InvalidDataError: An utterance has no emotion that is known.
    """
    own_ids = {split: [str(row["dialogue_id"]) for row in rows] for split, rows in corpus.rows.items()}
    dialogues, counts = peer_dialogues(
        corpus, peer="M3HG's layout", positive=positive, emotions=emotions, ids=own_ids, layout="json"
    )
    for split, of_split in dialogues.items():
        count_clips(of_split, counts[split])
        write_json(request.output_dir / SPLIT_FILES[split], turn_lists(of_split), indent=4)
    return Exported(
        dialogues=dialogues,
        counts=counts,
        files=[SPLIT_FILES[split] for split in dialogues],
        not_written=[name for split, name in SPLIT_FILES.items() if split not in dialogues],
    )
