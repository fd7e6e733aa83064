"""What is trained: a model, the strategy that batches and scores its examples, and the examples.

The loop (:mod:`iemomecp_dataset.trainers.training.loop`) knows only these types; each scorer builds its own
:class:`TrainingTask`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from iemomecp_dataset.trainers.dialogue.emotion_inputs import EmotionInputs
from iemomecp_dataset.trainers.encoders.text import TextEncoder
from iemomecp_dataset.trainers.objectives import Pooling
from iemomecp_dataset.trainers.training.distributed import Processes
from iemomecp_dataset.trainers.training.samplers import BatchOrder

__all__ = [
    "Batch",
    "EmotionStrategy",
    "Examples",
    "Recipe",
    "Selected",
    "Selection",
    "Strategy",
    "TrainingTask",
]

Batch = dict[str, Any]
"""Tensors of a mini-batch; ``position`` ``(B,)`` gives the positions of its examples in the split."""


@dataclass(frozen=True)
class Selected:
    """What an epoch is worth on the selection split.

    Attributes:
        scores: Scores by name for the log; the progress bar shows the first.
        value: The number that selects the epoch: a strictly larger one is better.
        threshold: The decision threshold of the scores, where the task decides by one.
        loss: A loss on that split, where training stops by one (:attr:`Recipe.stop_on`).
    """

    scores: Mapping[str, float]
    value: float
    threshold: float | None = None
    loss: float | None = None


Selection = Callable[[NDArray[np.float64]], Selected]
"""``(m, C)`` probabilities on the selection split to what they are worth."""


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
        """Per example its position and ``(m, C)`` probabilities of what is predicted; and the batch's mean loss."""


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
class Recipe:
    """How the loop steps and stops, where a task departs from the usual.

    Attributes:
        optimizer: ``adamw``, or ``adam``: weight decay is then added to the gradient (coupled L2).
        schedule: The learning rates after warm-up: ``linear`` down to zero, or ``constant``.
        stop_on: Training stops when this has not been better for ``--patience`` epochs: the ``score`` that selects the
            epoch, or ``score_and_loss``, both of them.
    """

    optimizer: Literal["adamw", "adam"] = "adamw"
    schedule: Literal["linear", "constant"] = "linear"
    stop_on: Literal["score", "score_and_loss"] = "score"


@dataclass(frozen=True)
class TrainingTask:
    """Everything that depends on the kind of scorer; also used for inference, with one split and no selection.

    Attributes:
        model: The ``PreTrainedModel``.
        strategy: How its examples are batched, trained on and scored.
        examples: Examples by split, in the order in which their predictions are recorded.
        selection_split: Split that chooses epoch and threshold.
        selection: Scores of that split; None for inference, or for training whose last epoch is kept.
        truncated: By split ``truncated_utterances``; for the isolated scorer ``truncated_pairs``; and for texts that
            are encoded with turns around them ``shortened_contexts``.
        encoder: The text encoder with its tokenizer, or None without text.
        tokenizer: That of a language model, which is saved beside the model; None where there is none.
        frozen_texts: Frozen features by text, each encoded alone, where there are any; structural baselines use them.
        text_vectors: Vectors of a text store by utterance id, where one is read; structural rows use them.
        without_evidence: The strategy that scores pairs whose candidate is removed, or None.
        recipe: How the loop steps and stops.
        emotion_inputs: Emotions that another run predicted, where they are inputs; a structural baseline uses them.
        trains: Whether the model is trained; otherwise it is scored as it is, and there need be no train examples.
        took_effect: Options that were not given and depend on data and model, with the values that they have.
        whole_weights: Filled by the loop where the model is sharded: its final weights, on the main process.
    """

    model: Any
    strategy: Strategy
    examples: Mapping[str, Examples]
    selection_split: str = "validation"
    selection: Selection | None = None
    truncated: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    encoder: TextEncoder | None = None
    tokenizer: Any = None
    frozen_texts: Mapping[Any, NDArray[np.float32]] | None = None
    text_vectors: Mapping[str, NDArray[np.float32]] | None = None
    without_evidence: Strategy | None = None
    emotion_inputs: EmotionInputs | None = None
    recipe: Recipe = Recipe()
    trains: bool = True
    took_effect: Mapping[str, Any] = field(default_factory=dict)
    whole_weights: dict[str, Tensor] = field(default_factory=dict)
