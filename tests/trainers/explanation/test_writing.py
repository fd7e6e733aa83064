"""The order in which explanations are written, and what is read of a file that was cut off."""

from __future__ import annotations

import itertools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from iemomecp_dataset.trainers.explanation import writing
from iemomecp_dataset.trainers.explanation.options import ExplanationTrainingOptions
from iemomecp_dataset.trainers.explanation.writing import (
    WrittenTexts,
    fixed_batches,
    read_written,
    written_explanations,
)
from iemomecp_dataset.trainers.run_folder import RunFolder


def test_batches_hold_each_position_once_from_long_to_short() -> None:
    lengths = [3, 9, 5, 5, 1]
    batches = fixed_batches(lengths, 2)
    assert batches == [[1, 2], [3, 0], [4]]
    assert fixed_batches([], 2) == []


def test_a_line_that_was_cut_off_is_dropped(tmp_path: Path) -> None:
    file = tmp_path / "written.jsonl"
    assert read_written(file) == ({}, 0.0)
    whole = b'{"seconds": 1.5, "texts": {"1": ["a", true], "2": ["b", false]}}\n{"seconds": 2.0, "texts": {}}\n'
    file.write_bytes(whole + b'{"seconds": 4.0, "texts": {"0": ["c')
    assert read_written(file) == ({1: ("a", True), 2: ("b", False)}, 3.5)
    assert file.read_bytes() == whole


class Example(SimpleNamespace):
    """A text of its own, and a prompt of some length."""

    item: str
    length: int

    def __len__(self) -> int:
        return self.length


def test_texts_are_in_the_order_of_the_split_whatever_their_lengths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[list[str]] = []

    def generate(_: Any, __: Any, items: list[str], **options: Any) -> list[str]:
        calls.append(items)
        assert options["batch_size"] == len(items)
        options["unended"] |= {place for place, item in enumerate(items) if item in ("validation0", "validation2")}
        return [f"why {item}" for item in items]

    monkeypatch.setattr(writing, "generate_explanations", generate)
    clock = itertools.count(0, 7)
    monkeypatch.setattr(writing, "time", SimpleNamespace(monotonic=lambda: float(next(clock))))
    lengths = {"train": [1], "validation": [3, 9, 5], "test": [1, 7]}
    examples = {
        split: [Example(item=f"{split}{place}", length=length) for place, length in enumerate(of_split)]
        for split, of_split in lengths.items()
    }
    task: Any = SimpleNamespace(
        model=None, examples=examples, strategy=SimpleNamespace(encoder=None, frames=None, faces=None, unit="text")
    )
    options = ExplanationTrainingOptions.from_flat(
        {"language_model": "any", "output_dir": str(tmp_path), "generation_batch_size": 2, "quiet": True}
    )
    found = written_explanations(options, task, Accelerator(cpu=True), RunFolder(tmp_path))
    AcceleratorState._reset_state(reset_partial_state=True)
    assert found == {
        "validation": WrittenTexts(("why validation0", "why validation1", "why validation2"), 2, 14.0),
        "test": WrittenTexts(("why test0", "why test1"), 0, 7.0),
    }
    assert calls == [["validation1", "validation2"], ["validation0"], ["test1", "test0"]]
