"""Scoring of explanations files, with their own references or those of a corpus, and as a run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from corpus_files import meld_csv, write
from explanation_cases import explanation_corpus

from iemomecp_dataset.benchmark.runs import explanation_submission
from iemomecp_dataset.benchmark.runs.results import read_results
from iemomecp_dataset.commands.evaluate import main
from iemomecp_dataset.corpora.metadata import CORPORA
from iemomecp_dataset.corpus import load_corpus
from iemomecp_dataset.errors import InvalidDataError, UsageError
from iemomecp_dataset.explanation_table import explanation_table
from iemomecp_dataset.metrics.evaluation.explanations import gold as explanation_gold
from iemomecp_dataset.metrics.explanations import scoring
from iemomecp_dataset.metrics.explanations.scoring import explanation_scores
from iemomecp_dataset.synthetic import write_ecem

CORPUS = explanation_corpus(name="reccon", config_name="reccon")
TABLE = explanation_table(CORPUS.rows["test"])


@pytest.fixture(autouse=True)
def corpus_on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any folder holds the corpus; METEOR, which starts Java, is not there."""
    monkeypatch.setattr(scoring, "meteor_scores", lambda *_: "Java is not installed.")
    for module in (explanation_gold, explanation_submission):
        monkeypatch.setattr(module, "load_corpus", lambda *_, **__: CORPUS)


def texts(place: int, reference: str) -> str:
    return "" if place == 0 else reference.replace("came", "fell")


def write_file(path: Path, *, references: bool = True, drop: int = 0, dialogue: str | None = None) -> Path:
    """Items in another order than the corpus."""
    items = [
        {"dialogue_id": d, "target_turn": int(t), "reference": reference, "prediction": texts(place, reference)}
        for place, (d, t, reference) in enumerate(
            zip(TABLE.dialogue_ids.tolist(), TABLE.target_turns, TABLE.references, strict=True)
        )
    ][: len(TABLE) - drop]
    if dialogue:
        items[0]["dialogue_id"] = dialogue
    frame = pd.DataFrame(items[::-1])
    (frame if references else frame.drop(columns="reference")).to_csv(path, index=False)
    return path


@pytest.mark.parametrize("with_data", [False, True])
def test_scores_are_those_of_the_metric_whatever_the_order(
    with_data: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_file(tmp_path / "explanations_test.csv", references=not with_data)
    gold = ["--data-dir", str(tmp_path)] if with_data else []
    main([str(path), "--config-name", "reccon", "--resamples", "50", *gold])
    printed = capsys.readouterr().out
    (found,) = json.loads(path.with_name(f"{path.name}.scores.json").read_text(encoding="utf-8"))["evaluations"]
    expected = explanation_scores([texts(i, r) for i, r in enumerate(TABLE.references)], TABLE.references, meteor=False)
    for name in ("content_cider", "bleu_4", "sacrebleu", "rouge_l_f"):
        assert found["scores"][name] == pytest.approx(expected[name])
    assert found["intervals"]["content_cider"]["standard_error"] > 0
    assert "1 of 8 predictions are empty" in printed
    assert "absent: meteor: Java" in printed
    assert ("was not checked" in printed) is not with_data
    assert printed.index("content_cider ") < printed.index("bleu_4 ")


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ({"drop": 2}, r"2 items missing: \(dialogue test_6, target 2\), \(dialogue test_7, target 2\)"),
        ({"dialogue": "other"}, r"1 item missing: .*; 1 item not in the data: \(dialogue other, target 2\)"),
    ],
)
def test_missing_and_unknown_items_are_refused(made: dict[str, object], words: str, tmp_path: Path) -> None:
    path = write_file(tmp_path / "explanations_test.csv", **made)  # type: ignore[arg-type]
    with pytest.raises(InvalidDataError, match=words):
        main([str(path), "--config-name", "reccon", "--data-dir", str(tmp_path)])


def test_two_files_are_compared_by_dialogue(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = write_file(tmp_path / "a.csv"), write_file(tmp_path / "b.csv")
    # The same items in another order.
    head, *lines = second.read_text(encoding="utf-8").replace("fell", "fell today").splitlines()
    second.write_text("\n".join([head, *lines[::-1]]), encoding="utf-8")
    main([str(first), "--compare", str(second), "--config-name", "reccon", "--split", "test", "--resamples", "50"])
    printed = capsys.readouterr().out
    assert "paired over 8 source dialogues" in printed
    written = json.loads((tmp_path / "a.csv.scores.json").read_text(encoding="utf-8"))
    difference = written["comparison"]["paired_bootstrap"]["bleu_4"]["estimate"]
    one, other = (evaluation["scores"]["bleu_4"] for evaluation in written["evaluations"])
    assert difference == pytest.approx(one - other)
    assert difference > 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--threshold", "0.5"], "explains emotions and lists no pairs; leave --threshold out"),
        ([], "has no column reference"),
    ],
)
def test_options_of_pairs_and_files_without_references_are_refused(
    options: list[str], words: str, tmp_path: Path
) -> None:
    path = write_file(tmp_path / "explanations_test.csv", references=False)
    with pytest.raises(UsageError, match=words):
        main([str(path), *options])


GIVEN = {"status": "all", "meld_root": Path("meld"), "ecf_root": Path("ECF"), "ecf_map": Path("map.txt")}


