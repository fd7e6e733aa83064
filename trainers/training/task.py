"""What is trained: a model, the strategy that batches and scores its examples, and the examples.

The loop (:mod:`iemomecp_dataset.trainers.training.loop`) knows only these types; each scorer builds its own
:class:`TrainingTask`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from iemomecp_dataset.corpus import Corpus
from iemomecp_dataset.metrics.scoring import pair_scores
from iemomecp_dataset.metrics.thresholds import best_threshold
from iemomecp_dataset.pair_table import PairTable
from iemomecp_dataset.trainers.dialogue.emotion_inputs import EmotionInputs
from iemomecp_dataset.trainers.encoders.text import TextEncoder
from iemomecp_dataset.trainers.objectives import Pooling, class_weights_from_counts
from iemomecp_dataset.trainers.options import OptimizationOptions
from iemomecp_dataset.trainers.training.distributed import Processes
from iemomecp_dataset.trainers.training.samplers import BatchOrder

__all__ = [
    "Batch",
    "EmotionStrategy",
    "Examples",
    "Selection",
    "Strategy",
    "TrainingTask",
    "pair_class_weights",
    "pair_selection",
]

Batch = dict[str, Any]
"""Tensors of a mini-batch; ``position`` ``(B,)`` gives the positions of its examples in the split."""

Selection = Callable[[NDArray[np.float64]], tuple[dict[str, float], float | None]]
"""``(pairs, C)`` probabilities on the selection split to scores by name, and the threshold they are computed at."""


class Examples(Protocol):
    """The examples of a split, by position."""

    def __len__(self) -> int: ...

    def __getitem__(self, position: int, /) -> Any: ...


class Strategy(Protocol):
    """How the examples of one kind of scorer are batched, trained on and scored."""

    @property
    def unit(self) -> str:
        """Name of one example, for progress bars."""

    def train_order(self, examples: Examples, *, batch_size: int, seed: int, processes: Processes) -> BatchOrder:
        """Mini-batches of an epoch of training."""

    def scoring_order(self, examples: Examples, *, batch_size: int, processes: Processes) -> BatchOrder:
        """Mini-batches of an evaluation."""

    def collate(self, batch: list[tuple[int, Any]]) -> Batch:
        """Builds the tensors of a mini-batch from positions and examples."""

    def terms(self, model: nn.Module, batch: Batch, pool: Pooling) -> Mapping[str, Tensor]:
        """Weighted terms of the loss on a mini-batch; their sum is the loss."""

    def probabilities(
        self, model: nn.Module, batch: Batch, examples: Examples
    ) -> tuple[list[tuple[int, NDArray[np.float64]]], float]:
        """Per example its position and ``(pairs, C)`` probabilities; and the mean supervised loss of the batch."""


@runtime_checkable
class EmotionStrategy(Strategy, Protocol):
    """A strategy whose models may predict the emotions of utterances, too."""

    def probabilities_with_emotions(
        self, model: nn.Module, batch: Batch, examples: Examples
    ) -> tuple[list[tuple[int, NDArray[np.float64]]], list[tuple[int, NDArray[np.float64]]], float]:
        """As ``probabilities``; in between, per example its position and ``(n, K)`` probabilities of emotions.

        That list is empty where the model predicts none.
        """


@dataclass(frozen=True)
class TrainingTask:
    """Everything that depends on the kind of scorer; also used for inference, with one split and no selection.

    Attributes:
        model: The ``PreTrainedModel``.
        strategy: How its examples are batched, trained on and scored.
        examples: Examples by split, in the order of the pair tables.
        selection_split: Split that chooses epoch and threshold.
        selection: Scores of that split, or None for inference.
        truncated: By split ``truncated_utterances`` and, for the isolated scorer, ``truncated_pairs``.
        encoder: The text encoder with its tokenizer, or None without text.
        frozen_texts: Frozen features by text, where there are any; structural baselines use them.
        without_evidence: The strategy that scores pairs whose candidate is removed, or None.
        emotion_inputs: Emotions that another run predicted, where they are inputs; a structural baseline uses them.
    """

    model: Any
    strategy: Strategy
    examples: Mapping[str, Examples]
    selection_split: str = "validation"
    selection: Selection | None = None
    truncated: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    encoder: TextEncoder | None = None
    frozen_texts: Mapping[str, NDArray[np.float32]] | None = None
    without_evidence: Strategy | None = None
    emotion_inputs: EmotionInputs | None = None


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
        optimization: Decision rule, and a fixed threshold where one is given.
    """
    return partial(_select, corpus.tables[corpus.selection_split], corpus.class_names, optimization)


def _select(
    table: PairTable,
    class_names: tuple[str, ...],
    optimization: OptimizationOptions,
    probabilities: NDArray[np.float64],
) -> tuple[dict[str, float], float | None]:
    threshold = optimization.threshold
    if threshold is None and optimization.decision == "threshold":
        threshold, _ = best_threshold(probabilities, table.labels, missed_positives=table.missed_positives)
    scores = pair_scores(
        probabilities, table.labels, class_names, threshold=threshold, missed_positives=table.missed_positives
    )
    return {name: scores[name] for name in ("pair_f1", "pair_auprc", "macro_f1")}, threshold
