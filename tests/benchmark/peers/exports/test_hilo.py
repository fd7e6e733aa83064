"""The export for HiLo: files, order of train, the ids of its emotions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from peer_dialogues_case import NEUTRAL_FIRST, SPLITS, peer_corpus

from iemomecp_dataset.benchmark.peers.exports.exporting import export_for
from iemomecp_dataset.benchmark.peers.exports.request import ExportRequest
from iemomecp_dataset.benchmark.peers.manifest import check_manifest
from iemomecp_dataset.corpora.ecf import read_ecf_text
from iemomecp_dataset.errors import InvalidDataError


def test_files_and_the_dialogue_that_begins_neutrally(tmp_path: Path) -> None:
    corpus = peer_corpus()
    manifest = export_for(corpus, ExportRequest("hilo", tmp_path)).manifest
    folder = tmp_path / "data" / "dataset"
    assert {path.name for path in folder.iterdir()} == {
        "train.txt",
        "valid.txt",
        "test.txt",
        "audio_embedding_6373.npy",
        "video_embedding_4096.npy",
        "video_id_mapping.npy",
    }
    read = {name: list(read_ecf_text(folder / f"{name}.txt")) for name in ("train", "valid", "test")}
    assert [dialogue.dialogue_id for dialogue in read["train"]] == ["10", "9", "2"]
    assert [sorted(dialogue.gold) for dialogue in read["valid"]] == [SPLITS["validation"][0][2]]
    assert [dialogue.peer_id for dialogue in manifest.splits["train"]] == ["10", "9", "2"]
    assert manifest.options["moved_first"] == "10"
    assert manifest.counts["train"]["dialogues moved to the front, since they begin neutrally"] == 1
    check_manifest(manifest, corpus)
    # By number, whatever the order of train: rows 1 to 12 are of the dialogues 1, 2, 4, 7, 9, 10.
    mapping = np.load(folder / "video_id_mapping.npy", allow_pickle=True).item()
    assert list(mapping) == [
        f"dia{name}utt{turn}"
        for name, n in ((1, 2), (2, 1), (4, 2), (7, 2), (9, 2), (10, 3))
        for turn in range(1, n + 1)
    ]
    assert np.load(folder / "video_embedding_4096.npy").shape == (13, 1)


def test_nothing_is_moved_where_train_begins_neutrally(tmp_path: Path) -> None:
    corpus = peer_corpus(splits=SPLITS | {"train": SPLITS["train"][1:]})
    manifest = export_for(corpus, ExportRequest("hilo", tmp_path)).manifest
    assert manifest.options["moved_first"] is None
    assert [dialogue.dialogue_id for dialogue in manifest.splits["train"]] == ["10", "2"]


@pytest.mark.parametrize("choice", ["categories", "binary"])
def test_train_without_a_neutral_beginning_is_refused(tmp_path: Path, choice: str) -> None:
    corpus = peer_corpus(splits=SPLITS | {"train": SPLITS["train"][:1]})
    with pytest.raises(InvalidDataError, match="None of the 1 train dialogues begins with a neutral utterance"):
        export_for(corpus, ExportRequest("hilo", tmp_path, hilo_emotions=choice))
    assert not (tmp_path / "manifest.json").exists()


@pytest.mark.parametrize(
    ("choice", "emo_cat", "ids", "note"),
    [
        # In the order of the file, which begins with dialogue 10.
        ("categories", "yes", "0 neutral, 1 anger, 2 sadness, 3 joy.", "emotion id 1, which is anger here, or whose"),
        ("binary", "no", "0 neutral, 1 emotional.", "two emotions (emo_cat is not yes)"),
    ],
)
def test_the_choice_of_emotions_is_said(tmp_path: Path, choice: str, emo_cat: str, ids: str, note: str) -> None:
    manifest = export_for(peer_corpus(), ExportRequest("hilo", tmp_path, hilo_emotions=choice)).manifest
    howto = (tmp_path / "HOWTO.md").read_text(encoding="utf-8")
    assert f"| `emo_cat` | {emo_cat} |" in howto
    assert f"Emotion ids here: {ids}" in howto
    assert manifest.options["hilo_emotions"] == choice
    assert any(note in said for said in manifest.notes)


def test_howto_has_the_largest_recall_and_the_launcher(tmp_path: Path) -> None:
    export_for(peer_corpus(), ExportRequest("hilo", tmp_path))
    howto = (tmp_path / "HOWTO.md").read_text(encoding="utf-8")
    assert "largest possible recall: 50.0 % on validation (1 of 2 pairs), 100.0 % on test (0 of 3 pairs)." in howto
    assert "peers/launch_hilo.py --clone" in howto
    assert "at 35 word pieces, silently (word pieces were not counted" in howto


def test_one_role_of_three(tmp_path: Path) -> None:
    for positive, pairs in (("emo_cause", 5), ("emo_context", 2)):
        request = ExportRequest("hilo", tmp_path / positive, positive=positive)
        manifest = export_for(peer_corpus("3class", NEUTRAL_FIRST), request).manifest
        assert manifest.options["positive"] == positive
        assert manifest.counts["train"]["positive pairs"] == pairs
        assert any(f"One relation was exported, {positive};" in note for note in manifest.notes)
        text = (tmp_path / positive / "data" / "dataset" / "train.txt").read_text(encoding="utf-8")
        assert text.startswith("2 1\n")  # The emotion "neu" of the corpus is "neutral" in the file.
