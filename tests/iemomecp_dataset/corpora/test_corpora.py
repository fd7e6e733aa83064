"""The other corpora: small files with invented sentences in every format, and the genuine files if available."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import pytest

import iemomecp_dataset
from iemomecp_dataset.corpora.metadata import CORPORA, SplitCounts, corpus_metadata
from iemomecp_dataset.errors import InvalidDataError, MissingDataError, UsageError
from iemomecp_dataset.options import CORPUS_CONFIGS

ECF_TEXT = """\
7 3
(2,1),(2,2),(2,1),(1,3)
1 | Ann | joy | The dog came home , at last . | Show_S1E1: 00:00:01.500 - 00:00:02.000
2 | Bob | surprise | It did what ? | Show_S1E1: 00:00:02.000 - 01:00:03.250
3 | Ann | neutral | It walked in . | Show_S1E1: 00:00:04.000 - 00:00:05.000
8 1

1 | Cy | neutral | Nothing happened . | Show_S1E1: 00:00:06.000 - 00:00:07.000
"""
ECF_JSON = [
    {
        "conversation_ID": 7,
        "conversation": [
            {"utterance_ID": 1, "text": "The dog came home , at last .", "speaker": "Ann", "emotion": "joy"},
            {"utterance_ID": 2, "text": "It did what ?", "speaker": "Bob", "emotion": "surprise"},
            {"utterance_ID": 3, "text": "It walked in .", "speaker": "Ann", "emotion": "neutral"},
        ],
        "emotion-cause_pairs": [["2_surprise", "1"], ["2_surprise", "2"], ["1_joy", "3"]],
    },
    {
        "conversation_ID": 8,
        "conversation": [{"utterance_ID": 1, "text": "Nothing happened .", "speaker": "Cy", "emotion": "neutral"}],
        "emotion-cause_pairs": [],
    },
]


def turn_list(emotion="joy", evidence=(1, 1, 2, "b")):
    return {
        "d1": [
            [
                {"turn": 1, "speaker": "Ann", "utterance": "It rains .", "emotion": "neutral"},
                {
                    "turn": 2,
                    "speaker": "Bob",
                    "utterance": "Oh no !",
                    "emotion": emotion,
                    "expanded emotion cause evidence": list(evidence),
                },
            ]
        ]
    }


def write(folder: Path, name: str, content) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content, ensure_ascii=False), encoding="utf-8")
    return path


def emotions(rows):
    feature = rows.features["utterances"]
    item = getattr(feature, "feature", None) or feature[0]
    return [[item["emotion"].int2str(u["emotion"]) for u in row["utterances"]] for row in rows]


def test_ecf_text_row_by_hand(tmp_path):
    write(tmp_path, "train.txt", ECF_TEXT)
    rows = iemomecp_dataset.load("ecf", data_dir=tmp_path, split="train")
    assert rows["dialogue_id"][:] == ["7", "8"]
    row = rows[0]
    assert (row["source_dialogue_id"], row["chunk_index"], row["session"]) == ("7", -1, -1)
    assert row["utterances"][1] == {
        "turn": 2,
        "source_turn": 2,
        "utterance_id": "dia7utt2",
        "speaker": "Bob",
        "text": "It did what ?",
        "emotion": 2,
        "start": 2.0,
        "end": 3603.25,
        "wav": None,
        "video": None,
    }
    assert [(pair["target_turn"], pair["cause_turn"]) for pair in row["pairs"]] == (
        [(target, cause) for target in (1, 2, 3) for cause in (1, 2, 3)]
    )
    assert iemomecp_dataset.gold_pairs(row) == [(1, 3), (2, 1), (2, 2)]
    # A conversation without pairs has an empty line of pairs, and is kept.
    assert iemomecp_dataset.gold_pairs(rows[1]) == []
    assert emotions(rows) == [["joy", "surprise", "neutral"], ["neutral"]]


def test_past_candidates_lose_no_gold_pair(tmp_path):
    write(tmp_path, "train.txt", ECF_TEXT)
    everything = iemomecp_dataset.load("ecf", data_dir=tmp_path, split="train")
    past = iemomecp_dataset.load("ecf", data_dir=tmp_path, split="train", candidates="past")
    assert [list(map(tuple, iemomecp_dataset.gold_pairs(row))) for row in past] == (
        [iemomecp_dataset.gold_pairs(row) for row in everything]
    )
    assert past[0]["gold_outside_candidates"] == [{"target_turn": 1, "cause_turn": 3}]
    assert all(pair["cause_turn"] <= pair["target_turn"] for row in past for pair in row["pairs"])
    assert "gold_outside_candidates" not in everything.column_names


@pytest.mark.parametrize("change", ["crlf", "bom", "trailing blank lines", "no newline at the end"])
def test_ecf_text_tolerates_what_editors_do(tmp_path, change):
    text = {
        "crlf": ECF_TEXT.replace("\n", "\r\n"),
        "bom": "\ufeff" + ECF_TEXT,
        "trailing blank lines": ECF_TEXT + "\n\n",
        "no newline at the end": ECF_TEXT.rstrip(),
    }[change]
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "a" / "train.txt").write_bytes(text.encode())
    (tmp_path / "b" / "train.txt").write_bytes(ECF_TEXT.encode())
    changed, plain = (iemomecp_dataset.load("ecf", data_dir=tmp_path / name, split="train") for name in "ab")
    assert list(changed) == list(plain)


def test_ecf_fields_are_split_at_spaced_bars_alone(tmp_path):
    write(tmp_path, "train.txt", ECF_TEXT.replace("It did what ?", "It|did what\u2028now ?"))
    rows = iemomecp_dataset.load("ecf", data_dir=tmp_path, split="train")
    assert rows[0]["utterances"][1]["text"] == "It|did what\u2028now ?"


@pytest.mark.parametrize("with_spans", [False, True], ids=["subtask 2", "subtask 1"])
def test_ecf_json_gives_the_rows_of_the_text_form_without_times(tmp_path, with_spans):
    document = json.loads(json.dumps(ECF_JSON))
    if with_spans:
        for conversation in document:
            for pair in conversation["emotion-cause_pairs"]:
                pair[1] += "_some words_of the span"
    write(tmp_path / "json", f"Subtask_{1 if with_spans else 2}_train.json", document)
    write(tmp_path / "text", "train.txt", ECF_TEXT)
    as_json = list(iemomecp_dataset.load("ecf", data_dir=tmp_path / "json", split="train"))
    as_text = list(iemomecp_dataset.load("ecf", data_dir=tmp_path / "text", split="train"))
    for row in as_text:
        for utterance in row["utterances"]:
            utterance.update(start=None, end=None)
    assert as_json == as_text


def test_ecf_re_encoded_by_dialogue(tmp_path):
    write(tmp_path, "valid_data_pair.json", turn_list())
    rows = iemomecp_dataset.load("ecf", data_dir=tmp_path, split="validation")
    assert iemomecp_dataset.gold_pairs(rows[0]) == [(2, 1), (2, 2)]


def test_reccon_normalizes_emotions_and_counts_what_is_no_pair(tmp_path):
    for split, label in (("train", "happines"), ("valid", "excited"), ("test", "angry")):
        document = {f"{split}_{name}": turns for name, turns in turn_list(label).items()}
        write(tmp_path, f"dailydialog_{split}.json", document)
    rows = iemomecp_dataset.load("reccon", data_dir=tmp_path)
    names = {split: emotions(part)[0][1] for split, part in rows.items()}
    assert names == {"train": "happiness", "validation": "happiness", "test": "anger"}
    assert iemomecp_dataset.gold_pairs(rows["train"][0]) == [(2, 1), (2, 2)]
    assert "train: latent causes outside the dialogue (no pairs) 1" in rows["train"].info.description
    assert "train: causes named more than once (counted once) 1" in rows["train"].info.description


def test_mecad_keeps_its_own_utterance_names(tmp_path):
    document = turn_list("Anger", [2])
    for number, entry in enumerate(document["d1"][0], start=1):
        entry["utterance_name"] = f"d1_{number}"
        entry["emotion"] = entry["emotion"].title()
    write(tmp_path, "valid_data_pair.json", document)
    rows = iemomecp_dataset.load("mecad", data_dir=tmp_path, split="validation")
    assert [utterance["utterance_id"] for utterance in rows[0]["utterances"]] == ["d1_1", "d1_2"]
    assert emotions(rows) == [["neutral", "anger"]]


MEC4_FORMS = {
    "full-width": ("1.甲：下雨了。2.5 度 2.乙：哦，不！ 3.甲：是的：真的", "（2，1）（2，2）"),
    "half-width": ("1. A: It rains. 2. B: Oh no! 2 3. A: Yes: really", "(2,1)(2,2)"),
    "with separators": ("1.A：It rains.\n2.B：Oh no!\n3.A：Yes", "(2, 1), (2, 2)"),
}


@pytest.mark.parametrize("form", MEC4_FORMS)
@pytest.mark.parametrize("as_lines", [False, True])
def test_mec4_in_every_described_form(tmp_path, form, as_lines):
    text, pairs = MEC4_FORMS[form]
    rows = [{"dia_id": f"d{i}", "dia_len": 3, "text": text, "pairs": pairs if i else ""} for i in (0, 1)]
    content = "\n".join(json.dumps(row) for row in rows) if as_lines else rows
    write(tmp_path, "MEC4_text/train.json", content)
    loaded = iemomecp_dataset.load("mec4", data_dir=tmp_path, split="train")
    assert [len(row["utterances"]) for row in loaded] == [3, 3]
    assert [iemomecp_dataset.gold_pairs(row) for row in loaded] == [[], [(2, 1), (2, 2)]]
    # Only the pairs tell which utterances are emotional.
    assert emotions(loaded) == [["neutral"] * 3, ["neutral", "emotional", "neutral"]]
    if form == "full-width":
        assert [u["text"] for u in loaded[0]["utterances"]] == ["下雨了。2.5 度", "哦，不！", "是的：真的"]
        assert [u["speaker"] for u in loaded[0]["utterances"]] == ["甲", "乙", "甲"]


def test_absent_splits_are_left_out_and_said(tmp_path, caplog):
    write(tmp_path, "dev.txt", ECF_TEXT)
    rows = iemomecp_dataset.load("ecf", data_dir=tmp_path)
    assert list(rows) == ["validation"]
    assert "no train split" in caplog.text
    assert "no test split" in caplog.text
    with pytest.raises(MissingDataError, match="no test split here; there are validation"):
        iemomecp_dataset.load("ecf", data_dir=tmp_path, split="test")
    with pytest.raises(MissingDataError, match="no train split here"):
        iemomecp_dataset.load("ecf", data_dir=tmp_path, split="train", streaming=True)


def test_a_dialogue_in_two_splits_is_refused(tmp_path):
    write(tmp_path, "train.txt", ECF_TEXT)
    write(tmp_path, "test.txt", ECF_TEXT)
    with pytest.raises(InvalidDataError, match=r"test\.txt, dialogue '7'.*train\.txt"):
        iemomecp_dataset.load("ecf", data_dir=tmp_path)


def test_every_corpus_has_a_complete_record():
    assert set(CORPORA) == set(CORPUS_CONFIGS)
    for name, corpus in CORPORA.items():
        assert corpus.name == name
        for field in ("title", "language", "license", "citation", "how_to_obtain"):
            assert getattr(corpus, field), (name, field)
        assert corpus.emotions[0] == "neutral"
        assert list(corpus.split_files) == ["train", "validation", "test"]
        assert corpus.verified == bool(corpus.published)
    with pytest.raises(UsageError, match="Did you mean 'mecad'"):
        corpus_metadata("mecd")


def counts(rows) -> SplitCounts:
    gold = [iemomecp_dataset.gold_pairs(row) for row in rows]
    emotional = [{u["turn"] for u in row["utterances"] if u["emotion"] != 0} for row in rows]
    return SplitCounts(
        dialogues=len(rows),
        utterances=sum(len(row["utterances"]) for row in rows),
        gold_pairs=sum(map(len, gold)),
        forward=sum(cause > target for pairs in gold for target, cause in pairs),
        self_pairs=sum(cause == target for pairs in gold for target, cause in pairs),
        emotional=sum(map(len, emotional)),
        emotional_with_cause=sum(
            len(turns & {target for target, _ in pairs}) for turns, pairs in zip(emotional, gold, strict=True)
        ),
        longest=max(len(row["utterances"]) for row in rows),
    )


@pytest.mark.parametrize("name", ["ecf", "mecad", "reccon"])
@pytest.mark.parametrize("candidates", ["all", "past"])
def test_genuine_files_give_the_published_counts(name, candidates):
    variable = f"IEMOMECP_{name.upper()}_DIR"
    if variable not in os.environ:
        pytest.skip(f"{variable} does not name a folder with the genuine files")
    corpus = CORPORA[name]
    loaded = iemomecp_dataset.load(name, data_dir=os.environ[variable], candidates=candidates)
    for split, rows in loaded.items():
        assert dataclasses.astuple(counts(rows)) == dataclasses.astuple(corpus.published[split]), split
        if split in corpus.latent_causes:
            latent = f"{split}: latent causes outside the dialogue (no pairs) {corpus.latent_causes[split]}"
            assert latent in rows.info.description
