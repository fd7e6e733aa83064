"""Tokens of explanations: those that the published n-gram scores count, raw ones, and what follows the opening.

The tokens of the published scores come from a Java program, Stanford's PTB tokenizer. Here regular expressions follow
the same Treebank conventions (R. MacIntyre's script, as NLTK has it), so that scores do not depend on Java.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from iemomecp_dataset.errors import MetricInputError, did_you_mean

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
        (r"(?<!\w)'(?!(?:re|ve|ll|m|t|s|d|n)\b)(?=\w)", "' "),
        # The period that ends the text, before closing quotes and brackets.
        (r"([^.])\.([\])}>\"' ]*)$", r"\1 . \2 "),
        # Commas and colons, except inside numbers.
        (r"[:,](?!\d)", r" \g<0> "),
        (r"\.{2,}", r" \g<0> "),
        (r"[;@#$%&?!*<>]", r" \g<0> "),
        (r"([^'])' ", r"\1 ' "),
        (r"\(", " -lrb- "),
        (r"\)", " -rrb- "),
        (r"\[", " -lsb- "),
        (r"\]", " -rsb- "),
        (r"\{", " -lcb- "),
        (r"\}", " -rcb- "),
        (r"--", " -- "),
        (r"^|\s+|$", " "),
        (r"([^' ])('[smd]|'(?:ll|re|ve)|n't|') ", r"\1 \2 "),
        (r"\b(can)(not)\b", r" \1 \2 "),
        (r"\b(d)('ye)\b", r" \1 \2 "),
        (r"\b(gim|lem)(me)\b", r" \1 \2 "),
        (r"\b(gon|wan)(na)\b", r" \1 \2 "),
        (r"\b(got)(ta)\b", r" \1 \2 "),
        (r"\b(more)('n)\b", r" \1 \2 "),
        (r" ('t)(is|was)\b", r" \1 \2 "),
    )
)

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
    text = " ".join(text.lower().translate(_STRAIGHT).split())
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return [token for token in text.split() if token not in _REMOVED]


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
    if name not in TOKENIZERS:
        raise MetricInputError(f"There is no tokenizer {name!r}. {did_you_mean(name, TOKENIZERS)}")
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
