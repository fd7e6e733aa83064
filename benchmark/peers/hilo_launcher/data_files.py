# ruff: noqa: B905  # Python 3.8, which HiLo's environment has, knows no zip(strict=...)
"""HiLo's own data files: dialogues with their numbers of turns and pairs; no text is kept."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["SPLIT_FILES", "Dialogue", "LaunchError", "Split", "read_dialogues"]

SPLIT_FILES = {"validation": "valid.txt", "test": "test.txt"}


class LaunchError(Exception):
    """What the user must know or do; the launcher imports nothing of the package, so it has its own class."""


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
