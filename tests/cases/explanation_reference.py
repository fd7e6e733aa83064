"""Invented explanations, and the scores of image captioning as plain loops, written from their definitions."""

from __future__ import annotations

import math
from collections import Counter

REFERENCES = [
    "The reason she is glad is that her sister found the lost key.",
    "He is angry because the neighbour's dog dug up the garden again.",
    "The reason he is sad is that the concert was called off.",
    "She laughs because the clown fell over.",
    "He is afraid that it will rain on Friday.",
    "Snow.",
]
PREDICTIONS = [
    "The reason she is glad is that her brother found the key.",
    "He is angry because the dog dug and dug and dug in the garden again.",
    "",
    "She laughs because the clown fell over.",
    "It's raining, and he can't find the “big” umbrella; so he stays (at home).",
    "Wind.",
]
DIALOGUES = ["a", "a", "b", "b", "c", "d"]


def ngrams(tokens: list[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))


def slow_bleu(candidates: list[list[str]], references: list[list[str]]) -> list[float]:
    product, scores = 1.0, []
    c, r = sum(map(len, candidates)), sum(map(len, references))
    for n in range(1, 5):
        correct = guess = 0
        for candidate, reference in zip(candidates, references, strict=True):
            wanted = ngrams(reference, n)
            for gram, count in ngrams(candidate, n).items():
                guess += count
                correct += min(count, wanted[gram])
        product *= (correct + 1e-15) / (guess + 1e-9)
        scores.append(product ** (1 / n) * (math.exp(1 - r / c) if 0 < c < r else float(c > 0)))
    return scores


def slow_rouge_l(candidate: list[str], reference: list[str]) -> float:
    table = [[0] * (len(reference) + 1) for _ in range(len(candidate) + 1)]
    for i, word in enumerate(candidate):
        for j, other in enumerate(reference):
            table[i + 1][j + 1] = table[i][j] + 1 if word == other else max(table[i][j + 1], table[i + 1][j])
    common = table[-1][-1]
    if not common:
        return 0.0
    p, r = common / len(candidate), common / len(reference)
    return (1 + 1.2**2) * p * r / (r + 1.2**2 * p)


def slow_cider(candidates: list[list[str]], references: list[list[str]]) -> list[float]:
    frequency: Counter[tuple[str, ...]] = Counter()
    for reference in references:
        for n in range(1, 5):
            frequency.update(set(ngrams(reference, n)))
    scores = []
    for candidate, reference in zip(candidates, references, strict=True):
        total = 0.0
        distance = sum(ngrams(candidate, 2).values()) - sum(ngrams(reference, 2).values())
        for n in range(1, 5):
            vectors = []
            for tokens in (candidate, reference):
                weights = {
                    gram: count * (math.log(len(references)) - math.log(max(1, frequency[gram])))
                    for gram, count in ngrams(tokens, n).items()
                }
                vectors.append(weights)
            first, second = vectors
            dot = sum(min(value, second.get(gram, 0.0)) * second.get(gram, 0.0) for gram, value in first.items())
            norms = [math.sqrt(sum(value**2 for value in vector.values())) for vector in vectors]
            if norms[0] and norms[1]:
                total += dot / (norms[0] * norms[1]) * math.exp(-(distance**2) / 72)
        scores.append(10 * total / 4)
    return scores
