"""Which dialogues, or pairs, make the mini-batches of an epoch.

An order depends on seed and epoch alone: knowing it without having run what came before is what lets an interrupted
run continue, in the middle of an epoch too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np

from iemomecp_dataset.trainers.training.distributed import Processes

__all__ = ["BatchOrder", "LengthBatches", "RandomBatches"]

_ONE_PROCESS = Processes()


class BatchOrder:
    """Mini-batches of positions; a base for :class:`RandomBatches` and :class:`LengthBatches`.

    Its length is that of the whole epoch.

    Attributes:
        epoch: The epoch whose order comes next.
        done: How many of its mini-batches are left out, being done already.
    """

    def __init__(self, seed: int, processes: Processes):
        self.seed = seed
        self.processes = processes
        self.epoch = 0
        self.done = 0

    def set_epoch(self, epoch: int) -> None:
        """Chooses the epoch whose order comes next; what accelerate's loader calls as it begins."""
        self.epoch = epoch

    def __len__(self) -> int:
        raise NotImplementedError

    def __iter__(self) -> Iterator[list[int]]:
        for batch in islice(self.batches(), self.done, None):
            yield self.processes.share(batch)

    def batches(self) -> Iterator[list[int]]:
        """The epoch's mini-batches, whole."""
        raise NotImplementedError


class RandomBatches(BatchOrder):
    """Mini-batches of one size in random order, or in the order given.

    Args:
        size: How many dialogues or pairs there are.
        batch_size: How many each process takes.
        seed: Seed of the order.
        shuffle: Random order.
        processes: The processes that share the mini-batches.
        costs: What each dialogue or pair costs: several processes then take shares of like cost, so that none waits
            long for another.
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
    ):
        super().__init__(seed, processes)
        self.size = size
        self.costs = costs
        self.batch_size = batch_size * processes.count
        self.shuffle = shuffle

    def __len__(self) -> int:
        return -(-self.size // self.batch_size)

    def batches(self) -> Iterator[list[int]]:
        """The epoch's mini-batches, whole."""
        order = np.arange(self.size)
        if self.shuffle:
            np.random.default_rng([self.seed, self.epoch]).shuffle(order)
        for start in range(0, self.size, self.batch_size):
            batch = order[start : start + self.batch_size].tolist()
            yield batch if self.costs is None else self.processes.deal(batch, self.costs)


class LengthBatches(BatchOrder):
    """Mini-batches of things of like length, as many as fit a budget once they are padded.

    Things of one length are mixed anew in each epoch, and so is the order of the mini-batches; how many there are does
    not change.

    Args:
        lengths: Tokens of each thing.
        budget: Padded tokens that each process takes in a step; a single longer thing makes a mini-batch of its own.
        seed: Seed of the order.
        shuffle: Mix; else from short to long.
        processes: The processes that share the mini-batches.

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

    def __len__(self) -> int:
        return len(self.bounds) - 1

    def batches(self) -> Iterator[list[int]]:
        """The epoch's mini-batches, whole."""
        random = np.random.default_rng([self.seed, self.epoch])
        order = np.arange(len(self.lengths))
        turns = np.arange(len(self))
        if self.shuffle:
            random.shuffle(order)
            random.shuffle(turns)
        order = order[np.argsort(self.lengths[order], kind="stable")]
        for turn in turns:
            yield order[self.bounds[turn] : self.bounds[turn + 1]].tolist()
