"""Malformed inputs of every reader: each raises its own error class, with a message that names the place."""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import struct
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import iemomecp_dataset
from iemomecp_dataset.errors import IemomecpError, InvalidDataError, MissingDataError, UnsafeFileError
from iemomecp_dataset.overlay.validation import check_overlay

MERGED, OVERLAY, ECF, MECAD, RECCON, MEC4 = "3class", "overlay", "ecf", "mecad", "reccon", "mec4"

# --- pickles ----------------------------------------------------------------------------------------------------------


class RunsCommand:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


class BuildsArray:
    """An object whose pickle references numpy functions that are not data."""

    def __reduce__(self):
        return np.load, ("x.npy",)


def hostile(tree):
    tree.pickle_path.write_bytes(pickle.dumps(RunsCommand(tree.root.parent / "owned")))


def hostile_deep_inside(tree):
    entries = list(tree.pickle_entries())
    entries[9]["Ses01F_impro01"][0] = RunsCommand(tree.root.parent / "owned")
    tree.write_pickle(tuple(entries))


def hostile_numpy(tree):
    tree.write_pickle((BuildsArray(),))


def hostile_eval(tree):
    tree.pickle_path.write_bytes(b"cbuiltins\neval\n(V__import__('os').system('true')\ntR.")


def hostile_getattr(tree):
    # Protocol 4: the dotted name is assembled on the stack.
    stream = io.BytesIO(b"\x80\x04\x8c\x08builtins\x8c\x07getattr\x93.")
    tree.pickle_path.write_bytes(stream.getvalue())


def hostile_extension(tree):
    tree.pickle_path.write_bytes(b"\x80\x02\x82\x01.")


def hostile_persistent_id(tree):
    tree.pickle_path.write_bytes(b"Psomething\n.")


def memory_bomb(tree):
    tree.pickle_path.write_bytes(b"\x80\x02]r\xff\xff\xff\x7f.")


def array_bomb(tree):
    array = pickle.dumps(np.zeros(3, dtype=np.int64), protocol=2)
    tree.pickle_path.write_bytes(array.replace(b"K\x03\x85", b"J" + struct.pack("<i", 2**31 - 1) + b"\x85"))


def truncated_pickle(tree):
    tree.pickle_path.write_bytes(tree.pickle_path.read_bytes()[:-200])


def text_for_pickle(tree):
    tree.pickle_path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")


def empty_pickle(tree):
    tree.pickle_path.write_bytes(b"")


def entries(change):
    def apply(tree):
        content = list(tree.pickle_entries())
        replaced = change(content)
        tree.write_pickle(tuple(content if replaced is None else replaced))

    return apply


def in_dialogue(entry, position, value):
    return entries(lambda content: content[entry]["Ses01F_impro01"].__setitem__(position, value))


# --- labels -----------------------------------------------------------------------------------------------------------


def labels(change, split="train"):
    return lambda tree: tree.edit_labels(split, change)


def first_pair(**values):
    return labels(lambda d: d["splits"]["train"][0]["pairs"][0].update(values))


def first_dialogue(**values):
    return labels(lambda d: d["splits"]["train"][0].update(values))


def raw_labels(content, split="train"):
    def apply(tree):
        data = content(tree.labels(split).read_bytes())
        tree.labels(split).write_bytes(data)

    return apply


def without_field(name):
    return labels(lambda d: d["splits"]["train"][0]["pairs"][0].__delitem__(name))


def two_versions(tree):
    shutil.copy(tree.labels("validation"), tree.root / "labels" / "dev.json")

    def change(d):
        pair = d["splits"]["valid"][0]["pairs"][-1]
        pair.update(label_id=1, label="emo_context")

    tree.edit_labels("validation", change)


def same_id_in_two_splits(tree):
    tree.edit_labels("test", lambda d: d["splits"]["test"][0].update(dialogue_id="Ses01F_impro01__c001"))


