"""Samples the frames of a clip and pools their patches to tokens, as Video-ChatGPT does."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["pool_frames", "sample_positions"]


def sample_positions(n_frames: int, limit: int) -> list[int]:
    r"""Computes the numbers of the frames to sample: the middles of equal segments of ``0 … n_frames - 1``.

    .. math:: T = \min(n, \text{limit}), \quad p_i = \operatorname{round}\frac{(i + 1/2)(n - 1)}{T}, \quad i = 0 … T - 1

    Halves are rounded up, so that positions are distinct, and all frames are sampled if there are at most ``limit``.

    Args:
        n_frames: Number of frames of the clip.
        limit: Largest number of frames.

    Returns:
        Numbers of frames from 0, ascending.

    Example:
        >>> sample_positions(11, 5), sample_positions(3, 100)
        ([1, 3, 5, 7, 9], [0, 1, 2])
    """
    segments = min(n_frames, limit)
    return [((2 * i + 1) * (n_frames - 1) + segments) // (2 * segments) for i in range(segments)]


def pool_frames(hidden: Any) -> Any:
    """Pools the patches of a clip over space and over time.

    Args:
        hidden: ``(T, P, d)`` states of the patches of T frames, a NumPy array or a tensor.

    Returns:
        ``(T + P, d)``: T means over the patches of a frame, then P means over the frames of a patch.

    Example:
        >>> pool_frames(np.array([[[0.0], [2.0]], [[4.0], [10.0]]])).ravel().tolist()
        [1.0, 7.0, 2.0, 6.0]
    """
    temporal, spatial = hidden.mean(1), hidden.mean(0)
    if isinstance(hidden, np.ndarray):
        tokens: NDArray[Any] = np.concatenate([temporal, spatial])
        return tokens
    import torch

    return torch.cat([temporal, spatial])
