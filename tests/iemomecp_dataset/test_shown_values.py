"""Values in messages: few words, whatever they are."""

from __future__ import annotations

import numpy as np

from iemomecp_dataset.shown_values import described_value


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError


def test_words_are_few_whatever_the_value() -> None:
    nested: list[object] = [1] * 9
    for _ in range(30):  # 9 to the 30th numbers, if they were written out
        nested = [nested] * 9
    itself: list[object] = []
    itself.append(itself)
    large = ["x" * 10**6, [1] * 10**6, {n: n for n in range(10**5)}, 10**5000, np.zeros(10**6)]
    values = [*large, nested, itself, Broken()]
    assert [len(described_value(value)) <= 80 for value in values] == [True] * len(values)
    assert described_value("it rains") == "'it rains'"
    assert described_value("a\nb" * 100).count("\n") == 0
