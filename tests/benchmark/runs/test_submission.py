"""Predictions of any system as a run: scored as given, checked, and a row beside trained runs."""

from __future__ import annotations

import dataclasses
import math
import re
import shlex
from pathlib import Path

import forked_python
import numpy as np
import pandas as pd
import pytest
from corpus_files import ecf_text, write
from quick_report import undrawn

import iemomecp_dataset
from iemomecp_dataset.benchmark.board import leaderboard
from iemomecp_dataset.benchmark.comparison import compare
from iemomecp_dataset.benchmark.report import write_report
from iemomecp_dataset.benchmark.runs.index import index_runs
from iemomecp_dataset.benchmark.runs.results import (
    Decision,
    RunResults,
    read_results,
    write_results,
    write_run_predictions,
)
from iemomecp_dataset.benchmark.runs.submission import Submission, write_submission
from iemomecp_dataset.corpus import load_corpus
from iemomecp_dataset.errors import IemomecpError, InvalidDataError, RunFolderError, UsageError
from iemomecp_dataset.metrics.evaluation.evaluate import FileEvaluationRequest, evaluate_files
from iemomecp_dataset.metrics.evaluation.predictions import read_predictions
from iemomecp_dataset.metrics.evaluation.results import EvaluationOptions
from iemomecp_dataset.metrics.evaluation.semeval import write_semeval
from iemomecp_dataset.metrics.scoring import pair_scores
from iemomecp_dataset.metrics.set_scores import pair_set
from iemomecp_dataset.metrics.thresholds import best_threshold
from iemomecp_dataset.pair_table import pair_table
from iemomecp_dataset.schema import ROLE_LABELS


@pytest.fixture(name="tables", scope="module")
def fixture_tables(synthetic_dir):
    data = iemomecp_dataset.load("3class", data_dir=str(synthetic_dir))
    return {split: pair_table(data[split].to_list()) for split in ("validation", "test")}


@pytest.fixture(name="frames")
def fixture_frames(tables):
    """By split the columns of a file, in an order of its own."""
    rng = np.random.default_rng(0)
    frames = {}
    for split, table in tables.items():
        probabilities = 0.6 * rng.dirichlet([1, 1, 4], len(table)) + 0.4 * np.eye(3)[table.labels]
        columns = {
            "dialogue_id": table.dialogue_ids,
            "target_turn": table.target_turns,
            "cause_turn": table.cause_turns,
        }
        columns |= {f"prob_{name}": probabilities[:, i] for i, name in enumerate(ROLE_LABELS)}
        frames[split] = pd.DataFrame(columns)
    return frames


@pytest.fixture(name="submit")
def fixture_submit(tmp_path, synthetic_dir):
    def submit(frames: dict[str, pd.DataFrame], folder: str = "mine", **options) -> RunResults:
        files = {}
        for split, frame in frames.items():
            files[split] = tmp_path / f"{folder}_{split}.csv"
            frame.sample(frac=1, random_state=1).to_csv(files[split], index=False)
        options = {"name": "mine", "data_dir": synthetic_dir, "config_name": "3class", **options}
        return write_submission(Submission(files=files, **options), tmp_path / "runs" / folder)

    return submit


def test_what_the_splits_share_is_said_and_recorded(tmp_path, caplog):
    for number, file in ((1, "train.txt"), (5, "test.txt")):
        write(tmp_path / file, ecf_text(number).replace("It stopped .", "It stopped this morning ."))
    table = load_corpus("ecf", tmp_path, split="test").tables["test"]
    frame = {"dialogue_id": table.dialogue_ids, "target_turn": table.target_turns, "cause_turn": table.cause_turns}
    pd.DataFrame(frame | {"pred_id": table.labels}).to_csv(tmp_path / "mine.csv", index=False)
    files = {"test": tmp_path / "mine.csv"}
    write_submission(Submission(name="mine", files=files, data_dir=tmp_path, config_name="ecf"), tmp_path / "run")
    said = read_results(tmp_path / "run").extra["leaks"]
    assert len(said) == 1
    assert said[0].startswith("at least 1 dialogues of ecf/test hold text of ecf/train")
    assert f"warning: {said[0]}" in caplog.messages


