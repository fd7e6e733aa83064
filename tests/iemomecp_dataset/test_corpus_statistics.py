"""The statistics command, doctests, and the promised speed and memory."""

from __future__ import annotations

import subprocess
import sys

import pytest
from corpus_files import meld_csv, write

import iemomecp_dataset
from iemomecp_dataset.corpus_statistics import row_statistics, statistics_table
from iemomecp_dataset.fingerprints import data_fingerprint, text_fingerprint


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "iemomecp_dataset", *map(str, arguments)], capture_output=True, text=True, check=False
    )


def test_statistics_of_the_hand_made_tree(tree):
    splits = iemomecp_dataset.load(data_dir=tree.root)
    train = row_statistics(splits["train"])
    spans = [(name, start, length) for split, name, _, start, length in tree.chunk_spans() if split == "train"]
    pairs = [pair for span in spans for pair in tree.label_pairs(*span)]
    emotional = sum(
        tree.dialogues[name].emotions[turn - 1] != "n"
        for name, start, length in spans
        for turn in range(start, start + length)
    )
    assert train.candidates == len(pairs)
    assert train.labels == {
        role: sum(pair["label"] == role for pair in pairs) for role in ("emo_cause", "emo_context", "non_pair")
    }
    assert train.counts.emotional == train.counts.emotional_with_cause == emotional
    assert (train.counts.dialogues, train.counts.utterances, train.counts.longest) == (3, 10, 4)
    assert train.mean_length == pytest.approx(10 / 3)
    table = statistics_table("3class", splits).splitlines()
    assert [line.split()[0] for line in table] == ["split", "train", "validation", "test"]


def test_emotions_stand_in_the_place_of_pairs_where_there_are_none(tmp_path):
    write(tmp_path / "train_sent_emo.csv", meld_csv())
    splits = iemomecp_dataset.load("meld", data_dir=tmp_path)
    header, train, *verdicts = statistics_table("meld", splits).splitlines()
    found = dict(zip(header.split(), train.split(), strict=True))
    sizes = {"split": "train", "rows": "2", "utterances": "4", "mean": "2.0", "longest": "3"}
    emotions = {"neutral": 1, "surprise": 1, "fear": 1, "sadness": 0, "joy": 1, "disgust": 0, "anger": 0}
    assert found == sizes | {name: str(count) for name, count in emotions.items()}
    assert [verdict.split(" from ")[0] for verdict in verdicts] == ["train: DIFFERS", "train: emotions DIFFER"]


def test_synthetic_data_is_not_held_against_published_counts(synthetic_dir):
    splits = iemomecp_dataset.load("iemocap", data_dir=synthetic_dir)
    assert [line.split()[0] for line in statistics_table("iemocap", splits).splitlines()] == ["split", *splits]


def test_the_command_prints_them_and_says_what_is_unknown(tree):
    done = run("overlay", "--data-dir", tree.root)
    assert done.returncode == 0, done.stderr
    assert "emo_context" in done.stdout
    assert "?" in done.stdout  # The overlay has no emotions.
    assert "--candidates" in run("stats", "--help").stdout


def test_the_command_lists_what_can_be_loaded_and_answers_errors(tmp_path):
    overview = run("stats")
    assert overview.returncode == 0
    for name in ("3class", "overlay", "ecf", "mecad", "mec4", "reccon", "meld", "iemocap", "ecem", "ecgf"):
        assert name in overview.stdout
    for arguments, said in (
        (["ecff", "--data-dir", tmp_path], "Did you mean 'ecf'"),
        (["ecf", "--data-dir", tmp_path], "train.txt"),
    ):
        done = run(*arguments)
        assert done.returncode == 2
        assert said in done.stderr
        assert "Traceback" not in done.stderr


def test_a_corpus_is_compared_with_its_published_counts(tmp_path):
    (tmp_path / "train.txt").write_text("1 1\n\n1 | A | joy | Hi . | S: 00:00:01.0 - 00:00:02.0\n")
    splits = iemomecp_dataset.load("ecf", data_dir=tmp_path)
    assert "train: DIFFERS from the published SplitCounts(dialogues=1001" in statistics_table("ecf", splits)


def test_fingerprints_are_of_the_content(tree, tmp_path):
    splits = iemomecp_dataset.load(data_dir=tree.root)
    prints = {split: (data_fingerprint(rows), text_fingerprint(rows)) for split, rows in splits.items()}
    assert len({digest for digests in prints.values() for digest in digests}) == 6
    streamed = iemomecp_dataset.load(data_dir=tree.root, split="train", streaming=True)
    for rows in (list(splits["train"])[::-1], list(streamed)):
        assert (data_fingerprint(rows), text_fingerprint(rows)) == prints["train"]
    tree.root.rename(tmp_path / "elsewhere")
    moved = iemomecp_dataset.load(data_dir=tmp_path / "elsewhere")
    assert {split: (data_fingerprint(rows), text_fingerprint(rows)) for split, rows in moved.items()} == prints


@pytest.mark.parametrize(
    ("changed", "of_data", "of_texts"),
    [
        (lambda row: row["utterances"][0].update(text="Other words."), False, True),
        (lambda row: row["utterances"][0].update(speaker="Somebody"), False, True),
        (lambda row: row["utterances"][0].update(emotion=3), True, False),
        (lambda row: row["pairs"][0].update(label=1), True, False),
        (lambda row: row["pairs"].pop(), True, False),
        (lambda row: row.update(gold_outside_candidates=[{"target_turn": 1, "cause_turn": 2}]), True, False),
        (lambda row: row.update(dialogue_id="another"), True, True),
        (lambda row: row["utterances"].pop(), True, True),
        (lambda row: row["utterances"][0].update(start=0.25, end=None, video="x.mp4", wav="x.wav"), False, False),
        (lambda row: row["utterances"][0].update(utterance_id="x"), False, False),
        (lambda row: row["pairs"].reverse(), False, False),
    ],
)
def test_labels_and_texts_have_a_fingerprint_each(changed, of_data, of_texts):
    def row():
        utterances = [{"turn": i, "text": f"Line {i}.", "speaker": "A", "emotion": 0} for i in (1, 2)]
        pairs = [{"target_turn": 2, "cause_turn": cause, "label": 0} for cause in (1, 2)]
        return {"dialogue_id": "d", "utterances": utterances, "pairs": pairs}

    edited = row()
    changed(edited)
    assert (data_fingerprint([edited]) != data_fingerprint([row()])) == of_data
    assert (text_fingerprint([edited]) != text_fingerprint([row()])) == of_texts


@pytest.mark.slow
def test_a_full_scale_build_needs_less_than_a_gigabyte(full_dir):
    from iemomecp_dataset.benchmark.speed.dataset import peak_memory_of_build

    assert peak_memory_of_build(full_dir) < 1.0