def test_options_of_corpus_and_scores_reach_the_evaluation_and_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given: list[dict[str, object]] = []
    for module in (explanation_gold, explanation_submission):
        monkeypatch.setattr(module, "load_corpus", lambda *_, **options: given.append(options) or CORPUS)
    monkeypatch.setattr(
        scoring, "bertscore_items", lambda texts, _, model, **__: np.full(len(texts), {"roberta": 0.5}[model])
    )
    monkeypatch.setattr(scoring, "bleurt_items", lambda texts, *_: np.zeros(len(texts)))
    monkeypatch.setattr(scoring, "meteor_scores", lambda *_: pytest.fail("METEOR was not asked for"))
    path = write_file(tmp_path / "explanations_test.csv")
    (tmp_path / "roberta").mkdir()
    (tmp_path / "roberta" / "config.json").write_text('{"num_hidden_layers": 6}', encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    options = [word for name, value in GIVEN.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    options += ["--bertscore-model", "roberta", "--bleurt-model", "tiny", "--no-meteor", "--resamples", "0"]
    main([str(path), "--config-name", "reccon", "--data-dir", "d", *options, "--as-run", str(tmp_path / "theirs")])
    printed = capsys.readouterr().out
    assert "absent: meteor: It was not asked for: pass --meteor." in printed
    (found,) = json.loads(path.with_name(f"{path.name}.scores.json").read_text(encoding="utf-8"))["evaluations"]
    assert found["unavailable"]["meteor"].endswith("meteor=True.")
    record = read_results(tmp_path / "theirs")
    for scores in (found["scores"], record.metrics["test"], record.structural_baselines["medoid"]["splits"]["test"]):
        assert (scores["bertscore_f1"], scores["bleurt"], "meteor" in scores) == (0.5, 0, False)
    for signature in (found["signature"], record.extra["signatures"]["test"]):
        assert "|bertscore:roberta@6|bleurt:tiny|" in signature
    assert [{name: options[name] for name in GIVEN} for options in given] == [GIVEN, GIVEN]


def test_a_run_on_ecem_has_the_row_of_gold_causes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    folder = write_ecem(tmp_path / "ecem")
    (folder / "ECF" / CORPORA["ecf"].origin_map).rename(tmp_path / "map.txt")
    table = explanation_table(load_corpus("ecem", folder).rows["test"])
    path = tmp_path / "theirs.csv"
    keys = {"dialogue_id": table.dialogue_ids, "target_turn": table.target_turns}
    pd.DataFrame({**keys, "prediction": table.references}).to_csv(path, index=False)
    data = ["--config-name", "ecem", "--split", "test", "--data-dir", str(folder)]
    data += ["--ecf-root", str(folder / "ECF"), "--ecf-map", str(tmp_path / "map.txt")]
    main([str(path), *data, "--resamples", "0", "--no-meteor", "--as-run", str(tmp_path / "theirs")])
    rows = read_results(tmp_path / "theirs").structural_baselines
    assert rows["frame_gold_cause"]["splits"]["test"]["content_cider"] > 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--meld-root", "meld"], "--meld-root chooses what is read from --data-dir; add that, or leave it out"),
        (["--status", "all", "--ecf-map", "m"], "--status and --ecf-map choose what is read .* leave them out"),
        (["--data-dir", "d", "--config-name", "ecgf", "--ecf-root", "e"], "'ecgf' does not take the option 'ecf_root'"),
        (["--data-dir", "d", "--config-name", "ecem", "--ecf-map", "m"], r"--ecf-map is the map of .* --ecf-root"),
    ],
)
def test_options_of_a_corpus_that_have_no_use_are_refused(
    options: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    path = write_file(tmp_path / "explanations_test.csv")
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "d" / "train_data_just_reason.json", [])
    write(tmp_path / "d" / "train_sent_emo.csv", meld_csv())
    with pytest.raises(UsageError, match=words):
        main([str(path), *options])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('[{"dialogue_id": "d", "target_turn": 1}]', "no column for prediction: an explanations file has one row per"),
        ("[]", "expected a list of objects with dialogue_id, target_turn and prediction, at least one"),
        ("dialogue_id,target_turn,prediction\n", "holds no rows"),
    ],
)
def test_a_file_for_a_corpus_of_explanations_is_told_what_it_lacks(content: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / f"theirs.{'json' if content.startswith('[') else 'csv'}"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InvalidDataError, match=words):
        main([str(path), "--config-name", "ecem", "--split", "test", "--data-dir", str(tmp_path)])


@pytest.mark.parametrize(
    ("columns", "what"),
    [
        (("dialogue_id", "target_turn", "cause_turn", "pred_id"), "predicts cause pairs"),
        (("dialogue_id", "turn", "prediction"), "predicts the emotions of utterances"),
    ],
)
@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--ecf-root", "e", "--data-dir", "d"], "--ecf-root is for files of explanations. Leave it out"),
        (["--bleurt-model", "m", "--no-meteor"], "--bleurt-model and --no-meteor are for .* Leave them out"),
    ],
)
def test_options_of_explanations_are_refused_for_other_files(
    columns: tuple[str, ...], what: str, options: list[str], named: str, tmp_path: Path
) -> None:
    path = tmp_path / "theirs.csv"
    pd.DataFrame([dict.fromkeys(columns, 1)]).to_csv(path, index=False)
    with pytest.raises(UsageError, match=f"theirs.csv {what}; {named}"):
        main([str(path), *options])


def test_a_file_becomes_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_file(tmp_path / "explanations_test.csv")
    data = ["--config-name", "reccon", "--data-dir", str(tmp_path), "--resamples", "0"]
    main([str(path), *data, "--as-run", str(tmp_path / "theirs"), "--system", "Theirs"])
    assert "a run of Theirs: content CIDEr" in capsys.readouterr().out
    record = read_results(tmp_path / "theirs")
    assert (record.task, record.scorer, record.objective) == ("explanation", "external", "Theirs")
    assert record.metrics["test"]["n_empty"] == 1
    assert "medoid" in record.structural_baselines
