"""scripts/evaluate_predictions.py on files of every origin, with gold from a synthetic corpus and from ECF files."""

import json
import re
import subprocess
import sys
from dataclasses import replace

import forked_python
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import iemomecp_dataset
from iemomecp_dataset.benchmark.runs.results import read_results
from iemomecp_dataset.commands.evaluate import main
from iemomecp_dataset.errors import InvalidDataError, MissingDataError, UsageError
from iemomecp_dataset.fingerprints import text_fingerprint
from iemomecp_dataset.metrics.evaluation.evaluate import FileEvaluationRequest, evaluate_files
from iemomecp_dataset.metrics.evaluation.report import evaluation_as_json, evaluation_as_text
from iemomecp_dataset.metrics.evaluation.results import EvaluationOptions
from iemomecp_dataset.metrics.evaluation.semeval import read_semeval
from iemomecp_dataset.metrics.evaluation.window import PairWindow
from iemomecp_dataset.metrics.scoring import pair_scores
from iemomecp_dataset.metrics.signature import Signature, run_signature
from iemomecp_dataset.metrics.thresholds import best_threshold
from iemomecp_dataset.pair_table import pair_table
from iemomecp_dataset.schema import ROLE_LABELS

FEW = EvaluationOptions(n_resamples=100)

ECF = """\
1 3
(2,1),(2,2),(1,3)
1 | A | neutral | The last train is gone . | Own_S1E1: 00:00:00.000 - 00:00:01.000
2 | B | anger | Not again , we will be late ! | Own_S1E1: 00:00:01.000 - 00:00:02.000
3 | A | joy | My sister drives us . | Own_S1E1: 00:00:02.000 - 00:00:03.000
2 2
(1,1)
1 | A | sadness | I lost my keys . | Own_S1E1: 00:00:03.000 - 00:00:04.000
2 | B | neutral | They are on the table . | Own_S1E1: 00:00:04.000 - 00:00:05.000
3 1

1 | A | neutral | Hello . | Own_S1E1: 00:00:05.000 - 00:00:06.000
"""


@pytest.fixture(scope="module")
def test_pairs(synthetic_dir):
    split = iemomecp_dataset.load("3class", data_dir=synthetic_dir)["test"]
    return pair_table(split)


@pytest.fixture
def run_file(tmp_path, test_pairs, synthetic_dir):
    """Writes a run's Parquet on the synthetic test split; a larger share of gold makes a better system."""
    texts = text_fingerprint(iemomecp_dataset.load("3class", data_dir=synthetic_dir)["test"])

    def write(name="predictions_test.parquet", seed=0, share=0.3, **metadata):
        generator = np.random.default_rng(seed)
        probabilities = generator.dirichlet([1, 1, 4], len(test_pairs))
        probabilities = (1 - share) * probabilities + share * np.eye(3)[test_pairs.labels]
        frame = pd.DataFrame(
            {
                "dialogue_id": test_pairs.dialogue_ids,
                "target_turn": test_pairs.target_turns,
                "cause_turn": test_pairs.cause_turns,
                "label": test_pairs.labels,
                **{f"prob_{name}": probabilities[:, i] for i, name in enumerate(ROLE_LABELS)},
            }
        )
        facts = {"corpus": "iemomecp", "config_name": "3class", "split": "test", "class_names": list(ROLE_LABELS)}
        facts |= {"synthetic": True, "definition": "F", "text_fingerprint": texts} | metadata
        table = pa.Table.from_pandas(frame, preserve_index=False)
        pq.write_table(table.replace_schema_metadata({b"iemomecp": json.dumps(facts).encode()}), tmp_path / name)
        return tmp_path / name

    return write


@pytest.fixture
def ecf_dir(tmp_path):
    folder = tmp_path / "ecf"
    folder.mkdir()
    (folder / "dev.txt").write_text(ECF, encoding="utf-8")
    return folder


def test_run_against_its_own_gold_and_against_the_data_agree(run_file, synthetic_dir, test_pairs):
    path = run_file(threshold=0.4, threshold_chosen_on="validation")
    alone = evaluate_files(FileEvaluationRequest(path, options=FEW)).evaluations[0]
    checked = evaluate_files(FileEvaluationRequest(path, data_dir=synthetic_dir, options=FEW)).evaluations[0]
    assert dict(alone.scores) == dict(checked.scores)
    assert alone.signature == checked.signature
    assert (checked.signature.synthetic, checked.signature.n_candidates) == (True, len(test_pairs))
    assert checked.intervals["pair_f1"].n_units == len(set(test_pairs.source_dialogue_ids.tolist()))
    assert {"source-binary remap: drop_context", "turn sets"} <= set(checked.further)


def test_signature_of_a_run_is_that_of_its_file(run_file, synthetic_dir, ecf_dir, tmp_path):
    rows = iemomecp_dataset.load("3class", data_dir=synthetic_dir)["test"]
    facts = {"threshold": 0.4, "threshold_chosen_on": "validation", "synthetic": True}
    file = evaluate_files(FileEvaluationRequest(run_file(**facts), options=FEW)).evaluations[0]
    assert run_signature(rows, corpus="iemomecp", config_name="3class", split="test", **facts) == file.signature
    for past in (False, True):
        candidates = "past" if past else "all"
        rows = iemomecp_dataset.load("ecf", data_dir=ecf_dir, candidates=candidates)["validation"]
        request = FileEvaluationRequest(
            ecf_predictions(tmp_path, past), data_dir=ecf_dir, config_name="ecf", split="validation", options=FEW
        )
        expected = evaluate_files(request).evaluations[0].signature
        found = run_signature(rows, corpus="ecf", config_name="ecf", split="validation", forward_pairs=candidates)
        assert found == expected


