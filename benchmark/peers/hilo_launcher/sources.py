# ruff: noqa: B905  # Python 3.8, which HiLo's environment has, knows no zip(strict=...)
"""Logits, masks and ids of a pass, by the cells and utterances of a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .data_files import Split
from .layouts import Layout, class_axes, common_paths
from .values import MOST_CLASSES

__all__ = ["Sources", "find_sources"]


@dataclass
class Sources:
    """What a layout makes of the values of a pass.

    Attributes:
        pairs: float ``(n_cells, 2)`` by path.
        utterances: float ``(n_utterances, n_classes)`` or int ``(n_utterances,)`` by path.
        masks: bool ``(n_cells,)`` by path.
    """

    pairs: dict[str, Any] = field(default_factory=dict)
    utterances: dict[str, Any] = field(default_factory=dict)
    masks: dict[str, Any] = field(default_factory=dict)


def find_sources(
    steps: Sequence[Mapping[str, Any]], layout: Layout, split: Split, prefixes: tuple[str, ...]
) -> Sources:
    """Reads the values of a pass by cells and utterances of the file.

    Args:
        steps: What was seen in each step.
        layout: Where the dialogues are.
        split: The file.
        prefixes: Which outputs are looked at.

    Returns:
        All values whose shapes fit the layout in every step; a stack counts as its parts, ``path#0`` and so on.
    """
    sources = Sources()
    for path in common_paths(steps, prefixes):
        values = [step[path] for step in steps]
        if not all(isinstance(value, np.ndarray) and value.dtype.kind in "biuf" for value in values):
            continue
        if all(value.dtype.kind == "f" for value in values):
            for name, cells in _pairs_of(path, values, layout, split):
                sources.pairs.setdefault(name, cells)
        for name, utterances in _utterances_of(path, values, layout, split):
            sources.utterances.setdefault(name, utterances)
    for path in common_paths(steps, ("batch", "input", *prefixes)):
        values = [step[path] for step in steps]
        if all(isinstance(value, np.ndarray) and value.ndim >= 2 and np.isin(value, (0, 1)).all() for value in values):
            cells = _gather([_square_blocks(value, rows, split) for value, rows in zip(values, layout.steps)], split)
            if cells is not None:
                sources.masks[path] = cells.astype(bool)
    return sources


def _unstacked(path: str, values: Sequence[Any], n_dims: int) -> Iterator[tuple[str, list[Any]]]:
    """The values, or the parts of a stack of the same number of them in each step."""
    if all(value.ndim <= n_dims for value in values):
        yield path, list(values)
    elif all(value.ndim == n_dims + 1 for value in values):
        for axis in (0, 1):
            count = values[0].shape[axis]
            if count <= MOST_CLASSES and all(value.shape[axis] == count for value in values):
                for number in range(count):
                    name = f"{path}#{number}" if axis == 0 else f"{path}[:]#{number}"
                    yield name, [value.take(number, axis) for value in values]


def _pairs_of(path: str, values: Sequence[Any], layout: Layout, split: Split) -> Iterator[tuple[str, Any]]:
    for axis in (-1, -3, 0):
        if not all(axis in class_axes(value) for value in values):
            continue
        names = []
        for name, parts in _unstacked(path, [np.moveaxis(value, axis, -1) for value in values], 4):
            for blocks_of in (_pair_blocks, *_FLAT_BLOCKS):
                cells = _gather([blocks_of(part, rows, split) for part, rows in zip(parts, layout.steps)], split)
                if cells is not None:
                    names.append(name)
                    yield name, cells
                    break
        if names:
            return


def _square_blocks(
    array: Any, rows: Sequence[Sequence[int]], split: Split, n_trailing: int = 0
) -> list[tuple[int, Any]] | None:
    """Blocks of the dialogues along the diagonal of each row's square, ``(rows, N, N)`` or, of one row, ``(N, N)``."""
    squares = array[None] if array.ndim == 2 + n_trailing else array
    if squares.ndim != 3 + n_trailing or squares.shape[0] != len(rows) or squares.shape[1] != squares.shape[2]:
        return None
    blocks = []
    for square, row in zip(squares, rows):
        first = 0
        for number in row:
            end = first + split.lengths[number]
            blocks.append((number, square[first:end, first:end]))
            first = end
        if first > len(square):
            return None
    return blocks


def _pair_blocks(array: Any, rows: Sequence[Sequence[int]], split: Split) -> list[tuple[int, Any]] | None:
    return _square_blocks(array, rows, split, 1)


