"""An ensemble is a run like any other: scored from its own predictions, in a row of its own, compared and grouped."""

import errno
import json
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
import yaml
from tiny_pair_models import conversation, save_dialogue_model

from iemomecp_dataset.benchmark import comparison
from iemomecp_dataset.benchmark.board import leaderboard
from iemomecp_dataset.benchmark.comparison import compare
from iemomecp_dataset.benchmark.ensembles.making import EnsembleRequest, make_ensemble
from iemomecp_dataset.benchmark.ensembles.mixing import fitted_weights
from iemomecp_dataset.benchmark.runs.index import index_runs
from iemomecp_dataset.benchmark.runs.results import read_results, write_results
from iemomecp_dataset.commands import call
from iemomecp_dataset.errors import InvalidDataError, RunFolderError, UsageError
from iemomecp_dataset.files import file_digest, read_json
from iemomecp_dataset.metrics.evaluation.predictions import read_predictions
from iemomecp_dataset.metrics.scoring import pair_scores
from iemomecp_dataset.metrics.signature import Signature
from iemomecp_dataset.metrics.thresholds import bagged_threshold, best_threshold
from iemomecp_dataset.trainers import EmotionCausePipeline, load_scorer
from iemomecp_dataset.trainers.sharing.run_files import shared_files

SEEDS = (1, 2, 3)


@pytest.fixture
def runs(write_run, tmp_path, published_gold):
    for seed in range(1, 7):
        write_run(tmp_path / "runs" / f"base_{seed}", seed=seed, extra=published_gold())
    return tmp_path / "runs"


def members(runs, seeds=SEEDS):
    return [runs / f"base_{seed}" for seed in seeds]


def probabilities(folder, split):
    return read_predictions(folder / f"predictions_{split}.parquet").probabilities


def test_the_mean_is_scored_with_a_threshold_of_its_own(runs, tmp_path):
    record = make_ensemble(EnsembleRequest(members(runs), tmp_path / "mean"))
    for split in ("validation", "test"):
        expected = np.mean([probabilities(one, split) for one in members(runs)], axis=0)
        np.testing.assert_allclose(probabilities(tmp_path / "mean", split), expected, atol=1e-12)
    gold = read_predictions(tmp_path / "mean" / "predictions_validation.parquet")
    threshold, f1 = best_threshold(gold.probabilities, gold.labels)
    assert record.threshold == {"value": threshold, "chosen_on": "validation"}
    assert record.metrics["validation"]["pair_f1"] == pytest.approx(f1)
    test = read_predictions(tmp_path / "mean" / "predictions_test.parquet")
    assert test.threshold == threshold
    scores = pair_scores(test.probabilities, test.labels, test.class_names, threshold=threshold)
    assert record.metrics["test"]["pair_auprc"] == pytest.approx(scores["pair_auprc"])
    signature = Signature.parse(record.extra["signatures"]["test"])
    assert (signature.threshold, signature.threshold_chosen_on, signature.n_gold) == (threshold, "validation", 1873)
    first = read_results(members(runs)[0])
    assert record.structural_baselines == first.structural_baselines
    stated = record.extra["ensemble"]
    assert (stated["seeds"], stated["weights"]) == ([1, 2, 3], pytest.approx([1 / 3] * 3))
    assert [one["run_name"] for one in stated["members"]] == ["base_1", "base_2", "base_3"]
    assert stated["members"][0]["scores"]["test"]["pair_f1"] == first.metrics["test"]["pair_f1"]


def test_what_some_members_were_trained_with_is_stated_with_their_names(write_run, tmp_path):
    facts = {"weight": 1.0, "dialogues": 9, "data_fingerprint": "1", "text_fingerprint": "2"}
    for seed in SEEDS:
        mixed = {"trained_with": {"reccon": facts}} if seed == 3 else {}
        extra = {"remarks": ["Of all.", *(["Trained with reccon."] if mixed else [])]}
        write_run(tmp_path / f"base_{seed}", seed=seed, extra=extra, **mixed)
    record = make_ensemble(EnsembleRequest(members(tmp_path), tmp_path / "mean"))
    assert record.trained_with == {"reccon": facts}
    assert record.extra["remarks"][:2] == ["Of all.", "base_3: Trained with reccon."]


