"""Names of the files of a feature store."""

from __future__ import annotations

__all__ = ["CARD_NAME", "INDEX_NAME", "README_NAME", "shard_name"]

CARD_NAME = "card.json"
"""What the vectors are; written first, it claims the folder for one extraction."""

INDEX_NAME = "index.parquet"
"""Where each utterance's vector lies, or why there is none; written last, it makes the store complete."""

README_NAME = "README.md"
"""The card in words."""


def shard_name(shard: int, n_shards: int) -> str:
    """File name of a shard.

    Example:
        >>> shard_name(3, 58)
        'shard-00003-of-00058.safetensors'
    """
    return f"shard-{shard:05d}-of-{n_shards:05d}.safetensors"
