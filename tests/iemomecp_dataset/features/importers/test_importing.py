"""Imports of published features: vectors come back, missing ones get a status, and no code in the files is run."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

import iemomecp_dataset
from iemomecp_dataset.errors import InvalidDataError, MissingDataError, UnsafeFileError, UsageError
from iemomecp_dataset.features import read_feature_table
from iemomecp_dataset.features.extraction_options import ExtractionOptions
from iemomecp_dataset.features.importers.importing import import_features


@pytest.fixture
def options(small_dir: Path, tmp_path: Path) -> ExtractionOptions:
    return ExtractionOptions(str(small_dir), "audio", str(tmp_path / "store"))


@pytest.fixture(scope="module")
def utterances(small_dir: Path) -> dict[str, tuple[str, int]]:
    """(dialogue, turn) by utterance id."""
    dataset = iemomecp_dataset.load("3class", data_dir=small_dir)
    rows = [row for split in dataset.values() for row in split.to_list()]
    return {u["utterance_id"]: (row["dialogue_id"], u["turn"]) for row in rows for u in row["utterances"]}


def made_up(keys: list, width: int = 6) -> dict:
    return {key: np.random.default_rng(i).normal(size=width).astype(np.float32) for i, key in enumerate(keys)}


def statuses(folder: str) -> dict[str, str]:
    return {line["utterance_id"]: line["status"] for line in pq.read_table(Path(folder) / "index.parquet").to_pylist()}


# --- the artifact -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [torch.from_numpy, np.asarray, np.ndarray.tolist, torch.Tensor])
@pytest.mark.parametrize("by_turn", [True, False])
def test_artifact_caches(
    options: ExtractionOptions, utterances: dict, kind: object, by_turn: bool, tmp_path: Path
) -> None:
    vectors = made_up(list(utterances))
    ids = list(vectors)
    for n, part in enumerate((ids[: len(ids) // 2], ids[len(ids) // 2 :])):
        content = {utterances[key] if by_turn else key: kind(vectors[key]) for key in part}
        torch.save(content, tmp_path / f"audio_features_{n}.pt")
    result = import_features(options, [tmp_path / "audio_features_0.pt", tmp_path / "audio_features_1.pt"])
    assert dict(result.statuses) == {"ok": len(ids)}
    found = read_feature_table(options.output_dir).select(ids)
    assert all(np.array_equal(found[key], vectors[key]) for key in ids)


def test_legacy_pt_files(options: ExtractionOptions, utterances: dict, tmp_path: Path) -> None:
    vectors = made_up(list(utterances))
    content = {key: torch.from_numpy(vector) for key, vector in vectors.items()}
    torch.save(content, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    assert dict(import_features(options, [tmp_path / "old.pt"]).statuses) == {"ok": len(vectors)}


def test_what_the_artifact_would_turn_into_zeros(options: ExtractionOptions, utterances: dict, tmp_path: Path) -> None:
    vectors: dict = made_up(list(utterances))
    ids = list(vectors)
    vectors[ids[0]] = np.float32(1.0)
    vectors[ids[1]] = np.zeros(5, np.float32)
    vectors[ids[2]] = np.zeros(6, np.float32)
    vectors[ids[3]] = np.full(6, np.nan, np.float32)
    del vectors[ids[4]]
    vectors["somebody else"] = np.ones(6, np.float32)
    torch.save({key: torch.as_tensor(vector) for key, vector in vectors.items()}, tmp_path / "a.pt")
    import_features(options, [tmp_path / "a.pt"])
    found = statuses(options.output_dir)
    assert [found[key] for key in ids[:6]] == [
        *("bad_vector", "bad_vector", "all_zero", "not_finite", "not_in_source", "ok"),
    ]
    assert '"not_in_corpus": 1' in (Path(options.output_dir) / "card.json").read_text()
    strict = ExtractionOptions(options.data_dir, "audio", str(tmp_path / "strict"), strict=True)
    with pytest.raises(InvalidDataError, match=r"5 of \d+ utterances get no vector"):
        import_features(strict, [tmp_path / "a.pt"])


def test_splits_that_overwrite_each_other(options: ExtractionOptions, utterances: dict, tmp_path: Path) -> None:
    key = next(iter(utterances))
    torch.save({key: torch.ones(4)}, tmp_path / "train.pt")
    torch.save({key: torch.zeros(4)}, tmp_path / "test.pt")
    with pytest.raises(InvalidDataError, match=rf"test\.pt: utterance {key} has another vector in .*train\.pt"):
        import_features(options, [tmp_path / "train.pt", tmp_path / "test.pt"])


class Hostile:
    def __reduce__(self) -> tuple:
        return os.system, ("touch /tmp/this-must-not-exist",)


def test_hostile_pt_files_run_nothing(options: ExtractionOptions, tmp_path: Path) -> None:
    for new_format in (True, False):
        torch.save({"a": Hostile()}, tmp_path / "bad.pt", _use_new_zipfile_serialization=new_format)
        with pytest.raises(UnsafeFileError, match=r"bad\.pt: this file references more than data"):
            import_features(options, [tmp_path / "bad.pt"])
    assert not Path("/tmp/this-must-not-exist").exists()
    assert not Path(options.output_dir).exists()


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04broken", bytes(300)])
def test_files_that_are_no_pt(options: ExtractionOptions, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.pt").write_bytes(content)
    with pytest.raises(InvalidDataError, match=r"x\.pt"):
        import_features(options, [tmp_path / "x.pt"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "expected a dictionary of vectors, found list"),
        ({}, "expected a dictionary"),
        ({3: torch.ones(2)}, r"expected keys \(dialogue, turn\) or utterance ids, found '3'"),
        ({"x": "words"}, "the entry of x is not a vector: str"),
        ({"x": torch.ones(2)}, "none of its 1 keys .* another corpus"),
    ],
)
def test_pt_files_of_other_things(options: ExtractionOptions, tmp_path: Path, content: object, message: str) -> None:
    torch.save(content, tmp_path / "x.pt")
    with pytest.raises(InvalidDataError, match=message):
        import_features(options, [tmp_path / "x.pt"])


# --- ConvECPE -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("modality", "entry"), [("text", 6), ("audio", 7), ("video", 8)])
def test_features_of_convecpe(small_dir: Path, tmp_path: Path, modality: str, entry: int) -> None:
    path = small_dir / "ECPEC/Dataset/IEMOCAP_emotion_cause_features.pkl"
    options = ExtractionOptions(str(small_dir), modality, str(tmp_path / "store"))
    result = import_features(options, [path])
    content = pickle.loads(path.read_bytes(), encoding="latin-1")
    expected = {
        key: np.asarray(vector, np.float32)
        for dialogue, keys in content[0].items()
        for key, vector in zip(keys, content[entry][dialogue], strict=True)
    }
    found = read_feature_table(options.output_dir).select(statuses(options.output_dir))
    assert found
    assert all(np.array_equal(vector, expected[key]) for key, vector in found.items())
    assert result.statuses["ok"] == len(found)


def test_bad_pickles_of_convecpe(options: ExtractionOptions, tmp_path: Path) -> None:
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps(({"d": ["u"]}, *[{}] * 11)))
    with pytest.raises(InvalidDataError, match="dialogue 'd': expected 1 audio vectors, found none"):
        import_features(options, [path])
    path.write_bytes(pickle.dumps((1, 2)))
    with pytest.raises(InvalidDataError, match="expected a tuple of 12 or 16 entries, found 2 entries"):
        import_features(options, [path])
    path.write_bytes(pickle.dumps([Hostile()]))
    with pytest.raises(UnsafeFileError):
        import_features(options, [path])
    assert not Path("/tmp/this-must-not-exist").exists()


# --- ECF ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def ecf(tmp_path: Path) -> Path:
    """Three invented conversations in the layout of ECF; the second has no pairs."""
    folder = tmp_path / "ecf"
    folder.mkdir()
    lines = []
    for number, turns, pairs in ((1, 2, "(2,1)"), (2, 3, ""), (7, 1, "(1,1)")):
        lines += [f"{number} {turns}", pairs]
        for turn in range(1, turns + 1):
            lines.append(f"{turn} | A | joy | Made-up words | Show_S1E1: 0:10:0{turn}.000 - 0:10:0{turn}.900")
    (folder / "train.txt").write_text("\n".join(lines) + "\n")
    (folder / "all_data_pair.txt").write_text("\n".join(lines) + "\n")
    return folder


def test_features_of_the_ecf_authors(ecf: Path, tmp_path: Path) -> None:
    array = np.random.default_rng(0).normal(size=(7, 5)).astype(np.float32)
    np.save(tmp_path / "audio.npy", array)
    options = ExtractionOptions(str(ecf), "audio", str(tmp_path / "store"), config_name="ecf")
    import_features(options, [tmp_path / "audio.npy"], ecf_order=ecf / "all_data_pair.txt")
    found = read_feature_table(options.output_dir).select(["dia1utt2", "dia2utt1", "dia7utt1"])
    # Row 0 is unused.
    assert np.array_equal(found["dia1utt2"], array[2])
    assert np.array_equal(found["dia2utt1"], array[3])
    assert np.array_equal(found["dia7utt1"], array[6])


def test_bad_ecf_arrays(ecf: Path, tmp_path: Path) -> None:
    options = ExtractionOptions(str(ecf), "audio", str(tmp_path / "store"), config_name="ecf")
    path, order = tmp_path / "x.npy", ecf / "all_data_pair.txt"
    np.save(path, np.ones((6, 5), np.float32))
    with pytest.raises(InvalidDataError, match=r"expected 7 rows .* found 6"):
        import_features(options, [path], ecf_order=order)
    with pytest.raises(UsageError, match="Give that as --ecf-order"):
        import_features(options, [path])
    with pytest.raises(MissingDataError, match=r"all_data_pair\.txt"):
        import_features(options, [path], ecf_order=tmp_path / "none.txt")
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(InvalidDataError, match="not a readable"):
        import_features(options, [path], ecf_order=order)
    np.save(path, np.ones(7, np.int64))
    with pytest.raises(InvalidDataError, match="expected rows of floats"):
        import_features(options, [path], ecf_order=order)
    order.write_text("1 2\n\nonly one line\n")
    with pytest.raises(InvalidDataError, match="line 1, conversation 1: expected a line of pairs and 2 utterances"):
        import_features(options, [path], ecf_order=order)


def test_files_that_are_not_there_or_of_several_kinds(options: ExtractionOptions, tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match=r"none\.pt is not there"):
        import_features(options, [tmp_path / "none.pt"])
    (tmp_path / "a.csv").touch()
    with pytest.raises(UsageError, match=r"--import-from takes \.pt files"):
        import_features(options, [tmp_path / "a.csv"])
