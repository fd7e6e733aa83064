"""Published numbers with their origin and licence, and their readers."""

from iemomecp_dataset.benchmark.published.tables import (
    PUBLISHED_FOLDER,
    published_confusions,
    published_emotion_systems,
    published_systems,
    published_table,
    published_table_names,
)

__all__ = [
    "PUBLISHED_FOLDER",
    "published_confusions",
    "published_emotion_systems",
    "published_systems",
    "published_table",
    "published_table_names",
]
