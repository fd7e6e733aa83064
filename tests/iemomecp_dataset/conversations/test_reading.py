"""One conversation in every format is the same conversation; what is none is refused in one sentence."""

from __future__ import annotations

import csv
import html
import io
import json
import random
import re
import string
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any

import datasets
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reader_case import ReaderCase, mutated

from iemomecp_dataset.conversations.conversation import Conversation, ConversationUtterance
from iemomecp_dataset.conversations.formats import SUFFIXES
from iemomecp_dataset.conversations.reading import (
    FORMATS,
    read_conversation_bytes,
    read_conversation_file,
    read_conversation_text,
    read_conversations,
    with_recording,
)
from iemomecp_dataset.errors import IemomecpError, InvalidDataError, MissingDataError, UsageError

SPOKEN = (
    ("Ana", 'We missed it: the 10:30 ferry, "Aurora".'),
    ("Dr. Ben Óg", "Oh no! See https://ferry.example/10:45; it's full, too."),
    ("Ana", "Ça va; < 5 min & we'd have made it – 哎呀"),
)
TIMES = ((1.0, 2.5), (2.5, 4.25), (3723.0, 3724.125))
RECORDS = [{"speaker": speaker, "text": text} for speaker, text in SPOKEN]
TIMED = [{**record, "start": start, "end": end} for record, (start, end) in zip(RECORDS, TIMES, strict=True)]


def table(delimiter: str, names: tuple[str, ...], records: list[dict[str, Any]]) -> str:
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, delimiter=delimiter)
    writer.writerows([names, *(record.values() for record in records)])
    return stream.getvalue()


def code(seconds: float, mark: str) -> str:
    return f"{int(seconds) // 3600:02}:{int(seconds) // 60 % 60:02}:{seconds % 60:06.3f}".replace(".", mark)


def cues(mark: str, words: str, *, escape: bool) -> str:
    blocks = []
    for number, ((speaker, text), (start, end)) in enumerate(zip(SPOKEN, TIMES, strict=True), start=1):
        said = words.format(speaker=speaker, text=html.escape(text, quote=False) if escape else text)
        blocks.append(f"{number}\n{code(start, mark)} --> {code(end, mark)}\n{said}\n")
    return "\n".join(blocks)


