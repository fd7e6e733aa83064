"""The synthetic corpus: files on disk, read with the standard library only, against the published counts."""

from __future__ import annotations

import filecmp
import itertools
import json
import pickle
import random
import re
import sys
import wave
from collections import Counter
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import iemomecp_dataset
from iemomecp_dataset.errors import IemomecpError, MissingDependencyError, UsageError
from iemomecp_dataset.options import ScaleName
from iemomecp_dataset.synthetic import SCALES, write_corpus
from iemomecp_dataset.synthetic.counts import dialogue_ids
from iemomecp_dataset.synthetic.plan import plan_split

FILES = {"train": "train", "validation": "valid", "test": "test"}
SIX = {0: "hap", 1: "sad", 2: "neu", 3: "ang", 4: "exc", 5: "fru"}
FIELDS = {
    "target_emotion_turn",
    "cause_turn",
    "label_id",
    "label",
    "source",
    "taxonomy_label",
    "context_subtype_ids",
    "context_subtypes",
}

# arXiv 2605.25208: dialogues, chunks, utterances, pairs, emo_cause, emo_context, non_pair, exceptions, non-neutral
# targets, of those with context.
PUBLISHED = {
    "train": (96, 260, 4587, 53323, 5499, 2630, 45194, 147, 3554, 1805),
    "validation": (24, 68, 1223, 14488, 1342, 719, 12427, 38, 932, 439),
    "test": (31, 95, 1623, 18264, 1794, 997, 15473, 36, 1239, 605),
}
PUBLISHED_ALL = (151, 423, 7433, 86075, 8635, 4346, 73094, 221, 5725, 2849)
# Original binary label to final role, all splits together.
PUBLISHED_FLOW = {
    (True, "emo_cause"): 8316,
    (True, "emo_context"): 805,
    (True, "non_pair"): 24,
    (False, "emo_cause"): 319,
    (False, "emo_context"): 3541,
    (False, "non_pair"): 73070,
}


def read_labels(root: Path, split: str) -> list[dict[str, Any]]:
    content = json.loads((root / "labels" / f"{FILES[split]}.json").read_text(encoding="utf-8"))
    assert content["synthetic"] is True
    assert content["split"] == FILES[split]
    return content["splits"][FILES[split]]


def read_ecpec(root: Path) -> tuple[Any, ...]:
    with (root / "ECPEC/Dataset/IEMOCAP_emotion_cause_features.pkl").open("rb") as file:
        return pickle.load(file, encoding="latin1")


def chunk_places(chunks: list[dict[str, Any]]) -> list[tuple[dict[str, Any], str, int]]:
    """Each chunk with its source dialogue and the number of utterances of that dialogue before it."""
    before: Counter[str] = Counter()
    places = []
    for chunk in chunks:
        dialogue_id = chunk["dialogue_id"].split("__")[0]
        places.append((chunk, dialogue_id, before[dialogue_id]))
        before[dialogue_id] += chunk["num_utterances"]
    return places


def source_pairs(ecpec: tuple[Any, ...], dialogue_id: str) -> set[tuple[int, int]]:
    return {(target, cause) for causes in ecpec[3:6] for target, cause in enumerate(causes[dialogue_id], 1) if cause}


def split_counts(root: Path, split: str) -> tuple[int, ...]:
    labels, ecpec = read_labels(root, split), read_ecpec(root)
    pairs = [pair for chunk in labels for pair in chunk["pairs"]]
    roles = Counter(pair["label"] for pair in pairs)
    emotions = [
        ecpec[2][dialogue_id][before + turn]
        for chunk, dialogue_id, before in chunk_places(labels)
        for turn in range(chunk["num_utterances"])
    ]
    with_context = {
        (chunk["dialogue_id"], pair["target_emotion_turn"])
        for chunk in labels
        for pair in chunk["pairs"]
        if pair["label"] == "emo_context"
    }
    return (
        len({chunk["dialogue_id"].split("__")[0] for chunk in labels}),
        len(labels),
        sum(chunk["num_utterances"] for chunk in labels),
        len(pairs),
        roles["emo_cause"],
        roles["emo_context"],
        roles["non_pair"],
        sum(pair["cause_turn"] > pair["target_emotion_turn"] for pair in pairs),
        sum(SIX[emotion] != "neu" for emotion in emotions),
        len(with_context),
    )


