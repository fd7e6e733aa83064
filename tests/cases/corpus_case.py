"""What every corpus that can be loaded must do, whatever its files look like."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
from datasets import load_dataset

import iemomecp_dataset
from iemomecp_dataset.corpora.emotion_inventory import COMMON_EMOTION_OF
from iemomecp_dataset.corpora.metadata import CORPORA, pair_classes
from iemomecp_dataset.corpus import corpus_of
from iemomecp_dataset.errors import IemomecpError, InvalidDataError, MissingDataError
from iemomecp_dataset.find_sources import find_inputs
from iemomecp_dataset.options import CONFIG_NAMES, EMOTION_CONFIGS, EXPLANATION_CONFIGS
from iemomecp_dataset.rows import list_item
from iemomecp_dataset.schema import COMMON_EMOTIONS, row_features

SPLITS = ["train", "validation", "test"]
OF_IEMOCAP = {"3class", "source_binary", "overlay", "iemocap"}
READ_BOTH_WAYS = {("ecem", "meld")}
"""ECEM's folder holds MELD's files, which are MELD."""


class CorpusCase:
    """A subclass names the configuration and writes a corpus of three splits.

    Attributes:
        name: Name of the configuration.
        gold: All gold pairs of the corpus as written, by dialogue.
        word: A word of it, and another one as long that takes its place.
        files: The files that hold this word and may be changed, as a pattern.
    """

    name: ClassVar[str]
    gold: ClassVar[Mapping[str, set[tuple[int, int]]]]
    word: ClassVar[tuple[str, str]] = ("rain", "snow")
    files: ClassVar[str] = "**/*.*"

    def write(self, folder: Path) -> None:
        """Writes the files into an empty folder."""
        raise NotImplementedError

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        """The folder of the corpus."""
        self.write(tmp_path / "corpus")
        return tmp_path / "corpus"

    def load(self, folder: Path, **options: Any) -> Any:
        """Loads the corpus."""
        return iemomecp_dataset.load(self.name, data_dir=folder, **options)

    def emotions(self) -> tuple[str, ...]:
        """Names of the emotions."""
        return CORPORA[self.name].emotions

    def how_to_obtain(self) -> tuple[str, ...]:
        """What is said where there is nothing."""
        corpus = CORPORA[self.name]
        return (corpus.how_to_obtain, *(name for names in corpus.split_files.values() for name in names))

    def check_candidates(self, n_turns: int, pairs: list[dict[str, Any]]) -> None:
        """Checks the candidates of a dialogue, which are in order: all pairs, or none in a corpus without pairs."""
        if self.name in (*EMOTION_CONFIGS, *EXPLANATION_CONFIGS):
            assert pairs == []
            return
        turns = range(1, n_turns + 1)
        assert [places(pair) for pair in pairs] == [(target, cause) for target in turns for cause in turns]

    def test_rows_follow_the_schema_and_have_the_gold_of_the_files(self, folder: Path) -> None:
        loaded = self.load(folder)
        assert list(loaded) == SPLITS
        gold: list[tuple[str, set[tuple[int, int]]]] = []
        utterance_ids: list[str] = []
        for rows in loaded.values():
            assert rows.features == row_features(pair_classes(self.name), self.emotions())
            assert len(rows)
            for row in rows:
                gold.append((row["dialogue_id"], set(iemomecp_dataset.gold_pairs(row))))
                utterances, pairs = row["utterances"], row["pairs"]
                utterance_ids += [u["utterance_id"] for u in utterances if u["utterance_id"] is not None]
                assert [utterance["turn"] for utterance in utterances] == list(range(1, len(utterances) + 1))
                assert {u["emotion"] for u in utterances} <= {None, *range(len(self.emotions()))}
                assert {pair["label"] for pair in pairs} <= set(range(len(pair_classes(self.name))))
                assert [places(pair) for pair in pairs] == sorted({places(pair) for pair in pairs})
                self.check_candidates(len(utterances), pairs)
        assert dict(gold) == self.gold
        assert len(gold) == len(self.gold)
        assert len(set(utterance_ids)) == len(utterance_ids)

    def test_every_way_of_loading_gives_the_same_rows(self, folder: Path) -> None:
        rows = list(self.load(folder, split="test"))
        assert list(self.load(folder, split="test", streaming=True)) == rows
        assert list(load_dataset("iemomecp", self.name, data_dir=str(folder), split="test")) == rows

    def test_common_emotions_stand_beside_the_corpus_own(self, folder: Path) -> None:
        own, common = self.load(folder), self.load(folder, emotions="common")
        expected = row_features(pair_classes(self.name), COMMON_EMOTIONS, emotion_source=True)
        for split, rows in common.items():
            assert rows.features == expected
            for row, before in zip(rows, own[split], strict=True):
                for spoken, as_own in zip(row["utterances"], before["utterances"], strict=True):
                    name = None if as_own["emotion"] is None else self.emotions()[as_own["emotion"]]
                    mapped = COMMON_EMOTION_OF[name]
                    number = None if mapped is None else COMMON_EMOTIONS.index(mapped)
                    assert spoken == {**as_own, "emotion": number, "emotion_source": name}
                rest = {key: value for key, value in row.items() if key != "utterances"}
                assert rest == {key: before[key] for key in rest}
            assert next(iter(self.load(folder, emotions="common", split=split, streaming=True))) == rows[0]
        # The labels are the same, so that pairs scored on either stand in one table.
        digests = [corpus_of(dict(rows), config_name=self.name).fingerprints for rows in (own, common)]
        assert digests[0] == digests[1]
        # Each inventory has a cache of its own.
        assert self.load(folder)["test"].features == own["test"].features

    @pytest.mark.parametrize("split", ["dev", "valid", "val"])
    def test_splits_have_the_names_that_files_give_them(self, folder: Path, split: str) -> None:
        rows = iemomecp_dataset.load(self.name, folder, split="validation")
        for load in (iemomecp_dataset.load, lambda *given, **more: load_dataset("iemomecp", *given[:1], **more)):
            for more in ({}, {"streaming": True}):
                given = load(self.name, data_dir=str(folder), split=split, **more)
                assert list(given) == list(rows)
        few = iemomecp_dataset.load(self.name, folder, split=f"train+{split}[:1]")
        assert len(few) == len(iemomecp_dataset.load(self.name, folder, split="train")) + 1

    def test_loaded_as_another_corpus_the_folder_is_recognised(self, folder: Path) -> None:
        ours = self.name
        if self.name in OF_IEMOCAP:
            ours = "3class" if (folder / "labels").is_dir() else "iemocap"
        for other in CONFIG_NAMES:
            if other == self.name or {other, self.name} <= OF_IEMOCAP:
                continue
            if (self.name, other) not in READ_BOTH_WAYS:
                with pytest.raises(IemomecpError, match=f"load it with {ours!r}"):
                    iemomecp_dataset.load(other, folder)

    def test_what_is_changed_is_read_again(self, folder: Path) -> None:
        before = _texts(self.load(folder))
        path = next(path for path in sorted(folder.glob(self.files)) if self.word[0].encode() in path.read_bytes())
        path.write_bytes(path.read_bytes().replace(*(word.encode() for word in self.word)))
        after = _texts(self.load(folder))
        assert self.word[1] not in before
        assert self.word[1] in after

    def test_what_is_changed_while_it_is_read_is_refused(
        self, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = next(path for path in sorted(folder.glob(self.files)) if self.word[0].encode() in path.read_bytes())
        before = path.read_bytes()
        opened: set[str] = set()

        def found(options: Any) -> Any:
            inputs = find_inputs(options)

            def read() -> Any:
                path.write_bytes(before.replace(*(word.encode() for word in self.word)))
                with monkeypatch.context() as patches:
                    patches.setattr(io, "open", lambda file, *more, **named: _noted(opened, file, *more, **named))
                    loaded = inputs.read()
                path.write_bytes(before)
                assert {Path(file) for file in opened if str(folder) in file} <= set(inputs.files)
                return loaded

            return replace(inputs, read=read)

        monkeypatch.setattr("iemomecp_dataset.builder.find_inputs", found)
        cache = tmp_path / "cache of this test"
        for more in ({}, {"streaming": True}):
            with pytest.raises(InvalidDataError, match=f"{path.name}: changed while it was read"):
                self.load(folder, cache_dir=cache, **more)
            assert not list(cache.rglob("*.arrow"))
        assert opened
        monkeypatch.undo()
        assert self.word[1] not in _texts(self.load(folder))

    def test_what_is_missing_can_be_obtained(self, folder: Path, tmp_path: Path) -> None:
        with pytest.raises(MissingDataError, match="data_dir="):
            iemomecp_dataset.load(self.name)
        absent, empty = tmp_path / "absent", tmp_path / "empty"
        empty.mkdir()
        for load in (self.load, lambda data_dir: load_dataset("iemomecp", self.name, data_dir=data_dir)):
            with pytest.raises(MissingDataError, match=f"{absent}: .*there is no such folder. To obtain it"):
                load(absent)
            with pytest.raises(MissingDataError) as caught:
                load(empty)
            for words in (str(empty), *self.how_to_obtain()):
                assert words in str(caught.value)


class PublishedCorpusCase(CorpusCase):
    """A corpus that publishes gold pairs alone, so that candidates can be chosen."""

    def test_past_candidates_lose_no_gold_pair(self, folder: Path) -> None:
        everything, past = self.load(folder), self.load(folder, candidates="past")
        for split, rows in past.items():
            added = set(rows.column_names) - set(everything[split].column_names)
            assert added == {"gold_outside_candidates"}
            for row, whole in zip(rows, everything[split], strict=True):
                turns = range(1, len(row["utterances"]) + 1)
                assert [places(p) for p in row["pairs"]] == [(i, j) for i in turns for j in turns if j <= i]
                inside = [places(pair) for pair in row["pairs"] if pair["label"] == 0]
                outside = [places(pair) for pair in row["gold_outside_candidates"]]
                assert sorted(inside + outside) == sorted(map(tuple, iemomecp_dataset.gold_pairs(whole)))
                assert list(map(tuple, iemomecp_dataset.gold_pairs(row))) == sorted(inside + outside)
        streamed = self.load(folder, candidates="past", split="train", streaming=True)
        assert list(streamed) == list(past["train"])

    def test_its_record_is_complete(self) -> None:
        corpus = CORPORA[self.name]
        assert corpus.name == self.name
        for field in ("title", "language", "license", "citation", "how_to_obtain"):
            assert getattr(corpus, field), field
        assert corpus.emotions[0] == "neutral"
        assert list(corpus.split_files) == SPLITS
        assert corpus.verified == bool(corpus.published)


_open = io.open


def _noted(opened: set[str], file: Any, *more: Any, **named: Any) -> Any:
    opened.add(str(file))
    return _open(file, *more, **named)


def places(pair: Mapping[str, Any]) -> tuple[int, int]:
    """Target and cause of a pair."""
    return pair["target_turn"], pair["cause_turn"]


def emotions_of(rows: Any) -> list[list[str]]:
    """Emotion names of every dialogue."""
    feature = list_item(rows.features["utterances"])["emotion"]
    return [[feature.int2str(utterance["emotion"]) for utterance in row["utterances"]] for row in rows]


def _texts(loaded: Any) -> str:
    return json.dumps([rows.to_list() for rows in loaded.values()], ensure_ascii=False)
