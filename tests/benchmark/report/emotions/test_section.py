"""Runs of emotion recognition on the page: which number stands where, apart from pairs, and dialogues turn by turn."""

from __future__ import annotations

import html as html_text
import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from html_page import Page
from quick_report import render_quickly, undrawn

from iemomecp_dataset.benchmark.emotion_board import emotion_boards
from iemomecp_dataset.benchmark.report import Texts, render_report
from iemomecp_dataset.benchmark.report.confusions import confusion_matrices
from iemomecp_dataset.benchmark.report.emotions.explorer import emotion_explorer_data, first_dialogue
from iemomecp_dataset.benchmark.runs.index import index_runs
from iemomecp_dataset.metrics.emotion_scoring import emotion_scores
from iemomecp_dataset.metrics.emotion_signature import EmotionSignature
from iemomecp_dataset.metrics.evaluation.emotions.predictions import (
    emotions_file,
    read_emotion_predictions,
    write_emotion_predictions,
)
from iemomecp_dataset.metrics.significance.bootstrap import resample_systems
from iemomecp_dataset.metrics.significance.emotion_bootstrap import emotion_unit_counts

TEXT = "an utterance that must not be shown"
SEEDS = (1, 2)


@pytest.fixture(scope="module")
def runs_dir(tmp_path_factory, write_emotion_run):
    root = tmp_path_factory.mktemp("runs")
    for scorer, quality in (("ecerc", 1.0), ("emotion_transformer", 3.0)):
        for seed in SEEDS:
            write_emotion_run(root / f"{scorer}_{seed}", scorer=scorer, seed=seed, quality=quality)
    return root


@pytest.fixture(scope="module")
def html(runs_dir):
    return render_report(index_runs(runs_dir), n_resamples=60)


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


@pytest.fixture(scope="module")
def board(runs_dir):
    (board,) = emotion_boards(index_runs(runs_dir).runs)
    return board


def table_with(page: Page, *headings: str) -> list[list[str]]:
    """The first table whose heading has these columns."""
    return next(table for table in page.tables if {*headings} <= {*table[0]})


def number(text: str) -> float:
    return float(text.split()[0])


def test_the_leaderboard_has_every_row_with_its_scores_best_first(page, board):
    table = table_with(page, "weighted F1", "SE", "macro F1")
    assert "Threshold" not in table[0]
    assert len(table) - 1 == len(board.rows)
    ranked = sorted(board.rows, key=lambda row: -row.score("test", "weighted_f1").mean)
    for row, shown in zip(ranked, table[1:], strict=True):
        assert shown[0].startswith(row.name)
        assert ("structural" in shown[0]) == (row.kind == "structural")
        for key, heading in (("weighted_f1", "weighted F1"), ("accuracy", "accuracy"), ("macro_f1", "macro F1")):
            assert number(shown[table[0].index(heading)]) == pytest.approx(100 * row.score("test", key).mean, abs=0.006)
    assert any(row.kind == "structural" for row in board.rows)


def test_the_standard_error_is_that_of_the_mean_over_seeds_on_resampled_dialogues(page, runs_dir, board):
    table = table_with(page, "weighted F1", "SE")
    runs = [read_emotion_predictions(emotions_file(runs_dir / f"ecerc_{seed}", "test")) for seed in SEEDS]
    known = runs[0].table.take(runs[0].table.labelled)
    counts = emotion_unit_counts(
        [run.take(run.table.labelled).scored for run in runs], known.labels, known.dialogue_ids, runs[0].class_names
    )
    (resampled,) = resample_systems([counts], n_resamples=60)
    (row,) = [row for row in board.trained if "ecerc" in row.name.lower()]
    shown = next(line for line in table if line[0].startswith(row.name))
    error = resampled.intervals()["weighted_f1"].standard_error
    assert number(shown[table[0].index("SE")]) == pytest.approx(100 * error, abs=0.006)


