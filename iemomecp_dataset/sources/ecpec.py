"""Reads ConvECPE, the source annotation: speaker, text, emotion and cause turns of every utterance."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from iemomecp_dataset.errors import InvalidDataError, MissingDataError
from iemomecp_dataset.excerpts import excerpt, shown
from iemomecp_dataset.sources.restricted_pickle import read_restricted_pickle

__all__ = [
    "ECPEC_SOURCE",
    "FEATURE_ENTRIES",
    "Ecpec",
    "SourceDialogue",
    "find_ecpec",
    "listed_splits",
    "read_ecpec",
    "read_ecpec_tuple",
]

ECPEC_SOURCE = "clone the ECPEC repository of the ConvECPE authors (https://github.com/SenticNet/ECPEC)"
"""How to obtain the annotation, for error messages."""

PICKLE_NAME = "IEMOCAP_emotion_cause_features.pkl"

_ENTRIES = ("utterance ids", "speakers", "emotions", "first causes", "second causes", "third causes")
# A variant of 16 entries has four dictionaries of predicted labels after the causes, which shift the later ones.
_SENTENCES = {12: 9, 16: 13}
_N_EMOTIONS = 6

FEATURE_ENTRIES: Mapping[int, Mapping[str, int]] = {
    12: {"text": 6, "audio": 7, "video": 8},
    16: {"text": 10, "audio": 11, "video": 12},
}
"""Position of each modality's features in the tuple, by its number of entries."""


@dataclass(frozen=True)
class SourceDialogue:
    """One dialogue of ConvECPE; every sequence has one entry per utterance.

    Attributes:
        dialogue_id: Id of the IEMOCAP dialogue.
        utterance_ids: Ids of the IEMOCAP utterances, in order.
        speakers: ``F`` or ``M``.
        emotions: Ids of :data:`iemomecp_dataset.schema.IEMOCAP_EMOTIONS`.
        sentences: Text as ConvECPE has it, which can differ from the IEMOCAP transcript.
        pairs: Distinct ``(target_turn, cause_turn)``, 1-based, forward pairs included.
    """

    dialogue_id: str
    utterance_ids: tuple[str, ...]
    speakers: tuple[str, ...]
    emotions: tuple[int, ...]
    sentences: tuple[str, ...]
    pairs: frozenset[tuple[int, int]]

    def __len__(self) -> int:
        return len(self.utterance_ids)


@dataclass(frozen=True)
class Ecpec:
    """The ConvECPE annotation.

    Attributes:
        path: The pickle it was read from.
        dialogues: Dialogues by id.
        duplicate_causes: Number of causes that an utterance lists again; each cause counts once.
        n_entries: Entries of the pickled tuple, 12 or 16.
        listed: Its dialogues of train and of test as they stand in the file; :func:`listed_splits` checks them.
    """

    path: Path
    dialogues: Mapping[str, SourceDialogue]
    duplicate_causes: int
    n_entries: int
    listed: tuple[Any, Any] = ((), ())


def find_ecpec(root: Path) -> Path:
    """Finds the pickle of the annotation.

    Args:
        root: The ECPEC repository, its folder ``Dataset``, or the file itself.

    Returns:
        Path of the pickle.

    Raises:
        MissingDataError: The pickle is not in any of these places.
    """
    places = [root] if root.is_file() else [root / "Dataset" / PICKLE_NAME, root / PICKLE_NAME]
    for place in places:
        if place.is_file():
            return place
    raise MissingDataError(
        f"The ConvECPE annotation {PICKLE_NAME} is missing. Looked for {' and '.join(str(p) for p in places)}. "
        f"To obtain it: {ECPEC_SOURCE}."
    )


