"""Texts as the peers read them: on one line, never empty, without the mark between fields, in words; all counted."""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections import Counter
from collections.abc import Callable
from typing import Literal

from iemomecp_dataset.corpora.metadata import CORPORA, corpus_of_config
from iemomecp_dataset.errors import UsageError

__all__ = ["EMPTY_TEXT", "Segmenter", "in_words", "one_line", "segmenter_of"]

EMPTY_TEXT = "."
"""What stands for an empty text: MECPE's second step fails on an empty one."""

Segmenter = Literal["none", "punctuation", "characters", "jieba"]
"""How a text is split into words: as it is; punctuation split off; every Chinese character; by the package jieba."""

_BAR, _BAR_REPLACED = "|", "/"

# A contraction is cut as in the Penn Treebank, whose words the tables of word vectors have.
_ENGLISH = re.compile(
    r"\w+?(?=n['’]t\b)|n['’]t\b|['’](?:s|m|d|re|ve|ll)\b|\d+(?:[.,:]\d+)+|\w+|\.{2,}|[^\w\s]", flags=re.IGNORECASE
)
_CHINESE = re.compile(r"[0-9A-Za-z]+(?:[.,:'][0-9A-Za-z]+)*|\.{2,}|…+|\S")


def one_line(text: str | None, counts: Counter[str], what: str = "texts") -> str:
    r"""Rewrites a field of a line, whose fields stand between ``" | "``.

    Args:
        text: The field.
        counts: Receives the kinds of rewriting.
        what: What the field is, for the counts.

    Returns:
        The field with single blanks, without ``|``, and never empty.

    Example:
        >>> counts = Counter()
        >>> one_line(" Yes\n  | no", counts), one_line(None, counts)
        ('Yes / no', '.')
        >>> dict(counts)
        {'texts with white space collapsed': 1, 'texts with | replaced by /': 1, 'empty texts written as .': 1}
    """
    given = text or ""
    collapsed = " ".join(given.split())
    if not collapsed:
        counts[f"empty {what} written as {EMPTY_TEXT}"] += 1
        return EMPTY_TEXT
    counts[f"{what} with white space collapsed"] += collapsed != given
    counts[f"{what} with {_BAR} replaced by {_BAR_REPLACED}"] += _BAR in collapsed
    return collapsed.replace(_BAR, _BAR_REPLACED)


def segmenter_of(config_name: str, asked: str | None = None) -> Segmenter:
    """Chooses how the texts of a configuration are split into words.

    Args:
        config_name: Configuration name.
        asked: What is asked for, if it is.

    Returns:
        ``none`` for ECF, whose punctuation is spaced already; for Chinese ``jieba`` where it is installed, else
        ``characters``; else ``punctuation``.

    Raises:
        UsageError: ``jieba`` is asked for and not installed.
    """
    if asked == "jieba" and importlib.util.find_spec("jieba") is None:
        raise UsageError(
            "--segmenter jieba needs the package jieba: pip install jieba, or give --segmenter characters."
        )
    if asked is not None:
        return asked  # type: ignore[return-value]  # The command line has checked it.
    corpus = corpus_of_config(config_name)
    if corpus == "ecf":
        return "none"
    if corpus in CORPORA and CORPORA[corpus].language.startswith("zh"):
        return "characters" if importlib.util.find_spec("jieba") is None else "jieba"
    return "punctuation"


def in_words(text: str, segmenter: Segmenter, counts: Counter[str]) -> str:
    """Separates the words of a text by blanks.

    Args:
        text: One line.
        segmenter: How it is split.
        counts: Receives how many texts were changed.

    Returns:
        The text, in which blanks were added and nothing else was changed.

    Example:
        >>> in_words("I don't know, Joe...", "punctuation", Counter())
        "I do n't know , Joe ..."
    """
    if segmenter == "none":
        return text
    words = " ".join(word for part in _SPLITTERS[segmenter](text) for word in part.split())
    counts[_COUNTED[segmenter]] += words != text
    return words


def _jieba(text: str) -> list[str]:
    return [str(word) for word in importlib.import_module("jieba").cut(text)]


_SPLITTERS: dict[str, Callable[[str], list[str]]] = {
    "punctuation": _ENGLISH.findall,
    "characters": _CHINESE.findall,
    "jieba": _jieba,
}
_COUNTED = {
    "punctuation": "texts with punctuation split off",
    "characters": "texts split into characters",
    "jieba": "texts split into words by jieba",
}
