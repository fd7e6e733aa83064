"""N-gram scores of texts with one reference each, as image captioning (COCO) defines them: BLEU, ROUGE-L, CIDEr-D.

BLEU depends on counts alone, and ROUGE-L and CIDEr are means of items, so that any resample is scored from sums.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.errors import MetricInputError

__all__ = ["MAX_ORDER", "NgramCounts", "bleu", "bleu_counts", "cider_items", "count_ngrams", "rouge_l", "rouge_l_items"]

MAX_ORDER = 4
"""BLEU and CIDEr count sequences of one to four tokens."""

Tokens: TypeAlias = Sequence[Sequence[str]]

# As in the published code: what keeps an empty text and a missing n-gram from a division by zero.
_TINY, _SMALL = 1e-15, 1e-9
_BETA = 1.2
_SIGMA = 6.0


@dataclass(frozen=True)
class NgramCounts:
    """Counts the n-grams of one order in candidates and references: an entry for each item and each n-gram it has.

    Attributes:
        items: ``(e,)`` int64, the item.
        ngrams: ``(e,)`` int64, id of the n-gram, the same in all items.
        candidate: ``(e,)`` int64, times that it occurs in the candidate.
        reference: ``(e,)`` int64, times that it occurs in the reference.
    """

    items: NDArray[np.int64]
    ngrams: NDArray[np.int64]
    candidate: NDArray[np.int64]
    reference: NDArray[np.int64]


def count_ngrams(candidates: Tokens, references: Tokens) -> list[NgramCounts]:
    """Counts n-grams of every order.

    Args:
        candidates: Tokens of ``m`` candidates.
        references: Tokens of their references.

    Returns:
        The counts of orders 1 to :data:`MAX_ORDER`.

    Raises:
        MetricInputError: Another number of references, or none.

    Example:
        >>> unigrams, *_ = count_ngrams([["a", "b", "a"]], [["a", "c"]])
        >>> unigrams.candidate.tolist(), unigrams.reference.tolist()
        ([2, 1, 0], [1, 0, 1])
    """
    m = len(candidates)
    if not m or m != len(references):
        raise MetricInputError(
            f"Every candidate needs one reference, and at least one item; found {m} and {len(references)}."
        )
    texts = [*candidates, *references]
    vocabulary: dict[str, int] = {}
    number = vocabulary.setdefault
    tokens = np.array([number(token, len(vocabulary)) for text in texts for token in text], dtype=np.int64)
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    text = np.repeat(np.arange(2 * m), lengths)
    # Tokens from each one to the end of its text: an n-gram begins only where at least n are left.
    left = np.repeat(np.cumsum(lengths), lengths) - np.arange(len(tokens))
    starts, ids = np.arange(len(tokens)), tokens
    found = []
    for order in range(1, MAX_ORDER + 1):
        if order > 1:
            going_on = left[starts] >= order
            starts = starts[going_on]
            longer = ids[going_on] * max(1, len(vocabulary)) + tokens[starts + order - 1]
            ids = np.unique(longer, return_inverse=True)[1].reshape(-1)
        n_ids = int(ids.max(initial=0)) + 1
        entries, entry = np.unique((text[starts] % m) * n_ids + ids, return_inverse=True)
        of_candidate = text[starts] < m
        entry = entry.reshape(-1)
        found.append(
            NgramCounts(
                items=entries // n_ids,
                ngrams=entries % n_ids,
                candidate=np.bincount(entry[of_candidate], minlength=len(entries)),
                reference=np.bincount(entry[~of_candidate], minlength=len(entries)),
            )
        )
    return found


def bleu_counts(counts: Sequence[NgramCounts], n_items: int) -> NDArray[np.float64]:
    """Counts what BLEU of any set of items depends on.

    Args:
        counts: From :func:`count_ngrams`.
        n_items: ``m``.

    Returns:
        ``(m, 10)`` whole numbers: n-grams of orders 1 to 4 that occur in both texts, n-grams of orders 1 to 4 of the
        candidate, its tokens, those of the reference.
    """
    correct = [np.bincount(of.items, np.minimum(of.candidate, of.reference), minlength=n_items) for of in counts]
    guess = [np.bincount(of.items, of.candidate, minlength=n_items) for of in counts]
    reference = np.bincount(counts[0].items, counts[0].reference, minlength=n_items)
    return np.stack([*correct, *guess, guess[0], reference], axis=-1)


def bleu(counts: NDArray[Any]) -> NDArray[np.float64]:
    r"""Computes BLEU-1 to BLEU-4 of summed counts (Papineni et al., 2002), as COCO's code does.

    .. math:: B_n = \min(1, e^{1 - r/c}) \Bigl(\prod_{k \le n} \frac{m_k + 10^{-15}}{g_k + 10^{-9}}\Bigr)^{1/n}

    Args:
        counts: ``(..., 10)``, as :func:`bleu_counts` lists them, summed over items.

    Returns:
        ``(..., 4)``, 0 to 1.

    Example:
        >>> sums = bleu_counts(count_ngrams([["a", "b", "c", "d", "e"]], [["a", "b", "c", "d", "f"]]), 1).sum(axis=0)
        >>> bleu(sums).round(4).tolist()
        [0.8, 0.7746, 0.7368, 0.6687]
    """
    counts = np.asarray(counts, dtype=np.float64)
    correct, guess = counts[..., :MAX_ORDER], counts[..., MAX_ORDER : 2 * MAX_ORDER]
    product = np.cumprod((correct + _TINY) / (guess + _SMALL), axis=-1)
    geometric = product ** (1 / np.arange(1, MAX_ORDER + 1))
    length = (counts[..., -2] + _TINY) / (counts[..., -1] + _SMALL)
    brevity = np.exp(np.minimum(0.0, 1 - 1 / length))
    return np.asarray(geometric * brevity[..., None])


def rouge_l(
    common: NDArray[Any], candidate_lengths: NDArray[Any], reference_lengths: NDArray[Any]
) -> NDArray[np.float64]:
    r"""Computes ROUGE-L of lengths (Lin, 2004), as COCO's code does.

    .. math:: \frac{(1 + \beta^2) P R}{R + \beta^2 P}, \qquad \beta = 1.2

    Args:
        common: Lengths of the longest common subsequences; all three broadcast.
        candidate_lengths: Tokens of the candidates.
        reference_lengths: Tokens of the references.

    Returns:
        0 to 1; 0 where nothing is common.

    Example:
        >>> rouge_l(np.array([2, 0]), np.array([3, 0]), np.array([4, 1])).round(4).tolist()
        [0.5571, 0.0]
    """
    precision = common / np.maximum(1, candidate_lengths)
    recall = common / np.maximum(1, reference_lengths)
    denominator = recall + _BETA**2 * precision
    return np.asarray((1 + _BETA**2) * precision * recall / np.where(denominator > 0, denominator, 1.0))


def rouge_l_items(candidates: Tokens, references: Tokens) -> NDArray[np.float64]:
    """Computes ROUGE-L of each item (:func:`rouge_l`).

    Args:
        candidates: Tokens of ``m`` candidates.
        references: Tokens of their references.

    Returns:
        ``(m,)``, 0 to 1; 0 where nothing is common.

    Example:
        >>> rouge_l_items([["a", "x", "b"], []], [["a", "b", "c", "d"], ["a"]]).round(4).tolist()
        [0.5571, 0.0]
    """
    common = np.array([_common(*pair) for pair in zip(candidates, references, strict=True)], dtype=np.float64)
    lengths = (np.array([len(text) for text in texts]) for texts in (candidates, references))
    return rouge_l(common, *lengths)


def cider_items(counts: Sequence[NgramCounts], n_items: int) -> NDArray[np.float64]:
    r"""Computes CIDEr-D of each item (Vedantam et al., 2015), as COCO's code does.

    .. math::
        \frac{10}{4} \sum_n e^{-d^2 / (2 \cdot 6^2)}
        \frac{\sum_g \min(c_g, r_g)\, r_g}{\lVert c \rVert \lVert r \rVert}, \qquad
        c_g = \mathrm{tf}_g \,\bigl(\ln N - \ln \max(1, \mathrm{df}_g)\bigr)

    N is the number of references, df how many of them have the n-gram: values of different sets do not compare. d is
    the difference in *bigrams*, so that texts of 0 and 1 token count alike.

    Args:
        counts: From :func:`count_ngrams`, all items that are scored.
        n_items: ``m``.

    Returns:
        ``(m,)``, 0 to 10. A single item scores 0, as do items whose n-grams are in every reference.

    Example:
        >>> references = [["a", "b", "c", "d"], ["e", "f", "g", "h"]]
        >>> cider_items(count_ngrams([["a", "b", "c", "d"], ["e", "x"]], references), 2).round(4).tolist()
        [10.0, 0.8361]
    """
    bigrams = counts[1]
    difference = np.bincount(bigrams.items, bigrams.candidate - bigrams.reference, minlength=n_items)
    total = np.zeros(n_items)
    for of in counts:
        frequency = np.bincount(of.ngrams, of.reference > 0)
        weight = (np.log(n_items) - np.log(np.maximum(1.0, frequency)))[of.ngrams]
        candidate, reference = of.candidate * weight, of.reference * weight
        product = np.bincount(of.items, np.minimum(candidate, reference) * reference, minlength=n_items)
        squares = np.bincount(of.items, candidate**2, minlength=n_items)
        squares *= np.bincount(of.items, reference**2, minlength=n_items)
        total += np.divide(product, np.sqrt(squares), out=np.zeros(n_items), where=squares > 0)
    return np.asarray(10 / MAX_ORDER * total * np.exp(-(difference**2) / (2 * _SIGMA**2)))


def _common(candidate: Sequence[str], reference: Sequence[str]) -> int:
    """Length of the longest common subsequence, a row of the usual table at a time as the bits of one number.

    Hyyrö (2004): a bit of ``row`` is 0 where the table grows.
    """
    positions: dict[str, int] = {}
    for position, token in enumerate(candidate):
        positions[token] = positions.get(token, 0) | 1 << position
    full = (1 << len(candidate)) - 1
    row = full
    for token in reference:
        at = positions.get(token)
        if at is not None:
            grown = row & at
            row = ((row + grown) | (row - grown)) & full
    return len(candidate) - row.bit_count()
