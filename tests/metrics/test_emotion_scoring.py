"""emotion_scores against scikit-learn, a slow loop and the public vectors; what cannot be scored; its invariances."""

import json
import math
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, precision_recall_fscore_support

from iemomecp_dataset.errors import MetricInputError
from iemomecp_dataset.metrics.emotion_scoring import confusion_scores, emotion_scores, neutral_of
from iemomecp_dataset.metrics.scoring import pair_scores

NAMES = ("neutral", "surprise", "fear", "sadness", "joy", "disgust", "anger")
PARTS = ("f1", "precision", "recall", "support")


@st.composite
def scored_utterances(draw):
    """Probabilities on a coarse grid, so that many are equal, and labels that may leave classes out."""
    classes = draw(st.integers(2, 6))
    n = draw(st.integers(1, 50))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    weights = generator.integers(0, draw(st.sampled_from([2, 4, 1000])), size=(n, classes)) + 1e-9
    labels = generator.integers(0, draw(st.integers(1, classes)), size=n)
    return weights / weights.sum(axis=1, keepdims=True), labels, [f"e{c}" for c in range(classes)]


def by_scikit_learn(probabilities, labels, names, neutral):
    ids, predicted = list(range(len(names))), probabilities.argmax(axis=1)
    columns = precision_recall_fscore_support(labels, predicted, labels=ids, zero_division=0)
    precision, recall, f1, support = columns
    others = [c for c in ids if c != neutral]
    without = math.nan
    if support[others].sum():
        without = f1_score(labels, predicted, labels=others, average="weighted", zero_division=0)
    expected = {
        "weighted_f1": f1_score(labels, predicted, labels=ids, average="weighted", zero_division=0),
        "accuracy": accuracy_score(labels, predicted),
        "macro_f1": f1.mean(),
        "weighted_f1_without_neutral": without,
        "n_utterances": len(labels),
        "confusion_matrix": confusion_matrix(labels, predicted, labels=ids).tolist(),
        "undefined": [names[c] for c in ids if not support[c] and c not in predicted],
    }
    for c, name in enumerate(names):
        parts = zip(PARTS, (f1, precision, recall, support), strict=True)
        expected |= {f"{name}_{part}": values[c] for part, values in parts}
    return expected


