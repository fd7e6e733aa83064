"""Feature vectors of utterances: one table a modality, keyed by utterance id."""

from iemomecp_dataset.features.feature_table import FeatureTable, read_feature_table

__all__ = ["FeatureTable", "read_feature_table"]
