"""One inventory of emotions for all corpora, so that they can be joined."""

from __future__ import annotations

import os

import pytest
from corpus_files import MELD_HEADER, ecf_text, mec4, meld_csv, turn_lists, write
from datasets import concatenate_datasets, interleave_datasets, load_dataset

import iemomecp_dataset
from iemomecp_dataset.corpora.emotion_inventory import COMMON_EMOTION_OF
from iemomecp_dataset.corpora.metadata import emotions_of_config, further_splits, pair_classes
from iemomecp_dataset.corpus import load_corpus
from iemomecp_dataset.dataset_card import project_card
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.options import CONFIG_NAMES
from iemomecp_dataset.rows import list_item, to_pairs
from iemomecp_dataset.schema import COMMON_EMOTIONS
from iemomecp_dataset.synthetic import write_meld

INVENTORY = (
    *("neutral", "joy", "excitement", "surprise", "sadness", "anger", "frustration", "disgust", "fear", "other"),
)


@pytest.fixture
def folders(tmp_path, tree):
    """By configuration the options that load a small corpus in the genuine layout."""
    root = tmp_path / "corpora"
    for number, split in enumerate(("train", "dev", "test")):
        write(root / "ecf" / f"{split}.txt", ecf_text(2 * number + 1))
        write(root / "meld" / f"{split}_sent_emo.csv", meld_csv())
        spoken = [
            {"utterance_ID": 1, "text": "Rain.", "speaker": "Ann", "emotion": "disgust", "cause": "It rains."},
            {"utterance_ID": 2, "text": "Yes.", "speaker": "Bob", "emotion": "neutral", "cause": "There is none."},
        ]
        write(root / "ecgf" / f"{split}.json", [{"conversation_ID": number + 1, "conversation": spoken}])
    for split in ("train", "valid", "test"):
        write(root / "mecad" / f"{split}_data_pair.json", turn_lists(split, "Happy"))
        write(root / "mec4" / f"{split}.json", mec4(split))
        write(root / "reccon" / f"dailydialog_{split}.json", turn_lists(split, "happines"))
    # Two dialogues of MELD's train part with an explanation each; the second is one of validation.
    lines = [f'1,Rain,Ann,fear,negative,{number},0,1,2,"0:16:01,500","0:16:02,000"\r\n' for number in (0, 4)]
    for part in ("train", "test"):
        write(root / "ecem" / f"{part}_sent_emo.csv", MELD_HEADER + "".join(lines))
    asked = "<video>\nExplain why the emotion of this statement is fear <Ann: Rain>"
    write(
        root / "ecem" / "train_data_just_reason.json",
        [
            {
                "id": number,
                "video": video,
                "conversations": [{"from": "human", "value": asked}, {"from": "gpt", "value": "It rains."}],
            }
            for number, video in enumerate(("0_0.mp4", "4_0.mp4", "t_0_0.mp4"))
        ],
    )
    merged = ("3class", "source_binary", "overlay", "iemocap")
    return {name: {"data_dir": tree.root if name in merged else root / name} for name in CONFIG_NAMES}


def test_the_inventory_and_its_order_are_fixed():
    assert COMMON_EMOTIONS == INVENTORY
    assert {emotions_of_config(name, "common") for name in CONFIG_NAMES} == {INVENTORY}


def test_every_label_of_every_corpus_has_its_place():
    inventories = [emotions_of_config(name, splits=further_splits(name)) for name in CONFIG_NAMES]
    labels = {label for names in inventories for label in names}
    assert {*COMMON_EMOTION_OF} - {None} == labels
    assert {*COMMON_EMOTION_OF.values()} - {None} == {*COMMON_EMOTIONS}
    assert COMMON_EMOTION_OF[None] is None
    # No corpus loses a distinction that it makes.
    for names in inventories:
        assert len({COMMON_EMOTION_OF[label] for label in names}) == len(names)


def test_all_configurations_can_be_joined(folders):
    loaded = {
        name: iemomecp_dataset.load(name, emotions="common", split="train", **options)
        for name, options in folders.items()
    }
    two_classes = [rows for name, rows in loaded.items() if len(pair_classes(name)) == 2]
    assert len(two_classes) == len(CONFIG_NAMES) - 2
    assert len({str(rows.features) for rows in two_classes}) == 1
    without_pairs = [rows.remove_columns("pairs") for rows in loaded.values()]
    for parts in (two_classes, without_pairs):
        joined = concatenate_datasets(parts)
        assert joined.to_list() == [row for rows in parts for row in rows]
        assert list_item(joined.features["utterances"])["emotion"].names == list(INVENTORY)
        mixed = interleave_datasets(parts)
        assert mixed[: len(parts)]["dialogue_id"] == [rows[0]["dialogue_id"] for rows in parts]
        streamed = interleave_datasets([rows.to_iterable_dataset() for rows in parts])
        assert next(iter(streamed)) == parts[0][0]
    said = {u["emotion_source"] for row in concatenate_datasets(without_pairs) for u in row["utterances"]}
    assert {"hap", "joy", "happy", "happiness", "emotional", None} <= said


