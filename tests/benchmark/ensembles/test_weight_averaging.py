"""Means of weights: exact, only of runs that began with one, and scored anew as the model itself predicts."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from corpus_files import ecf_text
from safetensors.torch import load_file, save_file
from tiny_pair_models import conversation, save_dialogue_model

from iemomecp_dataset.benchmark.ensembles import making
from iemomecp_dataset.benchmark.ensembles.making import EnsembleRequest, make_ensemble
from iemomecp_dataset.benchmark.ensembles.members import Member, read_members
from iemomecp_dataset.benchmark.ensembles.weight_averaging import averaged_weights, check_one_start, predicted_with
from iemomecp_dataset.benchmark.runs.results import write_results
from iemomecp_dataset.corpus import load_corpus
from iemomecp_dataset.errors import InvalidDataError, MissingDataError, UsageError
from iemomecp_dataset.folds import fold_corpus, make_folds, write_folds
from iemomecp_dataset.metrics.evaluation.predictions import predictions_file, read_predictions, write_predictions
from iemomecp_dataset.trainers import EmotionCausePipeline, predict
from iemomecp_dataset.trainers.options import TrainingOptions
from iemomecp_dataset.trainers.run import run
from iemomecp_dataset.trainers.whole_model import MODEL_DIGESTS, model_digests


def test_tensors_are_averaged_one_by_one(tmp_path):
    files = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    for number, file in enumerate(files, start=1):
        save_file({"w": torch.full((2, 2), float(number)), "places": torch.arange(3)}, file)
    found = averaged_weights(files, [0.25, 0.75])
    assert found["w"].tolist() == [[1.75, 1.75], [1.75, 1.75]]
    assert found["w"].dtype == torch.float32
    assert found["places"].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"w": torch.zeros(3)}, "w is not in both, or of another shape"),
        ({"w": torch.zeros(2), "more": torch.zeros(1)}, "more is not in both"),
        ({"w": torch.zeros(2), "places": torch.arange(2) + 1}, "places holds whole numbers that differ"),
    ],
)
def test_other_architectures_are_refused(other, message, tmp_path):
    save_file({"w": torch.zeros(2)} | ({"places": torch.arange(2)} if "places" in other else {}), tmp_path / "a")
    save_file(other, tmp_path / "b")
    with pytest.raises(InvalidDataError, match=message):
        averaged_weights([tmp_path / "a", tmp_path / "b"], [0.5, 0.5])


@pytest.fixture
def members_that(write_run, tmp_path, tiny_encoder):
    """Writes two runs, each with options, and reads them."""
    for name in ("start", "other_start"):
        save_dialogue_model(
            tmp_path / name / "model", tiny_encoder, mode="frozen", hidden_size=8 + 8 * (name == "start")
        )

    def make(*options, **changes):
        for seed, of_run in enumerate(options, start=1):
            folder = tmp_path / f"run_{seed}"
            write_run(folder, seed=seed, **(changes if seed == 2 else {}))
            save_dialogue_model(folder / "model", tiny_encoder, mode="frozen")
            start = f"init_from: {tmp_path / of_run}\n" if of_run else ""
            (folder / "config.yaml").write_text(f"seed: {seed}\n{start}", encoding="utf-8")
        return read_members([tmp_path / "run_1", tmp_path / "run_2"])

    return make


def test_runs_that_began_with_one_have_a_mean(members_that, tmp_path):
    assert check_one_start(members_that("start", "start")) == tmp_path / "start"


def test_a_copy_of_the_start_is_the_same_start(members_that, tmp_path):
    (tmp_path / "copy").symlink_to(tmp_path / "start")
    assert check_one_start(members_that("start", "copy/model"))


@pytest.mark.parametrize(
    ("options", "changes", "message"),
    [
        (("start", "other_start"), {}, r"began with .*start and .*run_2 with .*other_start"),
        (("start", ""), {}, r"run_2 began with weights of its own \(no --init_from\)"),
        (("start", "start"), {"settings": {"learning_rate": 0.1}}, "learning_rate is '0.0003' in the first and '0.1'"),
    ],
)
def test_weights_without_a_meaningful_mean_are_refused(options, changes, message, members_that):
    with pytest.raises(UsageError, match=message):
        check_one_start(members_that(*options, **changes))


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"average": "weights", "link": True}, "averaged weights are one model"),
        ({"average": "weights", "weighted_on": "validation"}, "--weighted-on fits the mean of probabilities"),
        ({"data_dir": "d"}, "--data-dir is for --average weights"),
    ],
)
def test_options_of_the_other_average_are_refused(asked, message, members_that, tmp_path):
    folders = [member.folder for member in members_that("start", "start")]
    with pytest.raises(UsageError, match=message):
        make_ensemble(EnsembleRequest(folders, tmp_path / "mean", **asked))
    with pytest.raises(MissingDataError, match=r"is not stated by the run. Give it with --data-dir"):
        make_ensemble(EnsembleRequest(folders, tmp_path / "mean", average="weights"))
    assert not (tmp_path / "mean").exists()


def test_a_damaged_file_is_not_averaged(members_that, tmp_path):
    members = members_that("start", "start")
    for member in members:
        digests = {MODEL_DIGESTS: model_digests(member.folder / "model")}
        write_results(member.folder / "results.json", replace(member.results, extra=digests))
    path = members[1].folder / "model" / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(InvalidDataError, match=r"run_2.*is not what the run has written"):
        make_ensemble(EnsembleRequest([one.folder for one in members], tmp_path / "mean", average="weights"))


def test_why_emotions_are_missing_is_said_of_either_mean(members_that, tmp_path, monkeypatch):
    members = members_that("start", "start")
    for member in members:
        stored = member.predictions["test"]
        file = predictions_file(member.folder, "test")
        joy = np.full(len(stored), "joy")
        write_predictions(file, stored.pairs, stored.probabilities, stored.facts, emotions=joy)
    of_first = {name: stored.probabilities for name, stored in members[0].predictions.items()}
    monkeypatch.setattr(making, "predicted_with", lambda *given: of_first)
    for average, said in (("probabilities", "no probabilities of them"), ("weights", "is scored on pairs alone")):
        request = EnsembleRequest([one.folder for one in members], tmp_path / average, average=average)
        (remark,) = (text for text in make_ensemble(request).extra["remarks"] if "emotions" in text)
        assert said in remark


def test_runs_of_a_fold_are_scored_on_that_fold(tmp_path, monkeypatch):
    data = tmp_path / "ecf"
    data.mkdir()
    for number, split in ((1, "train"), (11, "dev"), (13, "test")):
        text = "".join(ecf_text(place) for place in range(number, number + (6 if split == "train" else 1), 2))
        (data / f"{split}.txt").write_text(text, encoding="utf-8")
    corpus = load_corpus("ecf", data)
    folds = make_folds(corpus, 3)
    write_folds(tmp_path / "folds.json", folds)
    of_fold = fold_corpus(corpus, folds, 2)
    options = {"data_dir": str(data), "folds": str(tmp_path / "folds.json"), "fold": 2, "modalities": "t"}
    (tmp_path / "config.yaml").write_text(json.dumps(options), encoding="utf-8")
    results = SimpleNamespace(config_name="ecf", data_fingerprint=of_fold.fingerprints)
    member = Member(tmp_path, results, dict.fromkeys(("validation", "test")))
    given = {}

    def predicted(model, rows, **tables):
        given[len(given)] = [row["dialogue_id"] for row in rows]
        return [np.zeros((1, 2))]

    monkeypatch.setattr("iemomecp_dataset.trainers.inference.predict", predicted)
    assert list(predicted_with(tmp_path / "model", [member], None)) == ["validation", "test"]
    assert given[1] == [row["dialogue_id"] for row in of_fold.rows["test"]]
    assert {folds.fold_of[name] for name in given[1]} == {2}


@pytest.mark.slow
def test_averaged_weights_are_one_model_that_is_scored_anew(tmp_path, tiny_encoder):
    data = tmp_path / "ecf"
    data.mkdir()
    for number, split in ((1, "train"), (3, "dev"), (5, "test")):
        (data / f"{split}.txt").write_text(ecf_text(number), encoding="utf-8")

    def trained(seed, **options):
        given = {
            "data_dir": str(data), "config_name": "ecf", "text_encoder": str(tiny_encoder), "encoder_mode": "frozen",
            "hidden_size": 8, "num_heads": 2, "num_layers": 1, "pair_size": 4, "epochs": 1, "quiet": True,
            "learning_rate": 0.01, "seed": seed, "output_dir": str(tmp_path / f"run_{seed}"), **options,
        }  # fmt: skip
        run(TrainingOptions.from_flat(given))
        return tmp_path / f"run_{seed}"

    start = trained(0)
    members = [trained(seed, init_from=str(start)) for seed in (1, 2)]
    record = make_ensemble(EnsembleRequest(members, tmp_path / "soup", weights=[1, 3], average="weights"))
    own = load_file(tmp_path / "soup" / "model" / "model.safetensors")
    each = [load_file(one / "model" / "model.safetensors") for one in members]
    for name, tensor in own.items():
        torch.testing.assert_close(tensor, 0.25 * each[0][name] + 0.75 * each[1][name])
    corpus = load_corpus("ecf", data)
    for split in ("validation", "test"):
        stored = read_predictions(tmp_path / "soup" / f"predictions_{split}.parquet")
        of_model = np.concatenate(predict(tmp_path / "soup", corpus.rows[split]))
        np.testing.assert_allclose(stored.probabilities, of_model, atol=1e-6)
    assert record.settings["ensemble"] == "mean weights of 2 weighted 0.25 0.75"
    found = EmotionCausePipeline(tmp_path / "soup")(conversation(3))
    assert found.decision.threshold == record.threshold["value"]
    (data / "dev.txt").write_text(ecf_text(7), encoding="utf-8")
    with pytest.raises(UsageError, match="is not the data of the runs: validation has fingerprint"):
        make_ensemble(EnsembleRequest(members, tmp_path / "other", average="weights"))