def read_ecpec(path: Path) -> Ecpec:
    """Reads the annotation from its pickle, without running any code in it.

    Args:
        path: ``IEMOCAP_emotion_cause_features.pkl``, with 12 or 16 entries.

    Returns:
        All dialogues.

    Raises:
        UnsafeFileError: The pickle references code; nothing was run.
        InvalidDataError: The file is malformed; the message names dialogue and turn.
        MissingDataError: The file cannot be read.

    See Also:
        :func:`iemomecp_dataset.features.importers.convecpe_features.read_convecpe_features` for the features in it.
    """
    content = read_ecpec_tuple(path)
    wanted = [*zip(_ENTRIES, content[:6], strict=True), ("sentences", content[_SENTENCES[len(content)]])]
    for name, entry in wanted:
        if not isinstance(entry, dict):
            raise InvalidDataError(
                f"{path}: expected the {name} as a dictionary by dialogue, found {type(entry).__name__}."
            )
    by_name: dict[str, dict[Any, Any]] = dict(wanted)
    ids = by_name["utterance ids"]
    if not ids:
        raise InvalidDataError(f"{path}: the file contains no dialogues.")
    for name, entry in by_name.items():
        if entry.keys() != ids.keys():
            odd = sorted(excerpt(key, 80) for key in entry.keys() ^ ids.keys())
            raise InvalidDataError(
                f"{path}: the {name} and the utterance ids cover different dialogues ({len(odd)}, such as {odd[0]!r})."
            )
    dialogues: dict[str, SourceDialogue] = {}
    owner: dict[str, str] = {}
    duplicates = 0
    for key in ids:
        dialogue, repeated = _dialogue(path, key, {name: entry[key] for name, entry in by_name.items()})
        for utterance_id in dialogue.utterance_ids:
            if utterance_id in owner:
                raise InvalidDataError(
                    f"{path}, dialogue {key!r}: utterance id {utterance_id!r} already occurs in dialogue "
                    f"{owner[utterance_id]!r}."
                )
            owner[utterance_id] = dialogue.dialogue_id
        dialogues[dialogue.dialogue_id] = dialogue
        duplicates += repeated
    return Ecpec(
        path=path,
        dialogues=dialogues,
        duplicate_causes=duplicates,
        n_entries=len(content),
        listed=(content[-2], content[-1]),
    )


def listed_splits(ecpec: Ecpec) -> dict[str, tuple[str, ...]]:
    """Reads which dialogues are for training and which for testing.

    Args:
        ecpec: The annotation.

    Returns:
        Ids of ``train`` and ``test`` in file order; sorted where the file has a set, whose order is not defined.

    Raises:
        InvalidDataError: The two do not divide the dialogues among them.
    """
    found: dict[str, tuple[str, ...]] = {}
    for split, listed in zip(("train", "test"), ecpec.listed, strict=True):
        names = listed.tolist() if isinstance(listed, np.ndarray) else listed
        if not isinstance(names, list | tuple | set | frozenset):
            raise InvalidDataError(f"{ecpec.path}: expected a list of {split} dialogues, found {type(names).__name__}.")
        decoded = [excerpt(_scalar(name), 200) for name in names]
        found[split] = tuple(sorted(decoded) if isinstance(names, set | frozenset) else decoded)
    both = [*found["train"], *found["test"]]
    odd = sorted({name for name in both if both.count(name) > 1} | (ecpec.dialogues.keys() ^ set(both)))
    if odd or not all(found.values()):
        raise InvalidDataError(
            f"{ecpec.path}: the lists of train ({len(found['train'])}) and test dialogues ({len(found['test'])}) must "
            f"have every dialogue once, {len(ecpec.dialogues)} together"
            + (f"; {len(odd)} are missing, unknown or repeated, such as {odd[0][:40]!r}." if odd else ".")
        )
    return found


def read_ecpec_tuple(path: Path) -> Sequence[Any]:
    """Reads the pickled tuple and checks its length alone.

    Args:
        path: ``IEMOCAP_emotion_cause_features.pkl``.

    Returns:
        12 or 16 entries: utterance ids, speakers, emotions, causes (3), predicted labels (4, with 16 entries), features
        (3), sentences, dialogues of train and test.

    Raises:
        UnsafeFileError: The pickle references code; nothing was run.
        InvalidDataError: The file is not a pickle of 12 or 16 entries.
        MissingDataError: The file cannot be read.
    """
    content = read_restricted_pickle(path)
    if not isinstance(content, tuple | list) or len(content) not in _SENTENCES:
        found = f"{len(content)} entries" if isinstance(content, tuple | list) else type(content).__name__
        raise InvalidDataError(f"{path}: expected a tuple of 12 or 16 entries, found {found}.")
    return content