def test_a_file_becomes_a_run_scored_as_its_numbers_say(submit, frames, tables, tmp_path):
    record = submit({"test": frames["test"]})
    expected = pair_scores(frames["test"].filter(like="prob_").to_numpy(), tables["test"].labels, ROLE_LABELS)
    assert record.metrics["test"]["pair_f1"] == pytest.approx(expected["pair_f1"])
    assert record.metrics["test"]["pair_auprc"] == pytest.approx(expected["pair_auprc"])
    assert record.threshold == {"value": None, "chosen_on": None}
    assert record.synthetic
    assert record.counts["test"]["gold_pairs"] == (tables["test"].labels == 0).sum()
    assert "truncated_utterances" not in record.counts["test"], "not known is not 0"
    folder = tmp_path / "runs" / "mine"
    assert read_results(folder).extra["submission"]["test"]["file"] == "mine_test.csv"
    predictions = read_predictions(folder / "predictions_test.parquet")
    np.testing.assert_array_equal(predictions.labels, tables["test"].labels)
    again = pair_scores(predictions.probabilities, predictions.labels, predictions.class_names)
    assert again["pair_f1"] == record.metrics["test"]["pair_f1"]


def test_the_threshold_comes_from_validation_where_that_is_given(submit, frames, tables):
    record = submit(frames)
    wanted, _ = best_threshold(frames["validation"].filter(like="prob_").to_numpy(), tables["validation"].labels)
    assert record.threshold["chosen_on"] == "validation"
    assert record.threshold["value"] == pytest.approx(wanted)
    assert submit(frames, "by argmax", argmax=True).threshold == {"value": None, "chosen_on": None}
    assert submit(frames, "fixed", threshold=0.4).threshold == {"value": 0.4, "chosen_on": "fixed"}


def test_missed_pairs_count_where_the_threshold_is_chosen(tmp_path):
    """Of eight gold pairs six are no candidates: the second one is worth the three others before it."""
    text = "1 4\n(4,1),(4,4),(1,2),(1,3),(1,4),(2,3),(2,4),(3,4)\n" + "".join(
        f"{turn} | A | anger | We are late ! | Own_S1E1: 00:00:00.000 - 00:00:01.000\n" for turn in range(1, 5)
    )
    for name, number in (("train", 1), ("dev", 2)):
        (tmp_path / f"{name}.txt").write_text(f"{number}{text[1:]}", encoding="utf-8")
    pairs = [(target, cause) for target in range(1, 5) for cause in range(1, target + 1)]
    ranked = [(4, 1), (1, 1), (2, 1), (2, 2), (4, 4)]
    frame = pd.DataFrame(
        {"dialogue_id": "2", "target_turn": t, "cause_turn": c,
         "prob_pair": 0.9 - 0.1 * ranked.index((t, c)) if (t, c) in ranked else 0.1}
        for t, c in pairs
    )  # fmt: skip
    frame["prob_non_pair"] = 1 - frame["prob_pair"]
    frame.to_csv(tmp_path / "predictions.csv", index=False)
    submission = Submission("mine", {"validation": tmp_path / "predictions.csv"}, tmp_path, "ecf", candidates="past")
    record = write_submission(submission, tmp_path / "run")
    assert record.counts["validation"]["missed_positives"] == 6
    assert record.threshold == {"value": pytest.approx(0.5), "chosen_on": "validation"}
    assert record.metrics["validation"]["pair_f1"] == pytest.approx(4 / (5 + 8))


def test_decisions_alone_are_scored_as_they_are_and_rank_nothing(submit, frames, tables):
    decided = frames["test"].drop(columns=[f"prob_{name}" for name in ROLE_LABELS])
    decided["pred_id"] = (tables["test"].distances > 0) * 2
    decided["pred"] = np.array(ROLE_LABELS)[decided["pred_id"]]
    record = submit({"test": decided})
    expected = pair_scores(decided["pred_id"].to_numpy(), tables["test"].labels, ROLE_LABELS)
    assert record.metrics["test"]["pair_f1"] == expected["pair_f1"]
    assert math.isnan(record.metrics["test"]["pair_auprc"])


def test_it_is_a_row_of_the_same_table_as_a_trained_run(submit, frames, tmp_path):
    record = submit(frames, "trained")
    # What a trainer writes differs in the settings alone.
    trained = dataclasses.replace(
        record, run_name="trained", scorer="dialogue", objective="rpcl", modalities="t", text_encoder="tiny",
        encoder_mode="trained", wall_seconds=9.0, extra={"signatures": record.extra["signatures"]},
    )  # fmt: skip
    write_results(tmp_path / "runs" / "trained", trained)
    submit({"test": frames["test"]}, "mine-1", seed=1, modalities="ta")
    submit({"test": frames["test"]}, "mine-2", seed=2, modalities="ta")
    (board,) = leaderboard(index_runs(tmp_path / "runs").runs)
    rows = {row.name: row for row in board.trained}
    assert len(rows) == 2
    mine = next(row for name, row in rows.items() if name.startswith("mine T+A"))
    assert mine.seeds == (1, 2)
    assert mine.score("test", "gain_over_distance") is not None
    assert mine.score("validation", "pair_f1") is None


