# ruff: noqa: B905  # Python 3.8, which HiLo's environment has, knows no zip(strict=...)
"""Starts a user's own, unchanged clone of HiLo and writes the predictions that HiLo does not write.

    python /path/to/launch_hilo.py --clone PATH --output-dir OUT [-- arguments of HiLo's own main.py]

Start it in the clone's environment: it needs the standard library, numpy and torch, runs on Python 3.8, and imports
nothing else of this package. It runs the clone's ``main.py`` in this process and in the clone's folder, from training
to the final evaluation, and then writes ``OUT/hilo_test.json`` and ``OUT/hilo_validation.json``, both with the weights
of the final evaluation: per dialogue the probability of each pair, the decision, and the predicted ids of emotion and
cause.

It is written against HiLo's documented behaviour, without its source code, so that it knows none of the names inside:

* the probability of a pair is the softmax of the summed pair logits where the pair passes mask and filter, else 0;
* a pair is predicted where that is at least 0.5; the mask removes causes after their target; the filter keeps a pair
  where the predicted id of its target's emotion or of its cause is 1;
* the final evaluation on test prints precision, recall and F1, whose gold pairs are all pairs of ``test.txt``.

Therefore it looks for what it needs while HiLo runs. It notes which data loader is iterated and what passes through the
torch modules in evaluation, recognizes dialogues and logits by their shapes and by the numbers of turns in HiLo's own
data files, and rebuilds the decisions in each way that the documented behaviour allows. It accepts one only if true
positives, predictions and gold pairs give the precision, recall and F1 that HiLo itself printed for test. Otherwise it
stops and writes ``OUT/hilo_inspection.json`` instead: the names, shapes and types of what it saw, and the printed
scores, no text. With that list, ``--pair-logits``, ``--mask``, ``--filter``, ``--emotion`` and ``--cause`` name the
right values by hand, such as ``--pair-logits output.first+output.second``; the printed score is checked all the same.

The validation split is evaluated again with the final weights, from the inputs that the model got for it. Test is
repeated first, in the same way, and must give the outputs of the final evaluation. Where that is impossible, the
clone's own evaluating function is called again. Validation is left out where its printed score contradicts the reading.

After the first evaluation during training, a line says whether the decisions can be read, so that a long training is
not in vain. The exit code is 1 where a file is missing.
"""

from __future__ import annotations

import argparse
import collections
import collections.abc
import contextlib
import copy
import itertools
import json
import os
import re
import runpy
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["LaunchError", "main"]

SPLIT_FILES = {"validation": "valid.txt", "test": "test.txt"}
INSPECTION_FILE = "hilo_inspection.json"

# What is kept of a step: logits and masks, not features. The longest packs have 512 tokens, hence some 60 turns.
_MOST_ELEMENTS = 1 << 20
_MOST_CLASSES = 16
_WIDEST_ROW = 1024
_MOST_LEAVES = 2000
_MOST_DEPTH = 6
# Beyond this many logits that could be summed, only single ones and all together are tried.
_MOST_SUBSETS = 6
_MOST_READINGS = 20000


class LaunchError(Exception):
    """What the user must know or do; this file imports nothing of the package, so it has its own class."""


# --- HiLo's data files ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Dialogue:
    """A dialogue of HiLo's data files.

    Attributes:
        id: Its number.
        n_turns: Its utterances.
        pairs: ``(target, cause)``, 0-based.
    """

    id: int
    n_turns: int
    pairs: frozenset[tuple[int, int]]


class Split:
    """The dialogues of a file, and all their cells: every target with every cause, dialogue after dialogue.

    Attributes:
        name: ``validation`` or ``test``.
        dialogues: In the order of the file.
        lengths: Turns of each.
        n_cells: Sum of the squares of the lengths.
        gold: bool ``(n_cells,)``.
        past: bool ``(n_cells,)``: the cause is not after its target.
        target, cause: int ``(n_cells,)``: position of the utterance among all utterances of the file.
    """

    def __init__(self, name: str, dialogues: Sequence[Dialogue]):
        self.name = name
        self.dialogues = tuple(dialogues)
        self.lengths = [dialogue.n_turns for dialogue in dialogues]
        gold, past, target, cause = [], [], [], []
        first = 0
        for dialogue in dialogues:
            rows, columns = np.indices((dialogue.n_turns, dialogue.n_turns))
            cells = np.zeros((dialogue.n_turns, dialogue.n_turns), dtype=bool)
            for pair in dialogue.pairs:
                cells[pair] = True
            gold.append(cells.ravel())
            past.append((columns <= rows).ravel())
            target.append((rows + first).ravel())
            cause.append((columns + first).ravel())
            first += dialogue.n_turns
        self.gold, self.past = np.concatenate(gold), np.concatenate(past)
        self.target, self.cause = np.concatenate(target), np.concatenate(cause)
        self.n_cells = len(self.gold)

    def matrices(self, cells: Any) -> list[Any]:
        """Cuts an array of cells into one square matrix per dialogue."""
        ends = np.cumsum([length * length for length in self.lengths])[:-1]
        return [part.reshape(n, n) for part, n in zip(np.split(cells, ends), self.lengths)]


def read_dialogues(path: Path) -> list[Dialogue]:
    """Reads a data file of HiLo: a header ``id n``, a line of ``(target,cause)`` pairs, then n utterances.

    Args:
        path: The file.

    Returns:
        Its dialogues; no text is kept.

    Raises:
        LaunchError: There is no such file, or it has another format.
    """
    if not path.is_file():
        raise LaunchError(f"{path}: there is no such file. Copy the export's data folder into the clone first.")
    lines = path.read_text(encoding="utf-8").split("\n")
    dialogues, at = [], 0
    while at < len(lines):
        if not lines[at].strip():
            at += 1
            continue
        header = re.match(r"^\s*(\d+)\s+(\d+)\s*$", lines[at])
        if header is None:
            raise LaunchError(f"{path}, line {at + 1}: expected a header 'id n', found another line. Export again.")
        number, n_turns = int(header.group(1)), int(header.group(2))
        if n_turns == 0 or at + 2 + n_turns > len(lines):
            raise LaunchError(f"{path}, dialogue {number}: expected {n_turns} utterances, found fewer. Export again.")
        found = re.findall(r"\(\s*(\d+)\s*,\s*(\d+)\s*\)", lines[at + 1])
        pairs = frozenset((int(target) - 1, int(cause) - 1) for target, cause in found)
        if any(not 0 <= turn < n_turns for pair in pairs for turn in pair):
            raise LaunchError(f"{path}, dialogue {number}: a pair names a turn outside 1..{n_turns}. Export again.")
        dialogues.append(Dialogue(number, n_turns, pairs))
        at += 2 + n_turns
    if not dialogues:
        raise LaunchError(f"{path}: holds no dialogue. Export again.")
    return dialogues


# --- Printed scores ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PrintedScore:
    """Precision, recall and F1 as HiLo printed them.

    Attributes:
        precision, recall, f1: As printed.
        scale: 100 where they are percentages, else 1.
        tolerance: Largest error of their rounding.
    """

    precision: float
    recall: float
    f1: float
    scale: int
    tolerance: float

    def fits(self, true_positives: int, predicted: int, gold: int) -> bool:
        """Whether these are the scores of the counts.

        >>> PrintedScore(47.9146, 26.3748, 34.0220, 100, 0.00005).fits(494, 1031, 1873)
        True
        """
        expected = _scores(true_positives, predicted, gold)
        printed = (self.precision, self.recall, self.f1)
        return all(abs(self.scale * a - b) <= self.tolerance + 1e-9 * self.scale for a, b in zip(expected, printed))

    def could_be_of(self, gold: int) -> bool:
        """Whether some numbers of true positives and predictions give these scores with a number of gold pairs.

        >>> score = PrintedScore(47.9146, 26.3748, 34.0220, 100, 0.00005)
        >>> score.could_be_of(1873), score.could_be_of(1872)
        (True, False)
        """
        true_positives = round(self.recall / self.scale * gold)
        return self.fits(true_positives, round(true_positives * self.scale / self.precision), gold)


