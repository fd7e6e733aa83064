"""The arithmetic of a reading."""

from __future__ import annotations

import numpy as np
from hilo_dialogues import SHORT

from iemomecp_dataset.benchmark.peers.hilo_launcher.readings import Reader, _summands
from iemomecp_dataset.benchmark.peers.hilo_launcher.sources import Sources


def test_a_sum_among_its_summands_is_not_added_again() -> None:
    first, second = np.random.default_rng(0).normal(size=(2, SHORT.n_cells, 2))
    total = first + second
    softmax = np.exp(total) / np.exp(total).sum(-1, keepdims=True)
    sources = Sources({"a": first, "b": second, "sum": total, "softmax": softmax})
    reader = Reader(sources, SHORT)
    assert _summands(reader, SHORT) == ["a", "b"]
    np.testing.assert_allclose(reader.probability(("a", "b")), softmax[:, 1])
    np.testing.assert_allclose(reader.probability(("softmax",)), softmax[:, 1])
