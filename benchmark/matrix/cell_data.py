"""Reads the data of a matrix once, for the fingerprints of its cells and for what its splits share."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from iemomecp_dataset.benchmark.matrix.cells import MatrixCell
from iemomecp_dataset.benchmark.runs.contamination import contamination_warnings, splits_of
from iemomecp_dataset.benchmark.runs.results import ERC
from iemomecp_dataset.corpus import Corpus, load_corpus, whole_corpus
from iemomecp_dataset.folds import fold_corpus, read_folds
from iemomecp_dataset.progress import bars_hidden
from iemomecp_dataset.trainers.options import TrainingOptions
from iemomecp_dataset.trainers.pairs.further_corpora import with_further_corpora
from iemomecp_dataset.trainers.run_inputs import effective_batch_size, run_inputs

if TYPE_CHECKING:
    from iemomecp_dataset.trainers.run_inputs import RunInputs

__all__ = ["CellData", "data_of", "data_warnings", "inputs_of", "load_data"]

CellData = dict[tuple[Any, ...], Corpus]
"""The corpora of a matrix, each once; cells of one corpus that are scored on different folds share it."""


def load_data(cells: Sequence[MatrixCell]) -> CellData:
    """Loads every corpus of the cells once, as their trainers do.

    Args:
        cells: The matrix.

    Raises:
        IemomecpError: A corpus cannot be loaded, or not be trained on.
    """
    from tqdm import tqdm

    wanted = dict.fromkeys(_key(cell) for cell in cells if not cell.impossible)
    return {key: _load(*key) for key in tqdm(wanted, desc="Reading data", leave=False, disable=bars_hidden())}


def data_of(data: Mapping[tuple[Any, ...], Corpus], cell: MatrixCell) -> Corpus:
    """The corpus of a cell; of one that is scored on a fold, the whole corpus.

    Args:
        data: From :func:`load_data`.
        cell: A cell that is possible.
    """
    return data[_key(cell)]


def inputs_of(data: Mapping[tuple[Any, ...], Corpus]) -> Callable[[MatrixCell], RunInputs]:
    """Builds a function that describes what a cell reads; cells with the same files share one reading of them.

    Args:
        data: From :func:`load_data`.
    """
    found: dict[tuple[Any, ...], RunInputs] = {}
    of_fold: dict[tuple[Any, ...], Corpus] = {}

    def corpus_of_cell(cell: MatrixCell) -> Corpus:
        key, folds, fold = _key(cell), *_fold(cell)
        if folds is None:
            return data[key]
        if (key, folds, fold) not in of_fold:
            of_fold[key, folds, fold] = fold_corpus(data[key], read_folds(folds), fold)
        return of_fold[key, folds, fold]

    def inputs(cell: MatrixCell) -> RunInputs:
        options = cell.options
        key = (options.data, options.model.text_encoder, options.model.text_streams, options.model.init_from)
        if key not in found:
            corpus = corpus_of_cell(cell)
            if isinstance(options, TrainingOptions):
                corpus = with_further_corpora(corpus, options.data)
            found[key] = run_inputs(options, corpus, processes=1)
        # Each cell is trained in one process, whatever the backend.
        return dataclasses.replace(found[key], effective_batch_size=effective_batch_size(options, processes=1))

    return inputs


def data_warnings(data: Mapping[tuple[Any, ...], Corpus]) -> list[str]:
    """States what the splits of the corpora share.

    Args:
        data: From :func:`load_data`.
    """
    return contamination_warnings(split for corpus in data.values() for split in splits_of(corpus))


def _fold(cell: MatrixCell) -> tuple[str | None, Any]:
    return getattr(cell.options.data, "folds", None), getattr(cell.options.data, "fold", None)


def _key(cell: MatrixCell) -> tuple[Any, ...]:
    data = cell.options.data
    further = (getattr(data, name, None) for name in ("candidates", "forward_pairs", "validation", "emotions"))
    return (cell.options.task, data.config_name, data.data_dir, *further, _fold(cell)[0] is None)


def _load(
    task: str,
    config_name: str,
    data_dir: str,
    candidates: str | None,
    forward_pairs: str | None,
    validation: str | None,
    emotions: str | None,
    for_training: bool,
) -> Corpus:
    """Loads the data of a cell as its trainer does; of one fold, the whole corpus."""
    if task != ERC:
        return load_corpus(
            config_name,
            data_dir,
            candidates=candidates,
            forward_pairs=forward_pairs,
            emotions=emotions,
            for_training=for_training,
        )
    corpus = load_corpus(config_name, data_dir, validation=validation, emotions=emotions)
    corpus.require_emotions()
    return whole_corpus(corpus)
