"""The order in which explanations are written, and what is read of a file that was cut off."""

from __future__ import annotations

from pathlib import Path

from iemomecp_dataset.trainers.explanation.writing import fixed_batches, read_written


def test_batches_hold_each_position_once_from_long_to_short() -> None:
    lengths = [3, 9, 5, 5, 1]
    batches = fixed_batches(lengths, 2)
    assert batches == [[1, 2], [3, 0], [4]]
    assert fixed_batches([], 2) == []


def test_a_line_that_was_cut_off_is_dropped(tmp_path: Path) -> None:
    file = tmp_path / "written.jsonl"
    assert read_written(file) == {}
    file.write_bytes(b'{"1": "a", "2": "b"}\n{"0": "c')
    assert read_written(file) == {1: "a", 2: "b"}
    assert file.read_bytes() == b'{"1": "a", "2": "b"}\n'