def test_text_and_json_hold_the_same_numbers(run_file, synthetic_dir):
    result = evaluate_files(FileEvaluationRequest(run_file(), data_dir=synthetic_dir, options=FEW))
    text, content = evaluation_as_text(result), evaluation_as_json(result)
    scores = content["evaluations"][0]["scores"]
    assert text.startswith("SYNTHETIC DATA")
    assert f"pair_f1 {100 * scores['pair_f1']:.2f} [" in " ".join(text.split()), (
        "people read percent, files hold shares"
    )
    assert not re.search(r"\b0\.\d{4}", text.split("\nscore ")[1].split("\niemomecp|")[0])
    assert content["evaluations"][0]["signature"] in text
    assert Signature.parse(content["evaluations"][0]["signature"]).task == "3class"
    json.dumps(content, allow_nan=False)


def test_comparison_tells_a_better_run_from_a_worse_one(run_file):
    better, worse = run_file("better.parquet", share=0.6), run_file("worse.parquet", seed=1, share=0.2)
    result = evaluate_files(FileEvaluationRequest(better, other=worse, options=FEW))
    interval = result.comparison.bootstrap["pair_f1"]
    assert interval.estimate == pytest.approx(
        result.evaluations[0].scores["pair_f1"] - result.evaluations[1].scores["pair_f1"]
    )
    assert interval.low > 0
    assert result.comparison.permutation["pair_f1"].p_value < 0.05
    assert "p (permutation)" in evaluation_as_text(result)
    assert "paired_bootstrap" in evaluation_as_json(result)["comparison"]


def test_artifact_csv_is_scored_without_scores(tmp_path, test_pairs, synthetic_dir):
    predicted = np.where(test_pairs.distances <= 1, 0, 2)
    path = tmp_path / "theirs.csv"
    pd.DataFrame(
        {
            "run_name": "rule",
            "split": "test",
            "dialogue_id": test_pairs.dialogue_ids,
            "target_turn": test_pairs.target_turns,
            "candidate_turn": test_pairs.cause_turns,
            "gold_id": test_pairs.labels,
            "pred_id": predicted,
            "gold": np.array(ROLE_LABELS)[test_pairs.labels],
            "pred": np.array(ROLE_LABELS)[predicted],
        }
    ).to_csv(path, index=False)
    evaluation = evaluate_files(FileEvaluationRequest(path, data_dir=synthetic_dir, options=FEW)).evaluations[0]
    assert evaluation.scores["macro_f1"] == pair_scores(predicted, test_pairs.labels, ROLE_LABELS)["macro_f1"]
    assert evaluation.undefined["pair_auprc"] == "hard class ids have no ranking"
    assert evaluation.signature.decision == "system"


def test_two_runs_of_one_file_are_compared(tmp_path, test_pairs):
    frames = []
    for name, reach in (("near", 1), ("far", 3)):
        predicted = np.where(test_pairs.distances <= reach, 0, 2)
        frame = {"run_name": name, "split": "test", "dialogue_id": test_pairs.dialogue_ids}
        frame |= {"target_turn": test_pairs.target_turns, "candidate_turn": test_pairs.cause_turns}
        frame |= {"gold_id": test_pairs.labels, "pred_id": predicted, "gold": np.array(ROLE_LABELS)[test_pairs.labels]}
        frames.append(pd.DataFrame(frame))
    path = tmp_path / "runs.csv"
    pd.concat(frames).to_csv(path, index=False)
    with pytest.raises(UsageError, match="--run-name"):
        evaluate_files(FileEvaluationRequest(path, options=FEW))
    result = evaluate_files(FileEvaluationRequest(path, other=path, run_name="near", other_run_name="far", options=FEW))
    near, far = (evaluation.scores["pair_f1"] for evaluation in result.evaluations)
    assert result.comparison.bootstrap["pair_f1"].estimate == pytest.approx(near - far)


def test_pairs_that_are_missing_or_repeated_are_named(run_file, synthetic_dir, tmp_path):
    frame = pd.read_parquet(run_file())
    broken = tmp_path / "predictions_test.parquet"
    pd.concat([frame[3:], frame[-2:]]).to_parquet(broken)
    with pytest.raises(InvalidDataError, match=r"2 pairs given more than once: \(dialogue "):
        evaluate_files(FileEvaluationRequest(broken, data_dir=synthetic_dir, options=FEW))
    # A file that a run of ours wrote is complete, or damaged.
    ours = pq.read_table(run_file("ours.parquet", data_fingerprint="f00d"))
    pq.write_table(ours.slice(3), broken)
    with pytest.raises(InvalidDataError, match=r"3 pairs missing: \(dialogue "):
        evaluate_files(FileEvaluationRequest(broken, data_dir=synthetic_dir, options=FEW))


def ecf_predictions(folder, past=False):
    rows = [
        (name, target, cause)
        for name, n in (("1", 3), ("2", 2), ("3", 1))
        for target in range(1, n + 1)
        for cause in range(1, n + 1)
        if not past or cause <= target
    ]
    found = {("1", 2, 1), ("1", 1, 3), ("2", 2, 1)}
    path = folder / f"predictions_validation{'_past' if past else ''}.csv"
    pd.DataFrame(
        {
            "dialogue_id": [row[0] for row in rows],
            "target_turn": [row[1] for row in rows],
            "cause_turn": [row[2] for row in rows],
            "prob_pair": [0.8 if row in found else 0.1 for row in rows],
            "prob_non_pair": [0.2 if row in found else 0.9 for row in rows],
        }
    ).to_csv(path, index=False)
    return path


