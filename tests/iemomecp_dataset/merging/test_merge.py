"""Rows of 3class, source_binary and overlay, against a direct recomputation from the hand-made tree."""

from __future__ import annotations

import pytest
from datasets import load_dataset

import iemomecp_dataset


def expected_row(tree, split, dialogue, number, start, length, label):
    source = tree.dialogues[dialogue]
    emotion_ids = source.emotion_ids()
    utterances = []
    for turn in range(1, length + 1):
        source_turn = start + turn - 1
        utterance = tree.utterance_id(dialogue, source_turn)
        wav = tree.root / "IEMOCAP" / f"Session{dialogue[4]}" / "sentences" / "wav" / dialogue / f"{utterance}.wav"
        utterances.append(
            {
                "turn": turn,
                "source_turn": source_turn,
                "utterance_id": utterance,
                "speaker": tree.speaker(source_turn),
                "text": tree.sentence(dialogue, source_turn),
                "emotion": emotion_ids[source_turn - 1],
                "start": tree.times(source_turn)[0],
                "end": tree.times(source_turn)[1],
                "wav": str(wav),
                "video": None,
            }
        )
    pairs = []
    for pair in tree.label_pairs(dialogue, start, length):
        target, cause = pair["target_emotion_turn"], pair["cause_turn"]
        is_source = (start + cause - 1) in source.causes.get(start + target - 1, [])
        pairs.append(
            {
                "target_turn": target,
                "cause_turn": cause,
                "label": label(pair["label_id"], is_source, cause > target),
                "source_pair": is_source,
                "context_subtypes": pair["context_subtype_ids"],
                "taxonomy_label": pair["taxonomy_label"],
                "label_source": pair["source"],
            }
        )
    return {
        "dialogue_id": tree.chunk_id(dialogue, number),
        "source_dialogue_id": dialogue,
        "chunk_index": number,
        "session": int(dialogue[4]),
        "utterances": utterances,
        "pairs": pairs,
        "explanations": [],
    }


def expected_rows(tree, wanted, label=lambda role, is_source, forward: role):
    return [expected_row(tree, split, *span, label) for split, *span in tree.chunk_spans() if split == wanted]


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_three_class_rows_are_what_the_files_say(tree, split):
    rows = load_dataset("iemomecp", data_dir=str(tree.root), split=split)
    assert list(rows) == expected_rows(tree, split)


def test_columns_and_names_are_those_of_the_contract(tree):
    features = load_dataset("iemomecp", data_dir=tree.root, split="train").features
    ids = ["dialogue_id", "source_dialogue_id", "chunk_index", "session"]
    assert list(features) == [*ids, "utterances", "pairs", "explanations"]
    utterance, pair = (
        getattr(features[name], "feature", None) or features[name][0] for name in ("utterances", "pairs")
    )
    assert list(utterance) == (
        ["turn", "source_turn", "utterance_id", "speaker", "text", "emotion", "start", "end", "wav", "video"]
    )
    assert list(pair) == (
        ["target_turn", "cause_turn", "label", "source_pair", "context_subtypes", "taxonomy_label", "label_source"]
    )
    assert pair["label"].names == ["emo_cause", "emo_context", "non_pair"]
    assert utterance["emotion"].names == ["hap", "sad", "neu", "ang", "exc", "fru"]
    assert utterance["start"].dtype == "float32"
    assert {pair["target_turn"].dtype, features["session"].dtype} == {"int32"}


@pytest.mark.parametrize(("mode", "forward_is_pair"), [("as_published", False), ("gold", True)])
def test_source_binary_says_what_a_forward_pair_is(tree, mode, forward_is_pair):
    def label(role, is_source, forward):
        return 0 if is_source and (not forward or forward_is_pair) else 1

    rows = load_dataset("iemomecp", "source_binary", data_dir=tree.root, split="train", forward_pairs=mode)
    assert list(rows) == expected_rows(tree, "train", label)
    # The forward pair of the first chunk keeps its source label in either mode.
    forward = [pair for row in rows for pair in row["pairs"] if pair["cause_turn"] > pair["target_turn"]]
    assert [pair["source_pair"] for pair in forward] == [True]
    assert [pair["label"] for pair in forward] == [0 if forward_is_pair else 1]


def test_overlay_needs_labels_alone_and_leaves_the_rest_null(tree):
    rows = load_dataset("iemomecp", "overlay", label_dir=tree.root / "labels", split="train")
    full = expected_rows(tree, "train")
    assert rows["dialogue_id"][:] == [row["dialogue_id"] for row in full]
    for row, reference in zip(rows, full, strict=True):
        assert row["source_dialogue_id"] == reference["source_dialogue_id"]
        assert (row["chunk_index"], row["session"]) == (reference["chunk_index"], reference["session"])
        assert [utterance["turn"] for utterance in row["utterances"]] == list(range(1, len(row["utterances"]) + 1))
        assert {value for u in row["utterances"] for name, value in u.items() if name != "turn"} == {None}
        assert row["pairs"] == [{**pair, "source_pair": None} for pair in reference["pairs"]]


