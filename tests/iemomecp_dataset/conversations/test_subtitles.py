"""Subtitles: who speaks in a cue, what of it are words, and what is left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from iemomecp_dataset.conversations.conversation import Conversation
from iemomecp_dataset.conversations.reading import read_conversation_file, read_conversations
from iemomecp_dataset.errors import InvalidDataError, UsageError


def read(text: str) -> Conversation:
    (conversation,), _ = read_conversations(text)
    return conversation


def cues(*said: str) -> str:
    return "\n".join(f"{n}\n00:00:{n:02},000 --> 00:00:{n:02},500\n{words}\n" for n, words in enumerate(said, start=1))


def spoken(conversation: Conversation) -> list[tuple[str, str]]:
    return [(utterance.speaker, utterance.text) for utterance in conversation.utterances]


SPEAKERS = {
    "Ana: We missed it.": [("Ana", "We missed it.")],
    "Ana:\nWe missed\nit.": [("Ana", "We missed it.")],
    "- Ana: We missed it.\n- Ben: Oh\nno!": [("Ana", "We missed it."), ("Ben", "Oh no!")],
    "–Ana: We missed it.\n–Ben: Oh no!": [("Ana", "We missed it."), ("Ben", "Oh no!")],
    "Ana: We missed it.\nBen: Oh no!": [("Ana", "We missed it."), ("Ben", "Oh no!")],
    ">> ANA: We missed it.": [("ANA", "We missed it.")],
    "<v Ana>We missed it.</v> <v.loud Dr. Ben>Oh no!": [("Ana", "We missed it."), ("Dr. Ben", "Oh no!")],
    "<v Ana>We missed it\nfor one reason: rain.": [("Ana", "We missed it for one reason: rain.")],
    "<v Ana>\n- We missed it.": [("Ana", "- We missed it.")],
    "<i>Ana: We</i> <font color='red'>missed</font> {\\an8}it. <3": [("Ana", "We missed it. <3")],
    "Ana: Wait\n\nfor me.": [("Ana", "Wait for me.")],
    "(sighs) ANA: We missed it.": [("ANA", "(sighs) We missed it.")],
    "- <i>[sighs] (to Ben)</i> Ana: We missed it.\n- (gasps) Ben:\nOh no!": [
        ("Ana", "[sighs] (to Ben) We missed it."),
        ("Ben", "(gasps) Oh no!"),
    ],
    "**Ana:** We missed it.": [("Ana", "We missed it.")],
    "Ana: 42": [("Ana", "42")],
    "Ana: At\n10": [("Ana", "At 10")],
}


@pytest.mark.parametrize("words", SPEAKERS)
def test_who_speaks_in_a_cue(words: str) -> None:
    conversation = read(cues(words, "Ben: Last."))
    assert spoken(conversation) == [*SPEAKERS[words], ("Ben", "Last.")]
    assert {(u.start, u.end) for u in conversation.utterances[:-1]} == {(1.0, 1.5)}
    assert (conversation.utterances[-1].start, conversation.utterances[-1].end) == (2.0, 2.5)


WEBVTT = """WEBVTT - A trip
Kind: captions

NOTE
Ana: not said

STYLE
::cue { color: red }

opening
00:01.000 --> 00:02.500 align:start position:0%
<v Ana><c.red>We</c> <00:01.500>missed it &amp; &lt;b&gt;

