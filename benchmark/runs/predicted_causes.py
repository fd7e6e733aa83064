"""Reads the cause turns that a pair run predicted, to mark or copy them where emotions are explained."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from iemomecp_dataset.benchmark.runs.results import PAIRS, RunResults, read_results
from iemomecp_dataset.corpus import Corpus
from iemomecp_dataset.errors import IemomecpError, UsageError
from iemomecp_dataset.explanation_table import explanation_table
from iemomecp_dataset.metrics.evaluation.predictions import predictions_file, read_predictions
from iemomecp_dataset.schema import SPLITS

__all__ = ["CausesOfRun", "causes_of_items", "notes_of_run", "read_predicted_causes"]


@dataclass(frozen=True)
class CausesOfRun:
    """The predicted pairs of a run.

    Attributes:
        run_name: Name of the run.
        turns: By dialogue and target turn the predicted cause turns, sorted; targets without any are absent.
        splits: The splits whose predictions were read.
        notes: What a reader of explanations that use them must know: the data of the run, and what its splits share.
    """

    run_name: str
    turns: Mapping[tuple[str, int], tuple[int, ...]]
    splits: tuple[str, ...]
    notes: tuple[str, ...]


def read_predicted_causes(folder: str | Path, splits: Iterable[str] = SPLITS) -> CausesOfRun:
    """Reads the predictions files of a run that finds pairs.

    Args:
        folder: Its folder.
        splits: The splits to read; those without a file are left out.

    Returns:
        The pairs that the run's own decision rule counts as class 0.

    Raises:
        UsageError: The run is of another task, or has no predictions on any of the splits.
        IemomecpError: The record or a file cannot be read.
    """
    folder = Path(folder)
    record = read_results(folder)
    if record.task != PAIRS:
        raise UsageError(f"{folder} is a run of the task {record.task}; cause turns come from a run that finds pairs.")
    found: dict[tuple[str, int], set[int]] = {}
    paths = {split: predictions_file(folder, split) for split in splits}
    paths = {split: path for split, path in paths.items() if path.is_file()}
    if not paths:
        raise UsageError(
            f"{folder} holds no predictions on {' or '.join(splits)}. Repeat the run, or give another one."
        )
    for path in paths.values():
        predictions = read_predictions(path)
        pairs = predictions.pairs
        for place in np.flatnonzero(predictions.decided == 0).tolist():
            key = (str(pairs.dialogue_ids[place]), int(pairs.target_turns[place]))
            found.setdefault(key, set()).add(int(pairs.cause_turns[place]))
    return CausesOfRun(
        run_name=record.run_name,
        turns={key: tuple(sorted(turns)) for key, turns in found.items()},
        splits=tuple(paths),
        notes=_notes(record),
    )


def notes_of_run(folder: str | Path) -> tuple[str, ...]:
    """Lists what a reader of explanations that use a run's cause turns must know.

    Args:
        folder: Its folder.

    Returns:
        The data of the run and what its splits share; or, where there is no record, that this is unknown.
    """
    try:
        return _notes(read_results(Path(folder)))
    except IemomecpError as error:
        return (f"Cause turns are predicted by {folder}, whose data is unknown ({error}).",)


def _notes(record: RunResults) -> tuple[str, ...]:
    name = record.run_name
    return (
        f"Cause turns are predicted by {name}, trained on {record.corpus} ({record.config_name}).",
        *(f"In the data of {name}: {leak}" for leak in record.extra.get("leaks") or ()),
    )


def causes_of_items(
    corpus: Corpus, turns: Mapping[tuple[str, int], Sequence[int]], splits: Iterable[str] | None = None
) -> dict[str, list[tuple[int, ...]]]:
    """Lists predicted cause turns in the order of a corpus's explanations.

    Args:
        corpus: The corpus.
        turns: By dialogue and target turn the predicted cause turns.
        splits: The splits that were predicted; by default all of the corpus.

    Returns:
        By split the cause turns of every item, ``()`` where none is predicted: what
        :func:`~iemomecp_dataset.benchmark.baselines.explanation_rows.explanation_systems` takes.
    """
    wanted = corpus.rows if splits is None else [split for split in splits if split in corpus.rows]
    found = {}
    for split in wanted:
        table = explanation_table(corpus.rows[split])
        keys = zip(table.dialogue_ids.tolist(), table.target_turns.tolist(), strict=True)
        found[split] = [tuple(turns.get(key, ())) for key in keys]
    return found