def test_corpus_files_are_scored_by_set_with_every_gold_pair(tmp_path, ecf_dir):
    def scored(past, **options):
        request = FileEvaluationRequest(
            ecf_predictions(tmp_path, past),
            data_dir=ecf_dir,
            config_name="ecf",
            split="dev",
            options=EvaluationOptions(n_resamples=20, **options),
        )
        return evaluate_files(request).evaluations[0]

    everything, past = scored(past=False), scored(past=True)
    assert everything.signature.definition == past.signature.definition == "A"
    assert (everything.signature.n_gold, past.signature.n_gold) == (4, 4)
    assert (everything.signature.forward_pairs, past.signature.forward_pairs) == ("all", "past")
    assert (everything.signature.n_missed, past.signature.n_missed) == (0, 1)
    # Both are scored against the same four pairs, so they may stand in one column.
    assert everything.signature.comparison_key == past.signature.comparison_key
    assert everything.scores["pair_recall"] == 2 / 4
    assert past.scores["pair_recall"] == 1 / 4
    by_emotion = scored(past=False, definition="C", gold_emotions=True)
    assert by_emotion.signature.emotions == "gold"
    # The pair whose target is neutral is gold in A and free in C.
    assert by_emotion.scores["n_neutral_gold"] == 1
    assert any("2 predicted and 1 gold pairs have a neutral target" in note for note in by_emotion.notes)
    assert by_emotion.scores["pair_recall"] == 1 / 3


def test_semeval_files_are_written_and_scored(tmp_path, ecf_dir):
    submission = tmp_path / "submission.json"
    evaluate_files(
        FileEvaluationRequest(
            ecf_predictions(tmp_path),
            data_dir=ecf_dir,
            config_name="ecf",
            split="validation",
            semeval_output=submission,
            options=EvaluationOptions(n_resamples=0, gold_emotions=True),
        )
    )
    written = read_semeval(submission)
    assert list(written.conversations) == ["1", "2", "3"]
    assert written.pairs.emotions.tolist() == ["neutral", "anger", "neutral"]
    request = FileEvaluationRequest(
        submission, data_dir=ecf_dir, config_name="ecf", split="validation", options=EvaluationOptions(n_resamples=20)
    )
    from_data = evaluate_files(request).evaluations[0]
    assert (from_data.scores["pair_recall"], from_data.scores["pair_precision"]) == (2 / 4, 2 / 3)
    assert from_data.signature.decision == "system"
    paired = evaluate_files(FileEvaluationRequest(submission, other=submission, gold_file=submission, options=FEW))
    assert paired.evaluations[0].scores["pair_f1"] == 1.0
    assert paired.comparison.bootstrap["pair_f1"].estimate == 0.0


def ecf_request(path, ecf_dir, output=None, **options):
    return FileEvaluationRequest(
        path,
        data_dir=ecf_dir,
        config_name="ecf",
        split="validation",
        semeval_output=output,
        options=EvaluationOptions(n_resamples=0, **options),
    )


def test_gold_emotions_are_exported_only_when_asked_for_and_are_said_ever_after(tmp_path, ecf_dir):
    path, output = ecf_predictions(tmp_path), tmp_path / "out.json"
    with pytest.raises(UsageError, match="--gold-emotions takes the gold ones"):
        evaluate_files(ecf_request(path, ecf_dir, output))
    assert not output.exists()
    result = evaluate_files(ecf_request(path, ecf_dir, output, gold_emotions=True))
    assert result.exported_emotions == "gold"
    assert "gold emotions" in evaluation_as_text(result)
    assert all(entry["emotions"] == "gold" for entry in json.loads(output.read_text()))
    for letter, emotions in (("A", "none"), ("C", "gold"), ("D", "gold")):
        result = evaluate_files(ecf_request(output, ecf_dir, definition=letter))
        assert result.evaluations[0].signature.emotions == emotions
        text = evaluation_as_text(result)
        assert "The file has gold emotions" in text
        assert ("gold emotions of the targets" in text) == (letter != "A")
        assert evaluation_as_json(result)["evaluations"][0]["emotions"] == emotions


def test_predicted_emotions_are_exported_and_scored_as_predicted(tmp_path, ecf_dir):
    frame = pd.read_csv(ecf_predictions(tmp_path), dtype={"dialogue_id": str})
    frame["emotion"] = ["fear" if turn == 2 else "joy" for turn in frame["target_turn"]]
    path, output = tmp_path / "predictions_validation.csv", tmp_path / "out.json"
    frame.to_csv(path, index=False)
    result = evaluate_files(ecf_request(path, ecf_dir, output))
    assert result.exported_emotions == "predicted"
    assert read_semeval(output).pairs.emotions.tolist() == ["joy", "fear", "fear"]
    scores = {}
    for file in (path, output):
        evaluation = evaluate_files(ecf_request(file, ecf_dir, definition="C")).evaluations[0]
        assert evaluation.signature.emotions == "predicted"
        scores[file] = {key: evaluation.scores[key] for key in ("pair_f1", "n_correct", "n_predicted", "n_gold")}
    assert scores[path] == scores[output]
    # What is read leniently can be written as the format wants it.
    content = json.loads(output.read_text())
    content[0]["emotion-cause_pairs"] = ["1_happy, 3", ["2_scared", "1."]]
    free, clean = tmp_path / "free.json", tmp_path / "clean.json"
    free.write_text(json.dumps(content))
    evaluate_files(ecf_request(free, ecf_dir, clean, reading="leniently"))
    assert read_semeval(clean).pairs.emotions.tolist() == ["joy", "fear", "fear"]


SEMEVAL_TURNS = [{"utterance_ID": turn, "text": "a", "speaker": "A", "emotion": "joy"} for turn in (1, 2, 3, 4)]


