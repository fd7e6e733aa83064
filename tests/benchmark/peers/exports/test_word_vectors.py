"""The table of word vectors: filtered, or random by seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from iemomecp_dataset.benchmark.peers.exports.word_vectors import WIDTH, write_word_vectors
from iemomecp_dataset.errors import InvalidDataError, MissingDataError

WORDS = {"Well", ",", "rain"}


def line(word: str, value: float = 0.5, width: int = WIDTH) -> str:
    return f"{word} " + " ".join([str(value)] * width)


def test_a_file_is_filtered_in_either_case(tmp_path: Path) -> None:
    source = tmp_path / "glove.txt"
    # The third is a word with a blank, as the largest of GloVe's tables has some.
    source.write_text("\n".join(["5 300", line("well"), line(". ."), line(","), line("snow"), ""]))
    written = write_word_vectors(tmp_path / "out.txt", WORDS, source=source, seed=1)
    assert (tmp_path / "out.txt").read_text().splitlines() == ["2 300", line("well"), line(",")]
    assert written.found == 2
    assert written.note == "2 of 3 words have a vector of glove.txt."


def test_random_vectors_follow_the_seed_and_say_so(tmp_path: Path) -> None:
    made = {}
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        written = write_word_vectors(tmp_path / name, WORDS, source=None, seed=seed)
        made[name] = (tmp_path / name).read_text().splitlines()
        assert written.found == 3
        assert f"all 3 words have RANDOM vectors of seed {seed}" in written.note
    assert made["a"] == made["b"] != made["c"]
    assert made["a"][0] == "4 300"
    assert [entry.split()[0] for entry in made["a"][1:]] == [",", "Well", "rain", "well"]
    numbers = np.array([entry.split()[1:] for entry in made["a"][1:]], dtype=float)
    assert numbers.shape == (4, WIDTH)
    assert 0.05 < np.abs(numbers).max() <= 0.1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            line("well", width=50),
            "line 1: expected a word and 300 numbers, found 50 numbers. MECPE reads vectors of width",
        ),
        (line("well").replace("0.5", "x", 1), "line 1: expected 300 numbers after the word"),
        (line("well", float("nan")), "line 1: expected 300 numbers after the word"),
        (line("snow"), "none of the 3 words of the corpus has a vector"),
        ("", "none of the 3 words"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, content: str, message: str) -> None:
    source = tmp_path / "glove.txt"
    source.write_text(content)
    with pytest.raises(InvalidDataError, match=message):
        write_word_vectors(tmp_path / "out.txt", WORDS, source=source, seed=1)
    assert not (tmp_path / "out.txt").exists()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match=r"none\.txt of word vectors"):
        write_word_vectors(tmp_path / "out.txt", WORDS, source=tmp_path / "none.txt", seed=1)
