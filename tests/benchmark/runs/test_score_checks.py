"""No table shows a score that the run's own predictions contradict; a run that predicts one class is marked."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from explanation_cases import write_explanation_run
from quick_report import render_quickly

from iemomecp_dataset.benchmark.board import leaderboard
from iemomecp_dataset.benchmark.results_table import results_table
from iemomecp_dataset.benchmark.runs.index import index_runs
from iemomecp_dataset.metrics.signature import Signature, gold_fingerprint


def change_record(folder, *place, value):
    path = folder / "results.json"
    content = json.loads(path.read_text())
    within = content
    for name in place[:-1]:
        within = within.setdefault(name, {})
    within[place[-1]] = value
    path.write_text(json.dumps(content))


def change_predictions(folder, change, *, name="predictions_test.parquet", **facts):
    path = folder / name
    table = pq.read_table(path)
    stated = json.loads(table.schema.metadata[b"iemomecp"]) | facts
    changed = pa.Table.from_pandas(change(table.to_pandas()), preserve_index=False)
    pq.write_table(changed.replace_schema_metadata({"iemomecp": json.dumps(stated)}), path)


def with_first_label_changed(frame):
    frame.loc[0, "label"] = 1 - frame.loc[0, "label"]
    return frame


DAMAGES = {
    "pair_f1": (lambda f: change_record(f, "metrics", "test", "pair_f1", value=0.99), "the record has pair_f1 0.9900"),
    "recall": (lambda f: change_record(f, "metrics", "test", "pair_recall", value=0.99), "pair_recall 0.9900"),
    "auprc": (lambda f: change_record(f, "metrics", "test", "pair_auprc", value=0.99), "pair_auprc 0.9900"),
    "validation": (
        lambda f: change_record(f, "metrics", "validation", "pair_f1", value=0.99),
        "predictions_validation.parquet contradict each other on validation: the record has pair_f1 0.9900",
    ),
    "confusion": (lambda f: change_record(f, "metrics", "test", "confusion_matrix", value=[[1, 2], [3, 4]]), "confus"),
    "threshold": (lambda f: change_record(f, "threshold", "value", value=0.9), "the record 0.9000"),
    "data": (lambda f: change_record(f, "data_fingerprint", "test", value="c0ffee"), "the record of data c0ffee"),
    "cut": (lambda f: (f / "predictions_test.parquet").write_bytes(b"PAR1"), "cannot be read as Parquet"),
    "gold": (lambda f: change_predictions(f, with_first_label_changed), "the predictions give"),
    "rows": (lambda f: change_predictions(f, lambda frame: frame.iloc[:9]), "the file holds 9 pairs, the record count"),
    "split": (
        lambda f: shutil.copy(f / "predictions_validation.parquet", f / "predictions_test.parquet"),
        "the file holds predictions on validation",
    ),
    "missing": (lambda f: change_predictions(f, lambda frame: frame.assign(prob_pair=None)), "have no probabilities"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_contradicted_run_is_left_out_by_name_and_the_others_are_shown(tmp_path, write_run, name):
    damage, reason = DAMAGES[name]
    write_run(tmp_path / "good", n_dialogues=6)
    write_run(tmp_path / "bad", n_dialogues=6, objective="rpcl")
    damage(tmp_path / "bad")
    index = index_runs(tmp_path)
    assert [run.folder.name for run in index.runs] == ["good"]
    assert reason in index.unfinished[0].reason
    text = results_table(tmp_path)
    assert "RPCL T" not in text
    assert "left out: " in text
    assert reason in text


def test_the_page_and_the_leaderboard_say_what_is_left_out(tmp_path, write_run, caplog):
    write_run(tmp_path / "good", n_dialogues=6)
    write_run(tmp_path / "bad", n_dialogues=6, objective="rpcl")
    DAMAGES["pair_f1"][0](tmp_path / "bad")
    html = render_quickly(index_runs(tmp_path))
    assert '1 folder of runs is left out: <a href="#left-out">' in html
    assert "<code>bad</code>: results.json and predictions_test.parquet contradict each other" in html
    with caplog.at_level(logging.WARNING):
        (board,) = leaderboard(tmp_path)
    assert [row.name for row in board.trained] == ["Base T"]
    assert "contradict each other" in caplog.text


def test_scores_without_predictions_are_shown_and_named(tmp_path, write_run):
    write_run(tmp_path / "a", n_dialogues=6)
    (tmp_path / "a" / "predictions_test.parquet").unlink()
    index = index_runs(tmp_path)
    assert index.runs[0].folder.name == "a"
    assert index.remarks[0].startswith(f"not checked: {tmp_path / 'a' / 'predictions_test.parquet'} is not there")
    assert '<a href="#unchecked">' in render_quickly(index)


def test_rounding_in_the_last_digits_is_no_contradiction(tmp_path, write_run):
    record = write_run(tmp_path / "a", n_dialogues=6)
    change_record(tmp_path / "a", "metrics", "test", "pair_f1", value=record.metrics["test"]["pair_f1"] + 1e-9)
    change_record(tmp_path / "a", "metrics", "test", "score_of_a_later_version", value=7)
    assert index_runs(tmp_path).unfinished == ()


@pytest.mark.parametrize("definition", ["A", "F"])
def test_other_dialogues_than_the_signature_states_are_noticed(tmp_path, write_run, definition):
    write_run(tmp_path / "a", n_dialogues=6)
    frame = pq.read_table(tmp_path / "a" / "predictions_test.parquet").to_pandas()
    keys = [frame[name].to_numpy() for name in ("dialogue_id", "target_turn", "cause_turn")]
    gold = frame["label"].to_numpy() == 0
    data = gold_fingerprint(*keys, frame["label"]) if definition == "F" else gold_fingerprint(*(k[gold] for k in keys))
    signature = Signature(
        definition=definition, corpus="ecf", task="ecf", split="test", n_gold=int(gold.sum()),
        n_candidates=len(frame), n_missed=0, forward_pairs="all", emotions="none", threshold=None,
        threshold_chosen_on="none", data=data,
    )  # fmt: skip
    change_record(tmp_path / "a", "signatures", value={"test": str(signature)})
    assert index_runs(tmp_path).unfinished == ()
    write_run(tmp_path / "good", n_dialogues=6)
    change_predictions(tmp_path / "a", lambda frame: frame.assign(dialogue_id="x" + frame["dialogue_id"]))
    (found,) = index_runs(tmp_path).unfinished
    assert "are not those that the signature of the record states" in found.reason


def test_emotions_and_explanations_are_checked_too(tmp_path, write_emotion_run):
    write_emotion_run(tmp_path / "emotions")
    write_explanation_run(tmp_path / "explanations", str.lower)
    assert index_runs(tmp_path).unfinished == ()
    for name, score in (("emotions", "weighted_f1"), ("explanations", "content_cider")):
        change_record(tmp_path / name, "metrics", "test", score, value=0.123)
    write_emotion_run(tmp_path / "good")
    reasons = {run.folder.name: run.reason for run in index_runs(tmp_path).unfinished}
    assert "the record has weighted_f1 0.1230" in reasons["emotions"]
    assert "the record has content_cider 0.1230" in reasons["explanations"]


def test_a_run_that_predicts_one_class_or_diverged_is_marked(tmp_path, write_run, caplog):
    write_run(tmp_path / "fine", n_dialogues=6)
    warned = {"warnings": ["Its loss reached 1e+21 in epoch 3."]}
    write_run(tmp_path / "diverged", n_dialogues=6, objective="rpcl", extra=warned)
    write_run(tmp_path / "flat", n_dialogues=6, objective="cdmr", quality=0)
    for name in ("test", "validation"):
        file = f"predictions_{name}.parquet"
        change_predictions(tmp_path / "flat", lambda f: f.assign(prob_pair=0.0, prob_non_pair=1.0), name=file)
        frame = pq.read_table(tmp_path / "flat" / file).to_pandas()
        scores = _scores(frame)
        change_record(tmp_path / "flat", "metrics", name, value=scores)
    index = index_runs(tmp_path)
    assert index.unfinished == ()
    text = results_table(index.runs)
    marked = [line.split("[!]")[0].strip() for line in text.splitlines() if "[!]" in line and "T [!]" in line]
    assert len(marked) == 2
    assert "[!] diverged: Its loss reached 1e+21 in epoch 3." in text
    assert "[!] flat: It predicts non_pair for all" in text
    html = render_quickly(index)
    assert html.count('class="tag warned"') == 2 * 2  # two rows on two splits
    assert "[!] flat: It predicts non_pair for all" in html
    flat = next(run for run in index.runs if run.folder.name == "flat")
    told = tuple(f"{text} Train longer." for text in flat.warnings)
    change_record(tmp_path / "flat", "warnings", value=list(told))
    assert next(run for run in index_runs(tmp_path).runs if run.folder.name == "flat").warnings == told


def _scores(frame):
    from iemomecp_dataset.metrics.scoring import pair_scores

    probabilities = frame[["prob_pair", "prob_non_pair"]].to_numpy()
    return pair_scores(probabilities, frame["label"].to_numpy(), ["pair", "non_pair"], threshold=0.5)


def test_a_folder_that_cannot_be_looked_into_is_named(tmp_path, write_run, monkeypatch):
    import os

    write_run(tmp_path / "good", n_dialogues=6)
    (tmp_path / "locked").mkdir()
    scandir = os.scandir

    def refuse(path):
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    (found,) = index_runs(tmp_path).unfinished
    assert found.reason == f"{tmp_path / 'locked'} cannot be looked into: Permission denied."