def test_shifts_and_calibration_stand_beside_structural_rows(page, board):
    shifts, calibration = table_with(page, "Accuracy, shift"), table_with(page, "ECE", "Brier")
    for table, keys in (
        (shifts, ("shift_accuracy", "shift_support", "stay_accuracy", "stay_support")),
        (calibration, ("ece", "brier")),
    ):
        assert len(table) - 1 == len(board.rows)
        for row in board.rows:
            shown = next(line for line in table[1:] if line[0].startswith(row.name))
            for text, key in zip(shown[1:], keys, strict=True):
                score = row.score("test", key)
                if score is None:
                    assert text == "–"
                else:
                    scale = 1 if key.endswith("_support") else 100
                    assert number(text.replace(",", "")) == pytest.approx(scale * score.mean, abs=0.006)


def test_each_emotion_has_its_scores_and_support(page, board):
    table = table_with(page, "Class", "gold utterances")
    lines = {(line[0], line[1]): line[2:] for line in table[1:]}
    for row in board.rows:
        for name in board.key.class_names:
            values = [row.score("test", f"{name}_{key}").mean for key in ("precision", "recall", "f1")]
            support = row.score("test", f"{name}_support").mean
            assert lines[row.name, name] == [*(f"{100 * value:.2f}" for value in values), f"{support:.0f}"]


def test_the_figures(page, html):
    labels = {attributes["aria-label"] for tag, attributes in page.tags if tag == "svg"}
    assert labels == {
        "Weighted F1 on test",
        "F1 by emotion, test",
        "Confusion of emotions, test",
        "Reliability of the predicted emotion, test",
        "Learning curves",
    }
    assert html.count("<figcaption>") == len(labels)
    assert "Validation weighted F1, %" in html
    assert "Validation loss" in html


def test_confusions_have_gold_in_rows(board, runs_dir, tmp_path, write_emotion_run):
    """All predictions of one emotion: its column is 100 %, whatever the gold."""
    names = board.key.class_names
    n_classes = len(names)
    confusion = [[5] + [0] * (n_classes - 1) for _ in names]
    record = index_runs(runs_dir).runs[0].results.metrics
    metrics = {split: {**scores, "confusion_matrix": confusion} for split, scores in record.items()}
    (of_one,) = emotion_boards([write_emotion_run(tmp_path / "one", metrics=metrics)])
    drawn = confusion_matrices(of_one, "test", names, "Confusion", "emotion", "weighted F1").svg
    cells = [float(text) for text in re.findall(r">(\d+)</text>", drawn)]
    assert cells == ([100.0] + [0.0] * (n_classes - 1)) * n_classes


def test_intervals_and_differences_are_of_weighted_f1(page):
    table = table_with(page, "Weighted F1 [95 % CI]")
    assert re.fullmatch(r"\d+\.\d\d \[\d+\.\d\d, \d+\.\d\d\]", table[1][1])
    differences = table_with(page, "Difference")
    assert {line[1] for line in differences[1:]} >= {"Weighted F1"}
    assert not any("Pair F1" in cell for table in page.tables for line in table for cell in line)


def test_synthetic_data_is_called_so(page):
    assert "SYNTHETIC DATA" in page.text
    headings = re.findall(r"<h2>(.*?)</h2>", page.html)
    assert headings == ['MELD <span class="tag synthetic">synthetic</span>']


def test_pairs_and_emotions_are_two_parts_and_share_no_table(tmp_path, write_run, write_emotion_run):
    write_run(tmp_path / "pairs", n_dialogues=6)
    write_emotion_run(tmp_path / "emotions")
    html = render_quickly(index_runs(tmp_path))
    page = Page(html)
    for table in page.tables:
        headings = " ".join(table[0])
        assert not ("Pair F1" in headings and "weighted F1" in headings)
        assert not ({"pairs", "emotions"} <= {line[0] for line in table})
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes and "explorer" not in attributes["id"]]
    ids = [name for name in ids if name in ("pairs", "data-1", "emotions", "emotions-1")]
    assert ids == ["pairs", "data-1", "emotions", "emotions-1"]
    links = [attributes["href"] for tag, attributes in page.tags if tag == "a" and attributes.get("href")]
    assert links == ["#pairs", "#data-1", "#emotions", "#emotions-1"]
    assert "<h1>Emotion-cause pairs and emotions in conversations</h1>" in html


