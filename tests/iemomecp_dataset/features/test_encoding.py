"""Vectors on the CPU do not depend on the number of threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.features.encoders.tiny_models import write_tiny_speech_encoder
from iemomecp_dataset.features.encoding import encoded_batches
from iemomecp_dataset.features.extraction import open_encoder
from iemomecp_dataset.features.extraction_options import ExtractionOptions
from iemomecp_dataset.features.store.store_rows import FeatureProblem, StoreRow
from iemomecp_dataset.features.work_items import WorkItem

RATE = 16_000


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def item(name: str, media: Path | None = None) -> WorkItem:
    return WorkItem(name, "d", "F", "", media, None, None, None, False)


def test_speech_vectors_are_equal_to_the_bit_whatever_the_number_of_threads(tmp_path: Path, threads: None) -> None:
    model = write_tiny_speech_encoder(tmp_path / "model", hidden_size=32)
    generator, items = np.random.default_rng(0), {}
    for number in range(24):
        sound = 0.1 * generator.normal(size=RATE // 2 + 700 * number)
        soundfile.write(tmp_path / f"{number}.wav", sound.astype(np.float32), RATE, subtype="FLOAT")
        items[f"u{number}"] = item(f"u{number}", tmp_path / f"{number}.wav")
    options = ExtractionOptions("d", "audio", "o", model=str(model), device="cpu")
    encoder = open_encoder(options)
    work = [(number, list(items)[number : number + 4]) for number in range(0, 24, 4)]
    found = []
    for count in (1, 2, 3):
        torch.set_num_threads(count)
        batches = list(encoded_batches(encoder, items, work, options, "cpu"))
        assert [number for number, _ in batches] == [number for number, _ in work]
        assert torch.get_num_threads() == count
        found.append([row.vector.tobytes() for _, rows in batches for row in rows])
    assert found[0] == found[1] == found[2]


class Meeting:
    """An encoder whose batches wait for one another, and that knows no text."""

    size, revision = 1, "none"

    def __init__(self, at_once: int):
        self.barrier = threading.Barrier(at_once)

    def decode(self, item: WorkItem) -> str:
        if item.utterance_id == "silent":
            raise FeatureProblem("silent", "every sample is zero")
        return item.utterance_id

    def encode(self, batch: list[str]) -> list[StoreRow]:
        self.barrier.wait(timeout=20)
        return [StoreRow(key, "ok", np.array([len(key)], np.float32)) for key in batch]


def test_threads_work_on_different_batches_and_rows_come_in_order(threads: None) -> None:
    torch.set_num_threads(2)
    items = {key: item(key) for key in ("a", "bb", "ccc", "silent", "dddd")}
    options = ExtractionOptions("d", "audio", "o")
    work = [(7, ["bb", "a"]), (7, ["silent", "ccc"]), (8, ["dddd"]), (9, ["a"])]
    batches = list(encoded_batches(Meeting(2), items, work, options, "cpu"))
    assert [(number, [row.utterance_id for row in rows]) for number, rows in batches] == work
    assert [row.status for _, rows in batches for row in rows].count("silent") == 1


def test_strict_names_the_utterance_and_waits_for_nothing(threads: None) -> None:
    items = {key: item(key) for key in ("a", "silent", "b")}
    options = ExtractionOptions("d", "audio", "o", strict=True)
    work = [(0, ["a"]), (0, ["silent"]), (1, ["b"])] + [(2, ["b"])] * 50
    with pytest.raises(InvalidDataError, match="utterance silent gets no vector"):
        list(encoded_batches(Meeting(1), items, work, options, "cpu"))
