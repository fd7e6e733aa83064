"""Exports the input files of HiLo (WHULACC/hilo): ``data/dataset`` of a clone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from iemomecp_dataset.benchmark.peers.exports.ecf_layout import count_times, ecf_text
from iemomecp_dataset.benchmark.peers.exports.feature_arrays import write_mapping
from iemomecp_dataset.benchmark.peers.exports.peer_dialogues import PeerDialogue, integer_ids, peer_dialogues
from iemomecp_dataset.benchmark.peers.exports.request import Exported, ExportRequest
from iemomecp_dataset.benchmark.peers.exports.shared_arrays import in_order_of_ids, write_arrays
from iemomecp_dataset.benchmark.peers.exports.word_pieces import NOT_COUNTED, count_word_pieces
from iemomecp_dataset.benchmark.peers.positives import Positive
from iemomecp_dataset.corpus import Corpus
from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.files import write_text

__all__ = ["export_hilo"]

_FOLDER = "data/dataset"
_FILES = {"train": "train.txt", "validation": "valid.txt", "test": "test.txt"}
_NEUTRAL = "neutral"
_LONGEST_UTTERANCE = 35


def export_hilo(corpus: Corpus, request: ExportRequest, positive: Positive, emotions: Mapping[str, str]) -> Exported:
    """Writes the three splits, two arrays and the mapping.

    Args:
        corpus: The corpus.
        request: What to export.
        positive: The class whose pairs are exported.
        emotions: The peer's name of every emotion.

    Returns:
        What was written.

    Raises:
        InvalidDataError: No dialogue of train begins with a neutral utterance, or an emotion or vectors are missing.
    """
    dialogues, counts = peer_dialogues(
        corpus, peer="HiLo", positive=positive, emotions=emotions, ids=integer_ids(corpus)
    )
    notes = []
    moved = None
    order: list[str] = []
    if "train" in dialogues:
        dialogues["train"], moved = _neutral_first(dialogues["train"])
        order = _by_appearance(dialogues["train"])
    if moved is not None:
        counts["train"]["dialogues moved to the front, since they begin neutrally"] += 1
        notes.append(f"HiLo's train file begins with dialogue {moved!r}, whose first utterance is neutral.")
    if request.bert is not None:
        count_word_pieces(request.bert, dialogues, counts, of_utterance=_LONGEST_UTTERANCE)
    folder = request.output_dir / _FOLDER
    for split, of_split in dialogues.items():
        count_times(of_split, counts[split])
        write_text(folder / _FILES[split], ecf_text(of_split))
    ordered = in_order_of_ids(dialogues)
    arrays = write_arrays(folder, dialogues, ordered, request, counts)
    write_mapping(
        folder / "video_id_mapping.npy", (utterance.key for dialogue in ordered for utterance in dialogue.utterances)
    )
    notes += [*_emotion_notes(request, order), *arrays.notes]
    return Exported(
        dialogues=dialogues,
        counts=counts,
        files=[f"{_FOLDER}/{name}" for name in (*(_FILES[split] for split in dialogues), *arrays.files)],
        not_written=[f"{_FOLDER}/{name}" for split, name in _FILES.items() if split not in dialogues],
        options={"hilo_emotions": request.hilo_emotions, "moved_first": moved, **arrays.options},
        notes=notes,
        howto={
            "audio_dim": str(arrays.audio.width),
            "video_dim": str(arrays.video.width),
            "emo_cat": "yes" if request.hilo_emotions == "categories" else "no",
            "emotion_ids": _emotion_ids(request, order),
            "ceiling": _ceiling(counts),
            "word_pieces": f"({NOT_COUNTED})" if request.bert is None else "(they are counted in the table above)",
            "launcher": str(Path(__file__).parents[1] / "launch_hilo.py"),
        },
    )


def _neutral_first(dialogues: Sequence[PeerDialogue]) -> tuple[list[PeerDialogue], str | None]:
    """Moves the first dialogue that begins neutrally to the front; also its ``dialogue_id``, if it was not there."""
    for place, dialogue in enumerate(dialogues):
        if dialogue.utterances[0].emotion == _NEUTRAL:
            if place == 0:
                return list(dialogues), None
            return [dialogue, *dialogues[:place], *dialogues[place + 1 :]], dialogue.dialogue_id
    raise InvalidDataError(
        f"None of the {len(dialogues)} train dialogues begins with a neutral utterance. HiLo gives emotion id 0, which "
        "it takes for no emotion, to the first emotion of its train file, so it cannot be trained on this split."
    )


def _by_appearance(dialogues: Sequence[PeerDialogue]) -> list[str]:
    """Emotions in the order of HiLo's ids."""
    return list(dict.fromkeys(utterance.emotion for dialogue in dialogues for utterance in dialogue.utterances))


def _emotion_ids(request: ExportRequest, order: Sequence[str]) -> str:
    if request.hilo_emotions == "binary":
        return "0 neutral, 1 emotional"
    return ", ".join(f"{number} {name}" for number, name in enumerate(order)) or "unknown, for there is no train split"


def _emotion_notes(request: ExportRequest, order: Sequence[str]) -> list[str]:
    if request.hilo_emotions == "binary":
        return ["HiLo was set to two emotions (emo_cat is not yes), so that its pair filter keeps emotional targets."]
    second = f", which is {order[1]} here," if len(order) > 1 else ""
    return [
        f"HiLo was set to emotion categories, its default: its pair filter keeps pairs whose target has emotion id 1"
        f"{second} or whose cause id is 1."
    ]


def _ceiling(counts: Mapping[str, Counter[str]]) -> str:
    """Largest recall of each scored split: pairs with a later cause are outside HiLo's mask."""
    lines = []
    for split in ("validation", "test"):
        total = counts.get(split, Counter())["positive pairs"]
        if total:
            later = counts[split]["positive pairs with a later cause"]
            lines.append(f"{100 * (total - later) / total:.1f} % on {split} ({later} of {total} pairs)")
    return ", ".join(lines) or "not defined without pairs to find"
