"""pair_scores against scikit-learn, everything that cannot be scored, and means over seeds."""

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metric_case import MetricCase
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    confusion_matrix,
    f1_score,
    precision_recall_fscore_support,
)

from iemomecp_dataset.errors import MetricInputError
from iemomecp_dataset.metrics.pair_inputs import check_pair_inputs, check_probabilities
from iemomecp_dataset.metrics.scoring import (
    average_precision,
    decide,
    mean_and_sd,
    pair_scores,
    precision_recall_f1,
    scores_from_confusion,
    scores_of_decisions,
)
from iemomecp_dataset.schema import PAIR_LABELS, ROLE_LABELS

CONTRACT_KEYS = [
    *("pair_f1", "pair_precision", "pair_recall", "pair_auprc"),
    *("macro_f1", "macro_precision", "macro_recall", "macro_auprc", "weighted_f1", "accuracy"),
    *(f"{name}_{part}" for name in ROLE_LABELS for part in ("f1", "precision", "recall", "auprc", "support")),
    *("n_pairs", "confusion_matrix", "context_as_cause_rate", "context_as_non_pair_rate"),
]


@st.composite
def scored_pairs(draw, n_classes=None):
    """Probabilities on a coarse grid, so that many scores are equal, and labels that may leave classes out."""
    classes = n_classes or draw(st.integers(2, 4))
    n = draw(st.integers(1, 60))
    grid = draw(st.sampled_from([2, 4, 1000]))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    weights = generator.integers(0, grid, size=(n, classes)) + 1e-9
    probabilities = weights / weights.sum(axis=1, keepdims=True)
    present = draw(st.integers(1, classes))
    labels = generator.integers(0, present, size=n)
    return probabilities, labels


def by_scikit_learn(probabilities, labels, names):
    """The same keys by the library's own calls, one call for each number or group."""
    ids = list(range(len(names)))
    predicted = probabilities.argmax(axis=1)
    precision, recall, f1, support = precision_recall_fscore_support(labels, predicted, labels=ids, zero_division=0)
    macro = precision_recall_fscore_support(labels, predicted, labels=ids, zero_division=0, average="macro")
    aps = [average_precision_score(labels == c, probabilities[:, c]) if (labels == c).any() else math.nan for c in ids]
    expected = {
        "pair_f1": f1[0],
        "pair_precision": precision[0],
        "pair_recall": recall[0],
        "pair_auprc": aps[0],
        "macro_precision": macro[0],
        "macro_recall": macro[1],
        "macro_f1": macro[2],
        "macro_auprc": np.nanmean(aps),
        "weighted_f1": f1_score(labels, predicted, labels=ids, zero_division=0, average="weighted"),
        "accuracy": accuracy_score(labels, predicted),
        "n_pairs": len(labels),
    }
    for c, name in enumerate(names):
        expected |= {
            f"{name}_f1": f1[c],
            f"{name}_precision": precision[c],
            f"{name}_recall": recall[c],
            f"{name}_auprc": aps[c],
            f"{name}_support": support[c],
        }
    return expected, confusion_matrix(labels, predicted, labels=ids)


@settings(max_examples=200, deadline=None)
@given(scored_pairs())
def test_agrees_with_scikit_learn_with_ties_and_absent_classes(pairs):
    probabilities, labels = pairs
    names = [f"class_{c}" for c in range(probabilities.shape[1])]
    expected, matrix = by_scikit_learn(probabilities, labels, names)
    scores = pair_scores(probabilities, labels, names)
    assert scores["confusion_matrix"] == matrix.tolist()
    for key, value in expected.items():
        assert scores[key] == pytest.approx(value, abs=1e-9, nan_ok=True), key