def _flat_by(width_of_rows: bool, lower: bool) -> Callable[[Any, Sequence[Sequence[int]], Split], Any]:
    """A list of pairs ``(P, 2)``: of each dialogue or of each row, all pairs or those without later causes."""

    def blocks(array: Any, rows: Sequence[Sequence[int]], split: Split) -> list[tuple[int, Any]] | None:
        if array.ndim != 2:
            return None
        groups = [list(row) for row in rows] if width_of_rows else [[number] for row in rows for number in row]
        widths = [sum(split.lengths[number] for number in group) for group in groups]
        counts = [width * (width + 1) // 2 if lower else width * width for width in widths]
        if sum(counts) != len(array):
            return None
        found: list[tuple[int, Any]] = []
        for group, width, part in zip(groups, widths, np.split(array, np.cumsum(counts)[:-1])):
            square = np.full((width, width, array.shape[1]), np.nan)
            square[np.tril_indices(width) if lower else np.nonzero(np.ones((width, width)))] = part
            found += _pair_blocks(square, [group], split) or []
        return found

    return blocks


def _flat_padded(array: Any, rows: Sequence[Sequence[int]], split: Split) -> list[tuple[int, Any]] | None:
    """A list of all pairs of all rows, padded: ``(rows * N * N, 2)``."""
    width = round((len(array) / len(rows)) ** 0.5) if array.ndim == 2 and rows else 0
    if not width or len(rows) * width * width != len(array):
        return None
    return _pair_blocks(array.reshape(len(rows), width, width, array.shape[1]), rows, split)


_FLAT_BLOCKS = (
    _flat_by(False, True),
    _flat_by(False, False),
    _flat_by(True, False),
    _flat_by(True, True),
    _flat_padded,
)


def _gather(blocks: Sequence[list[tuple[int, Any]] | None], split: Split) -> Any:
    """Joins the blocks of all steps in the order of the file; None unless each dialogue has one of its size."""
    by_number: dict[int, Any] = {}
    for step in blocks:
        if step is None:
            return None
        by_number.update(step)
    if len(by_number) != len(split.lengths):
        return None
    parts = [by_number[number] for number in range(len(split.lengths))]
    if any(part.shape[:2] != (n, n) for part, n in zip(parts, split.lengths)):
        return None
    if len({part.shape[2:] for part in parts}) != 1:
        return None
    return np.concatenate([part.reshape(-1, *part.shape[2:]) for part in parts])


def _utterances_of(path: str, values: Sequence[Any], layout: Layout, split: Split) -> Iterator[tuple[str, Any]]:
    if all(value.dtype.kind in "iu" for value in values):
        if all(value.ndim <= 2 and value.size and 0 <= value.max() < MOST_CLASSES for value in values):
            expanded = [value[..., None] for value in values]
            for name, found in _by_utterance(path, expanded, layout, split):
                yield name, found[:, 0].astype(int)
        return
    if all(value.dtype.kind == "f" and value.ndim >= 2 for value in values):
        n_classes = values[0].shape[-1]
        if 2 <= n_classes <= MOST_CLASSES and all(value.shape[-1] == n_classes for value in values):
            yield from _by_utterance(path, values, layout, split)


def _by_utterance(path: str, values: Sequence[Any], layout: Layout, split: Split) -> Iterator[tuple[str, Any]]:
    for name, parts in _unstacked(path, values, 3):
        by_number: dict[int, Any] = {}
        for part, rows in zip(parts, layout.steps):
            by_number.update(_utterance_blocks(part, rows, split) or {})
        if len(by_number) == len(split.lengths):
            yield name, np.concatenate([by_number[number] for number in range(len(split.lengths))])


def _utterance_blocks(array: Any, rows: Sequence[Sequence[int]], split: Split) -> dict[int, Any] | None:
    widths = [sum(split.lengths[number] for number in row) for row in rows]
    if array.ndim == 2 and len(array) == sum(widths):
        spread = np.split(array, np.cumsum(widths)[:-1])
    elif array.ndim == 2 and len(rows) and len(array) % len(rows) == 0:
        spread = np.split(array, len(rows))
    elif array.ndim == 3 and len(array) == len(rows):
        spread = list(array)
    else:
        return None
    found = {}
    for part, row, width in zip(spread, rows, widths):
        if width > len(part):
            return None
        ends = np.cumsum([split.lengths[number] for number in row])
        for number, end in zip(row, ends):
            found[number] = part[end - split.lengths[number] : end]
    return found