def exchanged_files(tree):
    one, other = tree.labels("validation"), tree.labels("test")
    kept = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(kept)


def csv_labels(text):
    def apply(tree):
        tree.labels("train").unlink()
        (tree.root / "labels" / "train.csv").write_text(text)

    return apply


HEADER = (
    "split,dialogue_id,target_emotion_turn,cause_turn,label_id,label,source,taxonomy_label,"
    "context_subtype_ids,context_subtypes\n"
)


# --- folders and files ------------------------------------------------------------------------------------------------


def remove(*parts):
    def apply(tree):
        path = tree.root.joinpath(*parts)
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return apply


def emptied(*parts):
    def apply(tree):
        shutil.rmtree(tree.root.joinpath(*parts))
        tree.root.joinpath(*parts).mkdir()

    return apply


def folder_for_file(tree):
    tree.labels("train").unlink()
    tree.labels("train").mkdir()


def dangling_link(tree):
    tree.labels("train").unlink()
    tree.labels("train").symlink_to(tree.root / "nowhere.json")


def link_loop(tree):
    shutil.rmtree(tree.root / "labels")
    (tree.root / "labels").symlink_to(tree.root / "labels")


def unreadable_folder(tree):
    # Stands in for missing permissions, which do not stop the super-user: a file where a folder is expected.
    shutil.rmtree(tree.root / "IEMOCAP" / "Session1" / "dialog" / "transcriptions")
    (tree.root / "IEMOCAP" / "Session1" / "dialog" / "transcriptions").write_text("")


# --- other corpora ----------------------------------------------------------------------------------------------------

CONVERSATION = """\
1 2
(2,1)
1 | A | joy | Hello there . | S: 00:00:01.0 - 00:00:02.0
2 | B | anger | No ! | S: 00:00:02.0 - 00:00:03.0
"""


def ecf(text):
    return lambda tree: (tree.root / "train.txt").write_bytes(text if isinstance(text, bytes) else text.encode())


def ecf_json(**changes):
    conversation = {
        "conversation_ID": 1,
        "conversation": [{"utterance_ID": 1, "text": "Hello .", "speaker": "A", "emotion": "joy"}],
        "emotion-cause_pairs": [["1_joy", "1"]],
        **changes,
    }
    return lambda tree: (tree.root / "train.json").write_text(json.dumps([conversation]))


def turns(name, **changes):
    entry = {"turn": 1, "speaker": "A", "utterance": "Hello .", "emotion": "neutral", **changes}
    return lambda tree: (tree.root / name).write_text(json.dumps({"d1": [[entry]]}))


def mec4(**changes):
    row = {"dia_id": "d1", "dia_len": 2, "text": "1.A：Hello 2.B：No", "pairs": "(2,1)", **changes}
    return lambda tree: (tree.root / "train.json").write_text(json.dumps([row]))


