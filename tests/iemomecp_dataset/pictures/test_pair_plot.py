from __future__ import annotations

import numpy as np
import pytest
from drawn_axes import _no_windows, assert_inside, legend_texts  # noqa: F401
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex
from matplotlib.patches import Circle, Rectangle

from iemomecp_dataset import plot_pairs
from iemomecp_dataset.errors import InvalidDataError, MetricInputError, UsageError
from iemomecp_dataset.pictures.palette import LIGHT
from iemomecp_dataset.schema import PAIR_LABELS, ROLE_LABELS, row_features

pytestmark = pytest.mark.usefixtures("_no_windows")

EMOTIONS = ("neutral", "joy", "anger")


def row_of(n, n_classes=2, *, past=True, seed=0):
    rng = np.random.default_rng(seed)
    utterances = [
        {"turn": turn, "speaker": ("Ana", "Ben")[turn % 2], "emotion": int(rng.integers(3))} for turn in range(1, n + 1)
    ]
    pairs = [
        {"target_turn": target, "cause_turn": cause, "label": int(rng.integers(n_classes))}
        for target in range(1, n + 1)
        for cause in range(1, (target if past else n) + 1)
    ]
    pairs[0]["label"], pairs[-1]["label"] = 0, n_classes - 1
    return {"dialogue_id": f"dia{n}", "chunk_index": -1, "utterances": utterances, "pairs": pairs}


def centers(axes, label):
    """Places of a collection of squares as (target, cause)."""
    (squares,) = [found for found in axes.collections if found.get_label() == label]
    return [tuple(path.vertices[:4].mean(axis=0).round(6)[::-1]) for path in squares.get_paths()]


def places(axes, kind):
    if kind is Circle:
        return [(mark.center[1], mark.center[0]) for mark in axes.patches if isinstance(mark, Circle)]
    return [
        (mark.get_y() + mark.get_height() / 2, mark.get_x() + mark.get_width() / 2)
        for mark in axes.patches
        if isinstance(mark, Rectangle)
    ]


def pairs_with(row, label):
    return [(pair["target_turn"], pair["cause_turn"]) for pair in row["pairs"] if pair["label"] == label]


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("n", [2, 9, 40])
@pytest.mark.parametrize("past", [True, False])
def test_candidates_and_gold_roles_are_where_they_are(n, n_classes, past):
    row = row_of(n, n_classes, past=past)
    axes = plot_pairs(row, emotion_names=EMOTIONS)
    assert centers(axes, "candidates") == [(pair["target_turn"], pair["cause_turn"]) for pair in row["pairs"]]
    assert places(axes, Circle) == pairs_with(row, 0)
    context = [] if n_classes == 2 else pairs_with(row, 1)
    np.testing.assert_allclose(np.reshape(places(axes, Rectangle), (-1, 2)), np.reshape(context, (-1, 2)))
    texts = legend_texts(axes)
    assert ("gold pair" if n_classes == 2 else "gold cause") in texts
    assert ("gold context" in texts) == bool(context)
    assert axes.get_title() == f"dialogue dia{n}"
    # Everything is in the figure, and no two names of turns overlap.
    assert_inside(
        axes.figure, axes.get_legend(), axes.title, axes.yaxis.label, *axes.get_yticklabels(), *axes.get_xticklabels()
    )
    for labels, side in ((axes.get_yticklabels(), "height"), (axes.get_xticklabels(), "width")):
        boxes = [label.get_window_extent() for label in labels]
        middles = [(box.y0 + box.y1) / 2 if side == "height" else (box.x0 + box.x1) / 2 for box in boxes]
        sizes = [getattr(box, side) for box in boxes]
        assert all(abs(b - a) >= 0.8 * size for a, b, size in zip(middles, middles[1:], sizes[1:], strict=False))


def test_turns_are_named_by_speaker_and_emotion():
    row = row_of(3)
    said = [f"{u['turn']} {u['speaker']}, {EMOTIONS[u['emotion']]}" for u in row["utterances"]]
    axes = plot_pairs(row, emotion_names=EMOTIONS)
    assert [text.get_text() for text in axes.get_yticklabels()] == said
    assert [text.get_text() for text in axes.get_xticklabels()] == ["1", "2", "3"]
    axes = plot_pairs(row)  # the row does not tell which corpus the ids are of
    assert axes.get_yticklabels()[0].get_text() == f"1 Ben, emotion {row['utterances'][0]['emotion']}"
    axes = plot_pairs({**row, "chunk_index": 0})
    assert axes.get_yticklabels()[0].get_text().split(", ")[1] in ("hap", "sad", "neu")
    for utterance in row["utterances"]:
        utterance.update(emotion_source="Joyful", speaker=None)
    assert plot_pairs(row).get_yticklabels()[0].get_text() == "1 Joyful"
    bare = [{"turn": 1, "speaker": None, "emotion": None}]
    axes = plot_pairs({"dialogue_id": "d", "utterances": bare, "pairs": row["pairs"][:1]})
    assert [text.get_text() for text in axes.get_yticklabels()] == ["1"]


