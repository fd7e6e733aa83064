"""What training a pair scorer takes from the pair table: class weights, and the score that selects the epoch."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iemomecp_dataset.corpus import Corpus
from iemomecp_dataset.metrics.scoring import pair_scores
from iemomecp_dataset.metrics.thresholds import threshold_by_rule
from iemomecp_dataset.pair_table import PairTable
from iemomecp_dataset.trainers.objectives import class_weights_from_counts
from iemomecp_dataset.trainers.options import OptimizationOptions
from iemomecp_dataset.trainers.training.task import Selected, Selection

__all__ = ["pair_class_weights", "pair_selection"]


def pair_class_weights(weighting: str, corpus: Corpus, device: torch.device) -> Tensor | None:
    """Weights of the pair classes in the supervised loss.

    Args:
        weighting: ``none``, ``sqrt`` (:func:`iemomecp_dataset.trainers.objectives.class_weights_from_counts`), or
            ``auto``: ``sqrt`` for more than two classes.
        corpus: The data; its train pairs are counted.
        device: Where the weights are needed.

    Returns:
        ``(C,)``, or None for no weights.
    """
    if weighting == "none" or (weighting == "auto" and len(corpus.class_names) <= 2):
        return None
    weights = class_weights_from_counts(corpus.tables["train"], len(corpus.class_names))
    return torch.tensor(weights, device=device)


def pair_selection(corpus: Corpus, optimization: OptimizationOptions) -> Selection:
    """Selection by pair F1, average precision or macro F1 on the corpus' selection split.

    Args:
        corpus: The data.
        optimization: The score that selects, the decision rule, and a fixed threshold where one is given.
    """
    return partial(_select, corpus.tables[corpus.selection_split], corpus.class_names, optimization)


def _select(
    table: PairTable,
    class_names: tuple[str, ...],
    optimization: OptimizationOptions,
    probabilities: NDArray[np.float64],
) -> Selected:
    threshold = optimization.threshold
    if threshold is None and optimization.decision == "threshold":
        threshold = threshold_by_rule(
            optimization.threshold_rule,
            probabilities,
            table.labels,
            table.source_dialogue_ids,
            missed_positives=table.missed_positives,
        )
    scores = pair_scores(
        probabilities, table.labels, class_names, threshold=threshold, missed_positives=table.missed_positives
    )
    shown = {name: scores[name] for name in ("pair_f1", "pair_auprc", "macro_f1")}
    return Selected(shown, shown[optimization.selection], threshold)