def flow(root: Path) -> Counter[tuple[bool, str]]:
    ecpec = read_ecpec(root)
    counts: Counter[tuple[bool, str]] = Counter()
    for split in FILES:
        for chunk, dialogue_id, before in chunk_places(read_labels(root, split)):
            gold = source_pairs(ecpec, dialogue_id)
            for pair in chunk["pairs"]:
                key = (before + pair["target_emotion_turn"], before + pair["cause_turn"])
                counts[key in gold, pair["label"]] += 1
    return counts


@pytest.mark.slow
class TestFullScaleHasThePublishedCounts:
    @pytest.mark.parametrize("split", FILES)
    def test_of_each_split(self, full_dir: Path, split: str) -> None:
        assert split_counts(full_dir, split) == PUBLISHED[split]

    def test_of_all_splits(self, full_dir: Path) -> None:
        sums = tuple(sum(column) for column in zip(*(split_counts(full_dir, split) for split in FILES), strict=True))
        assert sums == PUBLISHED_ALL

    def test_of_the_flow_from_binary_pairs_to_roles(self, full_dir: Path) -> None:
        assert flow(full_dir) == PUBLISHED_FLOW

    def test_of_the_forward_pairs_of_test(self, full_dir: Path) -> None:
        forward = Counter(
            pair["label"]
            for chunk in read_labels(full_dir, "test")
            for pair in chunk["pairs"]
            if pair["cause_turn"] > pair["target_emotion_turn"]
        )
        assert forward == {"emo_cause": 26, "emo_context": 10}

    def test_of_chunk_lengths(self, full_dir: Path) -> None:
        for split in FILES:
            lengths = [chunk["num_utterances"] for chunk in read_labels(full_dir, split)]
            assert max(lengths) <= 35
            assert 17.0 <= np.mean(lengths) <= 18.05
            assert 8.5 <= np.std(lengths) <= 9.2

    def test_and_has_iemocaps_dialogues(self, full_dir: Path) -> None:
        ids = set(read_ecpec(full_dir)[0])
        assert ids == {name for session in range(1, 6) for name in dialogue_ids(session)}
        assert len(ids) == 151

    def test_and_loads(self, full_dir: Path) -> None:
        assert_loads_as_written(full_dir)


class TestDemoScale:
    def test_has_its_own_counts(self, synthetic_dir: Path) -> None:
        for split, counts in SCALES["demo"].splits.items():
            assert split_counts(synthetic_dir, split) == (
                counts.dialogues,
                counts.chunks,
                counts.utterances,
                counts.pairs,
                counts.causes,
                counts.contexts,
                counts.non_pairs,
                counts.exceptions,
                counts.emotional_targets,
                counts.targets_with_context,
            )

    def test_loads_as_written(self, synthetic_dir: Path) -> None:
        assert_loads_as_written(synthetic_dir)

    def test_splits_some_dialogues_into_several_chunks(self, synthetic_dir: Path) -> None:
        per_dialogue = Counter(chunk["dialogue_id"].split("__")[0] for chunk in read_labels(synthetic_dir, "train"))
        assert max(per_dialogue.values()) > 1

    def test_keeps_session_5_for_test(self, synthetic_dir: Path) -> None:
        sessions = {split: {chunk["dialogue_id"][:5] for chunk in read_labels(synthetic_dir, split)} for split in FILES}
        assert sessions["test"] == {"Ses05"}
        assert sessions["train"] | sessions["validation"] == {"Ses01", "Ses02", "Ses03", "Ses04"}
        *_, train, test = read_ecpec(synthetic_dir)
        assert {name[:5] for name in test} == {"Ses05"}
        assert "Ses05" not in {name[:5] for name in train}


def assert_loads_as_written(root: Path) -> None:
    loaded = iemomecp_dataset.load("3class", data_dir=root)
    for split in FILES:
        counts = split_counts(root, split)
        roles = Counter(pair["label"] for row in loaded[split] for pair in row["pairs"])
        assert (roles[0], roles[1], roles[2]) == counts[4:7]
        assert len(loaded[split]) == counts[1]
        assert sum(len(row["utterances"]) for row in loaded[split]) == counts[2]
        assert loaded[split].info.description.startswith("SYNTHETIC")


