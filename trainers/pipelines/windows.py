"""Windows over conversations that are longer than those a model was trained on, and their pairs put together again.

A window of ``span`` turns begins every ``step`` turns, with ``span = reach + step - 1``: every pair whose turns are
fewer than ``reach`` apart lies within some window, wherever the windows' edges fall. A pair that lies in several is
taken from the one in which the turn nearer to an edge is farthest from it. The ends of the conversation are no edges:
nothing is cut off there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.candidates import CandidateSpace
from iemomecp_dataset.errors import UsageError

__all__ = ["MAX_WHOLE", "Reading", "Stitched", "Window", "n_candidates", "reading", "separate_reading"]

MAX_WHOLE = 1024
"""Turns that are read at once at most: a million pairs take some gigabytes."""

_STEPS = 8
"""A window begins every eighth of the reach: the model then reads each turn about eight times."""

_NO_EDGE = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Window:
    """Turns ``start`` to ``stop`` (without), counted from 0, of a conversation of ``turns``.

    ``pairs_until`` bounds what is scored here where each pair is scored in one window alone: the earlier turn of a
    pair is before it. None: all pairs of the window.
    """

    start: int
    stop: int
    turns: int
    pairs_until: int | None = None

    def __len__(self) -> int:
        return self.stop - self.start

    def margins(self) -> NDArray[np.int64]:
        """``(len,)`` turns between each turn and the nearer edge of the window.

        Example:
            >>> Window(0, 4, 4).margins().tolist() == [_NO_EDGE] * 4
            True
            >>> Window(2, 6, 9).margins().tolist(), Window(5, 9, 9).margins().tolist()
            ([0, 1, 1, 0], [0, 1, 2, 3])
        """
        turns = np.arange(len(self), dtype=np.int64)
        from_start = turns if self.start else np.full(len(self), _NO_EDGE)
        to_stop = turns[::-1] if self.stop < self.turns else np.full(len(self), _NO_EDGE)
        margins: NDArray[np.int64] = np.minimum(from_start, to_stop)
        return margins

    def candidates(self, space: CandidateSpace, reach: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Targets and causes that are scored here, counted from 0 in the window, in (target, cause) order.

        Example:
            >>> targets, causes = Window(0, 3, 3, pairs_until=1).candidates("past", reach=2)
            >>> list(zip(targets.tolist(), causes.tolist()))
            [(0, 0), (1, 0)]
        """
        turn = np.arange(len(self))
        distance = turn[:, None] - turn
        mask = np.abs(distance) < reach
        if space == "past":
            mask &= distance >= 0
        if self.pairs_until is not None:
            mask &= np.minimum(turn[:, None], turn) < self.pairs_until - self.start
        targets, causes = mask.nonzero()
        return targets, causes


@dataclass(frozen=True, slots=True)
class Reading:
    """How a conversation is read.

    Attributes:
        windows: In order; a single one holds the whole conversation.
        reach: Pairs whose turns are at least so far apart are not scored.
    """

    windows: tuple[Window, ...]
    reach: int

    @property
    def whole(self) -> bool:
        """Whether everything is read at once, and every pair scored."""
        return len(self.windows) == 1 and self.reach >= self.windows[0].turns


