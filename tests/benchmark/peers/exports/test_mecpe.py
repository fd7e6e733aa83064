"""The export for MECPE-2step: files, words, lengths."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from peer_dialogues_case import SPLITS, long_dialogue, peer_corpus

from iemomecp_dataset.benchmark.peers.exports.exporting import export_for
from iemomecp_dataset.benchmark.peers.exports.feature_arrays import ArrayOptions
from iemomecp_dataset.benchmark.peers.exports.request import ExportRequest
from iemomecp_dataset.corpora.ecf import read_ecf_text
from iemomecp_dataset.errors import InvalidDataError


def test_files(tmp_path: Path) -> None:
    manifest = export_for(peer_corpus(), ExportRequest("mecpe", tmp_path)).manifest
    folder = tmp_path / "data"
    assert {path.name for path in folder.iterdir()} == {
        "train.txt",
        "dev.txt",
        "test.txt",
        "all_data_pair.txt",
        "ECF_glove_300.txt",
        "audio_embedding_6373.npy",
        "video_embedding_4096.npy",
        "video_id_mapping.npy",
    }
    everything = list(read_ecf_text(folder / "all_data_pair.txt"))
    assert [dialogue.dialogue_id for dialogue in everything] == ["1", "2", "4", "7", "9", "10"]
    keys = [f"dia{d.dialogue_id}utt{turn}" for d in everything for turn in range(1, len(d.utterances) + 1)]
    mapping = np.load(folder / "video_id_mapping.npy", allow_pickle=True).item()
    assert mapping == {key: row for row, key in enumerate(keys, start=1)}
    assert [dialogue.dialogue_id for dialogue in read_ecf_text(folder / "train.txt")] == ["9", "10", "2"]
    words = {word for d in everything for u in d.utterances for word in u.text.split()}
    lines = (folder / "ECF_glove_300.txt").read_text(encoding="utf-8").splitlines()
    assert words <= {line.split()[0] for line in lines[1:]}
    assert manifest.options["words"] == manifest.options["words_with_a_vector"] == len(words)
    assert any("RANDOM vectors of seed 42" in note for note in manifest.notes)


def test_thirty_six_utterances_are_refused_by_name(tmp_path: Path) -> None:
    fits = SPLITS | {"test": [long_dialogue("7", 35)]}
    export_for(peer_corpus(splits=fits), ExportRequest("mecpe", tmp_path))
    assert "the longest here has 35" in (tmp_path / "HOWTO.md").read_text(encoding="utf-8")
    too_long = SPLITS | {"test": [long_dialogue("7", 35), long_dialogue("8", 36), long_dialogue("11", 40)]}
    with pytest.raises(
        InvalidDataError,
        match=r"test, dialogue '8': it has 36 utterances, and MECPE has room for 35; 1 more are too long",
    ):
        export_for(peer_corpus(splits=too_long), ExportRequest("mecpe", tmp_path))
    # The manifest of the earlier export is gone: its files may have been replaced.
    assert not (tmp_path / "manifest.json").exists()


def test_long_utterances_are_counted(tmp_path: Path) -> None:
    texts = [" ".join(["so"] * n) for n in (35, 36)]
    long = SPLITS | {"test": [("7", [("Ada", "neutral", text) for text in texts], [])]}
    manifest = export_for(peer_corpus(splits=long), ExportRequest("mecpe", tmp_path)).manifest
    assert manifest.counts["test"]["utterances of more than 35 words"] == 1


@pytest.mark.parametrize(
    ("config_name", "segmenter", "first", "counted"),
    [
        ("ecf", None, "No, no!", {}),
        ("ecf", "punctuation", "No , no !", {"texts with punctuation split off": 1}),
        ("reccon", None, "No , no !", {"texts with punctuation split off": 1}),
        ("mecad", "characters", "No , no !", {"texts split into characters": 1}),
    ],
)
def test_words_are_separated_as_the_corpus_needs(
    tmp_path: Path, config_name: str, segmenter: str | None, first: str, counted: dict[str, int]
) -> None:
    splits = SPLITS | {"validation": [("4", [("Eva", "neutral", "No, no!")], [])]}
    request = ExportRequest("mecpe", tmp_path, segmenter=segmenter)
    manifest = export_for(peer_corpus(config_name, splits), request).manifest
    assert f"| {first} | 4: " in (tmp_path / "data" / "dev.txt").read_text(encoding="utf-8")
    found = {kind: n for kind, n in manifest.counts["validation"].items() if "split" in kind}
    assert found == counted
    assert manifest.options["segmenter"] == (segmenter or {"ecf": "none"}.get(config_name, "punctuation"))


def test_features_decide_the_flags_and_the_modalities(tmp_path: Path) -> None:
    ids = [f"dia{row['dialogue_id']}utt{u['turn']}" for rows in peer_corpus().rows.values() for row in rows
           for u in row["utterances"]]  # fmt: skip
    pq.write_table(pa.table({"utterance_id": ids, "vector": [[1.0, 2.0]] * len(ids)}), tmp_path / "a.parquet")
    request = ExportRequest("mecpe", tmp_path / "out", audio=ArrayOptions(tmp_path / "a.parquet"))
    manifest = export_for(peer_corpus(), request).manifest
    assert manifest.options["modalities"] == "ta"
    assert {name: found["width"] for name, found in manifest.options["features"].items()} == {"audio": 2, "video": 1}
    assert [note for note in manifest.notes if "features" in note] == [
        "There are no video features: one column of the constant 1 stands in their place."
    ]
    howto = (tmp_path / "out" / "HOWTO.md").read_text(encoding="utf-8")
    assert "step1.py --use_x_a yes --scope BiLSTM_A --end_run 2" in howto
    assert "| width of audio | 2 |" in howto


def test_emotions_go_into_the_seven_slots(tmp_path: Path) -> None:
    request = ExportRequest("mecpe", tmp_path, positive="emo_cause")
    manifest = export_for(peer_corpus("3class"), request).manifest
    assert manifest.emotions["fru"] == "disgust"
    assert any("slots, not meanings" in note for note in manifest.notes)
    assert "1 | Ada | sadness | We won" in (tmp_path / "data" / "train.txt").read_text(encoding="utf-8")