def test_text_source_ecpec_works_without_the_release(tree, caplog):
    import shutil

    shutil.rmtree(tree.root / "IEMOCAP")
    rows = load_dataset("iemomecp", data_dir=tree.root, split="test", text_source="ecpec")
    expected = expected_rows(tree, "test")
    for row in expected:
        for utterance in row["utterances"]:
            utterance.update(start=None, end=None, wav=None, video=None)
    assert list(rows) == expected
    assert "no IEMOCAP release" in caplog.text


def test_parts_may_lie_apart_and_under_other_names(tree, tmp_path):
    reference = list(load_dataset("iemomecp", data_dir=tree.root, split="train"))
    (tree.root / "IEMOCAP").rename(tmp_path / "IEMOCAP_full_release")
    (tree.root / "ECPEC").rename(tmp_path / "somewhere with spaces é")
    (tree.root / "labels").rename(tmp_path / "L")
    rows = load_dataset(
        "iemomecp",
        iemocap_root=tmp_path,
        convecpe_root=tmp_path / "somewhere with spaces é",
        label_dir=tmp_path / "L",
        split="train",
    )
    without_paths = [
        {**row, "utterances": [{**utterance, "wav": None} for utterance in row["utterances"]]} for row in reference
    ]
    moved = [{**row, "utterances": [{**utterance, "wav": None} for utterance in row["utterances"]]} for row in rows]
    assert moved == without_paths
    assert all(utterance["wav"] for row in rows for utterance in row["utterances"])


def test_streaming_and_processes_give_the_same_rows(tree):
    reference = list(load_dataset("iemomecp", data_dir=tree.root, split="train"))
    streamed = load_dataset("iemomecp", data_dir=tree.root, split="train", streaming=True)
    assert list(streamed) == reference
    assert streamed.num_shards == len(reference)
    parallel = iemomecp_dataset.load(data_dir=tree.root, split="train", num_proc=2, download_mode="force_redownload")
    assert list(parallel) == reference


def test_gold_pairs_and_flat_pairs_agree_with_rows(tree):
    rows = load_dataset("iemomecp", data_dir=tree.root, split="train")
    flat = iemomecp_dataset.to_pairs(rows)
    assert len(flat) == sum(len(row["pairs"]) for row in rows)
    assert flat.features["label"].names == ["emo_cause", "emo_context", "non_pair"]
    first = flat[0]
    assert (first["dialogue_id"], first["target_turn"], first["cause_turn"]) == ("Ses01F_impro01__c001", 1, 1)
    gold = {(row["dialogue_id"], *pair) for row in rows for pair in iemomecp_dataset.gold_pairs(row)}
    assert gold == {
        (pair["dialogue_id"], pair["target_turn"], pair["cause_turn"]) for pair in flat if pair["label"] == 0
    }
    texts = {(u["utterance_id"], u["text"]) for row in rows for u in row["utterances"]}
    assert {(pair["cause_utterance_id"], pair["cause_text"]) for pair in flat} <= texts
    # Pandas out of the box.
    frame = flat.to_pandas()
    assert frame.groupby("dialogue_id").size().to_dict() == {row["dialogue_id"]: len(row["pairs"]) for row in rows}


def test_flat_pairs_of_a_stream_and_of_all_splits(tree):
    everything = iemomecp_dataset.load(data_dir=tree.root)
    streamed = iemomecp_dataset.load(data_dir=tree.root, streaming=True)
    flat = iemomecp_dataset.to_pairs(everything)
    assert list(flat) == ["train", "validation", "test"]
    assert list(iemomecp_dataset.to_pairs(streamed)["test"]) == list(flat["test"])


def test_only_marked_trees_are_synthetic(tree):
    assert not iemomecp_dataset.is_synthetic(iemomecp_dataset.load(data_dir=tree.root))
    (tree.root / "SYNTHETIC.txt").write_text("made by a test")
    assert iemomecp_dataset.is_synthetic(iemomecp_dataset.load(data_dir=tree.root, split="train"))
    assert iemomecp_dataset.is_synthetic(iemomecp_dataset.load("overlay", data_dir=tree.root, streaming=True))


def test_labels_alone_can_say_that_they_are_synthetic(tree):
    def mark(document):
        document["synthetic"] = True

    tree.edit_labels("train", mark)
    assert iemomecp_dataset.is_synthetic(iemomecp_dataset.load("overlay", label_dir=tree.root / "labels"))
