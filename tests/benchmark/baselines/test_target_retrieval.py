"""The ranking of train targets by their words, against cosines of hand-made TF-IDF vectors."""

from __future__ import annotations

import math
import re
from collections import Counter
from itertools import pairwise

from iemomecp_dataset.benchmark.baselines.target_retrieval import NearestTargets

TRAIN = ("The train is late.", "We lost the game!", "What a game!", "Why now?", "The game is late.", "")


def grams(text: str) -> Counter[str]:
    words = re.findall(r"\w+|[!?]", text.lower())
    return Counter([*words, *(f"{one} {two}" for one, two in pairwise(words))])


def vector(text: str) -> dict[str, float]:
    df = Counter(gram for one in TRAIN for gram in grams(one))
    idf = {gram: math.log((1 + len(TRAIN)) / (1 + sum(gram in grams(one) for one in TRAIN))) + 1 for gram in df}
    found = {gram: (1 + math.log(count)) * idf[gram] for gram, count in grams(text).items() if gram in idf}
    norm = math.sqrt(sum(value**2 for value in found.values())) or 1.0
    return {gram: value / norm for gram, value in found.items()}


def cosine(one: str, two: str) -> float:
    first, second = vector(one), vector(two)
    return round(sum(value * second.get(gram, 0.0) for gram, value in first.items()), 9)


def test_targets_are_ranked_by_cosine_and_equals_in_their_order() -> None:
    asked, members = ["The game, the train!", "Now what?", "Nobody."], [4, 0, 5, 2, 1]
    found = NearestTargets(TRAIN).ranked(asked, members).tolist()
    assert found == [sorted(members, key=lambda place: -cosine(text, TRAIN[place])) for text in asked]
    assert found[2] == members, "nothing in common"
    assert len({tuple(order) for order in found}) == 3


def test_without_words_all_are_equally_near() -> None:
    nearest = NearestTargets(["...", ""])
    assert not nearest.has_words
    assert nearest.ranked(["Why?"], [1, 0]).tolist() == [[1, 0]]