@pytest.mark.parametrize(
    ("writer", "title", "absent"),
    [
        ("write_run", "Emotion-cause pair extraction", ("emotions-1", 'id="emotions"', 'class="part"')),
        ("write_emotion_run", "Emotion recognition in conversations", ("data-1", 'id="pairs"', 'class="part"')),
    ],
)
def test_runs_of_one_task_have_a_page_without_parts(tmp_path, request, writer, title, absent):
    request.getfixturevalue(writer)(tmp_path / "run", n_dialogues=6)
    html = render_quickly(index_runs(tmp_path))
    assert f"<h1>{title}</h1>" in html
    body = html[html.index("</style>") : html.rindex("<script>")]
    for text in absent:
        assert text not in body


def test_texts_are_shown_only_when_given_and_shared_only_when_allowed(tmp_path, write_emotion_run):
    write_emotion_run(tmp_path / "run", license_text_shareable=False)
    index = index_runs(tmp_path)
    lines = {f"te{number:02d}": [("A", TEXT), ("B", "<b>bold</b></script>")] * 6 for number in range(12)}
    shown = render_quickly(index, texts=Texts(lines))
    assert TEXT in shown
    assert "<b>bold" not in shown
    assert "do not pass this page on" in shown
    hidden = render_report(index, n_resamples=0)
    assert TEXT not in hidden
    assert '"lines":' not in hidden
    assert "do not pass this page on" not in hidden
    assert "not in the data that was given" in render_quickly(index, texts=Texts({}))
    # Dialogues of another configuration may have the same ids.
    other = render_quickly(index, texts=Texts(of_config={"of another configuration": lines}))
    assert TEXT not in other
    assert "not in the data that was given" in other
    assert TEXT in render_quickly(index, texts=Texts(of_config={index.runs[0].results.config_name: lines}))


def test_the_dialogue_shown_first_marks_wrong_emotions_without_scripts(runs_dir, page, board):
    table = table_with(page, "Turn", "Gold")
    best = board.trained[-1]
    assert table[0][2] == f"{board.labels[best.name]}, seed {SEEDS[0]}"
    run = read_emotion_predictions(emotions_file(best.runs[0].folder, "test"))
    dialogue = re.search(r'data-part="id">([^<]+)<', page.html).group(1)
    here = run.take(run.table.dialogue_ids == dialogue)
    assert len(table) - 1 == len(here)
    for line, gold, predicted, of_turn in zip(
        table[1:], here.table.labels, here.predicted, here.probabilities, strict=True
    ):
        name, percent = here.class_names[predicted], round(100 * of_turn.max())
        assert line[1] == (here.class_names[gold] if gold >= 0 else "not known")
        assert line[2].split()[:3] == [name, str(percent), "%"]
        assert line[2].endswith("wrong") == (gold >= 0 and gold != predicted)


def test_nothing_is_lost_in_packing(runs_dir):
    runs = [read_emotion_predictions(emotions_file(runs_dir / f"ecerc_{seed}", "test")) for seed in SEEDS]
    mixed = [run.take(np.random.default_rng(0).permutation(len(run))) for run in runs]
    data = emotion_explorer_data([("one", mixed[0]), ("two", mixed[1])])
    assert [dialogue["id"] for dialogue in data["dialogues"]] == [*dict.fromkeys(mixed[0].table.dialogue_ids)]
    for dialogue in data["dialogues"]:
        here = runs[0].table.dialogue_ids == dialogue["id"]
        assert dialogue["turns"] == runs[0].table.turns[here].tolist()
        assert dialogue["gold"] == runs[0].table.labels[here].tolist()
        for system, run in enumerate(runs):
            assert dialogue["predicted"][system] == run.predicted[here].tolist()
            assert dialogue["confidence"][system] == [round(100 * p) for p in run.probabilities[here].max(axis=1)]


def test_the_first_dialogue_has_most_emotions_among_those_of_moderate_length():
    assert first_dialogue([[0, 1, 2], [0] * 6, [0, 1, 0, 1, 1, 1], [0, 0, 0, 1, 1, 1], [0, 1, 2] * 9]) == 2
    assert first_dialogue([[0, 0], [0, 1]]) == 1