def test_what_members_began_with_is_stated_where_they_differ(write_run, tmp_path):
    origin = {"objective": "base", "config_name": "reccon", "system": "0a1b"}
    for seed in SEEDS:
        write_run(tmp_path / f"base_{seed}", seed=seed, **({} if seed == 3 else {"initialized_from": origin}))
    record = make_ensemble(EnsembleRequest(members(tmp_path), tmp_path / "mixed"))
    assert [one["initialized_from"] for one in record.extra["ensemble"]["members"]] == [origin, origin, {}]
    assert record.extra["remarks"][0] == (
        "Members began with different weights: base_1 with base on reccon (0a1b), base_2 with base on reccon (0a1b), "
        "base_3 with nothing."
    )
    alike = make_ensemble(EnsembleRequest(members(tmp_path, (1, 2)), tmp_path / "alike"))
    assert alike.initialized_from == origin
    assert not any("began" in text for text in alike.extra["remarks"])


def test_an_ensemble_of_one_fold_states_the_fold(write_run, tmp_path):
    options = {"config_name": "ecf", "folds": "runs/folds.json", "fold": 2}
    for seed in (1, 2):
        write_run(tmp_path / f"base_{seed}", seed=seed, extra={"part": "fold-2-of-5.0a1b"})
        further = {"train_with": ["reccon=data/reccon"]} if seed == 2 else {}
        (tmp_path / f"base_{seed}" / "config.yaml").write_text(json.dumps(options | further), encoding="utf-8")
    record = make_ensemble(EnsembleRequest(members(tmp_path, (1, 2)), tmp_path / "mean"))
    assert record.extra["part"] == "fold-2-of-5.0a1b"
    written = yaml.safe_load((tmp_path / "mean" / "config.yaml").read_text(encoding="utf-8"))
    expected = options | {"train_with": ["reccon=data/reccon"]}
    assert {name: written.get(name) for name in expected} == expected


def test_runs_with_a_threshold_for_each_fold_have_none_together(write_run, tmp_path):
    for seed in (1, 2):
        write_run(tmp_path / f"base_{seed}", seed=seed, splits=("test",), threshold={"value": None, "chosen_on": None})
    argmax = [read_results(tmp_path / f"base_{seed}") for seed in (1, 2)]
    assert make_ensemble(EnsembleRequest(members(tmp_path, (1, 2)), tmp_path / "argmax")).threshold["value"] is None
    for seed, record in zip((1, 2), argmax, strict=True):
        write_results(tmp_path / f"base_{seed}", replace(record, threshold={"value": None, "chosen_on": "folds"}))
    with pytest.raises(UsageError, match="each fold is decided by a threshold of its own"):
        make_ensemble(EnsembleRequest(members(tmp_path, (1, 2)), tmp_path / "mean"))


def test_weights_follow_their_runs_in_whatever_order_they_are_named(runs, tmp_path):
    given = [runs / f"base_{seed}" for seed in (3, 1, 2)]
    record = make_ensemble(EnsembleRequest(given, tmp_path / "weighted", weights=[6, 1, 3]))
    expected = sum(weight * probabilities(one, "test") for one, weight in zip(given, (0.6, 0.1, 0.3), strict=True))
    np.testing.assert_allclose(probabilities(tmp_path / "weighted", "test"), expected, atol=1e-12)
    assert record.extra["ensemble"]["weights"] == pytest.approx([0.1, 0.3, 0.6])
    assert record.settings["ensemble"] == "mean of 3 weighted 0.1 0.3 0.6"
    for name, order in (("one", given), ("other", given[::-1])):
        make_ensemble(EnsembleRequest(order, tmp_path / name))
    assert (probabilities(tmp_path / "one", "test") == probabilities(tmp_path / "other", "test")).all()


def test_weights_that_leave_one_run_are_refused(runs, tmp_path):
    with pytest.raises(UsageError, match="Only one of the weights is above 0"):
        make_ensemble(EnsembleRequest(members(runs), tmp_path / "one", weights=[0, 1, 0]))


