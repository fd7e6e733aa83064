"""What the turn distance alone says about the class of a pair."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.pair_table import PairTable

__all__ = ["distance_log_rates"]


def distance_log_rates(table: PairTable, n_classes: int, max_distance: int) -> NDArray[np.float32]:
    """Log rates of the classes at each turn distance.

    Distances beyond ``max_distance`` are pooled. Half a pair of each class is added everywhere, so that what train does
    not show is unlikely and not impossible; a distance without any pair says nothing.

    Args:
        table: Train pairs.
        n_classes: Number of classes ``C``.
        max_distance: Largest distance that counts by itself.

    Returns:
        ``(2 * max_distance + 1, C)`` float32; row ``max_distance + d`` is of pairs whose target is ``d`` turns after
        the candidate cause.

    Example:
        >>> labels, gap = np.array([0, 1, 1, 1]), np.array([0, 0, 1, 7])
        >>> none = np.zeros(4, dtype=bool)
        >>> table = PairTable(labels.astype(str), labels.astype(str), 9 + gap, 9 + 0 * gap, labels, none)
        >>> np.exp(distance_log_rates(table, 2, max_distance=1).astype(float)).round(2).tolist()
        [[0.5, 0.5], [0.5, 0.5], [0.17, 0.83]]
    """
    distances = np.clip(table.distances, -max_distance, max_distance) + max_distance
    counts = np.full((2 * max_distance + 1, n_classes), 0.5)
    np.add.at(counts, (distances, table.labels), 1.0)
    rates: NDArray[np.float32] = np.log(counts / counts.sum(axis=1, keepdims=True)).astype(np.float32)
    return rates
