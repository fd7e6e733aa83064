"""Encodings: marks, UTF-8, Windows-1252 where it must be, and one error where lines differ."""

from __future__ import annotations

import codecs
import os
import re
from pathlib import Path

import pytest

from iemomecp_dataset.conversations.decoding import decode, read_bytes
from iemomecp_dataset.conversations.reading import read_conversation_file
from iemomecp_dataset.errors import InvalidDataError, MissingDataError

TEXT = "Ana: Ça va?\nZoë: “Très” bien – 5 €."


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(),
        codecs.BOM_UTF8 + TEXT.encode(),
        *(mark + TEXT.encode(name) for mark, name in (
            (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"),
            (codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"),
        )),
    ],
)  # fmt: skip
def test_unicode_is_read_without_a_word(data: bytes) -> None:
    assert decode(data, "chat.txt") == (TEXT, ())


def test_windows_1252_is_read_and_said() -> None:
    text, notes = decode(TEXT.encode("cp1252"), "chat.txt")
    assert text == TEXT
    assert notes == ("Read as Windows-1252, as it is not UTF-8: 7 characters on 2 lines, the first 'Ç' on line 1.",)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (
            b"Ana: Hi!\nZoe: Tr\xe8s\nZo\xc3\xab: bien",
            "line 2: mixed encodings, as the byte 0xe8 here is not UTF-8, but line 3",
        ),
        (b"a\rb\r\nZo\xc3\xab: Tr\xe8s", "line 3: mixed encodings, as the byte 0xe8 here is not UTF-8, but line 3"),
        ("Zoë".encode() * 2 + b"\xc3", "line 1: mixed encodings, as the byte 0xc3"),
        (b"Ana: Hi!\nBen\x81: \xe9", "line 2: neither UTF-8 nor Windows-1252 text, as it has the byte 0x81"),
        (b"Ana: Hi!\xe9\x02", "line 1: neither UTF-8 nor Windows-1252 text, as it has the byte 0x02"),
        (b"Ana: Hi!\n\0", "line 2: a NUL byte"),
        ("Ana: Hi!".encode("utf-16-le"), "line 1: a NUL byte, so this is not text (or it is UTF-16 without"),
        (codecs.BOM_UTF16_LE + "a\nb".encode("utf-16-le") + b"\x00\xd8", "line 2: not UTF-16-LE"),
        (codecs.BOM_UTF8 + b"a\nb\xe9", "line 2: not UTF-8, which its byte-order mark states"),
        (codecs.BOM_UTF16_LE + "a\n\0".encode("utf-16-le"), "line 2: a NUL character"),
    ],
)
def test_an_error_names_the_line(data: bytes, words: str) -> None:
    with pytest.raises(InvalidDataError, match=re.escape(f"chat.txt, {words}")):
        decode(data, "chat.txt")


def test_a_file_that_cannot_be_read_is_missing_data(tmp_path: Path) -> None:
    for path, words in ((tmp_path, "is a folder"), (tmp_path / "a.txt", "there is no such file")):
        with pytest.raises(MissingDataError, match=words):
            read_bytes(path)
    (tmp_path / "a.txt").write_bytes(b"\0")
    assert read_bytes(tmp_path / "a.txt") == b"\0"
    with pytest.raises(MissingDataError, match="cannot be read"):
        read_bytes(tmp_path / "a.txt" / "b.txt")
    with pytest.raises(MissingDataError, match=r"^'aaaaa.*…': a name of 300 characters, which no file has"):
        read_bytes(Path("a" * 300))


def test_a_pipe_on_disk_is_refused_and_process_substitution_is_read(tmp_path):
    os.mkfifo(tmp_path / "chat.txt")
    with pytest.raises(MissingDataError, match=r"chat\.txt: is a named pipe, expected a file"):
        read_conversation_file(tmp_path / "chat.txt")
    outlet, inlet = os.pipe()
    os.write(inlet, b"Ana: Hi!\nBen: Oh no!\n")
    os.close(inlet)
    (conversation,) = read_conversation_file(Path(f"/dev/fd/{outlet}"))
    os.close(outlet)
    assert [spoken.speaker for spoken in conversation.utterances] == ["Ana", "Ben"]