def test_weights_are_fitted_on_validation_alone(runs, tmp_path):
    record = make_ensemble(EnsembleRequest(members(runs), tmp_path / "fitted", weighted_on="validation"))
    labels = read_predictions(members(runs)[0] / "predictions_validation.parquet").labels
    expected = fitted_weights([probabilities(one, "validation") for one in members(runs)], labels)
    assert record.extra["ensemble"]["weights"] == expected.tolist()
    assert record.settings["ensemble"] == "mean of 3 weighted on validation"
    with pytest.raises(UsageError, match="on validation alone, not on 'test'"):
        make_ensemble(EnsembleRequest(members(runs), tmp_path / "no", weighted_on="test"))
    with pytest.raises(UsageError, match="not both"):
        make_ensemble(EnsembleRequest(members(runs), tmp_path / "no", weighted_on="validation", weights=[1, 1, 1]))
    assert not (tmp_path / "no").exists()


def test_ensembles_of_one_system_are_seeds_of_a_row_of_their_own(runs, write_run, published_gold, monkeypatch):
    for seed in SEEDS:
        write_run(runs / f"rpcl_{seed}", objective="rpcl", seed=seed, quality=2.2, extra=published_gold())
    make_ensemble(EnsembleRequest(members(runs), runs / "mean_a"))
    make_ensemble(EnsembleRequest(members(runs, (4, 5, 6)), runs / "mean_b"))
    # Its first seed is that of another ensemble, and it repeats none.
    make_ensemble(EnsembleRequest(members(runs, (1, 4, 6)), runs / "mean_c"))
    make_ensemble(EnsembleRequest([runs / f"rpcl_{seed}" for seed in SEEDS], runs / "rpcl_mean"))
    make_ensemble(EnsembleRequest([runs / "base_1", runs / "rpcl_1"], runs / "both"))
    index = index_runs(runs)
    assert not index.unfinished
    (board,) = leaderboard(index.runs)
    rows = {row.name: [run.results.run_name for run in row.runs] for row in board.rows if row.kind == "trained"}
    assert rows == {
        "Base T": [f"base_{seed}" for seed in range(1, 7)],
        "Base T mean of 3": ["mean_a", "mean_c", "mean_b"],
        "RPCL T": [f"rpcl_{seed}" for seed in SEEDS],
        "RPCL T mean of 3": ["rpcl_mean"],
        "base+rpcl T mean of 2": ["both"],
    }
    assert [note for note in board.notes if "share members" in note] == [
        "Ensembles of Base T mean of 3 share members, so that the deviation over them is too small."
    ]
    found = compare(board, split="test", n_resamples=20).comparisons
    pairs = {frozenset((one.first, one.second)): one.seeds for one in found if one.metric == "pair_f1"}
    # Ensembles are paired by all of their seeds.
    assert pairs[frozenset(("RPCL T mean of 3", "Base T mean of 3"))] == 1
    assert pairs[frozenset(("RPCL T", "Base T"))] == 3
    assert pairs[frozenset(("Base T mean of 3", "Base T"))] == 0
    # Of many systems, each is compared with the Base of its kind: an ensemble with an ensemble.
    monkeypatch.setattr(comparison, "_MOST_PAIRS", 1)
    of_kind = {(one.first, one.second) for one in compare(board, split="test", n_resamples=20).comparisons}
    assert ("RPCL T mean of 3", "Base T mean of 3") in of_kind
    assert ("Base T mean of 3", "Base T") in of_kind
    assert ("RPCL T mean of 3", "Base T") not in of_kind


def test_members_that_decide_otherwise_keep_their_rule(write_run, tmp_path):
    for name, rule in (("argmax", {"value": None, "chosen_on": None}), ("fixed", {"value": 0.3, "chosen_on": "fixed"})):
        for seed in (1, 2):
            write_run(tmp_path / f"{name}_{seed}", seed=seed, threshold=rule)
        pair = [tmp_path / f"{name}_1", tmp_path / f"{name}_2"]
        assert make_ensemble(EnsembleRequest(pair, tmp_path / name)).threshold == rule
    record = make_ensemble(EnsembleRequest(pair, tmp_path / "given", threshold=0.4))
    assert record.threshold == {"value": 0.4, "chosen_on": "fixed"}


