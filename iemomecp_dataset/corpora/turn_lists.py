"""Reads JSON with one list of turns per dialogue: MECAD, RECCON, and some re-encodings of ECF."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from iemomecp_dataset.corpora.annotations import read_cause_annotation
from iemomecp_dataset.corpora.clips import read_clip
from iemomecp_dataset.corpora.dialogues import CorpusDialogue, CorpusUtterance
from iemomecp_dataset.corpora.metadata import corpus_metadata
from iemomecp_dataset.errors import InvalidDataError, did_you_mean
from iemomecp_dataset.excerpts import excerpt
from iemomecp_dataset.field_checks import check_text_fields, is_integer
from iemomecp_dataset.files import read_json
from iemomecp_dataset.schema import EXPLANATION_STATUSES, CauseAnnotationRow, ExplanationRow

__all__ = ["EMOTION_TABLES", "IEMOCAP_PART", "read_turn_lists"]

_EVIDENCE = "expanded emotion cause evidence"
_LATENT = "b"
_EXPLANATION = "explanation"

IEMOCAP_PART = "reccon (IEMOCAP)"
"""Key of the emotions of RECCON's part on IEMOCAP."""

EMOTION_TABLES: Mapping[str, Mapping[str, str | None]] = {
    "ecf": {name: name for name in ("neutral", "joy", "surprise", "anger", "sadness", "disgust", "fear")},
    "mecad": {name: name for name in ("neutral", "happy", "surprise", "anger", "sad", "disgust", "fear")},
    "reccon": {
        "neutral": "neutral",
        "happiness": "happiness",
        "happines": "happiness",
        "happy": "happiness",
        "excited": "happiness",
        "surprise": "surprise",
        "surprised": "surprise",
        "anger": "anger",
        "angry": "anger",
        "sadness": "sadness",
        "sad": "sadness",
        "disgust": "disgust",
        "fear": "fear",
    },
    # IEMOCAP tells happiness from excitement, and anger from frustration; its labels are written out, or in its codes.
    IEMOCAP_PART: {
        label: name
        for name, labels in {
            "neutral": ("neutral", "neu"),
            "happiness": ("happiness", "happy", "hap"),
            "excitement": ("excitement", "excited", "exc"),
            "surprise": ("surprise", "surprised", "sur"),
            "anger": ("anger", "angry", "ang"),
            "frustration": ("frustration", "frustrated", "fru"),
            "sadness": ("sadness", "sad"),
            "disgust": ("disgust", "disgusted", "dis"),
            "fear": ("fear", "fearful", "fea"),
            "other": ("other", "oth"),
            None: ("xxx",),
        }.items()
        for label in labels
    },
}
"""Emotion names by the labels found in the files (compared in lower case), for each corpus; None: not agreed on."""