def _scores(true_positives: int, predicted: int, gold: int) -> tuple[float, float, float]:
    return (
        true_positives / predicted if predicted else 0.0,
        true_positives / gold if gold else 0.0,
        2 * true_positives / (predicted + gold) if predicted + gold else 0.0,
    )


def printed_scores(text: str) -> list[PrintedScore]:
    """Finds three numbers in a row of which one is the F1 of the two others.

    Numbers without a decimal point, progress bars and times are skipped; F1 stands first or last.

    Args:
        text: What was printed.

    Returns:
        All that are found and are above 0, in order.

    >>> [score.f1 for score in printed_scores("epoch 3 test 47.9146 26.3748 34.0220")]
    [34.022]
    """
    text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    text = re.sub(r"\[[^\[\]\n]*(?:it/s|s/it)[^\[\]\n]*\]|\d+:\d+(?::\d+)?(?:[.,]\d+)?", " ", text)
    words = re.findall(r"(?<![\w.])\d+\.\d+(?:[eE]-?\d+)?(?![\w.]*\.\d)", text)
    found: list[PrintedScore] = []
    for three in zip(words, words[1:], words[2:]):
        decimals = min(8, *(len(re.sub(r"[eE].*", "", word).split(".")[1]) for word in three))
        for order in ((0, 1, 2), (1, 2, 0)):
            precision, recall, f1 = (float(three[place]) for place in order)
            if decimals < 2 or min(precision, recall, f1) <= 0 or max(precision, recall, f1) > 100:
                continue
            tolerance = 0.5 * 10.0**-decimals
            # The errors of the three roundings add up.
            if abs(2 * precision * recall / (precision + recall) - f1) <= 4 * tolerance + 1e-7:
                # At most 1: a fraction, or a percentage of a system that finds next to nothing.
                scales = [1, 100] if max(precision, recall) <= 1 else [100]
                found += [PrintedScore(precision, recall, f1, scale, tolerance) for scale in scales]
    return list(dict.fromkeys(found))


# --- What is kept of a value ------------------------------------------------------------------------------------------


def _fields(value: Any) -> list[tuple[str, Any]] | None:
    """Named or numbered parts of a container, as path suffixes; None if the value is none."""
    if isinstance(value, Mapping):
        return [(f".{key}" if isinstance(key, str) else f"[{key!r}]", part) for key, part in value.items()]
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return [(f".{name}", part) for name, part in zip(value._fields, value)]
    if isinstance(value, (list, tuple)):
        return [(f"[{number}]", part) for number, part in enumerate(value)]
    if hasattr(value, "__dict__") and not callable(value) and not isinstance(value, type):
        return [(f".{name}", part) for name, part in vars(value).items() if not name.startswith("_")]
    return None


def _is_scalar(value: Any) -> bool:
    return isinstance(value, (bool, int, float, str, np.generic))