def test_the_threshold_may_be_chosen_by_another_rule(runs, tmp_path):
    record = make_ensemble(EnsembleRequest(members(runs), tmp_path / "bagged", threshold_rule="bagged"))
    stored = read_predictions(tmp_path / "bagged" / "predictions_validation.parquet")
    assert record.threshold["value"] == bagged_threshold(stored.probabilities, stored.labels, stored.dialogue_ids)
    assert record.settings["threshold_rule"] == "bagged"
    assert "threshold_rule: bagged" in (tmp_path / "bagged" / "config.yaml").read_text(encoding="utf-8")


def test_the_threshold_is_chosen_by_the_rule_of_the_members(write_run, tmp_path):
    for name, rule in (("bagged_1", "bagged"), ("bagged_2", "bagged"), ("best_3", "best"), ("earlier_4", None)):
        settings = {"learning_rate": 0.1} | ({"threshold_rule": rule} if rule else {})
        write_run(tmp_path / name, seed=int(name[-1]), settings=settings)
    bagged, best = ["bagged_1", "bagged_2"], ["best_3", "earlier_4"]
    record = make_ensemble(EnsembleRequest([tmp_path / one for one in bagged], tmp_path / "mean"))
    stored = read_predictions(tmp_path / "mean" / "predictions_validation.parquet")
    assert record.threshold["value"] == bagged_threshold(stored.probabilities, stored.labels, stored.dialogue_ids)
    assert record.settings["threshold_rule"] == "bagged"
    assert "threshold_rule: bagged" in (tmp_path / "mean" / "config.yaml").read_text(encoding="utf-8")
    assert (
        make_ensemble(EnsembleRequest([tmp_path / one for one in best], tmp_path / "best")).settings["threshold_rule"]
        == "best"
    )
    mixed = [tmp_path / one for one in (*bagged, *best)]
    with pytest.raises(UsageError, match=r"bagged_1 has chosen .* 'bagged', .*best_3 by 'best'. Say with --thres"):
        make_ensemble(EnsembleRequest(mixed, tmp_path / "mixed"))
    found = make_ensemble(EnsembleRequest(mixed, tmp_path / "mixed", threshold_rule="best"))
    assert found.settings["threshold_rule"] == "best"
    # Where no threshold is chosen there is no rule, neither asked for nor recorded.
    given = make_ensemble(EnsembleRequest([tmp_path / one for one in bagged], tmp_path / "given", threshold=0.4))
    assert "threshold_rule" not in given.settings
    with pytest.raises(UsageError, match=r"--threshold-rule best chooses a threshold, but --threshold 0\.4 is given"):
        make_ensemble(EnsembleRequest(mixed, tmp_path / "no", threshold=0.4, threshold_rule="best"))
    for seed in (5, 6):
        write_run(tmp_path / f"argmax_{seed}", seed=seed, threshold={"value": None, "chosen_on": None})
    argmax = [tmp_path / f"argmax_{seed}" for seed in (5, 6)]
    with pytest.raises(UsageError, match="but the runs decide without one"):
        make_ensemble(EnsembleRequest(argmax, tmp_path / "no", threshold_rule="bagged"))


def test_without_validation_a_threshold_has_to_be_given(write_run, tmp_path):
    rule = {"value": 0.3, "chosen_on": "train"}
    for seed in (1, 2):
        write_run(tmp_path / f"r{seed}", seed=seed, splits=("test",), threshold=rule)
    pair = [tmp_path / "r1", tmp_path / "r2"]
    with pytest.raises(
        UsageError, match=r"no predictions on validation, which the threshold is chosen on.*--threshold"
    ):
        make_ensemble(EnsembleRequest(pair, tmp_path / "mean"))
    assert make_ensemble(EnsembleRequest(pair, tmp_path / "mean", threshold=0.5)).metrics["test"]["pair_f1"] > 0


