"""Structural rows beside files of pairs: those of a leaderboard, on the same pairs, with tested differences."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from iemomecp_dataset.benchmark.baselines.rows_beside_pairs import rows_beside_pairs
from iemomecp_dataset.benchmark.baselines.structural import corpus_baselines
from iemomecp_dataset.corpus import load_corpus
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.metrics.evaluation.evaluate import FileEvaluationRequest, evaluate_files
from iemomecp_dataset.metrics.evaluation.results import EvaluationOptions
from iemomecp_dataset.metrics.evaluation.window import PairWindow
from iemomecp_dataset.metrics.scoring import pair_scores
from iemomecp_dataset.metrics.set_scores import pair_set, set_scores
from iemomecp_dataset.metrics.signature import Signature, check_comparable
from iemomecp_dataset.metrics.significance.bootstrap import paired_bootstrap
from iemomecp_dataset.metrics.significance.counts import candidate_unit_counts
from iemomecp_dataset.schema import ROLE_LABELS

FEW = EvaluationOptions(n_resamples=60)
DIALOGUE = """\
{id} 4
(2,1),(2,2),(3,4)
1 | A | neutral | The last train is gone . | Own_S1E1: 00:00:00.000 - 00:00:01.000
2 | B | anger | Not again , {id} times late ! | Own_S1E1: 00:00:01.000 - 00:00:02.000
3 | A | joy | My sister drives us . | Own_S1E1: 00:00:02.000 - 00:00:03.000
4 | B | neutral | She is here . | Own_S1E1: 00:00:03.000 - 00:00:04.000
"""


@pytest.fixture(scope="module")
def corpus(synthetic_dir):
    return load_corpus("3class", synthetic_dir)


@pytest.fixture(scope="module")
def ecf(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ecf")
    for split, ids in (("train", range(1, 7)), ("dev", range(7, 12))):
        (folder / f"{split}.txt").write_text("".join(DIALOGUE.format(id=i) for i in ids), encoding="utf-8")
    return folder


@pytest.fixture
def file_on(tmp_path, corpus):
    """A file on a split of the synthetic corpus; its probabilities are noise and some gold."""

    def write(split="test", **columns):
        table = corpus.tables[split]
        probabilities = 0.6 * np.random.default_rng(0).dirichlet([1, 1, 4], len(table)) + 0.4 * np.eye(3)[table.labels]
        keys = dict(zip(("dialogue_id", "target_turn", "cause_turn"), table.keys, strict=True))
        path = tmp_path / f"{split}.csv"
        frame = pd.DataFrame(keys | {f"prob_{name}": probabilities[:, i] for i, name in enumerate(ROLE_LABELS)})
        frame.assign(**columns).to_csv(path, index=False)
        return path

    return write


def beside(path, *, compare=None, **request):
    options = request.pop("options", FEW)
    result = evaluate_files(FileEvaluationRequest(path, **{"options": options} | request))
    return result, rows_beside_pairs(result, options, compare=compare)


def test_the_rows_are_those_of_a_record_and_their_signatures_compare_with_the_file(file_on, corpus, synthetic_dir):
    result, found = beside(file_on(), data_dir=synthetic_dir, config_name="3class", split="test")
    recorded = corpus_baselines(corpus)
    assert [row.key for row in found.rows] == list(recorded)
    assert not found.absent
    for row in found.rows:
        expected = recorded[row.key]
        assert (row.name, row.description) == (expected["display_name"], expected["description"])
        scores = {key: value for key, value in expected["splits"]["test"].items() if key in row.scores}
        assert {"pair_f1", "pair_auprc", "macro_f1", "emo_context_f1"} <= set(scores)
        assert row.scores == pytest.approx(dict(row.scores) | scores, nan_ok=True)
        signature = Signature.parse(row.signature)
        assert signature.threshold == expected["threshold"]
        check_comparable([result.evaluations[0].signature, signature])
    decisions = {row.key: row.decision for row in found.rows}
    assert decisions["self"] == "fixed rule"
    assert decisions["distance_only"].endswith("from train")
    assert decisions["emotion_x_distance"].endswith("from validation")
    assert found.own_decision == "most probable class (argmax)"
    (remark,) = [row.remark for row in found.rows if row.key == "distance_only"]
    by_distance = recorded["distance_only"]["by_distance"]
    assert remark.endswith(f"{', '.join(b for b, name in by_distance.items() if name == 'emo_cause')}.")


def test_differences_are_those_of_a_paired_bootstrap_over_source_dialogues(file_on, corpus, synthetic_dir):
    path = file_on()
    _, found = beside(path, data_dir=synthetic_dir, config_name="3class", split="test")
    table = corpus.tables["test"]
    probabilities = pd.read_csv(path)[[f"prob_{name}" for name in ROLE_LABELS]].to_numpy()
    decided = np.where((table.distances == 0) | (table.distances == 1), 0, 2)
    counts = [
        candidate_unit_counts([one], table.labels, table.source_dialogue_ids, ROLE_LABELS)[0]
        for one in (probabilities, decided)
    ]
    (row,) = [row for row in found.rows if row.key == "self_and_previous"]
    expected = paired_bootstrap(*counts, n_resamples=60)
    assert row.differences["pair_f1"] == expected["pair_f1"]
    assert row.differences["macro_f1"].low == pytest.approx(expected["macro_f1"].low)
    assert "pair_auprc" not in row.differences, "a rule ranks nothing"
    _, without = beside(
        path, data_dir=synthetic_dir, config_name="3class", split="test", options=replace(FEW, n_resamples=0)
    )
    assert [row.differences for row in without.rows] == [{}] * len(without.rows)


def test_a_file_that_is_its_own_gold_has_the_rows_that_fit_nothing(file_on, corpus):
    labels = corpus.tables["test"].labels
    _, found = beside(file_on(label=labels))
    assert [row.key for row in found.rows] == ["all_non_pair", "self", "self_and_previous", "published_distance_rule"]
    assert set(found.absent) == {"distance only", "emotion x distance"}
    assert all("--data-dir" in reason for reason in found.absent.values())
    (rule,) = [row for row in found.rows if row.key == "published_distance_rule"]
    reach = np.abs(corpus.tables["test"].distances)
    decided = np.where(reach <= 1, 0, np.where(reach <= 3, 1, 2))
    assert rule.scores["macro_f1"] == pair_scores(decided, labels, ROLE_LABELS)["macro_f1"]
    with pytest.raises(UsageError, match=r"There is no row 'distance only' to compare with: fitted on train: --data-"):
        beside(file_on(label=labels), compare="distance")


def test_an_upper_bound_is_no_bar_of_a_result_but_of_another_bound(file_on, synthetic_dir):
    data = {"data_dir": synthetic_dir, "config_name": "3class", "split": "validation"}
    path = file_on("validation")
    _, found = beside(path, **data)
    rows = {row.key: row for row in found.rows}
    assert set(rows["emotion_x_distance"].differences) <= {"pair_auprc", "macro_auprc"}
    assert "an upper bound" in rows["emotion_x_distance"].remark
    assert {"pair_f1", "pair_auprc"} <= set(rows["distance_only"].differences)
    with pytest.raises(
        UsageError, match=r"bound here.*threshold is from validation.*Compare with all .* distance only"
    ):
        beside(path, compare="emotion x distance", **data)
    _, bound = beside(path, validation=path, **data)
    rows = {row.key: row for row in bound.rows}
    assert "pair_f1" in rows["emotion_x_distance"].differences
    assert "an upper bound" not in rows["emotion_x_distance"].remark


def test_what_is_fitted_on_train_is_no_bar_there(file_on, synthetic_dir):
    _, found = beside(file_on("train"), data_dir=synthetic_dir, config_name="3class", split="train")
    rows = {row.key: row for row in found.rows}
    for key in ("distance_only", "emotion_x_distance"):
        assert not rows[key].differences
        assert "it is fitted on train, the split that is scored: an upper bound" in rows[key].remark
    assert "pair_f1" in rows["self_and_previous"].differences


def test_the_decision_rule_that_a_user_asks_for_is_the_files_alone(file_on, synthetic_dir):
    data = {"data_dir": synthetic_dir, "config_name": "3class", "split": "test"}
    _, usual = beside(file_on(), **data)
    for options in (replace(FEW, threshold=0.9), replace(FEW, argmax=True)):
        _, found = beside(file_on(), options=options, **data)
        assert [row.scores["pair_f1"] for row in found.rows] == [row.scores["pair_f1"] for row in usual.rows]
    _, windowed = beside(file_on(), options=replace(FEW, window=PairWindow(turns=0)), **data)
    scores = {row.key: row.scores for row in windowed.rows}
    assert scores["self"]["pair_recall"] == 1
    assert scores["self"]["n_pairs"] < usual.rows[0].scores["n_pairs"]


def as_list(path, pairs, ids=range(7, 12), turns=()):
    content = [
        {"conversation_ID": i, "conversation": [{"utterance_ID": t} for t in turns], "emotion-cause_pairs": pairs}
        for i in ids
    ]
    path.write_text(json.dumps(content))
    return path


def ecf_scores(decide):
    """Pair F1 of a rule on the five dialogues of the validation split, whose gold is known."""
    keys = [(str(i), t, c) for i in range(7, 12) for t in range(1, 5) for c in range(1, 5)]
    gold = [key for key in keys if key[1:] in ((2, 1), (2, 2), (3, 4))]
    predicted = [key for key in keys if decide(key[1] - key[2])]
    as_set = [pair_set(*map(list, zip(*rows, strict=True))) for rows in (predicted, gold)]
    return set_scores(*as_set)["pair_f1"]


def test_a_list_of_pairs_has_the_rows_as_lists(tmp_path, ecf):
    path = as_list(tmp_path / "p.json", [["2_anger", "1"], ["3_joy", "3"]])
    result, found = beside(path, data_dir=ecf, config_name="ecf", split="validation", compare="distance")
    rows = {row.key: row for row in found.rows}
    assert rows["self"].scores["pair_f1"] == pytest.approx(ecf_scores(lambda d: d == 0))
    assert rows["self_and_previous"].scores["pair_f1"] == pytest.approx(ecf_scores(lambda d: d in (0, 1)))
    assert rows["distance_only"].decision.endswith("from train")
    # The most probable class is non_pair at every distance; with the threshold of train it decides for 0 and 1.
    assert rows["distance_only"].scores["pair_f1"] == rows["self_and_previous"].scores["pair_f1"] > 0
    estimate = found.comparison.bootstrap["pair_f1"].estimate
    own = result.evaluations[0].scores["pair_f1"]
    assert estimate == pytest.approx(own - rows["distance_only"].scores["pair_f1"])
    assert found.own_decision == "listed pairs"
    for row in found.rows:
        if not Signature.parse(row.signature).oracle:
            check_comparable([result.evaluations[0].signature, Signature.parse(row.signature)])


def test_a_gold_file_gives_the_rows_that_fit_nothing_where_it_lists_utterances(tmp_path):
    pairs = [["2_anger", "1"], ["2_anger", "2"], ["3_joy", "4"]]
    path = as_list(tmp_path / "p.json", pairs[:1])
    gold = as_list(tmp_path / "gold.json", pairs, turns=(1, 2, 3, 4))
    _, found = beside(path, gold_file=gold)
    scores = {row.key: row.scores["pair_f1"] for row in found.rows}
    assert scores == pytest.approx(
        {
            "all_non_pair": 0,
            "self": ecf_scores(lambda d: d == 0),
            "self_and_previous": ecf_scores(lambda d: d in (0, 1)),
        }
    )
    _, bare = beside(path, gold_file=as_list(tmp_path / "bare.json", pairs))
    assert not bare.rows
    assert "does not list the utterances" in bare.absent["self + previous"]


@pytest.mark.parametrize("listed", [True, False])
def test_rows_predict_no_emotions(tmp_path, ecf, listed):
    path = as_list(tmp_path / "p.json", [["2_anger", "1"]])
    if not listed:
        path = tmp_path / "p.csv"
        frame = pd.DataFrame({"dialogue_id": range(7, 12), "target_turn": 2, "cause_turn": 1, "pred_id": 0})
        frame.assign(emotion="anger").to_csv(path, index=False)
    data = {"data_dir": ecf, "config_name": "ecf", "split": "validation"}
    _, found = beside(path, options=replace(FEW, definition="C"), **data)
    assert not found.rows
    assert {"self", "distance only"} <= set(found.absent)
    assert all("structural rows predict none" in reason for reason in found.absent.values())


def test_pairs_outside_the_candidates_make_sets_of_both(tmp_path, ecf):
    path = tmp_path / "p.csv"
    rows = [(i, 2, 1) for i in range(7, 12)] + [(7, 2, 9)]
    frame = pd.DataFrame(rows, columns=["dialogue_id", "target_turn", "cause_turn"]).assign(pred_id=0)
    frame.to_csv(path, index=False)
    result, found = beside(path, data_dir=ecf, config_name="ecf", split="validation")
    own = result.evaluations[0].scores["pair_f1"]
    assert own == pytest.approx(2 * 5 / (6 + 15))
    for row in found.rows:
        if "pair_f1" in row.differences:
            assert row.differences["pair_f1"].estimate == pytest.approx(own - row.scores["pair_f1"])


def test_a_corpus_without_train_has_the_rows_that_fit_nothing(tmp_path, ecf):
    (tmp_path / "dev.txt").write_text((ecf / "dev.txt").read_text(encoding="utf-8"), encoding="utf-8")
    path = as_list(tmp_path / "p.json", [["2_anger", "1"]])
    _, found = beside(path, data_dir=tmp_path, config_name="ecf", split="validation")
    assert [row.key for row in found.rows] == ["all_non_pair", "self", "self_and_previous"]
    assert found.absent["distance only"] == f"fitted on train, and {tmp_path} has no train split."


def test_without_scikit_learn_only_the_row_that_detects_emotions_is_absent(file_on, synthetic_dir, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.feature_extraction.text", None)
    _, found = beside(file_on(), data_dir=synthetic_dir, config_name="3class", split="test")
    assert found.rows[-1].key == "distance_only"
    assert list(found.absent) == ["emotion x distance"]
    assert "scikit-learn" in found.absent["emotion x distance"]


def test_a_further_split_is_beside_the_distance_rule_of_train_and_the_row_of_emotions_says_why_not(tmp_path):
    def turns(cause):
        spoken = [{"turn": t, "speaker": "AB"[t % 2], "utterance": f"Line {t} .", "emotion": "neutral"} for t in (1, 2)]
        spoken[1] |= {"emotion": "happiness", "expanded emotion cause evidence": [cause]}
        return spoken

    for split in ("train", "valid"):
        content = {f"{split}_{number}": [turns(1)] for number in range(4)}
        (tmp_path / f"dailydialog_{split}.json").write_text(json.dumps(content), encoding="utf-8")
    further = {f"Ses01_{number}": [turns(1 + number % 2)] for number in range(3)}
    (tmp_path / "iemocap_test.json").write_text(json.dumps(further), encoding="utf-8")
    path = tmp_path / "mine.csv"
    path.write_text("dialogue_id,target_turn,cause_turn,prob_pair\nSes01_0,2,1,0.9\n", encoding="utf-8")
    request = FileEvaluationRequest(
        path, data_dir=tmp_path, config_name="reccon", split="test_iemocap", options=replace(FEW, n_resamples=0)
    )
    found = rows_beside_pairs(evaluate_files(request), request.options)
    bar = next(row for row in found.rows if row.key == "distance_only")
    assert bar.decision.endswith("from train")
    assert bar.scores["pair_recall"] == pytest.approx(2 / 3), "train has causes one turn back alone"
    assert list(found.absent) == ["emotion x distance"]
    assert "test_iemocap has others than train" in found.absent["emotion x distance"]
