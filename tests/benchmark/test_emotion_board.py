"""Tables of runs that recognise emotions, beside those of runs that find pairs."""

import dataclasses
import math

import pytest

from iemomecp_dataset.benchmark.baselines.emotion_rows import (
    FROZEN_ENCODER,
    MAJORITY,
    PREVIOUS_EMOTION,
    TFIDF_WORDS,
)
from iemomecp_dataset.benchmark.board import leaderboard, parts_of_split
from iemomecp_dataset.benchmark.comparison import compare, compare_emotions
from iemomecp_dataset.benchmark.diagnostics.systems import facts_of_data
from iemomecp_dataset.benchmark.diagnostics.tables import diagnose
from iemomecp_dataset.benchmark.emotion_board import emotion_boards
from iemomecp_dataset.benchmark.figures.usable_runs import usable_runs
from iemomecp_dataset.benchmark.results_table import results_table
from iemomecp_dataset.benchmark.runs.index import index_runs
from iemomecp_dataset.errors import RunFolderError, UsageError
from iemomecp_dataset.metrics.scoring import mean_and_sd


@pytest.fixture(scope="module", name="mixed")
def fixture_mixed(tmp_path_factory, write_run, write_emotion_run, emotion_corpus):
    """Runs of both tasks in one folder: two seeds of ECERC, one of our own, an upper bound; and one of pairs."""
    folder = tmp_path_factory.mktemp("mixed")
    corpus = emotion_corpus()
    for seed in (1, 2):
        write_emotion_run(folder / f"ecerc-{seed}", seed=seed, quality=2.0, corpus=corpus)
    own = {"scorer": "emotion_transformer", "objective": "", "seed": 1, "corpus": corpus}
    write_emotion_run(folder / "own-1", quality=1.0, **own)
    write_emotion_run(folder / "own-on-test", quality=3.0, epoch_chosen_on="test", **own)
    write_run(folder / "pairs", n_dialogues=4)
    return folder


@pytest.fixture(scope="module")
def board(mixed):
    (found,) = emotion_boards(mixed)
    return found


def test_a_row_per_system_after_the_structural_ones(board):
    fair, oracle = parts_of_split(board, "test")
    assert [row.key for row in board.structural] == [MAJORITY, PREVIOUS_EMOTION, TFIDF_WORDS, FROZEN_ENCODER]
    assert [row.name for row in fair.trained] == [
        "emotion transformer T (epoch_from=validation)",
        "ECERC corrected T",
    ]
    assert oracle.oracle
    assert [row.name for row in oracle.trained] == ["emotion transformer T (epoch_from=test)"]
    assert oracle.structural == fair.structural
    ecerc = fair.trained[-1]
    score = ecerc.score("test", "weighted_f1")
    assert ecerc.seeds == (1, 2)
    assert score.values == tuple(run.results.metrics["test"]["weighted_f1"] for run in ecerc.runs)
    assert (score.mean, score.sd) == mean_and_sd(score.values)
    assert all(row.score("test", "weighted_f1_se").mean > 0 for row in board.rows if row.key != FROZEN_ENCODER)


def test_tables_of_pairs_are_those_without_the_other_runs(mixed):
    runs = index_runs(mixed).runs
    (pairs,) = leaderboard(runs)
    assert [run.results.run_name for run in pairs.runs] == ["pairs"]
    (alone,) = leaderboard([run for run in runs if run.results.run_name == "pairs"])
    assert dataclasses.replace(pairs, rows=()) == dataclasses.replace(alone, rows=())
    assert [row.name for row in pairs.rows] == [row.name for row in alone.rows]
    assert leaderboard([run for run in runs if run.results.run_name != "pairs"]) == []


def test_the_text_holds_a_table_per_task(mixed):
    text = results_table(mixed)
    of_pairs, of_emotions = text.split("ecf (ecf), test, data")[1:3]
    assert "Pair F1 is definition" in of_pairs
    assert "weighted F1" not in of_pairs
    assert "over distance" not in of_emotions
    for part in ("majority (neutral)", "SE", "joy F1", "without a known", "iemomecp_erc|corpus:ecf"):
        assert (part in of_emotions) == (part != "without a known")
    assert "of them with a known emotion" in of_emotions
    assert "UPPER BOUNDS" in text
    assert "Chosen on test itself, so that the scores are upper bounds: epoch of emotion transformer T" in text


def test_diagnostics_and_figures_name_runs_of_the_other_task(mixed):
    index = index_runs(mixed)
    found = diagnose(index, facts_of_data(None))
    assert [run.results.run_name for run in found.runs] == ["pairs"]
    assert found.left_out[mixed / "ecerc-1"].startswith("It recognises emotions")
    alone = diagnose(dataclasses.replace(index, runs=tuple(r for r in index.runs if r.results.task == "erc")), None)
    assert not alone.all_synthetic
    assert alone.not_computed() == {}
    roles = [dataclasses.replace(r, results=dataclasses.replace(r.results, corpus="iemomecp")) for r in index.runs]
    kept, left_out = usable_runs([run for run in roles if run.results.task == "erc"], {})
    assert not kept
    assert set(left_out.values()) == {"it recognises emotions and finds no pairs."}


