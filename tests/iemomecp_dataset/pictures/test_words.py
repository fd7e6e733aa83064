"""Predictions in words: rules, counts, probabilities at their limits, characters that are not printed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from predicted_conversations import office, plain

from iemomecp_dataset.pictures.words import counts_in_words, decision_in_words, notes_in_words, percent, printable
from iemomecp_dataset.trainers.pipelines.predicted import DecisionRule

CHOSEN, GIVEN = "(chosen when the model was trained).", "(given by the user)."


@pytest.mark.parametrize(
    ("n_classes", "rule", "words"),
    [
        (2, DecisionRule(), f"A pair counts where non_pair is not its most probable class {CHOSEN}"),
        (2, DecisionRule("threshold", 0.25, "user"), f"A pair counts where P(pair) is at least 0.25 {GIVEN}"),
        (
            3,
            DecisionRule("threshold", 0.25),
            "A pair counts where P(emo_cause) is at least 0.25, or else emo_context is at least as probable as "
            f"non_pair {CHOSEN}",
        ),
    ],
)
def test_the_rule_in_words(n_classes: int, rule: DecisionRule, words: str) -> None:
    assert decision_in_words(replace(office(n_classes=n_classes), decision=rule)) == words


def test_the_rule_in_words_is_the_rule() -> None:
    predicted = replace(office(), decision=DecisionRule("threshold", 0.3))
    for pair in predicted.pairs:
        cause, context, none = pair.probabilities.values()
        assert pair.decided == (cause >= 0.3 or context >= none)


def test_counts() -> None:
    assert counts_in_words(office()) == "12 turns, 8 emotional, 9 pairs of 78 candidates"
    one = plain("one", [("Ana", "We missed it.")], {(1, 1): 0.9})
    assert counts_in_words(one) == "1 turn, 1 emotional, 1 pair of 1 candidate"


def test_notes_of_the_reading_are_repeated_by_none() -> None:
    predicted = replace(office(), conversation=replace(office().conversation, notes=("Read.",)), notes=("Scored.",))
    assert notes_in_words(predicted) == ["Read.", "Scored."]
    assert notes_in_words(replace(predicted, notes=("Read.", "Scored."))) == ["Read.", "Scored."]


@pytest.mark.parametrize(
    ("probability", "words"),
    [(0.0, "0 %"), (0.004, "<1 %"), (0.006, "1 %"), (0.994, "99 %"), (0.996, ">99 %"), (1.0, "100 %")],
)
def test_a_probability_is_certain_only_where_it_is(probability: float, words: str) -> None:
    assert percent(probability) == words


@pytest.mark.parametrize("character", ["\x00", "\x07", "\x1b", "\x9b", "\u2028", "\u202e", "\ud800", "\uffff"])
def test_what_a_terminal_would_obey_is_replaced(character: str) -> None:
    assert printable(f"a{character}b") == "a\ufffdb"
    assert printable("Zoë 李雷 🙂 \t\n") == "Zoë 李雷 🙂 \t\n"
