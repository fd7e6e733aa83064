"""Which dialogues are in which row of which step, by their numbers of turns, ids or shapes."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .data_files import Split

__all__ = ["Layout", "class_axes", "common_paths", "find_layouts"]


@dataclass
class Layout:
    """Which dialogues each row of each step holds, one after another and without gaps.

    Attributes:
        steps: Positions of dialogues in the file, by step and row.
        keys: The evidence: values that say so, and how they are read.
    """

    steps: list[list[list[int]]]
    keys: list[str] = field(default_factory=list)


def common_paths(steps: Sequence[Mapping[str, Any]], prefixes: tuple[str, ...]) -> list[str]:
    """Paths that occur in every step, in order."""
    if not steps:
        return []
    return [path for path in steps[0] if path.startswith(prefixes) and all(path in step for step in steps)]


def _rows_of(value: Any) -> list[list[Any]] | None:
    """Rows of whole numbers or strings; None for anything else."""
    if isinstance(value, list):
        rows = [_rows_of(part) for part in value]
        return None if any(row is None for row in rows) else [row[0] for row in rows if row]
    if value.dtype.kind == "f" and not np.isin(value, (0, 1)).all():
        return None
    if value.ndim > 2:
        return None
    numbers: list[list[Any]] = np.atleast_2d(value).tolist()
    return numbers


def _id_of(value: Any) -> int | None:
    """The number at the end of an id."""
    found = re.search(r"(\d+)$", str(value))
    return int(found.group(1)) if found else None


def _take(totals: Sequence[Sequence[int]], lengths: Sequence[int]) -> list[list[list[int]]] | None:
    """Dialogues in the order of the file that make up the number of turns of each row; None if they do not."""
    at, steps = 0, []
    for rows in totals:
        step = []
        for total in rows:
            row: list[int] = []
            while total > 0 and at < len(lengths):
                row.append(at)
                total -= lengths[at]
                at += 1
            if total != 0:
                return None
            step.append(row)
        steps.append(step)
    return steps if at == len(lengths) else None


def _totals(value: Any) -> Iterator[tuple[str, list[int]]]:
    """Ways to read the number of turns of each row from a value."""
    if isinstance(value, list):
        yield "entries of each row", [len(part) for part in value]
        if all(part.dtype.kind in "iu" for part in value):
            yield "sum of each row", [int(part.sum()) for part in value]
        return
    if value.dtype.kind not in "biuf":
        return
    if value.ndim == 1 and value.dtype.kind in "iu":
        yield "turns of each row", value.tolist()
    if value.ndim == 0 and value.dtype.kind in "iu":
        yield "turns of each row", [int(value)]
    if value.ndim in (1, 2) and value.size:
        rows = np.atleast_2d(value)
        if np.isin(rows, (0, 1)).all():
            yield "marked turns of each row", [int(row.sum()) for row in rows]
        for pad in dict.fromkeys((int(rows.min()), int(rows.max()), 0)):
            kept = [np.flatnonzero(row != pad) for row in rows]
            yield f"turns before the padding {pad}", [int(places[-1]) + 1 if len(places) else 0 for places in kept]
    if value.ndim == 2 and value.size and value.dtype.kind in "iu":
        yield "times that the first value is in each row", [int((row == value[0, 0]).sum()) for row in value]
    if value.ndim in (2, 3) and value.size and value.shape[-1] == value.shape[-2] and np.isin(value, (0, 1)).all():
        cubes = value[None] if value.ndim == 2 else value
        places = [np.argwhere(cube) for cube in cubes]
        yield "marked pairs of each row", [int(place.max()) + 1 if len(place) else 0 for place in places]


def _lengths_within(rows: list[list[Any]]) -> Iterator[tuple[str, list[list[int]]]]:
    """Ways to read numbers of turns from whole numbers: as they are, or as ends or spans."""
    if not all(isinstance(value, int) and not isinstance(value, bool) for row in rows for value in row):
        return
    yield "turns of each dialogue", [[value for value in row if value > 0] for row in rows]
    ends = [[value for place, value in enumerate(row) if value > 0 or place == 0] for row in rows]
    yield "ends of dialogues", [np.diff([0, *row]).tolist() for row in ends]
    yield "bounds of dialogues", [np.diff(row).tolist() for row in ends]
    if all(len(row) == 2 for row in rows):
        yield "spans of dialogues", [[row[1] - row[0]] for row in rows]
        yield "closed spans of dialogues", [[row[1] - row[0] + 1] for row in rows]


def _pair_like(array: Any) -> Iterator[tuple[int, int]]:
    """Rows and width of an array of pairs with two classes, in each way that its shape can be read."""
    if not isinstance(array, np.ndarray) or array.dtype.kind != "f":
        return
    for axis in class_axes(array):
        shape = np.moveaxis(array, axis, -1).shape[:-1]
        if len(shape) >= 2 and shape[-1] == shape[-2]:
            for rows in {1, *(shape[:-2])}:
                yield rows, shape[-1]


def class_axes(array: Any) -> list[int]:
    """Axes of an array that may be those of two classes."""
    return [axis for axis in (-1, -3, 0) if array.ndim >= abs(axis) + (axis == 0) and array.shape[axis] == 2]


def find_layouts(steps: Sequence[Mapping[str, Any]], split: Split) -> list[Layout]:
    """Where the dialogues of a file are in the steps of a pass.

    Args:
        steps: What was seen in each step.
        split: The file.

    Returns:
        Each layout that is consistent with the numbers of turns or the ids of all dialogues, best evidence first; none
        if the pass was not over this file.
    """
    found: dict[str, Layout] = {}

    def add(key: str, layout: list[list[list[int]]] | None) -> None:
        if layout is not None:
            found.setdefault(json.dumps(layout), Layout(layout)).keys.append(key)

    def add_orders(key: str, layout: list[list[list[int]]] | None) -> None:
        """The same dialogues in each step, also one in each row, or all in one row."""
        if layout is not None:
            add(key, layout)
            add(f"{key}, one in each row", [[[number] for row in step for number in row] for step in layout])
            add(f"{key}, all in one row", [[[number for row in step for number in row]] for step in layout])

    lengths, ids = split.lengths, [dialogue.id for dialogue in split.dialogues]
    place: dict[int | None, int] = {number: at for at, number in enumerate(ids)}
    paths = common_paths(steps, ("batch", "input", "output"))
    for path in paths:
        values = [step[path] for step in steps]
        rows_of_steps = [_rows_of(value) for value in values]
        if all(rows is not None for rows in rows_of_steps):
            numbers = [[[_id_of(value) for value in row] for row in rows or []] for rows in rows_of_steps]
            # Once for each dialogue, or for each of its utterances.
            known = [
                [[place[number] for number, _ in itertools.groupby(row) if number in place] for row in rows]
                for rows in numbers
            ]
            if sorted(number for rows in known for row in rows for number in row) == list(range(len(ids))):
                add_orders(f"{path}: ids", known)
            readings = [dict(_lengths_within(rows or [])) for rows in rows_of_steps]
            for how in readings[0]:
                if all(how in reading for reading in readings):
                    flat = [length for reading in readings for row in reading[how] for length in row]
                    if flat == lengths:
                        add_orders(f"{path}: {how}", _take_each([reading[how] for reading in readings]))
    for path in paths:
        ways = [dict(_totals(step[path])) for step in steps]
        for how in ways[0]:
            if all(how in way for way in ways):
                add_orders(f"{path}: {how}", _take([way[how] for way in ways], lengths))
    for path in paths:
        _add_by_shape(path, [step[path] for step in steps], lengths, add_orders)
    return list(found.values())


def _take_each(lengths: Sequence[Sequence[Sequence[int]]]) -> list[list[list[int]]]:
    count = itertools.count()
    return [[[next(count) for _ in row] for row in step] for step in lengths]


def _add_by_shape(
    path: str, values: Sequence[Any], lengths: Sequence[int], add: Callable[[str, list[list[list[int]]] | None], None]
) -> None:
    """Layouts that the shapes alone fix: one dialogue in each row, or one unpadded row in each step."""
    shapes = [set(_pair_like(value)) for value in values]
    if all(shapes):
        for rows_first, _ in sorted(shapes[0]):
            at, layout = 0, []
            for step, shape in enumerate(shapes):
                # The last step may have fewer rows.
                rows = [rows for rows, width in shape if rows == rows_first or step == len(shapes) - 1]
                width = max(width for _, width in shape)
                fitting = [n for n in rows if at + n <= len(lengths) and max(lengths[at : at + n], default=0) <= width]
                if not fitting:
                    break
                count = min(fitting, key=lambda n: abs(n - (len(lengths) - at)) if step == len(shapes) - 1 else 0)
                layout.append([[at + row] for row in range(count)])
                at += count
            if at == len(lengths) and len(layout) == len(values):
                add(f"{path}: one dialogue in each row, by shape", layout)
        if all((1, max(width for _, width in shape)) in shape for shape in shapes):
            add(f"{path}: width, by shape", _take([[max(width for _, width in shape)] for shape in shapes], lengths))
    if all(isinstance(value, np.ndarray) and value.ndim >= 1 and value.size for value in values):
        add(f"{path}: first dimension, by shape", _take([[len(value)] for value in values], lengths))
        if all(value.ndim >= 2 and len(value) == 1 for value in values):
            add(f"{path}: second dimension, by shape", _take([[value.shape[1]] for value in values], lengths))
