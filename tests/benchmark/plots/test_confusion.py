from __future__ import annotations

import numpy as np
import pytest
from drawn_axes import _no_windows, assert_inside  # noqa: F401
from sklearn.metrics import confusion_matrix

from iemomecp_dataset.benchmark import plot_confusion
from iemomecp_dataset.errors import MetricInputError
from iemomecp_dataset.schema import ROLE_LABELS

pytestmark = pytest.mark.usefixtures("_no_windows")

EMOTIONS = ["neutral", "joy", "surprise", "sadness", "anger", "disgust", "fear"]


@pytest.mark.parametrize("names", [["pair", "non_pair"], ROLE_LABELS, EMOTIONS])
def test_numbers_are_scikit_learns_and_names_fit(names):
    rng = np.random.default_rng(0)
    labels, predicted = rng.integers(0, len(names), (2, 400))
    axes = plot_confusion(predicted, labels, class_names=names, label="RPCL T dialogue trained with a long name")
    shares = confusion_matrix(labels, predicted, normalize="true")
    assert [text.get_text() for text in axes.texts] == [f"{100 * share:.0f}" for share in shares.ravel()]
    np.testing.assert_allclose([patch.get_alpha() for patch in axes.patches], 0.6 * shares.ravel())
    words = [name.removeprefix("emo_").replace("_", "-") for name in names]
    assert [text.get_text() for text in axes.get_yticklabels()] == words
    assert [text.get_text() for text in axes.get_xticklabels()] == words
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "gold")
    assert axes.get_title().replace("\n", " ") == "RPCL T dialogue trained with a long name"
    assert_inside(axes.figure, axes.title, *axes.get_xticklabels(), *axes.get_yticklabels())


def test_probabilities_decide_as_scores_do():
    probabilities = [[0.4, 0.35, 0.25], [0.1, 0.3, 0.6], [0.45, 0.5, 0.05]]
    shown = [text.get_text() for text in plot_confusion(probabilities, [0, 2, 1]).texts]
    assert shown == ["100", "0", "0", "0", "100", "0", "0", "0", "100"]
    shown = [text.get_text() for text in plot_confusion(probabilities, [0, 2, 1], threshold=0.42).texts]
    assert shown == ["0", "100", "0", "100", "0", "0", "0", "0", "100"]
    shown = [text.get_text() for text in plot_confusion([0.9, 0.2], [0, 1], threshold=0.5).texts]
    assert shown == ["100", "0", "0", "100"]


def test_a_class_without_gold_has_no_shares():
    shown = [text.get_text() for text in plot_confusion([0, 1, 1], [0, 1, 1], class_names=["a", "b", "c"]).texts]
    assert shown == ["100", "0", "0", "0", "100", "0", "none", "", ""]


def test_confidences_alone_do_not_tell_three_classes_apart():
    with pytest.raises(MetricInputError, match="does not tell the others apart"):
        plot_confusion([0.9, 0.2, 0.1], [0, 1, 2], threshold=0.5)


@pytest.mark.parametrize("names", ["pair", ["pair"], ["pair", "pair"]])
def test_class_names_are_a_list_of_different_names(names):
    with pytest.raises(MetricInputError, match="lass"):
        plot_confusion([0, 1], [0, 1], class_names=names)


def test_an_id_beyond_the_names_is_said():
    with pytest.raises(
        MetricInputError, match=r"Label 2 of pair 1 is not a class id; expected 0 to 1 \(pair, non_pair"
    ):
        plot_confusion([0, 1], [0, 2], class_names=["pair", "non_pair"])
