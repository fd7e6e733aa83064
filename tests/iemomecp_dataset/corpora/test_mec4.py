"""MEC4, written from the public description of the corpus."""

from __future__ import annotations

import json

import pytest
from corpus_case import PublishedCorpusCase, emotions_of
from corpus_files import GOLD, mec4, write
from reader_case import ReaderCase

import iemomecp_dataset
from iemomecp_dataset.corpora.mec4 import read_mec4


class TestMec4(PublishedCorpusCase):
    name = "mec4"
    gold = GOLD

    def write(self, folder):
        for split in self.gold:
            write(folder / "MEC4_text" / f"{split}.json", mec4(split))


class TestMec4File(ReaderCase):
    of = read_mec4
    file = "x.json"

    @pytest.fixture
    def content(self):
        return json.dumps(mec4(), indent=1, ensure_ascii=False).encode()

    def read(self, path):
        return list(read_mec4(path))


class TestMec4Lines(TestMec4File):
    @pytest.fixture
    def content(self):
        return "\n".join(json.dumps(row) for row in [*mec4("dialogue 1"), *mec4("d2")]).encode()


FORMS = {
    "full-width": ("1.甲：下雨了。2.5 度 2.乙：哦，不！ 3.甲：是的：真的", "（2，1）（2，2）"),
    "half-width": ("1. A: It rains. 2. B: Oh no! 2 3. A: Yes: really", "(2,1)(2,2)"),
    "with separators": ("1.A：It rains.\n2.B：Oh no!\n3.A：Yes", "(2, 1), (2, 2)"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("as_lines", [False, True])
def test_every_described_form_is_read(tmp_path, form, as_lines):
    text, pairs = FORMS[form]
    rows = [*mec4("d0", text, ""), *mec4("d1", text, pairs)]
    write(tmp_path / "MEC4_text" / "train.json", "\n".join(map(json.dumps, rows)) if as_lines else rows)
    loaded = iemomecp_dataset.load("mec4", data_dir=tmp_path, split="train")
    assert [len(row["utterances"]) for row in loaded] == [3, 3]
    assert [iemomecp_dataset.gold_pairs(row) for row in loaded] == [[], [(2, 1), (2, 2)]]
    # Only the pairs tell which utterances are emotional.
    assert emotions_of(loaded) == [["neutral"] * 3, ["neutral", "emotional", "neutral"]]
    if form == "full-width":
        assert [u["text"] for u in loaded[0]["utterances"]] == ["下雨了。2.5 度", "哦，不！", "是的：真的"]
        assert [u["speaker"] for u in loaded[0]["utterances"]] == ["甲", "乙", "甲"]
