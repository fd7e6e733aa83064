"""Reads the feature pickles that the ECERC authors released: one for MELD, three for IEMOCAP.

Every pickle is a tuple of dictionaries by dialogue, with speakers, labels and sentences beside the vectors. All of them
are compared with the corpus, so that a vector reaches the utterance that it was computed from.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.errors import InvalidDataError, UsageError
from iemomecp_dataset.excerpts import excerpt, shown
from iemomecp_dataset.rejoining import whole_dialogues
from iemomecp_dataset.sources.pickle_entries import PickledEntries, open_pickle_entries

__all__ = ["N_VARIANTS", "read_emotion_pickle"]

N_VARIANTS = 4
"""Variants of the text and event vectors, numbered from 1; ECERC uses the first."""

_Rows = Mapping[str, Sequence[Mapping[str, Any]]]


@dataclass(frozen=True)
class _Layout:
    """Positions of the entries of a pickle, by its number of entries; empty where it has none.

    ``sentences`` lists the entries among which the dictionary of sentences is.
    """

    corpus: str
    vectors: Mapping[str, tuple[int, ...]]
    labels: int
    sentences: tuple[int, ...]
    ids: int | None = None
    splits: Mapping[str, int] | None = None


_TUNED, _GENERAL = (2, 3, 4, 5), (6, 7, 8, 9)
_LAYOUTS = {
    17: _Layout(
        "MELD",
        {"text": (3, 4, 5, 6), "event": (7, 8, 9, 10), "audio": (11,), "video": (12,)},
        labels=1,
        sentences=(13,),
        # Test comes before validation.
        splits={"train": 14, "test": 15, "validation": 16},
    ),
    9: _Layout("IEMOCAP", {"audio": (4,), "video": (5,)}, labels=2, sentences=(6,), ids=0),
    10: _Layout("IEMOCAP", {"text": _TUNED}, labels=1, sentences=(6,)),
    16: _Layout("IEMOCAP", {"text": _TUNED, "event": _GENERAL}, labels=1, sentences=(12, 13, 14, 15)),
}
_KINDS = {
    "MELD": "17 entries (meld_emotion_semantic_features_roberta.pkl)",
    "IEMOCAP": "9 entries (IEMOCAP_features.pkl: audio, video), 10 (iemocap_emotion_features_roberta.pkl: text) or 16 "
    "(iemocap_emotion_semantic_features_roberta.pkl: text, event)",
}


def read_emotion_pickle(
    path: Path, modality: str, rows: _Rows, *, variant: int = 1, is_meld: bool = False
) -> dict[str, NDArray[np.float32]] | None:
    """Reads the vectors of one modality, and compares the pickle with a corpus.

    A dialogue of IEMOCAP is found by its id. The keys of MELD's dialogues are arbitrary: they follow the order of the
    dialogues in each split. Labels must be equal, and sentences in their letters and digits, since the files differ in
    quotes and encoding.

    Args:
        path: The pickle.
        modality: ``text`` (vectors tuned on emotions), ``event`` (general text vectors), ``audio`` or ``video``.
        rows: Rows by split; those of one source dialogue are joined in the order of their source turns.
        variant: Which of the four text or event vectors, from 1.
        is_meld: Whether the rows are MELD; otherwise they are of IEMOCAP.

    Returns:
        ``(width,)`` by utterance id; utterances without a vector are absent. None if the file is not one of these
        pickles but may be ConvECPE's, which has 12 or 16 entries.

    Raises:
        UsageError: The file does not have vectors of this modality, or there is no such variant.
        UnsafeFileError: The pickle references code; nothing was run.
        InvalidDataError: The pickle is of another corpus, or disagrees with the rows in dialogues, lengths, ids, labels
            or sentences, or vectors differ in width; the message names dialogue and turn.
        MissingDataError: The file cannot be read.
    """
    expected = "MELD" if is_meld else "IEMOCAP"

    def chosen(n_entries: int) -> set[int]:
        layout = _LAYOUTS.get(n_entries)
        if layout is None or layout.corpus != expected:
            return set()
        # Entry 0 tells ConvECPE's pickle of 16 entries from that of the ECERC authors.
        kept = {layout.labels, *layout.sentences, *(layout.splits or {}).values(), 0}
        positions = layout.vectors.get(modality, ())
        return kept | ({positions[variant - 1]} if variant <= len(positions) else set())

    with open_pickle_entries(path, chosen) as pickled:
        layout = _LAYOUTS.get(pickled.n_entries)
        if not is_meld and (pickled.n_entries == 12 or (pickled.n_entries == 16 and _is_convecpe(pickled))):
            return None
        if layout is None and not is_meld:
            raise InvalidDataError(
                f"{path}: of ConvECPE expected a tuple of 12 or 16 entries, found {pickled.n_entries} entries; the "
                f"ECERC authors' features of IEMOCAP have {_KINDS['IEMOCAP']}."
            )
        if layout is None or layout.corpus != expected:
            what = f", as the features of {layout.corpus} have" if layout else ""
            raise InvalidDataError(
                f"{path}: expected features of {expected}, {_KINDS[expected]}; found {pickled.n_entries} entries{what}."
            )
        _check_choice(path, layout, modality, variant)
        return _Reader(path, pickled, layout, modality, variant).read(rows)


def _is_convecpe(pickled: PickledEntries) -> bool:
    first = pickled.entries.get(0)
    if not isinstance(first, dict):
        return False
    for key, value in first.items():
        ids = pickled.load(value)
        return isinstance(ids, list | tuple) and bool(ids) and str(ids[0]).startswith(str(key))
    return False


def _check_choice(path: Path, layout: _Layout, modality: str, variant: int) -> None:
    positions = layout.vectors.get(modality, ())
    if not positions:
        raise UsageError(
            f"{path} has no {modality} vectors but {' and '.join(layout.vectors)}; features of {layout.corpus} have "
            f"{_KINDS[layout.corpus]}."
        )
    if not 1 <= variant <= len(positions):
        raise UsageError(
            f"{path} has {len(positions)} variants of {modality} vectors, so there is no --variant {variant}."
        )


class _Reader:
    """Reads one pickle against one corpus."""

    def __init__(self, path: Path, pickled: PickledEntries, layout: _Layout, modality: str, variant: int) -> None:
        self._path, self._pickled, self._layout, self._modality = path, pickled, layout, modality
        self._labels = self._dictionary(layout.labels, "labels")
        self._vectors = self._dictionary(layout.vectors[modality][variant - 1], f"{modality} vectors")
        candidates = [number for number in layout.sentences if isinstance(pickled.entries[number], dict)]
        self._sentences = self._dictionary((*candidates, layout.sentences[0])[0], "sentences")
        self._ids = None if layout.ids is None else self._dictionary(layout.ids, "utterance ids")

    def _dictionary(self, number: int, name: str) -> dict[Any, Any]:
        entry = self._pickled.entries[number]
        if not isinstance(entry, dict) or not entry:
            raise InvalidDataError(
                f"{self._path}, entry {number}: expected the {name} as a dictionary by dialogue, found "
                f"{'an empty one' if isinstance(entry, dict) else type(entry).__name__}."
            )
        return entry

    def read(self, rows: _Rows) -> dict[str, NDArray[np.float32]]:
        vectors: dict[str, NDArray[np.float32]] = {}
        width: tuple[int, str] | None = None
        for key, dialogue_id, utterances in self._dialogues(rows):
            where = f"{self._path}, dialogue {dialogue_id}"
            self._compare(key, utterances, where)
            for turn, (utterance, vector) in enumerate(
                zip(utterances, self._read_vectors(key, len(utterances), where), strict=True), start=1
            ):
                if vector is None:
                    continue
                width = width or (vector.size, f"turn {turn} of dialogue {dialogue_id}")
                if vector.size != width[0]:
                    raise InvalidDataError(
                        f"{where}, turn {turn}: the {self._modality} vector has {vector.size} numbers, that of "
                        f"{width[1]} has {width[0]}. All vectors of a modality must be equally wide."
                    )
                vectors[utterance["utterance_id"]] = vector
        return vectors

    def _dialogues(self, rows: _Rows) -> Iterable[tuple[Any, str, Sequence[Mapping[str, Any]]]]:
        """Key in the pickle, id, and utterances of every dialogue of the corpus."""
        for split, split_rows in rows.items():
            dialogues = {row["dialogue_id"]: row["utterances"] for row in whole_dialogues(split_rows)}
            keys = list(dialogues) if self._layout.splits is None else self._keys(split, len(dialogues))
            for key, (dialogue_id, utterances) in zip(keys, dialogues.items(), strict=True):
                if key not in self._labels or key not in self._sentences:
                    raise InvalidDataError(
                        f"{self._path}: it has no labels or no sentences of dialogue {dialogue_id} (key {shown(key)}), "
                        "so its vectors cannot be checked. These may be features of another corpus."
                    )
                yield key, dialogue_id, utterances

    def _keys(self, split: str, n_dialogues: int) -> list[Any]:
        number = (self._layout.splits or {})[split]
        listed = self._pickled.load(self._pickled.entries[number])
        if isinstance(listed, dict | set | frozenset):
            # A set has no order of its own.
            listed = sorted(listed, key=_natural)
        keys = _listed(listed)
        if not all(isinstance(key, str | int | float | bytes) for key in keys):
            raise InvalidDataError(
                f"{self._path}, entry {number}: expected the keys of the {split} dialogues, found {shown(listed)}."
            )
        if len(keys) != n_dialogues:
            raise InvalidDataError(
                f"{self._path}, entry {number}: it lists {len(keys)} {split} dialogues, and the corpus has "
                f"{n_dialogues}. Dialogues are matched by their order, so all of them must be there."
            )
        return keys

    def _compare(self, key: Any, utterances: Sequence[Mapping[str, Any]], where: str) -> None:
        labels = _listed(self._pickled.load(self._labels[key]))
        sentences = _listed(self._pickled.load(self._sentences[key]))
        ids = None if self._ids is None else _listed(self._pickled.load(self._ids.get(key, [])))
        for name, column in (("labels", labels), ("sentences", sentences), ("utterance ids", ids)):
            if column is not None and len(column) != len(utterances):
                raise InvalidDataError(
                    f"{where}: the file has {len(column)} {name}, the corpus {len(utterances)} utterances."
                )
        for place, utterance in enumerate(utterances):
            found: list[tuple[str, Any, Any, bool]] = [
                ("label", labels[place], utterance["emotion"], _same_label(labels[place], utterance["emotion"])),
                ("sentence", sentences[place], utterance["text"], _same_words(sentences[place], utterance["text"])),
            ]
            if ids is not None:
                name = _text(ids[place])
                found.insert(0, ("utterance id", name, utterance["utterance_id"], name == utterance["utterance_id"]))
            for name, there, here, equal in found:
                if not equal:
                    # A licensed sentence is not repeated in a message.
                    # A label is shown as both write it, an id: 6, not '6' beside 6.
                    write = str if name == "label" else repr
                    shown = "" if name == "sentence" else f" {write(excerpt(there))}"
                    own = "" if name == "sentence" else f", {write(here)}"
                    raise InvalidDataError(
                        f"{where}, turn {place + 1}: the {name}{shown} of the file differs from that of the corpus"
                        f"{own}. These are features of other data, or in another order."
                    )

    def _read_vectors(self, key: Any, n_turns: int, where: str) -> Sequence[NDArray[np.float32] | None]:
        if key not in self._vectors:
            return [None] * n_turns
        value = self._pickled.load(self._vectors[key])
        if isinstance(value, np.ndarray) and value.ndim == 1 and n_turns == 1:
            value = value[None]
        n_found = len(value) if isinstance(value, list | tuple) or np.ndim(value) else 0
        if n_found != n_turns:
            raise InvalidDataError(f"{where}: expected {n_turns} {self._modality} vectors, found {n_found}.")
        try:
            read = [None if row is None or np.size(row) == 0 else np.asarray(row, dtype=np.float32) for row in value]
        except (TypeError, ValueError):
            raise InvalidDataError(
                f"{where}: expected {self._modality} vectors of numbers, found other values."
            ) from None
        for turn, row in enumerate(read, start=1):
            if row is not None and row.ndim != 1:
                raise InvalidDataError(f"{where}, turn {turn}: expected one vector, found shape {row.shape}.")
        return read


def _listed(value: Any) -> list[Any]:
    if isinstance(value, np.ndarray):
        value = np.atleast_1d(value).tolist()
    return list(value) if isinstance(value, list | tuple) else [value]


def _natural(key: Any) -> list[tuple[int, int, str]]:
    """Orders numbers by value, also inside strings: ``dia2`` before ``dia10``."""
    return [
        # By length, and not as numbers: Python reads none of thousands of digits.
        (0, len(part.lstrip("0")), part.lstrip("0")) if part[0] in _DIGITS else (1, 0, part)
        for part in re.findall(r"[0-9]+|[^0-9]+", excerpt(key, 10_000))
    ]


_DIGITS = frozenset("0123456789")


def _same_label(there: Any, here: Any) -> bool:
    there = np.asarray(there).reshape(-1)
    return there.size == 1 and here is not None and there.dtype.kind in "iuf" and float(there[0]) == here


def _text(value: Any) -> str:
    if isinstance(value, list | tuple) and len(value) == 1:
        value = value[0]
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _same_words(there: Any, here: str | None) -> bool:
    """Compares ASCII letters and digits: of quotes and accents, encodings make something else."""
    words = [re.sub(r"[^a-z0-9]", "", text.lower()) for text in (_text(there), here or "")]
    return words[0] == words[1]
