"""Which process computes which shard file of a store."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

__all__ = ["shares"]


def shares(shards: Sequence[Sequence[Sequence[str]]], n: int) -> tuple[tuple[int, ...], ...]:
    """Deals shard files out to processes.

    The files are put in the order of a hash of their utterance ids, and the one at place p goes to process p mod n.
    Nothing else decides: not what is written already, nor which machine asks. The numbers of files differ by one at
    most, and the share of a process among n is that of processes among 2 n joined.

    Args:
        shards: Utterance ids by shard file and batch.
        n: Number of processes, at least 1.

    Returns:
        Numbers of the shard files of each process, in ascending order.

    Example:
        >>> shares([[["u1", "u2"]], [["u3"]], [["u4"], ["u5"]]], 2)
        ((0, 2), (1,))
    """
    order = sorted(range(len(shards)), key=lambda number: (_hash(shards[number]), number))
    return tuple(tuple(sorted(order[share::n])) for share in range(n))


def _hash(shard: Sequence[Sequence[str]]) -> bytes:
    digest = hashlib.sha256()
    for batch in shard:
        for utterance_id in batch:
            digest.update(utterance_id.encode("utf-8", "surrogatepass") + b"\0")
    return digest.digest()
