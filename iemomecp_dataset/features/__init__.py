"""Feature vectors of utterances: one store per modality, keyed by utterance id, with a reason for each missing vector.

:func:`read_feature_table` reads a store, :func:`extract` computes one from media or texts with a pretrained encoder,
and :func:`import_features` builds one from published vectors. Reading needs neither torch nor transformers; every name
is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iemomecp_dataset.lazy import attach

if TYPE_CHECKING:
    from iemomecp_dataset.features.extraction import ExtractionResult, PlannedExtraction, extract, plan
    from iemomecp_dataset.features.extraction_options import ExtractionOptions
    from iemomecp_dataset.features.importers.importing import import_features
    from iemomecp_dataset.features.store.feature_store import FeatureTable, open_store, read_feature_table
    from iemomecp_dataset.features.store.store_card import StoreCard, read_card
    from iemomecp_dataset.features.store.store_rows import STATUSES

__all__ = [
    "STATUSES",
    "ExtractionOptions",
    "ExtractionResult",
    "FeatureTable",
    "PlannedExtraction",
    "StoreCard",
    "extract",
    "import_features",
    "open_store",
    "plan",
    "read_card",
    "read_feature_table",
]

attach(
    __name__,
    {
        "STATUSES": f"{__name__}.store.store_rows",
        "ExtractionOptions": f"{__name__}.extraction_options",
        "ExtractionResult": f"{__name__}.extraction",
        "FeatureTable": f"{__name__}.store.feature_store",
        "PlannedExtraction": f"{__name__}.extraction",
        "StoreCard": f"{__name__}.store.store_card",
        "extract": f"{__name__}.extraction",
        "import_features": f"{__name__}.importers.importing",
        "open_store": f"{__name__}.store.feature_store",
        "plan": f"{__name__}.extraction",
        "read_card": f"{__name__}.store.store_card",
        "read_feature_table": f"{__name__}.store.feature_store",
    },
)