class TestLabels:
    def test_list_the_lower_triangle_and_forward_source_pairs(self, synthetic_dir: Path) -> None:
        ecpec = read_ecpec(synthetic_dir)
        for split in FILES:
            for chunk, dialogue_id, before in chunk_places(read_labels(synthetic_dir, split)):
                keys = [(pair["target_emotion_turn"], pair["cause_turn"]) for pair in chunk["pairs"]]
                length = chunk["num_utterances"]
                triangle = {(target, cause) for target in range(1, length + 1) for cause in range(1, target + 1)}
                forward = set(keys) - triangle
                assert triangle <= set(keys)
                assert len(keys) == len(set(keys))
                assert all(target < cause <= length for target, cause in forward)
                gold = source_pairs(ecpec, dialogue_id)
                assert {(before + target, before + cause) for target, cause in forward} <= gold

    def test_have_all_fields_and_agree_with_themselves(self, synthetic_dir: Path) -> None:
        names = ("emo_cause", "emo_context", "non_pair")
        subtypes = ("background", "discourse_bridge", "implicit_or_extra_context", "alternative_plausible_cause")
        for split in FILES:
            for chunk in read_labels(synthetic_dir, split):
                assert re.fullmatch(r"Ses0\d[FM]_\w+__c\d{3}", chunk["dialogue_id"])
                for pair in chunk["pairs"]:
                    assert set(pair) == FIELDS
                    assert names[pair["label_id"]] == pair["label"]
                    assert [subtypes[number] for number in pair["context_subtype_ids"]] == pair["context_subtypes"]
                    assert bool(pair["context_subtypes"]) == (pair["label"] == "emo_context")
                    assert pair["source"]
                    assert pair["taxonomy_label"]

    def test_give_every_emotional_target_a_cause_and_no_other(self, synthetic_dir: Path) -> None:
        ecpec = read_ecpec(synthetic_dir)
        for split in FILES:
            for chunk, dialogue_id, before in chunk_places(read_labels(synthetic_dir, split)):
                emotions = ecpec[2][dialogue_id][before : before + chunk["num_utterances"]]
                emotional = {turn for turn, emotion in enumerate(emotions, 1) if SIX[emotion] != "neu"}
                marked = [pair for pair in chunk["pairs"] if pair["label"] != "non_pair"]
                assert emotional == {pair["target_emotion_turn"] for pair in marked if pair["label"] == "emo_cause"}
                for pair in marked:
                    assert pair["target_emotion_turn"] in emotional
                    if pair["label"] == "emo_context":
                        assert pair["target_emotion_turn"] != pair["cause_turn"]


