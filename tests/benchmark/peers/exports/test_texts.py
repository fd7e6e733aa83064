"""Texts fit the line format of the peers, and nothing but blanks is added when words are separated."""

from __future__ import annotations

import importlib.util
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iemomecp_dataset.benchmark.peers.exports import texts
from iemomecp_dataset.benchmark.peers.exports.texts import in_words, one_line, segmenter_of
from iemomecp_dataset.errors import UsageError


@pytest.mark.parametrize(
    ("text", "line", "counted"),
    [
        ("So it is .", "So it is .", []),
        ("So  it\n is .", "So it is .", ["texts with white space collapsed"]),
        (" \u2028 ", ".", ["empty texts written as ."]),
        (None, ".", ["empty texts written as ."]),
        ("a | b|c", "a / b/c", ["texts with | replaced by /"]),
    ],
)
def test_a_text_becomes_one_line(text: str | None, line: str, counted: list[str]) -> None:
    counts: Counter[str] = Counter()
    assert one_line(text, counts) == line
    assert +counts == Counter(counted)


@given(st.text())
def test_a_line_never_breaks_the_format(text: str) -> None:
    line = one_line(text, Counter())
    assert line == " ".join(line.split())
    assert line
    assert "|" not in line


@given(st.text(), st.sampled_from(["punctuation", "characters"]))
def test_words_are_the_text_with_blanks(text: str, segmenter: str) -> None:
    line = one_line(text, Counter())
    words = in_words(line, segmenter, Counter())
    assert words.replace(" ", "") == line.replace(" ", "")
    assert in_words(words, "none", Counter()) == words


@pytest.mark.parametrize(
    ("text", "segmenter", "words"),
    [
        ("Well, I can't; it's 3.50, isn't it?!", "punctuation", "Well , I ca n't ; it 's 3.50 , is n't it ? !"),
        ("Wait... 'so' - (they'll go)", "punctuation", "Wait ... ' so ' - ( they 'll go )"),
        ("你好，Joe！3.5元", "characters", "你 好 ， Joe ！ 3.5 元"),
        ("你好，Joe！", "none", "你好，Joe！"),
    ],
)
def test_words(text: str, segmenter: str, words: str) -> None:
    counts: Counter[str] = Counter()
    assert in_words(text, segmenter, counts) == words
    assert counts.total() == (words != text)


def test_the_segmenter_follows_the_corpus(monkeypatch: pytest.MonkeyPatch) -> None:
    installed: list[str] = []
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name if name in installed else None)
    found = {name: segmenter_of(name) for name in ("ecf", "mecad", "mec4", "reccon", "3class")}
    assert found == {
        "ecf": "none",
        "mecad": "characters",
        "mec4": "characters",
        "reccon": "punctuation",
        "3class": "punctuation",
    }
    assert segmenter_of("ecf", "punctuation") == "punctuation"
    with pytest.raises(UsageError, match="pip install jieba"):
        segmenter_of("mecad", "jieba")
    installed.append("jieba")
    assert segmenter_of("mecad") == "jieba"


def test_jieba_segments_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Jieba:
        @staticmethod
        def cut(text: str) -> list[str]:
            return [text[:2], text[2:]]

    monkeypatch.setattr(texts.importlib, "import_module", {"jieba": Jieba}.__getitem__)
    counts: Counter[str] = Counter()
    assert in_words("你好吗", "jieba", counts) == "你好 吗"
    assert counts == {"texts split into words by jieba": 1}
