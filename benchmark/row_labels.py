"""Short labels of the systems of a table, for legends, axes and narrow columns: the words in which they differ.

Runs name themselves by everything that may tell them apart ("RPCL T dialogue trained"), which is too long for a figure.
A label leaves out the words that all systems of the table have in common; they are said once
(:meth:`RowLabels.sentence`). Where labels are many or long, a number stands for each system, and tables and legends are
the key (:meth:`RowLabels.keyed`).
"""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from iemomecp_dataset.excerpts import shortened
from iemomecp_dataset.pictures.words import printable

__all__ = ["MAX_DRAWN", "RowLabels"]

MAX_DRAWN = 12
"""Largest number of systems with words for labels, and that a figure with a row for each or the explorer shows; the
others are counted there."""

_LONGEST = 40
"""Largest number of characters of a label; with a longer one in the table, numbers stand for all."""

_MOST_DRAWN = 200
"""Largest number of characters of a name in a figure; results tables have all of it."""

_OPTIONS = re.compile(r"(?P<words>(?:.*?\S)??)\s*\((?P<options>\w+=.*)\)")
_NEXT_OPTION = re.compile(r", (?=\w+=)")


@dataclass(frozen=True)
class RowLabels:
    """Labels of the systems of one table.

    Attributes:
        names: Names of all systems of the table, the best last, as :class:`~iemomecp_dataset.benchmark.board.Board`
            has them. Names that are not among them, those of structural baselines say, are their own labels.

    Example:
        >>> labels = RowLabels(("Base T dialogue frozen", "RPCL T dialogue trained"))
        >>> labels["RPCL T dialogue trained"], labels["distance only"], labels.sentence
        ('RPCL trained', 'distance only', 'Names leave out what all systems share: T dialogue.')
        >>> many = RowLabels(tuple(f"Base T (seed_of_data={n})" for n in range(40)))
        >>> many["Base T (seed_of_data=39)"], many.keyed("Base T (seed_of_data=39)")
        ('#1', '#1 seed_of_data=39')
    """

    names: tuple[str, ...]

    @cached_property
    def shared(self) -> str:
        """The words that all names have in common and labels leave out; empty where there are none."""
        return _joined(self._left_out)

    @cached_property
    def numbered(self) -> bool:
        """Whether numbers stand for the systems, since they are many or a label is long."""
        return len(self.names) > MAX_DRAWN or any(len(self.words(name)) > _LONGEST for name in self.names)

    def words(self, name: str) -> str:
        """Gives the words of a name that are not those of every name: distinct, and never empty."""
        if name not in self.names:
            return name
        return _joined(_without(_words_of(name), self._left_out)) if self._left_out else name

    def __getitem__(self, name: str) -> str:
        """Gives the label for a place with little room: the words, or the number (``#1`` is the best system)."""
        if not self.numbered or name not in self.names:
            return self.words(name)
        return f"#{len(self.names) - self.names.index(name)}"

    def keyed(self, name: str, width: int = 0) -> str:
        """Gives the label for a legend or a table that is the key of the page: number, if there are any, and words.

        Args:
            name: A name.
            width: Characters to wrap at; 0 keeps one line.
        """
        words = printable(shortened(self.words(name), _MOST_DRAWN))
        text = f"{self[name]} {words}" if self.numbered and name in self.names else words
        return "\n".join(textwrap.wrap(text, width, break_on_hyphens=False)) if width else text

    @cached_property
    def sentence(self) -> str:
        """What a reader of the labels must know; empty where labels are the names."""
        numbers = "Numbers are places in the results table, #1 the best." if self.numbered else ""
        shared = f"Names leave out what all systems share: {self.shared}." if self.shared else ""
        return f"{numbers} {shared}".strip()

    @cached_property
    def _left_out(self) -> list[str]:
        """The shared words that can be left out so that labels stay distinct, and none is empty."""
        different = list(dict.fromkeys(self.names))
        if len(different) < 2:
            return []
        words = [_words_of(name) for name in different]
        common = Counter(words[0])
        for of_name in words[1:]:
            common &= Counter(of_name)
        shared = _first(words[0], common)
        if any(_first(of_name, common) != shared for of_name in words):
            return []  # in another order they say something else
        # The first word, the objective in most names, comes back first where something must.
        for start in range(len(shared) + 1):
            labels = [_joined(_without(of_name, shared[start:])) for of_name in words]
            if all(labels) and len(set(labels)) == len(labels):
                return shared[start:]
        return []


def _words_of(name: str) -> list[str]:
    """Splits a name into words and, of "(option=value, other=value)" at its end, options."""
    # The end is looked at first: the expression would look for it again from every bracket.
    found = _OPTIONS.fullmatch(name) if name.endswith(")") else None
    if found is None:
        return name.split()
    return [*found["words"].split(), *(f"({option}" for option in _NEXT_OPTION.split(found["options"]))]


def _joined(words: Sequence[str]) -> str:
    """Joins what :func:`_words_of` splits; options alone need no parentheses."""
    options = ", ".join(word[1:] for word in words if _is_option(word))
    plain = " ".join(word for word in words if not _is_option(word))
    return f"{plain} ({options})" if plain and options else plain or options


def _is_option(word: str) -> bool:
    return re.match(r"\(\w+=", word) is not None


def _first(words: Iterable[str], counts: Counter[str]) -> list[str]:
    """The first occurrences of counted words, in the order of the words."""
    left = Counter(counts)
    found = []
    for word in words:
        if left[word]:
            left[word] -= 1
            found.append(word)
    return found


def _without(words: Iterable[str], dropped: Iterable[str]) -> list[str]:
    left = Counter(dropped)
    kept = []
    for word in words:
        if left[word]:
            left[word] -= 1
        else:
            kept.append(word)
    return kept