@pytest.mark.slow
def test_utterances_are_as_uneven_in_length_as_what_people_say(full_dir: Path) -> None:
    """In IEMOCAP half of a mini-batch of 16 random pairs, padded to the longest, is padding."""
    ecpec = read_ecpec(full_dir)
    pairs = []
    for chunk, dialogue_id, before in chunk_places([c for split in FILES for c in read_labels(full_dir, split)]):
        words = [len(re.findall(r"\w+|[^\w\s]", text)) for text in ecpec[9][dialogue_id][before:]]
        # The prompts of target and candidate ("Target utterance F:" and so on) add ten tokens.
        pairs += [
            words[pair["target_emotion_turn"] - 1] + words[pair["cause_turn"] - 1] + 10 for pair in chunk["pairs"]
        ]
    tokens = np.minimum(np.random.default_rng(0).permutation(pairs), 160)
    batches = tokens[: len(tokens) // 16 * 16].reshape(-1, 16)
    assert 0.45 <= 1 - batches.sum() / (16 * batches.max(axis=1)).sum() <= 0.55


class TestEcpecPickle:
    def test_is_a_tuple_of_12_with_one_entry_an_utterance(self, synthetic_dir: Path) -> None:
        ecpec = read_ecpec(synthetic_dir)
        assert isinstance(ecpec, tuple)
        assert len(ecpec) == 12
        ids = ecpec[0]
        for entry in ecpec[1:10]:
            assert {name: len(values) for name, values in entry.items()} == {
                name: len(values) for name, values in ids.items()
            }
        assert set(ecpec[10]) | set(ecpec[11]) == set(ids)
        assert not set(ecpec[10]) & set(ecpec[11])

    def test_has_features_of_the_genuine_widths(self, synthetic_dir: Path) -> None:
        ecpec = read_ecpec(synthetic_dir)
        for entry, width in zip(ecpec[6:9], (100, 100, 512), strict=True):
            for vectors in entry.values():
                assert all(vector.shape == (width,) and vector.dtype == np.float32 for vector in vectors)
                assert np.isfinite(vectors).all()

    def test_annotates_no_neutral_utterance_and_has_forward_causes(self, synthetic_dir: Path) -> None:
        ecpec = read_ecpec(synthetic_dir)
        forward = 0
        for dialogue_id, emotions in ecpec[2].items():
            pairs = source_pairs(ecpec, dialogue_id)
            assert all(1 <= cause <= len(emotions) for _, cause in pairs)
            assert all(SIX[emotions[target - 1]] != "neu" for target, _ in pairs)
            forward += sum(cause > target for target, cause in pairs)
        assert forward == sum(counts.exceptions for counts in SCALES["demo"].splits.values())


class TestIemocapTree:
    LINE = re.compile(r"^(Ses0\d[FM]_\w+_([FM])\d{3})(?: \[(\d{3,4}\.\d{4})-(\d{3,4}\.\d{4})\])?: (.+)$")
    SUMMARY = re.compile(
        r"^\[(\d+\.\d{4}) - (\d+\.\d{4})\]\t(Ses0\d[FM]_\w+)\t([a-z]{3})\t\[\d\.\d{4}(?:, \d\.\d{4}){2}\]$"
    )

    def transcripts(self, root: Path) -> list[Path]:
        return sorted((root / "IEMOCAP").glob("Session*/dialog/transcriptions/*.txt"))

    def test_transcripts_have_ecpecs_words_and_more_utterances(self, synthetic_dir: Path) -> None:
        ecpec = read_ecpec(synthetic_dir)
        said: dict[str, str] = {}
        untimed = stray = 0
        for path in self.transcripts(synthetic_dir):
            for line in path.read_text(encoding="utf-8").splitlines():
                if match := self.LINE.match(line):
                    assert match[1] not in said
                    said[match[1]] = match[5]
                    untimed += match[3] is None
                else:
                    stray += 1
        spine = {
            utterance_id: text
            for dialogue_id, ids in ecpec[0].items()
            for utterance_id, text in zip(ids, ecpec[9][dialogue_id], strict=True)
        }
        assert spine.items() <= said.items()
        assert 0.15 < len(said) / len(spine) - 1 < 0.5
        assert untimed
        assert stray

    def test_evaluation_has_every_utterance_with_annotators(self, synthetic_dir: Path) -> None:
        ecpec = read_ecpec(synthetic_dir)
        emotions = {
            utterance_id: SIX[emotion]
            for dialogue_id, ids in ecpec[0].items()
            for utterance_id, emotion in zip(ids, ecpec[2][dialogue_id], strict=True)
        }
        for path in self.transcripts(synthetic_dir):
            evaluation = path.parents[1] / "EmoEvaluation" / path.name
            blocks = evaluation.read_text(encoding="utf-8").strip().split("\n\n")[1:]
            spoken = [
                match[1] for line in path.read_text(encoding="utf-8").splitlines() if (match := self.LINE.match(line))
            ]
            found = []
            for block in blocks:
                summary, *annotators = block.splitlines()
                match = self.SUMMARY.match(summary)
                assert match, summary
                assert float(match[1]) < float(match[2])
                assert sum(line.startswith("C-E") for line in annotators) == 3
                assert sum(line.startswith("A-E") for line in annotators) == 2
                found.append(match[3])
                if match[3] in emotions:
                    assert emotions[match[3]] == match[4]
                else:
                    assert match[4] in {"xxx", "sur", "fea", "oth", "dis"}
            assert found == spoken

    def test_wavs_are_16_khz_mono_for_every_utterance(self, synthetic_dir: Path) -> None:
        for dialogue_id, ids in read_ecpec(synthetic_dir)[0].items():
            folder = synthetic_dir / f"IEMOCAP/Session{dialogue_id[4]}/sentences/wav/{dialogue_id}"
            assert {f"{name}.wav" for name in ids} <= {path.name for path in folder.iterdir()}
        with wave.open(str(next(folder.glob("*.wav"))), "rb") as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16_000, 1, 2)
            assert np.frombuffer(file.readframes(-1), dtype="<i2").any()

    def test_speakers_mostly_alternate(self, synthetic_dir: Path) -> None:
        speakers = read_ecpec(synthetic_dir)[1]
        turns = [a != b for names in speakers.values() for a, b in itertools.pairwise(names)]
        assert 0.75 < np.mean(turns) < 0.95


