"""The order in which explanations are written, and what is read of a file that was cut off."""

from __future__ import annotations

import itertools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from iemomecp_dataset.errors import InvalidDataError
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
    file.write_bytes(whole + b'{"seconds": 4.0, "texts": {"0": 3}}\n')
    with pytest.raises(InvalidDataError, match="line 3: damaged, not a batch of texts"):
        read_written(file)


class Example(SimpleNamespace):
    """A text of its own, and a prompt of some length."""

    item: str
    length: int

    def __len__(self) -> int:
        return self.length


@pytest.fixture(name="calls")
def fixture_calls(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The items of each call of the model, which are written after 7 seconds each."""
    calls: list[list[str]] = []

    def generate(_: Any, __: Any, items: list[str], **options: Any) -> list[str]:
        calls.append(items)
        assert options["batch_size"] == len(items)
        options["unended"] |= {place for place, item in enumerate(items) if item in ("validation0", "validation2")}
        return [f"why {item}" for item in items]

    monkeypatch.setattr(writing, "generate_explanations", generate)
    clock = itertools.count(0, 7)
    monkeypatch.setattr(writing, "time", SimpleNamespace(monotonic=lambda: float(next(clock))))
    return calls


def write(folder: Path, batch_size: int = 2) -> dict[str, WrittenTexts] | None:
    """Writes three texts of validation and two of test."""
    lengths = {"train": [1], "validation": [3, 9, 5], "test": [1, 7]}
    examples = {
        split: [Example(item=f"{split}{place}", length=length) for place, length in enumerate(of_split)]
        for split, of_split in lengths.items()
    }
    task: Any = SimpleNamespace(
        model=None, examples=examples, strategy=SimpleNamespace(encoder=None, frames=None, faces=None, unit="text")
    )
    options = ExplanationTrainingOptions.from_flat(
        {"language_model": "any", "output_dir": str(folder), "generation_batch_size": batch_size, "quiet": True}
    )
    try:
        return written_explanations(options, task, Accelerator(cpu=True), RunFolder(folder))
    finally:
        AcceleratorState._reset_state(reset_partial_state=True)


TEXTS = ("why validation0", "why validation1", "why validation2")


def test_texts_are_in_the_order_of_the_split_whatever_their_lengths(tmp_path: Path, calls: list[list[str]]) -> None:
    assert write(tmp_path) == {
        "validation": WrittenTexts(TEXTS, 2, 14.0),
        "test": WrittenTexts(("why test0", "why test1"), 0, 7.0),
    }
    assert calls == [["validation1", "validation2"], ["validation0"], ["test1", "test0"]]


@pytest.mark.parametrize(
    ("batch_size", "expected"),
    [
        (1, [["validation2"], ["validation0"]]),
        (2, [["validation2", "validation0"]]),
        (9, [["validation2", "validation0"]]),
    ],
)
def test_what_is_written_is_not_written_again_whatever_the_size_of_batches(
    batch_size: int, expected: list[list[str]], tmp_path: Path, calls: list[list[str]]
) -> None:
    # A session with batches of one has written the longest.
    file = RunFolder(tmp_path).checkpoints / "written-validation-0-of-1.jsonl"
    file.parent.mkdir(parents=True)
    file.write_text('{"seconds": 3.0, "texts": {"1": ["why validation1", true]}}\n', encoding="utf-8")
    found = write(tmp_path, batch_size)
    assert found is not None
    assert found["validation"] == WrittenTexts(TEXTS, 2, 3.0 + 7.0 * len(expected))
    assert calls[: len(expected)] == expected
    calls.clear()
    again = write(tmp_path, 3)
    assert (again, calls) == (found, [])