def test_decisions_alone_are_compared_but_never_ranked_in_the_report(submit, frames, tables, tmp_path):
    submit({"test": frames["test"]}, "ranks", name="ranks")
    decided = frames["test"].drop(columns=[f"prob_{name}" for name in ROLE_LABELS])
    decided["pred_id"] = (tables["test"].distances > 0) * 2
    decided["pred"] = np.array(ROLE_LABELS)[decided["pred_id"]]
    record = submit({"test": decided}, "decides", name="decides")
    index = index_runs(tmp_path / "runs")
    (board,) = leaderboard(index.runs)
    found = {run.results.run_name: read_predictions(run.predictions_path("test")) for run in index.runs}
    comparisons = compare(board, found, n_resamples=50)
    assert "pair_auprc" in comparisons.intervals["ranks external"]
    assert "pair_auprc" not in comparisons.intervals["decides external"]
    assert comparisons.intervals["decides external"]["pair_f1"].estimate == pytest.approx(
        record.metrics["test"]["pair_f1"]
    )
    assert {c.metric for c in comparisons.comparisons} == {"pair_f1"}
    undrawn(write_report)(index, tmp_path / "report.html", n_resamples=50)
    assert "decides gave decisions without probabilities" in (tmp_path / "report.html").read_text(encoding="utf-8")


def decisions(frame: pd.DataFrame, table) -> pd.DataFrame:
    """A rule's decisions in place of probabilities."""
    decided = frame[["dialogue_id", "target_turn", "cause_turn"]].assign(pred_id=(table.distances > 0) * 2)
    return decided.assign(pred=np.array(ROLE_LABELS)[decided["pred_id"]])


def test_decisions_alone_stay_decisions_when_the_run_is_read_again(submit, frames, tables, tmp_path):
    record = submit({"test": decisions(frames["test"], tables["test"])})
    assert record.threshold == {"value": None, "chosen_on": "system"}
    path = tmp_path / "runs" / "mine" / "predictions_test.parquet"
    request = FileEvaluationRequest(path, options=EvaluationOptions(n_resamples=0))
    evaluation = evaluate_files(request).evaluations[0]
    assert evaluation.scores["pair_f1"] == record.metrics["test"]["pair_f1"]
    assert math.isnan(evaluation.scores["pair_auprc"])
    assert str(evaluation.signature) == record.extra["signatures"]["test"]


@pytest.mark.parametrize("form", ["decisions", "probabilities"])
def test_a_sparse_file_is_a_row_and_what_it_leaves_out_is_said(submit, frames, tables, form, tmp_path):
    table, frame = tables["test"], frames["test"]
    frame = decisions(frame, table) if form == "decisions" else frame
    kept = np.flatnonzero(table.distances == 0)
    future = frame.iloc[kept[:1]].assign(cause_turn=999)  # predicted, and no candidate
    record = submit({"test": pd.concat([frame.iloc[kept], future])})
    decided = np.full(len(table), 2)
    listed = frame.iloc[kept]
    decided[kept] = listed["pred_id"] if form == "decisions" else listed.filter(like="prob_").to_numpy().argmax(axis=1)
    expected = pair_scores(decided, table.labels, ROLE_LABELS)
    assert record.metrics["test"]["pair_f1"] == expected["pair_f1"]
    assert math.isnan(record.metrics["test"]["pair_auprc"])
    submission = record.extra["submission"]["test"]
    assert submission["candidates_not_listed"] == len(table) - len(kept)
    first_is_pair, first = decided[kept[0]] == 0, table.dialogue_ids[kept[0]]
    assert submission["predicted_pairs_left_out"] == first_is_pair
    assert any("candidates are not in the file and count as non_pair" in note for note in submission["notes"])
    left_out = f"1 predicted pairs are no candidates; they are left out, for the list is fixed: (dialogue {first}, "
    assert any(note.startswith(left_out) for note in submission["notes"]) == first_is_pair
    again = read_predictions(tmp_path / "runs" / "mine" / "predictions_test.parquet")
    assert again.decisions_alone
    np.testing.assert_array_equal(again.decided, decided)


