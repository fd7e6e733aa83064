"""Feature stores: vectors by utterance on disk, and the tables read from them."""

from iemomecp_dataset.features.store.feature_store import FeatureTable, open_store, read_feature_table
from iemomecp_dataset.features.store.store_card import StoreCard, check_store, claim_store, read_card
from iemomecp_dataset.features.store.store_index import write_index
from iemomecp_dataset.features.store.store_rows import STATUSES, FeatureProblem, StoreRow
from iemomecp_dataset.features.store.store_shards import Shard, read_shard, write_shard

__all__ = [
    "STATUSES",
    "FeatureProblem",
    "FeatureTable",
    "Shard",
    "StoreCard",
    "StoreRow",
    "check_store",
    "claim_store",
    "open_store",
    "read_card",
    "read_feature_table",
    "read_shard",
    "write_index",
    "write_shard",
]
