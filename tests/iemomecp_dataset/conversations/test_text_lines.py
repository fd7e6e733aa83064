"""Lines of text: where the speaker ends, what is in front of a line, and what continues the line above."""

from __future__ import annotations

import pytest

from iemomecp_dataset.conversations.conversation import Conversation
from iemomecp_dataset.conversations.reading import read_conversations
from iemomecp_dataset.conversations.text_lines import speaker_and_words
from iemomecp_dataset.errors import InvalidDataError


def read(text: str) -> Conversation:
    (conversation,), single = read_conversations(text)
    assert single
    return conversation


def spoken(text: str) -> list[tuple[str, str]]:
    return [(utterance.speaker, utterance.text) for utterance in read(text).utterances]


SPLIT = {
    "Ana: We missed it.": ("Ana", "We missed it."),
    "Ana:We missed it.": ("Ana", "We missed it."),
    "Ana : on y va": ("Ana", "on y va"),
    "Ana：走吧": ("Ana", "走吧"),
    "Ana:": ("Ana", ""),
    "Dr. Ana Maria de la Cruz: Yes: at 10:30": ("Dr. Ana Maria de la Cruz", "Yes: at 10:30"),
    "Speaker 1: 2:1 for us": ("Speaker 1", "2:1 for us"),
    "O'Neil-Ng (laughing): yes": ("O'Neil-Ng (laughing)", "yes"),
    "🦊: hello": ("🦊", "hello"),
    "1: hello": ("1", "hello"),
    "Ana: https://a.example": ("Ana", "https://a.example"),
    "Ana [00:01]: hello": ("Ana [00:01]", "hello"),
    "at 10:30": None,
    "https://a.example/b: see there": None,
    "see http://a.example": None,
    "me too :D": None,
    ": hello": None,
    "--: hello": None,
    "no colon": None,
    "": None,
    "and then he said to me this: no": None,
    "Really? He said: no": None,
    'He said "so": no': None,
    '{"speaker": "Ana"}': None,
    "x" * 61 + ": no": None,
}


@pytest.mark.parametrize("line", SPLIT)
def test_a_line_is_split_behind_its_speaker(line: str) -> None:
    assert speaker_and_words(line) == SPLIT[line]


TIMES = {
    "[00:01:02] Ana: We missed it.": (62.0, None),
    "[1:02.5] Ana: We missed it.": (62.5, None),
    "(0:05) Ana: We missed it.": (5.0, None),
    "0:05 Ana: We missed it.": (5.0, None),
    "00:00:05,250 - Ana: We missed it.": (5.25, None),
    "[0:05 - 0:07] Ana: We missed it.": (5.0, 7.0),
    "[00:00:05.000 --> 00:00:07.500] Ana: We missed it.": (5.0, 7.5),
    "Ana [0:05]: We missed it.": (5.0, None),
    "Ana (0:05–0:07): We missed it.": (5.0, 7.0),
    "- [0:05] Ana: We missed it.": (5.0, None),
}


@pytest.mark.parametrize("line", TIMES)
def test_times_are_those_of_the_recording(line: str) -> None:
    conversation = read(f"{line}\nBen: At 10:30?")
    first, second = conversation.utterances
    assert (first.speaker, first.text, first.start, first.end) == ("Ana", "We missed it.", *TIMES[line])
    assert (second.text, second.start) == ("At 10:30?", None)