ECF = """\
1 2
(2,1),(2,2)
1 | A | neutral | The last train is gone . | Own_S1E1: 00:00:00.000 - 00:00:01.000
2 | B | anger | Not again ! | Own_S1E1: 00:00:01.000 - 00:00:02.000
2 1
(1,1)
1 | A | sadness | I lost my keys . | Own_S1E1: 00:00:03.000 - 00:00:04.000
"""


@pytest.mark.parametrize("origin", ["predicted", "gold"])
def test_a_list_of_pairs_is_a_row_of_data_with_the_scored_split_alone(tmp_path, origin):
    (tmp_path / "ecf").mkdir()
    (tmp_path / "ecf" / "test.txt").write_text(ECF, encoding="utf-8")
    pairs = pair_set(["1", "1", "9"], [2, 1, 1], [1, 1, 1], ["anger", "joy", "joy"])
    path = tmp_path / "theirs.json"
    write_semeval(path, pairs, [{"conversation_ID": number} for number in (1, 2, 9)], emotions=origin)
    submission = Submission("theirs", {"test": path}, tmp_path / "ecf", "ecf")
    record = write_submission(submission, tmp_path / "runs" / "theirs")
    assert record.metrics["test"]["confusion_matrix"] == [[1, 2], [1, 1]]
    assert record.candidates == "all"
    assert any("1 conversations" in note for note in record.extra["submission"]["test"]["notes"])
    assert set(record.structural_baselines) == {"all_non_pair", "self", "self_and_previous"}
    (board,) = leaderboard(index_runs(tmp_path / "runs").runs)
    assert len(board.trained) == 1
    undrawn(write_report)(index_runs(tmp_path / "runs"), tmp_path / "report.html", n_resamples=50)
    assert "theirs" in (tmp_path / "report.html").read_text(encoding="utf-8")
    # Its emotions travel with it, and so does their origin.
    of_run = tmp_path / "runs" / "theirs" / "predictions_test.parquet"
    request = FileEvaluationRequest(
        of_run, data_dir=tmp_path / "ecf", options=EvaluationOptions(definition="C", n_resamples=0)
    )
    evaluation = evaluate_files(request).evaluations[0]
    assert evaluation.signature.emotions == origin
    assert (evaluation.scores["n_correct"], evaluation.scores["n_predicted"]) == (1, 2)


OUTSIDE = {
    "future": ([(1, 2)], r"1 predicted pairs are no candidates\. .* 1 are of turns that exist: give --candidates all"),
    "no turn": ([(2, 9)], r"1 are of turns that do not exist, \(dialogue 1, target 2, cause 9\): no row can hold them"),
    "turn 0": ([(0, 1)], r"column target_turn: expected a turn number, counted from 1, found 0\."),
    "both": ([(1, 2), (9, 1)], r"2 predicted .* 1 are of turns that exist: .* 1 are of turns that do not exist"),
}


@pytest.mark.parametrize("candidates", ["past", "all"])
@pytest.mark.parametrize("case", OUTSIDE)
def test_wrong_pairs_outside_the_candidates_are_in_the_record_or_refused(tmp_path, case, candidates):
    """A record without them would score higher than the printed score of definition A, which counts them as wrong."""
    further, words = OUTSIDE[case]
    (tmp_path / "test.txt").write_text(ECF, encoding="utf-8")
    path = tmp_path / "theirs.csv"
    pairs = pd.DataFrame([(2, 1), *further], columns=["target_turn", "cause_turn"])
    pairs.assign(dialogue_id="1", pred_id=0).to_csv(path, index=False)
    submission = Submission("theirs", {"test": path}, tmp_path, "ecf", candidates=candidates)
    if candidates == "past" or case != "future":
        if candidates == "all":
            words = words.replace("2 predicted .* 1 are of turns that exist: .* 1 are", "1 predicted .* 1 are")
        with pytest.raises(IemomecpError, match=words):
            write_submission(submission, tmp_path / "run")
        assert not (tmp_path / "run").exists()
        return
    record = write_submission(submission, tmp_path / "run")
    options = EvaluationOptions(n_resamples=0)
    request = FileEvaluationRequest(
        path, data_dir=tmp_path, config_name="ecf", split="test", candidates=candidates, options=options
    )
    printed = evaluate_files(request).evaluations[0]
    assert printed.signature.definition == "A"
    assert record.metrics["test"]["pair_f1"] == printed.scores["pair_f1"]
    assert record.metrics["test"]["pair_precision"] == printed.scores["pair_precision"] == 1 / 2


