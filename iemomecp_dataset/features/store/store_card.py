"""Card of a feature store: model, settings, corpus and versions; claims a folder for one extraction."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from iemomecp_dataset.command_line import command_hint
from iemomecp_dataset.errors import InvalidDataError, MissingDataError, UsageError
from iemomecp_dataset.features.store.store_layout import CARD_NAME, INDEX_NAME
from iemomecp_dataset.files import make_folder, write_bytes

__all__ = ["StoreCard", "claim_store", "read_card"]

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
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.pop("format") != _FORMAT:
            raise ValueError(f"format {_FORMAT} expected")
        card = StoreCard(**content)
        if card.dtype not in _STORE_DTYPES or not isinstance(card.size, int) or card.size < 1:
            raise ValueError(f"vectors of {card.size} x {card.dtype}")
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InvalidDataError(
            f"{path} is not a valid card of a feature store ({error}). Without {INDEX_NAME} and a valid card the "
            "vectors cannot be trusted: extract them again into a new folder."
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