CASES = [
    # pickles: names that they reference
    ("hostile pickle", MERGED, hostile, UnsafeFileError, ["features.pkl", "posix.system", "nothing was run"]),
    ("hostile deep inside", MERGED, hostile_deep_inside, UnsafeFileError, ["posix.system"]),
    ("numpy.load", MERGED, hostile_numpy, UnsafeFileError, ["numpy", "load"]),
    ("eval", MERGED, hostile_eval, UnsafeFileError, ["builtins.eval"]),
    ("getattr on the stack", MERGED, hostile_getattr, UnsafeFileError, ["builtins.getattr"]),
    ("extension registry", MERGED, hostile_extension, UnsafeFileError, ["an extension"]),
    ("persistent id", MERGED, hostile_persistent_id, UnsafeFileError, ["a persistent id"]),
    ("memory bomb", MERGED, memory_bomb, InvalidDataError, ["features.pkl", "out of proportion"]),
    ("array larger than its bytes", MERGED, array_bomb, InvalidDataError, ["features.pkl", "does not fit"]),
    # pickles: content
    ("truncated pickle", MERGED, truncated_pickle, InvalidDataError, ["features.pkl", "fetch it again"]),
    ("pointer file", MERGED, text_for_pickle, InvalidDataError, ["features.pkl", "not a readable pickle"]),
    ("empty pickle", MERGED, empty_pickle, InvalidDataError, ["features.pkl", "ends before the pickle does"]),
    ("11 entries", MERGED, entries(lambda c: c[:11]), InvalidDataError, ["12 or 16 entries", "found 11 entries"]),
    ("a dict", MERGED, lambda t: t.write_pickle({"a": 1}), InvalidDataError, ["12 or 16 entries", "found dict"]),
    ("ids in a list", MERGED, entries(lambda c: [[], *c[1:]]), InvalidDataError, ["utterance ids", "found list"]),
    ("no dialogues", MERGED, entries(lambda c: [{} for _ in c]), InvalidDataError, ["no dialogues"]),
    (
        "other dialogues in an entry",
        MERGED,
        entries(lambda c: c[2].pop("Ses01F_impro01") and None),
        InvalidDataError,
        ["emotions", "'Ses01F_impro01'"],
    ),
    (
        "a speaker too few",
        MERGED,
        entries(lambda c: c[1]["Ses01F_impro01"].pop() and None),
        InvalidDataError,
        ["'Ses01F_impro01'", "7 utterance ids, but 6 speakers"],
    ),
    ("emotion 6", MERGED, in_dialogue(2, 1, 6), InvalidDataError, ["'Ses01F_impro01', turn 2", "0 to 5", "'6'"]),
    ("NaN cause", MERGED, in_dialogue(3, 1, float("nan")), InvalidDataError, ["turn 2, first causes", "'nan'"]),
    ("cause 8 of 7", MERGED, in_dialogue(3, 1, 8), InvalidDataError, ["turn 2", "cause 8 is outside", "1 to 7"]),
    ("cause -1", MERGED, in_dialogue(4, 1, -1), InvalidDataError, ["second causes", "cause -1 is outside"]),
    ("huge cause", MERGED, in_dialogue(3, 1, 10**30), InvalidDataError, ["turn 2", "is outside the dialogue"]),
    (
        "endless cause",
        MERGED,
        in_dialogue(3, 1, 10**5000),
        InvalidDataError,
        ["turn 2", "cause an integer of 16,610 b"],
    ),
    (
        "half a letter",
        MERGED,
        in_dialogue(9, 1, "Oh \ud83d"),
        InvalidDataError,
        ["turn 2, sentence: half of a surroga"],
    ),
    (
        "endless dialogue id",
        MERGED,
        entries(lambda c: c[1].update({10**5000: ["F"]})),
        InvalidDataError,
        ["different dialogues (1, such as 'an integer of"],
    ),
    ("cause of words", MERGED, in_dialogue(3, 1, "two"), InvalidDataError, ["turn 2", "'two'"]),
    ("speaker X", MERGED, in_dialogue(1, 0, "X"), InvalidDataError, ["turn 1", "'F' or 'M'", "'X'"]),
    ("sentence of numbers", MERGED, in_dialogue(9, 0, 5), InvalidDataError, ["turn 1, sentence", "found int"]),
    (
        "utterance id twice",
        MERGED,
        in_dialogue(0, 0, "Ses01F_impro01_M002"),
        InvalidDataError,
        ["'Ses01F_impro01_M002' already occurs"],
    ),
    # labels: the file
    ("truncated JSON", OVERLAY, raw_labels(lambda b: b[:-40]), InvalidDataError, ["train.json", "too early"]),
    ("no JSON", OVERLAY, raw_labels(lambda b: b"<html>"), InvalidDataError, ["train.json", "not valid JSON"]),
    ("not UTF-8", OVERLAY, raw_labels(lambda b: b"\xff\xfe" + b), InvalidDataError, ["train.json", "not UTF-8"]),
    ("empty file", OVERLAY, raw_labels(lambda b: b""), InvalidDataError, ["train.json", "not valid JSON"]),
    ("nested too deep", OVERLAY, raw_labels(lambda b: b"[" * 100_000), InvalidDataError, ["train.json"]),
    ("huge integer", OVERLAY, raw_labels(lambda b: b"9" * 10_000), InvalidDataError, ["train.json"]),
    (
        "key twice",
        OVERLAY,
        raw_labels(lambda b: b.replace(b'"label_id": 2', b'"label_id": 2, "label_id": 0', 1)),
        InvalidDataError,
        ["train.json", "'label_id' is given twice"],
    ),
    ("a list", OVERLAY, raw_labels(lambda b: b"[]"), InvalidDataError, ["train.json", "found a list"]),
    ("no splits", OVERLAY, labels(lambda d: d.pop("splits") and None), InvalidDataError, ["'splits'", "null"]),
    (
        "another dataset",
        OVERLAY,
        labels(lambda d: d.update(dataset="ECF")),
        InvalidDataError,
        ["'dataset' is 'ECF'"],
    ),
    ("another split named", OVERLAY, labels(lambda d: d.update(split="test")), InvalidDataError, ["'split' is 'test'"]),
    (
        "two splits in a file",
        OVERLAY,
        labels(lambda d: d["splits"].update(test=[])),
        InvalidDataError,
        ["the train split alone", "'test'"],
    ),
    ("exchanged files", OVERLAY, exchanged_files, InvalidDataError, ["valid.json", "exchanged"]),
    ("no dialogues at all", OVERLAY, labels(lambda d: d["splits"].update(train=[])), InvalidDataError, ["no dialog"]),
    ("two versions of a split", OVERLAY, two_versions, InvalidDataError, ["dev.json", "(3, 3)", "disagree"]),
    ("id in two splits", OVERLAY, same_id_in_two_splits, InvalidDataError, ["test.json", "__c001'", "train.json"]),
    # labels: dialogues
    ("dialogue of text", OVERLAY, labels(lambda d: d["splits"]["train"].append("x")), InvalidDataError, ["number 4"]),
    ("id with a point", OVERLAY, first_dialogue(dialogue_id=5.0), InvalidDataError, ["dialogue number 1", "'5.0'"]),
    ("num_utterances of text", OVERLAY, first_dialogue(num_utterances="3"), InvalidDataError, ["'num_utterances'"]),
    ("num_utterances 0", OVERLAY, first_dialogue(num_utterances=0), InvalidDataError, ["c001", "positive"]),
    ("num_utterances huge", OVERLAY, first_dialogue(num_utterances=10**12), InvalidDataError, ["c001"]),
    ("num_utterances true", OVERLAY, first_dialogue(num_utterances=True), InvalidDataError, ["'True'"]),
    ("too many utterances", OVERLAY, first_dialogue(num_utterances=4), InvalidDataError, ["all 10 pairs", "(4, 1)"]),
    ("too few utterances", OVERLAY, first_dialogue(num_utterances=2), InvalidDataError, ["(3, 3) is out of range"]),
    ("pairs of text", OVERLAY, first_dialogue(pairs="all"), InvalidDataError, ["c001", "'pairs' must be a list"]),
    ("no pairs", OVERLAY, first_dialogue(pairs=[]), InvalidDataError, ["expected all 6 pairs", "found 0"]),
    # labels: pairs
    (
        "pair missing",
        OVERLAY,
        labels(lambda d: d["splits"]["train"][0]["pairs"].pop(0) and None),
        InvalidDataError,
        ["train.json", "'Ses01F_impro01__c001'", "missing: (1, 1)"],
    ),
    (
        "pair twice",
        OVERLAY,
        labels(lambda d: d["splits"]["train"][0]["pairs"].append(d["splits"]["train"][0]["pairs"][0])),
        InvalidDataError,
        ["pair (1, 1) occurs twice"],
    ),
    ("NaN turn", OVERLAY, first_pair(cause_turn=float("nan")), InvalidDataError, ["c001", "(1, nan)", "integer"]),
    ("infinite turn", OVERLAY, first_pair(cause_turn=float("inf")), InvalidDataError, ["(1, inf)", "integer"]),
    ("huge turn", OVERLAY, first_pair(cause_turn=10**15), InvalidDataError, [f"(1, {10**15}) is out of range"]),
    ("turn 0", OVERLAY, first_pair(cause_turn=0), InvalidDataError, ["(1, 0) is out of range"]),
    ("turn of text", OVERLAY, first_pair(target_emotion_turn="1"), InvalidDataError, ["target turn must be an int"]),
    ("turn 1.0", OVERLAY, first_pair(cause_turn=1.0), InvalidDataError, ["cause turn must be an integer"]),
    ("label 3", OVERLAY, first_pair(label_id=3), InvalidDataError, ["(1, 1), number 1", "0, 1 or 2", "'3'"]),
    ("label and id disagree", OVERLAY, first_pair(label_id=0), InvalidDataError, ["means 'emo_cause'", "'non_pair'"]),
    (
        "subtypes on a non-pair",
        OVERLAY,
        first_pair(context_subtype_ids=[0], context_subtypes=["background"]),
        InvalidDataError,
        ["(1, 1)", "only emo_context may have them"],
    ),
    ("subtype 4", OVERLAY, first_pair(context_subtype_ids=[4]), InvalidDataError, ["(1, 1)", "ids from 0 to 3"]),
    (
        "subtypes disagree",
        OVERLAY,
        labels(lambda d: d["splits"]["train"][1]["pairs"][3].update(context_subtypes=["background"])),
        InvalidDataError,
        ["__c002", "disagree"],
    ),
    ("two names disagree", OVERLAY, first_pair(emotion_turn=2), InvalidDataError, ["'emotion_turn' disagree"]),
    *[
        (f"without {name}", OVERLAY, without_field(name), InvalidDataError, ["(", f"'{name}' is missing"])
        for name in ("label_id", "label", "source", "context_subtypes", "cause_turn")
    ],
    # labels: CSV
    ("CSV without a column", OVERLAY, csv_labels("split,dialogue_id\n"), InvalidDataError, ["train.csv", "column"]),
    ("CSV without rows", OVERLAY, csv_labels(HEADER), InvalidDataError, ["train.csv", "no rows"]),
    (
        "CSV of another split",
        OVERLAY,
        csv_labels(HEADER + "test,a,1,1,2,non_pair,,,[],[]\n"),
        InvalidDataError,
        ["train.csv", "'test'"],
    ),
    (
        "CSV with words for turns",
        OVERLAY,
        csv_labels(HEADER + "train,a,one,1,2,non_pair,,,[],[]\n"),
        InvalidDataError,
        ["train.csv", "'a'"],
    ),
    (
        "CSV with a short line",
        OVERLAY,
        csv_labels(HEADER + "train,a,1,1\n"),
        InvalidDataError,
        ["train.csv", "line 2", "columns"],
    ),
    # folders
    ("a split is missing", OVERLAY, remove("labels", "valid.json"), MissingDataError, ["validation", "valid.json"]),
    ("no labels", MERGED, remove("labels"), MissingDataError, ["labels", "label_dir=", "fetch_labels.py"]),
    ("empty labels", MERGED, emptied("labels"), MissingDataError, ["train split is missing"]),
    ("no ECPEC", MERGED, remove("ECPEC"), MissingDataError, ["ConvECPE", "convecpe_root=", "https://"]),
    ("empty ECPEC", MERGED, emptied("ECPEC"), MissingDataError, ["IEMOCAP_emotion_cause_features.pkl", "Dataset"]),
    ("no IEMOCAP", MERGED, remove("IEMOCAP"), MissingDataError, ["IEMOCAP_full_release", "text_source='ecpec'"]),
    ("empty IEMOCAP", MERGED, emptied("IEMOCAP"), MissingDataError, ["Session1 to Session5"]),
    ("everything missing", MERGED, emptied(), MissingDataError, ["IEMOCAP", "ConvECPE", "label files"]),
    ("folder in place of a file", OVERLAY, folder_for_file, MissingDataError, ["train split is missing"]),
    ("dangling link", OVERLAY, dangling_link, MissingDataError, ["train split is missing"]),
    ("links in a circle", OVERLAY, link_loop, MissingDataError, ["label"]),
    ("file in place of a folder", MERGED, unreadable_folder, MissingDataError, ["transcriptions", "cannot be listed"]),
    # ECF 1.0
    ("ECF empty", ECF, ecf(""), InvalidDataError, ["train.txt", "empty"]),
    ("ECF header", ECF, ecf("one 2\n"), InvalidDataError, ["train.txt, line 1", "'one 2'"]),
    ("ECF cut off", ECF, ecf(CONVERSATION.rpartition("2 |")[0]), InvalidDataError, ["conversation 1", "2 utterances"]),
    ("ECF pair out of range", ECF, ecf(CONVERSATION.replace("(2,1)", "(2,3)")), InvalidDataError, ["(2, 3)", "1 to 2"]),
    ("ECF pairs malformed", ECF, ecf(CONVERSATION.replace("(2,1)", "(2;1)")), InvalidDataError, ["line 2", "(2;1)"]),
    ("ECF four fields", ECF, ecf(CONVERSATION.replace("| joy ", "")), InvalidDataError, ["line 3", "found 4"]),
    ("ECF emotion", ECF, ecf(CONVERSATION.replace("joy", "bliss")), InvalidDataError, ["turn 1", "'bliss'"]),
    ("ECF numbering", ECF, ecf(CONVERSATION.replace("2 | B", "3 | B")), InvalidDataError, ["utterance 2", "'3'"]),
    ("ECF times", ECF, ecf(CONVERSATION.replace("00:00:01.0", "soon")), InvalidDataError, ["turn 1", "soon"]),
    ("ECF not UTF-8", ECF, ecf(CONVERSATION.encode() + b"\xff"), InvalidDataError, ["train.txt", "not UTF-8"]),
    ("ECF id twice", ECF, ecf(CONVERSATION * 2), InvalidDataError, ["dialogue '1'", "already occurs"]),
    # ECF 2.0
    ("ECF 2.0 id", ECF, ecf_json(conversation_ID=None), InvalidDataError, ["train.json", "conversation_ID"]),
    ("ECF 2.0 no pairs", ECF, ecf_json(**{"emotion-cause_pairs": None}), InvalidDataError, ["conversation 1"]),
    (
        "ECF 2.0 pair",
        ECF,
        ecf_json(**{"emotion-cause_pairs": [["joy", "1"]]}),
        InvalidDataError,
        ["conversation 1", "['joy', '1']"],
    ),
    (
        "ECF 2.0 range",
        ECF,
        ecf_json(**{"emotion-cause_pairs": [["1_joy", "2"]]}),
        InvalidDataError,
        ["(1, 2)", "1 to 1"],
    ),
    ("ECF 2.0 no turns", ECF, ecf_json(conversation=[]), InvalidDataError, ["conversation 1"]),
    # MECAD, RECCON
    (
        "MECAD emotion",
        MECAD,
        turns("valid_data_pair.json", emotion="Bored"),
        InvalidDataError,
        ["'d1', turn 1", "Bored"],
    ),
    ("MECAD turn", MECAD, turns("valid_data_pair.json", turn=2), InvalidDataError, ["'d1'", "expected turn 1"]),
    ("MECAD text", MECAD, turns("valid_data_pair.json", utterance=None), InvalidDataError, ["turn 1", "'utterance'"]),
    (
        "RECCON cause out of range",
        RECCON,
        turns("dailydialog_train.json", **{"expanded emotion cause evidence": [2]}),
        InvalidDataError,
        ["'d1', turn 1", "cause 2", "1 to 1"],
    ),
    (
        "RECCON cause of words",
        RECCON,
        turns("dailydialog_train.json", **{"expanded emotion cause evidence": ["c"]}),
        InvalidDataError,
        ["'d1', turn 1", "'c'"],
    ),
    (
        "RECCON without the extra list",
        RECCON,
        lambda t: (t.root / "dailydialog_train.json").write_text('{"d1": [{"turn": 1}, {"turn": 2}]}'),
        InvalidDataError,
        ["'d1'", "one list of turns"],
    ),
    # MEC4
    ("MEC4 length", MEC4, mec4(dia_len=3), InvalidDataError, ["'d1'", "'dia_len' is 3", "2 numbered turns"]),
    ("MEC4 pair", MEC4, mec4(pairs="(2,5)"), InvalidDataError, ["'d1', pair (2, 5)"]),
    ("MEC4 pairs", MEC4, mec4(pairs="2-1"), InvalidDataError, ["'d1'", "'2-1'"]),
    ("MEC4 id", MEC4, mec4(dia_id=None), InvalidDataError, ["row 1", "'dia_id'"]),
]


