"""What is refused before any run of a cross-validation starts: variants that know the folds, or cannot be trained."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from iemomecp_dataset.benchmark.cross_validation.variants import FoldCell
from iemomecp_dataset.benchmark.matrix.cells import MatrixCell
from iemomecp_dataset.corpus import Corpus
from iemomecp_dataset.errors import IemomecpError, UsageError
from iemomecp_dataset.folds import Folds, fold_corpus
from iemomecp_dataset.trainers.options import TrainingOptions
from iemomecp_dataset.trainers.pairs.further_corpora import with_further_corpora
from iemomecp_dataset.trainers.run_inputs import begun_on_folded_split

__all__ = ["check_variants"]


def check_variants(of_cells: Sequence[FoldCell], folds: Folds, corpus_of: Callable[[MatrixCell], Corpus]) -> None:
    """Checks every variant on the first fold: a misfit would otherwise end every one of its cells.

    Args:
        of_cells: The cells.
        folds: The folds.
        corpus_of: Gives the whole corpus of a cell.

    Raises:
        UsageError: A variant begins with a run that was trained on dialogues of the split that is parted, or its
            further corpora do not fit.
    """
    seen = set[tuple[Any, ...]]()
    for one in of_cells:
        options = one.cell.options
        if one.cell.impossible or not isinstance(options, TrainingOptions):
            continue
        data = dataclasses.replace(options.data, folds=None, fold=None)
        key = (data, options.model.init_from)
        if key in seen:
            continue
        seen.add(key)
        whole = corpus_of(one.cell)
        leaks = begun_on_folded_split(options, whole, folds.split)
        if leaks:
            raise UsageError(
                f"Variant {one.variant.name}: the run of --init_from {options.model.init_from}, or one before it, was "
                f"trained on dialogues of the {folds.split} split, so that its folds would be scored by what has "
                f"learned from them: {leaks[0]} Begin with a run on other data, or leave --init_from out."
            )
        try:
            with_further_corpora(fold_corpus(whole, folds, 1), data)
        except IemomecpError as error:
            raise UsageError(f"Variant {one.variant.name}: {error}") from None
