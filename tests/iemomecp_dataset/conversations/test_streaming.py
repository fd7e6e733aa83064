"""Files of many conversations: streamed, found again by their places, and equal to what is read as a whole."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from many_conversations import conversations, write_lines, write_rows

from iemomecp_dataset.conversations.reading import read_conversation_file
from iemomecp_dataset.conversations.streaming import is_streamable, open_records
from iemomecp_dataset.errors import InvalidDataError, MissingDataError


def test_lines_are_read_as_the_whole_file_is(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "talks.jsonl", conversations(9))
    records = list(open_records(path).records())
    assert [one for record in records for one in record.conversations] == read_conversation_file(path)
    assert [record.number for record in records] == [1, *range(3, 11)]
    content = path.read_bytes()
    assert all(content[record.offset :].startswith(b'{"dialogue_id"') for record in records)


def test_rows_hold_what_lines_hold(tmp_path: Path) -> None:
    of_lines = read_conversation_file(write_lines(tmp_path / "talks.jsonl", conversations(30)))
    of_rows = read_conversation_file(write_rows(tmp_path / "talks.parquet", conversations(30)))
    assert [(one.name, one.utterances) for one in of_rows] == [(one.name, one.utterances) for one in of_lines]
    assert of_rows[0].format == "parquet"
    assert of_rows[0].notes == ("Not used: topic.",)


@pytest.mark.parametrize("order", [(0, 1, 20), (20, 3, 29), (5, 5, 28, 6)])
@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_a_record_is_found_again(kind: str, order: tuple[int, ...], tmp_path: Path) -> None:
    write = {"jsonl": write_lines, "parquet": write_rows}[kind]
    path = write(tmp_path / f"talks.{kind}", conversations(30))
    records = list(open_records(path).records())
    file = open_records(path)
    for place in order:
        assert file.record_at(records[place].number, records[place].offset) == records[place]
    file.close()


BROKEN = {
    "cut off": (b'{"utterances": [{"speaker": "A"', "talks.jsonl, line 2, column"),
    "an utterance": (
        b'{"speaker": "Ana", "text": "Hi."}',
        "talks.jsonl, line 2: an utterance, expected a conversation",
    ),
    "empty": (b'{"utterances": []}', "talks.jsonl, line 2: an empty conversation"),
    "no speaker": (b'{"utterances": [{"text": "Hi."}]}', "talks.jsonl, line 2, utterance 1: no speaker"),
    "not UTF-8": (b'{"utterances": [{"speaker": "Zo\xeb", "text": "Hi."}]}', "talks.jsonl, line 2: not UTF-8"),
    "NUL": (b'{"utterances": [{"speaker": "A\0", "text": "Hi."}]}', "talks.jsonl, line 2: not UTF-8 text (a NUL"),
    "half a surrogate pair": (b'{"utterances": [{"speaker": "A", "text": "\\ud83d"}]}', "talks.jsonl, line 2, "),
    "nesting": (b"[" * 2000 + b"]" * 2000, "talks.jsonl, line 2"),
    "a number": (b"7", "talks.jsonl, line 2: 7, expected an object with a list"),
}


@pytest.mark.parametrize(("line", "message"), BROKEN.values(), ids=BROKEN)
def test_a_broken_line_is_named_and_the_others_are_read(line: bytes, message: str, tmp_path: Path) -> None:
    good = json.dumps(conversations(1)[0]).encode()
    (tmp_path / "talks.jsonl").write_bytes(b"\n".join([good, line, good]))
    first, broken, last = open_records(tmp_path / "talks.jsonl").records()
    assert message in str(broken.error)
    assert first.conversations == last.conversations


def test_what_is_no_file_of_many_conversations(tmp_path: Path) -> None:
    texts = {"talk.txt": "Ana: Hi.", "utterances.jsonl": '{"speaker": "A", "text": "Hi."}', "empty.jsonl": ""}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
        assert not is_streamable(tmp_path / name)
    assert is_streamable(write_lines(tmp_path / "talks.jsonl", conversations(2)))
    with pytest.raises(MissingDataError, match="no such file"):
        open_records(tmp_path / "other.jsonl")
    (tmp_path / "no.parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(InvalidDataError, match="cannot be read as Parquet"):
        open_records(tmp_path / "no.parquet")
    pq.write_table(pa.table({"speaker": ["A"], "text": ["Hi."]}), tmp_path / "flat.parquet")
    with pytest.raises(InvalidDataError, match="a column 'utterances' with a list"):
        open_records(tmp_path / "flat.parquet")


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_memory_does_not_grow_with_the_file(kind: str, tmp_path: Path) -> None:
    write = {"jsonl": write_lines, "parquet": lambda path, records: write_rows(path, records, group=100)}[kind]
    peaks = []
    for number in (200, 2000):
        path = write(tmp_path / f"talks-{number}.{kind}", conversations(number))
        tracemalloc.start()
        for _ in open_records(path).records():
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 400_000, "the longer file has about a megabyte"