def test_pairs_outside_the_candidates_that_are_not_predicted_are_no_matter(tmp_path):
    (tmp_path / "test.txt").write_text(ECF, encoding="utf-8")
    rows = [(2, 1, 0.9), (1, 2, 0.1), (2, 9, 0.1)]
    frame = pd.DataFrame(rows, columns=["target_turn", "cause_turn", "prob_pair"]).assign(dialogue_id="1")
    frame.assign(prob_non_pair=1 - frame["prob_pair"]).to_csv(tmp_path / "theirs.csv", index=False)
    submission = Submission("theirs", {"test": tmp_path / "theirs.csv"}, tmp_path, "ecf", candidates="past")
    record = write_submission(submission, tmp_path / "run")
    assert record.metrics["test"]["pair_precision"] == 1
    with pytest.raises(UsageError, match="2 predicted pairs are no candidates"):
        write_submission(dataclasses.replace(submission, threshold=0.05), tmp_path / "other")


@pytest.fixture(name="of_ours", scope="module")
def fixture_of_ours(tmp_path_factory, synthetic_dir):
    """Writes a predictions file as the trainers do, and gives its path."""
    corpus = load_corpus("3class", synthetic_dir, for_training=False)

    def write_file(split: str = "test", **changes) -> Path:
        folder = tmp_path_factory.mktemp("ours")
        labels = corpus.tables[split].labels
        probabilities = np.where(np.eye(3)[labels] == 1, 0.8, 0.1)
        stated = {name: changes.pop(name) for name in ("epoch_chosen_on", "evidence") if name in changes}
        write_run_predictions(
            folder, dataclasses.replace(corpus, **changes), split, probabilities, Decision(), **stated
        )
        return folder / f"predictions_{split}.parquet"

    return write_file


@pytest.mark.parametrize("epoch", ["test", "validation", None])
def test_the_split_of_the_epoch_stays_with_the_row(of_ours, synthetic_dir, tmp_path, epoch):
    path = of_ours(epoch_chosen_on=epoch)
    record = write_submission(Submission("x", {"test": path}, synthetic_dir, "3class"), tmp_path / "run")
    assert record.epoch_chosen_on == epoch
    written = tmp_path / "run" / "predictions_test.parquet"
    assert read_predictions(written).facts.epoch_chosen_on == epoch
    (printed,) = evaluate_files(
        FileEvaluationRequest(path, data_dir=synthetic_dir, options=EvaluationOptions(n_resamples=0))
    ).evaluations
    assert record.extra["signatures"]["test"] == str(printed.signature)
    (board,) = leaderboard(tmp_path / "run")
    assert board.trained[0].oracle("test") == (("epoch",) if epoch == "test" else ())


def test_files_that_state_other_splits_of_the_epoch_are_of_no_one_system(of_ours, synthetic_dir, tmp_path):
    files = {split: of_ours(split, epoch_chosen_on=split) for split in ("validation", "test")}
    with pytest.raises(
        InvalidDataError, match=r"different splits that the epoch was chosen on: validation in .*, test"
    ):
        write_submission(Submission("x", files, synthetic_dir, "3class", argmax=True), tmp_path / "run")


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"text_fingerprints": {"test": "0ther"}}, InvalidDataError, "made on texts with fingerprint 0ther"),
        ({"fingerprints": {"test": "0ther"}}, InvalidDataError, "made on data with fingerprint 0ther"),
        ({"evidence": "candidate removed"}, UsageError, r"evidence was removed \(candidate removed\)"),
    ],
)
def test_predictions_of_other_input_are_no_row_here(of_ours, synthetic_dir, tmp_path, changes, error, words):
    path = of_ours(**changes)
    with pytest.raises(error, match=words) as caught:
        write_submission(Submission("x", {"test": path}, synthetic_dir, "3class"), tmp_path / "run")
    assert str(path) in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_emotions_that_are_written_are_those_of_the_corpus(tmp_path, synthetic_dir):
    corpus = load_corpus("3class", synthetic_dir, for_training=False)
    probabilities = np.eye(3)[corpus.tables["test"].labels]
    emotions = np.full(len(probabilities), "hap")
    write_run_predictions(tmp_path, corpus, "test", probabilities, Decision(), emotions=emotions)
    read = read_predictions(tmp_path / "predictions_test.parquet")
    assert (set(read.emotions), read.facts.emotions) == ({"hap"}, "predicted")
    for wrong, words in (("joy", "'joy' is none of the corpus"), ("sad", "has the emotions 'hap' and 'sad'")):
        changed = emotions.copy()
        changed[-1] = wrong
        with pytest.raises(UsageError, match=words):
            write_run_predictions(tmp_path, corpus, "test", probabilities, Decision(), emotions=changed)
    with pytest.raises(UsageError, match="one emotion each"):
        write_run_predictions(tmp_path, corpus, "test", probabilities, Decision(), emotions=emotions[1:])


