"""Emotions files: ours, written and read; those of other systems, and what is wrong with them in one sentence."""

import numpy as np
import pytest

from iemomecp_dataset.emotion_table import NO_EMOTION, EmotionTable
from iemomecp_dataset.errors import IemomecpError, InvalidDataError, UsageError
from iemomecp_dataset.metrics.evaluation.emotions.predictions import (
    EmotionFacts,
    emotions_file,
    has_emotions,
    read_emotion_predictions,
    write_emotion_predictions,
)

NAMES = ("neutral", "joy", "surprise", "anger", "sadness", "disgust", "fear")  # of ecf, by id
TABLE = EmotionTable(
    dialogue_ids=np.array(["a", "a", "7"]),
    turns=np.array([1, 2, 1]),
    speakers=np.array(["A", "B", "A"]),
    labels=np.array([0, 3, NO_EMOTION]),
)
PROBABILITIES = np.random.default_rng(0).dirichlet(np.ones(7), 3)
FACTS = EmotionFacts(
    corpus="ecf",
    config_name="ecf",
    split="test",
    class_names=NAMES,
    epoch_chosen_on="validation",
    synthetic=True,
    cross_fitted_folds=5,
)


def write_csv(path, header, *rows):
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def test_what_was_written_is_read_to_the_last_bit(tmp_path):
    import pyarrow.parquet as pq

    path = emotions_file(tmp_path, "test")
    write_emotion_predictions(path, TABLE, PROBABILITIES, FACTS)
    assert path.name == "emotions_test.parquet"
    assert pq.read_schema(path).names == ["dialogue_id", "turn", "label", *(f"prob_{name}" for name in NAMES)]
    found = read_emotion_predictions(path)
    assert np.array_equal(found.probabilities, PROBABILITIES)
    assert np.array_equal(found.predicted, PROBABILITIES.argmax(axis=1))
    for column in ("dialogue_ids", "turns", "labels"):
        assert getattr(found.table, column).tolist() == getattr(TABLE, column).tolist()
    assert (found.facts, found.class_names, found.has_labels, found.notes) == (FACTS, NAMES, True, ())
    assert has_emotions(path)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("probabilities", [PROBABILITIES[:2], PROBABILITIES[:, :6]])
def test_a_file_that_does_not_fit_its_table_is_not_written(tmp_path, probabilities):
    with pytest.raises(UsageError, match=r"shape \(3, 7\)"):
        write_emotion_predictions(tmp_path / "x.parquet", TABLE, probabilities, FACTS)
    assert not list(tmp_path.iterdir())


def test_columns_in_another_order_are_matched_by_name(tmp_path):
    header = "dialogue_id,turn,gold_id," + ",".join(f"prob_{name}" for name in NAMES[::-1])
    path = write_csv(tmp_path / "theirs.csv", header, "1,1,1,0.4,0.1,0.1,0.1,0.1,0.1,0.1", "1,2,,0,0,0,0,0,1,0")
    found = read_emotion_predictions(path, config_name="ecf")
    assert found.predicted.tolist() == [NAMES.index("fear"), NAMES.index("joy")]
    assert found.table.labels.tolist() == [1, NO_EMOTION]
    assert found.table.dialogue_ids.tolist() == ["1", "1"]


def test_ids_of_a_file_that_states_its_order_are_read_in_that_order(tmp_path):
    path = tmp_path / "x.parquet"
    reversed_facts = EmotionFacts(class_names=NAMES[::-1], config_name="ecf")
    write_emotion_predictions(path, TABLE, PROBABILITIES, reversed_facts)
    found = read_emotion_predictions(path, config_name="ecf")
    assert found.class_names == NAMES
    assert found.table.labels.tolist() == [6, 3, NO_EMOTION]
    assert np.array_equal(found.probabilities, PROBABILITIES[:, ::-1])


@pytest.mark.parametrize("column", ["prediction", "pred_id"])
@pytest.mark.parametrize("values", [("joy", "fear"), (1, 6)])
def test_decisions_may_be_names_or_ids(tmp_path, column, values):
    path = write_csv(
        tmp_path / "x.csv", f"dialogue_id,turn,{column},speaker", f"1,1,{values[0]},A", f"1,2,{values[1]},"
    )
    found = read_emotion_predictions(path, config_name="ecf")
    assert found.predicted.tolist() == found.scored.tolist() == [1, 6]
    assert found.probabilities is None
    assert not found.has_labels
    assert found.table.speakers.tolist() == ["A", ""]


def test_probabilities_of_a_system_that_only_decides_have_no_calibration(tmp_path):
    path = tmp_path / "x.parquet"
    write_emotion_predictions(path, TABLE, np.eye(7)[[1, 2, 3]], EmotionFacts(class_names=NAMES, decisions_alone=True))
    found = read_emotion_predictions(path)
    assert found.probabilities is None
    assert found.scored.tolist() == [1, 2, 3]


def test_a_tie_in_the_probabilities_leaves_the_files_own_decision_standing_but_scores_the_first(tmp_path):
    header = "dialogue_id,turn,prediction," + ",".join(f"prob_{name}" for name in NAMES)
    path = write_csv(tmp_path / "x.csv", header, "1,1,joy,0.5,0.5,0,0,0,0,0")
    assert read_emotion_predictions(path, config_name="ecf").predicted.tolist() == [0]