100:00:03.000 --> 100:00:04.000
<lang en>Ben: <b>{\\o/}</b> a &lt; b</lang>
"""


def test_webvtt_has_notes_styles_settings_and_escapes() -> None:
    conversation = read(WEBVTT)
    assert conversation.format == "webvtt"
    assert spoken(conversation) == [("Ana", "We missed it & <b>"), ("Ben", "{\\o/} a < b")]
    assert [(u.start, u.end) for u in conversation.utterances] == [(1.0, 2.5), (360003.0, 360004.0)]
    assert conversation.notes == (
        "Notes, styles and regions were left out: 2 (line 4, line 7).",
        "Tags were left out of cues: 2 (cue 1 on line 11, cue 2 on line 14).",
    )


TIGHT = "Cues without a blank line before them were told apart by their times"


def test_cues_of_subrip_need_no_blank_line_between_them() -> None:
    text = cues("Ana: At\n10", "Ben: Oh no!", "", "Ana: Yes.").replace("\n\n", "\n")
    for tight in (text, text.replace("\n", "\r\n")):
        conversation = read(tight)
        assert spoken(conversation) == [("Ana", "At 10"), ("Ben", "Oh no!"), ("Ana", "Yes.")]
        assert [spoken.start for spoken in conversation.utterances] == [1.0, 2.0, 4.0]
        assert f"{TIGHT}: 2 (cue 2 on line 6, cue 3 on line 9)." in conversation.notes
    # Without numbers too; a number above a blank line is said.
    unnumbered = "0:01 --> 0:02\nAna: At\n10\n\n0:02 --> 0:03\nBen: No --> yes!\n0:03 --> 0:04\nAna: Hm."
    assert spoken(read(unnumbered)) == [("Ana", "At 10"), ("Ben", "No --> yes!"), ("Ana", "Hm.")]


def test_times_within_a_cue_of_webvtt_begin_another_one() -> None:
    text = (
        "WEBVTT\n00:01.000 --> 00:02.000\nAna: Hi!\n2\n00:02.000 --> 00:03.000\n<v Ben>Hi.\nthird\n"
        "00:03.000 --> 00:04.000\nAna: a --> b\n\nNOTE\nno words\n5\n00:05.000 --> 00:06.000\nBen: Hm."
    )
    conversation = read(text)
    # By the standard of WebVTT a name of a cue stands behind a blank line; what is said must not be a number.
    assert spoken(conversation) == [("Ana", "Hi!"), ("Ben", "Hi. third"), ("Ana", "a --> b"), ("Ben", "Hm.")]
    assert [spoken.start for spoken in conversation.utterances] == [1.0, 2.0, 3.0, 5.0]
    assert conversation.notes[:2] == (
        f"{TIGHT}: 3 (line 2, line 5, line 14).",
        f"{TIGHT}, and the lines above these are words of the cue before: 1 (line 8).",
    )


def test_what_is_left_out_of_subrip_is_counted() -> None:
    conversation = read(cues("- Ana: <i>Hi!</i>\n- Ben: Hi.", "<i></i>", "Ana: One\n\ntwo"))
    assert spoken(conversation) == [("Ana", "Hi!"), ("Ben", "Hi."), ("Ana", "One two")]
    assert conversation.notes == (
        "Dashes in front of lines were left out: 2 (cue 1 on line 2, cue 1 on line 2).",
        "Tags were left out of cues: 2 (cue 1 on line 2, cue 2 on line 7).",
        "Cues without words were left out: 1 (cue 2 on line 7).",
        "Lines after a blank line were joined to their cue: 1 (cue 3 on line 11).",
    )


def test_a_cue_without_a_speaker_is_an_error_or_that_of_the_speaker_before_it(tmp_path: Path) -> None:
    text = cues("Ana: Hi!", "We missed it.", "- Again.")
    with pytest.raises(InvalidDataError, match=r"cue 2 on line 6: no speaker of 'We missed it.'.*missing_speaker"):
        read(text)
    ((conversation,), _) = read_conversations(text, missing_speaker="previous")
    assert spoken(conversation) == [("Ana", "Hi!"), ("Ana", "We missed it."), ("Ana", "Again.")]
    note = "Cues without a speaker were given to the speaker before them: 2 (cue 2 on line 6, cue 3 on line 10)."
    assert note in conversation.notes
    (tmp_path / "chat.srt").write_text(text)
    assert read_conversation_file(tmp_path / "chat.srt", missing_speaker="previous")[0].notes == conversation.notes
    # Nobody speaks before the first cue, and a dash says that somebody else does.
    for unknown in (cues("We missed it."), cues("Ana: Hi!", "- Hi.\n- We missed it.")):
        with pytest.raises(InvalidDataError, match=r"cue . on line .: no speaker of '.*'. Name who says it"):
            read_conversations(unknown, missing_speaker="previous")
    with pytest.raises(UsageError, match="missing_speaker must be 'error' or 'previous', but is 'next'"):
        read_conversations(text, missing_speaker="next")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (cues("Ana: Hi!").replace("00:00:01,500", "00:00:00,500"), "cue 1 on line 2: ends at 0.5 s, before it begins"),
        (cues("Ana: Hi!", "Ben: Hi.").replace("00:00:02,000", "00:00:99,000"), "line 6: '00:00:99,000' is not a time"),
        (cues("Ana: Hi!", "Ben: Hi.").replace("00:00:02,500", "soon"), "line 6: .* are not times such as"),
        ("Ana: first\n" + cues("Ana: Hi!"), "line 1: 'Ana: first' before the times of the first cue"),
        ("WEBVTT\n\nAna: first\n\n" + cues("Ana: Hi!"), "line 3: 'Ana: first' before the times of the first cue"),
        ("WEBVTT\n", "the text: an empty conversation"),
        (cues("<v Ana></v>"), "the text: an empty conversation"),
        (cues("<v  >Hi!"), "no speaker"),
    ],
)
def test_an_error_names_the_cue(text: str, words: str) -> None:
    with pytest.raises(InvalidDataError, match=words):
        read(text)