def test_a_run_whose_predictions_are_of_other_utterances_is_left_out(tmp_path, write_emotion_run):
    for name, seed, data_seed in (("a", 1, 0), ("b", 2, 0), ("other", 3, 5)):
        write_emotion_run(tmp_path / name, seed=seed, data_seed=data_seed)
    shutil.copy(tmp_path / "other" / "emotions_test.parquet", tmp_path / "b")
    shutil.rmtree(tmp_path / "other")
    text = " ".join(Page(render_quickly(index_runs(tmp_path))).text.split())
    assert re.search(r" b: results\.json and emotions_test\.parquet contradict each other on test: the file ", text)
    assert "1 run from" in text


def test_predictions_that_contradict_the_record_are_named(tmp_path, write_emotion_run):
    for name, seed in (("a", 1), ("b", 2)):
        write_emotion_run(tmp_path / name, seed=seed)
    shutil.copy(tmp_path / "a" / "emotions_test.parquet", tmp_path / "b")
    text = " ".join(Page(render_quickly(index_runs(tmp_path))).text.split())
    assert re.search(
        r" b: results\.json and emotions_test\.parquet .* the record has weighted_f1 0\.\d+, the pred", text
    )


def test_a_system_that_only_decides_has_no_calibration_and_no_probabilities(tmp_path, write_emotion_run):
    write_emotion_run(tmp_path / "run")
    path = tmp_path / "run" / "emotions_test.parquet"
    run = read_emotion_predictions(path)
    decided = np.eye(len(run.class_names))[run.predicted]
    known = run.table.labelled
    assert "ece" not in emotion_scores(run.predicted[known], run.table.labels[known], run.class_names)
    write_emotion_predictions(path, run.table, decided, replace(run.facts, decisions_alone=True))
    page = Page(render_quickly(index_runs(tmp_path)))
    assert "Reliability of the predicted emotion" not in page.text
    assert not any("%" in cell for line in table_with(page, "Turn", "Gold")[1:] for cell in line)


def test_a_run_without_log_and_predictions_still_has_its_table(tmp_path, write_emotion_run):
    write_emotion_run(tmp_path / "run")
    for path in (tmp_path / "run").glob("*"):
        if path.name != "results.json":
            path.unlink()
    page = Page(undrawn(render_report)(index_runs(tmp_path), n_resamples=20))
    assert len(table_with(page, "weighted F1", "SE")) == 3
    assert not any("Gold" in table[0] for table in page.tables)


@pytest.mark.slow
def test_the_keyboard_steps_through_dialogues(html, open_in_browser):
    script = """
      const said = [], explorer = document.querySelector(".explorer");
      const read = (part) => explorer.querySelector(`[data-part="${part}"]`).textContent;
      const wrong = () => explorer.querySelectorAll("td.wrong").length;
      const note = () => said.push([read("id"), read("place"), read("count"), wrong()]);
      note();
      for (const key of ["n", "p", "o", "n"]) {
        explorer.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
        note();
      }
      document.title = JSON.stringify(said);
    """
    dom = open_in_browser(html, script)
    said = json.loads(html_text.unescape(re.search("<title>(.*?)</title>", dom).group(1)))
    assert said[0] == said[2]
    assert said[0][0] != said[1][0]
    assert said[3][1] == "(1 of 12)"
    assert said[3][3] >= said[4][3], "most errors first"
    for entry in said:
        counts = [int(n) for n in re.findall(r"(\d+) \(", entry[2])]
        assert sum(counts) == entry[3]


def test_published_scores_stand_beside_runs_on_the_whole_test_split_alone(tmp_path, write_emotion_run, page):
    assert "Published results on this corpus" not in page.text
    names = "neutral,surprise,fear,sadness,joy,disgust,anger"
    signature = EmotionSignature("meld", "meld", "test", names, 2610, 2610, "c0ffee", epoch_chosen_on="validation")
    write_emotion_run(
        tmp_path / "run",
        class_names=tuple(names.split(",")),
        synthetic=False,
        splits=("test",),
        extra={"signatures": {"test": str(signature)}},
    )
    published = table_with(Page(render_quickly(index_runs(tmp_path))), "System", "Conditions", "Source")
    assert published[0][1] == "weighted F1"
    assert "Candidates" not in published[0]
    assert any("ECERC" in line[0] and line[1] == "66.46" for line in published[1:])