def _dialogue(path: Path, key: object, entries: Mapping[str, Any]) -> tuple[SourceDialogue, int]:
    where = f"{path}, dialogue {excerpt(key, 80)!r}"
    if not isinstance(key, str) or not key:
        raise InvalidDataError(f"{where}: expected a dialogue id, found {type(key).__name__}.")
    columns = {name: _sequence(entry, f"{where}, {name}") for name, entry in entries.items()}
    n_turns = len(columns["utterance ids"])
    if n_turns == 0:
        raise InvalidDataError(f"{where}: the dialogue has no utterances.")
    for name, column in columns.items():
        if len(column) != n_turns:
            raise InvalidDataError(f"{where}: {n_turns} utterance ids, but {len(column)} {name}.")
    pairs: set[tuple[int, int]] = set()
    repeated = 0
    for turn in range(1, n_turns + 1):
        for name in _ENTRIES[3:]:
            cause = _cause(columns[name][turn - 1], n_turns, f"{where}, turn {turn}, {name}")
            if cause is not None:
                repeated += (turn, cause) in pairs
                pairs.add((turn, cause))
    return (
        SourceDialogue(
            dialogue_id=key,
            utterance_ids=tuple(
                _text(value, f"{where}, turn {turn}, utterance id")
                for turn, value in enumerate(columns["utterance ids"], start=1)
            ),
            speakers=tuple(
                _speaker(value, f"{where}, turn {turn}") for turn, value in enumerate(columns["speakers"], start=1)
            ),
            emotions=tuple(
                _emotion(value, f"{where}, turn {turn}") for turn, value in enumerate(columns["emotions"], start=1)
            ),
            sentences=tuple(
                _text(value, f"{where}, turn {turn}, sentence", empty=True)
                for turn, value in enumerate(columns["sentences"], start=1)
            ),
            pairs=frozenset(pairs),
        ),
        repeated,
    )


def _sequence(value: Any, where: str) -> Sequence[Any]:
    if isinstance(value, np.ndarray):
        listed = value.tolist()
        value = listed if isinstance(listed, list) else [listed]
    if isinstance(value, list | tuple):
        return value
    if isinstance(value, dict | set | frozenset):
        raise InvalidDataError(f"{where}: expected one entry per utterance, found {type(value).__name__}.")
    return [value]  # The value of a dialogue of one utterance may stand there without a list.


def _scalar(value: Any) -> Any:
    """Unwraps arrays and lists of one element, and decodes latin-1 bytes."""
    while True:
        if isinstance(value, np.ndarray):
            value = value.tolist()
        elif isinstance(value, list | tuple) and len(value) == 1:
            value = value[0]
        elif isinstance(value, bytes):
            value = value.decode("latin-1")
        else:
            return value


def _integer(value: Any) -> int | None:
    """Converts integers, whole floats and digits to an integer; anything else to None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit() and len(value) < 10:
        return int(value)
    return None


def _cause(value: Any, n_turns: int, where: str) -> int | None:
    value = _scalar(value)
    if value is None or (isinstance(value, list | tuple) and not value):
        return None
    if isinstance(value, str) and value.strip().upper() in ("N", "NONE", ""):
        return None
    cause = _integer(value)
    if cause is None:
        raise InvalidDataError(f"{where}: expected a turn, 0, None or 'N', found {excerpt(value)!r}.")
    if cause == 0:
        return None
    if not 1 <= cause <= n_turns:
        raise InvalidDataError(
            f"{where}: cause {shown(cause)} is outside the dialogue, which has turns 1 to {n_turns}."
        )
    return cause


def _emotion(value: Any, where: str) -> int:
    emotion = _integer(_scalar(value))
    if emotion is None or not 0 <= emotion < _N_EMOTIONS:
        raise InvalidDataError(f"{where}: expected an emotion id from 0 to 5, found {excerpt(value)!r}.")
    return emotion


def _speaker(value: Any, where: str) -> str:
    speaker = _scalar(value)
    if isinstance(speaker, str) and speaker.strip().upper() in ("F", "M"):
        return speaker.strip().upper()
    raise InvalidDataError(f"{where}: expected the speaker 'F' or 'M', found {excerpt(value)!r}.")


def _text(value: Any, where: str, *, empty: bool = False) -> str:
    text = _scalar(value)
    if not isinstance(text, str):
        raise InvalidDataError(f"{where}: expected text, found {type(text).__name__}.")
    # Python 2 pickled UTF-8 bytes, which were decoded as latin-1.
    with contextlib.suppress(UnicodeError):
        text = text.encode("latin-1").decode("utf-8")
    text = text.strip()
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidDataError(
            f"{where}: half of a surrogate pair in {shown(text.encode('utf-8', 'replace').decode())}, so a letter is "
            "cut in two. Clone the repository of ConvECPE again, or correct the text."
        ) from None
    if not text and not empty:
        raise InvalidDataError(f"{where}: the text is empty.")
    return text