def _are_scalars(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and bool(value) and all(map(_is_scalar, value))


def _is_tensor(value: Any) -> bool:
    return hasattr(value, "detach") and hasattr(value, "numel")


def _as_array(value: Any, wanted: Callable[[tuple[int, ...]], bool]) -> Any:
    """A numpy array of a tensor or array; None for anything else, and for what is too large to be logits or a mask."""
    if _is_tensor(value):
        shape = tuple(value.shape)
        if value.numel() > _MOST_ELEMENTS or not wanted(shape):
            return None
        tensor = value.detach()
        if str(tensor.dtype) in ("torch.float16", "torch.bfloat16"):
            tensor = tensor.float()
        return tensor.cpu().numpy().copy()
    if isinstance(value, np.ndarray) and value.size <= _MOST_ELEMENTS and value.dtype.kind in "biufUS":
        return value.copy() if wanted(value.shape) else None
    return None


def _anything(shape: tuple[int, ...]) -> bool:
    return True


def leaves(
    value: Any, path: str, wanted: Callable[[tuple[int, ...]], bool] = _anything, depth: int = 0
) -> Iterator[tuple[str, Any]]:
    """Arrays within a value, each with its path.

    A list of numbers or strings is an array; a list of such lists is kept as a list of arrays. A list of arrays is also
    given as a whole: their lengths (``path:len``) and, of floats, all of them padded with NaN (``path[:]``).

    Args:
        value: Anything that a loader or module gives.
        path: Its name.
        wanted: Whether an array of a shape is kept.
        depth: How far within the value that was asked for.

    Yields:
        Path and numpy array, or list of arrays.

    >>> [path for path, _ in leaves({"ids": [1, 2], "more": (np.zeros(2), [[1], [2, 3]])}, "batch")]
    ['batch.ids', 'batch.more[0]', 'batch.more[1]']
    """
    array = _as_array(value, wanted)
    if array is not None:
        yield path, array
    elif _is_scalar(value) or _are_scalars(value):
        if wanted(np.shape(value)):
            yield path, np.array(value)
    elif isinstance(value, (list, tuple)) and value and all(map(_are_scalars, value)):
        yield path, [np.array(part) for part in value]
    elif depth < _MOST_DEPTH and not _is_tensor(value):
        for suffix, part in _fields(value) or []:
            yield from leaves(part, path + suffix, wanted, depth + 1)
        if isinstance(value, (list, tuple)) and value:
            yield from _as_a_whole(value, path, wanted)


def _as_a_whole(
    value: Sequence[Any], path: str, wanted: Callable[[tuple[int, ...]], bool]
) -> Iterator[tuple[str, Any]]:
    """A list with one array per dialogue or per row, or with one list of lists per row."""
    if all(isinstance(part, (list, tuple)) and part and all(map(_are_scalars, part)) for part in value):
        yield f"{path}:len", [np.array([len(inner) for inner in part]) for part in value]
    arrays = [_as_array(part, wanted) for part in value]
    if any(array is None or array.ndim == 0 or array.ndim != arrays[0].ndim for array in arrays):
        return
    yield f"{path}:len", np.array([len(array) for array in arrays])
    shape = tuple(np.max([array.shape for array in arrays], axis=0))
    if all(array.dtype.kind == "f" for array in arrays) and len(arrays) * np.prod(shape) <= _MOST_ELEMENTS:
        whole = np.full((len(arrays), *shape), np.nan, dtype=arrays[0].dtype)
        for number, array in enumerate(arrays):
            place: Any = (number, *(slice(size) for size in array.shape))
            whole[place] = array
        yield f"{path}[:]", whole


def _like_logits(shape: tuple[int, ...]) -> bool:
    """Whether an array within a model may be logits: few classes, or squares of two classes."""
    if len(shape) < 2:
        return False
    return shape[-1] <= _MOST_CLASSES or (shape[-1] == shape[-2] and 2 in shape[:-2])


def _no_features(shape: tuple[int, ...]) -> bool:
    """Whether an array of a batch may say where dialogues are; rows of features are wider than a pack has tokens."""
    return not shape or shape[-1] <= _WIDEST_ROW


# --- Which dialogue is where ------------------------------------------------------------------------------------------


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
    for axis in _class_axes(array):
        shape = np.moveaxis(array, axis, -1).shape[:-1]
        if len(shape) >= 2 and shape[-1] == shape[-2]:
            for rows in {1, *(shape[:-2])}:
                yield rows, shape[-1]


def _class_axes(array: Any) -> list[int]:
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


# --- Logits, masks and ids by cell or utterance -----------------------------------------------------------------------


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
            if count <= _MOST_CLASSES and all(value.shape[axis] == count for value in values):
                for number in range(count):
                    name = f"{path}#{number}" if axis == 0 else f"{path}[:]#{number}"
                    yield name, [value.take(number, axis) for value in values]


def _pairs_of(path: str, values: Sequence[Any], layout: Layout, split: Split) -> Iterator[tuple[str, Any]]:
    for axis in (-1, -3, 0):
        if not all(axis in _class_axes(value) for value in values):
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
        if all(value.ndim <= 2 and value.size and 0 <= value.max() < _MOST_CLASSES for value in values):
            expanded = [value[..., None] for value in values]
            for name, found in _by_utterance(path, expanded, layout, split):
                yield name, found[:, 0].astype(int)
        return
    if all(value.dtype.kind == "f" and value.ndim >= 2 for value in values):
        n_classes = values[0].shape[-1]
        if 2 <= n_classes <= _MOST_CLASSES and all(value.shape[-1] == n_classes for value in values):
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


# --- Readings: what could be HiLo's decision --------------------------------------------------------------------------

PAST, ALL, NO_FILTER = "past", "all", "none"
EITHER = "either"
RULES = {
    EITHER: "predicted id 1 of the target's emotion or of the cause",
    "both": "predicted id 1 of the target's emotion and of the cause",
    "target": "predicted id 1 of the target as emotion or as cause",
    "cause": "predicted id 1 of the cause as emotion or as cause",
}


@dataclass(frozen=True)
class Reading:
    """A way to make decisions from the values.

    Attributes:
        layout: A key of the layout.
        pairs: Paths of the pair logits that are summed.
        swapped: Rows are causes and columns targets.
        mask: ``past``, ``all`` or the path of a mask.
        emotion, cause: Paths of the logits or ids whose predicted id 1 keeps a pair; empty without this filter.
        filter: Path of a mask that keeps pairs instead; ``none`` if all are kept; empty with emotion and cause.
        rule: How emotion and cause keep a pair, see ``RULES``.
    """

    layout: str
    pairs: tuple[str, ...]
    swapped: bool = False
    mask: str = PAST
    emotion: tuple[str, ...] = ()
    cause: tuple[str, ...] = ()
    filter: str = ""
    rule: str = EITHER

    def in_words(self) -> dict[str, Any]:
        """As the output files state it."""
        return {
            "dialogues": self.layout,
            "pair_logits": "+".join(self.pairs),
            "rows": "causes" if self.swapped else "targets",
            "mask": self.mask,
            "filter": self.filter or RULES[self.rule],
            "emotion": "+".join(self.emotion) or None,
            "cause": "+".join(self.cause) or None,
        }


@dataclass
class Decisions:
    """What a reading makes of a split.

    Attributes:
        probability: float ``(n_cells,)``, 0 where mask or filter drop the pair.
        mask, kept: bool ``(n_cells,)``: what passes the mask, and what passes the filter.
        emotion, cause: int ``(n_utterances,)``, or None if unknown.
    """

    probability: Any
    mask: Any
    kept: Any
    emotion: Any = None
    cause: Any = None

    @property
    def predicted(self) -> Any:
        """HiLo's own decision, bool ``(n_cells,)``."""
        return self.probability >= 0.5

    def counts(self, split: Split) -> tuple[int, int, int]:
        """True positives, predicted pairs and gold pairs."""
        predicted = self.predicted
        return int((predicted & split.gold).sum()), int(predicted.sum()), int(split.gold.sum())


class Reader:
    """Applies readings to the sources of one layout; what several readings share is computed once."""

    def __init__(self, sources: Sources, split: Split):
        self.sources, self.split = sources, split
        transposed = [cells.T.ravel() for cells in split.matrices(np.arange(split.n_cells))]
        self._transposed = np.concatenate(transposed)
        self._probabilities: dict[tuple[tuple[str, ...], bool], Any] = {}
        self._ids: dict[tuple[str, ...], Any] = {}
        self._chosen: dict[Any, Any] = {}
        self._flags: dict[Any, Any] = {}

    def probability(self, paths: tuple[str, ...], swapped: bool = False) -> Any:
        """Softmax of the sum, second class; values that are probabilities already are taken as they are."""
        if (paths, swapped) not in self._probabilities:
            total = self.sources.pairs[paths[0]]
            for path in paths[1:]:
                total = total + self.sources.pairs[path]
            total = total[self._transposed] if swapped else total
            self._probabilities[paths, swapped] = _second_class(total)
        return self._probabilities[paths, swapped]

    def ids(self, paths: tuple[str, ...]) -> Any:
        """Predicted id of each utterance."""
        if paths not in self._ids:
            values = self.sources.utterances[paths[0]]
            for path in paths[1:]:
                values = values + self.sources.utterances[path]
            self._ids[paths] = values if values.ndim == 1 else values.argmax(-1)
        return self._ids[paths]

    def cells(self, path: str, swapped: bool) -> Any:
        """A mask of pairs."""
        values = self.sources.masks[path]
        return values[self._transposed] if swapped else values

    def mask(self, reading: Reading) -> Any:
        """What passes the mask."""
        if reading.mask == PAST:
            return self.split.past
        if reading.mask == ALL:
            return np.ones(self.split.n_cells, dtype=bool)
        return self.cells(reading.mask, reading.swapped)

    def counts(self, reading: Reading) -> tuple[int, int, int]:
        """True positives, predicted and gold pairs of :meth:`decide`, from the cells before the filter alone."""
        if reading.filter:
            return self.decide(reading).counts(self.split)
        key = (reading.pairs, reading.swapped, reading.mask)
        if key not in self._chosen:
            with np.errstate(invalid="ignore"):
                likely = self.probability(reading.pairs, reading.swapped) >= 0.5
            self._chosen = {key: np.flatnonzero(likely & self.mask(reading))}
            self._flags = {}
        chosen = self._chosen[key]
        kept = self._keep(reading, lambda place: place[chosen], self._flags)
        gold = self.split.gold[chosen]
        return int(np.count_nonzero(kept & gold)), int(np.count_nonzero(kept)), int(self.split.gold.sum())

    def _keep(self, reading: Reading, at: Callable[[Any], Any], flags: dict[Any, Any]) -> Any:
        """What the filter by emotion and cause keeps, of the chosen cells."""
        places = {"target": ("target", "target"), "cause": ("cause", "cause")}.get(reading.rule, ("target", "cause"))
        for key in zip((reading.emotion, reading.cause), places):
            if key not in flags:
                flags[key] = (self.ids(key[0]) == 1)[at(getattr(self.split, key[1]))]
        first, second = flags[reading.emotion, places[0]], flags[reading.cause, places[1]]
        return first & second if reading.rule == "both" else first | second

    def decide(self, reading: Reading) -> Decisions:
        """Decisions of a reading."""
        split = self.split
        mask = self.mask(reading)
        emotion: Any = self.ids(reading.emotion) if reading.emotion else None
        cause: Any = self.ids(reading.cause) if reading.cause else None
        if reading.filter == NO_FILTER:
            kept = np.ones(split.n_cells, dtype=bool)
        elif reading.filter:
            kept = self.cells(reading.filter, reading.swapped)
        else:
            kept = self._keep(reading, lambda place: place, {})
        probability = self.probability(reading.pairs, reading.swapped)
        with np.errstate(invalid="ignore"):
            probability = np.where(mask & kept & ~np.isnan(probability), probability, 0.0)
        return Decisions(probability, mask, kept, emotion, cause)


def _second_class(logits: Any) -> Any:
    """Probability of the second of two classes: ``(n, 2)`` -> ``(n,)``."""
    values = logits.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        known = values[~np.isnan(values).any(-1)]
        if known.size and known.min() >= 0 and np.allclose(known.sum(-1), 1, atol=1e-5):
            return values[:, 1]
        return 1 / (1 + np.exp(values[:, 0] - values[:, 1]))


def _subsets(names: Sequence[str]) -> list[tuple[str, ...]]:
    """Which logits could be summed: all, then fewer."""
    if not names:
        return []
    if len(names) <= _MOST_SUBSETS:
        sizes = range(len(names), 0, -1)
        return [subset for size in sizes for subset in itertools.combinations(names, size)]
    return [tuple(names), *((name,) for name in names)]


def _summands(reader: Reader, split: Split) -> list[str]:
    """Pair logits without those that say the same as one or the sum of others, such as a sum or its softmax."""
    names = list(reader.sources.pairs)
    for name in list(reversed(names)):
        others = [other for other in names if other != name]
        own = reader.probability((name,))
        with np.errstate(invalid="ignore"):
            same = any(
                np.allclose(reader.probability(subset)[split.past], own[split.past], atol=1e-5, equal_nan=True)
                for subset in _subsets(others)
            )
        if same:
            names = others
    return names


def _utterance_choices(reader: Reader) -> list[tuple[str, ...]]:
    """What could be the predicted ids of emotions or causes; each distinct result once."""
    by_width: dict[int, list[str]] = {}
    choices: list[tuple[str, ...]] = []
    seen: set[tuple[bytes, int]] = set()
    for path, values in reader.sources.utterances.items():
        # The same values under another path would count twice in a sum; unknown ones belong to a list of other classes.
        key = (values.tobytes(), values.ndim)
        if key in seen or np.isnan(values).any():
            continue
        seen.add(key)
        if values.ndim == 1:
            choices.append((path,))
        else:
            by_width.setdefault(values.shape[1], []).append(path)
    for names in by_width.values():
        choices += sorted(_subsets(names), key=lambda subset: (len(subset) > 1, -len(subset)))
    distinct: dict[bytes, tuple[str, ...]] = {}
    for choice in choices:
        distinct.setdefault(reader.ids(choice).astype(np.int64).tobytes(), choice)
    return list(distinct.values())


@dataclass(frozen=True)
class Bindings:
    """What the user named by hand; empty where it is looked for.

    Attributes:
        pair_logits, emotion, cause: Paths; several, which are summed, joined by ``+``.
        mask: ``past``, ``all`` or a path.
        filter: ``none`` or a path.
    """

    pair_logits: str = ""
    mask: str = ""
    filter: str = ""
    emotion: str = ""
    cause: str = ""


def levels_of_readings(reader: Reader, layout: str, bindings: Bindings) -> list[Iterator[Reading]]:
    """Readings to try, the documented one first.

    Args:
        reader: The values of one layout.
        layout: Its key.
        bindings: What the user named.

    Returns:
        Levels of readings; one is tried only if none of those before it fits. None if the layout lacks what was named.
    """
    sources = reader.sources
    named = {name: tuple(text.split("+")) if text else () for name, text in vars(bindings).items()}
    if (
        set(named["pair_logits"]) - set(sources.pairs)
        or {*named["emotion"], *named["cause"]} - set(sources.utterances)
        or {bindings.mask, bindings.filter} - {"", PAST, ALL, NO_FILTER} - set(sources.masks)
    ):
        return []
    sums = [named["pair_logits"]] if bindings.pair_logits else _subsets(_summands(reader, reader.split))
    choices = _utterance_choices(reader)
    emotions = [named["emotion"]] if bindings.emotion else choices
    causes = [named["cause"]] if bindings.cause else choices
    both = [(emotion, cause) for emotion in emotions for cause in causes if emotion != cause]
    masks = [bindings.mask or PAST]

    def readings(sums: Sequence[tuple[str, ...]], others: bool) -> Iterator[Reading]:
        """With the documented mask and filter, or with others too."""
        more_masks = [PAST, ALL, *sources.masks] if others and not bindings.mask else masks
        for paths, swapped, mask in itertools.product(sums, (False, True) if others else (False,), more_masks):
            if bindings.filter:
                yield Reading(layout, paths, swapped, mask, named["emotion"], named["cause"], bindings.filter)
                continue
            for rule, (emotion, cause) in itertools.product(RULES if others else (EITHER,), both):
                yield Reading(layout, paths, swapped, mask, emotion, cause, rule=rule)
            for name in (NO_FILTER, *sources.masks) if others else ():
                yield Reading(layout, paths, swapped, mask, filter=name)

    levels = (readings(sums[:1], False), readings(sums[1:], False), readings(sums[:1], True), readings(sums[1:], True))
    return [itertools.islice(level, _MOST_READINGS) for level in levels]


@dataclass
class Match:
    """A reading whose scores are those that HiLo printed.

    Attributes:
        reading: The reading.
        decisions: What it makes of test.
        printed: The printed score.
        counts: True positives, predicted pairs, gold pairs.
        keys: All evidence of its layout.
        remarks: What the user should know.
        emotion_is_sure, cause_is_sure: No other reading that fits has other ids.
    """

    reading: Reading
    decisions: Decisions
    printed: PrintedScore
    counts: tuple[int, int, int]
    keys: list[str]
    remarks: list[str] = field(default_factory=list)
    emotion_is_sure: bool = True
    cause_is_sure: bool = True


@dataclass
class Search:
    """What the search tried.

    Attributes:
        n_readings: How many readings.
        nearest: Those of nearest F1, each with its counts.
        problem: Why none is accepted; empty if one is.
    """

    n_readings: int = 0
    nearest: list[tuple[float, Reading, tuple[int, int, int]]] = field(default_factory=list)
    problem: str = ""

    def note(self, reading: Reading, counts: tuple[int, int, int], printed: Sequence[PrintedScore]) -> None:
        """Counts a reading that does not fit."""
        f1 = _scores(*counts)[2]
        off = min((abs(score.scale * f1 - score.f1) / score.scale for score in printed), default=1.0)
        if len(self.nearest) < 5 or off < self.nearest[-1][0]:
            self.nearest = sorted([*self.nearest, (off, reading, counts)], key=lambda item: item[0])[:5]


# Outputs of the model; then of modules within it; then what softmax, argmax and the like are given.
_PREFIXES = (("output",), ("output", "inner"), ("output", "inner", "call"))


def find_reading(
    steps: Sequence[Mapping[str, Any]],
    split: Split,
    printed: Sequence[PrintedScore],
    bindings: Bindings,
    search: Search,
    confirm: Callable[[Match], bool] | None = None,
) -> Match | None:
    """The reading whose true positives, predictions and gold pairs give a printed score.

    Args:
        steps: What was seen in each step of the pass over test.
        split: Test.
        printed: Scores that HiLo printed after that pass began.
        bindings: What the user named.
        search: Filled with what was tried.
        confirm: Chooses among readings with different decisions, where several fit.

    Returns:
        The match; None if nothing fits, or if readings with different decisions do.
    """
    layouts = find_layouts(steps, split)
    if not layouts:
        search.problem = "no value says which dialogues are in which step"
        return None
    if not printed:
        search.problem = (
            "HiLo printed no precision, recall and F1 above 0 after its last evaluation, so that nothing can be checked"
        )
        return None
    tried: set[Reading] = set()
    for prefixes in _PREFIXES:
        readers = [(layout, Reader(find_sources(steps, layout, split, prefixes), split)) for layout in layouts]
        levels = [
            (layout, reader, levels_of_readings(reader, layout.keys[0], bindings))
            for layout, reader in readers
            if reader.sources.pairs
        ]
        for level in range(4):
            fitting: list[Match] = []
            for layout, reader, found in levels:
                for reading in found[level] if found else ():
                    if reading in tried:
                        continue
                    tried.add(reading)
                    counts = reader.counts(reading)
                    fits = [score for score in printed if score.fits(*counts)]
                    if fits:
                        fitting.append(Match(reading, reader.decide(reading), fits[0], counts, layout.keys))
                    else:
                        search.note(reading, counts, printed)
            search.n_readings = len(tried)
            if fitting:
                return _choose(fitting, search, confirm)
    search.problem = f"none of {len(tried)} ways to read the decisions has a score that HiLo printed for them"
    return None


def _choose(fitting: Sequence[Match], search: Search, confirm: Callable[[Match], bool] | None = None) -> Match | None:
    """The first of the readings that fit, unless another one decides differently."""
    if confirm is not None and len({match.decisions.predicted.tobytes() for match in fitting}) > 1:
        fitting = [match for match in fitting if confirm(match)] or fitting
    first = fitting[0]
    for other in fitting[1:]:
        if not np.array_equal(first.decisions.predicted, other.decisions.predicted):
            search.problem = "several ways to read the decisions, which differ, have the score that HiLo printed"
            search.nearest = [(0.0, match.reading, match.counts) for match in fitting[:5]]
            return None
        if not np.allclose(first.decisions.probability, other.decisions.probability, atol=1e-6):
            first.remarks = [
                f"{'+'.join(other.reading.pairs)} gives the same decisions with other probabilities; "
                f"{'+'.join(first.reading.pairs)} was taken"
            ]
        first.emotion_is_sure &= np.array_equal(first.decisions.emotion, other.decisions.emotion)
        first.cause_is_sure &= np.array_equal(first.decisions.cause, other.decisions.cause)
    return first


def read_again(steps: Sequence[Mapping[str, Any]], split: Split, match: Match) -> Decisions | None:
    """Applies a reading to another pass, by the same evidence; None where a value is missing."""
    reading = match.reading
    layouts = [layout for layout in find_layouts(steps, split) if set(layout.keys) & set(match.keys)]
    for layout in sorted(layouts, key=lambda layout: -len(set(layout.keys) & set(match.keys))):
        reader = Reader(find_sources(steps, layout, split, _PREFIXES[-1]), split)
        known = {*reader.sources.pairs, *reader.sources.utterances, *reader.sources.masks}
        named = {*reading.pairs, *reading.emotion, *reading.cause, reading.mask, reading.filter}
        if named - {PAST, ALL, NO_FILTER, ""} <= known:
            return reader.decide(reading)
    return None


# --- Watching HiLo ----------------------------------------------------------------------------------------------------


class Tee:
    """Passes on what is printed, and keeps it."""

    def __init__(self, stream: Any, kept: list[str]):
        self.beneath, self._kept = stream, kept

    def write(self, text: str) -> int:
        """Writes and keeps."""
        self._kept.append(str(text))
        self.beneath.write(text)
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.beneath, name)


