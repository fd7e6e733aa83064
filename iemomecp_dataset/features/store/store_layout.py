"""Names of the files of a feature store."""

from __future__ import annotations

__all__ = ["CARD_NAME", "INDEX_NAME", "README_NAME", "shard_name"]

CARD_NAME = "card.json"
"""Model, settings and corpus of the vectors; written first, it claims the folder for one extraction."""

INDEX_NAME = "index.parquet"
"""Location of each utterance's vector, or why there is none; written last, it makes the store complete."""

README_NAME = "README.md"
"""The card in prose, with the number of utterances by status."""


def shard_name(shard: int, n_shards: int) -> str:
    """Builds the file name of a shard.

    Args:
        shard: Number of the shard, from 0.
        n_shards: Number of shards of the store.

    Returns:
        Name of a safetensors file.

    Example:
        >>> shard_name(3, 58)
        'shard-00003-of-00058.safetensors'
    """
    return f"shard-{shard:05d}-of-{n_shards:05d}.safetensors"
