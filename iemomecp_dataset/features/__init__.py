"""Feature vectors of utterances: one store a modality, keyed by utterance id, where what is missing says why.

Reading needs neither torch nor transformers. Extraction is in :mod:`iemomecp_dataset.features.extraction`, importing
what others made in :mod:`iemomecp_dataset.features.importers.importing`.
"""

from iemomecp_dataset.features.store.feature_store import FeatureTable, open_store, read_feature_table
from iemomecp_dataset.features.store.store_card import StoreCard, read_card
from iemomecp_dataset.features.store.store_rows import STATUSES

__all__ = ["STATUSES", "FeatureTable", "StoreCard", "open_store", "read_card", "read_feature_table"]
