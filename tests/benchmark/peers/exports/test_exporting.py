"""What all exports share: manifest, HOWTO, counts, notes, and the synthetic corpus through every one of them."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from peer_dialogues_case import NEUTRAL_FIRST, SPLITS, peer_corpus

from iemomecp_dataset.benchmark.peers import PEERS
from iemomecp_dataset.benchmark.peers.exports import exporting
from iemomecp_dataset.benchmark.peers.exports.exporting import export_for, terms_of, text_version
from iemomecp_dataset.benchmark.peers.exports.request import ExportRequest
from iemomecp_dataset.benchmark.peers.manifest import check_manifest, read_manifest
from iemomecp_dataset.corpora.ecf import conversation_blocks
from iemomecp_dataset.corpus import load_corpus
from iemomecp_dataset.errors import UsageError


@pytest.mark.parametrize("peer", PEERS)
def test_every_export_has_its_files_a_howto_and_a_manifest_that_fits_the_data(peer: str, tmp_path: Path) -> None:
    corpus = peer_corpus()
    result = export_for(corpus, ExportRequest(peer, tmp_path))
    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert set(result.files) == written
    assert {"HOWTO.md", "manifest.json"} < written
    manifest = read_manifest(tmp_path)
    assert manifest == result.manifest
    check_manifest(manifest, corpus)
    assert (manifest.peer, manifest.config_name, manifest.options["positive"]) == (peer, "ecf", "pair")
    assert (manifest.options["candidates"], manifest.options["forward_pairs"]) == ("all", None)
    assert manifest.options["modalities"] == "t"
    sizes = {split: (n["dialogues"], n["utterances"], n["positive pairs"]) for split, n in manifest.counts.items()}
    assert sizes == {"train": (3, 6, 5), "validation": (1, 2, 2), "test": (2, 4, 3)}


@pytest.mark.parametrize("peer", PEERS)
def test_a_howto_is_complete(peer: str, tmp_path: Path) -> None:
    manifest = export_for(peer_corpus(), ExportRequest(peer, tmp_path)).manifest
    howto = (tmp_path / "HOWTO.md").read_text(encoding="utf-8")
    assert re.findall(r"\$\w*", howto) == []
    assert f"import-from {peer} --manifest {tmp_path.resolve()}/manifest.json --data-dir" in howto or (
        f"import_from.py {peer} --manifest {tmp_path.resolve()}/manifest.json --data-dir" in howto
    )
    assert "| positive pairs | 5 | 2 | 3 |" in howto
    for note in manifest.notes:
        assert f"* {note}\n" in howto
    if peer in ("hilo", "m3hg", "mecpe"):
        assert [line for line in howto.splitlines() if line.startswith("## ")][:1] == ["## 1. Environment"]
        assert r"| texts with \| replaced by / | 1 | 0 | 0 |" in howto
    assert "Keep them to yourself." in howto


@pytest.mark.parametrize("peer", ["hilo", "m3hg", "mecpe"])
def test_howto_says_how_two_roles_become_one_run(peer: str, tmp_path: Path) -> None:
    three = peer_corpus("3class", NEUTRAL_FIRST)
    for corpus, positive, said in ((three, "emo_cause", True), (peer_corpus(), None, False)):
        export_for(corpus, ExportRequest(peer, tmp_path, positive))
        assert ("`--context-manifest FILE" in (tmp_path / "HOWTO.md").read_text(encoding="utf-8")) is said


def test_a_broken_export_leaves_no_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    export_for(peer_corpus(), ExportRequest("mecpe", tmp_path))

    def broken(*_: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(exporting, "howto_text", broken)
    with pytest.raises(KeyboardInterrupt):
        export_for(peer_corpus(), ExportRequest("mecpe", tmp_path))
    assert not (tmp_path / "manifest.json").exists()
    assert not (tmp_path / "HOWTO.md").exists()


def test_an_unknown_peer_and_a_corpus_without_pairs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no export for 'hiLo'\. Did you mean 'hilo'"):
        export_for(peer_corpus(), ExportRequest("hiLo", tmp_path / "x"))
    none = {split: [(name, utterances, []) for name, utterances, _ in given] for split, given in SPLITS.items()}
    corpus = peer_corpus(splits=none)
    for rows in corpus.rows.values():
        for row in rows:
            row["pairs"] = []
    with pytest.raises(UsageError, match="has no cause pairs"):
        export_for(replace(corpus, tables={}), ExportRequest("hilo", tmp_path / "x"))
    assert not (tmp_path / "x").exists()


def test_a_missing_split_is_said(tmp_path: Path) -> None:
    part = peer_corpus(splits={name: SPLITS[name] for name in ("train", "validation")})
    note = "The data has no test split, so the file of it is missing: the peer needs all three."
    assert note in export_for(part, ExportRequest("m3hg", tmp_path / "a")).manifest.notes
    assert note not in export_for(part, ExportRequest("semeval", tmp_path / "b")).manifest.notes
    test = peer_corpus(splits={"test": SPLITS["test"]})
    manifest = export_for(test, ExportRequest("hilo", tmp_path / "c")).manifest
    assert "The data has no train and no validation split" in " ".join(manifest.notes)


@pytest.mark.parametrize("peer", PEERS)
def test_no_file_of_an_earlier_export_stays(peer: str, tmp_path: Path) -> None:
    part = peer_corpus(splits={name: SPLITS[name] for name in ("train", "validation")})
    export_for(peer_corpus(), ExportRequest(peer, tmp_path))
    (tmp_path / "own_notes.txt").touch()
    result = export_for(part, ExportRequest(peer, tmp_path))
    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert written == {*result.files, "own_notes.txt"}


def test_the_text_version_of_ecf_follows_the_files_that_were_loaded(tmp_path: Path) -> None:
    corpus = replace(peer_corpus(), data_dir=tmp_path)
    assert text_version(corpus) is None
    for name in ("Subtask_2_train.json", "dev.json", "test.json"):
        (tmp_path / name).touch()
    assert text_version(corpus) == "2.0"
    (tmp_path / "train.txt").touch()  # Comes before the JSON.
    assert text_version(corpus) == "1.0 and 2.0"
    for name in ("dev.txt", "test.txt"):
        (tmp_path / name).touch()
    assert text_version(corpus) == "1.0"
    manifest = export_for(corpus, ExportRequest("hilo", tmp_path / "out")).manifest
    assert manifest.options["text_version"] == "1.0"
    assert "The texts are those of ECF 1.0; versions 1.0 and 2.0 differ in 159 utterances." in manifest.notes
    assert text_version(replace(peer_corpus("reccon"), data_dir=tmp_path)) is None


def test_source_binary_states_its_forward_pairs(tmp_path: Path) -> None:
    corpus = peer_corpus("source_binary", forward_pairs="gold")
    manifest = export_for(corpus, ExportRequest("mecpe", tmp_path)).manifest
    assert (manifest.options["candidates"], manifest.options["forward_pairs"]) == (None, "gold")
    assert "Pairs with a later cause are labelled gold (forward_pairs)." in manifest.notes


def test_synthetic_dialogues_are_marked(tmp_path: Path) -> None:
    corpus = peer_corpus(synthetic=True)
    assert "SYNTHETIC" in terms_of(corpus)
    manifest = export_for(corpus, ExportRequest("mecpe", tmp_path)).manifest
    assert manifest.synthetic
    assert "SYNTHETIC" in manifest.notes[0]
    assert "Keep them to yourself" not in (tmp_path / "HOWTO.md").read_text(encoding="utf-8")


def test_chunks_of_the_synthetic_corpus_go_through_every_export(small_dir: Path, tmp_path: Path) -> None:
    corpus = load_corpus("3class", small_dir, for_training=False)
    for peer in PEERS:
        result = export_for(corpus, ExportRequest(peer, tmp_path / peer, "emo_cause"))
        assert result.manifest.synthetic
        assert {split: len(of_split) for split, of_split in result.manifest.splits.items()} == {
            "train": 16,
            "validation": 6,
            "test": 8,
        }
    # The same dialogues in both that share the layout; HiLo's train is in another order.
    hilo, mecpe = (
        {number: pairs for _, number, pairs, _ in conversation_blocks(tmp_path / path)}
        for path in ("hilo/data/dataset/train.txt", "mecpe/data/train.txt")
    )
    assert list(mecpe) == [str(number) for number in range(1, 17)]
    assert hilo == mecpe
    assert list(mecpe.values()) == [
        ",".join(f"({pair['target_turn']},{pair['cause_turn']})" for pair in row["pairs"] if pair["label"] == 0)
        for row in corpus.rows["train"]
    ]
