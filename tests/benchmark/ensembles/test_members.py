"""Which runs may be averaged: the first difference is named, a run counts once, and their order does not matter."""

import shutil

import pytest

from iemomecp_dataset.benchmark.ensembles.members import read_members
from iemomecp_dataset.errors import MissingDataError, RunFolderError, UsageError


@pytest.fixture
def two(write_run, tmp_path):
    for seed in (1, 2):
        write_run(tmp_path / f"base_{seed}", seed=seed)
    return [tmp_path / "base_1", tmp_path / "base_2"]


def test_members_stand_in_an_order_of_their_own(write_run, tmp_path, two):
    write_run(tmp_path / "a_rpcl", objective="rpcl", seed=1, quality=2.2)
    given = [tmp_path / "a_rpcl", two[1] / "model", two[0]]
    (two[1] / "model").mkdir()
    for folders in (given, given[::-1]):
        assert [one.folder.name for one in read_members(folders)] == ["base_1", "base_2", "a_rpcl"]
    stated = read_members(given)[0].to_json()
    assert (stated["run_name"], stated["seed"], sorted(stated["predictions"])) == ("base_1", 1, ["test", "validation"])
    assert len({one.to_json()["results"] for one in read_members(given)}) == 3


def test_a_run_counts_once(write_run, tmp_path, two):
    with pytest.raises(UsageError, match="at least two runs; found 1"):
        read_members(two[:1])
    (tmp_path / "link").symlink_to(two[0])
    with pytest.raises(UsageError, match="link is named twice"):
        read_members([*two, tmp_path / "link"])
    write_run(tmp_path / "again", seed=1)
    with pytest.raises(UsageError, match=r"base_1 and .*again are the same run \(same settings, same seed 1\)"):
        read_members([*two, tmp_path / "again"])
    # The record is another one, its predictions are not.
    shutil.copytree(two[0], tmp_path / "renamed")
    text = (two[0] / "results.json").read_text(encoding="utf-8")
    (tmp_path / "renamed" / "results.json").write_text(text.replace('"seed": 1,', '"seed": 7,'), encoding="utf-8")
    with pytest.raises(UsageError, match=r"are the same run \(equal predictions\)"):
        read_members([*two, tmp_path / "renamed"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_classes": 3}, "the corpus is 'ecf' in the first and 'iemomecp' in the second"),
        ({"candidates": "past"}, "the candidates is 'all' in the first and 'past' in the second"),
        ({"splits": ("test",)}, "the scored splits is 'test, validation' in the first and 'test' in the second"),
        ({"threshold": {"value": None, "chosen_on": None}}, "the decision rule is 'threshold from validation'"),
        ({"data_seed": 1}, r"the data of test differ \(00test and 01test\)"),
        ({"text_fingerprint": {"test": "other"}}, r"the texts of test differ \(none and other\)"),
        ({"epoch_chosen_on": "test"}, "the split of the epoch is None in the first and 'test' in the second"),
    ],
)
def test_the_first_difference_is_named(changes, message, write_run, tmp_path, two):
    write_run(tmp_path / "other", seed=3, **changes)
    with pytest.raises(UsageError, match=message):
        read_members([two[0], tmp_path / "other"])


def test_signatures_and_pairs_are_compared_too(write_run, tmp_path, published_gold, make_rows):
    rows = {
        split: make_rows(9, seed=number, prefix=split[:2])
        for number, split in enumerate(("train", "validation", "test"))
    }
    write_run(tmp_path / "one", seed=1, rows=rows, extra=published_gold())
    write_run(tmp_path / "two", seed=2, rows=rows, extra=published_gold(n_gold=1872))
    with pytest.raises(UsageError, match="the signatures on test differ in n_gold"):
        read_members([tmp_path / "one", tmp_path / "two"])
    turned = rows | {"test": rows["test"][::-1]}
    write_run(tmp_path / "three", seed=3, rows=turned, extra=published_gold())
    with pytest.raises(UsageError, match=r"candidate pairs on test differ from line 1 on \(dialogue te0"):
        read_members([tmp_path / "one", tmp_path / "three"])


def test_what_is_no_run_of_pairs_is_refused(write_run, write_emotion_run, tmp_path, two):
    write_emotion_run(tmp_path / "emotions")
    with pytest.raises(UsageError, match="emotions is a run of the task 'erc'"):
        read_members([two[0], tmp_path / "emotions"])
    (tmp_path / "begun").mkdir()
    with pytest.raises(MissingDataError, match="not the folder of a run"):
        read_members([two[0], tmp_path / "begun"])
    text = (two[1] / "results.json").read_text(encoding="utf-8")
    (two[1] / "results.json").write_text(text.replace('"pair_f1": 0.', '"pair_f1": 0.1', 1), encoding="utf-8")
    with pytest.raises(RunFolderError, match="contradict each other"):
        read_members(two)