def semeval_file(path, pairs, conversations=(1, 2)):
    content = [
        {"conversation_ID": number, "conversation": SEMEVAL_TURNS, "emotion-cause_pairs": pairs.get(number, [])}
        for number in conversations
    ]
    path.write_text(json.dumps(content))
    return path


def test_a_window_restricts_lists_of_pairs_and_their_gold(tmp_path):
    gold = semeval_file(
        tmp_path / "gold.json", {1: [["1_joy", "3"], ["4_joy", "1"], ["4_joy", "3"]], 2: [["2_joy", "2"]]}
    )
    file = semeval_file(tmp_path / "p.json", {1: [["1_joy", "3"], ["4_joy", "2"], ["4_joy", "3"]]})
    found = {}
    for window in (PairWindow(), PairWindow(past=True), PairWindow(turns=2), PairWindow(turns=1, past=True)):
        options = EvaluationOptions(n_resamples=0, window=window)
        result = evaluate_files(FileEvaluationRequest(file, gold_file=gold, options=options))
        scores = result.evaluations[0].scores
        found[window.word] = (scores["n_correct"], scores["n_predicted"], scores["n_gold"])
        assert ("WINDOWED RE-SCORING" in evaluation_as_text(result)) == bool(window)
        assert evaluation_as_json(result)["evaluations"][0]["window"] == window.word
    assert found == {"none": (2, 3, 4), "past": (1, 2, 3), "2": (2, 3, 3), "past-1": (1, 1, 2)}
    with pytest.raises(UsageError, match="leave --window and --past out"):
        evaluate_files(FileEvaluationRequest(file, gold_file=gold, semeval_output=tmp_path / "o.json", options=options))


def test_lists_of_pairs_are_read_as_the_official_evaluator_does(tmp_path):
    gold = semeval_file(tmp_path / "gold.json", {1: [["3_joy", "2"]]})
    file = semeval_file(tmp_path / "p.json", {1: [["U3_joy", " 2"]], 9: [["1_joy", "1"]]}, conversations=(1, 2, 9))
    evaluation = evaluate_files(FileEvaluationRequest(file, gold_file=gold, options=FEW)).evaluations[0]
    assert (evaluation.scores["n_correct"], evaluation.scores["n_predicted"]) == (1, 1)
    assert any("blanks around numbers 1" in note for note in evaluation.notes)
    assert any("1 conversations of the file are not in the gold" in note for note in evaluation.notes)


def test_emotions_of_other_names_are_wrong_pairs_when_they_are_read_leniently(tmp_path):
    gold = semeval_file(tmp_path / "gold.json", {1: [["3_joy", "2"], ["2_joy", "2"]]})
    file = semeval_file(tmp_path / "p.json", {1: [["3_happy", "2"], ["2_boredom", "2"]]})
    request = FileEvaluationRequest(file, gold_file=gold, options=EvaluationOptions(definition="C", n_resamples=20))
    with pytest.raises(
        InvalidDataError, match=r"'happy' is none of the corpus.* 2 such pairs, of which 1 .*--read len"
    ):
        evaluate_files(request)
    options = replace(request.options, reading="leniently")
    result = evaluate_files(replace(request, options=options, other=gold))
    assert [e.scores["n_correct"] for e in result.evaluations] == [1, 2]
    assert result.evaluations[0].scores["n_predicted"] == 2
    assert result.comparison.bootstrap["pair_f1"].estimate == pytest.approx(0.5 - 1)


def test_stops_around_emotions_are_understood_by_leniency_alone(tmp_path):
    gold = semeval_file(tmp_path / "gold.json", {1: [["3_joy", "2"], ["2_joy", "2"]]})
    file = semeval_file(tmp_path / "p.json", {1: [["3_joy.", "2"], ["2_boredom.", "2"]]})
    request = FileEvaluationRequest(file, gold_file=gold, options=EvaluationOptions(definition="C", n_resamples=0))
    with pytest.raises(InvalidDataError, match="2 such pairs, of which 1 are understood"):
        evaluate_files(request)
    (evaluation,) = evaluate_files(replace(request, options=replace(request.options, reading="leniently"))).evaluations
    assert (evaluation.scores["n_correct"], evaluation.scores["n_predicted"]) == (1, 2)
    assert any("stops, blanks or quotes around emotions 2" in note for note in evaluation.notes)


def test_gold_without_labels_is_refused(tmp_path):
    gold = semeval_file(tmp_path / "gold.json", {})
    file = semeval_file(tmp_path / "p.json", {1: [["3_joy", "2"]]})
    with pytest.raises(InvalidDataError, match=r"gold\.json: none of its 2 conversations has a pair"):
        evaluate_files(FileEvaluationRequest(file, gold_file=gold, options=FEW))


def test_a_list_of_pairs_is_scored_on_the_fixed_candidates_of_iemomecp(tmp_path, test_pairs, synthetic_dir):
    kept = np.flatnonzero(test_pairs.distances == 0)
    content = {name: [] for name in dict.fromkeys(test_pairs.dialogue_ids.tolist())}
    for row in kept:
        content[test_pairs.dialogue_ids[row]].append(
            [f"{test_pairs.target_turns[row]}_hap", str(test_pairs.cause_turns[row])]
        )
    content[test_pairs.dialogue_ids[0]].append(["1_hap", "999"])
    path = tmp_path / "theirs.json"
    path.write_text(json.dumps([{"conversation_ID": k, "emotion-cause_pairs": v} for k, v in content.items()]))
    request = FileEvaluationRequest(path, data_dir=synthetic_dir, config_name="3class", split="test", options=FEW)
    evaluation = evaluate_files(request).evaluations[0]
    decided = np.where(test_pairs.distances == 0, 0, 2)
    assert evaluation.signature.definition == "F"
    assert (
        evaluation.scores["confusion_matrix"]
        == pair_scores(decided, test_pairs.labels, ROLE_LABELS)["confusion_matrix"]
    )
    assert any("1 predicted pairs are no candidates; they are left out" in note for note in evaluation.notes)
    with pytest.raises(UsageError, match="one lists candidates and the other does not"):
        evaluate_files(replace(request, other=tmp_path / "x.csv"))


