"""Prediction files of several origins."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from reader_case import ReaderCase

from iemomecp_dataset.errors import InvalidDataError, RunFolderError, UsageError
from iemomecp_dataset.metrics.evaluation.prediction_table import stated_columns
from iemomecp_dataset.metrics.evaluation.predictions import (
    PredictionFacts,
    read_candidate_predictions,
    read_predictions,
    split_of_file,
    write_predictions,
)
from iemomecp_dataset.pair_table import PairTable
from iemomecp_dataset.schema import PAIR_LABELS, ROLE_LABELS

OURS = pd.DataFrame(
    {
        "dialogue_id": ["Ses05F_x__c000", "Ses05F_x__c001"],
        "target_turn": [1, 1],
        "cause_turn": [1, 1],
        "label": [0, 1],
        "prob_pair": [0.75, 0.25],
        "prob_non_pair": [0.25, 0.75],
    }
)
ALONE = OURS.drop(columns="prob_non_pair")
ARTIFACT = pd.DataFrame(
    {
        "run_name": ["r", "r"],
        "split": ["valid", "valid"],
        "dialogue_id": ["7", "07"],
        "target_turn": [2, 1],
        "candidate_turn": [1, 1],
        "gold_id": [0, 2],
        "pred_id": [1, 2],
        "gold": ["emo_cause", "non_pair"],
        "pred": ["emo_context", "non_pair"],
    }
)
SCORES = pd.DataFrame(
    {
        "logit_emo_cause": [0.0, 0.0],
        "prob_non_pair": [0.2, 0.7],
        "prob_emo_cause": [0.3, 0.2],
        "prob_emo_context": [0.5, 0.1],
        "max_prob": [0.5, 0.7],
        "scored_by_model": [True, False],
    }
)


def write_parquet(path, frame, metadata=None):
    table = pa.Table.from_pandas(frame, preserve_index=False)
    if metadata is not None:
        table = table.replace_schema_metadata({b"iemomecp": json.dumps(metadata).encode()})
    pq.write_table(table, path)
    return path


def write_csv(path, frame):
    frame.to_csv(path, index=False)
    return path


class TestParquetPredictions(ReaderCase):
    of = read_candidate_predictions
    file = "predictions_test.parquet"
    is_text = False

    @pytest.fixture
    def content(self, tmp_path):
        return write_parquet(tmp_path / "good.parquet", OURS, {"class_names": list(PAIR_LABELS)}).read_bytes()


class TestPredictionsOfARun(TestParquetPredictions):
    of = read_predictions


class TestCsvPredictions(ReaderCase):
    of = read_candidate_predictions
    file = "x.csv"

    @pytest.fixture
    def content(self):
        return pd.concat([ARTIFACT, SCORES], axis=1).to_csv(index=False).encode()


def test_our_parquet_with_what_it_says_about_itself(tmp_path):
    metadata = {
        "corpus": "iemomecp",
        "config_name": "source_binary",
        "split": "test",
        "class_names": ["pair", "non_pair"],
        "threshold": 0.4,
        "threshold_chosen_on": "validation",
        "missed_positives": 3,
        "data_fingerprint": "abc",
        "synthetic": True,
        "definition": "F",
        "something_new": 1,
    }
    read = read_candidate_predictions(write_parquet(tmp_path / "predictions_test.parquet", OURS, metadata))
    assert read.class_names == PAIR_LABELS
    assert read.probabilities.tolist() == [[0.75, 0.25], [0.25, 0.75]]
    assert read.labels.tolist() == [0, 1]
    assert read.decisions is None
    assert read.pairs.source_dialogue_ids.tolist() == ["Ses05F_x", "Ses05F_x"]
    facts = read.facts
    assert (facts.threshold, facts.threshold_chosen_on, facts.missed_positives) == (0.4, "validation", 3)
    assert (facts.corpus, facts.split, facts.synthetic, facts.definition) == ("iemomecp", "test", True, "F")


FACTS = PredictionFacts(
    corpus="ecf",
    config_name="ecf",
    split="test",
    class_names=PAIR_LABELS,
    threshold=0.4,
    threshold_chosen_on="validation",
    missed_positives=3,
    data_fingerprint="abc",
    synthetic=True,
    definition="A",
    candidates="past",
    run_name="run",
    decisions_alone=False,
)


def test_what_is_written_is_read_back_by_both_readers(tmp_path):
    path = tmp_path / "predictions_test.parquet"
    table = PairTable(
        dialogue_ids=np.array(["7", "07"]),
        source_dialogue_ids=np.array(["7", "7"]),
        target_turns=np.array([2, 1]),
        cause_turns=np.array([1, 1]),
        labels=np.array([0, 1]),
        missed_positives=3,
    )
    probabilities = np.array([[0.1 + 0.2, 0.7], [0.25, 0.75]])
    write_predictions(path, table, probabilities, FACTS)
    assert [child.name for child in tmp_path.iterdir()] == [path.name], "nothing partial stays behind"
    of_run, of_file = read_predictions(path), read_candidate_predictions(path)
    assert of_run.facts == of_file.facts == FACTS
    assert of_run.pairs.same_pairs(table)
    assert of_run.pairs.source_dialogue_ids.tolist() == of_file.pairs.source_dialogue_ids.tolist() == ["7", "7"]
    assert of_run.missed_positives == 3
    assert of_run.probabilities.tolist() == of_file.probabilities.tolist() == probabilities.tolist()
    assert of_run.decided.tolist() == [1, 1]
    with pytest.raises(UsageError, match="2 columns of probabilities"):
        write_predictions(path, table, probabilities, replace(FACTS, class_names=None))


@pytest.mark.parametrize("stored", ['{"thresh', "[1]"])
def test_metadata_that_is_not_an_object_is_refused(tmp_path, stored):
    table = pa.Table.from_pandas(OURS, preserve_index=False).replace_schema_metadata({b"iemomecp": stored.encode()})
    pq.write_table(table, tmp_path / "p.parquet")
    with pytest.raises(InvalidDataError, match="its metadata under 'iemomecp' is not valid JSON"):
        read_candidate_predictions(tmp_path / "p.parquet")
    with pytest.raises(RunFolderError, match="Repeat the run"):
        read_predictions(tmp_path / "p.parquet")


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (OURS.drop(columns="label"), "lacks the column label"),
        (OURS.drop(columns="prob_non_pair"), "prob_non_pair are missing"),
        (OURS.assign(prob_pair=[np.nan, 0.5]), r"1 of 2 pairs has no probabilities, row 0 .dialogue 'Ses05"),
        (OURS.drop(columns=["prob_pair", "prob_non_pair"]).assign(pred_id=[0, 1]), "no probabilities in any column"),
    ],
)
def test_a_file_of_a_run_has_gold_and_probabilities(tmp_path, frame, words):
    path = write_parquet(tmp_path / "predictions_test.parquet", frame, {"class_names": list(PAIR_LABELS)})
    with pytest.raises(RunFolderError, match=words):
        read_predictions(path)


def test_parquet_of_others_needs_no_metadata(tmp_path):
    read = read_candidate_predictions(write_parquet(tmp_path / "x.parquet", OURS.assign(source_dialogue_id=["a", "b"])))
    assert read.pairs.source_dialogue_ids.tolist() == ["a", "b"]
    assert read.facts.threshold is None


def test_artifact_csv_without_scores(tmp_path):
    read = read_candidate_predictions(write_csv(tmp_path / "p.csv", ARTIFACT))
    assert read.class_names == ROLE_LABELS
    assert read.pairs.dialogue_ids.tolist() == ["7", "07"]
    assert read.pairs.cause_turns.tolist() == [1, 1]
    assert (read.labels.tolist(), read.decisions.tolist()) == ([0, 2], [1, 2])
    assert read.probabilities is None
    assert (read.facts.split, read.facts.run_name) == ("validation", "r")


def test_artifact_csv_with_scores_finds_columns_by_class_name(tmp_path):
    read = read_candidate_predictions(write_csv(tmp_path / "p.csv", pd.concat([ARTIFACT, SCORES], axis=1)))
    assert read.probabilities.tolist() == [[0.3, 0.5, 0.2], [0.2, 0.1, 0.7]]
    assert read.n_unscored == 1


def test_rows_without_scores_leave_the_file_unranked_and_counted(tmp_path):
    scores = SCORES.drop(columns="scored_by_model")
    scores.loc[1, ["prob_non_pair", "prob_emo_cause", "prob_emo_context"]] = np.nan
    read = read_candidate_predictions(write_csv(tmp_path / "p.csv", pd.concat([ARTIFACT, scores], axis=1)))
    assert read.probabilities is None
    assert read.n_unscored == 1
    assert read.decisions.tolist() == [1, 2]


def test_csv_scores_keep_every_digit(tmp_path):
    value = 0.1 + 0.2
    frame = OURS.assign(prob_pair=[value, 0.25], prob_non_pair=[1 - value, 0.75])
    assert read_candidate_predictions(write_csv(tmp_path / "p.csv", frame)).probabilities[0, 0] == value


@pytest.mark.parametrize("name", ["dev.parquet", "dev.PARQUET", "dev.csv", "dev.CSV", "dev.tsv", "dev.TSV"])
def test_formats_are_told_by_suffixes_in_any_case(tmp_path, name):
    separator = "\t" if "tsv" in name.lower() else ","
    if "parquet" in name.lower():
        write_parquet(tmp_path / name, OURS)
    else:
        OURS.to_csv(tmp_path / name, index=False, sep=separator)
    read = read_candidate_predictions(tmp_path / name)
    assert read.pairs.dialogue_ids.tolist() == OURS["dialogue_id"].tolist()
    assert read.probabilities.tolist() == OURS[["prob_pair", "prob_non_pair"]].to_numpy().tolist()
    assert split_of_file(tmp_path / name) == "validation"
    assert stated_columns(tmp_path / name) == list(OURS)


@pytest.mark.parametrize("content", [b"", b"\xff,\xfe\n", b"PAR1"])
def test_columns_that_cannot_be_read_are_none(tmp_path, content):
    for name in ("p.csv", "p.parquet", "p.json", "p.tsv"):
        (tmp_path / name).write_bytes(content)
        assert stated_columns(tmp_path / name) == (
            ["PAR1"] if content == b"PAR1" and name[-3:] in ("csv", "tsv") else []
        )
    assert stated_columns(tmp_path / "absent.csv") == []


def test_the_probability_of_a_pair_is_enough_of_two_classes(tmp_path):
    read = read_candidate_predictions(write_csv(tmp_path / "p.csv", ALONE))
    assert read.class_names == PAIR_LABELS
    assert read.probabilities.tolist() == [[0.75, 0.25], [0.25, 0.75]]
    assert read.notes == ("The file has prob_pair alone; prob_non_pair is taken as 1 - prob_pair.",)
    assert read_candidate_predictions(write_csv(tmp_path / "q.csv", OURS)).notes == ()
    gap = ALONE.assign(prob_pair=[0.75, np.nan], pred_id=[0, 1])
    assert read_candidate_predictions(write_csv(tmp_path / "r.csv", gap)).n_unscored == 1


def test_one_split_and_run_is_chosen_by_any_of_its_names(tmp_path):
    path = write_csv(tmp_path / "p.csv", pd.concat([ARTIFACT, ARTIFACT.assign(split="test", run_name="s")]))
    with pytest.raises(UsageError, match=r"2 values of split \(test, valid\); choose one with --split"):
        read_candidate_predictions(path)
    assert len(read_candidate_predictions(path, split="validation")) == 2
    with pytest.raises(UsageError, match="no split 'train'"):
        read_candidate_predictions(path, split="train")
    two_runs = write_csv(tmp_path / "q.csv", pd.concat([ARTIFACT, ARTIFACT.assign(run_name="s")]))
    with pytest.raises(UsageError, match="choose one with --run-name"):
        read_candidate_predictions(two_runs)
    assert read_candidate_predictions(two_runs, run_name="s").facts.run_name == "s"


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (OURS.drop(columns="target_turn"), "no column for target_turn .*target_emotion_turn"),
        (OURS.drop(columns="prob_pair"), "the columns prob_pair are missing"),
        (
            OURS.drop(columns="prob_non_pair").assign(prob_pair=[0.5, 1.5]),
            "row 1, column prob_pair: 1.5 is not between",
        ),
        (ALONE.assign(prob_pair=[-1, 0]), "row 0, column prob_pair: -1 is not between"),
        (ALONE.assign(prob_pair=[True, False]), "column prob_pair has truth values"),
        (OURS.drop(columns=["prob_pair", "prob_non_pair"]), "its classes are not named"),
        (OURS.assign(target_turn=[1.5, 1]), "row 0, column target_turn: expected a turn number"),
        (OURS.assign(target_turn=["one", "1"]), "row 0, column target_turn"),
        (OURS.assign(label=[0, 2]), "row 1, column label: 2 is not a class id"),
        (OURS.assign(prob_pair=["a", "b"]), "must hold numbers"),
        (OURS[:0], "holds no rows"),
        (ARTIFACT.drop(columns="pred_id"), "there are no predictions"),
    ],
)
def test_other_columns_are_refused_by_place(tmp_path, frame, words):
    if "one" in str(frame.get("target_turn", "")) or ("prob_pair" in frame and frame["prob_pair"].dtype == object):
        path = write_csv(tmp_path / "p.csv", frame)
    else:
        path = write_parquet(tmp_path / "p.parquet", frame)
    with pytest.raises(InvalidDataError, match=words):
        read_candidate_predictions(path)


NOTHING = ARTIFACT.drop(columns=["gold_id", "gold"]).assign(pred="non_pair")


def test_a_system_that_finds_nothing_is_read_with_every_class_of_its_task(tmp_path):
    roles = write_csv(tmp_path / "roles.csv", NOTHING.assign(pred_id=2))
    pairs = write_csv(tmp_path / "pairs.csv", NOTHING.assign(pred_id=1))
    for path, names in ((roles, ROLE_LABELS), (pairs, PAIR_LABELS)):
        read = read_candidate_predictions(path)
        assert read.class_names == names
        assert read.decisions.tolist() == [len(names) - 1] * 2
    assert read_candidate_predictions(roles, config_name="3class").class_names == ROLE_LABELS
    # Not even names are needed where the configuration is known, from the caller or from the file itself.
    bare = NOTHING.assign(pred_id=2).drop(columns="pred")
    with pytest.raises(InvalidDataError, match=r"its classes are not named.*--config-name"):
        read_candidate_predictions(write_csv(tmp_path / "bare.csv", bare))
    assert read_candidate_predictions(tmp_path / "bare.csv", config_name="3class").class_names == ROLE_LABELS
    said = write_parquet(tmp_path / "said.parquet", bare, {"config_name": "3class"})
    assert read_candidate_predictions(said).class_names == ROLE_LABELS


@pytest.mark.parametrize("config_name", [None, "3class"])
def test_names_and_ids_of_classes_must_agree(tmp_path, config_name):
    path = write_csv(tmp_path / "p.csv", ARTIFACT.assign(pred_id=[1, 0]))
    with pytest.raises(InvalidDataError, match="row 1: column pred_id has 0, which is emo_cause, and column pred has"):
        read_candidate_predictions(path, config_name=config_name)


def test_two_classes_of_other_names_are_read_in_column_order(tmp_path):
    frame = OURS.rename(columns={"prob_pair": "prob_yes", "prob_non_pair": "prob_no"})
    assert read_candidate_predictions(write_parquet(tmp_path / "p.parquet", frame)).class_names == ("yes", "no")


def test_files_of_other_formats_are_refused(tmp_path):
    (tmp_path / "p.txt").write_text("")
    with pytest.raises(UsageError, match=r"\.parquet, \.csv, \.tsv and \.json"):
        read_candidate_predictions(tmp_path / "p.txt")


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (OURS.assign(label=[True, False]), "the column label has truth values"),
        (OURS.assign(prob_pair=[True, False]), "the column prob_pair has truth values"),
        (OURS.assign(target_turn=[True, True]), "the column target_turn has truth values"),
        (OURS.assign(pred_id=[True, None]), "the column pred_id has truth values"),
        *(
            (OURS.assign(**{column: pd.array([True, gap], dtype="boolean")}), f"column {column} has truth values")
            for column in ("label", "pred_id", "prob_pair", "target_turn", "cause_turn")
            for gap in (False, None)
        ),
        (OURS.assign(dialogue_id=["a", None]), "row 1, column dialogue_id: there is no id"),
        (OURS.assign(target_turn=[1e18, 1]), "row 0, column target_turn: expected a turn number"),
        (OURS.assign(target_turn=[1, 0]), "row 1, column target_turn: expected a turn number, counted from 1"),
        (OURS.assign(cause_turn=[-1, 0]), r"row 0, column cause_turn: expected .* found .*-1.*2 such rows"),
        (OURS.assign(scored_by_model=["yes", "perhaps"]), "row 1, column scored_by_model"),
        (OURS.assign(dialogue_id="a", emotion=["joy", "fear"]), "row 1, column emotion: target 1 of dialogue a"),
    ],
)
@pytest.mark.parametrize("write", [write_parquet, write_csv])
def test_values_of_another_kind_are_refused_by_column(tmp_path, write, frame, words):
    path = tmp_path / ("p.csv" if write is write_csv else "p.parquet")
    with pytest.raises(InvalidDataError, match=words):
        read_candidate_predictions(write(path, frame))


def test_emotions_are_names(tmp_path):
    with pytest.raises(InvalidDataError, match="the column emotion must hold names"):
        read_candidate_predictions(write_parquet(tmp_path / "p.parquet", OURS.assign(emotion=[1, 2])))


def test_text_that_is_not_utf8_and_columns_given_twice_are_refused(tmp_path):
    text = OURS.assign(scored_by_model="true").to_csv(index=False).encode()
    (tmp_path / "p.csv").write_bytes(text.replace(b"true", b"tr\xffe", 1))
    with pytest.raises(InvalidDataError, match="the column scored_by_model is not UTF-8"):
        read_candidate_predictions(tmp_path / "p.csv")
    (tmp_path / "q.csv").write_bytes(text.replace(b"scored_by_model", b"label", 1))
    with pytest.raises(InvalidDataError, match="the column label occurs twice"):
        read_candidate_predictions(tmp_path / "q.csv")


@pytest.mark.parametrize(
    "stated", [{"threshold": "0.4"}, {"missed_positives": -1}, {"class_names": "pair"}, {"emotions": "mine"}]
)
def test_metadata_of_another_type_is_refused(tmp_path, stated):
    with pytest.raises(InvalidDataError, match=f"{next(iter(stated))} is "):
        read_candidate_predictions(write_parquet(tmp_path / "p.parquet", OURS, stated))


def run_table():
    ids = np.array(["7", "7", "7"])
    return PairTable(ids, ids, np.array([1, 1, 2]), np.array([1, 2, 1]), labels=np.array([0, 1, 1]))


def test_emotions_are_written_and_read_back_with_their_origin(tmp_path):
    path = tmp_path / "predictions_test.parquet"
    certain, emotions = np.eye(2)[[0, 1, 1]], np.array(["joy", "joy", ""])
    for origin in ("predicted", "gold"):
        write_predictions(path, run_table(), certain, replace(FACTS, emotions=origin), emotions)
        for read in (read_candidate_predictions(path), read_predictions(path)):
            assert read.emotions.tolist() == emotions.tolist()
            assert read.facts.emotions == origin
    write_predictions(path, run_table(), certain, FACTS)
    assert read_candidate_predictions(path).emotions is None


def test_decisions_alone_stay_decisions_on_every_reading(tmp_path):
    path = tmp_path / "predictions_test.parquet"
    decided = [0, 1, 0]
    write_predictions(path, run_table(), np.eye(2)[decided], replace(FACTS, decisions_alone=True, threshold=0.0))
    of_file, of_run = read_candidate_predictions(path), read_predictions(path)
    assert of_file.probabilities is None
    assert of_file.decisions.tolist() == of_run.decided.tolist() == decided
    assert of_run.probabilities.tolist() == np.eye(2)[decided].tolist()


def test_a_list_of_pairs_becomes_decisions(tmp_path):
    path = tmp_path / "p.json"
    pairs = [["2_joy", "1"], ["2_joy", "2"], ["1_fear", "1"]]
    content = [{"conversation_ID": 7, "emotion-cause_pairs": pairs}, {"conversation_ID": 8, "emotion-cause_pairs": []}]
    path.write_text(json.dumps(content))
    read = read_candidate_predictions(path, config_name="ecf")
    assert list(zip(*(values.tolist() for values in read.pairs.keys), strict=True)) == [
        ("7", 2, 1),
        ("7", 2, 2),
        ("7", 1, 1),
    ]
    assert (read.decisions.tolist(), read.emotions.tolist()) == ([0, 0, 0], ["joy", "joy", "fear"])
    assert (read.class_names, read.listed, read.probabilities) == (PAIR_LABELS, {"7", "8"}, None)
    assert read_candidate_predictions(path, config_name="3class").class_names == ROLE_LABELS
    pairs.append(["2_anger", "1"])
    path.write_text(json.dumps(content))
    read = read_candidate_predictions(path, config_name="ecf")
    assert (len(read), read.emotions) == (3, None)
    assert any("given again with another emotion" in note for note in read.notes)
    assert any("1 targets have several emotions" in note for note in read.notes)


@pytest.mark.parametrize(
    ("pairs", "decisions", "space"),
    [
        ([(1, 1), (2, 1), (2, 2)], [0, 1, 1], "past"),
        ([(1, 1), (2, 1)], [0, 1], "past"),
        ([(1, 1), (2, 1), (2, 2), (1, 2)], [0, 1, 1, 1], "all"),
        ([(1, 1), (2, 1)], [0, 0], "all"),  # a list of predicted pairs implies nothing
        ([(6, 5), (6, 6)], [0, 1], "all"),
    ],
)
def test_the_candidate_space_is_what_complete_lists_imply(tmp_path, pairs, decisions, space):
    frame = pd.DataFrame(pairs, columns=["target_turn", "cause_turn"]).assign(dialogue_id="d", pred_id=decisions)
    read = read_candidate_predictions(write_csv(tmp_path / "p.csv", frame), config_name="ecf")
    assert read.candidate_space == space
    assert replace(read, facts=PredictionFacts(candidates="past")).candidate_space == "past"


@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_a_header_of_very_many_columns_is_refused_before_it_is_read(tmp_path, suffix):
    path = tmp_path / f"theirs{suffix}"
    path.write_text("dialogue_id" + (",x" if suffix == ".csv" else "\tx") * 20_000 + "\n")
    with pytest.raises(InvalidDataError, match="has 20,001 columns, more than the 10,000"):
        read_candidate_predictions(path)


def test_damaged_metadata_of_pandas_changes_nothing(tmp_path):
    expected = read_candidate_predictions(write_parquet(tmp_path / "whole.parquet", OURS))
    for stored in (b"{}", b"[", b'"x"', b'{"columns": 3}'):
        table = pa.Table.from_pandas(OURS, preserve_index=False).replace_schema_metadata({b"pandas": stored})
        pq.write_table(table, tmp_path / "p.parquet")
        found = read_candidate_predictions(tmp_path / "p.parquet")
        assert found.probabilities.tolist() == expected.probabilities.tolist()


def test_a_cell_that_holds_a_list_and_a_long_one_are_shown_in_a_few_words(tmp_path):
    for value, words in (([1], "expected a turn number"), ("x" * 10**5, "expected a turn number")):
        path = write_parquet(tmp_path / "p.parquet", OURS.assign(target_turn=pd.Series([value, value], dtype=object)))
        with pytest.raises(InvalidDataError, match=words) as caught:
            read_candidate_predictions(path)
        assert len(str(caught.value)) < 500


def test_an_id_of_a_whole_text_is_refused(tmp_path):
    frame = OURS.assign(dialogue_id="d" * 100_000)
    with pytest.raises(InvalidDataError, match="column dialogue_id holds an id of 100,000 characters; at most 1,000"):
        read_candidate_predictions(write_csv(tmp_path / "p.csv", frame))
    assert len(read_candidate_predictions(write_csv(tmp_path / "q.csv", OURS.assign(dialogue_id="d" * 1000))))


FOLDS, THRESHOLDS = np.array([2, 2, 1]), np.array([0.6, 0.6, 0.2])


def test_each_fold_is_decided_by_its_own_threshold(tmp_path):
    path = tmp_path / "predictions_train.parquet"
    facts = replace(FACTS, split="train", threshold=None, threshold_chosen_on="folds", part="out-of-2-folds.0f3a")
    probabilities = np.array([[0.7, 0.3], [0.5, 0.5], [0.3, 0.7]])
    write_predictions(path, run_table(), probabilities, facts, folds=FOLDS, thresholds=THRESHOLDS)
    of_file, of_run = read_candidate_predictions(path), read_predictions(path)
    for read in (of_file, of_run):
        assert read.folds.tolist() == FOLDS.tolist()
        assert read.thresholds.tolist() == THRESHOLDS.tolist()
        assert read.facts.part == "out-of-2-folds.0f3a"
        assert read.facts.threshold is None
        assert read.probabilities.tolist() == probabilities.tolist()
    # One threshold for all, 0.2 or 0.6, would decide otherwise for the second or the third.
    assert of_file.decisions.tolist() == of_run.decided.tolist() == [0, 1, 0]
    assert of_file.take(np.array([2, 0])).thresholds.tolist() == [0.2, 0.6]


def test_a_fold_without_threshold_decides_for_the_most_probable_class(tmp_path):
    path = tmp_path / "predictions_train.parquet"
    probabilities = np.array([[0.55, 0.45], [0.4, 0.6], [0.3, 0.7]])
    thresholds = np.array([np.nan, np.nan, 0.2])
    write_predictions(path, run_table(), probabilities, FACTS, folds=FOLDS, thresholds=thresholds)
    assert pq.read_table(path)["fold_threshold"].null_count == 2
    assert read_predictions(path).decided.tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"fold": [1, 1], "fold_threshold": [0.2, 0.3]}, "fold 1 has 2 thresholds in the column fold_threshold"),
        ({"fold": [1, 1], "fold_threshold": [0.2, None]}, "fold 1 has 2 thresholds"),
        ({"fold": [1, 2], "fold_threshold": [0.2, 1.5]}, "row 1, column fold_threshold: 1.5 is not between 0 and 1"),
        ({"fold": [0, 2], "fold_threshold": [0.2, 0.5]}, "a fold, counted from 1"),
        ({"fold": [1, 2], "fold_threshold": ["a", "b"]}, "fold_threshold must hold numbers"),
    ],
)
def test_folds_that_cannot_be_are_refused(tmp_path, columns, words):
    with pytest.raises(InvalidDataError, match=words):
        read_candidate_predictions(write_parquet(tmp_path / "p.parquet", OURS.assign(**columns)))


def test_a_column_fold_alone_is_somebody_elses(tmp_path):
    read = read_candidate_predictions(write_csv(tmp_path / "p.csv", OURS.assign(fold=["a", "b"])))
    assert (read.folds, read.thresholds, read.decisions) == (None, None, None)
