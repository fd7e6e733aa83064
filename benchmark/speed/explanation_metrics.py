"""Speed of the n-gram scores of explanations against ``pycocoevalcap``'s Python, and of their bootstrap."""

from __future__ import annotations

import importlib
import importlib.util
import sys

import numpy as np

from iemomecp_dataset.benchmark.speed.measurement import SpeedRow, best_seconds
from iemomecp_dataset.metrics.explanations.ngrams import bleu, bleu_counts, cider_items, count_ngrams, rouge_l_items
from iemomecp_dataset.metrics.significance.bootstrap import bootstrap_intervals
from iemomecp_dataset.metrics.significance.explanation_bootstrap import explanation_unit_counts

__all__ = ["RESAMPLING_LIMIT", "ngram_scores", "pycocoevalcap_scores", "run"]

RESAMPLING_LIMIT = 30.0
"""Time limit of 10,000 resamples of 938 items, in seconds."""

_TEST_ITEMS, _TEST_DIALOGUES = 938, 233


def run(*, n_pairs: int = 10_000, repeats: int = 3) -> list[SpeedRow]:
    """Measures the scores of random texts with as many words as explanations have, and their bootstrap.

    Args:
        n_pairs: Candidates, with a reference each.
        repeats: Repeats of our measurement; the alternative runs once.

    Returns:
        The scores, where ``pycocoevalcap`` is installed, and the bootstrap.
    """
    generator = np.random.default_rng(0)
    candidates, references = (_texts(generator, n_pairs) for _ in range(2))
    rows = []
    if importlib.util.find_spec("pycocoevalcap") is None:
        print("pycocoevalcap is not installed, so the n-gram scores are not compared with it.", file=sys.stderr)
    else:
        rows.append(
            SpeedRow(
                f"CIDEr-D, BLEU and ROUGE-L of {n_pairs} pairs of tokens",
                best_seconds(lambda: ngram_scores(candidates, references), repeats),
                "pycocoevalcap's Python",
                best_seconds(lambda: pycocoevalcap_scores(candidates, references), 1),
            )
        )
    texts, gold = ([" ".join(tokens) for tokens in of[:_TEST_ITEMS]] for of in (candidates, references))
    dialogues = generator.integers(0, _TEST_DIALOGUES, len(texts)).astype(str)

    def resample() -> None:
        (counts,) = explanation_unit_counts([texts], gold, dialogues)
        bootstrap_intervals(counts)

    rows.append(
        SpeedRow(
            f"bootstrap of explanation scores, 10000 resamples of {len(texts)} items",
            best_seconds(resample, 1),
            "its time limit",
            RESAMPLING_LIMIT,
        )
    )
    return rows


def ngram_scores(candidates: list[list[str]], references: list[list[str]]) -> list[float]:
    """Computes BLEU-1 to BLEU-4, ROUGE-L and CIDEr-D.

    Args:
        candidates: Tokens of each candidate.
        references: Tokens of their references.

    Returns:
        The six scores.
    """
    m = len(candidates)
    counts = count_ngrams(candidates, references)
    orders = bleu(bleu_counts(counts, m).sum(axis=0)).tolist()
    items = rouge_l_items(candidates, references), cider_items(counts, m)
    return [*orders, *(float(of.mean()) for of in items)]


def pycocoevalcap_scores(candidates: list[list[str]], references: list[list[str]]) -> list[float]:
    """Computes the same with ``pycocoevalcap``.

    Args:
        candidates: Tokens of each candidate.
        references: Tokens of their references.

    Returns:
        The six scores.
    """
    package = importlib.import_module  # it has no types
    bleu_scorer = package("pycocoevalcap.bleu.bleu_scorer").BleuScorer(n=4)
    cider_scorer = package("pycocoevalcap.cider.cider_scorer").CiderScorer()
    rouge = package("pycocoevalcap.rouge.rouge").Rouge()
    first, second = ([" ".join(tokens) for tokens in texts] for texts in (candidates, references))
    lcs = []
    for text, reference in zip(first, second, strict=True):
        bleu_scorer += (text, [reference])
        cider_scorer += (text, [reference])
        lcs.append(rouge.calc_score([text], [reference]))
    orders, _ = bleu_scorer.compute_score(option="closest")
    return [*map(float, orders), float(np.mean(lcs)), float(cider_scorer.compute_score()[0])]


def _texts(generator: np.random.Generator, n: int) -> list[list[str]]:
    """Texts of 1 to 30 words whose frequencies fall as in natural language."""
    words = np.array([f"w{k}" for k in range(4000)])
    ranks = np.minimum(generator.zipf(1.3, size=(n, 30)) - 1, len(words) - 1)
    lengths = np.clip(generator.poisson(14, n), 1, 30)
    return [words[row[:length]].tolist() for row, length in zip(ranks, lengths, strict=True)]
