"""The synthetic ECEM."""

from __future__ import annotations

import json
from collections import Counter

import pytest

import iemomecp_dataset
from iemomecp_dataset.corpora.ecem import read_ecem
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.explanation_table import explanation_table
from iemomecp_dataset.synthetic import write_ecem

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
