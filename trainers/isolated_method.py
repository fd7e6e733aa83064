"""How the isolated scorer is trained: mini-batches of pairs, weighted cross entropy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from iemomecp_dataset.trainers.batch_order import BatchOrder, LengthBatches, RandomBatches
from iemomecp_dataset.trainers.encoders.text import length_chunks
from iemomecp_dataset.trainers.objectives import Pooling, mean_cross_entropy, pooled_here
from iemomecp_dataset.trainers.pair_examples import PairExample, PairExamples
from iemomecp_dataset.trainers.processes import Processes
from iemomecp_dataset.trainers.scoring_method import Batch, Examples
from iemomecp_dataset.trainers.segments import Segments

__all__ = ["IsolatedMethod", "UtteranceVectors", "utterance_vectors"]

_WHOLE_BATCH = 1 << 30


@dataclass(frozen=True)
class UtteranceVectors:
    """Vectors of one modality, one row an utterance; pairs refer to rows.

    Attributes:
        vectors: ``(U, D)`` float32, zero where there is none.
        present: ``(U,)`` bool.
    """

    vectors: NDArray[np.float32]
    present: NDArray[np.bool_]


@dataclass(frozen=True)
class IsolatedMethod:
    """The isolated scorer's :class:`~iemomecp_dataset.trainers.scoring_method.ScoringMethod`.

    Attributes:
        segments: Token ids of the pairs' texts, or none without text.
        vectors: Vectors by modality.
        removed: The candidate's vectors are zero: what remains when the evidence is removed. (Its text is the
            segments' matter.)
        batch_tokens: Padded tokens of a training mini-batch of pairs of like length; ``None`` for the published random
            mini-batches of one size.
        chunk_tokens: Mini-batches are encoded in chunks of like length of so many padded tokens, which changes no
            result but spares padding; ``None`` encodes them in one piece.
    """

    segments: Segments | None
    vectors: Mapping[str, UtteranceVectors]
    removed: bool = False
    batch_tokens: int | None = None
    chunk_tokens: int | None = None
    unit: str = "pair"

    def train_order(self, examples: Examples, *, batch_size: int, seed: int, processes: Processes) -> BatchOrder:
        """Random mini-batches, or those of a token budget."""
        lengths = None if self.segments is None else self._lengths(examples)
        if self.batch_tokens is None or lengths is None:
            return RandomBatches(len(examples), batch_size, seed=seed, processes=processes, costs=lengths)
        return LengthBatches(lengths, self.batch_tokens, seed=seed, processes=processes)

    def scoring_order(self, examples: Examples, *, batch_size: int, processes: Processes) -> BatchOrder:
        """Mini-batches of like length: the order of scoring is nobody's matter."""
        if self.segments is None:
            return RandomBatches(len(examples), batch_size, shuffle=False, processes=processes)
        lengths = self._lengths(examples)
        return LengthBatches(lengths, batch_size * int(np.mean(lengths)), shuffle=False, processes=processes)

    def collate(self, batch: Sequence[tuple[int, PairExample]]) -> Batch:
        """Gathers what the pairs refer to.

        Args:
            batch: Positions in the split, and pairs.

        Returns:
            ``position``, ``labels`` ``(B,)``, and the inputs of :meth:`IsolatedScorer.forward`.
        """
        pairs = np.array([(pair.target, pair.candidate) for _, pair in batch], dtype=np.int64)
        tensors: Batch = {
            "position": torch.tensor([position for position, _ in batch]),
            "labels": torch.tensor([pair.label for _, pair in batch]),
            "inputs": {},
        }
        inputs = tensors["inputs"]
        if self.segments is not None:
            sequences = [self.segments.ids(target, candidate) for target, candidate in pairs.tolist()]
            inputs["text_tokens"], inputs["text_order"] = length_chunks(
                sequences, self.segments.pad_id, self.chunk_tokens or _WHOLE_BATCH
            )
        for modality, utterances in self.vectors.items():
            gathered, present = utterances.vectors[pairs], utterances.present[pairs]
            if self.removed:
                gathered[:, 1], present[:, 1] = 0.0, True
            inputs[modality] = torch.from_numpy(gathered)
            inputs[f"{modality}_present"] = torch.from_numpy(present)
        return tensors

    def terms(
        self, model: nn.Module, batch: Batch, class_weights: Tensor | None, pool: Pooling
    ) -> Mapping[str, Tensor]:
        """Cross entropy, weighted by class as in torch's weighted mean."""
        return {"supervised": self._loss(model(**batch["inputs"]), batch, class_weights, pool)}

    def probabilities(
        self, model: nn.Module, batch: Batch, examples: Examples
    ) -> tuple[list[tuple[int, NDArray[np.float64]]], float]:
        """Probabilities of each pair, a matrix of one row."""
        logits = model(**batch["inputs"])
        rows = logits.double().softmax(dim=-1).cpu().numpy()
        found = list(zip(batch["position"].tolist(), rows[:, None], strict=True))
        return found, self._loss(logits, batch, None, pooled_here).item()

    @staticmethod
    def _loss(logits: Tensor, batch: Batch, class_weights: Tensor | None, pool: Pooling) -> Tensor:
        labels = batch["labels"]
        return mean_cross_entropy(logits, labels, torch.ones_like(labels, dtype=torch.bool), class_weights, pool=pool)

    def _lengths(self, examples: Examples) -> list[int]:
        assert self.segments is not None
        assert isinstance(examples, PairExamples)
        full = self.segments.full_lengths(examples.targets, examples.candidates)
        return [int(length) for length in np.minimum(full, self.segments.max_tokens)]


def utterance_vectors(
    utterance_ids: Sequence[str], vectors: Mapping[str, NDArray[np.float32]], size: int
) -> UtteranceVectors:
    """Lays vectors out by utterance.

    Args:
        utterance_ids: All utterances.
        vectors: ``(size,)`` by utterance id; a missing id has no vector.
        size: Their width.
    """
    laid_out = np.zeros((len(utterance_ids), size), dtype=np.float32)
    present = np.zeros(len(utterance_ids), dtype=np.bool_)
    for row, key in enumerate(utterance_ids):
        if key in vectors:
            laid_out[row] = vectors[key]
            present[row] = True
    return UtteranceVectors(laid_out, present)