@dataclass
class Call:
    """A call of a model, not from within another module.

    Attributes:
        module: The model.
        arguments, keywords: Copies of what it got, on the CPU.
        root: Path of its output.
    """

    module: Any
    arguments: Any
    keywords: Any
    root: str


@dataclass
class Pass:
    """An iteration over a data loader.

    Attributes:
        loader: The loader, kept so that its identity stays its own.
        text_start, text_end: Pieces of printed text when it began, and when the next one did.
        where: Functions of the clone that were running, innermost first.
        caller: What could be called again to repeat it: function and arguments.
        steps: What was seen: arrays by path.
        calls: Calls of models, by step.
        is_training: Whether a model was trained in it.
        complete: Whether it went to the loader's end.
        weights: Sums of the model's parameters at its end.
    """

    loader: Any
    text_start: int
    where: list[str]
    caller: tuple[Callable[..., Any], dict[str, Any]] | None
    steps: list[dict[str, Any]] = field(default_factory=list)
    calls: list[list[Call]] = field(default_factory=list)
    is_training: bool = False
    complete: bool = False
    weights: tuple[float, ...] = ()
    text_end: int | None = None

    @property
    def dataset(self) -> Any:
        """What the loader reads."""
        return getattr(self.loader, "dataset", self.loader)


