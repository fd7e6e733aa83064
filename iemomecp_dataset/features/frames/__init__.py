"""Frames of clips as tokens for a language model: sampled, encoded by a vision tower, pooled, and stored.

:class:`FrameStore` reads a store; :func:`iemomecp_dataset.features.extract` with modality ``frames`` computes one.
Names are imported when they are first used; reading needs neither torch nor transformers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iemomecp_dataset.lazy import attach

if TYPE_CHECKING:
    from iemomecp_dataset.features.frames.pooling import pool_frames, sample_positions
    from iemomecp_dataset.features.frames.store import FrameStore, FrameStoreWriter

__all__ = ["FrameStore", "FrameStoreWriter", "pool_frames", "sample_positions"]

attach(
    __name__,
    {
        "FrameStore": f"{__name__}.store",
        "FrameStoreWriter": f"{__name__}.store",
        "pool_frames": f"{__name__}.pooling",
        "sample_positions": f"{__name__}.pooling",
    },
)