def _reach_of(turns: int, longest: int, window: int | None) -> int:
    """The reach; at least ``turns`` where all is read at once.

    Raises:
        UsageError: The window is no number of turns, or all turns are more than can be read at once.
    """
    if window is not None and (not isinstance(window, int) or isinstance(window, bool) or window < 0):
        raise UsageError(f"window must be a number of turns, or 0 to read every conversation whole, but is {window!r}.")
    if window == 0:
        if turns > MAX_WHOLE:
            raise UsageError(
                f"A window of 0 reads a conversation whole, but one has {turns:,} turns ({turns * turns:,} pairs); the "
                f"most that is read at once is {MAX_WHOLE:,}. Leave window= out, or give a number of turns."
            )
        return turns
    if window is not None and window > MAX_WHOLE:
        raise UsageError(f"window= may be at most {MAX_WHOLE:,} turns, but is {window:,}.")
    if window is None and turns > longest:
        # So that the windows, which are longer than the reach, are as long as the longest dialogue of training.
        return longest - max(1, longest // (_STEPS + 1)) + 1
    return turns if window is None or turns <= window else window


def reading(turns: int, longest: int, window: int | None = None) -> Reading:
    """Chooses overlapping windows, for a model to which the rest of a dialogue matters.

    Args:
        turns: Turns of the conversation.
        longest: Turns of the longest dialogue that the model was trained on.
        window: The reach that the user wants; 0 for no windows; None for the largest whose windows are at most
            ``longest``.

    Returns:
        The windows.

    Raises:
        UsageError: The window is no number of turns, or all turns are more than can be read at once.

    Example:
        >>> read = reading(12, longest=9)
        >>> read.reach, [(window.start, window.stop) for window in read.windows]
        (9, [(0, 9), (1, 10), (2, 11), (3, 12)])
        >>> reading(9, longest=9).whole, reading(12, longest=9, window=0).whole
        (True, True)
    """
    reach = _reach_of(turns, longest, window)
    if reach >= turns:
        return Reading((Window(0, turns, turns),), reach)
    step = max(1, reach // _STEPS) if window else max(1, longest // (_STEPS + 1))
    span = min(reach + step - 1, turns)
    starts = [*range(0, turns - span, step), turns - span]
    return Reading(tuple(Window(start, start + span, turns) for start in starts), reach)


def separate_reading(turns: int, longest: int, window: int | None = None) -> Reading:
    """Chooses windows that score each pair once, for a model that scores a pair without the rest of the dialogue.

    Args:
        turns: Turns of the conversation.
        longest: As for :func:`reading`.
        window: As for :func:`reading`.

    Returns:
        The windows; their pairs do not overlap.

    Raises:
        UsageError: As :func:`reading`.

    Example:
        >>> read = separate_reading(12, longest=9, window=5)
        >>> [(window.start, window.stop, window.pairs_until) for window in read.windows]
        [(0, 9, 5), (5, 12, 10), (10, 12, 12)]
    """
    reach = _reach_of(turns, longest, window)
    if reach >= turns:
        return Reading((Window(0, turns, turns),), reach)
    starts = range(0, turns, reach)
    return Reading(
        tuple(Window(start, min(start + 2 * reach - 1, turns), turns, min(start + reach, turns)) for start in starts),
        reach,
    )


def n_candidates(turns: int, space: CandidateSpace) -> int:
    """Number of candidate pairs of a conversation.

    Example:
        >>> n_candidates(3, "all"), n_candidates(3, "past")
        (9, 6)
    """
    return turns * turns if space == "all" else turns * (turns + 1) // 2


class Stitched:
    """Predictions of a conversation from those of its windows; memory grows with turns times reach.

    Args:
        turns: Turns of the conversation.
        reach: Of :class:`Reading`.
        classes: Pair classes.
    """

    def __init__(self, turns: int, reach: int, classes: int):
        self.reach = min(reach, turns)
        band = 2 * self.reach - 1
        self._best = np.full((turns, band), -1, dtype=np.int64)
        self._pairs = np.zeros((turns, band, classes))
        self._best_turn = np.full(turns, -1, dtype=np.int64)
        self._of_turns: dict[str, NDArray[np.float64]] = {}

    def add(
        self,
        window: Window,
        targets: NDArray[np.int64],
        causes: NDArray[np.int64],
        pairs: NDArray[np.float64],
        of_turns: dict[str, NDArray[np.float64]],
    ) -> None:
        """Takes what is better placed in this window than in those before.

        Args:
            window: The window.
            targets: ``(P,)`` targets, counted from 0 in the window.
            causes: ``(P,)`` causes.
            pairs: ``(P, C)`` probabilities.
            of_turns: By name ``(len, ...)`` predictions of the window's turns.
        """
        margins = window.margins()
        columns = causes - targets + self.reach - 1
        within = (columns >= 0) & (columns < self._best.shape[1])
        targets, causes, columns, pairs = targets[within], causes[within], columns[within], pairs[within]
        rows, margin = targets + window.start, np.minimum(margins[targets], margins[causes])
        better = margin > self._best[rows, columns]
        rows, columns = rows[better], columns[better]
        self._best[rows, columns] = margin[better]
        self._pairs[rows, columns] = pairs[better]
        turns = np.arange(window.start, window.stop)
        nearer = margins > self._best_turn[turns]
        for name, values in of_turns.items():
            if name not in self._of_turns:
                self._of_turns[name] = np.zeros((window.turns, *values.shape[1:]))
            self._of_turns[name][turns[nearer]] = values[nearer]
        self._best_turn[turns[nearer]] = margins[nearer]

    def pairs(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """``(P,)`` targets and causes, counted from 1, in (target, cause) order, and ``(P, C)`` probabilities."""
        rows, columns = (self._best >= 0).nonzero()
        return rows + 1, rows + columns - self.reach + 2, self._pairs[rows, columns]

    def of_turns(self) -> dict[str, NDArray[np.float64]]:
        """By name predictions of all turns."""
        return self._of_turns
