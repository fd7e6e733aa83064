"""Arrows beside the lines: lanes, and pieces that make up exactly the pairs that are decided."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pytest
from predicted_conversations import hostile, long_one, office, plain

from iemomecp_dataset.pictures.transcript import LANES, place_arrows, transcript
from iemomecp_dataset.trainers.pipelines.predicted import PredictedConversation


class Turns(HTMLParser):
    """The pieces of arrows and the buttons of causes of every turn."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.pieces: dict[int, list[tuple[str, int]]] = {}
        self.buttons: set[tuple[int, int]] = set()
        self._turn = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs) -> None:
        values = dict(attrs)
        kinds = (values.get("class") or "").split()
        if "iemomecp-turn" in kinds:
            self._turn = int(values["data-turn"])
            self.pieces[self._turn] = []
        elif tag == "i" and "data-target" in values:
            self.pieces[self._turn].append((kinds[0].removeprefix("iemomecp-"), int(values["data-target"])))
        elif tag == "button":
            self.buttons.add((int(values["data-target"]), int(values["data-cause"])))


def drawn_pairs(turns: Turns) -> set[tuple[int, int]]:
    """(target, cause) by the pieces alone: a branch, a bend or a loop at a turn is a cause unless a head is there."""
    heads = {(turn, target) for turn, pieces in turns.pieces.items() for kind, target in pieces if kind == "head"}
    assert all(turn == target for turn, target in heads)
    ends = {
        (target, turn)
        for turn, pieces in turns.pieces.items()
        for kind, target in pieces
        if kind in ("branch", "down", "up") and turn != target
    }
    assert {target for target, _ in ends} == {target for target, _ in heads}
    return ends | {(target, turn) for turn, pieces in turns.pieces.items() for kind, target in pieces if kind == "loop"}


CASES = {"office": office(), "two classes": office(n_classes=2), "hostile": hostile(), "long": long_one(60)}


@pytest.mark.parametrize("predicted", CASES.values(), ids=CASES)
def test_arrows_and_buttons_are_the_pairs_that_are_decided(predicted: PredictedConversation) -> None:
    turns = Turns(transcript(predicted))
    decided = {(pair.target_turn, pair.cause_turn) for pair in predicted.pairs if pair.decided}
    assert turns.buttons == decided
    assert drawn_pairs(turns) == decided
    # A trunk has no gap: it has a piece beside every turn from its first to its last.
    for target in {target for target, _ in decided}:
        ends = [target, *(cause for of, cause in decided if of == target)]
        beside = [turn for turn, pieces in turns.pieces.items() if target in {of for _, of in pieces}]
        assert beside == list(range(min(ends), max(ends) + 1))


def test_lanes_do_not_touch_as_long_as_there_are_enough() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        causes_of = {
            int(target): {int(cause): True for cause in rng.integers(1, 40, 2) if cause != target}
            for target in rng.choice(np.arange(1, 40), 12, replace=False)
        }
        placed = place_arrows({target: causes for target, causes in causes_of.items() if causes})
        for one in placed:
            touching = [
                other
                for other in placed
                if other is not one and other.lane == one.lane and other.first <= one.last and one.first <= other.last
            ]
            assert not touching
            assert not one.shared
    nested = place_arrows({target: {1: True} for target in range(2, 3 + LANES)})
    assert max(one.lane for one in nested) == LANES - 1
    assert [one.target for one in nested if one.shared] == [2 + LANES]


def test_emotions_and_causes_are_in_words() -> None:
    html = transcript(office())
    text = re.sub(r"<[^>]+>", "|", html)
    assert "surprise 94 %" in text
    assert "turn 1, context 63 %" in text
    assert "turn 3, cause 92 %" in text
    assert "no cause found" in text, "of turn 5"
    assert "itself, 59 %" in re.sub(r"<[^>]+>", "|", transcript(office(n_classes=2)))
    assert "emotional" in transcript(plain("x", [("A", "b")], {(1, 1): 0.8}))


def test_a_recording_without_text_is_called_so() -> None:
    assert "recording without text" in transcript(plain("x", [("A", "")], {}))


def test_text_of_the_user_stays_text() -> None:
    html = transcript(hostile())
    assert set(re.findall(r"<(\w+)", html)) <= {"ol", "li", "span", "div", "b", "i", "ul", "button"}
    assert "&lt;script&gt;document.title=&#x27;broken&#x27;" in html
