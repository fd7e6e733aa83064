"""Batch samplers: which dialogues or pairs form the mini-batches of an epoch.

The order depends on seed and epoch only, so an interrupted run can continue within an epoch without repeating the
mini-batches before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.trainers.training.distributed import Processes

__all__ = ["BatchOrder", "Drawn", "LengthBatches", "RandomBatches"]

_ONE_PROCESS = Processes()


class Drawn(NamedTuple):
    """How many of a part of the examples an epoch draws.

    Attributes:
        size: Examples of the part, which follow those of the part before.
        number: How many are drawn: each as often as it goes in evenly, and others at random in each epoch for the rest.
    """

    size: int
    number: int


class BatchOrder:
    """Base class of the batch samplers; yields lists of positions.

    Its length is the number of mini-batches in the whole epoch.

    Attributes:
        epoch: Epoch of the next iteration.
        done: Number of mini-batches to skip at the start because they are done already.
    """

    def __init__(self, seed: int, processes: Processes):
        self.seed = seed
        self.processes = processes
        self.epoch = 0
        self.done = 0

    def set_epoch(self, epoch: int) -> None:
        """Sets the epoch of the next iteration; accelerate's loader calls this at its start."""
        self.epoch = epoch

    @property
    def epoch_size(self) -> int:
        """Number of dialogues or pairs in an epoch."""
        raise NotImplementedError

    def __len__(self) -> int:
        raise NotImplementedError

    def __iter__(self) -> Iterator[list[int]]:
        for batch in islice(self.batches(), self.done, None):
            yield self.processes.share(batch)

    def batches(self) -> Iterator[list[int]]:
        """Yields the mini-batches of the epoch before sharding."""
        raise NotImplementedError


class RandomBatches(BatchOrder):
    """Mini-batches of fixed size, in random or in given order.

    Args:
        size: Number of dialogues or pairs.
        batch_size: Number of them per process and step.
        seed: Seed of the order.
        shuffle: Whether to shuffle in each epoch.
        processes: Processes among which each mini-batch is sharded.
        costs: Cost of each dialogue or pair. If given, each process gets a shard of about the same cost, so that no
            process waits long for another.
        pooled: Mini-batches that are shuffled, then sorted by cost and cut together, so that a mini-batch has items of
            like cost and little padding; 1 for mini-batches at random. Needs ``costs``.
        drawn: How many of each consecutive part of the dialogues an epoch draws; empty for all of them.

    Example:
        >>> costs = [1, 9, 2, 8, 3, 7]
        >>> sorted(sorted(costs[i] for i in batch) for batch in RandomBatches(6, 2, costs=costs, pooled=3))
        [[1, 2], [3, 7], [8, 9]]
        >>> order = RandomBatches(6, 2, drawn=[Drawn(4, 4), Drawn(2, 1)])  # one of the last two
        >>> order.epoch_size, sorted(position for batch in order for position in batch)
        (5, [0, 1, 2, 3, 5])
    """

    def __init__(
        self,
        size: int,
        batch_size: int,
        *,
        seed: int = 0,
        shuffle: bool = True,
        processes: Processes = _ONE_PROCESS,
        costs: Sequence[int] | None = None,
        pooled: int = 1,
        drawn: Sequence[Drawn] = (),
    ):
        super().__init__(seed, processes)
        self.size = size
        self.drawn = tuple(drawn)
        self.costs = costs
        self.pooled = pooled
        self.batch_size = batch_size * processes.count
        self.shuffle = shuffle

    @property
    def epoch_size(self) -> int:
        """Number of dialogues or pairs in an epoch."""
        return sum(part.number for part in self.drawn) if self.drawn else self.size

    def __len__(self) -> int:
        return -(-self.epoch_size // self.batch_size)

    def batches(self) -> Iterator[list[int]]:
        """Yields the mini-batches of the epoch before sharding."""
        random = np.random.default_rng([self.seed, self.epoch])
        order = self._positions(random)
        if self.shuffle:
            random.shuffle(order)
        pool = self.pooled * self.batch_size
        for first in range(0, len(order), pool):
            members = order[first : first + pool]
            if self.costs is not None and self.pooled > 1:
                members = members[np.argsort(np.asarray(self.costs)[members], kind="stable")]
            starts = np.arange(0, len(members), self.batch_size)
            if self.shuffle and self.pooled > 1:
                random.shuffle(starts)
            for start in starts:
                batch = members[start : start + self.batch_size].tolist()
                yield batch if self.costs is None else self.processes.deal(batch, self.costs)

    def _positions(self, random: np.random.Generator) -> NDArray[np.int64]:
        """The positions of an epoch, in order."""
        if not self.drawn:
            return np.arange(self.size)
        parts, first = [], 0
        for size, number in self.drawn:
            rest = random.permutation(size)[: number % size]
            parts.append(first + np.concatenate([np.tile(np.arange(size), number // size), np.sort(rest)]))
            first += size
        return np.concatenate(parts)


class LengthBatches(BatchOrder):
    """Length-bucketed mini-batches under a token budget.

    Each epoch reshuffles items of equal length and the order of the mini-batches; their number stays the same.

    Args:
        lengths: Number of tokens of each item.
        budget: Most padded tokens per process and step; a longer item forms a mini-batch of its own.
        seed: Seed of the order.
        shuffle: Whether to shuffle; otherwise from short to long.
        processes: Processes among which each mini-batch is sharded.

    Example:
        >>> list(LengthBatches([3, 1, 1, 2], budget=3, shuffle=False))
        [[1, 2], [3], [0]]
    """

    def __init__(
        self,
        lengths: Sequence[int],
        budget: int,
        *,
        seed: int = 0,
        shuffle: bool = True,
        processes: Processes = _ONE_PROCESS,
    ):
        super().__init__(seed, processes)
        self.lengths = np.asarray(lengths)
        self.shuffle = shuffle
        self.bounds = [0]
        for position, length in enumerate(np.sort(self.lengths, kind="stable")):
            if (position + 1 - self.bounds[-1]) * length > budget * processes.count and position > self.bounds[-1]:
                self.bounds.append(position)
        self.bounds.append(len(self.lengths))

    @property
    def epoch_size(self) -> int:
        """Number of dialogues or pairs in an epoch."""
        return len(self.lengths)

    def __len__(self) -> int:
        return len(self.bounds) - 1

    def batches(self) -> Iterator[list[int]]:
        """Yields the mini-batches of the epoch before sharding."""
        random = np.random.default_rng([self.seed, self.epoch])
        order = np.arange(len(self.lengths))
        turns = np.arange(len(self))
        if self.shuffle:
            random.shuffle(order)
            random.shuffle(turns)
        order = order[np.argsort(self.lengths[order], kind="stable")]
        for turn in turns:
            yield order[self.bounds[turn] : self.bounds[turn + 1]].tolist()