def test_a_folder_with_something_else_is_not_replaced(runs, tmp_path):
    request = EnsembleRequest(members(runs), tmp_path / "mean")
    first = make_ensemble(request)
    assert make_ensemble(request) == first  # the same again, whole
    with pytest.raises(RunFolderError, match="mean holds an ensemble of other runs"):
        make_ensemble(EnsembleRequest(members(runs, (1, 2)), tmp_path / "mean"))
    with pytest.raises(RunFolderError, match="mean holds an ensemble of these runs with other weights"):
        make_ensemble(EnsembleRequest(members(runs), tmp_path / "mean", weights=[1, 2, 3]))
    with pytest.raises(RunFolderError, match="base_4 is not empty and holds no ensemble"):
        make_ensemble(EnsembleRequest(members(runs), runs / "base_4"))
    with pytest.raises(UsageError, match="mean is an ensemble itself"):
        make_ensemble(EnsembleRequest([runs / "base_1", tmp_path / "mean"], tmp_path / "nested"))
    assert read_results(tmp_path / "mean") == first


def test_the_command_prints_members_beside_their_mean(runs, tmp_path, capsys):
    folders = [str(one) for one in members(runs)]
    call("ensemble", [*folders, "--output", str(tmp_path / "mean"), "--weights", "2", "1", "1"])
    printed = capsys.readouterr().out.splitlines()
    record = read_results(tmp_path / "mean")
    assert printed[0].startswith("Synthetic dialogues")
    assert [line.split()[0] for line in printed[2:5]] == ["base_1", "base_2", "base_3"]
    assert [line.split()[2] for line in printed[2:5]] == ["0.500", "0.250", "0.250"]
    of_members = [read_results(one).metrics["test"]["pair_f1"] for one in members(runs)]
    assert f"{100 * np.mean(of_members):.2f}" in printed[5]
    assert printed[5].startswith("mean of their scores")
    assert f"{100 * record.metrics['test']['pair_f1']:.2f}" in printed[6]
    assert "note: There is no model to predict with: base_1, base_2, base_3 have none." in printed
    with pytest.raises(UsageError, match="named twice"):
        call("ensemble", [*folders, folders[0], "--output", str(tmp_path / "other")])


def test_warnings_and_remarks_of_members_go_along(write_run, tmp_path):
    for seed in (1, 2):
        extra = {"leaks": ["A leak."], "remarks": ["A remark."], "warnings": [f"Diverged in epoch {seed}."]}
        write_run(tmp_path / f"r{seed}", seed=seed, extra=extra)
    make_ensemble(EnsembleRequest([tmp_path / "r1", tmp_path / "r2"], tmp_path / "mean"))
    record = json.loads((tmp_path / "mean" / "results.json").read_text(encoding="utf-8"))
    assert record["leaks"] == ["A leak."]
    assert record["remarks"][0] == "A remark."
    assert record["warnings"] == ["r1: Diverged in epoch 1.", "r2: Diverged in epoch 2."]


