"""Run folders made of emotions that other systems predicted."""

import json

import numpy as np
import pytest

from iemomecp_dataset.benchmark.runs.emotion_submission import write_emotion_submission
from iemomecp_dataset.benchmark.runs.results import ERC, read_results
from iemomecp_dataset.benchmark.runs.submission import Submission
from iemomecp_dataset.commands.evaluate import main
from iemomecp_dataset.corpus import load_corpus
from iemomecp_dataset.emotion_table import emotion_table
from iemomecp_dataset.errors import IemomecpError, RunFolderError
from iemomecp_dataset.metrics.emotion_scoring import emotion_scores
from iemomecp_dataset.metrics.evaluation.emotions.predictions import (
    EmotionFacts,
    emotions_file,
    read_emotion_predictions,
    write_emotion_predictions,
)
from iemomecp_dataset.schema import COMMON_EMOTIONS

NAMES = ("neutral", "joy", "surprise", "anger", "sadness", "disgust", "fear")
DIALOGUE = """\
{id} 3
(2,1)
1 | A | neutral | The last train is gone . | Own: 00:00:00.000 - 00:00:01.000
2 | B | anger | Not again , {id} times late ! | Own: 00:00:01.000 - 00:00:02.000
3 | A | joy | My sister drives us . | Own: 00:00:02.000 - 00:00:03.000
"""


@pytest.fixture(scope="module")
def ecf(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ecf")
    for split, ids in (("train", range(1, 5)), ("dev", range(5, 8)), ("test", range(8, 12))):
        (folder / f"{split}.txt").write_text("".join(DIALOGUE.format(id=i) for i in ids), encoding="utf-8")
    return folder


@pytest.fixture
def write(tmp_path, ecf):
    corpus = load_corpus("ecf", ecf)

    def one(split="test", rows=slice(None), **facts):
        table = emotion_table(corpus.rows[split])
        probabilities = np.random.default_rng(len(split)).dirichlet(np.ones(7), len(table))
        stated = {"corpus": "ecf", "config_name": "ecf", "split": split, "class_names": NAMES} | facts
        path = tmp_path / f"theirs_{split}.parquet"
        write_emotion_predictions(
            path, table.take(np.arange(len(table))[rows]), probabilities[rows], EmotionFacts(**stated)
        )
        return path

    return one


def submission(ecf, **files):
    return Submission(name="theirs", files=files, data_dir=ecf, config_name="ecf", seed=3, modalities="t")


def test_a_run_of_their_files_scores_what_the_files_score(write, ecf, tmp_path):
    pytest.importorskip("iemomecp_dataset.benchmark.runs.emotion_results")
    folder = tmp_path / "runs" / "theirs-3"
    paths = {
        split: write(split, rows=slice(None, None, -1), epoch_chosen_on="validation")
        for split in ("validation", "test")
    }
    record = write_emotion_submission(submission(ecf, **paths), folder)
    assert (record.task, record.scorer, record.objective, record.seed) == (ERC, "external", "theirs", 3)
    assert read_results(folder).metrics["test"]["weighted_f1"] == record.metrics["test"]["weighted_f1"]
    for split, path in paths.items():
        theirs, ours = read_emotion_predictions(path), read_emotion_predictions(emotions_file(folder, split))
        assert np.array_equal(ours.probabilities, theirs.probabilities[::-1])
        expected = emotion_scores(ours.probabilities, ours.table.labels, NAMES, neutral="neutral")
        assert record.metrics[split]["weighted_f1"] == expected["weighted_f1"]
        assert ours.facts.epoch_chosen_on == "validation"


def test_a_run_of_common_emotions_has_common_gold(ecf, tmp_path):
    table = emotion_table(load_corpus("ecf", ecf, emotions="common").rows["test"])
    right = np.eye(len(COMMON_EMOTIONS))[table.labels]
    facts = EmotionFacts(corpus="ecf", config_name="ecf", split="test", class_names=COMMON_EMOTIONS)
    path = tmp_path / "theirs_test.parquet"
    write_emotion_predictions(path, table, right, facts)
    record = write_emotion_submission(submission(ecf, test=path), tmp_path / "run")
    assert record.class_names == COMMON_EMOTIONS
    assert record.metrics["test"]["accuracy"] == 1


def test_the_command_makes_a_run_of_decisions_alone(ecf, tmp_path, capsys):
    pytest.importorskip("iemomecp_dataset.benchmark.runs.emotion_results")
    path = tmp_path / "theirs.csv"
    lines = [f"{d},{t},{'joy' if t == 3 else 'neutral'}" for d in range(8, 12) for t in (1, 2, 3)]
    path.write_text("\n".join(["dialogue_id,turn,prediction", *lines]), encoding="utf-8")
    where = ["--data-dir", str(ecf), "--config-name", "ecf", "--split", "test", "--resamples", "0"]
    main([str(path), *where, "--as-run", str(tmp_path / "run"), "--system", "rule"])
    assert "a run of rule: weighted F1 55.56 on test" in capsys.readouterr().out
    assert json.loads((tmp_path / "run" / "results.json").read_text())["submission"]["test"]["decisions_alone"]
    assert "ece" not in read_results(tmp_path / "run").metrics["test"], "calibration needs probabilities"
    assert read_emotion_predictions(emotions_file(tmp_path / "run", "test")).probabilities is None


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"rows": slice(1, None)}, "1 utterance missing"),
        ({"split": "validation"}, "states that its split is validation, but it was given as test"),
        ({"config_name": "mecad"}, "states that its configuration is mecad, but it was given as ecf"),
        ({"text_fingerprint": "0000"}, "made on texts with fingerprint 0000"),
    ],
)
def test_what_does_not_fit_writes_nothing(write, ecf, tmp_path, changed, words):
    facts = {key: value for key, value in changed.items() if key != "rows"}
    path = write(rows=changed.get("rows", slice(None)), **({} if "split" in facts else facts))
    if "split" in facts:
        path = write("validation").rename(path)
    with pytest.raises(IemomecpError, match=words):
        write_emotion_submission(submission(ecf, test=path), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_folder_with_files_is_left_alone(write, ecf, tmp_path):
    with pytest.raises(RunFolderError, match="not empty"):
        write_emotion_submission(submission(ecf, test=write()), tmp_path)
