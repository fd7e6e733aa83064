"""One row of a feature store: a vector and its account, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

__all__ = ["STATUSES", "FeatureProblem", "StoreRow"]

STATUSES = {
    "ok": "there is a vector",
    "missing_media": "the corpus names no file, or the file is not there",
    "no_times": "the file is a whole dialogue and the corpus has no times for the utterance",
    "unreadable": "the file cannot be opened or decoded",
    "truncated": "the file ends before its header says",
    "empty": "nothing in it: no samples, or no text",
    "silent": "every sample is zero",
    "too_short": "shorter than one frame of the encoder",
    "outside_file": "the utterance's times lie outside the file",
    "no_frames": "the video has no picture in the interval",
    "not_finite": "the encoder, or the number format of the store, gave NaN or infinity",
    "not_in_source": "the imported file has no vector for it",
    "bad_vector": "the imported vector is a scalar or has another width than the others",
    "all_zero": "the imported vector is all zeros, which is how the source writes a missing one",
}
"""Statuses by name, with their meaning."""


class FeatureProblem(Exception):  # noqa: N818  # Not an error: it becomes a row.
    """Why an utterance gets no vector.

    Attributes:
        status: One of :data:`STATUSES`.
        reason: One sentence.
    """

    def __init__(self, status: str, reason: str):
        super().__init__(f"{status}: {reason}")
        self.status, self.reason = status, reason


@dataclass(frozen=True)
class StoreRow:
    """One utterance.

    Attributes:
        utterance_id: The utterance.
        status: One of :data:`STATUSES`; ``ok`` exactly where there is a vector.
        vector: ``(size,)``, or None.
        n_frames: Frames (audio), distinct pictures (video) or tokens (text) the vector was pooled over.
        seconds: Length of what was encoded; None for text.
        reason: Why there is no vector.
        note: What was done to the input, such as resampling.
    """

    utterance_id: str
    status: str
    vector: NDArray[Any] | None = None
    n_frames: int = 0
    seconds: float | None = None
    reason: str | None = None
    note: str | None = None
