from __future__ import annotations

import numpy as np
import pytest

from iemomecp_dataset.benchmark import plot_confusion, plot_distance, plot_precision_recall, plot_reliability
from iemomecp_dataset.benchmark.plots.inputs import plotted_pairs
from iemomecp_dataset.errors import MetricInputError, UsageError

PROBABILITIES = [[0.7, 0.2, 0.1], [0.3, 0.3, 0.4], [0.2, 0.5, 0.3]]


@pytest.mark.parametrize("kind", ["list", "array", "float32", "tensor", "bfloat16"])
def test_lists_arrays_and_tensors_are_the_same(kind):
    torch = pytest.importorskip("torch")
    given = {
        "list": lambda: PROBABILITIES,
        "array": lambda: np.array(PROBABILITIES),
        "float32": lambda: np.array(PROBABILITIES, dtype=np.float32),
        "tensor": lambda: torch.tensor(PROBABILITIES, requires_grad=True),
        "bfloat16": lambda: torch.tensor(PROBABILITIES, dtype=torch.bfloat16),
    }[kind]()
    labels = torch.tensor([0, 2, 1]) if kind in ("tensor", "bfloat16") else [0, 2, 1]
    pairs = plotted_pairs(given, labels)
    np.testing.assert_allclose(pairs.confidences, [0.7, 0.3, 0.2], atol=0.01)
    assert pairs.decided.tolist() == [0, 2, 1]
    assert pairs.n_classes == 3


def test_confidences_alone_go_with_labels_of_any_number_of_classes_and_decide_by_a_threshold():
    assert plotted_pairs([0.7, 0.3, 0.2], [0, 2, 1]).decided is None
    pairs = plotted_pairs([0.7, 0.3, 0.2], [0, 2, 1], threshold=0.3)
    assert (pairs.decided == 0).tolist() == [True, True, False]
    assert pairs.n_classes == 3


BAD = [
    (([[0.7, 0.3]], [0, 1]), "1 predictions for 2 labels"),
    (([[0.7, 0.3], [np.nan, 0.5]], [0, 1]), "pair 1 are not all finite"),
    (([0.7, np.nan], [0, 1]), "probability of pair 1 is nan"),
    (([[2.0, -1.0], [0.1, 0.9]], [0, 1]), "are these logits"),
    (([[0.7, 0.3], [0.5]], [0, 1]), "ragged"),
    (([[0.7, 0.3], [0.4, 0.6]], [0, -100]), "-100 of pair 1 is not a class id"),
    (([[0.7, 0.3], [0.4, 0.6]], [0.0, 1.0]), "integer class ids; found dtype float64"),
    (([[0.7, 0.3], [0.4, 0.6]], [True, False]), "integer class ids"),
    (([[[0.7, 0.3]]], [0]), "shape"),
    (([], []), "no pairs"),
]


@pytest.mark.parametrize(("arrays", "message"), BAD)
@pytest.mark.parametrize("plot", [plot_confusion, plot_precision_recall, plot_reliability, plot_distance])
def test_what_cannot_be_drawn_is_one_sentence_and_leaves_no_figure(plot, arrays, message):
    from matplotlib import pyplot as plt

    n_before = len(plt.get_fignums())
    turns = ([1, 1], [1, 1]) if plot is plot_distance else ()
    with pytest.raises(MetricInputError, match=message):
        plot(*arrays, *turns)
    assert len(plt.get_fignums()) == n_before


@pytest.mark.parametrize("plot", [plot_precision_recall, plot_reliability, plot_distance])
def test_without_a_gold_pair_there_is_nothing_to_draw(plot):
    turns = ([1, 1], [1, 1]) if plot is plot_distance else ()
    with pytest.raises(MetricInputError, match="needs gold pairs: none of the 2 labels is 0"):
        plot([[0.7, 0.3], [0.4, 0.6]], [1, 1], *turns)


def test_hard_ids_cannot_be_ranked_and_confidences_alone_decide_nothing():
    for plot in (plot_precision_recall, plot_reliability):
        with pytest.raises(MetricInputError, match="needs probabilities, as it ranks pairs"):
            plot([0, 1], [0, 1])
    with pytest.raises(MetricInputError, match="give a threshold beside P"):
        plot_confusion([0.7, 0.3], [0, 1])
    with pytest.raises(MetricInputError, match="give a threshold beside P"):
        plot_distance([0.7, 0.3], [0, 1], [1, 2], [1, 1])


def test_one_column_of_probabilities_is_named():
    with pytest.raises(
        MetricInputError, match=r"one column, shape \(3, 1\), tell no classes apart. .* probabilities\[:, 0\]"
    ):
        plot_confusion(np.array(PROBABILITIES)[:, :1], [0, 2, 1])


@pytest.mark.parametrize(
    ("draw", "said"),
    [
        (lambda: plot_confusion(PROBABILITIES, np.array(["cause", "x", "x"])), "first value 'cause'"),
        (
            lambda: plot_confusion(PROBABILITIES, [0, 2, 1], class_names=np.array(["a", "macro", "c"])),
            "name 'macro' at",
        ),
        (
            lambda: plot_precision_recall(PROBABILITIES, [0, 2, 1], baselines={"self": tuple(np.array([2.0, 0.3]))}),
            r"found \(2.0, 0.3\) for 'self'",
        ),
    ],
)
def test_messages_show_plain_values(draw, said):
    with pytest.raises(MetricInputError if "found" not in said else UsageError, match=said):
        draw()