class Recorder:
    """Notes what passes through data loaders, modules and functions of torch during evaluation.

    Attributes:
        text: What HiLo printed, in pieces.
        passes: The last complete pass of each data set that was evaluated, oldest first.
        seen: Every pass in one line each, for the inspection file.
        after_pass: Called with an evaluation's pass when the next pass begins, hence when its score is printed.
    """

    def __init__(self, torch: Any, clone: Path):
        self.torch, self.clone = torch, clone
        self.text: list[str] = []
        self.passes: list[Pass] = []
        self.seen: list[str] = []
        self.trained_in: set[Any] = set()
        self.after_pass: Callable[[Pass], None] | None = None
        self._pass: Pass | None = None
        self._step: dict[str, Any] | None = None
        self._depth = 0
        self._copying = False
        self._names: dict[int, str] = {}
        self._counts: collections.Counter[str] = collections.Counter()

    # Data loaders

    def iterate(self, loader: Any, batches: Any) -> Any:
        """Stands in for a loader's iterator."""
        return _Batches(self, loader, batches)

    def begin(self, loader: Any) -> Pass:
        """A pass begins."""
        where, caller = self._running()
        if self.passes and self.passes[-1].text_end is None:
            self.passes[-1].text_end = len(self.text)
            if self.after_pass is not None:
                self.after_pass(self.passes[-1])
        self._pass = Pass(loader, len(self.text), where, caller)
        return self._pass

    def step(self, current: Pass, batch: Any) -> None:
        """The loader gives a batch."""
        if current.is_training or current is not self._pass:
            self._step = None
            return
        self._step = {}
        self._counts.clear()
        current.steps.append(self._step)
        current.calls.append([])
        self._keep(batch, "batch")

    def end(self, current: Pass) -> None:
        """The loader is exhausted."""
        self._step = None
        kind = "training" if current.is_training else "evaluation"
        self.seen.append(f"{kind}: {len(current.steps) or 'several'} steps, in {' < '.join(current.where) or '?'}")
        if current.is_training or current is not self._pass or not any(current.calls):
            return
        current.complete = True
        current.weights = self.weights_of(current)
        others = [other for other in self.passes if other.dataset is not current.dataset]
        self.passes = [*others[-5:], current]

    def weights_of(self, current: Pass) -> tuple[float, ...]:
        """Sums that differ when the weights of the models of a pass do."""
        modules = {id(call.module): call.module for calls in current.calls for call in calls}
        tensors = [value for module in modules.values() for value in module.state_dict().values()]
        with self.torch.no_grad():
            return tuple(
                float(part)
                for value in tensors
                if hasattr(value, "double")
                for part in (value.double().sum(), value.double().abs().sum())
            )

    def _running(self) -> tuple[list[str], tuple[Callable[..., Any], dict[str, Any]] | None]:
        """Functions of the clone on the stack, and the innermost one that could be called again."""
        where: list[str] = []
        caller = None
        frame: Any = sys._getframe(1)
        while frame is not None:
            code = frame.f_code
            name = Path(code.co_filename)
            inside = self.clone in name.parents or (not name.is_absolute() and (self.clone / name).is_file())
            if inside and not code.co_name.startswith("<"):
                owner = frame.f_locals.get("self")
                where.append(f"{type(owner).__name__}.{code.co_name}" if owner is not None else code.co_name)
                if caller is None and not code.co_flags & 0x20:  # not a generator
                    function = getattr(owner, code.co_name, None) if owner is not None else None
                    function = function or frame.f_globals.get(code.co_name)
                    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
                    given = {key: frame.f_locals[key] for key in names if key != "self" and key in frame.f_locals}
                    caller = (function, given) if callable(function) else None
            frame = frame.f_back
        return where, caller

    # Modules and functions

    def call_module(self, original: Callable[..., Any], module: Any, arguments: Any, keywords: Any) -> Any:
        """Stands in for the call of a module."""
        step, current = self._step, self._pass
        if step is None or current is None or self._copying:
            return original(module, *arguments, **keywords)
        outermost, call = self._depth == 0, None
        if outermost and any(True for _ in module.parameters()):
            if module.training and self.torch.is_grad_enabled():
                self._is_training(current)
                return original(module, *arguments, **keywords)
            self._names.update({id(part): name for name, part in module.named_modules()})
            self._counts["output"] += 1
            root = "output" if self._counts["output"] == 1 else f"output@{self._counts['output']}"
            suffix = root[len("output") :]
            call = Call(module, self._copied(arguments), self._copied(keywords), root)
            current.calls[-1].append(call)
            self._keep(arguments, f"input{suffix}")
            self._keep(keywords, f"input{suffix}")
        self._depth += 1
        try:
            result = original(module, *arguments, **keywords)
        finally:
            self._depth -= 1
        if call is not None:
            self._keep(result, call.root)
        elif id(module) in self._names:
            self._keep_inner(result, f"inner:{self._names[id(module)]}")
        return result

    def call_function(self, name: str, original: Callable[..., Any], arguments: Any, keywords: Any) -> Any:
        """Stands in for softmax, argmax and the like, whose first argument may be the summed logits."""
        value = arguments[0] if arguments else keywords.get("input")
        if self._step is not None and not self._copying and getattr(value, "ndim", 0) >= 2 and value.shape[-1] == 2:
            self._keep_inner(value, f"call:{name}")
        return original(*arguments, **keywords)

    def _copied(self, value: Any) -> Any:
        self._copying = True
        try:
            return _copied(value)
        finally:
            self._copying = False

    def _is_training(self, current: Pass) -> None:
        current.is_training = True
        if current.caller is not None:
            self.trained_in.add(getattr(current.caller[0], "__code__", None))
        current.steps.clear()
        current.calls.clear()
        self._step = None

    def _keep(self, value: Any, path: str, wanted: Callable[[tuple[int, ...]], bool] = _no_features) -> None:
        self._copying = True
        try:
            for name, leaf in itertools.islice(leaves(value, path, wanted), _MOST_LEAVES):
                if self._step is not None:
                    self._step.setdefault(name, leaf)
        finally:
            self._copying = False

    def _keep_inner(self, value: Any, path: str) -> None:
        self._counts[path] += 1
        self._keep(value, path if self._counts[path] == 1 else f"{path}@{self._counts[path]}", _like_logits)

    # Repeating

    def repeat(self, current: Pass) -> Pass | None:
        """Gives the models of a pass the same inputs again, in evaluation and with the weights that they have now.

        Args:
            current: A complete pass.

        Returns:
            A pass with the new outputs; None if a step calls several models, whose inputs come from each other.
        """
        if any(len(calls) != 1 for calls in current.calls):
            return None
        again = Pass(current.loader, len(self.text), current.where, None)
        for old, (call,) in zip(current.steps, current.calls):
            step = {path: value for path, value in old.items() if path.startswith(("batch", "input"))}
            arguments, keywords = _copied((call.arguments, call.keywords), True)
            was_training = call.module.training
            call.module.eval()
            again.steps.append(step)
            again.calls.append([call])
            self._pass, self._step = again, step
            self._counts.clear()
            try:
                with self.torch.no_grad():
                    call.module(*arguments, **keywords)
            finally:
                self._step = None
                call.module.train(was_training)
        again.complete = True
        return again

    def repeat_by_caller(self, current: Pass) -> Pass | None:
        """Calls the clone's own function of a pass again; None if that function also trains, or is not known."""
        if current.caller is None or getattr(current.caller[0], "__code__", None) in self.trained_in:
            return None
        function, arguments = current.caller
        with self.torch.no_grad():
            function(**arguments)
        again = [other for other in self.passes if other is not current and other.loader is current.loader]
        return again[-1] if again else None


