"""A damaged copy in the cache of ``datasets`` is built again, once, and said."""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path

import datasets
import pytest

import iemomecp_dataset
from iemomecp_dataset.builder import IemomecpBuilder
from iemomecp_dataset.cached_rows import DIGESTS_FILE, damage_of, write_digests
from iemomecp_dataset.errors import InvalidDataError


@pytest.fixture
def corpus(tmp_path):
    """An ECF of two dialogues."""
    folder = tmp_path / "ecf"
    folder.mkdir()
    for number, split in enumerate(("train", "dev"), start=1):
        turns = (
            "1 | Ann | neutral | It rains today . | S01E01: 00:00:01.000 - 00:00:02.000",
            "2 | Bob | joy | Good for us ! | S01E01: 00:00:02.000 - 00:00:03.000",
        )
        (folder / f"{split}.txt").write_text("\n".join((f"{number} 2", "(2,1)", *turns)) + "\n")
    return folder


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def garbage(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 20)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[content.index(b"rains")] ^= 1
    path.write_bytes(content)


def remove(path: Path) -> None:
    path.unlink()


def rows_of(splits):
    return {split: rows.to_list() for split, rows in splits.items()}


def cached(splits) -> Path:
    return Path(splits["train"].cache_files[0]["filename"]).parent


@pytest.mark.parametrize(
    ("how", "name", "damage"),
    [
        ("load", "iemomecp-train.arrow", cut),
        ("load_dataset", "iemomecp-train.arrow", empty),
        ("load", "iemomecp-train.arrow", flip),
        ("load", "iemomecp-validation.arrow", remove),
        ("load_dataset", "dataset_info.json", empty),
        ("load", "dataset_info.json", garbage),
        ("load", "dataset_info.json", remove),
        ("load", DIGESTS_FILE, cut),
        ("load", DIGESTS_FILE, garbage),
    ],
)
def test_a_damaged_copy_is_built_again(corpus, caplog, how, name, damage):
    def load():
        if how == "load":
            return iemomecp_dataset.load("ecf", corpus)
        return datasets.load_dataset("iemomecp", "ecf", data_dir=str(corpus))

    splits = load()
    before, folder = rows_of(splits), cached(splits)
    damage(folder / name)
    with caplog.at_level(logging.WARNING, "iemomecp_dataset"):
        assert rows_of(load()) == before
        said = [record.message for record in caplog.records if "copy is damaged" in record.message]
        assert len(said) == 1
        assert name in said[0]
        assert "it is built again" in said[0]
        assert rows_of(load()) == before
    assert sum("copy is damaged" in record.message for record in caplog.records) == 1
    assert damage_of(folder) == ""


def test_a_copy_that_is_damaged_again_is_an_error(corpus, monkeypatch):
    cut(cached(iemomecp_dataset.load("ecf", corpus)) / "iemomecp-train.arrow")
    write = datasets.GeneratorBasedBuilder._save_info

    def faulty(self):
        write(self)
        monkeypatch.setattr("iemomecp_dataset.builder.write_digests", lambda folder: None)

    monkeypatch.setattr(datasets.GeneratorBasedBuilder, "_save_info", faulty)
    with pytest.raises(InvalidDataError, match=r"was built again, and is damaged again \(SHA256SUMS is missing\)"):
        iemomecp_dataset.load("ecf", corpus)


def test_a_copy_that_cannot_be_removed_is_an_error(corpus, monkeypatch):
    cut(cached(iemomecp_dataset.load("ecf", corpus)) / "iemomecp-train.arrow")

    def refuse(folder):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(shutil, "rmtree", refuse)
    with pytest.raises(InvalidDataError, match=r"\(iemomecp-train.arrow .*cannot be removed \(Permission denied"):
        iemomecp_dataset.load("ecf", corpus)


def test_damage_between_building_and_reading_is_named(corpus):
    builder = IemomecpBuilder(config_name="ecf", data_dir=str(corpus), dataset_name="iemomecp")
    builder.download_and_prepare()
    cut(Path(builder.cache_dir) / "iemomecp-train.arrow")
    with pytest.raises(InvalidDataError, match=r"damaged \(iemomecp-train.arrow .*Load again"):
        builder.as_dataset()


def test_results_of_map_are_no_damage(corpus, caplog):
    splits = iemomecp_dataset.load("ecf", corpus)
    splits["train"].map(lambda row: {"long": row["dialogue_id"] * 2})
    assert len(list(cached(splits).glob("cache-*.arrow"))) == 1
    iemomecp_dataset.load("ecf", corpus)
    assert "copy is damaged" not in caplog.text
    assert len(list(cached(splits).glob("cache-*.arrow"))) == 1


def test_a_folder_that_rows_are_written_to_for_others_has_no_further_file(corpus, tmp_path):
    builder = IemomecpBuilder(config_name="ecf", data_dir=str(corpus), dataset_name="iemomecp")
    builder.download_and_prepare(output_dir=str(tmp_path / "mine"), file_format="parquet")
    assert not (tmp_path / "mine" / DIGESTS_FILE).exists()


@pytest.mark.parametrize("name", ["rows.arrow", DIGESTS_FILE])
def test_a_pipe_in_place_of_a_file_is_not_waited_for(name: str, tmp_path: Path) -> None:
    (tmp_path / "rows.arrow").write_bytes(b"rows")
    write_digests(tmp_path)
    (tmp_path / name).unlink()
    os.mkfifo(tmp_path / name)
    assert name in damage_of(tmp_path)
