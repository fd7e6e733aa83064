"""Card of a feature store: model, settings, corpus and versions; claims a folder for one extraction."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from iemomecp_dataset.command_line import command_hint
from iemomecp_dataset.corpora.metadata import CORPORA, IEMOMECP
from iemomecp_dataset.errors import IemomecpError, InvalidDataError, MissingDataError, UsageError
from iemomecp_dataset.excerpts import excerpt
from iemomecp_dataset.features.store.store_layout import CARD_NAME, INDEX_NAME
from iemomecp_dataset.field_checks import is_integer
from iemomecp_dataset.files import make_folder, read_json, write_bytes

__all__ = ["UNKNOWN_CORPUS", "StoreCard", "check_store", "check_use", "claim_store", "read_card"]

UNKNOWN_CORPUS = "unknown"
"""Corpus of a store whose writer did not name one."""

_FORMAT = 1
_STORE_DTYPES = ("float32", "float16")


@dataclass(frozen=True)
class StoreCard:
    """Everything that determines the vectors of a store: extractions with equal cards give equal stores.

    Attributes:
        modality: ``audio``, ``video``, ``text``, ``event`` (general text vectors), or ``frames`` (tokens of clips).
        model: Name of the encoder, or of the imported features.
        revision: Commit of the encoder on the Hub, or a hash of the weights in a local folder.
        corpus: Corpus and configuration.
        corpus_fingerprints: Content hash by split, see :func:`iemomecp_dataset.fingerprints.data_fingerprint`.
        utterances: Hash of the utterances with their texts and times, in order.
        n_utterances: Number of utterances.
        n_shards: Number of shards of the complete store.
        synthetic: Whether the corpus is synthetic.
        size: Width of a vector.
        dtype: ``float32`` or ``float16``.
        settings: All other settings of the extraction.
        versions: Versions of the libraries that computed the vectors, and the kind of device.
    """

    modality: str
    model: str
    revision: str
    corpus: str
    corpus_fingerprints: Mapping[str, str]
    utterances: str
    n_utterances: int
    n_shards: int
    synthetic: bool
    size: int
    dtype: str
    settings: Mapping[str, str | int | float | bool | None]
    versions: Mapping[str, str]

    def to_json(self) -> str:
        """Serializes the card, without times and paths, so that equal extractions give equal bytes."""
        return json.dumps({"format": _FORMAT} | dataclasses.asdict(self), indent=2, sort_keys=True) + "\n"

    @property
    def statement(self) -> str:
        """Describes the store in one line."""
        synthetic = "SYNTHETIC corpus " if self.synthetic else ""
        return f"{self.modality} vectors of {synthetic}{self.corpus} by {self.model} ({self.size} x {self.dtype})"


def check_use(
    where: Path,
    found: tuple[str | None, str | None, bool | None],
    wanted: tuple[str | None, str | None, bool | None],
) -> None:
    """Refuses vectors that are used for something else than they were made of.

    Args:
        where: File or store, for the error.
        found: Modality, corpus (``name (configuration)``) and whether it is synthetic, as the store states them.
        wanted: The same of the use; the corpus by its name. What is None on either side, and a corpus that no
            configuration has, is not compared. Text vectors may be used as event vectors.

    Raises:
        UsageError: They differ.
    """
    (modality, stated, synthetic), (wanted_modality, corpus, wanted_synthetic) = found, wanted
    if modality and wanted_modality and modality != wanted_modality and (modality, wanted_modality) != _TEXT_AS_EVENT:
        raise UsageError(
            f"{where}: has {modality} vectors, and is given as {wanted_modality} features. Give the store of that "
            "modality."
        )
    if stated == UNKNOWN_CORPUS:  # whoever wrote it did not say
        synthetic = None
    name = (stated or "").partition(" ")[0]
    if corpus and name in _KNOWN and corpus in _KNOWN and _utterances_of(name) != _utterances_of(corpus):
        raise UsageError(
            f"{where}: has vectors of {stated}, and the corpus is {corpus}. Give the store of this corpus."
        )
    if None not in (synthetic, wanted_synthetic) and synthetic != wanted_synthetic:
        kinds = {True: "a SYNTHETIC corpus", False: "real dialogues"}
        raise UsageError(
            f"{where}: has vectors of {kinds[bool(synthetic)]}, and the corpus is {kinds[bool(wanted_synthetic)]}. "
            "Give the store that was made of it."
        )


def check_store(
    folder: str | Path, modality: str | None = None, *, corpus: str | None = None, synthetic: bool | None = None
) -> None:
    """Refuses a store that is used for something else than it was made of, by its card alone.

    Args:
        folder: The store; what has no card, such as a Parquet file, is not looked at.
        modality: What it is given as; None for any.
        corpus: Name of the corpus.
        synthetic: Whether the corpus is synthetic.

    Raises:
        UsageError: Modality, corpus or synthetic state differ.
        InvalidDataError: The card is not valid.
    """
    if (Path(folder) / CARD_NAME).is_file():
        card = read_card(Path(folder))
        check_use(Path(folder), (card.modality, card.corpus, card.synthetic), (modality, corpus, synthetic))


_TEXT_AS_EVENT = ("text", "event")
_KNOWN = frozenset({*CORPORA, IEMOMECP})


def _utterances_of(corpus: str) -> str:
    """The corpus whose utterances a corpus has, under the same ids."""
    record = CORPORA.get(corpus)
    return _utterances_of(record.origin) if record and record.origin and not record.origin_map else corpus


def claim_store(folder: Path, card: StoreCard) -> None:
    """Claims a folder for one extraction; a folder that this extraction claimed before is accepted.

    Args:
        folder: New, empty, or a store with an equal card.
        card: Card of the store.

    Raises:
        UsageError: The folder contains something else, cannot be written to, or is a store with another card; the
            message lists the differences.
    """
    path = folder / CARD_NAME
    # Looked at before the card, which another process of this extraction may write at this moment.
    in_use = folder.is_dir() and any(not entry.name.startswith(".") for entry in folder.iterdir())
    if path.exists():
        found = read_card(folder)
        differing = [
            f"{field.name} is {_shown(getattr(found, field.name), getattr(card, field.name))}"
            for field in dataclasses.fields(StoreCard)
            if getattr(found, field.name) != getattr(card, field.name)
        ]
        if differing:
            raise UsageError(
                f"{folder} contains another extraction: {'; '.join(differing)}. A store holds one extraction only. "
                "Choose another --output-dir, or use the options, data and library versions of that extraction."
            )
        return
    if in_use:
        raise UsageError(
            f"{folder} is neither empty nor a feature store ({CARD_NAME} is missing). Choose a new folder."
        )
    make_folder(folder)
    write_bytes(path, card.to_json().encode())


def read_card(folder: Path) -> StoreCard:
    """Reads the card of a store.

    Args:
        folder: The store.

    Returns:
        Its card.

    Raises:
        MissingDataError: The folder has no card, so it is not a store.
        InvalidDataError: The file is not a valid card.
    """
    path = folder / CARD_NAME
    if not path.is_file():
        raise MissingDataError(
            f"{folder} is not a feature store: it has no {CARD_NAME}. Create one with {command_hint('extract', '…')}."
        )
    try:
        content = read_json(path)
        if not isinstance(content, dict) or content.pop("format", None) != _FORMAT:
            raise ValueError(f"format {_FORMAT} expected")
        if unknown := content.keys() - _FIELDS:
            raise ValueError(f"a field is called {excerpt(min(unknown))!r}")
        card = StoreCard(**content)
        _check_fields(card)
    except (IemomecpError, ValueError, TypeError) as error:
        raise InvalidDataError(
            f"{path} is not a valid card of a feature store ({error}). Without {INDEX_NAME} and a valid card the "
            "vectors cannot be trusted: extract them again into a new folder."
        ) from None
    return card


_FIELDS = frozenset(field.name for field in dataclasses.fields(StoreCard))
_MOST = {"n_utterances": 10**9, "n_shards": 10**5, "size": 10**7}
"""Bounds, so that a damaged number is no endless work."""


def _check_fields(card: StoreCard) -> None:
    """Checks the types of what a file states.

    Raises:
        ValueError: A field has another type, or is out of bounds.
    """
    for name in ("modality", "model", "revision", "corpus", "utterances"):
        if not isinstance(getattr(card, name), str):
            raise ValueError(f"{name} is {excerpt(getattr(card, name))!r}, not text")
    for name, most in _MOST.items():
        value = getattr(card, name)
        if not is_integer(value) or not (name == "size") <= value <= most:
            raise ValueError(f"{name} is {excerpt(value)!r}, not a number from {int(name == 'size')} to {most}")
    if card.n_shards > max(card.n_utterances, 1):
        raise ValueError(f"{card.n_shards} shards of {card.n_utterances} utterances")
    if not isinstance(card.synthetic, bool) or card.dtype not in _STORE_DTYPES:
        raise ValueError(f"vectors of {card.size} x {excerpt(card.dtype)}, synthetic {excerpt(card.synthetic)}")
    kinds: dict[str, tuple[type, ...]] = {
        "corpus_fingerprints": (str,),
        "settings": (str, int, float, type(None)),
        "versions": (str,),
    }
    for name, accepted in kinds.items():
        value = getattr(card, name)
        if not isinstance(value, dict) or not all(isinstance(entry, accepted) for entry in value.values()):
            raise ValueError(f"{name} is {excerpt(value)!r}, not names with their values")


def _shown(found: object, wanted: object) -> str:
    if isinstance(found, Mapping) and isinstance(wanted, Mapping):
        parts = [
            f"{key} {found.get(key)!r} there and {wanted.get(key)!r} here"
            for key in sorted(found.keys() | wanted.keys())
            if found.get(key) != wanted.get(key)
        ]
        return ", ".join(parts)
    return f"{found!r} there and {wanted!r} here"
