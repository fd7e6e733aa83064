"""Emotions files scored against a corpus: numbers, alignment, comparison, and what is refused in one sentence."""

import json

import numpy as np
import pytest

from iemomecp_dataset.commands.evaluate import main
from iemomecp_dataset.corpus import load_corpus
from iemomecp_dataset.emotion_table import emotion_table
from iemomecp_dataset.errors import IemomecpError, MetricInputError, UsageError
from iemomecp_dataset.metrics.emotion_scoring import emotion_scores
from iemomecp_dataset.metrics.emotion_shifts import shift_scores
from iemomecp_dataset.metrics.emotion_signature import EmotionSignature, emotion_run_signature
from iemomecp_dataset.metrics.evaluation.emotions.evaluation import evaluate_emotion_files
from iemomecp_dataset.metrics.evaluation.emotions.gold import emotion_gold, whole_corpus
from iemomecp_dataset.metrics.evaluation.emotions.predictions import (
    EmotionFacts,
    read_emotion_predictions,
    write_emotion_predictions,
)
from iemomecp_dataset.metrics.evaluation.evaluate import FileEvaluationRequest
from iemomecp_dataset.metrics.evaluation.gold import gold_split
from iemomecp_dataset.metrics.evaluation.results import EvaluationOptions
from iemomecp_dataset.schema import COMMON_EMOTIONS

NAMES = ("neutral", "joy", "surprise", "anger", "sadness", "disgust", "fear")
DIALOGUE = """\
{id} 4
(2,1)
1 | A | neutral | The last train is gone . | Own: 00:00:00.000 - 00:00:01.000
2 | B | anger | Not again , {id} times late ! | Own: 00:00:01.000 - 00:00:02.000
3 | A | joy | My sister drives us . | Own: 00:00:02.000 - 00:00:03.000
4 | B | anger | She never does . | Own: 00:00:03.000 - 00:00:04.000
"""


