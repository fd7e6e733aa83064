"""Files of corpora found and checked together, and the genuine files if available."""

from __future__ import annotations

import dataclasses
import functools
import os

import datasets
import pytest
from corpus_files import ecf_text, turn_lists, write
from datasets import ReadInstruction, load_dataset
from packaging.version import Version

import iemomecp_dataset
from iemomecp_dataset.corpora.metadata import CORPORA, SplitCounts
from iemomecp_dataset.errors import InvalidDataError, MissingDataError, UsageError


def test_absent_splits_are_left_out_and_said(tmp_path, caplog):
    write(tmp_path / "dev.txt", ecf_text())
    rows = iemomecp_dataset.load("ecf", data_dir=tmp_path)
    assert list(rows) == ["validation"]
    assert "no train split" in caplog.text
    assert "no test split" in caplog.text
    with pytest.raises(MissingDataError, match="no test split here; there are validation"):
        iemomecp_dataset.load("ecf", data_dir=tmp_path, split="test")
    with pytest.raises(MissingDataError, match="no train split here"):
        iemomecp_dataset.load("ecf", data_dir=tmp_path, split="train", streaming=True)


def test_splits_are_found_with_capitals_blanks_and_in_sums_and_streams_are_whole(tmp_path):
    for name, first in (("train", 1), ("dev", 3)):
        write(tmp_path / f"{name}.txt", ecf_text(first))
    rows = iemomecp_dataset.load("ecf", tmp_path)
    for split in ("Dev", "VALID", "Validation", " dev "):
        assert iemomecp_dataset.load("ecf", tmp_path, split=split).to_list() == rows["validation"].to_list()
    both = [*rows["train"], *rows["validation"]]
    for split in ("train + dev", "Train+valid[:2]"):
        assert iemomecp_dataset.load("ecf", tmp_path, split=split).to_list() == both
    if Version(datasets.__version__).major >= 5:  # earlier versions stream single splits alone
        assert list(iemomecp_dataset.load("ecf", tmp_path, split="Train + Dev", streaming=True)) == both
    for part in ("valid[:3]", ReadInstruction("valid", to=3, unit="abs")):
        with pytest.raises(
            UsageError, match=r"A stream cannot be sliced, and 'validation\[:3\]' is a slice: .*take\(3\)"
        ):
            iemomecp_dataset.load("ecf", tmp_path, split=part, streaming=True)
    # Only the names of the three splits have spellings.
    with pytest.raises(UsageError, match="There is no split 'Trian'"):
        iemomecp_dataset.load("ecf", tmp_path, split="Trian")


def test_texts_in_another_language_are_said(tmp_path, caplog):
    """MECAD and RECCON have files of one form, and the emotions of each are words for those of the other."""
    write(tmp_path / "test_data_pair.json", turn_lists("d1", "Anger"))
    iemomecp_dataset.load("mecad", tmp_path)
    assert "no text has a Chinese letter, and the texts of MECAD are Chinese" in caplog.text
    document = turn_lists("d1", "Anger")
    for entry in document["d1"][0]:
        entry["utterance"] = "下雨"
    write(tmp_path / "test_data_pair.json", document)
    with pytest.raises(
        InvalidDataError, match=r"2 of 2 texts are Chinese, .* looks like MECAD: load it with 'mecad'\."
    ):
        iemomecp_dataset.load("reccon", tmp_path)


def test_a_damaged_folder_is_not_taken_for_another_corpus(tmp_path):
    write(tmp_path / "train.json", "[")
    for name in ("ecf", "mec4", "ecgf"):
        with pytest.raises(InvalidDataError) as caught:
            iemomecp_dataset.load(name, tmp_path)
        assert "looks like" not in str(caught.value)
    with pytest.raises(MissingDataError, match=r"looks like .*\(ECF\) \(load it with 'ecf'\) or MEC4 \(load it with"):
        iemomecp_dataset.load("reccon", tmp_path)


def test_a_folder_in_the_place_of_the_configuration_is_said_to_be_data_dir(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "mine" / "dev.txt", ecf_text())
    for call in (iemomecp_dataset.load, functools.partial(load_dataset, "iemomecp")):
        with pytest.raises(UsageError, match=r"'mine' is a folder, .* data_dir, load\('ecf', 'mine'\)\.$"):
            call("mine")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"load\(NAME, 'empty'\), where NAME is one of 3class, "):
        iemomecp_dataset.load("empty")
    (tmp_path / "mine").rename("ecf")
    assert list(iemomecp_dataset.load("ecf", "ecf")) == ["validation"]  # a configuration is one, whatever lies there


def test_the_folder_above_and_a_part_of_a_corpus_are_recognised(tmp_path):
    write(tmp_path / "b" / "dev.txt", ecf_text())
    with pytest.raises(MissingDataError, match=f"^Did you mean '{tmp_path}/b'\\? "):
        iemomecp_dataset.load("ecf", tmp_path)
    write(tmp_path / "ECF" / "dev.txt", ecf_text())
    with pytest.raises(MissingDataError, match=f"^Did you mean '{tmp_path}/ECF'\\? "):
        iemomecp_dataset.load("ecf", tmp_path)
    (tmp_path / "data" / "labels").mkdir(parents=True)
    write(tmp_path / "data" / "labels" / "train.json", "[]")
    with pytest.raises(MissingDataError, match=f"^Did you mean '{tmp_path}/data'\\? "):
        iemomecp_dataset.load("3class", tmp_path)
    with pytest.raises(MissingDataError) as caught:
        iemomecp_dataset.load("meld", tmp_path)
    assert "Did you mean" not in str(caught.value)
    write(tmp_path / "c" / "iemocap_test.json", {})
    with pytest.raises(MissingDataError, match="looks like RECCON-DailyDialog: load it with 'reccon'"):
        iemomecp_dataset.load("ecf", tmp_path / "c")


def test_a_dialogue_in_two_splits_is_refused(tmp_path):
    write(tmp_path / "train.txt", ecf_text())
    write(tmp_path / "test.txt", ecf_text())
    with pytest.raises(InvalidDataError, match=r"test\.txt, dialogue '7'.*train\.txt"):
        iemomecp_dataset.load("ecf", data_dir=tmp_path)


def test_an_utterance_in_two_splits_is_refused(tmp_path):
    for split in ("train", "test"):
        document = turn_lists(split, "Anger")
        document[split][0][0]["utterance_name"] = "the same"
        write(tmp_path / f"{split}_data_pair.json", document)
    with pytest.raises(InvalidDataError, match=r"dialogue 'test', turn 1.*'the same' already occurs"):
        iemomecp_dataset.load("mecad", data_dir=tmp_path)


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