@pytest.mark.parametrize(
    ("line", "note"),
    [
        ("12/03/24, 10:30 - Ana: Hi!", "Dates in front of lines were left out: 1 (line 1)."),
        ("[12.3.2024, 10:30:15] Ana: Hi!", "Dates in front of lines were left out: 1 (line 1)."),
        ("2024-03-12T10:30:15 Ana: Hi!", "Dates in front of lines were left out: 1 (line 1)."),
        ("\u200e[10:30 PM] Ana: Hi!", "Dates in front of lines were left out: 1 (line 1)."),
        ("- Ana: Hi!", "List marks in front of lines were left out: 1 (line 1)."),
        ("12. Ana: Hi!", "List marks in front of lines were left out: 1 (line 1)."),
        ("**Ana:** Hi!", "Marks of bold or italic speakers were left out: 1 (line 1)."),
        ("*Ana:* Hi!", "Marks of bold or italic speakers were left out: 1 (line 1)."),
        ("- ***Ana***: Hi!", "List marks in front of lines were left out: 1 (line 1)."),
        ("__Ana__: Hi!", "Marks of bold or italic speakers were left out: 1 (line 1)."),
        ("# Our trip\nAna: Hi!", "Comment lines were left out: 1 (line 1)."),
    ],
)
def test_what_stands_in_front_of_a_speaker_is_left_out_and_counted(line: str, note: str) -> None:
    (utterance,) = read(line).utterances
    assert (utterance.speaker, utterance.text, utterance.start) == ("Ana", "Hi!", None)
    assert note in read(line).notes
    assert len(read(line).notes) == (2 if line.startswith("- *") else 1)


@pytest.mark.parametrize(
    "line", ["(sighs) Ana: Hi!", "[sighs]Ana: Hi!", "0:05 (sighs) **Ana:** Hi!", "**(sighs) Ana:** Hi!"]
)
def test_a_remark_in_front_of_a_speaker_is_one_of_the_words(line: str) -> None:
    conversation = read(f"{line}\n(Both of them): Oh no!\n(sighs) again\n[one: two] Ben: no")
    assert [(utterance.speaker, utterance.text) for utterance in conversation.utterances] == [
        ("Ana", "[sighs] Hi!" if "[" in line else "(sighs) Hi!"),
        ("(Both of them)", "Oh no! (sighs) again [one: two] Ben: no"),
    ]
    assert "Remarks in front of speakers were put to their words: 1 (line 1)." in conversation.notes


def test_lines_without_a_speaker_continue_the_one_above() -> None:
    text = (
        "Ana:\n  We missed it.\n\n10:30 was too late\n#sad\n# no words\nBen: Oh no!\n[0:07] Again.\nhttps://a.example"
    )
    conversation = read(text)
    assert [(utterance.speaker, utterance.text) for utterance in conversation.utterances] == [
        ("Ana", "We missed it. 10:30 was too late #sad"),
        ("Ben", "Oh no! Again. https://a.example"),
    ]
    # The words below a lone name are not joined to others.
    assert conversation.notes == (
        "Lines without a speaker were joined to the utterance above them: 4 (line 4, line 5, line 8, …).",
        "Comment lines were left out: 1 (line 6).",
        "Times of lines without a speaker were left out: 1 (line 8).",
    )


def test_only_line_ends_end_a_line() -> None:
    assert spoken("Ana: one\u2028two\rBen: three\x0bfour") == [("Ana", "one two"), ("Ben", "three four")]


def test_indented_text_is_read() -> None:
    assert spoken("\n    Ana: Hi!\n    Ben: Hi.\n") == [("Ana", "Hi!"), ("Ben", "Hi.")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Ana:\nBen: Hi!", "the text, line 1: 'Ana' has no words"),
        ("Ana: Hi!\nBen:", "the text, line 2: 'Ben' has no words"),
        ("Ana: Hi!\n[00:75:00] Ben: Hi.", "the text, line 2: '00:75:00' is not a time"),
        ("Ana: Hi!\n[0:07 - 0:05] Ben: Hi.", "the text, line 2: ends at 5 s, before it begins at 7 s"),
        ("3/4/24, 9:00 - Ana: Hi!\n3/4/24, 9:01 - Ben left", "the text, line 2: a date and no speaker in"),
        ("Hi!\nAna: Hi!", "text .line 1 has no 'Speaker:' in front, 'Hi!'"),
    ],
)
def test_an_error_names_the_line(text: str, words: str) -> None:
    with pytest.raises(InvalidDataError, match=words):
        read(text)
