from __future__ import annotations

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
