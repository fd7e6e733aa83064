"""Frames are the middles of equal segments, and tokens are means over space, then over time."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from iemomecp_dataset.features.frames.pooling import pool_frames, sample_positions


@pytest.mark.parametrize("n_frames", [1, 2, 7, 99, 100, 101, 250, 1000])
@pytest.mark.parametrize("limit", [1, 3, 8, 100])
def test_positions_are_the_middles_of_equal_segments(n_frames: int, limit: int) -> None:
    found = sample_positions(n_frames, limit)
    edges = np.linspace(0, n_frames - 1, min(n_frames, limit) + 1)
    middles = (edges[:-1] + edges[1:]) / 2
    assert len(set(found)) == len(middles)
    assert found == sorted(found)
    assert np.abs(np.array(found) - middles).max() <= 0.5 + 1e-9
    assert found[0] >= 0
    assert found[-1] < n_frames
    if n_frames <= limit:
        assert found == list(range(n_frames))


def test_temporal_tokens_come_first_then_spatial_ones() -> None:
    hidden = np.random.default_rng(0).normal(size=(3, 5, 4))
    tokens = pool_frames(hidden)
    assert tokens.shape == (3 + 5, 4)
    for frame in range(3):
        assert np.allclose(tokens[frame], np.mean([hidden[frame, patch] for patch in range(5)], axis=0))
    for patch in range(5):
        assert np.allclose(tokens[3 + patch], np.mean([hidden[frame, patch] for frame in range(3)], axis=0))
    assert np.allclose(pool_frames(torch.from_numpy(hidden)).numpy(), tokens)
