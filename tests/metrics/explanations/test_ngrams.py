from __future__ import annotations

import numpy as np
import pytest
from explanation_reference import PREDICTIONS, REFERENCES, slow_bleu, slow_cider, slow_rouge_l

from iemomecp_dataset.errors import MetricInputError
from iemomecp_dataset.metrics.explanations.ngrams import bleu, bleu_counts, cider_items, count_ngrams, rouge_l_items
from iemomecp_dataset.metrics.explanations.tokens import ptb_tokens, raw_tokens


def random_texts(seed: int, m: int) -> tuple[list[list[str]], list[list[str]]]:
    """Few words, so that n-grams repeat within a text and between texts; some candidates are empty."""
    generator = np.random.default_rng(seed)
    candidates = [["abcd"[k] for k in generator.integers(0, 4, generator.integers(0, 14))] for _ in range(m)]
    references = [["abce"[k] for k in generator.integers(0, 4, generator.integers(1, 14))] for _ in range(m)]
    return candidates, references


TEXTS = [
    ([ptb_tokens(text) for text in PREDICTIONS], [ptb_tokens(text) for text in REFERENCES]),
    ([raw_tokens(text) for text in PREDICTIONS], [raw_tokens(text) for text in REFERENCES]),
    *(random_texts(seed, 40) for seed in range(3)),
    ([["a"]], [["a", "b"]]),  # one item: idf is 0
    ([["a"], []], [["b"], ["c"]]),  # no bigram, nothing common
]


@pytest.mark.parametrize(("candidates", "references"), TEXTS)
def test_scores_are_those_of_plain_loops(candidates, references):
    m = len(candidates)
    counts = count_ngrams(candidates, references)
    per_item = bleu_counts(counts, m)
    np.testing.assert_allclose(bleu(per_item.sum(axis=0)), slow_bleu(candidates, references), atol=1e-9)
    each = [slow_bleu([one], [other]) for one, other in zip(candidates, references, strict=True)]
    np.testing.assert_allclose(bleu(per_item), each, atol=1e-9)
    lcs = [slow_rouge_l(*pair) for pair in zip(candidates, references, strict=True)]
    np.testing.assert_allclose(rouge_l_items(candidates, references), lcs, atol=1e-9)
    np.testing.assert_allclose(cider_items(counts, m), slow_cider(candidates, references), atol=1e-9)


def test_one_item_has_no_cider_and_texts_of_no_and_one_token_have_equal_length():
    assert cider_items(count_ngrams([["a", "b"]], [["a", "b"]]), 1).tolist() == [0.0]
    one, none = (count_ngrams([text, ["x"]], [["a"], ["b"]])[1] for text in (["a"], []))
    assert len(one.items) == len(none.items) == 0


def test_no_items_and_another_number_of_references_are_refused():
    for candidates, references in (([], []), ([["a"]], [])):
        with pytest.raises(MetricInputError, match="one reference"):
            count_ngrams(candidates, references)
