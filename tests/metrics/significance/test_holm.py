"""Holm's correction against his step-down rule."""

from __future__ import annotations

import math

import numpy as np
import pytest
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


@pytest.mark.parametrize(
    ("p_values", "expected"),
    [
        ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]),  # 0.04 alone would be less than 0.03 twice
        ([0.5, 0.01, 0.2, 0.2], [0.6, 0.04, 0.6, 0.6]),
        ([0.9, 0.8], [1.0, 1.0]),
    ],
)
def test_corrected_values_never_fall_from_one_to_the_next(p_values, expected):
    assert holm(p_values) == pytest.approx(expected)


def test_undefined_tests_do_not_count():
    corrected = holm([0.01, math.nan, 0.02])
    assert corrected[0] == 0.02
    assert math.isnan(corrected[1])
    assert np.isclose(corrected[2], 0.02)