def test_validation_decides_what_is_printed_stored_and_recorded(tmp_path, synthetic_dir, capsys):
    files = {}
    for i, split in enumerate(("validation", "test")):
        table = pair_table(iemomecp_dataset.load("3class", data_dir=synthetic_dir)[split])
        probabilities = 0.7 * np.random.default_rng(i).dirichlet([1, 1, 4], len(table)) + 0.3 * np.eye(3)[table.labels]
        frame = pd.DataFrame(dict(zip(("dialogue_id", "target_turn", "cause_turn"), table.keys, strict=True)))
        for j, name in enumerate(ROLE_LABELS):
            frame[f"prob_{name}"] = probabilities[:, j]
        if split == "validation":
            threshold, _ = best_threshold(probabilities, table.labels)
        else:
            expected = pair_scores(probabilities, table.labels, ROLE_LABELS, threshold=threshold)
        files[split] = tmp_path / f"{split}.csv"
        frame.to_csv(files[split], index=False)
    arguments = [files["test"], "--validation", files["validation"], "--data-dir", synthetic_dir, "--split", "test"]
    arguments += [
        "--config-name",
        "3class",
        "--resamples",
        "0",
        "--output",
        tmp_path / "o.json",
        "--as-run",
        tmp_path / "r",
    ]
    main([str(argument) for argument in arguments])
    printed = capsys.readouterr().out
    rule = f"decision:threshold@validation={threshold!r}"
    stored = json.loads((tmp_path / "o.json").read_text())["evaluations"][0]
    recorded = read_results(tmp_path / "r")
    assert rule in printed
    assert rule in stored["signature"]
    assert stored["signature"] == recorded.extra["signatures"]["test"]
    assert f"pair_f1 {100 * expected['pair_f1']:.2f}" in " ".join(printed.split())
    assert f"decision     threshold {threshold:.4g} from validation" in printed
    assert stored["decision"] == {
        "rule": f"threshold {threshold:.4g} from validation",
        "threshold": threshold,
        "chosen_on": "validation",
    }
    assert stored["scores"]["pair_f1"] == recorded.metrics["test"]["pair_f1"] == expected["pair_f1"]
    with pytest.raises(UsageError, match="add --data-dir"):
        main([str(files["test"]), "--validation", str(files["validation"])])


@pytest.mark.parametrize("option", [["--past"], ["--window", "4"]])
def test_a_windowed_score_is_no_row_of_the_leaderboard(tmp_path, option):
    with pytest.raises(UsageError, match="the corpus's own candidate space"):
        main([str(tmp_path / "p.json"), "--data-dir", str(tmp_path), "--as-run", str(tmp_path / "r"), *option])


def test_a_list_of_pairs_goes_through_as_run(tmp_path, ecf_dir, capsys):
    content = [{"conversation_ID": n, "emotion-cause_pairs": [["1_happy", "1."]] * (n == 2)} for n in (1, 2, 3)]
    (tmp_path / "p.json").write_text(json.dumps(content))
    main([
        str(tmp_path / "p.json"), "--data-dir", str(ecf_dir), "--config-name", "ecf", "--split", "dev", "--resamples",
        "0", "--read", "leniently", "--as-run", str(tmp_path / "runs" / "theirs"),
    ])  # fmt: skip
    printed = capsys.readouterr().out
    assert "emotion aliases 1, full stops around numbers 1" in printed
    assert "13 of 14 candidates are not in the file and count as non_pair" in printed
    assert "by its own decisions" in printed
    assert read_results(tmp_path / "runs" / "theirs").metrics["validation"]["confusion_matrix"] == [[1, 3], [0, 10]]


def test_semeval_conversations_must_be_those_of_the_gold(tmp_path):
    for name, ids in (("gold.json", (1, 2)), ("pred.json", (1, 3))):
        pairs = [["1_joy", "1"]]
        (tmp_path / name).write_text(json.dumps([{"conversation_ID": i, "emotion-cause_pairs": pairs} for i in ids]))
    with pytest.raises(InvalidDataError, match=r"1 of the 2 conversations .* are missing \(2\); 1 .* unknown \(3\)"):
        evaluate_files(FileEvaluationRequest(tmp_path / "pred.json", gold_file=tmp_path / "gold.json", options=FEW))


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"predictions": "none.parquet"}, MissingDataError, "is not there"),
        ({"gold_file": "gold.json"}, UsageError, "--gold is for"),
        (
            {"predictions": "semeval.json", "gold_file": "g.json", "data_dir": "d"},
            UsageError,
            "both give the gold",
        ),
        ({"other": "x.json"}, UsageError, "cannot be paired"),
        ({"other_run_name": "x"}, UsageError, "add --compare"),
        ({"semeval_output": "x.json"}, UsageError, "add --data-dir"),
        ({"predictions": "semeval.json"}, UsageError, "--gold"),
        ({"predictions": "none.json"}, MissingDataError, "cannot be read"),
        ({"predictions": "results.json"}, InvalidDataError, "expected a list of conversations"),
        ({"predictions": "cut.json"}, InvalidDataError, "not valid JSON"),
    ],
)
def test_requests_that_cannot_work_say_what_to_do(run_file, tmp_path, changes, error, words):
    for name, content in (("semeval", "[]"), ("results", "{}"), ("cut", '[{"conversation_ID"')):
        (tmp_path / f"{name}.json").write_text(content)
    files = {name: tmp_path / value if name != "other_run_name" else value for name, value in changes.items()}
    with pytest.raises(error, match=words):
        evaluate_files(FileEvaluationRequest(**({"predictions": run_file(), "options": FEW} | files)))