def read_turn_lists(
    path: Path, corpus: str, counts: Counter[str], *, emotions: str | None = None
) -> Iterator[CorpusDialogue]:
    """Reads one split.

    Args:
        path: The file: ``{"dialogue": [[{"turn", "speaker", "utterance", "emotion", ...}]]}``.
        corpus: Configuration name.
        counts: Receives the number of latent causes (``"b"``), which give no pair, of causes listed again, of speakers
            with blanks around their names, of emotions that annotators did not agree on, and of annotations of causes
            of another type.
        emotions: Key of :data:`EMOTION_TABLES`; that of the corpus unless given.

    Yields:
        The dialogues, in file order.

    Raises:
        InvalidDataError: The file is malformed; the message names file, dialogue and turn.
        MissingDataError: The file cannot be read.
    """
    content = read_json(path)
    if not isinstance(content, dict) or not content:
        raise InvalidDataError(f"{path}: expected an object by dialogue, found {_kind(content)}.")
    explained = corpus_metadata(corpus).has_explanations
    for dialogue_id, wrapped in content.items():
        where = f"{path}, dialogue {excerpt(dialogue_id, 80)!r}"
        # Each list of turns is wrapped in another list.
        turns = wrapped[0] if isinstance(wrapped, list) and len(wrapped) == 1 else None
        if not isinstance(turns, list) or not turns:
            raise InvalidDataError(f"{where}: expected a list that contains one list of turns, found {_kind(wrapped)}.")
        listed: list[tuple[int, int]] = []
        utterances = []
        annotated: list[CauseAnnotationRow] = []
        explanations: list[ExplanationRow] = []
        for turn, entry in enumerate(turns, start=1):
            utterances.append(_utterance(entry, turn, dialogue_id, corpus, EMOTION_TABLES[emotions or corpus], where))
            counts["emotions that annotators did not agree on (null)"] += utterances[-1].emotion is None
            counts["speaker names with blanks around them (stripped)"] += entry["speaker"] != entry["speaker"].strip()
            causes: set[int] = set()
            for cause in _causes(entry, len(turns), f"{where}, turn {turn}", counts):
                counts["causes named more than once (counted once)"] += cause in causes
                listed.append((turn, cause))
                causes.add(cause)
            if (annotation := read_cause_annotation(entry, turn, counts)) is not None:
                annotated.append(annotation)
            if explained and (text := _explanation(entry, f"{where}, turn {turn}")):
                explanations.append(
                    {
                        "target_turn": turn,
                        "text": text,
                        "status": EXPLANATION_STATUSES.index("complete"),
                        "cause_turns": sorted(causes),
                    }
                )
        yield CorpusDialogue(
            dialogue_id=dialogue_id,
            utterances=utterances,
            gold=frozenset(listed),
            explanations=explanations,
            listed=listed,
            cause_annotations=annotated,
        )


def _utterance(
    entry: Any, turn: int, dialogue_id: str, corpus: str, table: Mapping[str, str | None], where: str
) -> CorpusUtterance:
    if not isinstance(entry, dict):
        raise InvalidDataError(f"{where}, turn {turn}: expected an object, found {_kind(entry)}.")
    number = entry.get("turn")
    if isinstance(number, bool) or number != turn:
        raise InvalidDataError(f"{where}: expected turn {turn}, found {excerpt(number, 20)!r}.")
    check_text_fields(entry, ("speaker", "utterance", "emotion"), f"{where}, turn {turn}")
    emotion = entry["emotion"].strip().lower()
    if emotion not in table:
        raise InvalidDataError(
            f"{where}, turn {turn}: unknown emotion {entry['emotion'][:40]!r}. {did_you_mean(emotion[:40], table)}"
        )
    clip = read_clip(entry, f"{where}, turn {turn}")
    return CorpusUtterance(
        utterance_id=corpus_metadata(corpus).utterance_id(dialogue_id, turn, entry.get("utterance_name")),
        speaker=entry["speaker"].strip(),
        text=entry["utterance"].strip(),
        emotion=table[emotion],
        start=clip.start,
        end=clip.end,
        video=clip.video,
        times=clip.times,
    )


def _explanation(entry: Mapping[str, Any], where: str) -> str:
    """The explanation that annotators of RECCON could add; empty where there is none."""
    text = entry.get(_EXPLANATION)
    if text is not None and not isinstance(text, str):
        raise InvalidDataError(f"{where}: {_EXPLANATION!r} must be text, but is {_kind(text)}.")
    return (text or "").strip()


def _causes(entry: Mapping[str, Any], n_turns: int, where: str, counts: Counter[str]) -> Iterator[int]:
    evidence = entry.get(_EVIDENCE, [])
    if not isinstance(evidence, list):
        raise InvalidDataError(f"{where}: {_EVIDENCE!r} must be a list, but is {_kind(evidence)}.")
    for cause in evidence:
        if cause == _LATENT:
            counts["latent causes outside the dialogue (no pairs)"] += 1
        elif not is_integer(cause):
            raise InvalidDataError(f"{where}: expected a cause turn or 'b', found {excerpt(cause)!r}.")
        elif not 1 <= cause <= n_turns:
            raise InvalidDataError(
                f"{where}: cause {excerpt(cause)} points outside the dialogue, which has turns 1 to {n_turns}."
            )
        else:
            yield cause


def _kind(value: Any) -> str:
    return "null" if value is None else f"{type(value).__name__} {excerpt(value)!r}"
