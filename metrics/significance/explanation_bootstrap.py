"""Explanation scores resampled by dialogue: the sums that intervals and paired tests of them need.

Explanations of one dialogue are not independent, so dialogues are resampled. The idf weights of CIDEr are those of all
references of the file, in every resample: otherwise a resample would change what is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from iemomecp_dataset.errors import MetricInputError
from iemomecp_dataset.excerpts import shown
from iemomecp_dataset.metrics.arguments.argument_checks import check_list, number_column, text_column
from iemomecp_dataset.metrics.explanations.scoring import scores_of_sums, text_statistics
from iemomecp_dataset.metrics.significance.counts import UnitCounts

__all__ = ["explanation_unit_counts"]


def explanation_unit_counts(
    systems: Sequence[Sequence[str]],
    references: Sequence[str],
    dialogue_ids: ArrayLike,
    *,
    tokenizer: str = "ptb",
    item_scores: Sequence[Mapping[str, ArrayLike]] | None = None,
) -> list[UnitCounts]:
    """Sums up systems that explained the same utterances.

    The sums go to :func:`~iemomecp_dataset.metrics.significance.bootstrap.bootstrap_intervals`,
    :func:`~iemomecp_dataset.metrics.significance.bootstrap.paired_bootstrap` and
    :func:`~iemomecp_dataset.metrics.significance.permutation.permutation_test`.

    Args:
        systems: For each its ``m`` texts.
        references: Their ``m`` references.
        dialogue_ids: ``(m,)`` str, the whole dialogue of each item, which is what is resampled.
        tokenizer: As in :func:`~iemomecp_dataset.metrics.explanations.scoring.explanation_scores`.
        item_scores: For each system further scores of items, ``(m,)`` by name, whose mean is resampled, such as
            BERTScore.

    Returns:
        For each system its sums, with the scores
        :data:`~iemomecp_dataset.metrics.explanations.scoring.COUNTED_SCORES` and those of ``item_scores``.

    Raises:
        MetricInputError: The texts cannot be scored or do not fit each other.

    Example:
        >>> from iemomecp_dataset.metrics.significance.bootstrap import bootstrap_intervals
        >>> references = ["The clown fell over.", "It is going to rain.", "Her train was late."]
        >>> counts, = explanation_unit_counts([["The clown fell.", "It will rain.", ""]], references, ["a", "a", "b"])
        >>> round(bootstrap_intervals(counts, n_resamples=100)["rouge_l"].estimate, 4)
        0.438
    """
    systems = check_list(systems, "systems", "lists of texts, one per system")
    references = check_list(references, "references", "texts")
    if not systems:
        raise MetricInputError("There are no systems to sum up.")
    further = [{}] * len(systems) if item_scores is None else check_list(item_scores, "item_scores", "scores by name")
    if len(further) != len(systems):
        raise MetricInputError(f"item_scores= has an entry per system; found {len(further)} for {len(systems)}.")
    if not all(isinstance(scores, Mapping) for scores in further):
        raise MetricInputError(f"item_scores= has scores by name; found {shown(further)}.")
    dialogues = text_column(dialogue_ids, "dialogue_ids", "item")
    if dialogues.shape != (len(references),):
        raise MetricInputError(
            f"dialogue_ids must have one entry per item; found {dialogues.shape} for {len(references)} references."
        )
    units, unit = np.unique(dialogues, return_inverse=True)
    result = []
    for texts, scores in zip(systems, further, strict=True):
        found = text_statistics(texts, references, tokenizer=tokenizer).sums
        columns = [found, *(_column(name, values, len(found)) for name, values in scores.items())]
        per_item = np.concatenate(columns, axis=1)
        sums = np.zeros((len(units), per_item.shape[1]))
        np.add.at(sums, unit, per_item)
        result.append(UnitCounts(units, sums, _score_function(found.shape[1], tuple(scores))))
    return result


def _column(name: str, values: ArrayLike, m: int) -> NDArray[np.float64]:
    column = number_column(values, f"The scores {name} of items", "item")
    if column.shape != (m,) or not np.isfinite(column).all():
        raise MetricInputError(
            f"The scores {name} of items are finite numbers, one per item; found {column.shape} for {m} items."
        )
    return column[:, None]


def _score_function(n_counted: int, names: tuple[str, ...]) -> Callable[[NDArray[Any]], dict[str, NDArray[np.float64]]]:
    def score(totals: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
        further = {name: totals[..., n_counted + k] / totals[..., 0] for k, name in enumerate(names)}
        return scores_of_sums(totals[..., :n_counted]) | further

    return score