@settings(max_examples=100, deadline=None)
@given(scored_pairs(), st.floats(0, 1), st.integers(0, 5))
def test_threshold_and_missed_positives_follow_their_definition(pairs, threshold, missed):
    probabilities, labels = pairs
    names = [f"class_{c}" for c in range(probabilities.shape[1])]
    scores = pair_scores(probabilities, labels, names, threshold=threshold, missed_positives=missed)
    predicted = [
        0 if row[0] >= threshold else 1 + max(range(len(row) - 1), key=lambda c, row=row: row[1 + c])
        for row in probabilities
    ]
    hits = sum(p == 0 == gold for p, gold in zip(predicted, labels, strict=True))
    gold_count = sum(labels == 0) + missed
    n_predicted = predicted.count(0)
    assert scores["pair_recall"] == pytest.approx(hits / gold_count if gold_count else 0)
    assert scores["pair_precision"] == pytest.approx(hits / n_predicted if n_predicted else 0)
    assert scores["pair_f1"] == pytest.approx(2 * hits / (gold_count + n_predicted) if gold_count + n_predicted else 0)
    assert scores.get(f"{names[0]}_support") == gold_count
    assert scores.get("missed_positives", 0) == missed


@settings(max_examples=100, deadline=None)
@given(scored_pairs(n_classes=2), st.integers(1, 5))
def test_missed_positives_scale_average_precision_by_the_share_that_can_be_found(pairs, missed):
    probabilities, labels = pairs
    found = int((labels == 0).sum())
    scores = pair_scores(probabilities, labels, PAIR_LABELS, missed_positives=missed)
    expected = average_precision_score(labels == 0, probabilities[:, 0]) * found / (found + missed) if found else 0.0
    assert scores["pair_auprc"] == pytest.approx(expected, abs=1e-12)


def test_a_probability_at_the_threshold_is_positive():
    probabilities = [[0.25, 0.75], [0.5, 0.5], [0.75, 0.25]]
    for threshold, recall in ((0.25, 1.0), (0.5, 2 / 3), (0.75, 1 / 3), (0.8, 0.0)):
        assert pair_scores(probabilities, [0, 0, 0], PAIR_LABELS, threshold=threshold)["pair_recall"] == recall


def test_missed_positives_are_of_class_0_alone():
    probabilities = np.random.default_rng(5).dirichlet([1, 1, 1], size=30)
    labels = np.arange(30) % 3
    without, scores = (pair_scores(probabilities, labels, ROLE_LABELS, missed_positives=missed) for missed in (0, 7))
    changed = {key for key, value in scores.items() if value != without.get(key)}
    of_class_0 = {f"{name}_{part}" for name in ("pair", "emo_cause") for part in ("f1", "recall", "auprc")}
    averages = {"macro_f1", "macro_recall", "macro_auprc", "weighted_f1"}
    assert changed == {*of_class_0, *averages, "emo_cause_support", "missed_positives"}


class TestPairScores(MetricCase):
    of = pair_scores
    columns = ("probabilities", "labels")

    def compute(self, pairs):
        return pair_scores(pairs.probabilities, pairs.labels, ROLE_LABELS)

    def reference(self, pairs):
        scores, matrix = by_scikit_learn(pairs.probabilities, pairs.labels, ROLE_LABELS)
        return {**scores, "confusion_matrix": matrix.tolist()}


class TestScoresOfDecisions(MetricCase):
    """Decisions by a threshold that the function is not told: they are scored, and the probabilities rank."""

    of = scores_of_decisions
    columns = ("probabilities", "labels")

    def compute(self, pairs):
        decisions = decide(np.asarray(pairs.probabilities, dtype=np.float64), 0.2)
        return scores_of_decisions(pairs.probabilities, decisions, pairs.labels, ROLE_LABELS)

    def reference(self, pairs):
        ranked, _ = by_scikit_learn(pairs.probabilities, pairs.labels, ROLE_LABELS)
        decisions = decide(pairs.probabilities, 0.2)
        decided, matrix = by_scikit_learn(np.eye(3)[decisions], pairs.labels, ROLE_LABELS)
        auprc = {key: value for key, value in ranked.items() if key.endswith("_auprc")}
        return {**decided, **auprc, "confusion_matrix": matrix.tolist()}


def test_keys_are_the_documented_ones_in_order_and_plain():
    scores = pair_scores(np.eye(3, dtype=np.float32), np.arange(3), ROLE_LABELS)
    assert list(scores) == [*CONTRACT_KEYS, "undefined"]
    assert scores["undefined"] == {}
    assert {type(value) for key, value in scores.items() if key not in ("confusion_matrix", "undefined")} <= {
        float,
        int,
    }
    assert scores["confusion_matrix"] == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert type(scores["confusion_matrix"][0][0]) is int


