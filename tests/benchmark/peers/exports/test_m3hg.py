"""The export for M3HG: ids, emotions, and what a start on text alone needs beside the data."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from peer_dialogues_case import SPLITS, peer_corpus

from iemomecp_dataset.benchmark.peers.exports.exporting import export_for
from iemomecp_dataset.benchmark.peers.exports.feature_arrays import ArrayOptions
from iemomecp_dataset.benchmark.peers.exports.request import ExportRequest
from iemomecp_dataset.corpora.turn_lists import read_turn_lists
from iemomecp_dataset.errors import UsageError


def test_files_are_those_of_mecad_whatever_the_corpus(tmp_path: Path) -> None:
    manifest = export_for(peer_corpus(), ExportRequest("m3hg", tmp_path)).manifest
    train = json.loads((tmp_path / "data" / "MECAD" / "train_data_pair.json").read_text(encoding="utf-8"))
    assert list(train) == ["dialogue_9", "dialogue_10", "dialogue_2"]
    assert train["dialogue_10"] == [
        [
            {
                "turn": 1,
                "speaker": "Ben",
                "utterance": "It rains again .",
                "emotion": "Neutral",
                "video": "dia10utt1.mp4",
            },
            {
                "turn": 2,
                "speaker": "Ada",
                "utterance": "left / right",
                "emotion": "Anger",
                "video": "dia10utt2.mp4",
                "expanded emotion cause evidence": [1, 2, 3],
            },
            {
                "turn": 3,
                "speaker": "Cleo / Dee",
                "utterance": ".",
                "emotion": "Sad",
                "video": "dia10utt3.mp4",
                "expanded emotion cause evidence": [1],
            },
        ]
    ]
    assert manifest.counts["train"]["clips named after the utterance"] == 6
    assert manifest.emotions["joy"] == "Happy"


def test_no_dialogue_is_called_10(tmp_path: Path) -> None:
    manifest = export_for(peer_corpus(), ExportRequest("m3hg", tmp_path)).manifest
    ids = {dialogue.dialogue_id: dialogue.peer_id for of_split in manifest.splits.values() for dialogue in of_split}
    assert ids["10"] == "dialogue_10"
    assert all(name.startswith("dialogue_") for name in ids.values())


def test_what_stands_beside_the_data(tmp_path: Path) -> None:
    manifest = export_for(peer_corpus(), ExportRequest("m3hg", tmp_path)).manifest
    for name in ("audio_features.pkl", "visual_features.pkl"):
        assert pickle.loads((tmp_path / name).read_bytes()) == {}
    mapping = np.load(tmp_path / "data" / "ECF" / "video_id_mapping.npy", allow_pickle=True).item()
    assert (len(mapping), mapping["dia9utt1"], mapping["dia1utt2"]) == (12, 1, 12)
    compile((tmp_path / "beside_the_code" / "torchaudio.py").read_text(encoding="utf-8"), "torchaudio.py", "exec")
    # Ada, Ben, Cleo / Dee, Eva, Gus.
    assert manifest.options["speakers"] == 5
    howto = (tmp_path / "HOWTO.md").read_text(encoding="utf-8")
    assert "| `max_speaker_num` | 5 or more:" in howto
    assert f"`{tmp_path.resolve()}/audio_features.pkl`" in howto


def test_pairs_that_are_too_far_apart_are_counted(tmp_path: Path) -> None:
    turns = [("Ada", "joy", "So .")] * 14
    far = SPLITS | {"test": [("7", turns, [(14, 1), (13, 1), (1, 14)])]}
    manifest = export_for(peer_corpus(splits=far), ExportRequest("m3hg", tmp_path)).manifest
    assert manifest.counts["test"]["positive pairs more than 12 turns apart"] == 2


def test_features_are_refused(tmp_path: Path) -> None:
    request = ExportRequest("m3hg", tmp_path, video=ArrayOptions(tmp_path / "v.parquet"))
    with pytest.raises(UsageError, match="--video: audio and video never reach the model"):
        export_for(peer_corpus(), request)


def test_the_reader_of_mecad_reads_it(tmp_path: Path) -> None:
    export_for(peer_corpus("mecad"), ExportRequest("m3hg", tmp_path))
    from collections import Counter

    read = list(read_turn_lists(tmp_path / "data" / "MECAD" / "test_data_pair.json", "mecad", Counter()))
    assert [sorted(dialogue.gold) for dialogue in read] == [gold for _, _, gold in SPLITS["test"]]
    assert [u.emotion for dialogue in read for u in dialogue.utterances] == ["disgust", "neutral", "neutral", "happy"]