def test_the_table_is_as_long_as_promised():
    assert len(CASES) >= 40
    assert not [name for name, count in Counter(case[0] for case in CASES).items() if count > 1]


@pytest.mark.parametrize(("name", "config", "break_it", "error", "said"), CASES, ids=[case[0] for case in CASES])
def test_malformed_input_is_answered_clearly(tree, tmp_path, name, config, break_it, error, said):
    break_it(tree)
    with pytest.raises(IemomecpError) as caught:
        list(iemomecp_dataset.load(config, data_dir=tree.root, streaming=True))
    assert type(caught.value) is error
    message = str(caught.value)
    for words in said:
        assert words in message, message
    assert str(tree.root) in message or config == MERGED
    assert len(message) < 2500
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("which", ["labels", "transcript", "pickle"])
@pytest.mark.parametrize("when", ["while hashing", "while reading"])
def test_files_without_rights_are_named(tree, monkeypatch, which, when):
    # The super-user can read everything, so the refusal is simulated.
    transcript = tree.transcript("Ses01F_impro01")
    paths = {"labels": tree.labels("train"), "transcript": transcript, "pickle": tree.pickle_path}
    method = {"while hashing": "open", "while reading": "read_bytes"}[when]
    allowed = getattr(Path, method)

    def refuse(path, *arguments, **options):
        if path == paths[which]:
            raise PermissionError(13, "Permission denied", str(path))
        return allowed(path, *arguments, **options)

    monkeypatch.setattr(Path, method, refuse)
    with pytest.raises(IemomecpError) as caught:
        iemomecp_dataset.load(data_dir=tree.root)
    assert f"{paths[which]}: cannot be read (Permission denied)" in str(caught.value)


def test_what_load_dataset_raises_is_our_own_error(tree):
    from datasets import load_dataset

    tree.edit_labels("train", lambda d: d["splits"]["train"][0]["pairs"].clear())
    for options in ({}, {"streaming": True}, {"num_proc": 2}):
        with pytest.raises(InvalidDataError, match="expected all 6 pairs"):
            load_dataset("iemomecp", data_dir=tree.root, **options)


def test_all_problems_are_listed_not_only_the_first(tree):
    def change(document):
        for dialogue in document["splits"]["train"]:
            dialogue["pairs"][0].update(label_id=9)
            dialogue["pairs"].pop()

    tree.edit_labels("train", change)
    tree.edit_labels("test", lambda d: d["splits"]["test"][0].update(num_utterances=9))
    overlay, problems = check_overlay(tree.root / "labels")
    assert overlay is not None
    assert len(problems) == 4
    assert {problem.path.name for problem in problems} == {"train.json", "test.json"}
