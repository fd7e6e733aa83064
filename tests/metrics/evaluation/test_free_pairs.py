"""What free text says in place of a pair: read where it is not ambiguous, and counted by kind."""

import pytest

from iemomecp_dataset.corpora.metadata import CORPORA, emotion_aliases
from iemomecp_dataset.metrics.evaluation.free_pairs import corpus_emotion, free_pairs, is_understood

ALIASES = emotion_aliases(CORPORA["ecf"].emotions)
STOPS, ONE_TEXT, NONE = "full stops around numbers", "pairs written as one text", "words for none"
PROSE, ALIAS = "prose around pairs", "emotion aliases"
UNKNOWN, WITHOUT = "emotions that the corpus does not have", "pairs without an emotion"
SEVERAL, AROUND = "several causes in one entry", "stops, blanks or quotes around emotions"


@pytest.mark.parametrize(
    ("entry", "pairs", "kinds"),
    [
        (["3_joy", "2."], [(3, "joy", 2)], [STOPS]),
        (["3_joy.", " 2.\n"], [(3, "joy", 2)], [STOPS, STOPS]),
        (["3._joy", "U2"], [(3, "joy", 2)], [STOPS]),
        (["3_Happy", "2"], [(3, "joy", 2)], [ALIAS]),
        (["3_sad", "2_the words"], [(3, "sadness", 2)], [ALIAS]),
        ("3_joy, 1", [(3, "joy", 1)], [ONE_TEXT]),
        (["3_joy, 1"], [(3, "joy", 1)], [ONE_TEXT]),
        ("(3_joy, 1), (4_anger, 2)", [(3, "joy", 1), (4, "anger", 2)], [ONE_TEXT]),
        ("The pair is (3_joy, U1), I think.", [(3, "joy", 1)], [PROSE]),
        (["3_joy", "The cause is utterance 2"], [(3, "joy", 2)], [PROSE]),
        (["the emotion is 3_joy", 2], [(3, "joy", 2)], [PROSE]),
        ("(3, 1)", [(3, "other", 1)], [ONE_TEXT, WITHOUT]),
        (["3", "1"], [(3, "other", 1)], [WITHOUT]),
        (["3_boredom", "1"], [(3, "other", 1)], [UNKNOWN]),
        (["3_", "1"], [(3, "other", 1)], [UNKNOWN]),
        ("3_joy., 1", [(3, "joy", 1)], [ONE_TEXT]),
        ("3_joy, 1, 2", [(3, "joy", 1), (3, "joy", 2)], [ONE_TEXT, SEVERAL]),
        ("3_joy: 1 and 2", [(3, "joy", 1), (3, "joy", 2)], [ONE_TEXT, SEVERAL]),
        (["3_joy: U1, 2, and 3"], [(3, "joy", 1), (3, "joy", 2), (3, "joy", 3)], [ONE_TEXT, SEVERAL]),
        ("3_joy, 1, 4_anger, 2", [(3, "joy", 1), (4, "anger", 2)], [ONE_TEXT]),
        ("1. 3_joy, 1\n2. 4_anger, 2, 3", [(3, "joy", 1), (4, "anger", 2), (4, "anger", 3)], [PROSE, SEVERAL]),
        ("- 3_joy, 1\n- 4_anger, 2", [(3, "joy", 1), (4, "anger", 2)], [ONE_TEXT]),
        ("3_none, 1; 4_anger, 2", [(4, "anger", 2)], [ONE_TEXT, NONE]),
        ("Here are the following pairs: (3_joy, 1)", [(3, "joy", 1)], [PROSE]),
        ("3_joy, 1_It is not 2!", [(3, "joy", 1)], [PROSE]),
        (["3_joy", "1, 2"], [(3, "joy", 1), (3, "joy", 2)], [SEVERAL]),
        (["3_joy", "[1, 2]."], [(3, "joy", 1), (3, "joy", 2)], [STOPS, SEVERAL]),
        (["3_joy", "2, 2"], [(3, "joy", 2)], []),
        (["3_joy", "2: Oh no!"], [(3, "joy", 2)], [PROSE]),
        (["3_joy", "2: 5 apples"], [(3, "joy", 2)], [PROSE]),
        (["3_joy", "2_Oh no!"], [(3, "joy", 2)], []),
        (["3_joy", "2._Not before 3"], [(3, "joy", 2)], [STOPS]),
        (["3_joy", "Utterance 2: I never had 3 of them"], [(3, "joy", 2)], [PROSE]),
        (["3_joy", "-1"], [], [NONE]),
        (["3_joy", "−1."], [], [NONE]),
        (["3_joy", -1], [], [NONE]),
        ("3_joy, -1", [], [NONE]),
        ("3_joy: none", [], [NONE]),
        (["3_joy", "None"], [], [NONE]),
        (["3_joy", "There is no cause."], [], [NONE]),
        (["3_joy", "No cause in utterance 2"], [], [NONE]),
        (["3_none", "1"], [], [NONE]),
        (["none", "none"], [], [NONE]),
        (["3_joy", None], [], [NONE]),
        ("No emotion-cause pairs", [], [NONE]),
        (None, [], [NONE]),
        ([], [], [NONE]),
        ("", [], [NONE]),
    ],
)
def test_what_is_understood(entry, pairs, kinds):
    found, overlooked = free_pairs(entry, ALIASES)
    assert [(pair.target, pair.emotion, pair.cause) for pair in found] == pairs
    assert overlooked == kinds