OBJECTS: dict[str, tuple[Any, bool]] = {
    "objects": (RECORDS, False),
    "objects with times": (TIMED, True),
    "objects with other names": ([{"Who": s, "Utterance": t} for s, t in SPOKEN], False),
    "tuples": (list(SPOKEN), False),
    "a tuple of tuples": (SPOKEN, False),
    "an object": ({"dialogue_id": "chat", "utterances": TIMED}, True),
    "a row": (
        Conversation(
            "chat", tuple(ConversationUtterance(*pair, *t) for pair, t in zip(SPOKEN, TIMES, strict=True))
        ).to_row(),
        True,
    ),
    "a table of pandas": (pd.DataFrame(TIMED), True),
    "a generator of tuples": ((pair for pair in SPOKEN), False),
}
FILES: dict[str, tuple[str, str, bool]] = {
    "chat.txt": ("text", "".join(f"{speaker}: {text}\n" for speaker, text in SPOKEN), False),
    "times.txt": (
        "text",
        "".join(f"[{code(a, '.')} - {code(b, '.')}] {s}: {t}\n" for (s, t), (a, b) in zip(SPOKEN, TIMES, strict=True)),
        True,
    ),
    "chat": ("text", "".join(f"{speaker}: {text}\n\n" for speaker, text in SPOKEN), False),
    "objects.json": ("json", json.dumps(TIMED, ensure_ascii=False), True),
    "pairs.json": ("json", json.dumps(SPOKEN, indent=1), False),
    "conversation.json": ("json", json.dumps({"id": 7, "conversation": TIMED}), True),
    "chat.jsonl": ("jsonl", "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in TIMED), True),
    "pairs.jsonl": ("jsonl", "\n".join(json.dumps(pair) for pair in SPOKEN), False),
    "chat.csv": ("csv", table(",", ("speaker", "text", "start", "end"), TIMED), True),
    "semicolons.csv": ("csv", table(";", ("NAME", " Line "), RECORDS), False),
    "chat.tsv": ("csv", table("\t", ("Who", "Utterance", "StartTime", "EndTime"), TIMED), True),
    "chat.srt": ("subrip", cues(",", "{speaker}: {text}", escape=False), True),
    "dashes.srt": ("subrip", cues(",", "- {speaker}: {text}", escape=False), True),
    "chat.vtt": ("webvtt", "WEBVTT\n\n" + cues(".", "<v {speaker}>{text}</v>", escape=True), True),
    "names.vtt": ("webvtt", "WEBVTT\n\n" + cues(".", "{speaker}: {text}", escape=True), True),
}


def check(found: list[Conversation], *, timed: bool) -> None:
    (conversation,) = found
    assert tuple((spoken.speaker, spoken.text) for spoken in conversation.utterances) == SPOKEN
    expected = TIMES if timed else ((None, None),) * 3
    assert tuple((spoken.start, spoken.end) for spoken in conversation.utterances) == expected


@pytest.mark.parametrize("kind", OBJECTS)
def test_objects_of_python_are_the_same_conversation(kind: str) -> None:
    given, timed = OBJECTS[kind]
    found, single = read_conversations(given)
    check(found, timed=timed)
    assert single
    assert found[0].format == "records"
    assert found[0].name == ("chat" if kind in ("an object", "a row") else "conversation")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("name", FILES)
def test_files_of_every_format_are_the_same_conversation(name: str, encoding: str, tmp_path: Path) -> None:
    format_name, content, timed = FILES[name]
    path = tmp_path / name
    for changed in (content, content.replace("\r\n", "\n").replace("\n", "\r\n")):
        path.write_bytes(changed.encode(encoding))
        found, single = read_conversations(path)
        check(found, timed=timed)
        assert single
        assert found[0].format == format_name
        assert found[0].name == ("7" if name == "conversation.json" else path.stem)
        assert read_conversations(str(path))[0] == found == read_conversation_file(path)


@pytest.mark.parametrize("name", FILES)
def test_what_is_pasted_is_read_as_files_are(name: str) -> None:
    format_name, content, timed = FILES[name]
    found, single = read_conversations(content)
    check(found, timed=timed)
    assert (single, found[0].format) == (True, format_name)


def test_text_of_a_visitor_names_no_file(tmp_path: Path) -> None:
    path = tmp_path / "chat.txt"
    path.write_text("Ana: Hi!")
    assert read_conversations(str(path))[0][0].name == "chat"
    with pytest.raises(InvalidDataError, match="the text: none of the formats"):
        read_conversation_text(str(path))
    (conversation,) = read_conversation_text("Ana: Hi!", name="pasted")
    assert (conversation.name, conversation.utterances) == ("pasted", (ConversationUtterance("Ana", "Hi!"),))
    with pytest.raises(InvalidDataError, match="the text: an empty conversation"):
        read_conversation_text(" ")


def test_bytes_are_content_in_any_encoding(tmp_path: Path) -> None:
    path = tmp_path / "chat.txt"
    path.write_bytes("Zoë: Hi!".encode("cp1252"))
    (conversation,) = read_conversation_bytes(path.read_bytes(), "standard input", name="chat")
    assert [conversation] == read_conversation_file(path)
    assert conversation.notes
    for data, words in ((str(path).encode(), "none of the formats"), (b" \n", "an empty conversation")):
        with pytest.raises(InvalidDataError, match=f"standard input: {words}"):
            read_conversation_bytes(data, "standard input")


def test_every_format_is_tested_and_explained() -> None:
    assert {format_name for format_name, _, _ in FILES.values()} == set(FORMATS) == set(SUFFIXES.values())


# No colon, comma and such: what a name is in lines is in the tests of text_lines.
NAMES = (
    st.text(string.ascii_letters + "éÓß哎 .'-", min_size=1, max_size=30)
    .map(str.strip)
    .filter(lambda name: name[:1].isalpha() and len(name.split()) <= 6 and not name.startswith("WEBVTT"))
)
# Without what is no text: controls, and letters that show nothing.
SHOWN = st.characters(
    exclude_categories=("Cc", "Cs", "Zl", "Zp", "Cn"), exclude_characters="\u115f\u1160\u2800\u3164\uffa0"
)
WORDS = (
    st.text(SHOWN, min_size=1, max_size=60)
    .map(str.strip)
    .filter(lambda words: any(unicodedata.category(character)[0] in "LNPS" for character in words))
)
CONVERSATIONS = st.lists(st.tuples(NAMES, WORDS), min_size=1, max_size=6)


def as_vtt(pairs: list[tuple[str, str]]) -> str:
    said = (f"0:01.000 --> 0:02.000\n<v {speaker}>{html.escape(text, quote=False)}" for speaker, text in pairs)
    return "\n\n".join(["WEBVTT", *said])


@settings(max_examples=25)
@given(CONVERSATIONS)
def test_a_conversation_that_is_written_is_read_back(pairs: list[tuple[str, str]]) -> None:
    records = [{"speaker": speaker, "text": text} for speaker, text in pairs]
    written = {
        "text": "\n".join(f"{speaker}: {text}" for speaker, text in pairs),
        "json": json.dumps(records),
        "jsonl": "\n".join(map(json.dumps, [*records, *records])),
        "csv": table(",", ("speaker", "text"), records),
        "webvtt": as_vtt(pairs),
    }
    expected, _ = read_conversations(pairs)
    for format_name, content in written.items():
        (found,), single = read_conversations(content)
        assert (found.format, single) == (format_name, True)
        repeated = 2 if format_name == "jsonl" else 1
        assert [(u.speaker, u.text) for u in found.utterances] == pairs * repeated
    assert [(u.speaker, u.text) for u in expected[0].utterances] == pairs


def test_a_list_of_conversations_is_answered_with_a_list(tmp_path: Path) -> None:
    (tmp_path / "trip.txt").write_text("Ana: Hi!\n")
    given = [
        list(SPOKEN),
        [list(pair) for pair in SPOKEN],  # Here, lists are pairs.
        RECORDS,
        {"dialogue_id": "trip", "utterances": RECORDS},
        tmp_path / "trip.txt",
        str(tmp_path / "trip.txt"),
        "Ana: Hi!",
        Conversation("own", (ConversationUtterance("Ana", "Hi!"),)),
    ]
    found, single = read_conversations(given)
    assert not single
    assert [conversation.name for conversation in found] == [
        *("conversation", "conversation_2", "conversation_3", "trip", "trip_2", "trip_3", "conversation_4", "own"),
    ]
    assert [len(conversation.utterances) for conversation in found] == [3, 3, 3, 3, 1, 1, 1, 1]
    assert found[4].notes == ("Called trip_2, as there is another conversation called trip.",)
    assert found[1].notes == ()
    assert [c.name for c in read_conversations(["Ana: Hi!", "Ana: Hi!"], name="pasted")[0]] == ["pasted", "pasted_2"]
    # A list stays one where it has one conversation.
    assert read_conversations([RECORDS])[1] is False


def test_rows_of_a_dataset_are_conversations() -> None:
    rows = [{"dialogue_id": name, "utterances": RECORDS, "pairs": []} for name in ("a", "b")]
    found, single = read_conversations(datasets.Dataset.from_list(rows))
    assert not single
    assert [(conversation.name, len(conversation.utterances)) for conversation in found] == [("a", 3), ("b", 3)]
    assert found[0].notes == ("Not used: pairs.",)


def test_names_that_are_made_are_no_names_that_are_given() -> None:
    given = [{"id": name, "utterances": RECORDS} for name in ("a", "a", "a_2", "a", "a_2")]
    assert [found.name for found in read_conversations(given)[0]] == ["a", "a_3", "a_2", "a_4", "a_2_2"]


MANY = {
    "many.json": json.dumps([RECORDS, {"dialogue_id": "b", "utterances": RECORDS}]),
    "wrapped.json": json.dumps({"conversations": [[list(pair) for pair in SPOKEN], {"id": "b", "turns": RECORDS}]}),
    "many.jsonl": json.dumps(RECORDS) + "\n\n" + json.dumps({"dialogue_id": "b", "utterances": RECORDS}),
    "ids.jsonl": "\n".join(json.dumps({**record, "dialogue_id": name}) for name in ("ids", "b") for record in RECORDS),
    "ids.csv": table(
        ";", ("conversation", "who", "line"), [{"id": name, **record} for name in ("ids", "b") for record in RECORDS]
    ),
}


@pytest.mark.parametrize("name", MANY)
def test_a_file_may_hold_several_conversations(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(MANY[name], encoding="utf-8")
    found, single = read_conversations(path)
    assert not single
    assert [conversation.name for conversation in found] == [path.stem, "b"]
    for conversation in found:
        assert tuple((spoken.speaker, spoken.text) for spoken in conversation.utterances) == SPOKEN


def test_recordings_are_relative_to_the_file_that_names_them(tmp_path: Path) -> None:
    record = {"speaker": "Ana", "text": None, "wav": "clips/1.wav", "Video": "/media/1.mp4"}
    (tmp_path / "chat.json").write_text(json.dumps([record]))
    ((conversation,), _) = read_conversations(tmp_path / "chat.json")
    expected = ConversationUtterance("Ana", "", audio=str(tmp_path / "clips" / "1.wav"), video="/media/1.mp4")
    assert conversation.utterances == (expected,)
    (conversation,) = read_conversations([record])[0]
    assert conversation.utterances[0].audio == "clips/1.wav"


def test_what_was_changed_is_said_and_counted() -> None:
    records = [
        {"speaker": "Ana", "text": "one\n two\x07", "turn": 3, "emotion": "joy"},
        {"speaker": 2, "text": " three\u200b ", "turn": "4", "start": float("nan"), "mood": None},
    ]
    (conversation,) = read_conversations(records)[0]
    assert [(u.speaker, u.text) for u in conversation.utterances] == [("Ana", "one two"), ("2", "three\u200b")]
    assert conversation.notes == (
        "Control characters were left out of utterances: 1 (utterance 1).",
        "Line breaks inside words were replaced by blanks: 1 (utterance 1).",
        "Turns are numbered anew, from 1 to 2.",
        "Not used: emotion, mood.",
    )


def test_the_content_decides_where_the_suffix_is_that_of_another_format(tmp_path: Path) -> None:
    path = tmp_path / "chat.json"
    path.write_text(FILES["chat.jsonl"][1], encoding="utf-8")
    (conversation,) = read_conversation_file(path)
    assert conversation.format == "jsonl"
    assert conversation.notes == ("Read as jsonl, which the content is, though the suffix is that of json.",)


@pytest.mark.parametrize("suffix", [suffix for suffix, name in SUFFIXES.items() if name != "text"])
def test_lines_of_words_are_text_whatever_the_suffix(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"chat{suffix}"
    path.write_text('[0:05] Ana: Hi, you!\n\nBen: Hi; at 10:30,\nAna: "Yes"\nwe missed it: all\n(sighs) of it\n')
    (conversation,) = read_conversation_file(path)
    assert [spoken.speaker for spoken in conversation.utterances] == ["Ana", "Ben", "Ana", "we missed it"]
    assert conversation.format == "text"
    note = f"Read as text, which the content is, though the suffix is that of {SUFFIXES[suffix]}."
    assert conversation.notes[0] == note


REFUSED: dict[str, tuple[Any, type[IemomecpError], str]] = {
    "nothing": ([], InvalidDataError, "An empty conversation: the list has no utterance"),
    "nothing in a list": ([RECORDS, []], InvalidDataError, "conversation 2: an empty conversation"),
    "no utterances": ({"utterances": []}, InvalidDataError, "the conversation: an empty conversation"),
    "an empty Conversation": (Conversation("x", ()), InvalidDataError, "x: an empty conversation"),
    "blanks": (" \n ", InvalidDataError, "the text: an empty conversation"),
    "lists as pairs": ([["Ana", "Hi!"], ["Ben", "No."]], UsageError, "conversation 1: a list of texts, ['Ana', 'Hi!']"),
    "an utterance": (RECORDS[0], UsageError, "one utterance. Put it into a list"),
    "a mapping": ({"Ana": "Hi!"}, UsageError, "an object with the keys 'Ana'"),
    "many keys": (
        dict.fromkeys(map(str, range(99))),
        UsageError,
        "keys '0', '1', '2', '3', '4', '5', '6', '7' and 91 more",
    ),
    "a set": ({("Ana", "Hi!")}, UsageError, "of type set"),
    "a number": (7, UsageError, "7 of type int"),
    "bytes": (b"Ana: Hi!", UsageError, "of type bytes"),
    "numbers": ([7], UsageError, "conversation 1: 7 of type int is not a conversation"),
    "mixed": ([RECORDS, RECORDS[0]], UsageError, "conversation 2: an object with the keys 'speaker', 'text'"),
    "a word": ("Ana", UsageError, "'Ana' is neither the name of a file that exists nor a conversation"),
    "a missing file": ("chat.txt", MissingDataError, "chat.txt: there is no such file"),
    "a missing file of Windows": ("C:\\chats\\a.csv", MissingDataError, "a.csv: there is no such file"),
    "a missing path": (Path("folder/chat"), MissingDataError, "folder/chat: there is no such file"),
    "a name with NUL": (Path("a\0b"), MissingDataError, "'a\\x00b': not the name of a file"),
    "a name of a folder": (".", MissingDataError, ".: is a folder"),
    "a long text": ("Ana " * 5000, UsageError, "is neither the name of a file that exists nor"),
    "a folder": (Path(), MissingDataError, ".: is a folder"),
    "no text": ([{"speaker": "Ana"}], InvalidDataError, "utterance 1: no text, as it has the keys 'speaker'"),
    "no speaker": ([("Ana", "Hi!"), {"text": "Hi!"}], InvalidDataError, "utterance 2: no speaker"),
    "an empty speaker": (
        [{"speaker": " ", "text": "Hi!"}],
        InvalidDataError,
        "utterance 1: the utterance 'Hi!' has no",
    ),
    "an invisible speaker": ([{"speaker": "\u200b\u2060", "text": "Hi!"}], InvalidDataError, "'Hi!' has no speaker"),
    "invisible text": ([("Ana", "\x07\u200b \ufeff")], InvalidDataError, "utterance 1: 'Ana' has no words"),
    "blank letters": ([("Ana", "\u3164\u2800")], InvalidDataError, "utterance 1: 'Ana' has no words"),
    "empty text": ([("Ana", "\n")], InvalidDataError, "utterance 1: 'Ana' has no words"),
    "text of pandas": ([{"speaker": "Ana", "text": float("nan")}], InvalidDataError, "'Ana' has no words"),
    "a number as text": ([("Ana", 5)], InvalidDataError, "utterance 1: 'text' must be text, but is 5"),
    "triples": ([("Ana", "Hi!", "x")], InvalidDataError, "utterance 1: 3 entries in"),
    "a string within": ([("Ana", "Hi!"), "Ben: No."], InvalidDataError, "utterance 2: 'Ben: No.', expected"),
    "a surrogate": ([("Ana", "a\ud83d")], InvalidDataError, "utterance 1: half of a surrogate pair in 'a?'"),
    "a time": ([{**RECORDS[0], "end": "soon"}], InvalidDataError, "utterance 1: the end 'soon' is not a time"),
    "a negative time": ([{**RECORDS[0], "start": -1}], InvalidDataError, "the start '-1' is not a time"),
    "times": ([{**RECORDS[0], "start": 2, "end": 1}], InvalidDataError, "ends at 1 s, before it begins at 2 s"),
    "a recording": ([{**RECORDS[0], "audio": 5}], InvalidDataError, "audio must be the name of a file, but is 5"),
    "turns": ([{**RECORDS[0], "turn": 2}] * 2, InvalidDataError, "utterance 2: turn 2 stands after turn 2"),
    "some ids": ([{**RECORDS[0], "dialogue_id": 1}, RECORDS[1]], InvalidDataError, "utterance 2: no dialogue_id, but"),
    "late ids": ([RECORDS[1], {**RECORDS[0], "dialogue_id": 1}], InvalidDataError, "utterance 2: the dialogue_id '1',"),
    "an id": ({"dialogue_id": [1], "utterances": RECORDS}, InvalidDataError, "the name of a conversation must be text"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_conversation_is_refused_in_a_sentence(case: str) -> None:
    given, error, words = REFUSED[case]
    with pytest.raises(error, match=re.escape(words)) as caught:
        read_conversations(given)
    assert len(str(caught.value)) < 300
    assert "\n" not in str(caught.value)


DAMAGED: dict[str, tuple[str, str | bytes, str]] = {
    "empty": ("chat.txt", " \n", "the file is empty"),
    "comments": ("chat.txt", "# one\n", "an empty conversation"),
    "no format": (
        "chat.dat",
        "once upon\na time",
        "text (line 1 has no 'Speaker:' in front, 'once upon'); csv (no columns",
    ),
    "JSON": ("chat.json", '{"utterances": [', "Tried: json (line 1, column 17: Expecting value)"),
    "JSON behind words": ("chat.json", 'Note: mine\n[{"speaker": "Ana"', "Tried: json (it does not begin with"),
    "times": (
        "chat.srt",
        "Ana: Hi!\n\n2\n00:00:01,000 -> 00:00:02,000\nBen: Hi.",
        "Tried: subrip (line 4, '00:00:01,000 -> 00:00:02,000', has no times such as",
    ),
    "a table behind words": ("chat.csv", "Note: mine\nAna,Hi!", "Tried: csv (no columns for speaker and text"),
    "no mark": ("chat.vtt", "Ana: Hi!\n\n00:01.000 -> 00:02.000\nBen: Hi.", "Tried: webvtt (it does not begin"),
    "JSON of something else": ("chat.json", '{"a": 1}', "an object with the keys 'a', expected a list of utterances"),
    "an empty list": ("chat.json", "[]", "an empty list"),
    "a list of text": ("chat.json", '["Ana: Hi!"]', "utterance 1: 'Ana: Hi!', expected"),
    "a repeated key": ("chat.json", '[{"text": "a", "text": "b"}]', "the key 'text' is given twice"),
    "deep": ("chat.json", "[" * 100_000, "not valid JSON"),
    "a line": ("chat.jsonl", '{"speaker": "Ana", "text": "Hi!"}\n{"speaker"\n', "line 2, column 11: not valid JSON"),
    "a number": ("chat.jsonl", '{"speaker": "Ana", "text": "Hi!"}\n5\n', "line 2: '5', expected an object or a list"),
    "without text": (
        "chat.jsonl",
        '["Ana", "Hi!"]\n{"speaker": "Ben"}',
        "line 2: no text, as it has the keys 'speaker'",
    ),
    "both": ("chat.jsonl", '["Ana", "Hi!"]\n[["Ben", "No."]]', "line 2: a conversation, but line 1 is an utterance"),
    "no header": ("chat.csv", "Ana,Hi!\nBen,No.\n", "Tried: csv (no columns for speaker and text in its first line"),
    "a header": ("chat.csv", "speaker,text\n", "an empty conversation"),
    "columns": ("chat.csv", "speaker,text,text\na,b,c", "line 1: two columns are called 'text'"),
    "cells": ("chat.csv", 'speaker,text\n"A",Hi!\nBen,No, no.', "line 3: 3 cells, but the header has 2"),
    "quotes": ("chat.csv", 'speaker,text\nAna,"a\nb"\nBen,"No', "line 4: not valid CSV"),
    "quoted words": ("chat.tsv", 'speaker\ttext\nAna\t"So" it is', "line 2: not valid CSV"),
    "an empty cell": ("chat.csv", "speaker,text\nAna,", "line 2: 'Ana' has no words"),
    "mixed encodings": ("chat.txt", "Zoë: é\n".encode() + b"Zo\xeb: \xe9", "line 2: mixed encodings"),
    "a picture": ("chat.txt", b"\x89PNG\r\n\x1a\n\0\0", "a NUL byte"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_an_error_names_the_file_and_what_is_wrong(case: str, tmp_path: Path) -> None:
    name, content, words = DAMAGED[case]
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InvalidDataError, match=re.escape(words)) as caught:
        read_conversation_file(path)
    assert str(caught.value).startswith(str(path))
    with pytest.raises(InvalidDataError, match=re.escape(words)):
        read_conversations([str(path)])


def test_a_file_of_none_of_the_formats_says_which_were_tried(tmp_path: Path) -> None:
    (tmp_path / "notes.dat").write_text("once upon a time")
    with pytest.raises(InvalidDataError) as caught:
        read_conversations(tmp_path / "notes.dat")
    assert re.findall(r"(\w+) \(", str(caught.value)) == ["text", "csv", "jsonl", "json", "subrip", "webvtt"]
    # Lines of damaged JSON look like lines of text.
    (tmp_path / "chat.json").write_text('"speaker": "Ana"\n"text": "Hi!"')
    with pytest.raises(InvalidDataError, match=r"Tried: json \(") as caught:
        read_conversations(tmp_path / "chat.json")
    assert "text (" not in str(caught.value)


def test_ten_thousand_turns_are_read() -> None:
    text = "\n".join(f"S{turn % 3}: This is utterance {turn}: yes." for turn in range(10_000))
    ((conversation,), _) = read_conversations(text)
    assert len(conversation.utterances) == 10_000
    assert conversation.utterances[-1] == ConversationUtterance("S0", "This is utterance 9999: yes.")
    assert conversation.notes == ()


def test_a_recording_of_the_whole_conversation(tmp_path: Path) -> None:
    recording = tmp_path / "trip.wav"
    recording.write_bytes(b"RIFF")
    (timed,) = read_conversations("[0:01] Ana: We missed it.\n[0:02.5] Ben: Oh no!\n[0:03 - 0:04] Ana: Yes.")[0]
    found = with_recording(timed, recording, kind="audio")
    assert found.utterances == (
        ConversationUtterance("Ana", "We missed it.", 1.0, 2.5, audio=str(recording)),
        ConversationUtterance("Ben", "Oh no!", 2.5, 3.0, audio=str(recording)),
        ConversationUtterance("Ana", "Yes.", 3.0, 4.0, audio=str(recording)),
    )
    assert found.notes == ("Utterances without an end last until the next one begins: 2.",)
    both = with_recording(found, recording, kind="video")
    assert [(spoken.audio, spoken.video) for spoken in both.utterances] == [(str(recording), str(recording))] * 3
    assert both.notes == found.notes
    (untimed,) = read_conversations("[0:01] Ana: We missed it.\nBen: Oh no!")[0]
    (unended,) = read_conversations("[0:01] Ana: We missed it.\n[0:02] Ben: Oh no!")[0]
    (unsorted,) = read_conversations("[0:03] Ana: We missed it.\n[0:02 - 0:04] Ben: Oh no!")[0]
    for conversation, path, words in (
        (timed, tmp_path / "none.wav", "none.wav: there is no such recording"),
        (timed, tmp_path / ("a" * 300), "aaa: there is no such recording"),
        (untimed, recording, "conversation, utterance 2: no start time"),
        (unended, recording, "conversation, utterance 2: no end time"),
        (unsorted, recording, "utterance 1: begins at 3 s, after the next one at 2 s"),
        (found, recording, "utterance 1: has audio of its own"),
    ):
        with pytest.raises(IemomecpError, match=words):
            with_recording(conversation, path, kind="audio")


@pytest.mark.parametrize("name", ["chat.txt", "objects.json", "chat.jsonl", "chat.csv", "chat.srt", "chat.vtt"])
def test_nothing_but_our_own_errors_escapes(name: str, tmp_path: Path) -> None:
    rng = random.Random(name)
    content, path = FILES[name][1].encode(), tmp_path / name
    read = 0
    refused: list[str] = []
    for _ in range(60):
        path.write_bytes(mutated(content, rng))
        try:
            found = read_conversation_file(path)
        except IemomecpError as error:
            refused.append(str(error))
            continue
        read += 1
        for conversation in found:
            for spoken in conversation.utterances:
                f"{spoken.speaker}{spoken.text}".encode()
                assert spoken.speaker
                assert len(spoken.text.splitlines()) == 1
    assert 0 < read < 60
    assert all(str(path) in message for message in refused)


def test_reading_imports_neither_pandas_nor_torch() -> None:
    code = (
        "import sys\nfrom iemomecp_dataset.conversations.reading import read_conversations\n"
        "read_conversations('Ana: Hi!')\n"
        "assert not {'torch', 'pandas', 'numpy', 'datasets', 'transformers'} & sys.modules.keys()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


class FileCase(ReaderCase):
    """The files above, damaged."""

    of = read_conversation_file
    test_nothing_but_our_own_errors_escapes = None  # Above, for all at once.

    @pytest.fixture
    def content(self) -> bytes:
        return FILES[self.file][1].replace("\r\n", "\n").encode()


class TestText(FileCase):
    file = "chat.txt"
    forgiven = frozenset({"cut off"})


class TestCsv(FileCase):
    file = "chat.csv"


class TestSubRip(FileCase):
    file = "chat.srt"
    forgiven = frozenset({"cut off"})


class TestWebvtt(FileCase):
    file = "chat.vtt"
    forgiven = frozenset({"cut off"})
