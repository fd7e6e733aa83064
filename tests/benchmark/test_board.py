from __future__ import annotations

import json
import math
import shutil
import statistics
from dataclasses import replace

import pytest

from iemomecp_dataset.benchmark.board import leaderboard, parts_of_split, split_notes
from iemomecp_dataset.benchmark.comparison import compare
from iemomecp_dataset.benchmark.results_table import board_table, results_table
from iemomecp_dataset.benchmark.runs.identity import origin_of
from iemomecp_dataset.benchmark.runs.index import index_runs
from iemomecp_dataset.benchmark.runs.results import EXTERNAL
from iemomecp_dataset.errors import MissingDataError, UsageError


def board_of(folder):
    (board,) = leaderboard(index_runs(folder).runs)
    return board


@pytest.fixture
def matrix(tmp_path, write_run):
    records = {}
    for objective, quality in (("base", 1.5), ("rpcl", 3.0)):
        for seed in (42, 345, 456):
            records[objective, seed] = write_run(
                tmp_path / f"{objective}_{seed}", objective=objective, seed=seed, quality=quality
            )
    return tmp_path, records


def test_seeds_of_a_system_are_one_row_with_mean_and_sd(matrix):
    folder, records = matrix
    board = board_of(folder)
    assert [row.name for row in board.trained] == ["Base T", "RPCL T"]
    row = board.trained[0]
    values = [records["base", seed].metrics["test"]["pair_f1"] for seed in (42, 345, 456)]
    score = row.score("test", "pair_f1")
    assert row.seeds == (42, 345, 456)
    assert score.mean == pytest.approx(statistics.mean(values))
    assert score.sd == pytest.approx(statistics.stdev(values))


def test_structural_baselines_are_rows_of_the_same_table(matrix):
    folder, _ = matrix
    board = board_of(folder)
    assert [row.name for row in board.structural] == [
        "all non-pair", "self", "self + previous", "distance only", "emotion x distance (TF-IDF)",
    ]  # fmt: skip
    assert board.rows[: len(board.structural)] == board.structural


def test_a_board_is_a_frame_of_shares_with_one_line_per_row(matrix):
    board = board_of(matrix[0])
    frame = board.to_frame()
    assert list(frame.index) == [row.name for row in board.rows]
    for row in board.rows:
        of_row = frame.loc[row.name]
        assert of_row["pair_f1"] == row.score("test", "pair_f1").mean
        assert (of_row["kind"], of_row["seeds"]) == (row.kind, len(row.runs))
    assert frame.loc["RPCL T", "pair_f1_sd"] == board.trained[1].score("test", "pair_f1").sd
    assert math.isnan(frame.loc["self", "pair_auprc"]), "decisions alone rank nothing"
    validation = board.to_frame("validation").loc["RPCL T", "pair_f1"]
    assert validation == board.trained[1].score("validation", "pair_f1").mean
    with pytest.raises(UsageError, match=r"no scores on 'dev', but on 'test', 'validation'"):
        board.to_frame("dev")


def test_structural_baselines_are_found_by_key_whatever_they_are_called(matrix):
    folder, _ = matrix
    for seed in (42, 345, 456):
        path = folder / f"base_{seed}" / "results.json"
        content = json.loads(path.read_text(encoding="utf-8"))
        content["structural_baselines"]["distance_only"]["display_name"] = "turns alone"
        path.write_text(json.dumps(content), encoding="utf-8")
        shutil.rmtree(folder / f"rpcl_{seed}")
    board = board_of(folder)
    row = board.baseline("distance_only")
    assert row.name == "turns alone"
    assert board.baseline("published_distance_rule") is None
    gain = board.trained[0].score("test", "gain_over_distance")
    assert gain.mean == pytest.approx(
        board.trained[0].score("test", "pair_f1").mean - row.score("test", "pair_f1").mean
    )