@pytest.fixture(scope="module")
def ecf(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ecf")
    for split, ids in (("train", range(1, 4)), ("dev", range(4, 7)), ("test", range(7, 12))):
        (folder / f"{split}.txt").write_text("".join(DIALOGUE.format(id=i) for i in ids), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def corpus(ecf):
    return load_corpus("ecf", ecf)


@pytest.fixture
def write(tmp_path, corpus):
    """Writes a file on the test split; ``rows`` chooses its utterances, and the facts may be changed."""

    def one(name="emotions_test.parquet", seed=0, rows=slice(None), labels=None, **facts):
        table = emotion_table(corpus.rows["test"])
        if labels is not None:
            table = type(table)(table.dialogue_ids, table.turns, table.speakers, labels(table.labels.copy()))
        probabilities = np.random.default_rng(seed).dirichlet(np.ones(7), len(table))
        stated = {"corpus": "ecf", "config_name": "ecf", "split": "test", "class_names": NAMES} | facts
        path = tmp_path / name
        write_emotion_predictions(
            path, table.take(np.arange(len(table))[rows]), probabilities[rows], EmotionFacts(**stated)
        )
        return path

    return one


def evaluate(path, **options):
    few = EvaluationOptions(n_resamples=50)
    return evaluate_emotion_files(FileEvaluationRequest(path, **{"options": few} | options))


def test_a_run_file_scores_as_the_plain_functions_do_and_states_what_the_run_states(write, ecf, corpus):
    path = write(epoch_chosen_on="validation", rows=slice(None, None, -1))  # the order in the file is irrelevant
    (found,) = evaluate(path, data_dir=ecf).evaluations
    table = emotion_table(corpus.rows["test"])
    probabilities = np.random.default_rng(0).dirichlet(np.ones(7), len(table))
    assert found.scores == emotion_scores(probabilities, table.labels, NAMES, neutral="neutral")
    predicted = probabilities.argmax(axis=1)
    assert found.shifts == shift_scores(predicted, table.labels, table.dialogue_ids, table.turns, table.speakers)
    assert found.shifts["shift_support"] == found.shifts["stay_support"] == 5
    expected = emotion_run_signature(
        corpus.rows["test"],
        corpus="ecf",
        config_name="ecf",
        split="test",
        class_names=NAMES,
        epoch_chosen_on="validation",
    )
    assert found.signature == expected
    assert found.intervals["weighted_f1"].estimate == pytest.approx(found.scores["weighted_f1"])
    assert found.intervals["weighted_f1"].n_units == 5
    assert not found.notes


def test_a_file_of_common_emotions_is_scored_on_common_gold(write, tmp_path, ecf):
    table = emotion_table(load_corpus("ecf", ecf, emotions="common").rows["test"])
    probabilities = np.eye(len(COMMON_EMOTIONS))[np.zeros(len(table), dtype=int)]
    facts = EmotionFacts(corpus="ecf", config_name="ecf", split="test", class_names=COMMON_EMOTIONS)
    path = tmp_path / "emotions_test.parquet"
    write_emotion_predictions(path, table, probabilities, facts)
    for config_name in (None, "ecf"):
        found = evaluate(path, data_dir=ecf, config_name=config_name).evaluations[0]
        # One utterance in four is neutral, and anger, id 5 of the inventory, is never predicted.
        assert found.scores["accuracy"] == 0.25
        assert found.scores["anger_support"] == 10
        assert f"classes:{','.join(COMMON_EMOTIONS)}" in str(found.signature)


def test_without_data_the_gold_is_the_files_own_column(write, ecf):
    path = write()
    (own,), (gold,) = (evaluate(path, **given).evaluations for given in ({}, {"data_dir": ecf}))
    assert own.scores == gold.scores
    assert own.intervals == gold.intervals
    assert not own.shifts  # the file has no speakers
    assert own.signature.data == gold.signature.data
    assert own.signature.texts == "unknown"
    assert "was not checked" in own.notes[0]


def test_two_files_are_compared_by_dialogue(write, ecf):
    one, other = write(), write("emotions_other.parquet", seed=1, rows=slice(None, None, -1))
    result = evaluate(one, other=other, data_dir=ecf)
    scores = [evaluation.scores["weighted_f1"] for evaluation in result.evaluations]
    difference = result.comparison.bootstrap["weighted_f1"]
    assert difference.estimate == pytest.approx(scores[0] - scores[1])
    assert evaluate(one, other=other).comparison.bootstrap["weighted_f1"] == difference
    assert result.comparison.permutation["weighted_f1"].difference == pytest.approx(difference.estimate)


def test_files_of_different_gold_are_not_compared(write):
    other = write("emotions_other.parquet", labels=lambda labels: (labels + 1) % 7)
    with pytest.raises(MetricInputError, match="cannot share a column: data"):
        evaluate(write(), other=other)


def test_one_emotion_for_every_utterance_is_said(write, tmp_path):
    path = write()
    table, facts = read_emotion_predictions(path).table, read_emotion_predictions(path).facts
    write_emotion_predictions(path, table, np.eye(7)[np.full(len(table), 3)], facts)
    (found,) = evaluate(path).evaluations
    assert f"It predicts {NAMES[3]} for all 20 utterances of test, as a rule without a model would." in found.notes


def test_an_epoch_chosen_on_the_scored_split_and_unlabelled_utterances_are_said(write):
    def unknown(labels):
        labels[:3] = -1
        return labels

    (found,) = evaluate(write(epoch_chosen_on="test", labels=unknown)).evaluations
    assert found.signature.oracle
    assert (found.signature.n_utterances, found.signature.n_labelled) == (20, 17)
    assert found.scores["n_utterances"] == 17
    assert any("3 of 20 utterances have no known emotion" in note for note in found.notes)
    assert any("upper bound" in note for note in found.notes)


def test_other_texts_are_said(write, ecf):
    (found,) = evaluate(write(text_fingerprint="0000"), data_dir=ecf).evaluations
    assert "made on texts with fingerprint 0000" in found.notes[0]


REFUSED = {
    "utterances missing": ({"rows": slice(2, None)}, {}, r"2 utterances missing: \(dialogue 7, turn 1\)"),
    "another split": (
        {},
        {"split": "validation"},
        "5 of its dialogues.*are not of validation: they are dialogues of test: --split test",
    ),
    "another corpus": ({}, {"config_name": "mecad"}, "those of mecad are neutral, happy"),
    "other labels": (
        {"labels": lambda labels: (labels + 1) % 7},
        {},
        "its label of turn 1 in dialogue 7 is joy, and ecf, test has neutral. 20 such utterances",
    ),
    "no configuration": ({"config_name": None, "class_names": NAMES}, {}, "add --config-name"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_the_corpus_is_refused_in_one_sentence(write, ecf, case):
    of_file, of_request, words = REFUSED[case]
    path = write(**of_file)
    with pytest.raises(IemomecpError, match=words) as refused:
        evaluate(path, data_dir=ecf, **of_request)
    assert path.name in str(refused.value)


def test_no_gold_and_no_known_emotion_are_refused(write, tmp_path):
    theirs = tmp_path / "theirs.csv"
    theirs.write_text("dialogue_id,turn,prediction\n1,1,joy\n", encoding="utf-8")
    with pytest.raises(UsageError, match="has no gold column"):
        evaluate(theirs, config_name="ecf", split="test")
    with pytest.raises(MetricInputError, match="nothing to score"):
        evaluate(write(labels=lambda labels: 0 * labels - 1))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--threshold", "0.5"], "--threshold"),
        (["--definition", "A", "--window", "3", "--past"], "--definition and --window and --past"),
        (["--candidates", "past"], "--candidates"),
        (["--read", "leniently"], "--read leniently"),
        (["--validation", "{file}"], "--validation without --as-run"),
    ],
)
def test_options_of_pairs_are_refused(write, ecf, capsys, arguments, words):
    path = write()
    with pytest.raises(UsageError, match=f"not pairs; leave {words} out"):
        main([str(path), "--data-dir", str(ecf), *(part.format(file=f"{path}x") for part in arguments)])


def test_files_of_pairs_and_of_emotions_are_not_compared(write, tmp_path):
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("dialogue_id,target_turn,cause_turn,pred_id\n1,1,1,0\n", encoding="utf-8")
    with pytest.raises(UsageError, match="cannot be paired"):
        evaluate(write(), other=pairs)


def test_the_command_prints_and_writes_everything(write, ecf, capsys):
    path, other = write(), write("emotions_other.parquet", seed=1)
    main([str(path), "--data-dir", str(ecf), "--compare", str(other), "--resamples", "50"])
    printed = capsys.readouterr().out
    for words in (
        "weighted_f1",
        "decision     most probable emotion (argmax)",
        "majority (",
        "shift: accuracy",
        "stay: accuracy",
        "calibration: ece",
        "gold / predicted",
        "surprise",
    ):
        assert words in printed
    assert "counted 0 in macro_f1" in printed or "undefined" not in printed
    written = json.loads(path.with_name("emotions_test.parquet.scores.json").read_text(encoding="utf-8"))
    one, two = written["evaluations"]
    assert str(EmotionSignature.parse(one["signature"])) in printed
    assert one["scores"]["shift_support"] == 5
    assert written["comparison"]["paired_bootstrap"]["weighted_f1"]["estimate"] == pytest.approx(
        one["scores"]["weighted_f1"] - two["scores"]["weighted_f1"]
    )


def test_a_corpus_without_labelled_emotions_is_refused(corpus):
    import dataclasses

    coarse = dataclasses.replace(corpus, name="mec4", config_name="mec4", emotion_names=("neutral", "emotional"))
    with pytest.raises(UsageError, match=r"mec4 \(mec4\) label no emotions"):
        emotion_gold(coarse, "test")
    with pytest.raises(UsageError, match="no split 'tset'"):
        emotion_gold(corpus, "tset")


def test_a_corpus_without_causes_has_no_pairs_to_score(corpus):
    import dataclasses

    table = corpus.tables["test"]
    without = dataclasses.replace(corpus, config_name="meld", tables={"test": table.take(table.labels < 0)})
    with pytest.raises(UsageError, match=r"\(meld\) has no cause pairs"):
        gold_split(without, "test")


def test_only_chunks_are_joined(corpus):
    assert whole_corpus(corpus) is corpus


def test_a_file_that_states_no_split_is_of_the_one_that_has_its_dialogues(write, ecf):
    path = write("mine.parquet", split=None)
    (found,) = evaluate(path, data_dir=ecf).evaluations
    assert found.signature.split == "test"
    assert "Split taken as test: no other has the dialogues of the file; --split states it." in found.notes
