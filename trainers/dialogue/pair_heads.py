"""Scores of candidate pairs: a head on two utterances, and a refinement by the scores of all other pairs.

A head computes a logit for each class from target ``i``, candidate cause ``j``, their signed distance in turns and
whether their speaker is the same:

=============  ===================================================================================
``mlp``        W gelu(A h_i + B h_j + distance(i - j) + same speaker) + W' (A' h_i * B' h_j) + b(i - j)
``biaffine``   [r_i; 1] U [c_j; 1] + same speaker + b(i - j), with r = gelu(A h), c = gelu(B h)
=============  ===================================================================================

Neither builds a tensor of size (N, N, 3 D), and only candidate pairs are computed.

The bias ``b`` of each turn distance can start at the log rates of the classes there (:func:`distance_log_rates`,
:meth:`PairScorer.begin_at`). The share of pairs falls from one half to one in a hundred over a few turns. From
zero, training takes many epochs to learn that, and in those epochs the other parameters are fitted to wrong biases.

:class:`PairRefinement` then adds to the logits of each pair what follows from those of the dialogue's other pairs and
utterances: whether the target has a likelier cause, is emotional, is a cause itself.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from iemomecp_dataset.pair_table import PairTable
from iemomecp_dataset.trainers.dialogue.layers import CandidatePairs, Ragged

__all__ = ["PAIR_SCORERS", "BiaffinePairScorer", "MlpPairScorer", "PairRefinement", "PairScorer", "distance_log_rates"]

_REFINEMENT_WIDTH = 64
# Lower than elsewhere: the refinement has a few inputs per pair, which are hard to overfit.
_REFINEMENT_DROPOUT = 0.1
# Order of magnitude of the log odds of pairs and utterances.
_LOG_ODDS_SCALE = 3.0
_NEVER = -1e4


class PairScorer(nn.Module):
    """Base of the heads: logits of candidate pairs from utterance representations.

    The heads take the same arguments: ``hidden``, width ``D`` of an utterance; ``classes``; ``size``, width of the
    hidden layer; ``bilinear_size``, rank of the bilinear term of ``mlp``, 0 for none; ``max_distance``; ``dropout``.

    Args:
        classes: Pair classes ``C``.
        max_distance: Turn distances beyond it share a parameter.
    """

    def __init__(self, classes: int, max_distance: int):
        super().__init__()
        self.max_distance = max_distance
        self.distance_bias = nn.Embedding(2 * max_distance + 1, classes)

    def begin_at(self, log_rates: Tensor) -> None:
        """Starts the bias of each distance at the log rates of the classes there.

        Args:
            log_rates: ``(2 * max_distance + 1, C)``, from the most negative distance, target minus cause, on.
        """
        with torch.no_grad():
            self.distance_bias.weight.copy_(log_rates)

    def forward(self, hidden: Tensor, ragged: Ragged, speakers: Tensor, pairs: CandidatePairs) -> Tensor:
        """Scores the candidate pairs.

        Args:
            hidden: ``(U, D)``, the utterances of the batch.
            ragged: Their places.
            speakers: ``(B, N)`` int.
            pairs: The ``P`` candidate pairs.

        Returns:
            ``(P, C)`` float32.
        """
        rows, columns = (ragged.rows.flatten()[turns] for turns in (pairs.targets, pairs.causes))
        spoken_by = speakers.flatten()
        same = (spoken_by[pairs.targets] == spoken_by[pairs.causes]).long()
        offsets = pairs.offsets(self.max_distance)
        scores: Tensor = self.score(hidden, rows, columns, offsets, same)
        return (scores + self.distance_bias.weight.index_select(0, offsets)).float()

    def score(self, hidden: Tensor, rows: Tensor, columns: Tensor, offsets: Tensor, same: Tensor) -> Tensor:
        """Scores a list of pairs.

        Args:
            hidden: ``(U, D)``.
            rows: ``(P,)`` int, the targets among the ``U``.
            columns: ``(P,)`` int, the candidate causes.
            offsets: ``(P,)`` int, target minus cause, clipped, counted from 0.
            same: ``(P,)`` int, 1 where the speaker is the same.

        Returns:
            ``(P, C)``.
        """
        raise NotImplementedError


class MlpPairScorer(PairScorer):
    """A hidden layer over target, cause, distance and speakers, plus a low-rank bilinear term."""

    def __init__(self, hidden: int, classes: int, *, size: int, bilinear_size: int, max_distance: int, dropout: float):
        super().__init__(classes, max_distance)
        self.target = nn.Linear(hidden, size)
        self.cause = nn.Linear(hidden, size, bias=False)
        self.distance = nn.Embedding(2 * max_distance + 1, size)
        self.same_speaker = nn.Embedding(2, size)
        self.output = nn.Sequential(nn.GELU(), nn.Dropout(dropout), nn.Linear(size, classes))
        self.bilinear = _Bilinear(hidden, bilinear_size, classes) if bilinear_size else None

    def score(self, hidden: Tensor, rows: Tensor, columns: Tensor, offsets: Tensor, same: Tensor) -> Tensor:
        """Scores a list of pairs."""
        # index_select, not indexing: its backward pass is the faster one.
        pair = self.target(hidden).index_select(0, rows) + self.cause(hidden).index_select(0, columns)
        # Distance and speakers have few values together, so their sums are computed once and not for each pair.
        known = (self.distance.weight.unsqueeze(1) + self.same_speaker.weight).flatten(0, 1)
        scores: Tensor = self.output(pair + known.index_select(0, 2 * offsets + same))
        if self.bilinear is not None:
            scores = scores + self.bilinear(hidden, rows, columns)
        return scores


class BiaffinePairScorer(PairScorer):
    """Deep biaffine attention (Dozat and Manning 2017, arXiv 1611.01734, Eq. 6), with one matrix for each class."""

    def __init__(self, hidden: int, classes: int, *, size: int, bilinear_size: int, max_distance: int, dropout: float):
        super().__init__(classes, max_distance)
        self.target = nn.Sequential(nn.Linear(hidden, size), nn.GELU(), nn.Dropout(dropout))
        self.cause = nn.Sequential(nn.Linear(hidden, size), nn.GELU(), nn.Dropout(dropout))
        # A linear layer keeps the matrices, so that initialisation and saving are those of any other.
        self.matrices = nn.Linear(size + 1, classes * (size + 1), bias=False)
        self.same_speaker = nn.Embedding(2, classes)
        self.classes = classes

    def score(self, hidden: Tensor, rows: Tensor, columns: Tensor, offsets: Tensor, same: Tensor) -> Tensor:
        """Scores a list of pairs."""
        target = self.matrices(_with_one(self.target(hidden))).unflatten(-1, (self.classes, -1))
        cause = _with_one(self.cause(hidden))
        products = target.index_select(0, rows) * cause.index_select(0, columns).unsqueeze(1)
        scores: Tensor = products.sum(dim=-1) + self.same_speaker(same)
        return scores


PAIR_SCORERS: dict[str, Callable[..., PairScorer]] = {"mlp": MlpPairScorer, "biaffine": BiaffinePairScorer}
"""Heads by name."""


class PairRefinement(nn.Module):
    """Corrects the logits of pairs by those of the dialogue's other pairs and utterances; starts as the identity.

    Args:
        classes: Pair classes ``C``.
        max_distance: Turn distances beyond it share parameters.
    """

    def __init__(self, classes: int, max_distance: int):
        super().__init__()
        self.max_distance = max_distance
        self.known = nn.Linear(6 * (classes - 1) + 4, _REFINEMENT_WIDTH)
        self.distance = nn.Parameter(torch.randn(2 * max_distance + 1, _REFINEMENT_WIDTH))
        self.output = nn.Sequential(
            nn.GELU(),
            nn.Linear(_REFINEMENT_WIDTH, _REFINEMENT_WIDTH),
            nn.GELU(),
            nn.Dropout(_REFINEMENT_DROPOUT),
            nn.Linear(_REFINEMENT_WIDTH, classes),
        )
        for parameter in self.output[-1].parameters():
            nn.init.zeros_(parameter)

    def forward(self, scores: Tensor, emotion_logits: Tensor, cause_logits: Tensor, pairs: CandidatePairs) -> Tensor:
        """Corrects the scores.

        Args:
            scores: ``(P, C)``, scores of the candidate pairs.
            emotion_logits: ``(B, N, 2)``.
            cause_logits: ``(B, N, 2)``.
            pairs: Places of the pairs.

        Returns:
            ``(P, C)``, the corrected scores.
        """
        pair = scores[:, :-1] - scores[:, -1:]
        matrices = pairs.matrices(pair)
        row = matrices.masked_fill(~pairs.valid.unsqueeze(-1), _NEVER)
        own = matrices.diagonal(dim1=1, dim2=2).transpose(1, 2)
        emotional = emotion_logits[..., 1:] - emotion_logits[..., :1]
        causing = cause_logits[..., 1:] - cause_logits[..., :1]
        # Features of an utterance are concatenated before they are selected for its pairs: two selections, not nine.
        of_target = torch.cat([own, emotional, causing, row.amax(dim=2), row.logsumexp(dim=2)], dim=-1)
        of_cause = torch.cat([own, emotional, causing], dim=-1)
        roles = pair.shape[-1]
        target = of_target.flatten(0, 1).index_select(0, pairs.targets)
        target, best, total = target.tensor_split((roles + 2, 2 * roles + 2), dim=-1)
        cause = of_cause.flatten(0, 1).index_select(0, pairs.causes)
        known = torch.cat([pair, pair - best, total, pair - total, target, cause], dim=-1)
        distances = self.distance.index_select(0, pairs.offsets(self.max_distance))
        added: Tensor = self.output(self.known((known / _LOG_ODDS_SCALE).to(self.distance.dtype)) + distances)
        return scores + added.float()


def distance_log_rates(table: PairTable, n_classes: int, max_distance: int) -> NDArray[np.float32]:
    """Log rates of the classes at each turn distance.

    Distances beyond ``max_distance`` are pooled. Half a pair of each class is added everywhere, so that what does not
    occur in train is unlikely and not impossible; a distance without any pair gets equal rates.

    Args:
        table: Train pairs.
        n_classes: Number of classes ``C``.
        max_distance: Largest distance that has rates of its own.

    Returns:
        ``(2 * max_distance + 1, C)`` float32; row ``max_distance + d`` is of pairs whose target is ``d`` turns after
        the candidate cause.

    Example:
        >>> labels, gap = np.array([0, 1, 1, 1]), np.array([0, 0, 1, 7])
        >>> none = np.zeros(4, dtype=bool)
        >>> table = PairTable(labels.astype(str), labels.astype(str), 9 + gap, 9 + 0 * gap, labels, none)
        >>> np.exp(distance_log_rates(table, 2, max_distance=1).astype(float)).round(2).tolist()
        [[0.5, 0.5], [0.5, 0.5], [0.17, 0.83]]
    """
    distances = np.clip(table.distances, -max_distance, max_distance) + max_distance
    counts = np.full((2 * max_distance + 1, n_classes), 0.5)
    np.add.at(counts, (distances, table.labels), 1.0)
    rates: NDArray[np.float32] = np.log(counts / counts.sum(axis=1, keepdims=True)).astype(np.float32)
    return rates


def _with_one(values: Tensor) -> Tensor:
    return torch.cat([values, values.new_ones(len(values), 1)], dim=-1)


class _Bilinear(nn.Module):
    """Low-rank bilinear score ``(A h_i) diag(w_c) (B h_j)`` per class ``c``."""

    def __init__(self, hidden: int, rank: int, classes: int):
        super().__init__()
        self.target = nn.Linear(hidden, rank)
        self.cause = nn.Linear(hidden, rank)
        self.weight = nn.Linear(rank, classes, bias=False)

    def forward(self, hidden: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        product = self.target(hidden).index_select(0, rows) * self.cause(hidden).index_select(0, columns)
        scores: Tensor = self.weight(product)
        return scores
