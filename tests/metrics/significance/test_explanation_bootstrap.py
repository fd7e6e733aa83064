from __future__ import annotations

import numpy as np
import pytest
from explanation_reference import DIALOGUES, PREDICTIONS, REFERENCES, slow_bleu, slow_cider, slow_rouge_l

from iemomecp_dataset.errors import MetricInputError
from iemomecp_dataset.metrics.explanations.scoring import COUNTED_SCORES, explanation_scores
from iemomecp_dataset.metrics.explanations.tokens import content_tokens, ptb_tokens
from iemomecp_dataset.metrics.significance.bootstrap import bootstrap_intervals, paired_bootstrap
from iemomecp_dataset.metrics.significance.explanation_bootstrap import explanation_unit_counts
from iemomecp_dataset.metrics.significance.permutation import permutation_test


def slow_scores(rows: list[int], content: bool) -> dict[str, float]:
    """The scores of the items in ``rows``, with the idf of all references."""
    texts = [[ptb_tokens(text) for text in of] for of in (PREDICTIONS, REFERENCES)]
    if content:
        texts = [[content_tokens(text) for text in of] for of in texts]
    cider = slow_cider(*texts)
    first, second = ([of[row] for row in rows] for of in texts)
    return {
        "bleu_4": slow_bleu(first, second)[3],
        "rouge_l": float(np.mean([slow_rouge_l(*pair) for pair in zip(first, second, strict=True)])),
        "cider": float(np.mean([cider[row] for row in rows])),
    }


def test_the_sample_itself_has_the_scores_of_the_metric():
    (counts,) = explanation_unit_counts([PREDICTIONS], REFERENCES, DIALOGUES)
    scores = explanation_scores(PREDICTIONS, REFERENCES, meteor=False)
    assert counts.units.tolist() == ["a", "b", "c", "d"]
    assert counts.scores() == pytest.approx({name: scores[name] for name in COUNTED_SCORES}, abs=1e-12)


@pytest.mark.parametrize("weights", [[2, 0, 1, 1], [0, 4, 0, 0], [1, 1, 2, 0]])
def test_a_resample_has_the_scores_of_its_items_with_the_idf_of_all(weights):
    (counts,) = explanation_unit_counts([PREDICTIONS], REFERENCES, DIALOGUES)
    found = counts.score(np.asarray(weights, dtype=np.float64) @ counts.counts)
    rows = [row for row, name in enumerate(DIALOGUES) for _ in range(weights[counts.units.tolist().index(name)])]
    for prefix, content in (("", False), ("content_", True)):
        for name, value in slow_scores(rows, content).items():
            assert found[prefix + name] == pytest.approx(value, abs=1e-9), (prefix, name)


def test_paired_tests_see_a_difference_where_there_is_one_alone():
    systems = [REFERENCES, REFERENCES, [""] * len(REFERENCES)]
    best, same, worst = explanation_unit_counts(systems, REFERENCES, DIALOGUES)
    assert paired_bootstrap(best, same, n_resamples=200)["cider"].p_value == 1.0
    difference = paired_bootstrap(best, worst, n_resamples=400)["rouge_l"]
    assert (difference.estimate, difference.p_value) == (pytest.approx(1.0), pytest.approx(2 / 401))
    assert permutation_test(best, same, n_permutations=99)["content_cider"].p_value == 1.0


def test_further_scores_of_items_are_resampled_as_means():
    values = [0.1, 0.2, 0.0, 1.0, 0.5, 0.4]
    (counts,) = explanation_unit_counts([PREDICTIONS], REFERENCES, DIALOGUES, item_scores=[{"bertscore_f1": values}])
    interval = bootstrap_intervals(counts, n_resamples=500)["bertscore_f1"]
    assert interval.estimate == pytest.approx(np.mean(values))
    assert interval.low < interval.estimate < interval.high


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"systems": []}, "no systems"),
        ({"dialogue_ids": ["a"]}, "one entry per item"),
        ({"item_scores": []}, "an entry per system"),
        ({"item_scores": [{"x": [1.0]}]}, "one per item"),
        ({"item_scores": [{"x": [float("nan")] * 6}]}, "finite"),
        ({"systems": [["a"]]}, "found 1 and 6"),
    ],
)
def test_what_does_not_fit_is_one_clear_error(changes, message):
    settings = {"systems": [PREDICTIONS], "references": REFERENCES, "dialogue_ids": DIALOGUES} | changes
    with pytest.raises(MetricInputError, match=message):
        explanation_unit_counts(settings.pop("systems"), **settings)
