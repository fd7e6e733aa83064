"""Gold and predictions in the layout of the official SemEval-2024 evaluator."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from peer_dialogues_case import SPLITS, peer_corpus

from iemomecp_dataset.benchmark.peers.exports.exporting import export_for
from iemomecp_dataset.benchmark.peers.exports.request import ExportRequest
from iemomecp_dataset.corpora.ecf_json import read_ecf_json
from iemomecp_dataset.errors import UsageError


def predictions(path: Path, decisions: dict[tuple[str, int, int], str | None]) -> Path:
    """Decisions of the pairs that are named, with the emotion of their target; every other pair is none."""
    rows = [
        {
            "split": "test",
            "dialogue_id": row["dialogue_id"],
            "target_turn": pair["target_turn"],
            "cause_turn": pair["cause_turn"],
            "pred_id": 0 if (row["dialogue_id"], pair["target_turn"], pair["cause_turn"]) in decisions else 1,
        }
        for row in peer_corpus().rows["test"]
        for pair in row["pairs"]
    ]
    emotions = {key[:2]: emotion for key, emotion in decisions.items() if emotion is not None}
    table = pd.DataFrame(rows)
    if emotions:
        table["emotion"] = [emotions.get((row["dialogue_id"], row["target_turn"]), "neutral") for row in rows]
    table.to_csv(path, index=False)
    return path


def test_gold_has_every_pair_with_the_emotion_of_its_target(tmp_path: Path) -> None:
    from collections import Counter

    manifest = export_for(peer_corpus(), ExportRequest("semeval", tmp_path)).manifest
    gold = json.loads((tmp_path / "gold_train.json").read_text(encoding="utf-8"))
    assert [entry["conversation_ID"] for entry in gold] == [9, 10, 2]
    assert gold[1]["emotion-cause_pairs"] == [
        ["2_anger", "1"],
        ["2_anger", "2"],
        ["2_anger", "3"],
        ["3_sadness", "1"],
    ]
    assert gold[1]["conversation"][2] == {
        "utterance_ID": 3,
        "text": "  ",
        "speaker": "Cleo | Dee",
        "emotion": "sadness",
    }
    assert "emotions" not in gold[0]
    read = list(read_ecf_json(tmp_path / "gold_test.json", Counter()))
    assert [sorted(dialogue.gold) for dialogue in read] == [gold for _, _, gold in SPLITS["test"]]
    assert [dialogue.peer_id for dialogue in manifest.splits["train"]] == ["9", "10", "2"]
    assert manifest.notes == ()


def test_predictions_are_written_with_their_emotions(tmp_path: Path) -> None:
    file = predictions(tmp_path / "p.csv", {("7", 1, 1): "disgust", ("1", 2, 1): "anger"})
    result = export_for(peer_corpus(), ExportRequest("semeval", tmp_path / "out", predictions=(file,)))
    found = json.loads((tmp_path / "out" / "predictions_test.json").read_text(encoding="utf-8"))
    assert [entry["emotion-cause_pairs"] for entry in found] == [[["1_disgust", "1"]], [["2_anger", "1"]]]
    assert "predictions_test.json" in result.files
    assert result.manifest.counts["test"]["predicted pairs with predicted emotions"] == 2


def test_gold_emotions_are_asked_for_and_stated(tmp_path: Path) -> None:
    file = predictions(tmp_path / "p.csv", {("1", 2, 1): None})
    with pytest.raises(UsageError, match="export-for semeval needs the emotion of every predicted pair"):
        export_for(peer_corpus(), ExportRequest("semeval", tmp_path / "out", predictions=(file,)))
    request = ExportRequest("semeval", tmp_path / "out", predictions=(file,), gold_emotions=True)
    counts = export_for(peer_corpus(), request).manifest.counts["test"]
    found = json.loads((tmp_path / "out" / "predictions_test.json").read_text(encoding="utf-8"))
    assert [entry["emotion-cause_pairs"] for entry in found] == [[], [["2_joy", "1"]]]
    assert {entry["emotions"] for entry in found} == {"gold"}
    assert counts["predicted pairs with GOLD emotions, an upper bound"] == 1


def test_two_files_of_one_split_are_refused(tmp_path: Path) -> None:
    files = tuple(predictions(tmp_path / name, {("7", 1, 1): "joy"}) for name in ("a.csv", "b.csv"))
    with pytest.raises(UsageError, match=r"a\.csv and .*b\.csv are both predictions for test"):
        export_for(peer_corpus(), ExportRequest("semeval", tmp_path / "out", predictions=files))


def test_other_emotions_and_roles_are_said(tmp_path: Path) -> None:
    request = ExportRequest("semeval", tmp_path, positive="emo_context")
    manifest = export_for(peer_corpus("3class"), request).manifest
    assert any("ang, exc, fru, hap, sad are not among them" in note for note in manifest.notes)
    gold = json.loads((tmp_path / "gold_train.json").read_text(encoding="utf-8"))
    assert gold[1]["emotion-cause_pairs"] == [["3_exc", "2"]]
    file = tmp_path / "p.csv"
    with pytest.raises(UsageError, match="give --positive emo_cause with --predictions"):
        export_for(peer_corpus("3class"), ExportRequest("semeval", tmp_path, "emo_context", predictions=(file,)))
