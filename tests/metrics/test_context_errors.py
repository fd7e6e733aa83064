"""Directions of context errors."""

import math

import pytest

from iemomecp_dataset.errors import MetricInputError
from iemomecp_dataset.metrics.roles import context_error_directions


def test_shares_add_up():
    rates = context_error_directions([[9, 9, 9], [30, 20, 50], [9, 9, 9]])
    assert rates == {
        "context_hit_rate": 0.2,
        "context_as_cause_rate": 0.3,
        "context_as_non_pair_rate": 0.5,
        "context_collapse_rate": 0.8,
        "missed_context_to_cause_share": 30 / 80,
        "missed_context_to_non_pair_share": 50 / 80,
    }


def test_without_contexts_nothing_is_zero():
    assert all(math.isnan(rate) for rate in context_error_directions([[1, 0, 0], [0, 0, 0], [0, 0, 1]]).values())


def test_binary_matrix_is_refused():
    with pytest.raises(MetricInputError, match="3 x 3"):
        context_error_directions([[1, 0], [0, 1]])