def test_binary_task_has_no_context_rates():
    assert "context_as_cause_rate" not in pair_scores(np.eye(2), [0, 1], PAIR_LABELS)


def test_context_rates_say_where_gold_contexts_went():
    scores = pair_scores([0, 0, 1, 2, 2], [1, 1, 1, 1, 0], ROLE_LABELS)
    assert scores["context_as_cause_rate"] == 0.5
    assert scores["context_as_non_pair_rate"] == 0.25


def test_class_without_gold_is_nan_with_a_reason_and_leaves_the_macro_mean():
    probabilities = np.array([[0.6, 0.3, 0.1], [0.2, 0.3, 0.5]])
    scores = pair_scores(probabilities, [0, 2], ROLE_LABELS)
    assert math.isnan(scores["emo_context_auprc"])
    assert scores["macro_auprc"] == 1.0
    assert "other 2 of 3 classes" in scores["undefined"]["emo_context_auprc"]
    nan_keys = {key for key, value in scores.items() if isinstance(value, float) and math.isnan(value)}
    assert (
        nan_keys
        == set(scores["undefined"])
        == {
            "emo_context_auprc",
            "context_as_cause_rate",
            "context_as_non_pair_rate",
        }
    )


def test_hard_ids_score_as_their_one_hot_rows_but_have_no_ranking():
    generator = np.random.default_rng(3)
    labels, predicted = generator.integers(0, 3, 50), generator.integers(0, 3, 50)
    hard, soft = pair_scores(predicted, labels, ROLE_LABELS), pair_scores(np.eye(3)[predicted], labels, ROLE_LABELS)
    assert math.isnan(hard["pair_auprc"])
    assert hard["undefined"]["macro_auprc"]
    assert {k: v for k, v in hard.items() if "auprc" not in k and k != "undefined"} == {
        k: v for k, v in soft.items() if "auprc" not in k and k != "undefined"
    }


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_rounding_of_every_float_width_is_tolerated(dtype):
    probabilities = np.random.default_rng(0).dirichlet([1, 1, 1], 40).astype(dtype)
    labels = np.random.default_rng(1).integers(0, 3, 40)
    expected = pair_scores(probabilities.astype(np.float64), labels, ROLE_LABELS)
    scores = pair_scores(probabilities, labels, ROLE_LABELS)
    assert scores.pop("confusion_matrix") == expected.pop("confusion_matrix")
    assert scores.pop("undefined") == expected.pop("undefined") == {}
    assert scores == pytest.approx(expected)


def test_first_of_equal_probabilities_wins_as_in_argmax():
    probabilities = np.array([[0.5, 0.5, 0.0], [0.2, 0.4, 0.4], [1 / 3, 1 / 3, 1 / 3]])
    assert decide(probabilities).tolist() == probabilities.argmax(axis=1).tolist() == [0, 1, 0]


def test_scores_from_confusion_are_those_of_the_pairs():
    generator = np.random.default_rng(5)
    labels, predicted = generator.integers(0, 3, 200), generator.integers(0, 3, 200)
    from_pairs = pair_scores(predicted, labels, ROLE_LABELS)
    from_counts = scores_from_confusion(confusion_matrix(labels, predicted), ROLE_LABELS)
    assert {k: v for k, v in from_pairs.items() if "auprc" not in k and k != "undefined"} == {
        k: v for k, v in from_counts.items() if "auprc" not in k and k != "undefined"
    }


