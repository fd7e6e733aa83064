"""Rows of a feature store: a vector, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["STATUSES", "FeatureProblem", "RowRecord", "StoreRow", "finite_row"]

STATUSES = {
    "ok": "the utterance has a vector",
    "missing_media": "the corpus names no media file, or the file does not exist",
    "no_times": "the file is a recording of a whole dialogue, and the corpus has no times for the utterance",
    "unreadable": "the file cannot be opened or decoded",
    "truncated": "the file is shorter than its header declares",
    "empty": "the input has no samples or no text",
    "silent": "every sample is zero",
    "too_short": "the audio is shorter than one frame of the encoder",
    "outside_file": "the utterance's times lie outside the file",
    "no_frames": "the video has no frame within the utterance's times",
    "no_faces": "no frame of the clip has a face",
    "not_finite": "the vector has NaN or infinity, from the encoder or in the number format of the store",
    "not_in_source": "the imported file has no vector for the utterance",
    "bad_vector": "the imported vector is a scalar, or differs in width from the others",
    "all_zero": "the imported vector is all zeros, which is how the source marks a missing one",
}
"""Meaning of each status."""


class FeatureProblem(Exception):  # noqa: N818  # Not an error: it becomes a row.
    """Reason why an utterance gets no vector.

    Attributes:
        status: One of :data:`STATUSES`.
        reason: One sentence.
    """

    def __init__(self, status: str, reason: str):
        super().__init__(f"{status}: {reason}")
        self.status, self.reason = status, reason


@dataclass(frozen=True)
class StoreRow:
    """Vector of one utterance, or the reason why it has none.

    Attributes:
        utterance_id: Id of the utterance.
        status: One of :data:`STATUSES`; ``ok`` if and only if there is a vector.
        vector: ``(size,)``, or None.
        n_frames: Encoder frames (audio), distinct video frames (video) or tokens (text) that were pooled.
        seconds: Duration of the encoded media; None for text.
        reason: Why there is no vector.
        note: Preprocessing of the input, such as resampling.
    """

    utterance_id: str
    status: str
    vector: NDArray[Any] | None = None
    n_frames: int = 0
    seconds: float | None = None
    reason: str | None = None
    note: str | None = None


class RowRecord(NamedTuple):
    """Everything of a :class:`StoreRow` but its vector, as a shard records it."""

    utterance_id: str
    status: str
    n_frames: int
    seconds: float | None
    reason: str | None
    note: str | None


def finite_row(row: StoreRow, dtype: str) -> StoreRow:
    """Converts the vector of a row to the number format of the store; one that overflows gets a status instead.

    Args:
        row: The row.
        dtype: ``float32`` or ``float16``.

    Returns:
        The row with the converted vector, or with status ``not_finite`` and no vector.

    Example:
        >>> finite_row(StoreRow("u", "ok", np.array([1e9])), "float16").status
        'not_finite'
    """
    if row.vector is None:
        return row
    with np.errstate(over="ignore"):  # Overflow is detected on the next line.
        vector = row.vector.astype(dtype)
    if np.isfinite(vector).all():
        return replace(row, vector=vector)
    return replace(row, status="not_finite", vector=None, reason=f"the vector has NaN or infinity as {dtype}")