def spoilt(frame: pd.DataFrame, how: str) -> pd.DataFrame:
    first = frame.index[0]
    match how:
        case "repeated":
            return pd.concat([frame, frame.loc[[first]]])
        case "unknown":
            return frame.assign(dialogue_id=frame["dialogue_id"].mask(frame.index == first, "nobody"))
        case "nan":
            return frame.assign(prob_non_pair=frame["prob_non_pair"].mask(frame.index == first))
        case "sum":
            return frame.assign(prob_non_pair=frame["prob_non_pair"] + 1)
        case "classes":
            return frame.rename(columns={"prob_emo_context": "prob_neither"})
        case "both":
            return frame.assign(pred_id=0)
    raise AssertionError(how)


@pytest.mark.parametrize("how", ["repeated", "unknown", "nan", "sum", "classes", "both"])
def test_other_pairs_and_broken_numbers_leave_no_run(submit, frames, tmp_path, how):
    with pytest.raises(IemomecpError) as caught:
        submit({"test": spoilt(frames["test"], how)})
    assert "mine_test.csv" in str(caught.value)
    assert not (tmp_path / "runs" / "mine").exists()


def test_what_does_not_fit_together_is_said(submit, frames, synthetic_dir, tmp_path):
    decided = frames["test"][["dialogue_id", "target_turn", "cause_turn"]].assign(pred_id=2, pred="non_pair")
    decided.loc[decided.index[:2], ["pred_id", "pred"]] = 0, "emo_cause"
    with pytest.raises(InvalidDataError, match="in one form"):
        submit({"validation": frames["validation"], "test": decided})
    for change, message in (({"name": " "}, "a name"), ({"modalities": "x"}, "no modalities 'x'")):
        with pytest.raises(UsageError, match=message):
            submit({"test": frames["test"]}, **change)
    with pytest.raises(UsageError, match="validation or test, not for 'train'"):
        submit({"train": frames["test"]})
    with pytest.raises(UsageError, match="no prediction files"):
        submit({})
    submit({"test": frames["test"]})
    with pytest.raises(RunFolderError, match="is not empty"):
        submit({"test": frames["test"]})
    run_file = tmp_path / "runs" / "mine" / "predictions_test.parquet"
    wrong = Submission("x", {"validation": run_file}, synthetic_dir, "3class")
    with pytest.raises(UsageError, match="states that its split is test, but it was given as validation"):
        write_submission(wrong, tmp_path / "other")


@pytest.mark.slow
def test_the_documented_example_does_what_the_page_says(repository: Path, synthetic_dir: Path, tmp_path: Path):
    """Every code block of the page, in its order, in a folder that has the data under the name that the page uses."""
    (tmp_path / "local_data").symlink_to(synthetic_dir)
    (tmp_path / "scripts").symlink_to(repository / "scripts")
    page = (repository / "docs" / "bring-your-model.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```(python|sh)\n(.*?)^```", page, flags=re.M | re.S)
    assert [language for language, _ in blocks] == ["python", "sh", "sh"]
    said = ""
    for language, code in blocks:
        if language == "python":
            commands = [["-c", code]]
        else:
            commands = [shlex.split(line) for line in code.replace("\\\n", "").splitlines()]
            commands = [command[1:] for command in commands if command[0] == "python"]
        for command in commands:
            done = forked_python.run(*command, cwd=tmp_path)
            assert done.returncode == 0, done.stderr
            said += done.stdout
    assert "written: runs/shared-words, a run of shared words: Pair F1" in said
    assert "by a threshold (validation)" in said
    assert re.search(r"shared words T .*\n", said), "its row in the table that the report command prints"
    assert "shared words" in (tmp_path / "report.html").read_text(encoding="utf-8")
