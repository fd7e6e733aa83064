"""No reader hangs: what is long is read in one go, and what is beyond a bound is refused with the bound."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from corpus_files import ecf_text, mec4, write

import iemomecp_dataset
from iemomecp_dataset.candidates import labeled_candidates
from iemomecp_dataset.conversations.reading import read_conversation_file, read_conversation_text
from iemomecp_dataset.corpora.ecem import agreement
from iemomecp_dataset.corpora.ecf import read_ecf_text
from iemomecp_dataset.corpora.loading import find_corpus, read_corpus
from iemomecp_dataset.corpora.mec4 import read_mec4
from iemomecp_dataset.errors import IemomecpError, InvalidDataError, MissingDataError
from iemomecp_dataset.files.bounds import LARGEST_FILE, LONGEST_LINE, MOST_TURNS
from iemomecp_dataset.metrics.evaluation.free_pairs import free_pairs
from iemomecp_dataset.sources.iemocap_release import read_transcript

LONG = 100_000


@pytest.fixture(autouse=True)
def no_hanging() -> Iterator[None]:
    """Ends what takes 20 seconds of computing; with time quadratic in the input it would be minutes to days."""

    def end(*_: object) -> None:
        raise TimeoutError("takes more than 20 seconds")

    before = signal.signal(signal.SIGVTALRM, end)
    signal.setitimer(signal.ITIMER_VIRTUAL, 20)
    yield
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    signal.signal(signal.SIGVTALRM, before)


@pytest.mark.parametrize("part", [" ", "(", "( ", ")", ",", "(1,1) ", "(1 ", "9"])
def test_long_lines_of_pairs_of_ecf(tmp_path: Path, part: str) -> None:
    line = part * (LONG // len(part)) + "!"
    path = write(tmp_path / "train.txt", ecf_text().replace("(2,1),(2,2),(2,1),(1,3)", line))
    with pytest.raises(InvalidDataError, match="line 2, conversation 7: expected pairs"):
        list(read_ecf_text(path))


@pytest.mark.parametrize("part", [":", " ", "1:", "1 - ", "-"])
def test_long_times_of_ecf(tmp_path: Path, part: str) -> None:
    path = write(tmp_path / "train.txt", ecf_text().replace("00:00:01.500", part * (LONG // len(part))))
    with pytest.raises(InvalidDataError, match="turn 1: expected times"):
        list(read_ecf_text(path))


@pytest.mark.parametrize("part", [" ", "1.", "1. ", "1.甲", "2 ", "1.甲 ", "甲", "2.甲：", "\n"])
def test_long_texts_of_mec4(tmp_path: Path, part: str) -> None:
    text = "1.甲" + part * (LONG // len(part)) + "!"
    path = write(tmp_path / "train.json", mec4(text=text))
    with pytest.raises(InvalidDataError, match="'dia_len' is 3, but the text has"):
        list(read_mec4(path))
    many = " ".join(f"{turn}.甲：雨" for turn in range(1, 4_000))
    (dialogue,) = read_mec4(write(path, [{**mec4()[0], "text": many, "dia_len": 3_999}]))
    assert len(dialogue.utterances) == 3_999


@pytest.mark.parametrize("part", [" ", "a", "[", "[1 - ", "[1 - 1] ", ":"])
def test_long_lines_of_transcripts(tmp_path: Path, part: str) -> None:
    line = f"Ses01F_impro01_F000 {part * (LONG // len(part))}"
    path = write(tmp_path / "Ses01F_impro01.txt", f"{line}\nSes01F_impro01_F001 [1.0-2.0]: Rain.\n")
    assert read_transcript(path)["Ses01F_impro01_F001"].text == "Rain."


SUBTITLES = "1\n00:00:01,000 --> 00:00:02,000\nAna: {}\n"
WEBVTT = "WEBVTT\n\n00:01.000 --> 00:02.000\nAna: {}\n"
LINES = "Ana: {}\nBen: Oh no!\n"
REMARK = "{} Ana: Hi!\nBen: Oh no!\n"
JSON = '[{{"speaker": "Ana", "text": "{}"}}]'


@pytest.mark.parametrize("layout", [SUBTITLES, WEBVTT, LINES, REMARK, JSON])
@pytest.mark.parametrize(
    "part", [" ", "<v ", "<v.", "<v a", "<b ", "{{", "(a) ", "[1:00", "1:", "**a", "- ", "\\t ", "x:"]
)
def test_long_words_of_conversations(layout: str, part: str) -> None:
    words = "a" + part * (LONG // len(part)) + "b"
    with contextlib.suppress(IemomecpError):
        assert read_conversation_text(layout.format(words))[0].utterances


@pytest.mark.parametrize("part", ["\n", " ", "\n ", ",", "1 ", "1, ", "1_", "no "])
def test_long_texts_of_free_pairs(part: str) -> None:
    free_pairs(["3_joy", f"1: {part * (LONG // len(part))}x"], {"joy": "joy"})
    free_pairs(f"3_joy, 1 {part * (LONG // len(part))}x", {"joy": "joy"})


def test_texts_without_a_letter_in_common_place_are_compared_quickly() -> None:
    assert agreement("ab" * LONG, "ba" * LONG) > 0.99
    assert agreement("a" * LONG, "b" * LONG) == 0.0


# --- bounds -------------------------------------------------------------------------------------------------------


def test_a_line_that_is_too_long_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "train.txt", ecf_text().replace("It did what ?", "a" * LONGEST_LINE))
    with pytest.raises(InvalidDataError, match=r"train\.txt, line 4: 1,000,.* more than the 1,000,000"):
        list(read_ecf_text(path))
    chat = write(tmp_path / "chat.txt", f"Ana: Hi!\nBen: {'o' * LONGEST_LINE}\n")
    with pytest.raises(InvalidDataError, match=r"chat\.txt, line 2: 1,000,005 characters"):
        read_conversation_file(chat)


def test_a_file_that_is_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with (tmp_path / "train.txt").open("wb") as stream:
        stream.truncate(2**42)  # No byte of it is on disk.
    with pytest.raises(InvalidDataError, match=f"4,398,046,511,104 bytes, more than the {LARGEST_FILE:,}"):
        find_corpus("ecf", tmp_path, "all")
    with pytest.raises(InvalidDataError, match="more than the"):
        read_conversation_file(tmp_path / "train.txt")


def test_a_dialogue_of_too_many_turns_is_named_and_one_of_many_is_read(tmp_path: Path) -> None:
    def conversation(n_turns: int) -> Path:
        spoken = (f"{n} | Ann | joy | Rain . | E: 00:00:01 - 00:00:02" for n in range(1, n_turns + 1))
        pairs = ",".join(f"({n},{n})" for n in range(1, n_turns + 1))
        return write(tmp_path / "train.txt", "\n".join([f"7 {n_turns}", pairs, *spoken]))

    with pytest.raises(InvalidDataError, match="dialogue '7': 3,000 turns have 9,000,000 pairs"):
        read_corpus("ecf", {"train": conversation(3000)}, "all")
    (row,) = read_corpus("ecf", {"train": conversation(200)}, "all").rows["train"]
    assert (len(row["pairs"]), sum(pair["label"] == 0 for pair in row["pairs"])) == (40_000, 200)
    chat = [{"speaker": "Ana", "text": "Hi!"}] * (MOST_TURNS + 1)
    with pytest.raises(InvalidDataError, match=r"100,001 turns, more than the 100,000"):
        read_conversation_text(json.dumps(chat))


def test_the_garbage_collector_is_as_it_was_after_labelling() -> None:
    import gc

    assert gc.isenabled()
    with pytest.raises(TypeError):
        labeled_candidates("3", [], "all")  # type: ignore[arg-type]
    assert gc.isenabled()


def test_a_pipe_among_the_transcripts_of_a_release_is_refused(tree: Any) -> None:
    (tree.root / "IEMOCAP/Session1/dialog/transcriptions/Ses01F_impro99.txt").parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(tree.root / "IEMOCAP/Session1/dialog/transcriptions/Ses01F_impro99.txt")
    with pytest.raises(MissingDataError, match=r"Ses01F_impro99\.txt: is a named pipe"):
        iemomecp_dataset.load(data_dir=tree.root)
