"""Cause turns that a pair run predicted: by explained item, with what is known of the run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from iemomecp_dataset.benchmark.runs.results import RunResults, read_results
from iemomecp_dataset.corpus import Corpus
from iemomecp_dataset.errors import IemomecpError
from iemomecp_dataset.explanation_table import explanation_table

__all__ = ["causes_of_items", "notes_of_run"]


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
