from __future__ import annotations

import numpy as np
import pytest
from figure_texts import texts_that_collide
from many_systems import NUMBERS_OF_SYSTEMS, write_systems

from iemomecp_dataset.benchmark.board import leaderboard, parts_of_split
from iemomecp_dataset.benchmark.figures.style import legend_above, paper_figure
from iemomecp_dataset.benchmark.report import confusions, distance_profile, precision_recall, reliability
from iemomecp_dataset.benchmark.report.board_predictions import collect_predictions
from iemomecp_dataset.benchmark.report.pair_matrix import choose_dialogue, pair_matrix_picture
from iemomecp_dataset.benchmark.report.svg import NARROW, page_figure, svg_picture
from iemomecp_dataset.metrics.evaluation.predictions import Predictions
from iemomecp_dataset.pair_table import PairTable


def predictions_of(dialogues: dict[str, tuple[int, int]]) -> Predictions:
    """By id: number of turns, and number of gold pairs, which are the first candidates."""
    ids, targets, causes, labels = [], [], [], []
    for name, (n, n_gold) in dialogues.items():
        grid = [(t, c) for t in range(1, n + 1) for c in range(1, n + 1)]
        ids += [name] * len(grid)
        targets += [t for t, _ in grid]
        causes += [c for _, c in grid]
        labels += [0 if i < n_gold else 1 for i in range(len(grid))]
    probabilities = np.tile([0.3, 0.7], (len(ids), 1))
    return Predictions(
        pairs=PairTable(*(np.array(column) for column in (ids, ids, targets, causes, labels))),
        probabilities=probabilities,
        class_names=("pair", "non_pair"),
    )


def test_the_shown_dialogue_has_most_gold_pairs_among_those_of_moderate_length():
    assert choose_dialogue(predictions_of({"short": (3, 9), "a": (8, 4), "b": (10, 7), "long": (30, 200)})) == "b"
    assert choose_dialogue(predictions_of({"short": (3, 2), "shorter": (2, 3)})) == "shorter"


def test_a_matrix_draws_every_gold_pair_and_every_candidate():
    """Structure, not pixels: squares of the series colour in the gold panel, grey ones for candidates in both."""
    predictions = predictions_of({"d": (6, 5)})
    drawn = pair_matrix_picture("d", [("a system", predictions)]).svg
    assert "a system" in drawn
    gold = drawn.split("axes_2")[0]
    assert gold.count("fill: var(--series-0)") == 5
    assert gold.count("fill: var(--grid)") == 36
    missed = drawn.split('id="axes_2"')[1].split('id="legend')[0]
    assert missed.count("stroke: var(--series-1)") == 5  # P = 0.3 is below one half: all are missed


@pytest.mark.parametrize("make", [page_figure, paper_figure])
def test_dollar_signs_in_names_of_systems_are_no_formulas(make):
    with make(4, 3) as figure:
        axes = figure.subplots()
        axes.plot([0, 1], label="Base $x$")
        axes.set_yticks([0], ["RPCL $y$"])
        axes.set_title("$z$")
        legend_above(figure, axes)
        texts = [axes.title, *axes.get_yticklabels(), *figure.legends[0].get_texts()]
        assert [text.get_parse_math() for text in texts] == [False] * 3


_NUMBERS = [pytest.param(n, marks=pytest.mark.slow) if n > 12 else n for n in NUMBERS_OF_SYSTEMS]


@pytest.fixture(scope="module", params=_NUMBERS)
def drawn_board(request, tmp_path_factory, write_run):
    """A board of systems with the names that runs get by default, and the predictions of its runs."""
    folder = tmp_path_factory.mktemp("systems")
    write_systems(write_run, folder, request.param, n_classes=3, n_dialogues=8)
    (board,) = leaderboard(folder)
    return parts_of_split(board, "test")[0], collect_predictions(board, "test", [])


PICTURES = {
    precision_recall: precision_recall.precision_recall_picture,
    distance_profile: distance_profile.distance_profile_picture,
    reliability: reliability.reliability_picture,
}


@pytest.mark.parametrize("module", PICTURES)
def test_legends_show_every_system_whole_in_wide_and_in_narrow_windows(module, drawn_board, monkeypatch):
    board, predictions = drawn_board
    figures = []

    def kept(figure, title, caption):
        figures.append((figure, texts_that_collide(figure)))
        return svg_picture(figure, title, caption)

    monkeypatch.setattr(module, "svg_picture", kept)
    picture = PICTURES[module](board, "test", predictions)
    assert picture.narrow_svg
    assert picture.narrow_svg != picture.svg
    assert board.labels.sentence in picture.caption
    assert [figure.get_figwidth() for figure, _ in figures] == [6.4, NARROW]
    names = [board.labels.keyed(row.name) for row in reversed(board.trained)]
    for figure, collide in figures:
        (legend,) = figure.legends
        shown = [text.get_text().replace("\n", " ").split(" (ECE")[0] for text in legend.get_texts()]
        assert [
            text for text in shown if text != "every candidate at that distance as a pair"
        ] == names  # the best first
        # Letters of baselines and of lines of equal F1 stand among curves.
        inside = {text.get_text() for axes in figure.axes for text in axes.texts}
        assert [line for line in collide if not any(repr(text) in line for text in inside)] == []
        (axes,) = figure.axes
        assert axes.get_window_extent().height > 200  # the legend does not take the place of the plot


def test_confusion_titles_do_not_run_into_each_other(drawn_board, monkeypatch):
    board, _ = drawn_board
    collisions = []

    def kept(figure, title, caption):
        collisions.append(texts_that_collide(figure))
        # Whole, whatever words are broken to fit.
        titles = ["".join(axes.get_title("left").split()) for axes in figure.axes if axes.get_visible()]
        assert titles == ["".join(board.labels.keyed(row.name).split()) for row in board.trained[::-1]][:4]
        return svg_picture(figure, title, caption)

    monkeypatch.setattr(confusions, "svg_picture", kept)
    picture = confusions.confusions_picture(board, "test")
    assert collisions == [[], []]
    # Beside another figure four matrices would be too small to read.
    assert picture.wide == (len(board.trained) > 2)
    if len(board.trained) > 4:
        assert f"Shown are the 4 systems with the best Pair F1, of {len(board.trained)}." in picture.caption


def test_confusions_leave_out_systems_without_a_matrix_and_say_so(tmp_path, write_run):
    write_run(tmp_path / "whole", n_classes=3)
    (board,) = leaderboard(tmp_path)
    metrics = {split: {key: value for key, value in scores.items() if key != "confusion_matrix"}
               for split, scores in board.runs[0].results.metrics.items()}  # fmt: skip
    write_run(tmp_path / "part", n_classes=3, objective="rpcl", metrics=metrics)
    (board,) = leaderboard(tmp_path)
    caption = confusions.confusions_picture(board, "test").caption
    assert "Of 1 further system the results hold no confusion matrix." in caption
