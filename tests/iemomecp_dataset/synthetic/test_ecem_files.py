"""The synthetic ECEM."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import av
import numpy as np
import pytest

import iemomecp_dataset
from iemomecp_dataset.corpora.ecem import read_ecem
from iemomecp_dataset.corpora.meld import find_clips
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.explanation_table import explanation_table
from iemomecp_dataset.synthetic import write_ecem
from iemomecp_dataset.synthetic.ecem_files import _NOUNS

MAP = "all_data_pair_ECFvsMELD.txt"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_ecem(tmp_path_factory.mktemp("ecem") / "made")


@pytest.fixture(scope="module")
def loaded(folder):
    return read_ecem(
        folder / "train_data_just_reason.json",
        {part: folder / f"{part}_sent_emo.csv" for part in ("train", "test")},
        ecf_files=[folder / "ECF" / f"{part}.txt" for part in ("train", "dev", "test")],
        ecf_map=folder / "ECF" / MAP,
    )


def test_it_has_the_damages_of_the_genuine_file(folder, loaded):
    counts = loaded.report.counts
    for name in ("complete", "truncated", "missing", "foreign", "meta"):
        assert counts[f"explanations {name}"] > 0, name
    assert counts["explanations complete"] / counts["items of the file"] > 0.7
    assert counts["texts repaired"] > 0
    assert counts["explanations without a row in ECF"] > 0
    assert counts["explanations without a gold pair in ECF"] > 0
    assert {check.name: len(check.mismatches) > 0 for check in loaded.report.checks} == {
        "speaker of MELD": False,
        "emotion of MELD": False,
        "naive join": True,
    }
    content = (folder / "train_data_just_reason.json").read_bytes()
    assert content.isascii()
    assert [item["id"] for item in json.loads(content)] == list(range(counts["items of the file"]))


def test_explanations_follow_the_cause_and_not_the_distance(loaded):
    distances: Counter[int] = Counter()
    for row in loaded.rows["train"]:
        texts = {utterance["turn"]: utterance["text"] for utterance in row["utterances"]}
        for explanation in row["explanations"]:
            for cause in explanation["cause_turns"]:
                distances[explanation["target_turn"] - cause] += 1
                event = texts[cause].rstrip(".!").split(", ")[0].lower()
                said = explanation["text"].replace("“", "").replace("”", "").replace("—", "").lower()
                assert said.endswith(f"is that {event}.")
    assert set(distances) == {0, 1, 2, 3}
    assert max(distances.values()) / distances.total() < 0.5
    table = explanation_table(loaded.rows["train"])
    # No sentence explains many of them, so that one sentence for all says nothing.
    assert Counter(table.references).most_common(1)[0][1] <= 3


def test_equal_arguments_give_equal_bytes_and_other_files_stay(folder, tmp_path):
    again = write_ecem(tmp_path / "again")
    for path in (p for p in folder.rglob("*") if p.is_file()):
        assert (again / path.relative_to(folder)).read_bytes() == path.read_bytes()
    with pytest.raises(UsageError, match="already contains a synthetic corpus"):
        write_ecem(again)
    (again / "mine.txt").write_text("kept")
    with pytest.raises(UsageError, match="nor a synthetic ECEM"):
        write_ecem(again, overwrite=True)
    for options, said in (({"seed": -1}, "negative"), ({"scale": "huge"}, "no scale")):
        with pytest.raises(UsageError, match=said):
            write_ecem(tmp_path / "other", **options)


def test_it_loads_and_is_marked(folder):
    rows = iemomecp_dataset.load("ecem", data_dir=folder, ecf_root=folder / "ECF", ecf_map=folder / "ECF" / MAP)
    assert list(rows) == ["train", "validation", "test"]
    assert iemomecp_dataset.is_synthetic(rows)
    assert any(explanation["cause_turns"] for explanation in rows["test"][0]["explanations"])


def test_clips_lie_where_those_of_meld_do_and_show_what_the_explanation_is_about(tmp_path):
    sizes = {"train": 4, "validation": 1, "test": 1}
    made = [write_ecem(tmp_path / name, dialogues=sizes, media=True) for name in ("one", "two")]
    clips = sorted(path.relative_to(made[0]) for path in made[0].rglob("*.mp4"))
    assert {clip.parent.name for clip in clips} == {
        "train_splits",
        "dev_splits_complete",
        "output_repeated_splits_test",
    }
    assert all((made[0] / clip).read_bytes() == (made[1] / clip).read_bytes() for clip in clips)
    colours: dict[str, list[np.ndarray]] = {}
    rows = read_ecem(
        made[0] / "train_data_just_reason.json",
        {part: made[0] / f"{part}_sent_emo.csv" for part in ("train", "test")},
        clips={key: clip for key, (clip, _) in find_clips(made[0]).items()},
    ).rows
    for row in (row for of_split in rows.values() for row in of_split):
        assert all(Path(utterance["video"]).is_file() for utterance in row["utterances"])
        for explanation in row["explanations"]:
            video = row["utterances"][explanation["target_turn"] - 1]["video"]
            with av.open(video) as container:
                frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
            assert len(frames) == 4
            noun = next(noun for noun in _NOUNS if noun in explanation["text"])
            colours.setdefault(noun, []).append(frames[1][20:28, 68:76].mean((0, 1)))
    means = {noun: np.mean(of_noun, axis=0) for noun, of_noun in colours.items()}
    assert len(means) > 3
    for noun, of_noun in colours.items():
        for colour in of_noun:
            assert min(means, key=lambda other: np.abs(means[other] - colour).sum()) == noun
    # They are removed with the rest.
    write_ecem(made[0], dialogues=sizes, overwrite=True)
    assert not list(made[0].rglob("*.mp4"))