@pytest.mark.parametrize("link", [False, True])
def test_the_folder_of_an_ensemble_stands_alone(link, tmp_path, tiny_encoder, write_run):
    members = [tmp_path / f"run_{seed}" for seed in (1, 2)]
    for seed, one in enumerate(members, start=1):
        write_run(one, seed=seed)
        save_dialogue_model(
            one / "model", tiny_encoder, mode="frozen", hidden_size=8 * seed, longest_dialogue=19 + seed
        )
    record = make_ensemble(EnsembleRequest(members, tmp_path / "mean", weights=[1, 3], link=link))
    talk = conversation(4)
    each = [EmotionCausePipeline(one)(talk) for one in members]
    weights = tmp_path / "mean" / "model" / "member_2" / "model.safetensors"
    assert (weights.stat().st_nlink == 2) == link
    for one in members:
        shutil.rmtree(one)
    shutil.move(tmp_path / "mean", tmp_path / "moved")
    found = EmotionCausePipeline(tmp_path / "moved")(talk)
    np.testing.assert_allclose(
        found.pair_probabilities, 0.25 * each[0].pair_probabilities + 0.75 * each[1].pair_probabilities, atol=1e-6
    )
    assert found.decision.threshold == record.threshold["value"]
    config = read_json(tmp_path / "moved" / "model" / "config.json")
    # The shortest of theirs: they read the same windows.
    assert (config["text_encoder_name"], config["longest_dialogue"]) == (str(tiny_encoder), 20)
    digests = read_results(tmp_path / "moved").extra["weight_digests"]
    path = tmp_path / "moved" / "model" / "member_2" / "model.safetensors"
    assert digests["member_2/model.safetensors"] == file_digest(path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(InvalidDataError, match="is not what the run has written"):
        load_scorer(tmp_path / "moved")


def test_what_others_will_miss_is_that_of_the_members(write_run, tmp_path, tiny_encoder):
    copy = shutil.copytree(tiny_encoder, tmp_path / "copy")

    def uploaded(name, modes, encoders=(tiny_encoder, tiny_encoder), **asked):
        folders = [tmp_path / f"{name}_{seed}" for seed in (1, 2)]
        for seed, one in enumerate(folders, start=1):
            write_run(one, seed=seed)
            save_dialogue_model(one / "model", encoders[seed - 1], mode=modes[seed - 1])
        make_ensemble(EnsembleRequest(folders, tmp_path / name))
        config = read_json(tmp_path / name / "model" / "config.json")
        return shared_files(tmp_path / name, "me/mean", **asked), config["text_encoder_name"]

    shared, encoder = uploaded("trained", ("trained", "trained"))
    assert (shared.remarks, encoder) == ((), None)
    assert b"Not in this repository" not in shared.files["README.md"]
    shared, encoder = uploaded("mixed", ("trained", "frozen"), (copy, tiny_encoder))
    assert encoder == str(tiny_encoder)
    (remark,) = shared.remarks
    assert remark.startswith(f"The text encoder is named by the path {tiny_encoder}")
    shared, encoder = uploaded("two", ("frozen", "frozen"), (copy, tiny_encoder))
    assert (len(shared.remarks), encoder) == (2, None)
    assert "text_encoder=" not in "".join(shared.remarks), "one option cannot name two encoders"
    with pytest.raises(UsageError, match=r"names one model, and the members of .*two name 2 by local paths"):
        shared_files(tmp_path / "two", "me/mean", base_model="lab/minilm")
    shared, _ = uploaded("frozen", ("frozen", "frozen"), base_model="lab/minilm")
    assert shared.remarks == ()


def test_models_that_cannot_be_linked_are_said(write_run, tmp_path, tiny_encoder, monkeypatch):
    for seed in (1, 2):
        write_run(tmp_path / f"run_{seed}", seed=seed)
        save_dialogue_model(tmp_path / f"run_{seed}" / "model", tiny_encoder, mode="frozen")

    def link(*places, **options):
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", link)
    folders = [tmp_path / "run_1", tmp_path / "run_2"]
    with pytest.raises(UsageError, match="--link needs both on one file system"):
        make_ensemble(EnsembleRequest(folders, tmp_path / "mean", link=True))
    assert not (tmp_path / "mean").exists()


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("ensemble", 5, "ensemble is 5; expected an object"),
        ("seeds", [1, "x", 3], r"ensemble\.seeds\[1\] is 'x'; expected a whole number"),
        ("seeds", None, "ensemble.seeds is None; expected a list"),
        ("members", [1, 2, 3], r"ensemble\.members\[0\] is 1; expected an object"),
        ("weights", [0.5, None, 0.5], r"ensemble\.weights\[1\] is None; expected a number"),
    ],
)
def test_a_damaged_record_is_one_sentence(field, value, message, runs, tmp_path):
    make_ensemble(EnsembleRequest(members(runs), tmp_path / "mean"))
    path = tmp_path / "mean" / "results.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    record["ensemble"] = value if field == "ensemble" else {**record["ensemble"], field: value}
    path.write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(RunFolderError, match=message):
        read_results(tmp_path / "mean")


def test_probabilities_of_three_roles_are_averaged(write_run, tmp_path):
    folders = [tmp_path / "run_1", tmp_path / "run_2"]
    for seed, folder in enumerate(folders, start=1):
        write_run(folder, n_classes=3, seed=seed)
    record = make_ensemble(EnsembleRequest(folders, tmp_path / "mean", threshold_rule="expected_f1"))
    expected = (probabilities(folders[0], "test") + probabilities(folders[1], "test")) / 2
    np.testing.assert_allclose(probabilities(tmp_path / "mean", "test"), expected, atol=1e-12)
    assert record.metrics["test"]["emo_context_f1"] > 0
