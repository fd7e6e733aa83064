from __future__ import annotations

import faulthandler

import pytest

from iemomecp_dataset.errors import MetricInputError
from iemomecp_dataset.metrics.explanations.tokens import content_tokens, ptb_tokens, raw_tokens, tokenizer_of

CASES = [
    ("", []),
    ("  \n ", []),
    ("She is SAD.", ["she", "is", "sad"]),
    ("She can't, won't and they've", ["she", "ca", "n't", "wo", "n't", "and", "they", "'ve"]),
    ("She’s furious – the “quiet” flat", ["she", "'s", "furious", "the", "quiet", "flat"]),
    ("a drum-school costs $40", ["a", "drum-school", "costs", "$", "40"]),
    ("at 10:30 for 3,000 (or less)!", ["at", "10:30", "for", "3,000", "-lrb-", "or", "less", "-rrb-"]),
    ('"It is over."', ["it", "is", "over"]),
    ("the dogs' bowl; 'quoted' word", ["the", "dogs", "bowl", "quoted", "word"]),
    ("I cannot, gonna, wanna", ["i", "can", "not", "gon", "na", "wan", "na"]),
    ("well... wait--no, a.b", ["well", "wait", "no", "a.b"]),
    ("it is a.m. now", ["it", "is", "a.m.", "now"]),
    ("...", []),
]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_tokens_follow_the_treebank_in_lower_case_without_punctuation(text, expected):
    assert ptb_tokens(text) == expected


# Invented sentences, and what Stanford's PTBTokenizer (CoreNLP 3.4.1, -lowerCase, as pycocoevalcap calls it) makes of
# them after the published removals.
BY_STANFORD = [
    ("He is rude. She leaves.", "he is rude she leaves"),
    (
        "The reason she is sad is that nobody came. She had baked two cakes. What a waste!",
        "the reason she is sad is that nobody came she had baked two cakes what a waste",
    ),
    (
        "Mr. Lindt and Dr. Okafor met Prof. Adams on St. Mary's Ave. yesterday.",
        "mr. lindt and dr. okafor met prof. adams on st. mary 's ave. yesterday",
    ),
    ("It was the U.S. team, i.e. ours. We won.", "it was the u.s. team i.e. ours we won"),
    ("Is that so?! No way!! Really??", "is that so ?! no way !! really ??"),
    ("Well... I don't know.... Maybe.. tomorrow.", "well i do n't know maybe tomorrow"),
    (
        'He said "I quit." Then he left (without a word.) [Really.]',
        "he said i quit then he left -lrb- without a word -rrb- -lsb- really -rsb-",
    ),
    ("The point is I... Never mind.", "the point is i. never mind"),
    ("She paid $40.50 at 8:30. Cheap, e.g. for Paris.", "she paid $ 40.50 at 8:30 cheap e.g. for paris"),
    ("I'm-I'm fine, it's-it's just a well-known half-", "i 'm i 'm fine it 's it 's just a well-known half"),
    (
        "Nobody-but him. He was mad, vs. her being calm. Etc. etc.",
        "nobody-but him he was mad vs. her being calm etc. etc.",
    ),
    ("A plan B. failed. So did J. T. Smith's.", "a plan b. failed so did j. t. smith 's"),
    ("Version 2.0. is out. Open it.now please.", "version 2.0 is out open it.now please"),
]


@pytest.mark.parametrize(("text", "expected"), BY_STANFORD)
def test_tokens_of_several_sentences_are_those_of_the_published_program(text, expected):
    assert ptb_tokens(text) == expected.split()


def test_a_word_of_stops_takes_no_more_than_linear_time():
    assert ptb_tokens("a." * 50_000 + " end.")[-1] == "end"


def test_raw_tokens_keep_case_and_punctuation():
    assert raw_tokens(" He said: it's  over. ") == ["He", "said:", "it's", "over."]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the reason is that it rained", "it rained"),
        ("he is sad because it rained that day", "it rained that day"),
        ("because that is so", "because that is so"),  # positions 0 and 1 do not count
        ("so that it rained", "so that it rained"),
        ("a b c d e f g h i j that x", "x"),  # position 10
        ("a b c d e f g h i j k that x", "a b c d e f g h i j k that x"),  # position 11
        ("the reason is that", ""),
        ("it rained", "it rained"),
    ],
)
def test_content_follows_the_first_that_or_because_at_positions_2_to_10(text, expected):
    assert " ".join(content_tokens(text.split())) == expected


def test_an_unknown_tokenizer_is_refused_with_the_known_ones():
    with pytest.raises(MetricInputError, match="ptb, raw"):
        tokenizer_of("13a")


@pytest.mark.parametrize("word", ["a." * 50_000 + "aa", "a" * 100_000 + ".", "." * 99_999 + "a", "-" * 100_000 + "a"])
def test_a_word_of_any_length_ends_like_a_short_one(word):
    faulthandler.dump_traceback_later(20, exit=True)
    try:
        assert "".join(ptb_tokens(f"{word}. Oh")).endswith("oh")
    finally:
        faulthandler.cancel_dump_traceback_later()
    assert ptb_tokens("a." * 50 + "a.")[-1].endswith("a.")
    assert ptb_tokens("a." * 50 + "aa.")[-1].endswith("aa")
