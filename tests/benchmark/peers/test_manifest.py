"""A manifest is read as it was written, and refuses data that is not what was exported."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from peer_dialogues_case import SPLITS, peer_corpus

from iemomecp_dataset.benchmark.peers.manifest import (
    MANIFEST_FILE,
    Manifest,
    ManifestDialogue,
    check_manifest,
    read_manifest,
    write_manifest,
)
from iemomecp_dataset.corpus import Corpus
from iemomecp_dataset.errors import InvalidDataError, MissingDataError


def manifest_of(corpus: Corpus, **changes: Any) -> Manifest:
    given: dict[str, Any] = {
        "peer": "hilo",
        "config_name": corpus.config_name,
        "options": {"positive": "pair", "moved_first": None},
        "fingerprints": corpus.fingerprints,
        "text_fingerprints": corpus.text_fingerprints,
        "emotions": {"joy": "joy"},
        "splits": {
            split: tuple(
                ManifestDialogue(str(number), row["dialogue_id"], len(row["utterances"]))
                for number, row in enumerate(rows, start=1)
            )
            for split, rows in corpus.rows.items()
        },
        "counts": {"train": {"utterances": 6}},
        "notes": ("Text alone.",),
        "synthetic": True,
    }
    return Manifest(**given | changes)


def test_what_is_written_is_read_from_the_file_and_from_its_folder(tmp_path: Path) -> None:
    manifest = manifest_of(peer_corpus())
    write_manifest(tmp_path, manifest)
    assert read_manifest(tmp_path) == read_manifest(tmp_path / MANIFEST_FILE) == manifest
    check_manifest(read_manifest(tmp_path), peer_corpus())


def test_a_dialogue_moved_first_is_in_its_place() -> None:
    corpus = peer_corpus()
    manifest = manifest_of(corpus)
    first, second, third = manifest.splits["train"]
    moved = replace(manifest, splits={**manifest.splits, "train": (second, first, third)})
    with pytest.raises(InvalidDataError, match="dialogue 1 of the export is '10', and that of the data is '9'"):
        check_manifest(moved, corpus)
    check_manifest(replace(moved, options={"moved_first": "10"}), corpus)


def changed(**splits: Any) -> Corpus:
    return peer_corpus(splits=SPLITS | splits)


@pytest.mark.parametrize(
    ("corpus", "message"),
    [
        (peer_corpus("reccon"), "The manifest is of ecf, but the data is reccon"),
        (changed(test=SPLITS["test"][:1]), "test: 2 dialogues were exported, and the data has 1"),
        (changed(test=SPLITS["test"][::-1]), "test: dialogue 1 of the export is '7', and that of the data is '1'"),
        (
            changed(validation=[("4", SPLITS["validation"][0][1][:1], [])]),
            "validation, dialogue '4': 2 utterances were exported, and the data has 1",
        ),
        (changed(test=[SPLITS["test"][0], (*SPLITS["test"][1][:2], [(2, 2)])]), "test: the labels have changed"),
        (
            changed(validation=[("4", [("Eva", "surprise", "Ah !"), SPLITS["validation"][0][1][1]], [(1, 2), (2, 2)])]),
            "validation: the texts or speakers have changed",
        ),
        (
            peer_corpus(splits={"train": SPLITS["train"], "validation": SPLITS["validation"]}),
            "the split test with 2 dialogues, and the data does not have it",
        ),
    ],
    ids=["config", "number", "order", "turns", "labels", "texts", "split"],
)
def test_other_data_is_refused(corpus: Corpus, message: str) -> None:
    with pytest.raises(InvalidDataError, match=message):
        check_manifest(manifest_of(peer_corpus()), corpus)


def test_a_missing_manifest_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match=r"There is no manifest .*manifest\.json\. .* Export again"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (None, "not the manifest of an export"),
        ({"format": 2}, "found format '2'"),
        ({"peer": "other"}, "'peer' of hilo, m3hg"),
        ({"config_name": 3}, "'config_name' must be text, but is an integer"),
        ({"options": []}, "'options' must be an object, but is a list"),
        ({"synthetic": "no"}, "'synthetic' must be true or false, but is text"),
        ({"fingerprints": {"dev": "1"}}, "'fingerprints' must have text for each of train, validation, test"),
        ({"splits": {"test": [["1", "7"]]}}, "test, dialogue 1: expected"),
        ({"splits": {"test": [["1", "7", True]]}}, "test, dialogue 1: expected"),
        ({"splits": {"test": [["1", "7", 2], ["1", "1", 2]]}}, "two dialogues have the same id of the peer"),
        ({"emotions": {"joy": 5}}, "the names of 'emotions' must be text"),
        ({"options": {"positive": ["pair"]}}, "'positive' of 'options' is "),
        ({"options": {"positive": "pair", "features": {"audio": None}}}, "must have an object per modality"),
        ({"counts": {"test": {"dialogues": "2"}}}, "the counts of test must be whole numbers"),
    ],
)
def test_a_damaged_manifest_is_refused(tmp_path: Path, change: dict[str, Any] | None, message: str) -> None:
    write_manifest(tmp_path, manifest_of(peer_corpus()))
    file = tmp_path / MANIFEST_FILE
    content = [] if change is None else json.loads(file.read_text(encoding="utf-8")) | change
    file.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(InvalidDataError, match=message):
        read_manifest(file)