class _Batches:
    """An iterator of a loader, noted."""

    def __init__(self, recorder: Recorder, loader: Any, batches: Any):
        self._recorder, self._batches = recorder, batches
        self._pass = recorder.begin(loader)

    def __iter__(self) -> _Batches:
        return self

    def __len__(self) -> int:
        return len(self._batches)

    def __next__(self) -> Any:
        try:
            batch = next(self._batches)
        except StopIteration:
            self._recorder.end(self._pass)
            raise
        self._recorder.step(self._pass, batch)
        return batch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batches, name)


@dataclass
class _OnDevice:
    """A tensor on the CPU and where it was."""

    tensor: Any
    device: Any


def _copied(value: Any, back: bool = False) -> Any:
    """Copies the tensors of nested arguments to the CPU, or back to where they were; other objects stay the same."""
    if back and isinstance(value, _OnDevice):
        return value.tensor.to(value.device, copy=True)
    if hasattr(value, "detach") and hasattr(value, "device"):
        return _OnDevice(value.detach().to("cpu", copy=True), value.device)
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, tuple):
        parts = [_copied(part, back) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    if isinstance(value, list):
        return [_copied(part, back) for part in value]
    if isinstance(value, collections.abc.MutableMapping):
        try:
            return _filled(value, {key: _copied(part, back) for key, part in value.items()})
        except (TypeError, AttributeError, KeyError):
            return value
    return value


def _filled(value: Any, parts: Mapping[Any, Any]) -> Any:
    """A mapping of the same kind with other values."""
    if type(value) is dict:
        return dict(parts)
    other = copy.copy(value)
    for key, part in parts.items():
        other[key] = part
    return other


_FUNCTIONS = ("softmax", "log_softmax", "argmax", "max", "topk", "cross_entropy")


@contextlib.contextmanager
def watching(recorder: Recorder) -> Iterator[None]:
    """Puts the recorder between HiLo and torch, and takes it away again."""
    torch = recorder.torch
    replaced: list[tuple[Any, str, Any]] = []

    def replace(owner: Any, name: str, value: Any) -> None:
        replaced.append((owner, name, owner.__dict__[name] if name in vars(owner) else None))
        setattr(owner, name, value)

    call = torch.nn.Module.__call__
    loader = torch.utils.data.DataLoader
    iterate = loader.__iter__

    def call_module(self: Any, *arguments: Any, **keywords: Any) -> Any:
        return recorder.call_module(call, self, arguments, keywords)

    def iterate_noted(self: Any) -> Any:
        return recorder.iterate(self, iterate(self))

    def noted(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def function(*arguments: Any, **keywords: Any) -> Any:
            return recorder.call_function(name, original, arguments, keywords)

        return function

    replace(torch.nn.Module, "__call__", call_module)
    replace(loader, "__iter__", iterate_noted)
    for owner in (torch, torch.Tensor, torch.nn.functional):
        for name in _FUNCTIONS:
            if hasattr(owner, name):
                replace(owner, name, noted(name, getattr(owner, name)))
    try:
        yield
    finally:
        for owner, name, value in reversed(replaced):
            if value is None:
                delattr(owner, name)
            else:
                setattr(owner, name, value)


@contextlib.contextmanager
def inside_clone(clone: Path, arguments: Sequence[str], text: list[str]) -> Iterator[None]:
    """The folder, the import path, the command line and the output that HiLo's own start would have.

    ``collections`` gets its old names of abstract classes back, which attrdict imports.
    """
    before = (Path.cwd(), list(sys.path), list(sys.argv), sys.stdout, sys.stderr)
    own_folder = Path(__file__).resolve().parent
    # Modules beside this file must not hide those of the clone.
    sys.path[:] = [str(clone)] + [path for path in sys.path if Path(path or ".").resolve() != own_folder]
    sys.argv[:] = [str(clone / "main.py"), *arguments]
    sys.stdout, sys.stderr = Tee(sys.stdout, text), Tee(sys.stderr, text)
    for name in collections.abc.__all__:
        if not hasattr(collections, name):
            setattr(collections, name, getattr(collections.abc, name))
    os.chdir(str(clone))
    try:
        yield
    finally:
        os.chdir(str(before[0]))
        sys.path[:], sys.argv[:] = before[1], before[2]
        sys.stdout, sys.stderr = before[3], before[4]


# --- The command ------------------------------------------------------------------------------------------------------


def say(message: str) -> None:
    """Prints a line of progress."""
    stream: Any = sys.stderr
    # What this program prints is not what HiLo printed.
    print(f"launch_hilo: {message}", file=stream.beneath if isinstance(stream, Tee) else stream, flush=True)


def assign(passes: Sequence[Pass], splits: Mapping[str, Split]) -> dict[str, Pass]:
    """Which pass was over which file.

    Args:
        passes: Complete passes, oldest first.
        splits: The files.

    Returns:
        The last pass over each; where a pass fits both, for they have dialogues of the same lengths, the last one is
        that over test.
    """
    found: dict[str, Pass] = {}
    for name in ("test", "validation"):
        for current in reversed(passes):
            taken = any(current is other or current.dataset is other.dataset for other in found.values())
            if not taken and find_layouts(current.steps, splits[name]):
                found[name] = current
                break
    return found


def same_weights(first: tuple[float, ...], second: tuple[float, ...]) -> bool:
    """Whether two sums of weights are equal, up to the order of summation."""
    return len(first) == len(second) and np.allclose(first, second, rtol=1e-9, atol=0, equal_nan=True)


def same_outputs(first: Pass, second: Pass) -> bool:
    """Whether two passes gave the same outputs, up to what a GPU may change."""
    return len(first.steps) == len(second.steps) and all(
        path in new and np.shape(new[path]) == np.shape(value) and np.allclose(new[path], value, 1e-3, 1e-4, True)
        for old, new in zip(first.steps, second.steps)
        for path, value in old.items()
        if path.startswith("output") and isinstance(value, np.ndarray) and value.dtype.kind in "biuf"
    )


def split_record(split: Split, decisions: Decisions, match: Match, printed: PrintedScore | None) -> dict[str, Any]:
    """What is written of a split.

    Args:
        split: The split.
        decisions: Its decisions.
        match: The reading that made them.
        printed: The score that HiLo printed for them, or None.

    Returns:
        ``scored`` is 1 where a pair passes mask and filter, ``filtered`` where it passes the mask but not the filter.
    """
    parts = {
        "probability": split.matrices(decisions.probability),
        "decision": split.matrices(decisions.predicted.astype(int)),
        "scored": split.matrices((decisions.mask & decisions.kept).astype(int)),
        "filtered": split.matrices((decisions.mask & ~decisions.kept).astype(int)),
    }
    ends = np.cumsum(split.lengths)[:-1]
    for name, ids, sure in (
        ("emotion", decisions.emotion, match.emotion_is_sure),
        ("cause", decisions.cause, match.cause_is_sure),
    ):
        if ids is not None and sure:
            parts[name] = np.split(ids, ends)
    return {
        "format": 1,
        "peer": "hilo",
        "split": split.name,
        "printed": None
        if printed is None
        else {"precision": printed.precision, "recall": printed.recall, "f1": printed.f1, "scale": printed.scale},
        "reading": match.reading.in_words(),
        "remarks": match.remarks,
        "dialogues": [
            {"id": dialogue.id, **{name: values[number].tolist() for name, values in parts.items()}}
            for number, dialogue in enumerate(split.dialogues)
        ],
    }


def inspection(recorder: Recorder, passes: Mapping[str, Pass], search: Search, printed: Sequence[PrintedScore]) -> Any:
    """What the user needs to name values by hand: names, shapes and types, and the scores; no text of dialogues."""

    def described(value: Any) -> Any:
        if isinstance(value, list):
            return {"lists": len(value), "dtype": str(value[0].dtype)}
        return {"shape": list(value.shape), "dtype": str(value.dtype)}

    def names_of(current: Pass) -> list[str]:
        return sorted({type(call.module).__name__ for calls in current.calls for call in calls})

    names = {id(current): name for name, current in passes.items()}
    return {
        "format": 1,
        "peer": "hilo",
        "problem": search.problem,
        "printed": [
            {"precision": score.precision, "recall": score.recall, "f1": score.f1, "scale": score.scale}
            for score in printed
        ],
        "readings_tried": search.n_readings,
        "nearest": [
            {**reading.in_words(), "true_positives": counts[0], "predicted": counts[1], "gold": counts[2]}
            for _, reading, counts in search.nearest
        ],
        "passes": [
            {
                "split": names.get(id(current)),
                "steps": len(current.steps),
                "functions": current.where,
                "models": names_of(current),
                "values": {
                    path: [described(current.steps[0][path]), described(current.steps[-1][path])]
                    for path in common_paths(current.steps, ("",))
                },
            }
            for current in recorder.passes
        ],
        "all_passes": recorder.seen[-50:],
    }


def write_json(path: Path, content: Any) -> None:
    """Writes a file whole, or not at all."""
    part = path.with_name(path.name + ".part")
    with open(str(part), "w", encoding="utf-8") as file:
        json.dump(content, file, allow_nan=False)
    os.replace(str(part), str(path))  # noqa: PTH105  # as the rest of this file, for old Python
    say(f"wrote {path}")


BY_HAND = (
    "Name the right values with --pair-logits, --mask, --filter, --emotion and --cause, by the paths of that file, "
    "such as --pair-logits output.first+output.second, and start again; or give the score that you saw with --printed."
)


def run_clone(clone: Path, arguments: Sequence[str], recorder: Recorder) -> None:
    """Runs HiLo's own entry to its end.

    Raises:
        LaunchError: It stopped with an error.
    """
    try:
        runpy.run_path(str(clone / "main.py"), run_name="__main__")
    except SystemExit as end:
        if end.code not in (None, 0):
            raise LaunchError(f"HiLo stopped with exit code {end.code}; nothing was written.") from None
    except Exception as error:
        raise LaunchError(
            f"HiLo itself stopped with {type(error).__name__}, shown above; nothing was written. "
            "Its known defects, and what to do about them, are in the HOWTO.md of the export."
        ) from error


def bindings_of(options: argparse.Namespace) -> Bindings:
    """What the user named by hand."""
    return Bindings(options.pair_logits, options.mask, options.filter, options.emotion, options.cause)


def look_early(recorder: Recorder, splits: Mapping[str, Split], options: argparse.Namespace) -> Callable[[Pass], None]:
    """Says after the first evaluations whether predictions will be found, so that no long training is in vain."""
    left = [3]

    def look(current: Pass) -> None:
        scores = printed_scores("".join(recorder.text[current.text_start : current.text_end]))
        names = [name for name in splits if find_layouts(current.steps, splits[name])]
        if left[0] <= 0 or not scores or not names:
            return
        search = Search()
        if find_reading(current.steps, splits[names[0]], scores, bindings_of(options), search) is not None:
            left[0] = 0
            say(f"the decisions on {names[0]} give the score that HiLo printed for them; predictions will be written")
            return
        left[0] -= 1
        file = Path(options.output_dir) / INSPECTION_FILE
        write_json(file, inspection(recorder, {names[0]: current}, search, scores))
        say(f"warning: so far, predictions would not be written: {search.problem}. See {file}. {BY_HAND}")

    def careful(current: Pass) -> None:
        try:
            look(current)
        except Exception as error:
            # HiLo's training is worth more than an early word about it.
            left[0] = 0
            say(f"note: the early check failed ({type(error).__name__}: {error}); HiLo goes on")

    return careful


def finish(recorder: Recorder, splits: Mapping[str, Split], options: argparse.Namespace) -> None:
    """Finds the reading and writes test and validation.

    Raises:
        LaunchError: No reading fits the printed score, or validation cannot be repeated; see the inspection file.
    """
    folder = Path(options.output_dir)
    passes = assign(recorder.passes, splits)
    search = Search()
    printed: list[PrintedScore] = []
    bindings = bindings_of(options)

    def refuse(problem: str) -> LaunchError:
        search.problem = problem
        write_json(folder / INSPECTION_FILE, inspection(recorder, passes, search, printed))
        return LaunchError(f"{problem}. No predictions were written; see {folder / INSPECTION_FILE}. {BY_HAND}")

    if "test" not in passes:
        lengths = splits["test"].lengths
        raise refuse(
            f"no data loader was iterated in evaluation over the {len(lengths)} dialogues ({sum(lengths)} utterances) "
            "of test.txt, or no value tells which dialogue is where"
        )
    test = passes["test"]
    if options.printed:
        text = " ".join(options.printed)
        printed = printed_scores(text)
        if not printed:
            raise refuse(f"--printed {text}: the third number is not the F1 of the first two")
    else:
        printed = printed_scores("".join(recorder.text[test.text_start :]))

    def confirm(match: Match) -> bool:
        """Whether a reading also gives the score that was printed in the last evaluation of validation."""
        old = passes.get("validation")
        decisions = read_again(old.steps, splits["validation"], match) if old is not None else None
        if old is None or decisions is None:
            return False
        scores = printed_scores("".join(recorder.text[old.text_start : old.text_end]))
        return any(score.fits(*decisions.counts(splits["validation"])) for score in scores)

    match = find_reading(test.steps, splits["test"], printed, bindings, search, confirm)
    if match is None:
        raise refuse(search.problem)
    true_positives, predicted, gold = match.counts
    say(
        f"test: {predicted} pairs predicted, {true_positives} of them among {gold} gold pairs: precision, recall and "
        f"F1 are those that HiLo printed ({match.printed.precision:g} {match.printed.recall:g} {match.printed.f1:g})"
    )
    for name, value in match.reading.in_words().items():
        say(f"  {name}: {value}")
    for remark in match.remarks:
        say(f"note: {remark}")
    records = {"test": split_record(splits["test"], match.decisions, match, match.printed)}
    problem = ""
    if "validation" in passes:
        found, problem = validation_decisions(recorder, passes, splits["validation"], splits["test"], match)
        if found is not None:
            records["validation"] = split_record(splits["validation"], *found)
    else:
        problem = "no data loader was iterated in evaluation over the dialogues of valid.txt"
    if (folder / INSPECTION_FILE).exists():
        (folder / INSPECTION_FILE).unlink()
    for name, record in records.items():
        write_json(folder / f"hilo_{name}.json", record)
    if problem:
        write_json(folder / INSPECTION_FILE, inspection(recorder, passes, search, printed))
        raise LaunchError(f"Test was written, validation was not: {problem}. See {folder / INSPECTION_FILE}.")


def validation_decisions(
    recorder: Recorder, passes: Mapping[str, Pass], split: Split, test_split: Split, match: Match
) -> tuple[tuple[Decisions, Match, PrintedScore | None] | None, str]:
    """Decisions on validation with the weights of the final evaluation.

    Args:
        recorder: What was seen.
        passes: The last passes over test and validation.
        split: Validation.
        test_split: Test.
        match: The reading that fits test.

    Returns:
        Decisions, reading and, where HiLo evaluated validation with these weights, its printed score; or None and why.
    """
    old, test = passes["validation"], passes["test"]
    alike = bool(find_layouts(old.steps, test_split))
    earlier = read_again(old.steps, split, match)
    if earlier is None:
        return None, "what gave test's decisions is not there for validation"
    counts = earlier.counts(split)
    at_once = printed_scores("".join(recorder.text[old.text_start : old.text_end]))
    # It may also be printed later, such as after test.
    later = printed_scores("".join(recorder.text[old.text_start :]))
    known = [score for score in [*at_once, *later] if score.fits(*counts)]
    if known:
        say("validation: the same reading gives the score that HiLo printed in its last evaluation of validation")
    elif any(score.could_be_of(counts[2]) for score in at_once):
        return None, (
            "HiLo printed a score in its last evaluation of validation that is not that of the decisions, if they are "
            "read there as on test"
        )
    elif alike:
        return None, "test.txt has dialogues of the same lengths, and no printed score tells which split it is"
    else:
        say("validation: HiLo printed no score that could confirm the reading there")
    if same_weights(old.weights, test.weights):
        return (earlier, match, known[0] if known else None), ""
    if not same_weights(recorder.weights_of(test), test.weights):
        return None, "HiLo changed the weights after its final evaluation"
    say("evaluating validation again with the weights of the final evaluation")
    test_again, new = recorder.repeat(test), recorder.repeat(old)
    printed: list[PrintedScore] = []
    if test_again is None or new is None or not same_outputs(test, test_again):
        # A step calls several models, whose inputs come from each other, or the evaluation is random.
        start = len(recorder.text)
        new = recorder.repeat_by_caller(old)
        printed = printed_scores("".join(recorder.text[start:]))
        if new is None:
            return None, "the models did not repeat their outputs for test, and no function can be called again instead"
    found = read_again(new.steps, split, match)
    if found is None:
        return None, "what gave test's decisions is not there when validation is evaluated again"
    counts = found.counts(split)
    known = [score for score in printed if score.fits(*counts)]
    if not known and any(score.could_be_of(counts[2]) for score in printed):
        return None, "evaluated again, validation has another score than that of the decisions that are read there"
    return (found, match, known[0] if known else None), ""


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Options of this program; what follows ``--`` is HiLo's own."""
    parser = argparse.ArgumentParser(
        prog="launch_hilo.py",
        description=(__doc__ or "").split("\n")[0],
        epilog="What follows -- is passed on to the clone's main.py.",
    )
    parser.add_argument("--clone", required=True, help="folder of the unchanged clone, with main.py and the data")
    parser.add_argument("--output-dir", required=True, help="folder for hilo_test.json and hilo_validation.json")
    parser.add_argument("--pair-logits", default="", help="paths of the pair logits, joined by +, if not found")
    parser.add_argument("--mask", default="", help="past (the cause is not after its target), all, or a path")
    parser.add_argument("--filter", default="", help="none, or the path of a mask that keeps pairs")
    parser.add_argument("--emotion", default="", help="path of the emotion logits or ids that the filter uses")
    parser.add_argument("--cause", default="", help="path of the cause logits or ids that the filter uses")
    parser.add_argument("--printed", nargs=3, metavar=("P", "R", "F1"), help="the printed test score, if not found")
    parser.add_argument("--keep-cache", action="store_true", help="use data/preprocessed of the clone as it is")
    given = list(sys.argv[1:] if arguments is None else arguments)
    own, rest = (given[: given.index("--")], given[given.index("--") + 1 :]) if "--" in given else (given, [])
    options = parser.parse_args(own)
    options.rest = rest
    return options


def check_places(options: argparse.Namespace) -> tuple[Path, Path]:
    """Clone and output folder, both absolute.

    Raises:
        LaunchError: The clone lacks a file, holds an old cache, or the output folder holds predictions already.
    """
    clone, folder = Path(options.clone).resolve(), Path(options.output_dir).resolve()
    for name in ("main.py", "src/trainer.py", "data/dataset"):
        if not (clone / name).exists():
            raise LaunchError(f"--clone {options.clone}: expected a clone of HiLo with {name}, found none.")
    caches = sorted(path.name for path in (clone / "data" / "preprocessed").glob("*.pkl"))
    if caches and not options.keep_cache:
        raise LaunchError(
            f"{clone / 'data' / 'preprocessed'} holds {', '.join(caches)}, which HiLo would use whatever the data are. "
            "Delete it, or give --keep-cache if it was made from the data that are there now."
        )
    for split in SPLIT_FILES:
        file = folder / f"hilo_{split}.json"
        if file.exists():
            raise LaunchError(f"{file} exists already. Choose another --output-dir or delete it.")
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / INSPECTION_FILE).exists():
        (folder / INSPECTION_FILE).unlink()
    return clone, folder


def launch(options: argparse.Namespace) -> None:
    """Runs HiLo and writes its predictions.

    Raises:
        LaunchError: What the user must know or do.
    """
    clone, folder = check_places(options)
    options.output_dir = str(folder)
    splits = {
        name: Split(name, read_dialogues(clone / "data" / "dataset" / file)) for name, file in SPLIT_FILES.items()
    }
    try:
        import torch
        import torch.utils.data
    except ImportError:
        raise LaunchError("torch is not installed here. Start this in the environment of the clone.") from None
    for name, split in splits.items():
        say(f"{name}: {len(split.lengths)} dialogues, {sum(split.lengths)} utterances, {int(split.gold.sum())} pairs")
    recorder = Recorder(torch, clone)
    recorder.after_pass = look_early(recorder, splits, options)
    started = time.time()
    with inside_clone(clone, options.rest, recorder.text), watching(recorder):
        run_clone(clone, options.rest, recorder)
        recorder.after_pass = None
        say(f"HiLo ended after {time.time() - started:.0f} s; looking for its decisions")
        finish(recorder, splits, options)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; the exit code is 1 where predictions are missing."""
    try:
        launch(parse_arguments(arguments))
    except LaunchError as error:
        if error.__cause__ is not None:
            import traceback

            traceback.print_exception(type(error.__cause__), error.__cause__, error.__cause__.__traceback__)
        say(f"error: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
