"""What a store holds and how it was made: the claim on its folder."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from iemomecp_dataset.command_line import command_hint
from iemomecp_dataset.errors import InvalidDataError, MissingDataError, UsageError
from iemomecp_dataset.features.store.store_layout import CARD_NAME, INDEX_NAME
from iemomecp_dataset.files import write_bytes

__all__ = ["StoreCard", "claim_store", "read_card"]

_FORMAT = 1
_STORE_DTYPES = ("float32", "float16")


@dataclass(frozen=True)
class StoreCard:
    """Everything that decides the vectors of a store. Two extractions with equal cards make equal stores.

    Attributes:
        modality: ``audio``, ``video`` or ``text``.
        model: Name of the encoder, or of the features that were imported.
        revision: Its commit on the Hub, or a hash of the weights in a local folder.
        corpus: The corpus and configuration.
        corpus_fingerprints: Content hash by split, see :func:`iemomecp_dataset.fingerprints.data_fingerprint`.
        utterances: Hash of the utterances, their media and times, in order.
        n_utterances: How many there are.
        n_shards: Shards that the store has when it is complete.
        synthetic: Whether the corpus is made up.
        size: Width of a vector.
        dtype: ``float32`` or ``float16``.
        settings: Everything else that was chosen.
        versions: Of the libraries that computed the vectors, and the kind of device.
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
        """The file's content; no time and no path in it, so that equal extractions give equal bytes."""
        return json.dumps({"format": _FORMAT} | dataclasses.asdict(self), indent=2, sort_keys=True) + "\n"

    @property
    def statement(self) -> str:
        """One line for people."""
        made_up = "SYNTHETIC corpus " if self.synthetic else ""
        return f"{self.modality} vectors of {made_up}{self.corpus} by {self.model} ({self.size} x {self.dtype})"


def claim_store(folder: Path, card: StoreCard) -> None:
    """Makes a folder the store of one extraction, or finds that it is already.

    Args:
        folder: New, empty, or a store with this very card.
        card: What will be in it.

    Raises:
        UsageError: The folder holds something else, or a store that was made otherwise; the message says what differs.
    """
    path = folder / CARD_NAME
    if path.exists():
        found = read_card(folder)
        differing = [
            f"{field.name} is {_shown(getattr(found, field.name), getattr(card, field.name))}"
            for field in dataclasses.fields(StoreCard)
            if getattr(found, field.name) != getattr(card, field.name)
        ]
        if differing:
            raise UsageError(
                f"{folder} holds another extraction: {'; '.join(differing)}. Vectors of two extractions never share a "
                "store. Choose another --output-dir, or use the options, data and library versions of that one."
            )
        return
    if folder.is_dir() and any(not entry.name.startswith(".") for entry in folder.iterdir()):
        raise UsageError(
            f"{folder} is not empty and is no feature store ({CARD_NAME} is missing). Choose a new folder."
        )
    folder.mkdir(parents=True, exist_ok=True)
    write_bytes(path, card.to_json().encode())


def read_card(folder: Path) -> StoreCard:
    """Reads the card of a store.

    Raises:
        MissingDataError: There is none.
        InvalidDataError: It is no card.
    """
    path = folder / CARD_NAME
    if not path.is_file():
        raise MissingDataError(
            f"{folder} is no feature store: it has no {CARD_NAME}. Make one: {command_hint('extract', '…')}."
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.pop("format") != _FORMAT:
            raise ValueError(f"format {_FORMAT} expected")
        card = StoreCard(**content)
        if card.dtype not in _STORE_DTYPES or not isinstance(card.size, int) or card.size < 1:
            raise ValueError(f"vectors of {card.size} x {card.dtype}")
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InvalidDataError(
            f"{path} is not the card of a feature store ({error}). Without {INDEX_NAME} and its card the vectors "
            "cannot be trusted: extract them again into a new folder."
        ) from None
    return card


def _shown(found: object, wanted: object) -> str:
    if isinstance(found, Mapping) and isinstance(wanted, Mapping):
        parts = [
            f"{key} {found.get(key)!r} there and {wanted.get(key)!r} here"
            for key in sorted(found.keys() | wanted.keys())
            if found.get(key) != wanted.get(key)
        ]
        return ", ".join(parts)
    return f"{found!r} there and {wanted!r} here"
