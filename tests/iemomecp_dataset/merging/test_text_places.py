"""Texts that fit another line of their dialogue, or another dialogue."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iemomecp_dataset.merging.text_places import (
    MOST_PLACES,
    DialogueTexts,
    Elsewhere,
    cross_dialogue_places,
    foreign_files,
    order_in_dialogue,
)


def dialogue(sentences, lines, name="d"):
    """A dialogue whose utterances have the given texts in ConvECPE and in the transcript."""
    ids = [f"{name}{turn}" for turn in range(len(sentences))]
    by_id = dict(zip(ids, lines, strict=True))
    differing = [turn for turn, sentence in enumerate(sentences) if by_id[ids[turn]] != sentence]
    return DialogueTexts(ids, sentences, by_id, differing)


def texts(n, name="text"):
    return [f"{name}{number}" for number in range(n)]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: [*t[1:], t[0]], "shifted by one line: IEMOCAP has them one line above ConvECPE"),
        (lambda t: ["lost", *t[:-1]], "shifted by one line: IEMOCAP has them one line below ConvECPE"),
        (lambda t: [*t[3:], "x", "y", "z"], "shifted by 3 lines: IEMOCAP has them 3 lines above ConvECPE"),
        (lambda t: [*t[:10], "inserted", *t[10:-1]], "shifted by one line: IEMOCAP has them one line below ConvECPE"),
        (lambda t: t[::-1], "reversed"),
        (lambda t: [*t[:5], *t[5:12][::-1], *t[12:]], "reversed"),
        (lambda t: [t[0], t[7], *t[2:7], t[1], *t[8:]], "exchanged with each other"),
        (lambda t: [t[turn ^ 1] for turn in range(len(t))], "in another order"),
        (lambda t: [*t[len(t) // 2 :], *t[: len(t) // 2]], "in another order"),
        (lambda t: random.Random(1).sample(t, len(t)), "in another order"),
        (lambda t: [f"other {text}" for text in t], ""),
        (lambda t: ["", *t[1:]], ""),
    ],
)
def test_displacements_are_called_what_they_are(change, said):
    original = texts(20)
    assert order_in_dialogue(dialogue(original, change(original))) == said


def test_a_shift_of_the_transcript_is_seen_across_lines_that_convecpe_lacks():
    lines = texts(30)
    ids = [f"d{turn}" for turn in range(30)]
    kept = [turn for turn in range(29) if turn % 3]
    shifted = dict(zip(ids, [*lines[1:], lines[0]], strict=True))
    found = DialogueTexts([ids[turn] for turn in kept], [lines[turn] for turn in kept], shifted, range(len(kept)))
    assert order_in_dialogue(found).startswith("shifted by one line")


@given(st.integers(4, 60), st.integers(-3, 3).filter(bool), st.randoms(use_true_random=False))
def test_any_shift_is_found_although_some_texts_are_common(n, by, rng):
    original = [f"text{number}" if rng.random() < 0.8 else "yeah" for number in range(n)]
    original[:4] = texts(4, "start")
    moved = [original[(turn + by) % n] for turn in range(n)]
    said = order_in_dialogue(dialogue(original, moved))
    # A rotation by half of a short dialogue is an exchange as well.
    assert said.startswith("shifted by") or n < 8


def test_texts_of_another_dialogue():
    a, b, c = texts(9, "a"), texts(12, "b"), texts(9, "c")
    all_texts = {
        "A": dialogue(a, b[:9], "A"),
        "B": dialogue(b, [*a, *b[9:]], "B"),
        "C": dialogue(c, a, "C"),
        "D": dialogue(texts(9, "d"), texts(9, "new"), "D"),
    }
    found = cross_dialogue_places(all_texts, all_texts)
    assert found.held == {"A": "B", "B": "A", "C": "A"}
    assert found.standing_in == {"A": "B", "B": "A"}
    assert [found.exchanged_with(name) for name in "ABCD"] == ["B", "A", None, None]


SCRIPT = [
    *("iwanttoknowwhathappened", "shewenthometogethercoat", "nobodyevertoldmethat", "youcouldhaveaskedher"),
    *("whatsthatsupposedtomean", "leaveitaloneforonce", "imtiredofthisgame", "thenstopplayingit"),
]


def test_a_script_that_two_sessions_act_is_not_out_of_place():
    typed = [f"{text}okay" if turn < 3 else text for turn, text in enumerate(SCRIPT)]
    mistaken = [*SCRIPT[3:6], *SCRIPT[3:]]
    for lines, kind in ((typed, "typing"), (mistaken, "three others")):
        all_texts = {"A": dialogue(SCRIPT, lines, "A"), "B": dialogue(SCRIPT, SCRIPT, "B")}
        assert cross_dialogue_places(["A"], all_texts) == Elsewhere({}, {}), kind
    again = [*SCRIPT, SCRIPT[0], SCRIPT[1]]
    assert order_in_dialogue(dialogue(again, [*typed[:2], *again[2:]])) == ""


def test_three_transcripts_in_a_circle_are_no_exchange_of_two():
    sentences = {name: [f"{text}{name}" for text in texts(9, name * 5)] for name in "ABC"}
    all_texts = {
        name: dialogue(sentences[name], sentences[held], name) for name, held in zip("ABC", "BCA", strict=True)
    }
    found = cross_dialogue_places(all_texts, all_texts)
    assert found == Elsewhere({"A": "B", "B": "C", "C": "A"}, {"A": "C", "B": "A", "C": "B"})
    assert [found.exchanged_with(name) for name in "ABC"] == [None] * 3
    mixed = Elsewhere({"A": "B"}, {"B": "A"})
    assert mixed.exchanged_with("A") is mixed.exchanged_with("B") is None


def test_files_named_after_another_dialogue():
    files = {"A": ["b1", "b2"], "B": ["a1", "a2", "a3"], "C": ["c1"]}
    missing = {"A": ["a1", "a2", "a3"], "B": ["b1", "b2"], "C": ["c2", "c3"]}
    assert foreign_files(missing, files) == {"A": "B", "B": "A"}
    assert foreign_files({}, files) == {}


def test_texts_that_stand_everywhere_tell_nothing():
    """Were every place looked at, 20,000 equal texts would take minutes."""
    common = ["yeah"] * 20_000
    lines = ["no", *common[1:]]
    found = dialogue(common, lines)
    found = DialogueTexts(found.utterance_ids, found.sentences, found.lines, range(20_000))
    assert order_in_dialogue(found) == ""
    assert cross_dialogue_places(["d"], {"d": found}) == Elsewhere({}, {})
    assert MOST_PLACES < 20