@pytest.mark.parametrize(
    ("changed", "boards", "splits"),
    [
        ({}, 1, ("test", "validation")),
        ({"seed": 9}, 2, ("test", "validation")),  # other dialogues
        ({"splits": ("test",)}, 1, ("test", "validation")),
        ({"splits": ("validation",)}, 1, ("test", "validation")),
    ],
)
def test_scores_on_other_utterances_make_another_table(
    tmp_path, write_emotion_run, emotion_corpus, changed, boards, splits
):
    write_emotion_run(tmp_path / "a", seed=1)
    whole = emotion_corpus(seed=changed.get("seed", 0))
    scored = changed.get("splits", ("validation", "test"))
    write_emotion_run(tmp_path / "b", seed=2, corpus=whole, splits=scored)
    found = emotion_boards(tmp_path)
    assert len(found) == boards
    assert found[0].splits == splits
    assert {run.results.run_name for board in found for run in board.runs} <= {"a", "b"}


def test_other_train_and_validation_dialogues_share_the_table_of_test(tmp_path, write_emotion_run, emotion_corpus):
    """As the two protocols of ECERC on IEMOCAP do."""
    corpus, other = emotion_corpus(), emotion_corpus(seed=5)
    moved = dataclasses.replace(
        other, **{name: {**getattr(other, name), "test": getattr(corpus, name)["test"]}
                  for name in ("rows", "tables", "fingerprints", "text_fingerprints")}
    )  # fmt: skip
    for seed in (1, 2):
        write_emotion_run(tmp_path / f"corrected-{seed}", seed=seed, corpus=corpus)
    write_emotion_run(tmp_path / "released-1", seed=1, corpus=moved, objective="released")
    (board,) = emotion_boards(tmp_path)
    of_name = {row.name: row for row in board.trained}
    released = of_name["ECERC released T"]
    assert released.score("test", "weighted_f1") is not None
    assert released.score("validation", "weighted_f1") is None
    assert of_name["ECERC corrected T"].score("validation", "weighted_f1") is not None
    assert (
        "released-1: scored on other validation data than the rest, so without validation scores here." in board.notes
    )


def test_systems_are_compared_by_dialogue_and_seed(board, mixed):
    found = compare_emotions(board, n_resamples=200)
    assert found.left_out == ("emotion transformer T (epoch_from=test)",)
    assert found.n_units == 12
    ecerc, own = "ECERC corrected T", "emotion transformer T (epoch_from=validation)"
    assert {(one.first, one.second, one.metric) for one in found.comparisons} == {
        (ecerc, own, metric) for metric in ("weighted_f1", "accuracy", "macro_f1")
    }
    one = found.comparisons[0]
    means = [row.score("test", "weighted_f1").mean for row in board.trained if row.name in (ecerc, own)]
    assert one.difference.estimate == pytest.approx(max(means) - min(means))
    assert (one.seeds, math.isnan(one.seed_error)) == (1, True)
    assert one.p_holm >= one.difference.p_value
    assert {"weighted_f1", "joy_f1"} <= found.intervals[ecerc].keys()


def test_comparisons_take_tables_of_their_task(board, mixed):
    (pairs,) = leaderboard(mixed)
    with pytest.raises(UsageError, match="compare takes a table of leaderboard; the runs of this one"):
        compare(board)
    with pytest.raises(UsageError, match="compare_emotions takes a table of emotion_boards"):
        compare_emotions(pairs)
    with pytest.raises(UsageError, match="such as emotion_boards"):
        compare_emotions([])


def test_emotions_of_other_utterances_are_not_compared(tmp_path, write_emotion_run, emotion_corpus):
    write_emotion_run(tmp_path / "a", seed=1)
    write_emotion_run(tmp_path / "b", seed=2, objective="released")
    (board,) = emotion_boards(tmp_path)
    write_emotion_run(tmp_path / "c", seed=2, corpus=emotion_corpus(seed=3))
    (tmp_path / "c" / "emotions_test.parquet").rename(tmp_path / "b" / "emotions_test.parquet")
    with pytest.raises(RunFolderError, match="not of the same utterances"):
        compare_emotions(board)
    (tmp_path / "b" / "emotions_test.parquet").unlink()
    assert compare_emotions(board).left_out == ("ECERC released T",)


def test_a_split_that_the_data_of_some_runs_lacks_is_said_of_these_runs(tmp_path, write_emotion_run, emotion_corpus):
    whole = emotion_corpus()
    rows = {split: of_split for split, of_split in whole.rows.items() if split != "validation"}
    without = dataclasses.replace(whole, rows=rows, missing_splits=("validation",))
    write_emotion_run(tmp_path / "whole", corpus=whole)
    write_emotion_run(tmp_path / "without", corpus=without, splits=("test",), epoch_chosen_on=None)
    (board,) = emotion_boards(tmp_path)
    (note,) = (note for note in board.notes if "no validation split" in note)
    assert note == "The data of without has no validation split, so there are no scores of these runs on it."
