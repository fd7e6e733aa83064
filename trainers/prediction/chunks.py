"""Where chunks begin, which shard a chunk belongs to, and which conversations are renamed: pure functions."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.errors import UsageError

__all__ = [
    "DIGEST_BYTES",
    "begins_chunk",
    "chunk_key",
    "chunk_lengths",
    "chunks_of_shard",
    "different_names",
    "name_digest",
    "repeated",
    "shard_of",
]

DIGEST_BYTES = 16
"""Bytes of the digest of a name: two of a hundred million names have the same with a chance of 1 in 10^22."""


def begins_chunk(utterances: int, bound: int) -> bool:
    """Whether the next conversation begins a chunk, after so many utterances in the one before it."""
    return utterances >= bound


def chunk_lengths(turns: Iterable[int], bound: int) -> list[int]:
    """Cuts conversations into chunks, as pools of them are scored.

    Args:
        turns: Turns of each conversation, in order.
        bound: A chunk ends with the conversation that brings it to so many utterances, or more.

    Returns:
        Conversations of each chunk.

    Example:
        >>> chunk_lengths([3, 3, 9, 1, 1], bound=5)
        [2, 1, 2]
    """
    lengths: list[int] = []
    utterances = bound
    for n_turns in turns:
        if begins_chunk(utterances, bound):
            lengths.append(0)
            utterances = 0
        lengths[-1] += 1
        utterances += n_turns
    return lengths


def chunk_key(names: Iterable[str]) -> str:
    """A number of 64 bits, in hexadecimal digits, that the names of a chunk's conversations decide.

    Example:
        >>> chunk_key(["trip", "match"])
        'd96df98676956293'
    """
    digest = hashlib.blake2b(digest_size=8)
    for name in names:
        digest.update(name_digest(name))
    return digest.hexdigest()


def chunks_of_shard(keys: Sequence[str], shard: int, shards: int) -> list[int]:
    """Deals chunks to shards, in the order of their keys, so that no shard has more than one chunk more than another.

    Args:
        keys: The key of each chunk.
        shard: The shard, counted from 1.
        shards: How many there are.

    Returns:
        Its chunks, in order.

    Example:
        >>> [chunks_of_shard(["c", "a", "d", "b", "e"], shard, 2) for shard in (1, 2)]
        [[0, 1, 4], [2, 3]]
    """
    dealt = sorted(range(len(keys)), key=lambda chunk: (keys[chunk], chunk))
    return sorted(dealt[shard - 1 :: shards])


def shard_of(text: str) -> tuple[int, int]:
    """Reads ``I/N``: shard I, counted from 1, of N.

    Raises:
        UsageError: It is none.

    Example:
        >>> shard_of("2/7")
        (2, 7)
    """
    one, _, all_of_them = text.partition("/")
    if not (one.isdecimal() and all_of_them.isdecimal() and 1 <= int(one) <= int(all_of_them) <= 1_000_000):
        raise UsageError(f"--shard takes I/N, shard I of N, such as 1/4; found {text!r}.")
    return int(one), int(all_of_them)


def name_digest(name: str) -> bytes:
    """The digest by which a name is known, where all names would not fit in memory."""
    return hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES).digest()


def repeated(digests: NDArray[np.bytes_]) -> NDArray[np.bool_]:
    """Whether an equal digest stands before each.

    Args:
        digests: ``(n,)`` of 16 bytes.

    Returns:
        ``(n,)``.

    Example:
        >>> repeated(np.array([b"a", b"b", b"a", b"a"])).tolist()
        [False, False, True, True]
    """
    found = np.zeros(len(digests), dtype=bool)
    order = np.argsort(digests, kind="stable")
    found[order[1:]] = digests[order[1:]] == digests[order[:-1]]
    return found


def different_names(names: Iterable[str], again: Iterable[bool], taken: Callable[[str], bool]) -> Iterator[str | None]:
    """Numbers names that occurred before, as those of conversations that are read as a whole are.

    Args:
        names: All names, in order.
        again: Whether each occurred before.
        taken: Whether a name is one of ``names``.

    Yields:
        The new name, or None where a name stays.

    Example:
        >>> names = ["trip", "trip", "trip_2", "trip"]
        >>> list(different_names(names, [False, True, False, True], names.__contains__))
        [None, 'trip_3', None, 'trip_4']
    """
    # Names that are made differ from each other: their number is what stands behind the last underscore.
    numbers: dict[str, int] = {}
    for name, is_again in zip(names, again, strict=True):
        if not is_again:
            yield None
            continue
        number = numbers.get(name, 2)
        while taken(renamed := f"{name}_{number}"):
            number += 1
        numbers[name] = number + 1
        yield renamed
