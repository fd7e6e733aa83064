"""Names of the files of a feature store, and writing one of them whole."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["CARD_NAME", "INDEX_NAME", "README_NAME", "shard_name", "write_whole"]

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


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file atomically, also if the process is killed.

    Args:
        path: The file.
        content: Its bytes.
    """
    # A name of its own for each writer: two that write the same file write the same bytes, and either may be last.
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with open(partial, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
