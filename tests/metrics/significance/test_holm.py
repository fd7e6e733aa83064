"""Holm's correction against his step-down rule."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from iemomecp_dataset.metrics.significance.holm import holm


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_rejects_what_its_step_down_rule_rejects(p_values):
    """Holm (1979): go up the ordered p-values while p_(i) <= alpha / (m - i + 1), reject those."""
    corrected = holm(p_values)
    for alpha in (0.01, 0.05, 0.2):
        rejected = set()
        for rank, i in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
            if p_values[i] * (len(p_values) - rank) > alpha:
                break
            rejected.add(i)
        assert {i for i, p in enumerate(corrected) if p <= alpha} == rejected
    assert all(c >= p for c, p in zip(corrected, p_values, strict=True))


def test_undefined_tests_do_not_count():
    corrected = holm([0.01, math.nan, 0.02])
    assert corrected[0] == 0.02
    assert math.isnan(corrected[1])
    assert np.isclose(corrected[2], 0.02)
