"""Diagnostic 4: probabilities by turn distance and gold role."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from iemomecp_dataset.benchmark.baselines.structural import DISTANCE_BUCKETS, distance_buckets
from iemomecp_dataset.benchmark.diagnostics.binary_axis import axis_coordinate
from iemomecp_dataset.benchmark.diagnostics.variant import CAUSE, CONTEXT, NON_PAIR, per_role, per_seed
from iemomecp_dataset.schema import ROLE_LABELS

__all__ = ["ABSOLUTE_BUCKETS", "absolute_buckets", "distance_profile", "role_distances"]

ABSOLUTE_BUCKETS = DISTANCE_BUCKETS[1:]
"""Buckets of the absolute distance; forward pairs are with backward ones, as published."""


def absolute_buckets(distances: ArrayLike) -> NDArray[np.int64]:
    """Sorts ``|target - cause|`` into :data:`ABSOLUTE_BUCKETS`.

    Args:
        distances: ``(n,)`` signed or absolute distances, in turns.

    Returns:
        ``(n,)`` int64, indices into :data:`ABSOLUTE_BUCKETS`.

    Example:
        >>> [ABSOLUTE_BUCKETS[i] for i in absolute_buckets([0, -1, 5, 11])]
        ['0', '1', '4-5', '>10']
    """
    return distance_buckets(np.abs(np.asarray(distances, dtype=np.int64))) - 1


def distance_profile(values: ArrayLike, roles: ArrayLike, distances: ArrayLike) -> pd.DataFrame:
    """Averages P(pair), P(emo_context), or hard predictions by distance and gold role.

    The published profile of P(pair) pools train, validation and test pairs, those of P(emo_context) are of test. Give
    the pairs of one split for the profile of that split.

    Args:
        values: ``(S, n)``.
        roles: ``(n,)`` gold roles.
        distances: ``(n,)`` ``target - cause``.

    Returns:
        One row per bucket: ``dist_bucket, emo_cause, emo_context, non_pair`` (means over seeds; NaN without pairs),
        ``context_n``, ``context_position`` (:func:`~iemomecp_dataset.benchmark.diagnostics.binary_axis.axis_coordinate`
        of the contexts).
    """
    gold = np.asarray(roles)
    p = per_seed(values, len(gold), "values")
    buckets = absolute_buckets(distances)
    rows = []
    for number, name in enumerate(ABSOLUTE_BUCKETS):
        here = buckets == number
        means = per_role(p[:, here], gold[here]).mean(axis=0)
        rows.append(
            {
                "dist_bucket": name,
                **dict(zip(ROLE_LABELS, means, strict=True)),
                "context_n": int((gold[here] == CONTEXT).sum()),
                "context_position": axis_coordinate(means[CONTEXT], means[CAUSE], means[NON_PAIR]),
            }
        )
    return pd.DataFrame(rows)


def role_distances(roles: ArrayLike, distances: ArrayLike) -> pd.DataFrame:
    """Counts the pairs of each role by distance.

    Args:
        roles: ``(n,)`` gold roles.
        distances: ``(n,)`` ``target - cause``.

    Returns:
        One row for each role and bucket that occurs: ``label, distance_bucket, count, pct_within_split_label`` (a
        share, as published).
    """
    gold, buckets = np.asarray(roles), absolute_buckets(distances)
    counts = np.zeros((len(ROLE_LABELS), len(ABSOLUTE_BUCKETS)), dtype=np.int64)
    np.add.at(counts, (gold, buckets), 1)
    return pd.DataFrame(
        [
            {
                "label": role,
                "distance_bucket": bucket,
                "count": int(counts[i, j]),
                "pct_within_split_label": counts[i, j] / counts[i].sum(),
            }
            for i, role in enumerate(ROLE_LABELS)
            for j, bucket in enumerate(ABSOLUTE_BUCKETS)
            if counts[i, j]
        ]
    )
