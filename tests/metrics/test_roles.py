"""Source-binary remaps against scikit-learn on the relabelled rows, and directions of context errors."""

import math

import numpy as np
import pytest
from metric_case import MetricCase
from sklearn.metrics import accuracy_score, precision_recall_fscore_support

from iemomecp_dataset.errors import MetricInputError
from iemomecp_dataset.metrics.roles import REMAPPINGS, context_error_directions, source_binary_remaps


class TestSourceBinaryRemaps(MetricCase):
    of = source_binary_remaps
    columns = ("probabilities", "labels")
    of_decisions = True

    def compute(self, pairs):
        roles = np.asarray(pairs.probabilities).argmax(axis=1)
        return source_binary_remaps(roles, np.asarray(pairs.labels) == 0, binary_trained_f1=0.4)

    def reference(self, pairs):
        roles, gold = pairs.probabilities.argmax(axis=1), pairs.labels == 0
        remaps = {}
        for name, positive_roles, kept in (
            ("drop_context", [0], roles != 1),
            ("context_to_positive", [0, 1], roles >= 0),
            ("context_to_negative", [0], roles >= 0),
        ):
            predicted = np.isin(roles, positive_roles)
            precision, recall, f1, _ = precision_recall_fscore_support(
                gold[kept], predicted[kept], average="binary", zero_division=0
            )
            remaps[name] = {
                "precision": precision,
                "recall": recall,
                "f1": f1,
                "accuracy": accuracy_score(gold[kept], predicted[kept]) if kept.any() else math.nan,
                "coverage_n": kept.sum(),
                "pred_context_count": (roles == 1).sum(),
                "delta_f1_vs_original": f1 - 0.4,
            }
        found = self.compute(pairs)
        assert tuple(found) == REMAPPINGS
        assert all(row["coverage_n"] == sum(row[k] for k in ("tp", "fp", "fn", "tn")) for row in found.values())
        return remaps


@pytest.mark.parametrize(
    ("roles", "gold", "words"),
    [
        ([0, 3], [True, False], "ids 0 to 2"),
        ([0], [True, False], "shapes"),
        ([], [], "at least one pair"),
        ([0, 1], [0, 1], "booleans"),
    ],
)
def test_what_cannot_be_remapped_is_refused(roles, gold, words):
    with pytest.raises(MetricInputError, match=words):
        source_binary_remaps(np.array(roles, dtype=int), gold)


def test_shares_of_context_errors_add_up():
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


def test_context_errors_of_a_binary_matrix_are_refused():
    with pytest.raises(MetricInputError, match="3 x 3"):
        context_error_directions([[1, 0], [0, 1]])