class TestFeatureStores:
    @pytest.mark.parametrize("modality", ["audio", "video"])
    def test_have_one_finite_vector_for_every_utterance_of_ecpec(self, synthetic_dir: Path, modality: str) -> None:
        table = pq.read_table(synthetic_dir / f"features/{modality}.parquet")
        assert table.column_names == ["utterance_id", "vector"]
        assert str(table.schema.field("utterance_id").type) == "string"
        assert str(table.schema.field("vector").type.value_type) == "float"
        names = table["utterance_id"].to_pylist()
        assert sorted(names) == sorted(name for ids in read_ecpec(synthetic_dir)[0].values() for name in ids)
        assert np.isfinite(np.array(table["vector"].to_pylist())).all()
        assert table.schema.metadata[b"synthetic"] == b"true"


class TestDeterminism:
    def test_same_seed_same_bytes(self, synthetic_dir: Path, tmp_path: Path) -> None:
        again = write_corpus(tmp_path / "again").data_dir
        ours = sorted(path.relative_to(again) for path in again.rglob("*") if path.is_file())
        theirs = sorted(path.relative_to(synthetic_dir) for path in synthetic_dir.rglob("*") if path.is_file())
        assert ours == theirs
        _, mismatch, errors = filecmp.cmpfiles(again, synthetic_dir, [str(path) for path in ours], shallow=False)
        assert not mismatch
        assert not errors

    def test_another_seed_gives_other_labels_words_and_features(self, synthetic_dir: Path, tmp_path: Path) -> None:
        other = write_corpus(tmp_path / "other", seed=1).data_dir
        for name in ("labels/test.json", "ECPEC/Dataset/IEMOCAP_emotion_cause_features.pkl", "features/audio.parquet"):
            assert (other / name).read_bytes() != (synthetic_dir / name).read_bytes()

    # With these seeds the first draws cannot be completed to the counts.
    @example(seed=121, split="validation")
    @example(seed=2767126413, split="test")
    @settings(max_examples=8, deadline=None)
    @given(seed=st.integers(0, 2**32), split=st.sampled_from(sorted(FILES)))
    def test_every_seed_meets_the_counts(self, seed: int, split: str) -> None:
        scale = SCALES["demo"]
        counts = scale.splits[split]
        chunks = [chunk for chunks in plan_split(counts, scale, random.Random(seed)) for chunk in chunks]
        pairs = [pair for chunk in chunks for pair in chunk.pairs.values()]
        assert sum(len(chunk) * (len(chunk) + 1) // 2 for chunk in chunks) + counts.exceptions == counts.pairs
        found = Counter((pair.source_pair, pair.role) for pair in pairs)
        assert found == {
            (True, 0): counts.pair_to_cause,
            (True, 1): counts.pair_to_context,
            (True, 2): counts.pair_to_non_pair,
            (False, 0): counts.non_pair_to_cause,
            (False, 1): counts.non_pair_to_context,
        }
        for chunk in chunks:
            sources = Counter(pair.target for pair in chunk.pairs.values() if pair.source_pair)
            assert max(sources.values(), default=0) <= 3


class TestMarking:
    def test_every_tree_says_that_it_is_synthetic(self, synthetic_dir: Path) -> None:
        for folder in (".", "IEMOCAP", "ECPEC", "labels", "features"):
            assert "SYNTHETIC" in (synthetic_dir / folder / "SYNTHETIC.txt").read_text(encoding="utf-8")


class TestOutputFolder:
    def test_that_holds_something_else_is_refused_even_with_overwrite(self, tmp_path: Path) -> None:
        (tmp_path / "thesis.txt").write_text("precious")
        for overwrite in (False, True):
            with pytest.raises(IemomecpError, match="thesis"):
                write_corpus(tmp_path, overwrite=overwrite)
        assert (tmp_path / "thesis.txt").read_text() == "precious"

    def test_with_a_corpus_needs_overwrite(self, tmp_path: Path) -> None:
        write_corpus(tmp_path / "data")
        stale = tmp_path / "data/IEMOCAP/Session1/dialog/transcriptions/stale.txt"
        stale.write_text("left over")
        with pytest.raises(IemomecpError, match="--overwrite"):
            write_corpus(tmp_path / "data")
        write_corpus(tmp_path / "data", overwrite=True)
        assert not stale.exists()

    def test_an_earlier_corpus_stands_until_the_new_one_is_written(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def stop(*_: object) -> None:
            raise OSError(28, "No space left on device")

        root = write_corpus(tmp_path / "data").data_dir
        before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
        monkeypatch.setattr("iemomecp_dataset.synthetic.corpus.write_feature_stores", stop)
        with pytest.raises(IemomecpError, match="No space left"):
            write_corpus(root, seed=1, overwrite=True)
        assert {path: path.read_bytes() for path in before} == before

    def test_with_genuine_trees_beside_the_mark_is_refused(self, tmp_path: Path) -> None:
        root = write_corpus(tmp_path / "data").data_dir
        (root / "labels/SYNTHETIC.txt").unlink()
        with pytest.raises(IemomecpError, match="labels"):
            write_corpus(root, overwrite=True)
        assert (root / "labels/train.json").is_file()

    def test_of_an_interrupted_call_is_no_corpus_and_is_replaced(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def interrupt(*_: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr("iemomecp_dataset.synthetic.corpus.write_feature_stores", interrupt)
            with pytest.raises(KeyboardInterrupt):
                write_corpus(tmp_path / "data")
        assert not (tmp_path / "data/SYNTHETIC.txt").exists()
        write_corpus(tmp_path / "data")
        assert sorted(path.name for path in (tmp_path / "data").iterdir()) == [
            "ECPEC",
            "IEMOCAP",
            "SYNTHETIC.txt",
            "features",
            "labels",
        ]

    def test_that_cannot_be_made_is_an_error_of_ours(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("x")
        with pytest.raises(UsageError, match=r"data: cannot be written \(Not a directory\)"):
            write_corpus(tmp_path / "file" / "data")

    def test_that_is_a_file_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("x")
        with pytest.raises(IemomecpError, match="is a file"):
            write_corpus(tmp_path / "file")


@pytest.mark.parametrize(
    ("options", "message"),
    [({"scale": "dem"}, "Did you mean 'demo'"), ({"seed": -1}, "must not be negative, but is -1")],
)
def test_options_that_cannot_work_leave_nothing_behind(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(IemomecpError, match=message):
        write_corpus(tmp_path / "data", **options)
    assert not (tmp_path / "data").exists()


class TestMedia:
    def test_without_the_extra_says_how_to_get_it(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "av", None)
        with pytest.raises(MissingDependencyError, match=r'Run: pip install .*\[media\]"'):
            write_corpus(tmp_path / "data", media=True)
        assert not (tmp_path / "data").exists()

    @pytest.mark.slow
    def test_videos_cover_their_dialogues_and_show_who_speaks(self, media_dir: Path) -> None:
        av = pytest.importorskip("av")
        videos = {path.stem: path for path in (media_dir / "IEMOCAP").glob("Session*/dialog/avi/DivX/*.avi")}
        assert set(videos) == set(read_ecpec(media_dir)[0])
        row = iemomecp_dataset.load("3class", data_dir=media_dir, split="test")[0]
        assert {Path(utterance["video"]) for utterance in row["utterances"]} == {videos[row["source_dialogue_id"]]}
        with av.open(str(videos[row["source_dialogue_id"]])) as container:
            stream = container.streams.video[0]
            rate = float(stream.average_rate)
            frames = [frame.to_ndarray(format="rgb24").astype(int) for frame in container.decode(stream)]
        assert len(frames) / rate > max(utterance["end"] for utterance in row["utterances"])
        left = row["source_dialogue_id"][5]
        for utterance in row["utterances"]:
            if utterance["emotion"] == 2:
                continue
            picture = frames[int((utterance["start"] + utterance["end"]) / 2 * rate)]
            # Colour is where the channels differ; the listener's face is grey.
            color = np.ptp(picture, axis=2)
            on_left = color[:, :48].mean() > color[:, 48:].mean()
            assert on_left == (utterance["speaker"] == left)


def test_the_choices_of_the_command_are_the_scales() -> None:
    assert set(get_args(ScaleName)) == set(SCALES) - {"small"}  # small is added by a fixture