@pytest.mark.parametrize("form", ["numpy", "torch"])
def test_rows_of_a_dataset_in_another_format_are_the_same(form):
    if form == "torch":
        pytest.importorskip("torch")
    datasets = pytest.importorskip("datasets")
    row = row_of(4)
    short = {name: row[name] for name in ("dialogue_id", "utterances", "pairs")}
    formatted = datasets.Dataset.from_list([short]).with_format(form)[0]
    axes = plot_pairs(formatted, np.full(len(row["pairs"]), 0.5), emotion_names=EMOTIONS)
    expected = plot_pairs(row, emotion_names=EMOTIONS)
    for plotted in (places(axes, Circle), [text.get_text() for text in axes.get_yticklabels()]):
        assert plotted in (places(expected, Circle), [text.get_text() for text in expected.get_yticklabels()])


def test_letters_stand_for_speakers_whose_names_no_font_can_write():
    row = row_of(3)
    for utterance, speaker in zip(row["utterances"], ("\ue0f2", "\ue0f1", "\ue0f2"), strict=True):
        utterance.update(speaker=speaker, emotion=None)
    axes = plot_pairs(row)
    assert [text.get_text() for text in axes.get_yticklabels()] == ["1 A", "2 B", "3 A"]
    assert "letters for speakers" in axes.get_ylabel()
    assert "letters" not in plot_pairs(row_of(3)).get_ylabel()


@pytest.mark.parametrize("names", [PAIR_LABELS, ROLE_LABELS])
def test_features_of_the_dataset_name_classes_and_emotions(names):
    row = row_of(3, 2)
    axes = plot_pairs(row, features=row_features(names, EMOTIONS))
    assert axes.get_yticklabels()[0].get_text().endswith(EMOTIONS[row["utterances"][0]["emotion"]])
    assert (f"gold {names[0].removeprefix('emo_')}") in legend_texts(axes)
    # With roles, class 1 is context although no pair of this row has class 2.
    assert ("gold context" in legend_texts(axes)) == (names == ROLE_LABELS)
    with pytest.raises(UsageError, match=r"dataset\.features; found columns utterances"):
        plot_pairs(row, features={"utterances": 1})


@pytest.mark.parametrize("n_classes", [2, 3])
def test_scores_of_every_form_are_the_same_shades(n_classes):
    torch = pytest.importorskip("torch")
    row = row_of(5, n_classes)
    n_pairs = len(row["pairs"])
    scores = np.random.default_rng(1).dirichlet(np.ones(n_classes), n_pairs)
    matrix = np.full((5, 5), np.nan)  # what is no candidate does not count
    for pair, score in zip(row["pairs"], scores[:, 0], strict=True):
        matrix[pair["target_turn"] - 1, pair["cause_turn"] - 1] = score
    for given in (scores, scores.tolist(), scores[:, 0], matrix, torch.tensor(scores, requires_grad=True)):
        axes = plot_pairs(row, given)
        (squares,) = [found for found in axes.collections if found.get_label() == "scores"]
        faces = squares.get_facecolors()
        np.testing.assert_allclose(faces[:, 3], 0.85 * scores[:, 0])
        assert {to_hex(face) for face in faces} == {LIGHT["series-0"]}
        assert centers(axes, "scores") == centers(axes, "candidates")
        assert f"P({'pair' if n_classes == 2 else 'cause'}) 25, 50, 75, 100 %" in legend_texts(axes)


def test_gold_outside_the_candidates_is_shown_and_named():
    row = {**row_of(3), "gold_outside_candidates": [{"target_turn": 1, "cause_turn": 3}]}
    axes = plot_pairs(row)
    assert places(axes, Circle)[-1] == (1, 3)
    assert axes.patches[-1].get_linestyle() != "-"
    assert "gold, no candidate" in legend_texts(axes)