GOOD = np.array([[0.7, 0.3], [0.2, 0.8]])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("probabilities", "labels", "names", "options", "words"),
    [
        ([[0.7, 0.2], [0.2, 0.8]], [0, 1], PAIR_LABELS, {}, "pair 0 do not sum to one"),
        ([[0.7, 0.3], [np.nan, 0.8]], [0, 1], PAIR_LABELS, {}, "pair 1 are not all finite"),
        ([[np.inf, -np.inf], [0.2, 0.8]], [0, 1], PAIR_LABELS, {}, "pair 0 are not all finite"),
        ([[1.5, -0.5], [0.2, 0.8]], [0, 1], PAIR_LABELS, {}, r"apply softmax"),
        (np.ones((2, 3)) / 3, [0, 1], PAIR_LABELS, {}, r"shape \(n, 2\)"),
        (GOOD, [0], PAIR_LABELS, {}, "2 predictions for 1 labels"),
        ([[0.7, 0.3], [1.0]], [0, 1], PAIR_LABELS, {}, "ragged"),
        (GOOD, [0, 2], PAIR_LABELS, {}, "Label 2 of pair 1 is not a class id"),
        (GOOD, [0, -100], PAIR_LABELS, {}, "padded"),
        (GOOD, [0.0, 1.0], PAIR_LABELS, {}, "integer class ids"),
        (GOOD, [[0], [1]], PAIR_LABELS, {}, r"shape \(n,\)"),
        (np.zeros((0, 2)), [], PAIR_LABELS, {}, "no pairs"),
        ([], [], PAIR_LABELS, {}, "no pairs"),
        ([[1.0], [1.0]], [0, 0], ["pair"], {}, "at least two classes"),
        (GOOD, [0, 1], PAIR_LABELS, {"threshold": 1.5}, r"\[0, 1\]"),
        (GOOD, [0, 1], PAIR_LABELS, {"threshold": -0.1}, r"\[0, 1\]"),
        (GOOD, [0, 1], PAIR_LABELS, {"threshold": math.nan}, r"\[0, 1\]"),
        ([0, 1], [0, 1], PAIR_LABELS, {"threshold": 0.5}, "needs probabilities"),
        ([0, 2], [0, 1], PAIR_LABELS, {}, "Prediction 2 of pair 1"),
        (GOOD, [0, 1], PAIR_LABELS, {"missed_positives": -1}, "missed_positives"),
        (GOOD, [0, 1], PAIR_LABELS, {"missed_positives": 0.5}, "missed_positives"),
        (GOOD, [0, 1], ["a", "a"], {}, "repeat"),
        (GOOD, [0, 1], ["macro", "a"], {}, "overwrite the result key"),
        (GOOD, [0, 1], ["a", "pair"], {}, "overwrite the result key"),
        ([["a", "b"], ["c", "d"]], [0, 1], PAIR_LABELS, {}, "must be numbers"),
    ],
)
def test_what_cannot_be_scored_is_refused_by_name(probabilities, labels, names, options, words):
    with pytest.raises(MetricInputError, match=words):
        pair_scores(probabilities, labels, names, **options)


def softmax(n=300, n_classes=3, seed=0):
    return np.random.default_rng(seed).dirichlet([0.4] * n_classes, n)


def bfloat16(values, *, cut_off=False):
    """By its bits: the upper half of single precision, to the nearest or cut off."""
    bits = np.asarray(values, dtype=np.float32).view(np.uint32)
    return ((bits if cut_off else bits + 0x8000) & 0xFFFF0000).view(np.float32)


def as_text(values, form=None):
    """What a CSV file of these numbers is read as."""
    texts = [[str(value) if form is None else form % value for value in row] for row in values.astype(np.float32)]
    return np.array(texts, dtype=np.float64)


