"""Probabilities of labels: all spellings of a label count, and without mass there are none."""

from __future__ import annotations

import math

import pytest

from iemomecp_dataset.trainers.language_model.answering import Answer, label_probabilities

A_B = ("A", "B")


@pytest.mark.parametrize("blank", [" ", "\u2581", "\u0120", "\n"])
def test_a_label_with_a_blank_before_it_is_the_same_label(blank):
    found = label_probabilities({f"{blank}B": -0.02, "A": -6.0}, A_B)
    assert found.probabilities[0] == pytest.approx(1 / (1 + math.exp(6 - 0.02)))
    both = label_probabilities({"A": math.log(0.2), f"{blank}A": math.log(0.3), "B": math.log(0.25)}, A_B)
    assert both.probabilities == pytest.approx((2 / 3, 1 / 3))
    assert (both.outside, both.censored) == (pytest.approx(0.25), 0)


def test_labels_without_any_mass_are_no_answer():
    nothing = -math.inf
    assert label_probabilities({"A": nothing, "B": nothing, "So": 0.0}, A_B) is None
    assert label_probabilities({"A": nothing, "B": -1.0}, A_B).probabilities == (0.0, 1.0)
    assert label_probabilities({}, A_B) is None


def test_labels_of_very_little_mass_are_told_apart():
    found = label_probabilities({"A": -800.0, "B": -801.0}, A_B)
    assert found.probabilities[0] == pytest.approx(1 / (1 + math.exp(-1)))


def test_a_kept_answer_is_read_as_it_was():
    answer = Answer("A", first_tokens={"A": -0.5, "B": -math.inf}, completion_tokens=1)
    assert Answer.from_json(answer.to_json()) == answer
    with pytest.raises(ValueError, match="completion_tokens is -1"):
        Answer.from_json(answer.to_json().replace('"completion_tokens": 1', '"completion_tokens": -1'))
