"""Sorts runs of one task into tables by the signatures of their scores on test, or on validation without test.

What runs were trained on may differ: their scores compare wherever the same items of a split were scored against the
same gold. Emotions and explanations are sorted like this; pairs by everything that their runs state
(:func:`~iemomecp_dataset.benchmark.board.leaderboard`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from iemomecp_dataset.benchmark.board import Board, BoardKey, make_board, runs_of_task, signatures_of, table_key
from iemomecp_dataset.benchmark.runs.index import Run
from iemomecp_dataset.benchmark.runs.results import RunResults

__all__ = ["boards_by_signature"]

_SPLITS = ("test", "validation", "train")


def boards_by_signature(runs: str | Path | Iterable[Run | RunResults], task: str) -> list[Board]:
    """Sorts runs of one task into tables.

    Args:
        runs: A folder of runs at any depth, runs of such a folder, or bare records; of any data and task.
        task: The task; runs of another one are in no table.

    Returns:
        One table for each set of comparable runs, in order of corpus and configuration.

    Raises:
        MissingDataError: There is no such folder.
        RunFolderError: It holds no finished run.
    """
    groups: dict[tuple[Any, ...], list[Run]] = {}
    given = runs_of_task(runs, task)
    for run in sorted(given, key=lambda run: _first_split(run) != "test"):
        split = _first_split(run)
        key = _key(run, split)
        if split != "test":
            # Without scores on test it joins the one table whose validation it was scored on.
            joined = [of for of, others in groups.items() if of[0] == "test" and _agreed(others, split) == key]
            groups.setdefault(joined[0] if len(joined) == 1 else (split, key), []).append(run)
        else:
            groups.setdefault((split, key), []).append(run)
    boards = [_board(sorted(group, key=given.index)) for group in groups.values()]
    return sorted(boards, key=lambda board: (board.key.corpus, board.key.config_name, str(board.key.signatures)))


def _first_split(run: Run) -> str:
    return next((split for split in _SPLITS if split in run.results.metrics), "")


def _key(run: Run, split: str) -> Any:
    """What must agree on a split; a run without a signature agrees with nothing but itself."""
    return table_key(run.results, split) if split in signatures_of(run.results) else run.results.run_name


def _agreed(runs: Sequence[Run], split: str) -> Any:
    """What most runs state on a split, the first of equals; None where none has scores on it."""
    stated = Counter(_key(run, split) for run in runs if split in run.results.metrics)
    return max(stated, key=lambda key: stated[key]) if stated else None


def _board(runs: list[Run]) -> Board:
    """Makes the table, in which every split has the scores of the runs that agree on it."""
    notes = []
    splits = {split for run in runs for split in run.results.metrics}
    for split in sorted(splits):
        agreed = _agreed(runs, split)
        others = [run for run in runs if split in run.results.metrics and _key(run, split) != agreed]
        if others:
            names = ", ".join(run.results.run_name for run in others)
            notes.append(f"{names}: scored on other {split} data than the rest, so without {split} scores here.")
            runs = [_without(run, split) if run in others else run for run in runs]
    key = replace(
        BoardKey.of(runs[0].results),
        data_fingerprint=_digests(runs, "data_fingerprint"),
        text_fingerprint=_digests(runs, "text_fingerprint"),
        signatures=tuple((split, _agreed(runs, split)) for split in sorted(splits)),
    )
    return make_board(key, runs, notes)


def _digests(runs: Sequence[Run], name: str) -> tuple[tuple[str, str], ...]:
    """By split with scores the fingerprint of its data; that of train may differ from run to run."""
    found = {split: digest for run in runs for split, digest in getattr(run.results, name).items()
             if split in run.results.metrics}  # fmt: skip
    return tuple(sorted(found.items()))


def _without(run: Run, split: str) -> Run:
    results = run.results
    baselines = {
        key: {**baseline, "splits": {s: scores for s, scores in (baseline.get("splits") or {}).items() if s != split}}
        for key, baseline in results.structural_baselines.items()
    }
    metrics = {name: scores for name, scores in results.metrics.items() if name != split}
    return Run(run.folder, replace(results, metrics=metrics, structural_baselines=baselines))
