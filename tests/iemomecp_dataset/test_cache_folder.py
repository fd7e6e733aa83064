"""A cache of ``datasets`` that cannot be written to is a warning, and its rows are read where it has them."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from iemomecp_dataset import cache_folder, load
from iemomecp_dataset.builder import IemomecpBuilder
from iemomecp_dataset.cache_folder import check_cache, temporary_cache
from iemomecp_dataset.cached_rows import DIGESTS_FILE, write_digests
from iemomecp_dataset.errors import IemomecpError, UsageError

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def everything_in(folder: Path) -> dict[str, float]:
    return {str(path): path.stat().st_mtime for path in folder.rglob("*")}


def test_a_folder_that_can_be_written_to_is_made_and_left_empty(tmp_path):
    assert check_cache(tmp_path / "new" / "cache") == ""
    assert list(tmp_path.rglob("*")) == [tmp_path / "new", tmp_path / "new" / "cache"]


@pytest.mark.parametrize("place", ["file", "file/below", "name" * 100])
def test_a_folder_that_cannot_be_is_named_with_the_cause(tmp_path, place):
    (tmp_path / "file").touch()
    assert f"{tmp_path / place}: cannot be written (" in check_cache(tmp_path / place)


def test_rows_of_a_cache_are_links_and_unfinished_ones_are_not(tmp_path, caplog):
    whole, half = tmp_path / "iemomecp" / "3class-1", tmp_path / "iemomecp" / "3class-2"
    for folder, names in ((whole, ("dataset_info.json", "iemomecp-train.arrow")), (half, ("iemomecp-train.arrow",))):
        folder.mkdir(parents=True)
        for name in names:
            (folder / name).write_text(name)
    write_digests(whole)
    before = everything_in(tmp_path)
    cache = temporary_cache(tmp_path, whole.relative_to(tmp_path), "It cannot be.")
    found = {path.name: path for path in (cache / "iemomecp" / "3class-1").iterdir()}
    assert {name: path.read_text() for name, path in found.items() if name != DIGESTS_FILE} == {
        name: name for name in ("dataset_info.json", "iemomecp-train.arrow")
    }
    assert all(path.is_symlink() for path in found.values())
    cache = temporary_cache(tmp_path, half.relative_to(tmp_path), "It cannot be.")
    assert list(cache.iterdir()) == []
    assert everything_in(tmp_path) == before
    assert "Here the rows in it are read." in caplog.messages[0]
    assert "made again next time" in caplog.messages[1]


def rows_of(data_dir: Path, cache: Path) -> list[str]:
    return load("3class", data_dir, split="test", cache_dir=cache)["dialogue_id"]


def test_a_warm_cache_that_may_not_be_written_to_is_read(synthetic_dir, tmp_path, monkeypatch, caplog):
    expected = rows_of(synthetic_dir, tmp_path / "cache")
    before = everything_in(tmp_path / "cache")
    monkeypatch.setattr("iemomecp_dataset.builder.check_cache", lambda folder: f"{folder}: read-only.")

    def read(self: object) -> None:
        raise AssertionError("the rows are there, and nothing is to be read")

    monkeypatch.setattr(IemomecpBuilder, "_split_generators", read)
    assert rows_of(synthetic_dir, tmp_path / "cache") == expected
    assert everything_in(tmp_path / "cache") == before
    assert "cache: read-only. Here the rows in it are read." in caplog.text


def test_damaged_rows_of_a_cache_that_may_not_be_written_to_are_made_again(
    synthetic_dir, tmp_path, monkeypatch, caplog
):
    expected = rows_of(synthetic_dir, tmp_path / "cache")
    (file,) = (tmp_path / "cache").rglob("*-test.arrow")
    half = file.read_bytes()[:1000]
    file.unlink()  # The rows that were loaded first lie in it.
    file.write_bytes(half)
    monkeypatch.setattr("iemomecp_dataset.builder.check_cache", lambda folder: f"{folder}: read-only.")
    assert rows_of(synthetic_dir, tmp_path / "cache") == expected
    assert "the copy in it is damaged (iemomecp-test.arrow has other content than was written)" in caplog.text
    assert file.stat().st_size == 1000


@pytest.mark.parametrize("cause", ["a file in its place", "full", "a path too long for locks"])
def test_rows_that_cannot_be_cached_are_made_in_a_temporary_folder(synthetic_dir, tmp_path, monkeypatch, caplog, cause):
    expected = rows_of(synthetic_dir, tmp_path / "cache")
    cache = tmp_path / "other"
    if cause == "full":
        import datasets

        finalize = datasets.arrow_writer.ArrowWriter.finalize

        def write(self, *args, **kwargs):
            if str(tmp_path) in str(self._path):
                raise FULL
            return finalize(self, *args, **kwargs)

        monkeypatch.setattr("datasets.arrow_writer.ArrowWriter.finalize", write)
    elif "too long" in cause:
        cache = tmp_path
        while len(str(cache)) < 3950:  # of 4096 bytes
            cache /= "n" * min(200, 3950 - len(str(cache)))
        cache.mkdir(parents=True)
    else:
        cache.touch()
    assert rows_of(synthetic_dir, cache) == expected
    assert f"warning: the cache of datasets: {str(cache)[:80]}" in caplog.text
    assert "made again next time" in caplog.text


def test_without_room_for_temporary_files_either_it_is_one_sentence(synthetic_dir, tmp_path, monkeypatch):
    def write(self, *args, **kwargs):
        raise FULL

    monkeypatch.setattr("datasets.arrow_writer.ArrowWriter.finalize", write)
    with pytest.raises(UsageError, match=r"iemomecp-cache-\w+: cannot be written .No space left on device."):
        rows_of(synthetic_dir, tmp_path / "cache")


def test_what_is_wrong_with_the_data_is_still_said_of_the_data(tmp_path, monkeypatch):
    monkeypatch.setattr(cache_folder, "check_place", lambda path: None)
    with pytest.raises(IemomecpError, match="nothing"):
        load("3class", tmp_path / "nothing", cache_dir=tmp_path / "cache")