def test_a_leaderboard_is_of_a_folder_of_its_runs_or_of_bare_records(tmp_path, write_run):
    record = write_run(tmp_path / "base", n_dialogues=6)
    of_folder = leaderboard(tmp_path)
    assert leaderboard(str(tmp_path)) == of_folder == leaderboard(index_runs(tmp_path).runs)
    (board,) = leaderboard([record])
    assert board.trained[0].score("test", "pair_f1") == of_folder[0].trained[0].score("test", "pair_f1")
    assert leaderboard([]) == []
    with pytest.raises(MissingDataError):
        leaderboard(tmp_path / "nowhere")


def test_gain_is_measured_against_distance_only_on_the_same_pairs(matrix):
    folder, records = matrix
    for row in board_of(folder).trained:
        for split in ("validation", "test"):
            bar = records["base", 42].structural_baselines["distance_only"]["splits"][split]["pair_f1"]
            gain = row.score(split, "gain_over_distance")
            assert gain.mean == pytest.approx(row.score(split, "pair_f1").mean - bar)


@pytest.mark.parametrize(
    "change",
    [
        {"data_seed": 1},
        {"definition": "B"},
        {"candidates": "past"},
        {"synthetic": False},
        {"corpus": "mecad"},
        {"n_classes": 3},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_cannot_be_compared_is_never_in_one_table(tmp_path, write_run, change):
    write_run(tmp_path / "one")
    write_run(tmp_path / "other", objective="rpcl", **change)
    found = leaderboard(index_runs(tmp_path).runs)
    assert sorted(run.folder.name for board in found for run in board.runs) == ["one", "other"]
    assert all(len(board.runs) == 1 for board in found)


def test_runs_with_other_settings_are_never_averaged_and_say_what_differs(tmp_path, write_run):
    write_run(tmp_path / "slow", seed=1, settings={"learning_rate": 0.0003})
    write_run(tmp_path / "fast", seed=2, settings={"learning_rate": 0.003})
    assert sorted(row.name for row in board_of(tmp_path).trained) == [
        "Base T (learning_rate=0.0003)", "Base T (learning_rate=0.003)",
    ]  # fmt: skip


def test_a_repeated_run_does_not_pose_as_another_seed(tmp_path, write_run):
    write_run(tmp_path / "a")
    write_run(tmp_path / "b")
    board = board_of(tmp_path)
    assert board.trained[0].seeds == (42,)
    assert any("b repeats a" in note for note in board.notes)


def test_one_seed_has_no_standard_deviation(tmp_path, write_run):
    write_run(tmp_path / "a")
    board = board_of(tmp_path)
    assert math.isnan(board.trained[0].score("test", "pair_f1").sd)
    assert "±" not in board_table(board).split("Pair F1 is definition")[0]


def test_missing_seeds_are_said(tmp_path, write_run):
    for objective, seeds in (("base", (1, 2, 3)), ("rpcl", (1, 3)), ("cdmr", (1, 2, 3, 4))):
        for seed in seeds:
            write_run(tmp_path / f"{objective}-{seed}", objective=objective, seed=seed, n_dialogues=6)
    said = [note for note in board_of(tmp_path).notes if "lacks" in note]
    assert said == ["RPCL T lacks seed 2, which most other rows have: its mean is of 2 runs."]
    for seed in (1, 2, 3, 4):
        shutil.rmtree(tmp_path / f"cdmr-{seed}")
    said = [note for note in board_of(tmp_path).notes if "lacks" in note]
    assert said == ["RPCL T lacks seed 2, which Base T has: its mean is of 2 runs."]


def test_an_ensemble_lacks_no_seed(tmp_path, write_run):
    for seed in (1, 2):
        write_run(tmp_path / f"base-{seed}", seed=seed)
    write_run(tmp_path / "mean", seed=1, settings={"ensemble": "mean of 2"})
    assert {row.name for row in board_of(tmp_path).trained} == {"Base T mean of 2", "Base T"}
    assert not [note for note in board_of(tmp_path).notes if "lacks" in note]


def test_a_missing_split_is_said(tmp_path, write_run):
    write_run(tmp_path / "a", splits=("validation",))
    board = board_of(tmp_path)
    assert board.splits == ("validation",)
    assert "no test split" in results_table(board.runs)
    with pytest.raises(UsageError, match="No run on ecf has scores on 'test'; there are scores on validation"):
        board_table(board, "test")


def test_runs_without_scores_are_listed_with_the_reason(tmp_path, write_run):
    write_run(tmp_path / "alone", splits=())
    text = results_table(tmp_path)
    assert text.splitlines() == [
        "ecf (ecf) - SYNTHETIC DATA",
        "==========================",
        "Synthetic dialogues made of numbers.",
        "The data has no test and no validation split, so there are no scores on it.",
        "Runs without scores: alone.",
    ]
    with pytest.raises(UsageError, match="No run on ecf has scores on 'test'; there are scores on no split"):
        results_table(tmp_path, "test")


def test_the_text_table_shows_what_was_recorded(matrix):
    folder, records = matrix
    text = board_table(board_of(folder))
    mean = statistics.mean(records["rpcl", seed].metrics["test"]["pair_f1"] for seed in (42, 345, 456))
    row = next(line for line in text.splitlines() if line.strip().startswith("RPCL T "))
    assert f"{100 * mean:.2f} ±" in row
    bar = records["rpcl", 42].structural_baselines["distance_only"]["splits"]["test"]["pair_f1"]
    assert f" {100 * (mean - bar):+.2f} ±" in row, "a gain has its sign"
    assert row.rstrip().endswith("3")
    assert "SYNTHETIC" in text.splitlines()[0]
    assert "definition A: set micro F1" in text
    assert "from validation" in text
    assert "n/a" in next(line for line in text.splitlines() if line.startswith("* self "))  # no average precision


def test_no_runs_no_table():
    with pytest.raises(UsageError, match="no runs"):
        results_table([])


def signed(terms: str, decision: str = "decision:argmax") -> dict[str, dict[str, str]]:
    counts = "corpus:ecf|task:ecf|split:test|gold:9|candidates:90|missed:0"
    rest = "data:0f|epoch:validation|texts:1a|synthetic:yes|version:1"
    return {"signatures": {"test": f"iemomecp|def:A|{counts}|{terms}|emotions:none|{decision}|{rest}"}}


def test_runs_whose_signatures_do_not_compare_are_never_in_one_table(tmp_path, write_run):
    write_run(tmp_path / "one", seed=1, extra=signed("forward:all"))
    write_run(tmp_path / "other", seed=2, extra=signed("forward:all", "decision:threshold@validation=0.3"))
    write_run(tmp_path / "past", seed=3, extra=signed("forward:past"))
    write_run(tmp_path / "unsigned", seed=4)  # comparable with either, so with neither
    found = leaderboard(index_runs(tmp_path).runs)
    assert sorted(sorted(run.folder.name for run in board.runs) for board in found) == [
        ["one", "other"], ["past"], ["unsigned"],
    ]  # fmt: skip


def test_a_run_without_signature_joins_those_that_nothing_else_tells_it_from(tmp_path, write_run):
    write_run(tmp_path / "one", seed=1, extra=signed("forward:all"))
    write_run(tmp_path / "unsigned", seed=4)
    board = board_of(tmp_path)
    assert board.trained[0].seeds == (1, 4)
    assert any("The records of unsigned have no signature" in note for note in board.notes)


def test_signatures_stand_under_the_table(tmp_path, write_run):
    write_run(tmp_path / "one", extra=signed("forward:all"))
    assert results_table(index_runs(tmp_path).runs).splitlines()[-1] == (
        f"one: {signed('forward:all')['signatures']['test']}"
    )


def test_seeds_that_begin_with_runs_of_their_own_are_one_system(tmp_path, write_run):
    for first, objective, seeds in ((10, "base", (42, 345)), (20, "rpcl", (7, 8))):
        for seed in seeds:
            before = write_run(tmp_path / "before" / f"{first + seed}", seed=first + seed, objective=objective)
            write_run(tmp_path / "runs" / f"run-{seed}", seed=seed, initialized_from=origin_of(before))
    for seed in (1, 2):
        write_run(tmp_path / "runs" / f"run-{seed}", seed=seed)
    board = board_of(tmp_path / "runs")
    assert sorted(row.seeds for row in board.trained) == [(1, 2), (7, 8), (42, 345)]
    assert any("init_from=rpcl on ecf (" in row.name for row in board.trained)


def test_circumstances_make_no_other_system_but_are_said(tmp_path, write_run):
    write_run(tmp_path / "one", seed=1, git_revision="abc", processes=1, device="cpu", versions={"torch": "2.12"})
    write_run(tmp_path / "two", seed=2, git_revision="def", processes=2, device="cuda", versions={"torch": "2.13"})
    board = board_of(tmp_path)
    assert [row.seeds for row in board.trained] == [(1, 2)]
    words = "code abc and def, torch 2.12 and 2.13, processes 1 and 2, device cpu and cuda"
    assert f"The runs of Base T differ in {words}." in board.notes


def test_a_record_that_states_no_settings_is_averaged_with_no_other(tmp_path, write_run):
    for seed in (1, 2):
        write_run(tmp_path / f"run-{seed}", seed=seed, settings={})
    board = board_of(tmp_path)
    assert sorted(row.seeds for row in board.trained) == [(1,), (2,)]
    assert any("run-1, run-2 do not state their settings" in note for note in board.notes)


def test_a_run_with_fewer_splits_joins_no_table_of_other_texts(tmp_path, write_run):
    texts = {"validation": "one", "test": "two"}
    write_run(tmp_path / "both", seed=1, text_fingerprint=texts)
    for name, digest, tables in (("same", "two", 1), ("other", "else", 2)):
        data = {"data_fingerprint": {"test": "00test"}, "text_fingerprint": {"test": digest}}
        write_run(tmp_path / name, seed=2, splits=("test",), threshold={"value": None, "chosen_on": None}, **data)
        assert len(leaderboard(index_runs(tmp_path).runs)) == tables
        shutil.rmtree(tmp_path / name)


@pytest.mark.parametrize("changes", [{"text_fingerprint": {"test": "other"}}, {"extra": signed("forward:past")}])
def test_other_texts_or_terms_of_the_signature_make_another_table(tmp_path, write_run, changes):
    common = {"text_fingerprint": {"test": "one"}, "extra": signed("forward:all")}
    write_run(tmp_path / "one", seed=1, **common)
    write_run(tmp_path / "other", seed=2, **{**common, **changes})
    assert [len(board.runs) for board in leaderboard(index_runs(tmp_path).runs)] == [1, 1]


def test_upper_bounds_stand_in_a_table_of_their_own(tmp_path, write_run):
    write_run(tmp_path / "fair", objective="base", epoch_chosen_on="validation")
    write_run(tmp_path / "epoch", objective="rpcl", epoch_chosen_on="test")
    write_run(tmp_path / "threshold", objective="cdmr", threshold={"value": 0.3, "chosen_on": "test"})
    board = board_of(tmp_path)
    fair, oracle = parts_of_split(board, "test")
    assert ([row.name for row in fair.trained], fair.oracle) == (["Base T"], False)
    assert (sorted(row.name for row in oracle.trained), oracle.oracle) == (["CDMR only T", "RPCL T"], True)
    assert split_notes(fair, "test") == []
    assert sorted(split_notes(oracle, "test")) == [
        "Chosen on test itself, so that the scores are upper bounds: epoch of RPCL T.",
        "Chosen on test itself, so that the scores are upper bounds: threshold of CDMR only T.",
    ]
    text = board_table(board, "test")
    titles = [line for line in text.splitlines() if line.startswith("ecf (ecf), test")]
    assert ["UPPER BOUNDS" in title for title in titles] == [False, True]
    assert "RPCL" not in text.split("UPPER BOUNDS")[0]
    compared = compare(board, split="test", n_resamples=20)
    assert compared is not None
    assert (list(compared.intervals), sorted(compared.left_out)) == (["Base T"], ["CDMR only T", "RPCL T"])


def test_structural_thresholds_are_said_to_be_chosen_on_the_split_and_are_no_bar_of_fair_rows(tmp_path, write_run):
    write_run(tmp_path / "run", epoch_chosen_on="validation")
    board = board_of(tmp_path)
    (bounds,) = parts_of_split(board, "validation")
    assert bounds.oracle
    (epoch,) = [note for note in split_notes(bounds, "validation") if "epoch and threshold of Base T" in note]
    notes = split_notes(bounds, "validation")
    assert any("threshold of emotion x distance (TF-IDF)" in note for note in notes), epoch
    assert not any("distance only" in note for note in notes), "its threshold is from train"
    (fair,) = parts_of_split(board, "test")
    assert len(fair.structural) == len(board.structural)


def test_a_gain_over_an_upper_bound_stands_in_no_fair_table(tmp_path, write_run):
    write_run(tmp_path / "run", epoch_chosen_on="validation")
    write_run(tmp_path / "fixed", objective="rpcl", threshold={"value": 0.5, "chosen_on": "fixed"})
    fair, bounds = parts_of_split(board_of(tmp_path), "validation")
    for part in (fair, bounds):  # the threshold of distance only is from train
        assert part.baseline("distance_only") is not None
        assert part.baseline("emotion_x_distance") is (None if part is fair else part.baseline("emotion_x_distance"))
        assert part.trained[0].score("validation", "gain_over_distance") is not None
    # Records of earlier versions, whose threshold was from validation.
    runs = []
    for run in index_runs(tmp_path).runs:
        baselines = dict(run.results.structural_baselines)
        baselines["distance_only"] = baselines["distance_only"] | {"chosen_on": "validation"}
        runs.append(replace(run, results=replace(run.results, structural_baselines=baselines)))
    (earlier,) = leaderboard(runs)
    fair, bounds = parts_of_split(earlier, "validation")
    assert fair.baseline("distance_only") is None
    assert [row.score("validation", "gain_over_distance") for row in fair.rows] == [None] * len(fair.rows)
    assert bounds.trained[0].score("validation", "gain_over_distance") is not None


def test_of_many_options_that_differ_a_name_has_as_few_as_tell_and_the_note_all(tmp_path, write_run):
    run = write_run(tmp_path / "run", n_dialogues=6)
    usual = {"batch_size": "4", "dropout": "0.1", "epochs": "16", "hidden_size": "64", "patience": "5"}
    others = [
        {},
        {"batch_size": "8", "dropout": "0.4", "epochs": "30", "hidden_size": "256"},
        {"batch_size": "8", "dropout": "0.4", "epochs": "30", "hidden_size": "64"},
    ]
    records = [
        replace(run, run_name=str(number), settings={**run.settings, **usual, **other})
        for number, other in enumerate(others)
    ]
    (board,) = leaderboard(records)
    told = {row.name: row.note for row in board.trained}
    assert len(told) == 3
    assert all(name.startswith("Base T (") and name.endswith(" more)") for name in told)
    assert max(map(len, told)) < 60
    assert "batch_size=4, dropout=0.1, epochs=16, hidden_size=64" in told.values()
    (two,) = leaderboard([records[0], records[2]])
    assert {row.name for row in two.trained} == {
        f"Base T (batch_size={size}, dropout={dropout}, epochs={epochs})"
        for size, dropout, epochs in (("4", "0.1", "16"), ("8", "0.4", "30"))
    }


def test_a_system_of_others_keeps_its_name_and_is_marked(tmp_path, write_run):
    ours = write_run(tmp_path / "ours", n_dialogues=6)
    theirs = replace(ours, run_name="theirs", scorer=EXTERNAL, text_encoder="none", encoder_mode="none", settings={})
    for records, names in (
        ([theirs], {"base T external"}),
        (
            [theirs, replace(theirs, run_name="x", objective="words", modalities="")],
            {"base T external", "words external"},
        ),
        # Their scorer and encoder are no reason to name ours.
        ([ours, theirs], {"Base T", "base T external"}),
    ):
        (board,) = leaderboard(records)
        assert {row.name for row in board.trained} == names
