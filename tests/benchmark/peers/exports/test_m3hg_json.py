"""JSON in M3HG's layout: the corpus as it is, read back by the readers of that layout."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from peer_dialogues_case import SPLITS, peer_corpus

from iemomecp_dataset.benchmark.peers.exports.exporting import export_for
from iemomecp_dataset.benchmark.peers.exports.request import ExportRequest
from iemomecp_dataset.corpora.turn_lists import read_turn_lists


def test_ids_texts_and_emotions_are_ours(tmp_path: Path) -> None:
    manifest = export_for(peer_corpus(), ExportRequest("m3hg-json", tmp_path)).manifest
    read = list(read_turn_lists(tmp_path / "train_data_pair.json", "ecf", Counter()))
    assert [dialogue.dialogue_id for dialogue in read] == [name for name, _, _ in SPLITS["train"]]
    assert [[(u.speaker, u.emotion, u.text) for u in dialogue.utterances] for dialogue in read] == [
        # The reader strips blanks.
        [(speaker, emotion, text.strip()) for speaker, emotion, text in utterances]
        for _, utterances, _ in SPLITS["train"]
    ]
    assert [sorted(dialogue.gold) for dialogue in read] == [gold for _, _, gold in SPLITS["train"]]
    content = json.loads((tmp_path / "train_data_pair.json").read_text(encoding="utf-8"))
    assert content["10"][0][2]["utterance"] == "  "
    assert set(manifest.counts["train"]) == {
        "dialogues",
        "utterances",
        "positive pairs",
        "positive pairs with a later cause",
        "clips named after the utterance",
    }


def test_what_mecad_states_beside_a_cause_stands_where_its_files_have_it(tmp_path: Path) -> None:
    corpus = peer_corpus("mecad")
    stated: dict[str, Any] = {
        "target_turn": 2,
        "cause_modality": ["t", "a"],
        "cause_type": "event",
        "confidence": [4, 5],
        "annotator_name": ["a1"],
        "utterance_name": "dia10utt2",
    }
    empty = dict.fromkeys(stated, None) | {"target_turn": 3, "confidence": []}
    corpus.rows["train"][1]["cause_annotations"] = [stated, empty]
    export_for(corpus, ExportRequest("m3hg-json", tmp_path))
    content = json.loads((tmp_path / "train_data_pair.json").read_text(encoding="utf-8"))
    first, second, third = content["10"][0]
    assert list(first) == ["turn", "speaker", "utterance", "emotion", "utterance_name", "video"]
    assert list(second) == [
        *first,
        "cause_modality",
        "confidence",
        "cause_type",
        "expanded emotion cause evidence",
        "annotator_name",
    ]
    assert {key: second[key] for key in stated if key != "target_turn"} == {
        key: value for key, value in stated.items() if key != "target_turn"
    }
    assert list(third) == [*first, "expanded emotion cause evidence"]
    assert content["9"][0][0]["utterance_name"], "a dialogue without annotations, too"
    assert first["emotion"] == "Neutral"