def test_load_dataset_takes_the_inventory_and_pairs_keep_both_labels(folders):
    folder = str(folders["mecad"]["data_dir"])
    rows = load_dataset("iemomecp", "mecad", emotions="common", split="train", data_dir=folder)
    pair = next(pair for pair in to_pairs(rows) if pair["label"] == 0)
    assert INVENTORY[pair["target_emotion"]] == "joy"
    assert (pair["target_emotion_source"], pair["cause_emotion_source"]) == ("happy", "neutral")
    assert "emotion_source is the corpus's own label" in rows.info.description


def test_what_has_no_emotion_is_counted(folders, caplog):
    iemomecp_dataset.load("overlay", emotions="common", **folders["overlay"])
    assert "train: the emotion of 10 of 10 utterances is not known; it stays null" in caplog.text


def test_what_is_joined_with_synthetic_rows_is_marked(folders, tmp_path):
    write_meld(tmp_path / "synthetic")
    genuine = iemomecp_dataset.load("meld", emotions="common", split="test", **folders["meld"])
    synthetic = iemomecp_dataset.load("meld", emotions="common", split="test", data_dir=tmp_path / "synthetic")
    assert iemomecp_dataset.is_synthetic(concatenate_datasets([genuine, synthetic]))
    assert iemomecp_dataset.is_synthetic(interleave_datasets([genuine, synthetic]))
    assert not iemomecp_dataset.is_synthetic(concatenate_datasets([genuine, genuine.select([0])]))


def test_derived_emotions_cannot_be_recognised_under_any_name(folders):
    corpus = load_corpus("mec4", emotions="common", **folders["mec4"])
    with pytest.raises(UsageError, match="label no emotions; neutral and emotional are derived from its pairs"):
        corpus.require_emotions()


def test_baselines_know_the_neutral_of_the_inventory(folders):
    own, common = (load_corpus("ecf", emotions=emotions, **folders["ecf"]) for emotions in ("corpus", "common"))
    for split, table in common.tables.items():
        assert table.emotional_targets.tolist() == own.tables[split].emotional_targets.tolist()
        assert 0 < table.emotional_targets.mean() < 1
    assert own.fingerprints == common.fingerprints, "the same labels in another inventory"


def test_another_inventory_is_refused(folders):
    with pytest.raises(UsageError, match=r"emotions cannot be 'comon'. Did you mean 'common'"):
        iemomecp_dataset.load("ecf", emotions="comon", **folders["ecf"])


def test_the_card_states_the_map():
    card = project_card()
    assert "`test_iemocap`" in card
    for label, common in COMMON_EMOTION_OF.items():
        if label is not None:
            line = next(line for line in card.splitlines() if f" {common} | `" in line)
            assert f"`{label}`" in line


@pytest.mark.parametrize("names", [("ecf", "mecad", "reccon", "meld", "ecem")])
def test_genuine_corpora_can_be_joined(names):
    folders = {name: os.environ.get(f"IEMOMECP_{name.upper()}_DIR") for name in names}
    if not all(folders.values()):
        absent = [f"IEMOMECP_{name.upper()}_DIR" for name, folder in folders.items() if not folder]
        pytest.skip(f"{', '.join(absent)} do not name folders with the genuine files")
    options = {name: {"data_dir": folder} for name, folder in folders.items()}
    options["ecem"]["meld_root"] = folders["meld"]
    parts = [
        iemomecp_dataset.load(name, emotions="common", split="validation", **given) for name, given in options.items()
    ]
    joined = concatenate_datasets(parts)
    assert len(joined) == sum(map(len, parts))
    assert len(interleave_datasets(parts, stopping_strategy="all_exhausted")) == len(parts) * max(map(len, parts))
    for rows, name in zip(parts, names, strict=True):
        own = iemomecp_dataset.load(name, split="validation", **options[name])
        feature = list_item(own.features["utterances"])["emotion"]
        before = [feature.int2str(u["emotion"]) for row in own for u in row["utterances"]]
        assert [u["emotion_source"] for row in rows for u in row["utterances"]] == before
