"""Shows the states of all cells while they run: a redrawn table on a terminal, otherwise one line per change."""

from __future__ import annotations

import shutil
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from iemomecp_dataset.benchmark.matrix.plan import PlannedCell, State
from iemomecp_dataset.files import parse_json

__all__ = ["CellState", "StateTable", "epochs_done"]


@dataclass(frozen=True)
class CellState:
    """The state of a cell, with details in words."""

    state: State
    words: str = ""


class StateTable:
    """Shows the state of every cell.

    Args:
        planned: The cells, in the order of the table.
        stream: Output; by default standard error, as standard output is for results.
        live: Redraw the table; by default if the stream is a terminal.
    """

    def __init__(self, planned: Sequence[PlannedCell], stream: TextIO | None = None, live: bool | None = None):
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty() if live is None else live
        self._states = {entry.cell.name: CellState(entry.state, entry.reason) for entry in planned}
        self._drawn = 0
        self._next = 0.0
        if not self._live:
            for name, state in self._states.items():
                self._line(name, state)

    @property
    def states(self) -> Mapping[str, CellState]:
        """The state of each cell."""
        return self._states

    @property
    def summary(self) -> str:
        """How many cells are in each state."""
        counts = Counter(cell.state for cell in self._states.values())
        words = ", ".join(f"{counts[state]} {state}" for state in State if counts[state])
        return f"{len(self._states)} cell{'s' * (len(self._states) != 1)}: {words}"

    def count(self) -> None:
        """Prints the counts; the redrawn table has them always."""
        if not self._live:
            self._stream.write(f"{self.summary}\n")
            self._stream.flush()

    def set(self, name: str, state: State, words: str = "") -> None:
        """Records a change and shows it."""
        new, old = CellState(state, words), self._states[name]
        self._states[name] = new
        if not self._live and new.state != old.state:
            self._line(name, new)
        elif self._live:
            self.draw(at_once=new.state != old.state)

    def draw(self, *, at_once: bool = False) -> None:
        """Draws the table again, at most twice a second unless ``at_once``."""
        if not self._live or (time.monotonic() < self._next and not at_once):
            return
        self._next = time.monotonic() + 0.5
        columns, rows = shutil.get_terminal_size()
        lines = self._lines(max(3, rows - 2))
        text = "".join(f"{line[: columns - 1]}\x1b[K\n" for line in lines)
        self._stream.write((f"\x1b[{self._drawn}A\x1b[J" if self._drawn else "") + text)
        self._stream.flush()
        self._drawn = len(lines)

    def say(self, *lines: str) -> None:
        """Prints lines that stay, above the table."""
        if self._live and self._drawn:
            self._stream.write(f"\x1b[{self._drawn}A\x1b[J")
            self._drawn = 0
        self._stream.write("".join(f"{line}\n" for line in lines))
        self._stream.flush()
        self.draw(at_once=True)

    def _lines(self, room: int) -> list[str]:
        width = max(map(len, self._states))
        lines = [f"{name:<{width}}  {cell.state:<15} {cell.words}".rstrip() for name, cell in self._states.items()]
        if len(lines) > room:
            # Running cells first; the counts below cover the rest.
            running = [i for i, cell in enumerate(self._states.values()) if cell.state is State.RUNNING]
            shown = running[:room] or list(range(room))
            lines = [lines[i] for i in shown] + [f"... {len(lines) - len(shown)} more"]
        return [*lines, self.summary]

    def _line(self, name: str, cell: CellState) -> None:
        self._stream.write(f"{name}: {cell.state}{f' ({cell.words})' if cell.words else ''}\n")
        self._stream.flush()


def epochs_done(run_folder: Path) -> int:
    """Counts the epochs that a run has logged.

    Args:
        run_folder: Its folder; it may be missing.

    Returns:
        The highest epoch in ``log.jsonl``; 0 if there is none.
    """
    path = run_folder / "log.jsonl"
    if not path.is_file():  # a pipe would be waited for
        return 0
    try:
        lines = path.read_bytes().split(b"\n")[-6:]  # the last one is empty, or still being written
    except OSError:
        return 0
    epochs = [0]
    for line in lines:
        try:
            event = parse_json(line.decode("utf-8"), str(path))
        except ValueError:  # also one that is not UTF-8
            continue
        if isinstance(event, dict) and type(event.get("epoch")) is int:
            epochs.append(event["epoch"])
    return max(epochs)
