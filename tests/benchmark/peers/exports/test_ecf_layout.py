"""The text layout is what the reader of ECF's files reads, line by line."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from peer_dialogues_case import SPLITS, peer_corpus

from iemomecp_dataset.benchmark.peers.exports.ecf_layout import count_times, ecf_text
from iemomecp_dataset.benchmark.peers.exports.peer_dialogues import integer_ids, peer_dialogues
from iemomecp_dataset.corpora.ecf import read_ecf_text
from iemomecp_dataset.corpus import Corpus


def dialogues_of(corpus: Corpus) -> list:
    names = {name: name for name in corpus.emotion_names}
    ids = integer_ids(corpus)
    return peer_dialogues(corpus, peer="X", positive="pair", emotions=names, ids=ids)[0]["train"]


def test_lines() -> None:
    corpus = peer_corpus()
    corpus.rows["train"][2]["utterances"][0]["start"] = None
    assert ecf_text(dialogues_of(corpus)).split("\n") == [
        "9 2",
        "(1,1)",
        "1 | Ada | joy | We won , at last ! | 9: 01:01:01.500 - 01:01:02.250",
        "2 | Ben | neutral | Did you ? | 9: 01:01:01.500 - 01:01:02.250",
        "10 3",
        "(2,1),(2,2),(2,3),(3,1)",
        "1 | Ben | neutral | It rains again . | 10: 01:01:01.500 - 01:01:02.250",
        "2 | Ada | anger | left / right | 10: 01:01:01.500 - 01:01:02.250",
        "3 | Cleo / Dee | sadness | . | 10: 01:01:01.500 - 01:01:02.250",
        "2 1",
        "",
        "1 | Ada | neutral | Well . | -",
        "",
    ]


def test_a_round_trip(tmp_path: Path) -> None:
    file = tmp_path / "train.txt"
    file.write_text(ecf_text(dialogues_of(peer_corpus())), encoding="utf-8")
    read = list(read_ecf_text(file))
    assert [dialogue.dialogue_id for dialogue in read] == ["9", "10", "2"]
    assert [sorted(dialogue.gold) for dialogue in read] == [gold for _, _, gold in SPLITS["train"]]
    assert [u.emotion for dialogue in read for u in dialogue.utterances] == [
        emotion for _, utterances, _ in SPLITS["train"] for _, emotion, _ in utterances
    ]
    assert {(u.start, u.end) for dialogue in read for u in dialogue.utterances} == {(3661.5, 3662.25)}


def test_what_the_last_field_lacks_is_counted() -> None:
    corpus = peer_corpus()
    corpus.rows["train"][1]["episode"] = "S1E1"
    corpus.rows["train"][2]["utterances"][0]["end"] = None
    counts: Counter[str] = Counter()
    count_times(dialogues_of(corpus), counts)
    assert +counts == {
        "utterances without a time (the field is -)": 1,
        "times without the name of the episode": 2,
    }
