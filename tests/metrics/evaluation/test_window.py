"""Windowed re-scoring: predictions and gold are restricted alike, and the signature says so."""

from dataclasses import replace

import numpy as np
import pytest

from iemomecp_dataset.errors import MetricInputError, UsageError
from iemomecp_dataset.metrics.evaluation.window import EVERYWHERE, PairWindow
from iemomecp_dataset.metrics.signature import Signature, check_comparable

PLAIN = Signature("A", "ecf", "ecf", "test", 9, 90, 0, "all", "none", 0.4, "validation", "c0ffee")


@pytest.mark.parametrize(
    ("window", "word", "kept"),
    [
        (PairWindow(), "none", [-3, -1, 0, 1, 3]),
        (PairWindow(past=True), "past", [0, 1, 3]),
        (PairWindow(turns=1), "1", [-1, 0, 1]),
        (PairWindow(turns=1, past=True), "past-1", [0, 1]),
        (PairWindow(turns=0), "0", [0]),
    ],
)
def test_what_is_kept_and_how_it_is_called(window, word, kept):
    distances = np.array([-3, -1, 0, 1, 3])
    targets = np.full(5, 10)
    assert distances[window.keeps(targets, targets - distances)].tolist() == kept
    assert (window.word, bool(window)) == (word, window != EVERYWHERE)


def test_a_window_is_part_of_the_signature_and_of_what_compares():
    windowed = replace(PLAIN, window="past-4")
    assert Signature.parse(str(windowed)) == windowed
    assert "window:past-4" in str(windowed)
    assert Signature.parse(str(PLAIN)).window == "none"  # also of signatures that were written without the field
    assert windowed.comparison_key != PLAIN.comparison_key
    with pytest.raises(MetricInputError, match="window: none against past-4"):
        check_comparable([PLAIN, windowed])


def test_a_negative_window_is_refused():
    with pytest.raises(UsageError, match="0 or more turns"):
        PairWindow(turns=-1)