PROBS = ",".join(f"prob_{name}" for name in NAMES)
WRONG = {
    "no turn": (("dialogue_id,prediction", "1,joy"), "no column for turn: .* one row per utterance"),
    "nothing predicted": (("dialogue_id,turn,label", "1,1,joy"), "there are no predictions"),
    "a word that is no emotion": (("dialogue_id,turn,prediction", "1,1,hapy"), "'hapy' is none of the emotions"),
    "an id that is none": (("dialogue_id,turn,prediction", "1,1,7"), "7 is not the id of an emotion; expected 0 to 6"),
    "a fraction": (("dialogue_id,turn,prediction", "1,1,0.5"), "the name or id of an emotion, found 0.5"),
    "truth values": (("dialogue_id,turn,prediction", "1,1,true"), "truth values"),
    "an empty prediction": (("dialogue_id,turn,prediction", "1,1,joy", "1,2,"), "row 1 has no prediction"),
    "an utterance twice": (
        ("dialogue_id,turn,prediction", "1,1,joy", "1,1,joy"),
        "turn 1 of dialogue 1 is given more than once; 1 utterances repeat",
    ),
    "turn 0": (("dialogue_id,turn,prediction", "1,0,joy"), "a turn number, counted from 1, found 0"),
    "another corpus's classes": (
        ("dialogue_id,turn,prob_hap,prob_sad", "1,1,0.5,0.5"),
        "its emotions are hap, sad; those of ecf are neutral, joy.* another corpus",
    ),
    "a class without column": (("dialogue_id,turn,prob_neutral,prob_joy", "1,1,0.5,0.5"), "prob_surprise, .* missing"),
    "logits": ((f"dialogue_id,turn,{PROBS}", "1,1,3,-1,0,0,0,0,0"), "probabilities of utterance 0 .* logits"),
    "a gap": ((f"dialogue_id,turn,{PROBS}", "1,1,,1,0,0,0,0,0"), r"1 of 1 utterances has no probabilities, row 0"),
    "decision against probabilities": (
        (f"dialogue_id,turn,prediction,{PROBS}", "1,1,joy,1,0,0,0,0,0,0"),
        "predicts joy and gives neutral a larger probability",
    ),
    "two splits": (("dialogue_id,turn,prediction,split", "1,1,joy,test", "2,1,joy,train"), "choose one with --split"),
    "no rows": (("dialogue_id,turn,prediction",), "holds no rows"),
}


@pytest.mark.parametrize("case", WRONG)
def test_every_problem_of_a_file_is_one_sentence(tmp_path, case):
    lines, words = WRONG[case]
    path = write_csv(tmp_path / "theirs.csv", *lines)
    with pytest.raises(IemomecpError, match=words) as refused:
        read_emotion_predictions(path, config_name="ecf")
    assert "theirs.csv" in str(refused.value)


def test_a_file_that_names_neither_configuration_nor_classes_is_refused(tmp_path):
    path = write_csv(tmp_path / "x.csv", "dialogue_id,turn,prediction", "1,1,joy")
    with pytest.raises(UsageError, match="add --config-name"):
        read_emotion_predictions(path)


def test_metadata_of_another_corpus_is_refused(tmp_path):
    path = tmp_path / "x.parquet"
    write_emotion_predictions(path, TABLE, PROBABILITIES, FACTS)
    with pytest.raises(InvalidDataError, match="those of mecad are neutral, happy"):
        read_emotion_predictions(path, config_name="mecad")


def test_one_split_or_run_is_taken_and_the_split_read_from_the_name(tmp_path):
    lines = ("dialogue_id,turn,prediction,split,run_name", "1,1,joy,dev,r", "2,1,fear,test,r", "3,1,fear,test,s")
    path = write_csv(tmp_path / "x.csv", *lines)
    found = read_emotion_predictions(path, config_name="ecf", split="validation")
    assert (found.table.dialogue_ids.tolist(), found.facts.split, found.facts.run_name) == (["1"], "validation", "r")
    assert len(read_emotion_predictions(path, config_name="ecf", split="test", run_name="s")) == 1
    named = write_csv(tmp_path / "emotions_test.csv", "dialogue_id,turn,prediction", "1,1,joy")
    assert read_emotion_predictions(named, config_name="ecf").facts.split == "test"


@pytest.mark.parametrize(
    ("name", "header", "expected"),
    [
        ("x.csv", "dialogue_id,turn,prediction", True),
        ("x.csv", '"dialogue_id","turn","prediction"', True),
        ("x.csv", "dialogue_id,target_turn,turn,cause_turn", False),
        ("x.csv", "dialogue_id,emotion_turn,candidate_turn", False),
        ("x.json", "dialogue_id,turn", False),
        ("x.parquet", "not Parquet", False),
    ],
)
def test_files_of_emotions_are_told_from_files_of_pairs(tmp_path, name, header, expected):
    assert has_emotions(write_csv(tmp_path / name, header)) == expected
    assert not has_emotions(tmp_path / f"absent{name}")