@pytest.mark.parametrize(
    "entry",
    [
        ["3_joy", "1 or 2"],
        ["3_joy", "utterance 3 has no cause"],  # not cause 3
        ["3_joy", "not 1"],
        ["3_joy or 4_anger", "1"],
        ["joy", "1"],
        ["3_joy", "1", "2"],
        ["3_joy", "Utterance -1"],
        ["3_joy", "-2"],
        ["3_joy", "- 2"],
        ["3_joy", "-1.5"],
        ["3_joy", "1.5"],
        ["3_joy", "1-2"],
        ["-3_joy", "1"],
        "-3_joy, 1",
        "3_joy, 1-2",
        ["3_joy", "It isn't 2"],
        ["3_joy", "It isn’t 2"],
        ["3_joy", "never utterance 2"],
        ["3_joy", "not 2: Oh!"],
        ["3_joy", "2 turns earlier"],
        ["3_joy", "the one previous to 3"],
        ["3_joy", "1: Yes, 2: no"],
        ["3_joy", "10:30"],
        ["3_joy, 1", "2"],
        "3_joy, 4_anger, 2",
        "4_anger by 2; 3_joy, 1",
        "3_joy, 1; -4_anger, 2",
        ["the emotion is not 3_joy", "1"],
        "3_joy, 1 or 2",
        "3_joy, 2 turns earlier",
        "3_joy, 1 is not the cause",
        "It isn't (3_joy, 1)",
        "(3, 1) is not a pair",
        ["3_joy", 1.5],
        ["3_joy", True],
        [["3_joy"], "1"],
        {"3_joy": "1"},
        "the third utterance, caused by the first",
        7,
    ],
)
def test_what_is_ambiguous_is_left(entry):
    assert free_pairs(entry, ALIASES) is None


@pytest.mark.parametrize(
    ("word", "name", "kinds"),
    [
        ("joy", "joy", []),
        ("joy.", "joy", [AROUND]),
        (" surprise", "surprise", [AROUND]),
        ("“joy”,", "joy", [AROUND]),
        ("JOY", "joy", [ALIAS]),
        ("'Happy'", "joy", [AROUND, ALIAS]),
        ("boredom.", "other", [AROUND, UNKNOWN]),
        (".", "other", [WITHOUT]),
    ],
)
def test_what_stands_around_an_emotion_is_overlooked_and_counted(word, name, kinds):
    assert corpus_emotion(word, ALIASES) == (name, kinds)
    assert is_understood(word, ALIASES) == (name != "other")
