"""Importers of published feature vectors into feature stores."""

from iemomecp_dataset.features.importers.importing import import_features

__all__ = ["import_features"]