COARSE = {
    "bfloat16": bfloat16,
    "bfloat16 cut off": lambda p: bfloat16(p, cut_off=True),
    "2 decimals": lambda p: np.round(p, 2),
    "3 decimals": lambda p: np.round(p, 3),
    "2 decimals of single precision": lambda p: np.round(p.astype(np.float32), 2),
    "2 decimals of half precision": lambda p: np.round(p.astype(np.float16), 2),
    "bfloat16 as text of single precision": lambda p: as_text(bfloat16(p)),
    "bfloat16 as text of 8 digits": lambda p: as_text(bfloat16(p), "%.8g"),
    "bfloat16 as text of 8 decimals": lambda p: as_text(bfloat16(p), "%.8f"),
    "2 decimals in half of the rows": lambda p: np.where(np.arange(len(p))[:, None] % 2, np.round(p, 2), p),
    "2 decimals, and bfloat16 as text": lambda p: np.where(
        np.arange(len(p))[:, None] % 2, np.round(p, 2), as_text(bfloat16(p))
    ),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", [None, np.float64])  # files and evaluate lose the type; the digits stay
@pytest.mark.parametrize("n_classes", [3, 4])
@pytest.mark.parametrize("digits", COARSE)
def test_coarse_probabilities_are_rescaled_within_their_digits_and_counted(digits, n_classes, kind):
    names = [f"class_{c}" for c in range(n_classes)]
    labels = np.random.default_rng(1).integers(0, n_classes, 300)
    probabilities = COARSE[digits](softmax(n_classes=n_classes))
    probabilities = probabilities.astype(kind or probabilities.dtype)
    before, wide = probabilities.copy(), probabilities.astype(np.float64)
    sums = wide.sum(axis=1, keepdims=True)
    inputs = check_pair_inputs(probabilities, labels, names)
    assert inputs.probabilities == pytest.approx(wide / sums, abs=1e-15)
    assert inputs.n_rescaled == (np.abs(sums - 1) > 1e-6).sum() > 0
    assert np.array_equal(probabilities, before)
    assert pair_scores(probabilities, labels, names) == pair_scores(inputs.probabilities, labels, names)


def test_what_is_near_enough_to_one_is_taken_as_it_is():
    for probabilities in (softmax(), softmax() * 1.00099, softmax().astype(np.float16), np.round(softmax(), 4)):
        found, n_rescaled = check_probabilities(probabilities, ROLE_LABELS)
        assert np.array_equal(found, probabilities)
        assert n_rescaled == 0


def test_tensors_of_16_bits_are_read():
    torch = pytest.importorskip("torch")
    values = torch.tensor(softmax(n=40), requires_grad=True)
    expected = bfloat16(softmax(n=40).astype(np.float32)).astype(np.float64)
    for tensors in (values.bfloat16(), list(values.bfloat16())):
        found, n_rescaled = check_probabilities(tensors, ROLE_LABELS)
        assert found == pytest.approx(expected / expected.sum(axis=1, keepdims=True), abs=1e-6)
        assert 0 < n_rescaled <= 40
    assert check_probabilities(values.half(), ROLE_LABELS)[1] == 0


def with_row(row, rounded=bfloat16):
    return np.vstack([rounded(softmax()).astype(np.float64), [row]])


@pytest.mark.parametrize(
    ("probabilities", "words"),
    [
        (softmax() * 0.998, "do not sum to one"),  # all digits of double precision explain nothing
        (with_row([0.3, 0.3, 0.402]), "do not sum to one"),  # nor where one row has them
        (with_row([0.3, 0.3, 0.402], lambda p: np.round(p, 2)), "do not sum to one"),
        (
            with_row([0.33, 0.3301, 0.33], lambda p: p),
            "do not sum to one",
        ),  # digits of one row, not of some of its values
        ([[0.12792969, 0.5, 0.369]], "do not sum to one"),
        ([[0.1279, 0.5, 0.3672]], "do not sum to one"),  # bfloat16 numbers of 4 digits could be any
        (with_row([0.5, 0.25, 0.2421875 - 2**-9]), "do not sum to one"),  # more than 8 bits explain
        ([[0.34, 0.34, 0.34]], "do not sum to one"),  # more than half a hundredth per class
        ([[0.334, 0.334, 0.334]], "do not sum to one"),
        ([[0.4, 0.4, 0.1]], "do not sum to one"),
        (bfloat16(np.log(softmax())), r"not all in \[0, 1\] \(are these logits"),
        (np.round(np.log(softmax()), 2), r"not all in \[0, 1\] \(are these logits"),
        ([[0.62, 0.21, 0.89]], r"do not sum to one \(are these logits"),
        (with_row([math.nan, 0.5, 0.5]), "not all finite"),
        (with_row([math.inf, 0.5, 0.5]), "not all finite"),
        (with_row([math.inf, -math.inf, 0.5], lambda p: np.round(p, 2)), "not all finite"),
    ],
)
def test_digits_explain_no_more_than_their_rounding(probabilities, words):
    with pytest.raises(MetricInputError, match=words):
        check_probabilities(probabilities, ROLE_LABELS)


@pytest.mark.parametrize(
    "ids",
    [
        [True, False],
        [True, 1],
        (1, np.True_),
        np.array([True, False]),
        [np.True_, np.False_],
    ],
    ids=str,
)
def test_truth_values_are_no_class_ids(ids):
    with pytest.raises(MetricInputError, match=r"integer class ids.*(bool|True)"):
        pair_scores(ids, [0, 1], PAIR_LABELS)
    with pytest.raises(MetricInputError, match=r"labels must be integer class ids.*(bool|True)"):
        pair_scores([0, 1], ids, PAIR_LABELS)


def test_truth_values_of_tensors_are_no_class_ids():
    torch = pytest.importorskip("torch")
    for ids in (torch.tensor([True, False]), list(torch.tensor([True, False]))):
        with pytest.raises(MetricInputError, match="labels must be integer class ids; found dtype bool"):
            pair_scores([0, 1], ids, PAIR_LABELS)
    for ids in ([torch.tensor(True), 0], [1, torch.tensor(False)], (torch.tensor(1), True)):
        with pytest.raises(MetricInputError, match="labels must be integer class ids; found the truth value"):
            pair_scores([0, 1], ids, PAIR_LABELS)
        with pytest.raises(MetricInputError, match="predictions must be integer class ids; found the truth value"):
            pair_scores(ids, [0, 1], PAIR_LABELS)
    with pytest.raises(MetricInputError, match=r"found the truth value .* for pair 1"):
        pair_scores([torch.tensor([0.5, 0.5]), torch.tensor([True, False])], [0, 1], PAIR_LABELS)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([[True, False], [False, True]], "must be numbers; found dtype bool"),
        (np.eye(2, dtype=bool), "must be numbers; found dtype bool"),
        ([[0.5, 0.5], [True, False]], "found the truth value .* for pair 1"),
        ([[0.5, 0.5], [np.True_, 0.0]], "found the truth value .* for pair 1"),
        (([0.5, 0.5], (1, False)), "found the truth value .* for pair 1"),
        ([np.array([0.5, 0.5]), np.array([True, False])], "found the truth value .* for pair 1"),
    ],
    ids=str,
)
def test_truth_values_are_no_probabilities(rows, words):
    with pytest.raises(MetricInputError, match=words):
        pair_scores(rows, [0, 1], PAIR_LABELS)