def test_axes_of_the_caller_are_drawn_in_and_given_back():
    from matplotlib import pyplot as plt

    _, (axes, other) = plt.subplots(1, 2, figsize=(12, 6), layout="constrained")
    assert plot_pairs(row_of(40), ax=axes, label="RPCL") is axes
    assert axes.get_title() == "RPCL"
    assert not other.patches
    assert not other.collections
    assert_inside(axes.figure, axes.get_legend(), *axes.get_yticklabels())
    sizes = {text.get_fontsize() for text in axes.get_yticklabels()}
    assert max(sizes) < 9  # smaller letters, as the squares are smaller


def with_pair(row, **changes):
    return {**row, "pairs": [*row["pairs"], {"target_turn": 1, "cause_turn": 1, "label": 0} | changes]}


BAD_ROWS = [
    (lambda row: {**row, "pairs": []}, InvalidDataError, "dia3 has no candidate pairs.*meld, iemocap, ecem"),
    (lambda row: {**row, "utterances": []}, InvalidDataError, "dia3 has no utterances"),
    (lambda row: row["pairs"], InvalidDataError, "found list"),
    (lambda row: row["pairs"][0], InvalidDataError, "found columns target_turn, cause_turn, label"),
    (lambda row: with_pair(row, cause_turn=7), InvalidDataError, "cause_turn 7, but its turns are 1 to 3"),
    (lambda row: with_pair(row, label=3), UsageError, "class 3, but there are 3 classes.*Give class_names"),
    (lambda row: with_pair(row, label=-1), UsageError, "class -1"),
    (lambda row: {**row, "utterances": [{"turn": turn} for turn in range(1, 402)]}, UsageError, "401 turns"),
]


@pytest.mark.parametrize(("change", "error", "message"), BAD_ROWS)
def test_a_row_that_cannot_be_plotted_is_one_sentence(change, error, message):
    with pytest.raises(error, match=message):
        plot_pairs(change(row_of(3)))


def test_an_emotion_without_a_name_is_said():
    row = row_of(3)
    row["utterances"][1]["emotion"] = 3
    with pytest.raises(UsageError, match="Turn 2 has the emotion 3, but there are 3 names of emotions: neutral, joy"):
        plot_pairs(row, emotion_names=EMOTIONS)


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ([0.1, 0.2], r"shape \(6, 2\), one row for each candidate pair; \(6,\), .* or \(3, 3\).*found shape \(2,\)"),
        (np.full((6, 5), 0.2), r"found shape \(6, 5\)"),
        ([0.1] * 5 + [float("nan")], r"pair \(3, 3\) of dia3 is nan"),
        ([0.1] * 5 + [1.7], r"is 1.7; scores are probabilities, between 0 and 1 \(are these logits"),
        (np.full((3, 3), -2.0), r"pair \(1, 1\) of dia3 is -2"),
        ([[0.1, 0.9], [0.3]], "ragged or not numbers"),
        (["a"] * 6, "ragged or not numbers"),
    ],
)  # fmt: skip
def test_scores_that_do_not_fit_are_one_sentence_and_leave_no_figure(scores, message):
    from matplotlib import pyplot as plt

    with pytest.raises(MetricInputError, match=message):
        plot_pairs(row_of(3), scores)
    assert plt.get_fignums() == []


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("n", [2, 5, 12])
def test_long_names_of_speakers_leave_room_for_the_key(n, own):
    row = row_of(n, 3)
    for utterance in row["utterances"]:
        utterance.update(speaker="Chandler Muriel Bing", emotion="surprised and glad")
    row["gold_outside_candidates"] = [{"target_turn": 1, "cause_turn": n}]
    given = None if own else plt.subplots(layout="constrained", figsize=(6.5, 6))[1]
    axes = plot_pairs(row, np.full(len(row["pairs"]), 0.5), ax=given)
    assert_inside(axes.figure, axes.get_legend(), axes.title, axes.yaxis.label, *axes.get_yticklabels())


def test_dollar_signs_of_names_are_no_formulas():
    row = row_of(3, 3)
    for utterance in row["utterances"]:
        utterance.update(speaker="A$x$_{b}", emotion="$joy$")
    axes = plot_pairs(row, class_names=["cause $x$", "context", "none"], label="system $y$")
    shown = [axes.title, *axes.get_yticklabels(), *axes.get_legend().get_texts()]
    assert [text.get_text() for text in shown if "$" in text.get_text() and text.get_parse_math()] == []
    assert sum("$" in text.get_text() for text in shown) == 5  # title, three turns, and the gold class