def slow_calibration(probabilities, labels, bins=15):
    """Brier score, and calibration error over bins of the ranks; equal confidences take the rank of the first."""
    rows = [(row, int(np.argmax(row)), int(gold)) for row, gold in zip(probabilities, labels, strict=True)]
    brier = sum((p - (c == gold)) ** 2 for row, _, gold in rows for c, p in enumerate(row)) / len(rows)
    ranked = sorted((row[predicted], predicted == gold) for row, predicted, gold in rows)
    confidences = [confidence for confidence, _ in ranked]
    filled = {}
    for confidence, right in ranked:
        filled.setdefault(confidences.index(confidence) * bins // len(rows), []).append((confidence, right))
    gaps = (abs(sum(c for c, _ in inside) - sum(r for _, r in inside)) for inside in filled.values())
    return {"brier": brier, "ece": sum(gaps) / len(rows)}


def check_equal(found, expected):
    assert set(found) == set(expected)
    for key, value in expected.items():
        if isinstance(value, list):
            assert found[key] == value, key
        else:
            assert found[key] == pytest.approx(value, abs=1e-9, nan_ok=True), key


@settings(max_examples=60, deadline=None)
@given(scored_utterances(), st.data())
def test_agrees_with_scikit_learn_and_a_slow_loop_with_ties_and_absent_classes(utterances, data):
    probabilities, labels, names = utterances
    neutral = data.draw(st.sampled_from([None, *range(len(names))]))
    found = emotion_scores(probabilities, labels, names, neutral=neutral)
    expected = by_scikit_learn(probabilities, labels, names, neutral)
    if neutral is None:
        expected["weighted_f1_without_neutral"] = math.nan
    check_equal(found, expected | slow_calibration(probabilities, labels))
    json.dumps(found)  # plain numbers and texts


@settings(max_examples=30, deadline=None)
@given(scored_utterances(), st.randoms(use_true_random=False))
def test_order_of_utterances_and_of_classes_is_irrelevant(utterances, random):
    probabilities, labels, names = utterances
    # Equal probabilities are decided by the order of classes, which is what changes here.
    probabilities = np.eye(len(names))[probabilities.argmax(axis=1)] * 0.5 + 0.5 / len(names)
    whole = emotion_scores(probabilities, labels, names, neutral=names[0])
    rows, classes = (random.sample(range(n), n) for n in probabilities.shape)
    new_id = np.argsort(classes)
    shuffled = emotion_scores(
        probabilities[rows][:, classes], new_id[labels[rows]], [names[c] for c in classes], neutral=names[0]
    )
    for key, value in whole.items():
        if key not in ("confusion_matrix", "undefined"):
            assert shuffled[key] == pytest.approx(value, abs=1e-12, nan_ok=True), key
    assert sorted(shuffled["undefined"]) == sorted(whole["undefined"])


def test_hard_ids_score_as_probabilities_and_have_no_calibration():
    generator = np.random.default_rng(0)
    probabilities, labels = generator.dirichlet(np.ones(7), 80), generator.integers(0, 7, 80)
    soft = emotion_scores(probabilities, labels, NAMES, neutral="neutral")
    hard = emotion_scores(probabilities.argmax(axis=1), labels, NAMES, neutral=0)
    assert hard == {key: value for key, value in soft.items() if key not in ("ece", "brier")}


def test_scores_shared_with_pairs_are_the_same_numbers():
    generator = np.random.default_rng(1)
    predicted, labels = generator.integers(0, 3, 50), generator.integers(0, 3, 50)
    emotions, pairs = (score(predicted, labels, ["a", "b", "c"]) for score in (emotion_scores, pair_scores))
    for key in ("weighted_f1", "accuracy", "macro_f1", "b_f1", "b_precision", "b_recall", "b_support"):
        assert emotions[key] == pairs[key], key


def test_the_first_of_equal_probabilities_is_predicted():
    assert emotion_scores([[0.25, 0.5, 0.25], [0.4, 0.2, 0.4]], [1, 0], ["a", "b", "c"])["accuracy"] == 1


def test_a_class_that_never_occurs_counts_0_in_the_macro_mean_and_is_named():
    scores = emotion_scores([0, 1, 1], [0, 1, 1], ["a", "b", "c", "d"])
    assert scores["macro_f1"] == 0.5
    assert scores["undefined"] == ["c", "d"]
    assert emotion_scores([0, 1, 2], [0, 1, 1], ["a", "b", "c", "d"])["undefined"] == ["d"]


@pytest.mark.parametrize(
    ("labels", "neutral", "expected"),
    [
        ([0, 0, 1], None, math.nan),
        ([0, 0, 0], "neu", math.nan),  # no other gold
        ([0, 0, 1], "neu", 2 / 3),
        ([0, 0, 1], 1, 1.0),
        ([0, 0, 1], np.int64(1), 1.0),
    ],
)
def test_score_without_neutral_weighs_the_other_classes_by_support(labels, neutral, expected):
    predicted = {(0, 0, 1): [0, 0, 1]}.get(tuple(labels), [0, 1, 0])
    if neutral == "neu" and 1 in labels:
        predicted = [0, 1, 1]
    found = emotion_scores(predicted, labels, ["neu", "joy"], neutral=neutral)["weighted_f1_without_neutral"]
    assert found == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    ("predictions", "labels", "names", "neutral", "words"),
    [
        ([], [], NAMES, None, "There are no utterances"),
        ([0, 7], [0, 1], NAMES, None, "Prediction 7 of utterance 1 is not a class id"),
        ([0, 1], [0, -1], NAMES, None, r"Leave utterances without a known emotion \(-1\)"),
        ([0, 1], [0], NAMES, None, "each utterance needs one of both"),
        ([[0.5, 0.2]], [0], ["a", "b"], None, "probabilities of utterance 0 do not sum to one"),
        ([[3.0, -2.0]], [0], ["a", "b"], None, "are these logits"),
        ([0.5, 1.0], [0, 1], NAMES, None, "shape"),
        ([True, False], [0, 1], NAMES, None, "shape"),
        ([0, 1], [0.0, 1.0], NAMES, None, "integer class ids"),
        ([[0.5, 0.5]], [0], NAMES, None, "shape"),
        ([0], [0], ["a"], None, "at least two classes"),
        ([0], [0], ["a", "a"], None, "repeat"),
        ([0], [0], ["macro", "a"], None, "macro_f1"),
        ([0], [0], NAMES, "neutrl", "Did you mean 'neutral'"),
        ([0], [0], NAMES, 7, "0 to 6"),
        ([0], [0], NAMES, True, "name or the id"),
    ],
)
def test_what_cannot_be_scored_is_refused_by_place(predictions, labels, names, neutral, words):
    with pytest.raises(MetricInputError, match=words):
        emotion_scores(predictions, labels, names, neutral=neutral)


def test_many_confusion_matrices_are_scored_as_each_of_them():
    matrices = np.random.default_rng(2).integers(0, 5, size=(4, 3, 3))
    many = confusion_scores(matrices, neutral=0)
    for i, matrix in enumerate(matrices):
        for key, values in confusion_scores(matrix, neutral=0).items():
            assert np.allclose(many[key][i], values, equal_nan=True), key


def test_neutral_is_found_by_its_name():
    assert neutral_of(NAMES) == "neutral"
    assert neutral_of(("hap", "sad", "neu", "ang")) == "neu"
    assert neutral_of(("joy", "anger")) is None


@pytest.mark.skipif("IEMOMECP_ERC_VECTORS" not in os.environ, reason="IEMOMECP_ERC_VECTORS names the public vectors")
def test_public_vectors():
    with np.load(os.environ["IEMOMECP_ERC_VECTORS"]) as vectors:
        cases = sorted({name.split("/")[1] for name in vectors.files if name.startswith("scores/")})
        assert len(cases) == 4
        for case in cases:
            of = {name.split("/")[2]: vectors[name] for name in vectors.files if name.startswith(f"scores/{case}/")}
            found = emotion_scores(of["predicted"], of["gold"], NAMES, neutral=0)
            assert found["confusion_matrix"] == of["confusion"].tolist()
            for ours, theirs in {"macro_f1": "macro_f1_all_classes"}.items() | {
                (key, key) for key in ("accuracy", "weighted_f1", "weighted_f1_without_neutral")
            }:
                assert found[ours] == pytest.approx(float(of[theirs]), abs=1e-12), (case, ours)
            for part in PARTS:
                values = [found[f"{name}_{part}"] for name in NAMES]
                assert values == pytest.approx(of[f"class_{part}"].tolist(), abs=1e-12), (case, part)
            occurring = [name for name in NAMES if name not in found["undefined"]]
            union = np.mean([found[f"{name}_f1"] for name in occurring])
            assert union == pytest.approx(float(of["macro_f1_sklearn_union"]), abs=1e-12), case
