"""Weights of the pair classes in the supervised loss."""

from __future__ import annotations

import numpy as np

from iemomecp_dataset.pair_table import PairTable

__all__ = ["class_weights_from_counts"]


def class_weights_from_counts(table: PairTable, n_classes: int) -> tuple[float, ...]:
    """Weights of the pair classes, ``min(10, sqrt(mean class count / count))`` (arXiv 2605.25208).

    Args:
        table: Train pairs.
        n_classes: Number of classes.

    Example:
        >>> import numpy as np
        >>> labels = np.repeat([0, 1, 2], [5499, 2630, 45194])  # IEMO-MECP, train
        >>> empty = np.zeros(len(labels), dtype=np.int64)
        >>> table = PairTable(empty.astype(str), empty.astype(str), empty, empty, labels, empty.astype(bool))
        >>> [round(weight, 3) for weight in class_weights_from_counts(table, 3)]
        [1.798, 2.6, 0.627]
    """
    counts = np.bincount(table.labels, minlength=n_classes)
    return tuple(float(min(10.0, np.sqrt(counts.mean() / max(1, count)))) for count in counts)
