"""Reads ECGF, written from its description and not verified on genuine files.

The keys of its rows are not documented, so a few spellings are taken; what a file has instead is named in the error.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from iemomecp_dataset.corpora.clips import read_clip
from iemomecp_dataset.corpora.dialogues import CorpusDialogue, CorpusUtterance
from iemomecp_dataset.corpora.metadata import CORPORA, emotion_aliases
from iemomecp_dataset.corpora.semeval_json import turn_number
from iemomecp_dataset.errors import InvalidDataError, did_you_mean
from iemomecp_dataset.excerpts import excerpt
from iemomecp_dataset.field_checks import described, is_integer, json_kind
from iemomecp_dataset.files import read_json
from iemomecp_dataset.schema import EXPLANATION_STATUSES, ExplanationRow

__all__ = ["KEYS", "read_ecgf"]

KEYS: Mapping[str, tuple[str, ...]] = {
    "id of the conversation": ("conversation_ID", "conversation_id", "dialogue_id", "dialog_id", "dia_id", "id"),
    "list of utterances": ("conversation", "dialogue", "dialog", "utterances", "turns"),
    "number of the utterance": ("utterance_ID", "utterance_id", "utt_id", "turn", "id"),
    "text": ("text", "utterance", "sentence"),
    "speaker": ("speaker", "Speaker"),
    "emotion": ("emotion", "Emotion", "emotion_label"),
    "cause": (
        *("cause", "emotion_cause", "abstractive_cause", "generated_cause", "cause_text", "cause_summary"),
        *("explanation", "reason"),
    ),
}
"""Accepted spellings of each key; the first that is there counts."""


def read_ecgf(path: Path, counts: Counter[str]) -> Iterator[CorpusDialogue]:
    """Reads a split: a list of conversations, or an object of them by id.

    Args:
        path: The file.
        counts: Receives two counts: of neutral utterances, whose fixed sentence that there is no cause is left out, and
            of emotional utterances with an empty cause.

    Yields:
        The conversations, in file order, without pairs.

    Raises:
        InvalidDataError: The file is malformed, or none of the spellings of a key is there; the message names file,
            conversation and turn, and the keys that were found.
        MissingDataError: The file cannot be read.
    """
    content = read_json(path)
    if isinstance(content, dict) and content:
        content = [
            {"conversation_ID": key, **(entry if isinstance(entry, dict) else {"conversation": entry})}
            for key, entry in content.items()
        ]
    if not isinstance(content, list) or not content:
        raise InvalidDataError(
            f"{path}: expected a list of conversations, or an object of them by id, found {described(content)}."
        )
    for position, entry in enumerate(content, start=1):
        yield _conversation(entry, f"{path}, conversation at position {position}", counts)


def _conversation(entry: Any, where: str, counts: Counter[str]) -> CorpusDialogue:
    number = _value(entry, "id of the conversation", where)
    if not (is_integer(number) or (isinstance(number, str) and number.strip())):
        raise InvalidDataError(
            f"{where}: the id of the conversation must be a number or text, but is {excerpt(number)!r}."
        )
    dialogue_id = str(number).strip()
    turns = _value(entry, "list of utterances", where)
    if not isinstance(turns, list) or not turns:
        raise InvalidDataError(f"{where}: expected a list of utterances, found {json_kind(turns)}.")
    utterances = []
    explanations: list[ExplanationRow] = []
    for turn, spoken in enumerate(turns, start=1):
        place = f"{where}, turn {turn}"
        utterance = _utterance(spoken, dialogue_id, turn, place)
        utterances.append(utterance)
        neutral = utterance.emotion == "neutral"
        cause = _value(spoken, "cause", place, required=not neutral)
        if cause is not None and not isinstance(cause, str):
            raise InvalidDataError(f"{place}: the cause must be text, but is {json_kind(cause)}.")
        text = (cause or "").strip()
        if neutral:
            counts["sentences of neutral utterances (no explanations)"] += bool(text)
        elif text:
            status = EXPLANATION_STATUSES.index("complete")
            explanations.append({"target_turn": turn, "text": text, "status": status, "cause_turns": []})
        else:
            counts["emotional utterances without a cause"] += 1
    return CorpusDialogue(dialogue_id, utterances, frozenset(), explanations)


def _utterance(entry: Any, dialogue_id: str, turn: int, where: str) -> CorpusUtterance:
    number = _value(entry, "number of the utterance", where, required=False)
    if number is not None and turn_number(number) not in (turn, None):
        raise InvalidDataError(f"{where}: expected utterance {turn}, found number {excerpt(number, 20)!r}.")
    fields = {}
    for name in ("text", "speaker", "emotion"):
        fields[name] = _value(entry, name, where)
        if not isinstance(fields[name], str) or not fields[name].strip():
            raise InvalidDataError(f"{where}: the {name} must be text, but is {excerpt(fields[name])!r}.")
    known = emotion_aliases(CORPORA["ecgf"].emotions)
    emotion = fields["emotion"].strip().lower()
    if emotion not in known:
        raise InvalidDataError(f"{where}: unknown emotion {emotion[:40]!r}. {did_you_mean(emotion[:40], known)}")
    clip = read_clip(entry, where)
    return CorpusUtterance(
        utterance_id=CORPORA["ecgf"].utterance_id(dialogue_id, turn),
        speaker=fields["speaker"].strip(),
        text=fields["text"].strip(),
        emotion=known[emotion],
        start=clip.start,
        end=clip.end,
        video=clip.video,
    )


def _value(entry: Any, what: str, where: str, *, required: bool = True) -> Any:
    if not isinstance(entry, dict):
        raise InvalidDataError(f"{where}: expected an object, found {json_kind(entry)}.")
    keys: Sequence[str] = KEYS[what]
    found = next((key for key in keys if key in entry), None)
    if found is not None:
        return entry[found]
    if required:
        raise InvalidDataError(
            f"{where}: there is no key for the {what}; expected one of {', '.join(keys)}, found the keys "
            f"{', '.join(excerpt(key) for key in list(entry)[:20])}. The reader was written without a genuine file: "
            f"rename the key, and report its spelling."
        )
    return None