def test_no_rows_are_refused_by_their_number():
    with pytest.raises(MetricInputError, match="0 predictions for 2 labels"):
        pair_scores(np.zeros((0, 2)), [0, 1], PAIR_LABELS)


@pytest.mark.filterwarnings("error")
def test_nothing_warns_on_degenerate_but_legal_input():
    pair_scores([[0.0, 1.0, 0.0]], [2], ROLE_LABELS)
    pair_scores([2], [2], ROLE_LABELS)


def test_average_precision_without_positives_is_nan():
    assert math.isnan(average_precision(np.array([0.5]), np.array([False])))


def test_scoring_brings_in_neither_evaluate_nor_torch():
    code = (
        "import sys, iemomecp_dataset.metrics.scoring, iemomecp_dataset.metrics.thresholds\n"
        "heavy = {'torch', 'evaluate', 'transformers', 'sklearn', 'pandas'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("ddof", [0, 1])
def test_mean_and_deviation_are_taken_over_the_first_axis_and_undefined_where_a_run_is(ddof):
    values = np.random.default_rng(0).random((4, 3))
    values[1, 2] = np.nan
    mean, sd = mean_and_sd(values, ddof=ddof)
    assert mean[:2] == pytest.approx([np.mean(values[:, i]) for i in range(2)])
    assert sd[:2] == pytest.approx([np.std(values[:, i], ddof=ddof) for i in range(2)])
    assert np.isnan([mean[2], sd[2]]).all()
    assert np.isnan(mean_and_sd(values[:1])[1]).all()
    assert math.isnan(mean_and_sd([])[0])


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)), min_size=1))
def test_counts_give_the_same_scores_one_by_one_and_as_arrays(triples):
    counts = [(tp, tp + fp, tp + fn) for tp, fp, fn in triples]
    arrays = precision_recall_f1(*(np.array(column) for column in zip(*counts, strict=True)))
    for i, (tp, n_predicted, n_gold) in enumerate(counts):
        precision, recall = tp / n_predicted if n_predicted else 0.0, tp / n_gold if n_gold else 0.0
        f1 = 2 * tp / (n_predicted + n_gold) if n_predicted + n_gold else 0.0
        assert precision_recall_f1(tp, n_predicted, n_gold) == (precision, recall, f1)
        assert tuple(part[i] for part in arrays) == (precision, recall, f1)
