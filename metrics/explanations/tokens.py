"""Tokens of explanations: those that the published n-gram scores count, raw ones, and what follows the opening.

The tokens of the published scores come from a Java program, Stanford's PTB tokenizer. Here regular expressions follow
the same Treebank conventions (R. MacIntyre's script, as NLTK has it) and, where the two differ, that program: stops
within a text, abbreviations, runs of marks. So scores do not depend on Java.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from iemomecp_dataset.errors import MetricInputError, did_you_mean
from iemomecp_dataset.excerpts import excerpt, shown

__all__ = ["TOKENIZERS", "content_tokens", "opening_length", "ptb_tokens", "raw_tokens", "tokenizer_of"]

# Typographic quotes, dashes and ellipses in ASCII; a dash is a token of its own.
_STRAIGHT = str.maketrans(
    dict.fromkeys("“”„‟«»`", '"') | dict.fromkeys("‘’‚‛‹›", "'") | dict.fromkeys("‒–—―", " -- ") | {"…": " ... "}
)

_RULES = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        # Double quotes never count, so what kind they are is irrelevant.
        (r"\"|''", ' " '),
        # An opening single quote, but not the apostrophe of a clitic.
        (r"(?<!\w)'(?!(?:re|ve|ll|m|t|s|d|n|em|cause)\b)(?=\w)", "' "),
        # Commas and colons, except inside numbers.
        (r"[:,](?!\d)", r" \g<0> "),
        # A run of stops is an ellipsis, whatever its length; a run of other marks is one token, which counts.
        (r"\.{2,}", " ... "),
        (r"[?!]+", r" \g<0> "),
        (r"[;@#$%&*<>]", r" \g<0> "),
        (r"([^'])' ", r"\1 ' "),
        # A hyphen after a clitic, or at the end of a word, is a dash.
        (r"('(?:[smd]|ll|re|ve)|n't)-", r"\1 - "),
        (r"(\w)-(?= |$)", r"\1 - "),
        (r"\(", " -lrb- "),
        (r"\)", " -rrb- "),
        (r"\[", " -lsb- "),
        (r"\]", " -rsb- "),
        (r"\{", " -lcb- "),
        (r"\}", " -rcb- "),
        (r"--", " -- "),
        (r"^|\s+|$", " "),
        (r"([^' ])('[smd]|'(?:ll|re|ve)|n't|') ", r"\1 \2 "),
        # y'know, y'all
        (r"\b(y')(?=[a-z]{2})", r" \1 "),
        (r"\b(can)(not)\b", r" \1 \2 "),
        (r"\b(d)('ye)\b", r" \1 \2 "),
        (r"\b(gim|lem)(me)\b", r" \1 \2 "),
        (r"\b(gon|wan)(na)\b", r" \1 \2 "),
        (r"\b(got)(ta)\b", r" \1 \2 "),
        (r"\b(more)('n)\b", r" \1 \2 "),
        (r" ('t)(is|was)\b", r" \1 \2 "),
    )
)

_CLOSING = "])}>\"'"
# Their stop stays, as that of an initial does. Capitals count: "Mon." is a day, "mon." ends a sentence in patois.
_INITIAL = re.compile(r"(?<![\w'.])([A-Z])\.(\.+)")
_CURLY = re.compile(r"(?<!\w)[‘’](?=(?:cause|em)\b)", re.IGNORECASE)
_ABBREVIATION = re.compile(
    r"(?:.*\W)?(?:[A-Z]|(?:[A-Za-z]\.)+[A-Za-z]|Ph\.D|[MDJS]r|Mrs|Ms|Mss|Drs|Messrs|Prof|Gov|Gen|Rep|Sens?|Reps|Lt|Col|"
    r"Sgt|Capt|Cpl|Maj|Adm|Rev|Hon|Esq|St|Ave|Blvd|Co|Corp|Inc|Ltd|Bros|Dept|Univ|vs|[Ee]tc|Jan|Feb|Mar|Apr|Jun|Jul|Aug|"
    r"Sept?|Oct|Nov|Dec|Mon|Tues?|Wed|Thurs?|Fri)"
)

_LOOKED_AT = 20
"""Last characters of a word that tell whether it is an abbreviation: a long one would take the square of its length."""

# The published list names brackets in upper case, "-LRB-", and so never meets those of lower-case texts.
_REMOVED = frozenset(["''", "'", '"', ".", "?", "!", ",", ":", "-", "--", "...", ";"])

_OPENING_ENDS = frozenset(("that", "because"))
_OPENING_POSITIONS = range(2, 11)


def ptb_tokens(text: str) -> list[str]:
    """Splits a text as image captioning's scores do: Treebank tokens in lower case, without punctuation.

    Args:
        text: A text; blanks of any kind separate words.

    Returns:
        Its tokens. Hyphens inside words stay; brackets become ``-lrb-`` and ``-rrb-``, which count.

    Example:
        >>> ptb_tokens("She can't stay – the “quiet” drum-school (upstairs) costs $40!")[:8]
        ['she', 'ca', "n't", 'stay', 'the', 'quiet', 'drum-school', '-lrb-']
    """
    text = " ".join(_CURLY.sub("' ", text).translate(_STRAIGHT).split())
    text = _with_stops_apart(_INITIAL.sub(r"\1. \2", text)).lower()
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return [token for token in text.split() if token not in _REMOVED]


def _with_stops_apart(text: str) -> str:
    """Splits the stop that ends a word, before closing quotes and brackets, from all but abbreviations."""
    words: list[str] = []
    for word in text.split():
        bare = word.rstrip(_CLOSING)
        stem = bare[:-1]
        if bare.endswith(".") and stem and not stem.endswith(".") and not _ABBREVIATION.fullmatch(stem[-_LOOKED_AT:]):
            words += [stem, ".", word[len(bare) :]]
        else:
            words.append(word)
    return " ".join(words)


def raw_tokens(text: str) -> list[str]:
    """Splits a text at blanks, case and punctuation included.

    Example:
        >>> raw_tokens("It's over, she said.")
        ["It's", 'over,', 'she', 'said.']
    """
    return text.split()


TOKENIZERS: dict[str, Callable[[str], list[str]]] = {"ptb": ptb_tokens, "raw": raw_tokens}
"""The tokenizers by the name that a signature states."""


def tokenizer_of(name: str) -> Callable[[str], list[str]]:
    """Finds a tokenizer.

    Args:
        name: A key of :data:`TOKENIZERS`.

    Returns:
        From a text to its tokens.

    Raises:
        MetricInputError: There is none of that name.
    """
    if not isinstance(name, str) or name not in TOKENIZERS:
        raise MetricInputError(f"There is no tokenizer {shown(name)}. {did_you_mean(excerpt(name), TOKENIZERS)}")
    return TOKENIZERS[name]


def opening_length(tokens: Sequence[str]) -> int:
    """Finds where the opening of an explanation ends, such as "the reason she is sad is that".

    Args:
        tokens: Tokens or words of an explanation.

    Returns:
        How many belong to it: up to the first ``that`` or ``because`` at positions 2 to 10, counted from 0; 0 where
        there is none.

    Example:
        >>> opening_length("The reason she is sad is that her friend moves".split()), opening_length(["That", "is"])
        (7, 0)
    """
    for position in _OPENING_POSITIONS:
        if position < len(tokens) and tokens[position].lower() in _OPENING_ENDS:
            return position + 1
    return 0


def content_tokens(tokens: Sequence[str]) -> list[str]:
    """Drops the opening of an explanation (:func:`opening_length`).

    Most references open alike, so that scores of whole texts mostly measure the opening.

    Args:
        tokens: Tokens of an explanation.

    Returns:
        What follows it; all tokens where there is none.

    Example:
        >>> content_tokens("the reason she is sad is that her friend moves".split())
        ['her', 'friend', 'moves']
        >>> content_tokens("because her friend moves".split())
        ['because', 'her', 'friend', 'moves']
    """
    return list(tokens[opening_length(tokens) :])
