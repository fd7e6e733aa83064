"""How the vectors of a store were made, in a form that a model's configuration keeps: new recordings need the same."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.features.extraction_options import ExtractionOptions
from iemomecp_dataset.features.store.store_card import StoreCard

__all__ = ["Extractor", "extractor_of"]

_OF_CORPUS_AND_BATCHES = frozenset(
    {"batch_seconds", "batch_size", "shard_size", "media_pattern", "clip", "left_actor", "imported", "not_in_corpus"}
)
"""Settings of a card that say where media lie and how the work is cut, which no vector depends on.

``left_actor`` matters for the speaker crop alone, and ``crop`` itself is kept.
"""


@dataclass(frozen=True)
class Extractor:
    """Everything of a store's card that decides what vector a recording gets.

    Attributes:
        modality: ``audio`` or ``video``.
        model: Name of the encoder on the Hub, or of the folder that it was loaded from.
        revision: Its commit, or ``folder-`` and a hash of that folder.
        size: Width of a vector.
        dtype: Number format of the store, ``float32`` or ``float16``: vectors are rounded to it.
        settings: Layers, pooling, precision, rate, frames, crop and whatever else decides the vectors.
        versions: Versions of the libraries that computed them. They are for reading: other versions are accepted,
            though they may differ in the last digits.
    """

    modality: Literal["audio", "video"]
    model: str
    revision: str
    size: int
    dtype: Literal["float32", "float16"]
    settings: Mapping[str, Any]
    versions: Mapping[str, str]

    @property
    def crops_to_speaker(self) -> bool:
        """Whether each frame was cropped to the half with the speaker, as for IEMOCAP."""
        return self.settings.get("crop") == "speaker"

    def to_json(self) -> dict[str, Any]:
        """Plain values, as a model's configuration keeps them."""
        return dataclasses.asdict(self)

    @staticmethod
    def of_json(content: object, where: str) -> Extractor:
        """Reads what :meth:`to_json` gave.

        Args:
            content: The values.
            where: Where they stand, for the error.

        Raises:
            InvalidDataError: They describe no extractor that this version knows.
        """
        try:
            if not isinstance(content, Mapping):
                raise TypeError("a mapping is expected")
            found = Extractor(**content)
            if found.modality not in ("audio", "video"):
                raise ValueError(f"modality {found.modality!r}")
            found.options().check()
        except (TypeError, ValueError) as error:
            raise InvalidDataError(
                f"{where} does not describe an extractor of audio or video vectors ({error}). A newer version of this "
                "package may have written it: install that, or give the vectors as a feature table."
            ) from None
        return found

    def options(self, *, model: str | None = None, device: str = "auto") -> ExtractionOptions:
        """The extraction that makes such vectors, of whole frames.

        Args:
            model: Where the encoder lies, if not at the name that is recorded.
            device: ``auto``, or a device in torch's spelling.

        Returns:
            The options, without a corpus and an output folder.

        Raises:
            TypeError: A setting is none of :class:`ExtractionOptions`.
        """
        # The hash of a folder is not a revision on the Hub, and another place has other revisions.
        of_hub = model is None and not self.revision.startswith("folder-") and self.revision != "unknown"
        settings = {**self.settings, **({"crop": "none"} if self.modality == "video" else {})}
        return ExtractionOptions(
            data_dir="",
            modality=self.modality,
            output_dir="",
            model=model or self.model,
            revision=self.revision if of_hub else None,
            store_dtype=self.dtype,
            device=device,
            **settings,
        )


def extractor_of(card: StoreCard) -> Extractor | None:
    """What a model has to remember of the store that it is trained on.

    Args:
        card: The store's card.

    Returns:
        None for imported vectors, whose extraction is not known, and for texts and frames.

    Example:
        >>> card = StoreCard("audio", "microsoft/wavlm-base-plus", "4c66d4", "ECF (ecf)", {}, "", 9, 1, False, 768,
        ...     "float32", {"layers": "last", "pooling": "mean", "batch_size": 32}, {})
        >>> found = extractor_of(card)
        >>> found.model, found.settings
        ('microsoft/wavlm-base-plus', {'layers': 'last', 'pooling': 'mean'})
    """
    if card.modality not in ("audio", "video") or "imported" in card.settings:
        return None
    return Extractor(
        modality=cast("Literal['audio', 'video']", card.modality),
        model=card.model,
        revision=card.revision,
        size=card.size,
        dtype=cast("Literal['float32', 'float16']", card.dtype),
        settings={name: value for name, value in card.settings.items() if name not in _OF_CORPUS_AND_BATCHES},
        versions=dict(card.versions),
    )
