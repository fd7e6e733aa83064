"""The synthetic MELD: layout of the genuine files; signals in the words, in the speaker's past, in every vector."""

from __future__ import annotations

import csv
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.sources.restricted_pickle import read_restricted_pickle
from iemomecp_dataset.synthetic import write_meld
from iemomecp_dataset.synthetic.emotional_dialogues import MELD_EMOTION_SHARES, emotional_dialogue

SIZES = {"train": 40, "validation": 8, "test": 12}


@pytest.fixture(scope="module")
def meld(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_meld(tmp_path_factory.mktemp("synthetic") / "meld", dialogues=SIZES)


def lines(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def labelled(meld: Path) -> dict[str, tuple[str, str]]:
    """Split and emotion by utterance id, in the order of the files."""
    return {
        f"{split}_dia{line['Dialogue_ID']}_utt{line['Utterance_ID']}": (split, line["Emotion"])
        for split in ("train", "dev", "test")
        for line in lines(meld / f"{split}_sent_emo.csv")
    }


def test_layout_of_the_genuine_files(meld: Path) -> None:
    raw = (meld / "train_sent_emo.csv").read_bytes()
    header = b"Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime\r\n"
    assert raw.startswith(header)
    assert raw.count(b"\r\n") == raw.count(b"\n")
    train = lines(meld / "train_sent_emo.csv")
    numbers = {int(line["Dialogue_ID"]) for line in train}
    assert len(numbers) == 40
    assert max(numbers) == 40, "one number is absent, as in the genuine file"
    lengths = Counter(line["Dialogue_ID"] for line in train)
    last = {line["Dialogue_ID"]: int(line["Utterance_ID"]) for line in train}
    assert any(last[key] + 1 > length for key, length in lengths.items()), "utterance numbers have gaps"
    assert 1 in lengths.values()
    assert {line["Emotion"] for line in train} == set(MELD_EMOTION_SHARES)
    assert any('"' in line["Utterance"] for line in train)
    assert (meld / "SYNTHETIC.txt").read_text().startswith("SYNTHETIC")


def test_equal_arguments_give_equal_bytes(meld: Path, tmp_path: Path) -> None:
    again = write_meld(tmp_path / "again", dialogues=SIZES)
    names = sorted(path.relative_to(meld) for path in meld.rglob("*") if path.is_file())
    assert [str(name) for name in names if name.suffix == ".csv"] == [
        *("dev_sent_emo.csv", "test_sent_emo.csv", "train_sent_emo.csv"),
    ]
    assert all((meld / name).read_bytes() == (again / name).read_bytes() for name in names)
    other = write_meld(tmp_path / "other", seed=1, dialogues={"test": 3}, features=False)
    assert {path.name for path in other.iterdir()} == {"test_sent_emo.csv", "SYNTHETIC.txt"}
    assert lines(other / "test_sent_emo.csv")[0] != lines(meld / "test_sent_emo.csv")[0]


def test_every_modality_beats_the_majority_and_all_together_each_of_them(meld: Path) -> None:
    known = labelled(meld)
    ids = list(known)
    emotions = list(MELD_EMOTION_SHARES)
    gold = np.array([emotions.index(known[key][1]) for key in ids])
    train = np.array([known[key][0] == "train" for key in ids])
    vectors = {}
    for modality in ("text", "event", "audio", "video"):
        table = pq.read_table(meld / f"features/{modality}.parquet")
        assert table["utterance_id"].to_pylist() == ids
        vectors[modality] = np.array(table["vector"].to_pylist())
    vectors["together"] = np.hstack([vectors[name] for name in ("text", "audio", "video")])
    accuracy = {name: nearest_mean(x, gold, train) for name, x in vectors.items()}
    majority = float((gold[~train] == 0).mean())
    assert all(value > majority + 0.05 for value in accuracy.values()), accuracy
    assert accuracy["together"] > max(value for name, value in accuracy.items() if name != "together")


def nearest_mean(x: np.ndarray, gold: np.ndarray, train: np.ndarray) -> float:
    """Accuracy outside train of linear discriminant analysis with unit noise, which the features have."""
    means = np.stack([x[train & (gold == label)].mean(axis=0) for label in range(gold.max() + 1)])
    shares = np.bincount(gold[train]) / train.sum()
    scores = x[~train] @ means.T - (means**2).sum(axis=1) / 2 + np.log(shares)
    return float((scores.argmax(axis=1) == gold[~train]).mean())


def test_speakers_keep_their_emotion_more_often_than_chance() -> None:
    rng = random.Random(3)
    kept, chance = [], []
    for _ in range(200):
        last: dict[str, str] = {}
        for utterance in emotional_dialogue(rng, n_turns=10):
            if utterance.speaker in last:
                kept.append(last[utterance.speaker] == utterance.emotion)
                chance.append(MELD_EMOTION_SHARES[utterance.emotion])
            last[utterance.speaker] = utterance.emotion
    assert np.mean(kept) > np.mean(chance) + 0.15


def test_the_pickle_has_the_released_layout(meld: Path) -> None:
    content = read_restricted_pickle(meld / "meld_emotion_semantic_features_roberta.pkl")
    assert len(content) == 17
    train, test, validation = content[14:]
    assert (len(train), len(test), len(validation)) == (40, 12, 8)
    assert all(part.keys() == {*train, *test, *validation} for part in content[:14])
    assert content[3][train[0]].dtype == np.float32
    assert content[13][train[0]][0] == lines(meld / "train_sent_emo.csv")[0]["Utterance"]
    assert not np.array_equal(content[3][train[0]], content[4][train[0]])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": -1}, "must not be negative"),
        ({"dialogues": {"dev": 3}}, "no split 'dev'; expected train, validation, test"),
    ],
)
def test_refused_arguments(tmp_path: Path, arguments: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        write_meld(tmp_path / "x", **arguments)
    assert not (tmp_path / "x").exists()


def test_a_folder_with_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(UsageError, match="not an empty folder"):
            write_meld(tmp_path, overwrite=overwrite)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_synthetic_meld_is_replaced_on_demand_alone(tmp_path: Path) -> None:
    write_meld(tmp_path, dialogues={"train": 2, "test": 2})
    with pytest.raises(UsageError, match="--overwrite"):
        write_meld(tmp_path, dialogues={"test": 2})
    write_meld(tmp_path, dialogues={"test": 2}, features=False, overwrite=True)
    assert {path.name for path in tmp_path.iterdir()} == {"test_sent_emo.csv", "SYNTHETIC.txt"}
