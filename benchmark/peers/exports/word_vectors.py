"""The table of word vectors that MECPE-2step reads: a line of count and width, then a word and its numbers per line."""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from iemomecp_dataset.errors import InvalidDataError, MissingDataError
from iemomecp_dataset.files import write_text

__all__ = ["WIDTH", "WordVectors", "write_word_vectors"]

WIDTH = 300
_RANDOM_RANGE = 0.1


@dataclass(frozen=True)
class WordVectors:
    """A table that was written.

    Attributes:
        found: Words of the texts that have a vector, in their own case or in lower case.
        note: What a row must state of it.
    """

    found: int
    note: str


def write_word_vectors(path: Path, words: Set[str], *, source: Path | None, seed: int) -> WordVectors:
    """Writes the vectors of the words of a corpus.

    Args:
        path: The file.
        words: The words.
        source: A file of vectors, one word and its 300 numbers per line, with or without a first line of count and
            width; of it the words are kept that occur, in their own case or in lower case. None: every word gets
            random numbers, uniform in ±0.1.
        seed: Seed of the random vectors.

    Returns:
        What was written.

    Raises:
        MissingDataError: The source is not there.
        InvalidDataError: A line of it does not fit, or it has none of the words.
    """
    wanted = words | {word.lower() for word in words}
    if source is None:
        names = sorted(wanted)
        numbers = np.random.default_rng(seed).uniform(-_RANDOM_RANGE, _RANDOM_RANGE, (len(names), WIDTH))
        lines = [f"{name} " + " ".join(f"{x:.6f}" for x in row) for name, row in zip(names, numbers, strict=True)]
        note = (
            f"There is no file of word vectors: all {len(words)} words have RANDOM vectors of seed {seed}, so the "
            "BiLSTM mode begins without what GloVe knows. Give --glove FILE for vectors as in the paper."
        )
        found = len(words)
    else:
        kept = {name: line for name, line in _read(source) if name in wanted}
        found = sum(word in kept or word.lower() in kept for word in words)
        if not found:
            raise InvalidDataError(
                f"{source}: none of the {len(words)} words of the corpus has a vector. Give vectors of its language."
            )
        lines = list(kept.values())
        note = f"{found} of {len(words)} words have a vector of {source.name}."
    write_text(path, "".join(f"{line}\n" for line in (f"{len(lines)} {WIDTH}", *lines)))
    return WordVectors(found, note)


def _read(source: Path) -> Iterator[tuple[str, str]]:
    """Words and their lines; line by line, as such files have gigabytes."""
    if not source.is_file():
        raise MissingDataError(f"The file {source} of word vectors (--glove) is not there.")
    with source.open(encoding="utf-8", newline="\n", errors="replace") as stream:
        for number, line in enumerate(stream, start=1):
            fields = line.split()
            if number == 1 and len(fields) == 2 and all(field.isdecimal() for field in fields):
                continue
            # Some words of GloVe's largest table have blanks: no word that was split at blanks is one of them.
            if len(fields) > WIDTH + 1:
                continue
            if len(fields) < WIDTH + 1:
                if not fields:
                    continue
                raise InvalidDataError(
                    f"{source}, line {number}: expected a word and {WIDTH} numbers, found {len(fields) - 1} numbers. "
                    f"MECPE reads vectors of width {WIDTH}."
                )
            try:
                finite = np.isfinite(np.array(fields[1:], dtype=np.float64)).all()
            except ValueError:
                finite = np.False_
            if not finite:
                raise InvalidDataError(f"{source}, line {number}: expected {WIDTH} numbers after the word.")
            yield fields[0], " ".join(fields)