@pytest.mark.parametrize(
    ("file", "arguments", "words"),
    [
        ("p.json", ["--threshold", "0.5"], "leave --threshold out"),
        ("p.json", ["--argmax", "--run-name", "x"], "leave --argmax and --run-name out"),
        ("p.json", ["--missed-positives", "1"], "leave --missed-positives out"),
        ("p.json", ["--compare", "p.json", "--compare-run-name", "x"], "leave --compare-run-name out"),
        ("p.json", ["--candidates", "past"], "--candidates chooses the gold of --data-dir"),
        ("p.json", ["--data-dir", "ecf", "--config-name", "ecf", "--candidates", "past"], "leave --candidates out"),
        ("p.json", ["--compare", "p.csv"], "one lists candidates and the other does not"),
        ("p.csv", ["--compare", "p.json"], "one lists candidates and the other does not"),
        (
            "p.csv",
            ["--missed-positives", "1", "--data-dir", "ecf"],
            "--missed-positives is for files without --data-dir",
        ),
        ("p.csv", ["--forward-pairs", "gold"], "--forward-pairs chooses the gold of --data-dir"),
        ("p.csv", ["--data-dir", "ecf", "--config-name", "ecf", "--forward-pairs", "gold"], "configuration is ecf"),
        ("p.csv", ["--data-dir", "ecf", "--config-name", "3class", "--candidates", "all"], "one list of candidates"),
        ("p.csv", ["--data-dir", "ecf", "--validation", "v.csv", "--threshold", "0.5"], "--validation chooses"),
        ("p.csv", ["--data-dir", "ecf", "--validation", "v.csv", "--argmax"], "--validation chooses"),
        ("p.csv", ["--output", "sub/../p.csv"], "--output names .*p.csv, which is read"),
        ("p.csv", ["--compare", "q.csv", "--output", "q.csv"], "--output names .*q.csv, which is read"),
        ("p.json", ["--gold", "gold.json", "--output", "gold.json"], "--output names .*gold.json, which is read"),
        ("p.json", ["--gold", "gold.json", "--write-semeval", "p.json"], "--write-semeval names .*, which is read"),
        ("p.csv", ["--output", "o.json", "--write-semeval", "o.json"], "both go to"),
    ],
)
def test_options_that_cannot_apply_are_refused_before_anything_is_written(
    tmp_path, monkeypatch, capsys, file, arguments, words
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    for name in ("gold.json", "p.json"):
        semeval_file(tmp_path / name, {1: [["3_joy", "2"]]})
    gold = "--gold" in arguments or "--data-dir" in arguments or file != "p.json"
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    with pytest.raises(UsageError, match=words):
        main([file, *arguments, *([] if gold else ["--gold", "gold.json"]), "--resamples", "0"])
    assert capsys.readouterr().out == ""
    assert {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


def test_files_of_one_name_and_any_case_of_suffix_keep_scores_of_their_own(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    gold = semeval_file(tmp_path / "gold.json", {1: [["3_joy", "2"]]})
    semeval_file(tmp_path / "x.JSON", {1: [["3_joy", "2"]]})
    frame = pd.read_csv(ecf_predictions(tmp_path)).assign(label=1)
    frame.to_csv(tmp_path / "x.CSV", index=False)
    frame.assign(dialogue_id=frame["dialogue_id"].astype(str)).to_parquet(tmp_path / "only.PARQUET")
    for file, *arguments in (["x.JSON", "--gold", str(gold)], ["x.CSV"], ["only.PARQUET"]):
        main([file, *arguments, "--resamples", "0"])
        capsys.readouterr()
    assert {path.name for path in tmp_path.glob("*.scores.json")} == {
        "x.JSON.scores.json", "x.CSV.scores.json", "only.PARQUET.scores.json"
    }  # fmt: skip


def test_scores_of_another_file_are_never_replaced(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    frame = pd.read_csv(ecf_predictions(tmp_path)).assign(label=1)
    (tmp_path / "other").mkdir()
    for name in ("x.csv", "other/x.csv"):
        frame.to_csv(tmp_path / name, index=False)
    main(["x.csv", "--resamples", "0", "--output", "o.json"])
    written = (tmp_path / "o.json").read_bytes()
    with pytest.raises(UsageError, match=r"o\.json holds the scores of another file, x\.csv; give another"):
        main(["other/x.csv", "--resamples", "0", "--output", "o.json"])
    (tmp_path / "notes.json").write_text("[]")
    with pytest.raises(UsageError, match=r"notes\.json is there and holds no scores of this command"):
        main(["x.csv", "--resamples", "0", "--output", "notes.json"])
    assert (tmp_path / "o.json").read_bytes() == written
    assert (tmp_path / "notes.json").read_text() == "[]"
    # The scores of the same file are, by whatever path it is named, and also after its folder has moved.
    main(["other/../x.csv", "--resamples", "0", "--output", "o.json", "--argmax"])
    main(["other/x.csv", "--resamples", "0"])
    (tmp_path / "other").rename(tmp_path / "moved")
    main(["moved/x.csv", "--resamples", "0"])
    assert json.loads((tmp_path / "moved/x.csv.scores.json").read_text())["evaluations"][0]["predictions"] == (
        "moved/x.csv"
    )
    capsys.readouterr()


def test_a_structural_row_is_compared_by_name(tmp_path, run_file, synthetic_dir, monkeypatch, capsys):
    path = run_file(threshold=0.4, threshold_chosen_on="validation")
    data = [str(path), "--data-dir", str(synthetic_dir), "--resamples", "100"]
    for name, row in (("distance", "distance only"), ("self + previous", "self + previous"), ("SELF", "self")):
        main([*data, "--compare", name])
        printed = capsys.readouterr().out
        assert f"minus        {row} (structural row)" in printed
        content = json.loads(path.with_name(f"{path.name}.scores.json").read_text())
        assert (content["comparison"]["second"], content["comparison"]["second_is"]) == (row, "structural row")
        (of_row,) = [one for one in content["structural"]["rows"] if one["name"] == row]
        estimate = content["comparison"]["paired_bootstrap"]["pair_f1"]["estimate"]
        assert estimate == pytest.approx(of_row["differences"]["pair_f1"]["estimate"])
        assert estimate == pytest.approx(content["evaluations"][0]["scores"]["pair_f1"] - of_row["scores"]["pair_f1"])
    for arguments, words in (
        (
            ["--compare", "distnce"],
            "no structural row of that name. Did you mean 'distance only'.*'all non-pair', 'se",
        ),
        (["--compare", "distance", "--no-structural"], "leave --no-structural out"),
    ):
        with pytest.raises(UsageError, match=words):
            main([*data, *arguments])
    with pytest.raises(MissingDataError, match=r"distance\.csv is not there"):
        main([*data, "--compare", "distance.csv"])
    # A file of that name comes first.
    monkeypatch.chdir(tmp_path)
    path.rename(tmp_path / "distance")
    with pytest.raises(UsageError, match="distance"):
        main([str(run_file()), "--compare", "distance", "--resamples", "0"])
    capsys.readouterr()


@pytest.mark.parametrize(
    ("definition", "words"),
    [("D", "has predicted emotions, which are scored; --gold-emotions changes"), ("A", "A scores no emotions; --gold")],
)
def test_gold_emotions_that_change_nothing_are_said(tmp_path, definition, words):
    file = semeval_file(tmp_path / "p.json", {1: [["3_joy", "2"]]})
    options = EvaluationOptions(definition=definition, gold_emotions=True, n_resamples=0)
    (evaluation,) = evaluate_files(FileEvaluationRequest(file, gold_file=file, options=options)).evaluations
    assert any(words in note for note in evaluation.notes)
    (silent,) = evaluate_files(
        FileEvaluationRequest(file, gold_file=file, options=replace(options, gold_emotions=False))
    ).evaluations
    assert not any("--gold-emotions" in note for note in silent.notes)


def test_a_candidate_space_that_nothing_states_is_said(tmp_path, ecf_dir, run_file):
    request = ecf_request(ecf_predictions(tmp_path, past=True), ecf_dir)
    words = "Candidate space taken as past from the pairs of the file; --candidates states it."
    assert words in evaluate_files(request).evaluations[0].notes
    stated = evaluate_files(replace(request, candidates="past")).evaluations[0]
    ours = evaluate_files(FileEvaluationRequest(run_file(), options=FEW)).evaluations[0]
    assert not any("Candidate space" in note for note in (*stated.notes, *ours.notes))


def test_a_run_says_that_it_records_another_definition(tmp_path, ecf_dir, capsys):
    path = ecf_predictions(tmp_path)
    arguments = [str(path), "--data-dir", str(ecf_dir), "--config-name", "ecf", "--split", "dev", "--resamples", "0"]
    for i, letter in enumerate(("A", "B")):
        main([*arguments, "--definition", letter, "--as-run", str(tmp_path / f"r{i}")])
        assert ("compared by definition A, which the folder records" in capsys.readouterr().out) == (letter == "B")


def run_script(repository, *arguments):
    return forked_python.run(repository / "scripts" / "evaluate_predictions.py", *arguments)


@pytest.mark.slow
def test_command_prints_a_table_and_writes_json_beside_the_file(repository, run_file):
    path, other = run_file(), run_file("other.parquet", seed=1)
    done = run_script(repository, path, "--compare", other, "--resamples", 200)
    assert done.returncode == 0, done.stderr
    for words in (
        "SYNTHETIC DATA",
        "pair_f1",
        "95 % interval",
        "p (bootstrap)",
        "iemomecp|def:F|",
        "not here: distance only, emotion x distance: fitted on train: --data-dir gives it.",
    ):
        assert words in done.stdout
    content = json.loads(path.with_name(f"{path.name}.scores.json").read_text())
    assert len(content["evaluations"]) == 2
    assert content["comparison"]["difference"] == "first minus second"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["/nowhere/predictions.parquet"], "is not there"),
        (["--definition", "E"], "not an F1"),
        (["--definition", "G"], "Did you mean|Known names"),
        (["--threshold", "2"], "--threshold must lie within [0, 1], but is 2"),
        (["--data-dir", "/nowhere"], "/nowhere"),
    ],
)
def test_command_ends_with_one_sentence_and_code_2(repository, run_file, arguments, words):
    path = [] if arguments[0].startswith("/") else [run_file()]
    done = run_script(repository, *path, *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ") or "\nerror: " in done.stderr
    assert any(word in done.stderr for word in words.split("|"))
    assert "Traceback" not in done.stderr


def test_help_is_quick_and_complete(repository):
    command = [sys.executable, repository / "scripts" / "evaluate_predictions.py", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    for option in (
        "--data-dir",
        "--compare",
        "--definition",
        "--threshold",
        "--resamples",
        "--write-semeval",
        "--read",
        "--window",
        "--past",
    ):
        assert option in done.stdout


def test_the_run_of_validation_predictions_decides_as_is_printed(tmp_path, synthetic_dir, capsys):
    validation = pair_table(iemomecp_dataset.load("3class", data_dir=synthetic_dir)["validation"])
    generator = np.random.default_rng(1)
    probabilities = 0.8 * generator.dirichlet([1, 1, 4], len(validation)) + 0.2 * np.eye(3)[validation.labels]
    frame = pd.DataFrame(
        {
            "dialogue_id": validation.dialogue_ids,
            "target_turn": validation.target_turns,
            "cause_turn": validation.cause_turns,
            **{f"prob_{name}": probabilities[:, i] for i, name in enumerate(ROLE_LABELS)},
        }
    )
    file = tmp_path / "mine.csv"
    frame.to_csv(file, index=False)
    command = [
        str(file), "--data-dir", str(synthetic_dir), "--config-name", "3class", "--split", "valid",
        "--resamples", "0", "--no-structural",
    ]  # fmt: skip
    main([*command, "--as-run", str(tmp_path / "run")])
    assert "by the most probable class" in capsys.readouterr().out
    printed = json.loads((tmp_path / "mine.csv.scores.json").read_text())["evaluations"][0]["scores"]["pair_f1"]
    record = read_results(tmp_path / "run")
    assert record.threshold["value"] is None
    assert record.metrics["validation"]["pair_f1"] == pytest.approx(printed)
    # Asked for, the threshold is chosen on them, and both say so.
    main([*command, "--validation", str(file), "--as-run", str(tmp_path / "chosen")])
    printed = json.loads((tmp_path / "mine.csv.scores.json").read_text())["evaluations"][0]["scores"]["pair_f1"]
    record = read_results(tmp_path / "chosen")
    assert record.threshold["chosen_on"] == "validation"
    assert record.metrics["validation"]["pair_f1"] == pytest.approx(printed)
    other = tmp_path / "other.csv"
    frame.to_csv(other, index=False)
    with pytest.raises(UsageError, match="both predictions for validation"):
        main([*command, "--validation", str(other), "--as-run", str(tmp_path / "third")])


def test_scores_of_the_same_file_are_not_replaced_without_a_word(run_file, synthetic_dir, capsys):
    command = [str(run_file()), "--data-dir", str(synthetic_dir), "--resamples", "0", "--no-structural"]
    main(command)
    assert "replaced" not in capsys.readouterr().out
    main([*command, "--definition", "B"])
    assert "replaced: the earlier scores of this file (definition F; most probable class" in capsys.readouterr().out
    main(command)
    assert "replaced: the earlier scores of this file (definition B; " in capsys.readouterr().out


@pytest.fixture
def bare_csv(tmp_path, test_pairs):
    """Writes a CSV on the synthetic test split that states nothing but its pairs and probabilities."""

    def write(name, *classes, separator=","):
        keys = dict(zip(("dialogue_id", "target_turn", "cause_turn"), test_pairs.keys, strict=True))
        frame = pd.DataFrame(keys | {f"prob_{one}": 1 / len(classes) for one in classes})
        frame.to_csv(tmp_path / name, index=False, sep=separator)
        return tmp_path / name

    return write


def test_a_file_that_states_no_split_is_of_the_one_that_has_its_dialogues(bare_csv, tmp_path, synthetic_dir, capsys):
    file = bare_csv("mine.csv", *ROLE_LABELS)
    command = [str(file), "--data-dir", str(synthetic_dir), "--resamples", "0", "--no-structural"]
    main([*command, "--as-run", str(tmp_path / "run")])
    printed = capsys.readouterr().out
    assert "note: Split taken as test" in printed
    n_pairs, n_dialogues = len(pd.read_csv(file)), pd.read_csv(file)["dialogue_id"].nunique()
    assert f"note: All {n_pairs} candidates of {n_dialogues} dialogues are in the file." in printed
    assert "test" in read_results(tmp_path / "run").metrics
    with pytest.raises(InvalidDataError, match="they are dialogues of test: --split test"):
        main([*command, "--split", "validation"])
    rows = pd.read_csv(file)
    pd.concat([rows, rows.head(1).assign(dialogue_id="elsewhere")]).to_csv(file, index=False)
    with pytest.raises(UsageError, match="does not state its split: add --split"):
        main(command)


def test_what_is_wrong_with_the_columns_is_said_with_the_remedy(bare_csv, tmp_path, synthetic_dir):
    def why(file):
        with pytest.raises((UsageError, InvalidDataError)) as caught:
            main([str(file), "--data-dir", str(synthetic_dir), "--split", "test"])
        return str(caught.value)

    mistyped = why(bare_csv("typo.csv", "cause", *ROLE_LABELS[1:]))
    assert "Is prob_cause meant to be prob_emo_cause? Rename it, and add --config-name 3class." in mistyped
    assert "add --config-name source_binary, which --data-dir looks like" in why(bare_csv("binary.csv", "pair"))
    assert why(bare_csv("tab.csv", *ROLE_LABELS, separator="\t")).endswith("is tab separated: name it .tsv.")
    assert "is semicolon separated: write it with commas" in why(bare_csv("semi.csv", *ROLE_LABELS, separator=";"))
    assert why(bare_csv("comma.tsv", *ROLE_LABELS)).endswith("is comma separated: name it .csv.")
    (tmp_path / "rows.json").write_text('[{"dialogue_id": "d", "target_turn": 1}]')
    with pytest.raises(InvalidDataError, match="rows of a table"):
        main(
            [
                str(tmp_path / "rows.json"),
                "--data-dir",
                str(synthetic_dir),
                "--config-name",
                "3class",
                "--split",
                "test",
            ]
        )
