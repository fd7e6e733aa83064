r"""Training objectives for emotion-cause pair scorers, and their composition by name.

Notation (arXiv 2606.18893): a dialogue has utterances ``1..n``; pair ``(i, j)`` says that utterance ``j`` is a cause of
the emotion in utterance ``i``; ``V`` are the valid candidate pairs and ``Y`` the gold pairs among them. On padded
batches, ``B`` is the number of dialogues, ``N`` turns, ``D`` width, ``C`` classes; row ``i`` is the target, column
``j`` the candidate cause. Class 0 is the positive pair class of every task of this package.

=============================  =====================================================================  ==========
function                       formula                                                                equations
=============================  =====================================================================  ==========
`supervised_extraction`        mean CE of emotions + mean CE of causes + mean CE of pairs             16
`confidence_margin_ranking`    mean of relu(m - (p+ - p-)), m = m0 exp(q- - q+)                       5 to 11
`corrupt_context`              h~_t = (1 - r_t) h_t outside the gold pairs, r_t ~ Bernoulli(rho)      12 to 13
`corrupted_context_stability`  lambda_cor mean CE(s~, y) + lambda_ali mean ||pi~ - pi||^2             14 to 15
=============================  =====================================================================  ==========

Every mean is pooled over the mini-batch: over all utterances, all pairs or all (target, gold cause, hard negative)
triples of all its dialogues, not a mean of means. A mean over nothing is 0.

:data:`OBJECTIVES` composes them by name (Eq. 17 and the controls and ablations of the paper). In the three-role task
"gold" means ``emo_cause`` and the confidence is P(emo_cause); that is this package's extension, not the paper's. There
a second margin can be asked for (``context_ranking_weight``): the ranking of P(emo_context), of the ``emo_context``
pairs against all others of their row, with the constant margin ``m0``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from iemomecp_dataset.errors import UsageError, did_you_mean
from iemomecp_dataset.pair_table import PairTable

__all__ = [
    "IGNORED_LABEL",
    "OBJECTIVES",
    "Objective",
    "ObjectiveWeights",
    "Pooling",
    "class_weights_from_counts",
    "confidence_margin_ranking",
    "corrupt_context",
    "corrupted_context_stability",
    "mean_cross_entropy",
    "objective_terms",
    "pooled_here",
    "resolve_objective",
    "supervised_extraction",
]

IGNORED_LABEL = -100
"""Label of padding, the convention of torch's cross entropy."""

Pooling = Callable[[Tensor, Tensor], Tensor]
"""What turns the sum of some values and their count, or summed weight, into a mean over the mini-batch."""


def pooled_here(total: Tensor, count: Tensor) -> Tensor:
    """The mean over a mini-batch that one process has whole; a mean over nothing is 0, and still part of the graph.

    Where a mini-batch is spread over processes, :mod:`iemomecp_dataset.trainers.training.distributed` pools instead.

    Args:
        total: Scalar, the sum.
        count: Scalar, how many values it has, or their summed weight.

    Example:
        >>> pooled_here(torch.tensor(6.0), torch.tensor(4.0)).item()
        1.5
        >>> pooled_here(torch.tensor(0.0), torch.tensor(0.0)).item()
        0.0
    """
    return total / torch.where(count == 0, torch.ones_like(count), count)


@dataclass(frozen=True)
class Objective:
    """Which terms an objective has. Weights and sizes are in :class:`ObjectiveWeights`.

    Attributes:
        ranking: Margin ranking of gold against negative pairs is added to the supervised loss.
        adaptive_margin: The margin adapts to the cause confidences (Eq. 9); constant ``m0`` otherwise.
        hard_negatives: Only the ``top_k`` hardest negatives of a row are ranked; all of them otherwise.
        corruption: The pair scorer also sees a corrupted dialogue.
        protect_gold: Utterances of gold pairs are never corrupted (Eq. 12).
        corrupted_supervision: Cross entropy on the corrupted view.
        alignment: The corrupted view's distribution is pulled to the clean one.
    """

    ranking: bool = False
    adaptive_margin: bool = True
    hard_negatives: bool = True
    corruption: bool = False
    protect_gold: bool = True
    corrupted_supervision: bool = False
    alignment: bool = False


OBJECTIVES: dict[str, Objective] = {
    "base": Objective(),
    "rpcl": Objective(ranking=True, corruption=True, corrupted_supervision=True, alignment=True),
    "cdmr": Objective(ranking=True),
    "ccps": Objective(corruption=True, corrupted_supervision=True, alignment=True),
    "fixed_margin": Objective(ranking=True, adaptive_margin=False),
    "utterance_dropout": Objective(corruption=True, protect_gold=False, alignment=True),
    "rpcl_no_consistency": Objective(ranking=True, corruption=True, corrupted_supervision=True),
    "rpcl_no_corrupted_supervision": Objective(ranking=True, corruption=True, alignment=True),
    "rpcl_fixed_margin": Objective(
        ranking=True, adaptive_margin=False, corruption=True, corrupted_supervision=True, alignment=True
    ),
    "rpcl_all_negatives": Objective(
        ranking=True, hard_negatives=False, corruption=True, corrupted_supervision=True, alignment=True
    ),
}
"""Objectives by name: Base, RPCL, its two halves alone, the paper's two controls and its four ablations."""


@dataclass(frozen=True)
class ObjectiveWeights:
    """Sizes and weights, with the paper's one setting for every corpus as defaults (arXiv 2606.18893)."""

    base_margin: float = 0.05
    top_k: int = 8
    corruption_rate: float = 0.30
    ranking_weight: float = 0.3
    corrupted_supervision_weight: float = 0.75
    alignment_weight: float = 0.2
    context_ranking_weight: float = 0.0


def resolve_objective(name: str) -> Objective:
    """Finds an objective by name.

    Raises:
        UsageError: There is none of that name.

    Example:
        >>> resolve_objective("cdmr").ranking
        True
    """
    if name not in OBJECTIVES:
        raise UsageError(f"There is no objective {name!r}. {did_you_mean(name, OBJECTIVES)}")
    return OBJECTIVES[name]


def supervised_extraction(
    emotion_logits: Tensor | None,
    cause_logits: Tensor | None,
    pair_logits: Tensor,
    emotion_labels: Tensor,
    cause_labels: Tensor,
    pair_labels: Tensor,
    mask: Tensor,
    valid: Tensor,
    *,
    pair_class_weights: Tensor | None = None,
    pool: Pooling = pooled_here,
) -> Tensor:
    """Supervised loss of emotion, cause and pair extraction (arXiv 2606.18893, Eq. 16).

    Args:
        emotion_logits: ``(B, N, 2)``; index 1: the utterance is emotional. None for a model without that head, whose
            term is left out.
        cause_logits: ``(B, N, 2)``; index 1: the utterance causes some emotion. None likewise.
        pair_logits: ``(B, N, N, C)``.
        emotion_labels: ``(B, N)`` int, padded with anything.
        cause_labels: ``(B, N)`` int, padded with anything.
        pair_labels: ``(B, N, N)`` int, padded with anything.
        mask: ``(B, N)`` bool, true for utterances.
        valid: ``(B, N, N)`` bool, true for candidate pairs.
        pair_class_weights: ``(C,)``; the pair term is then a weighted mean as in torch's cross entropy.
        pool: How a sum becomes a mean.

    Returns:
        Scalar: the sum of the three means.

    Example:
        >>> logits = torch.zeros(1, 1, 2)
        >>> label, yes = torch.zeros(1, 1, dtype=torch.long), torch.ones(1, 1, dtype=torch.bool)
        >>> loss = supervised_extraction(
        ...     logits, logits, logits[:, None], label, label, label[:, None], yes, yes[:, None])
        >>> round(loss.item(), 4)  # three times ln 2
        2.0794
    """
    heads = ((emotion_logits, emotion_labels), (cause_logits, cause_labels))
    terms = [mean_cross_entropy(logits, labels, mask, pool=pool) for logits, labels in heads if logits is not None]
    terms.append(mean_cross_entropy(pair_logits, pair_labels, valid, pair_class_weights, pool=pool))
    return reduce(torch.add, terms)


def confidence_margin_ranking(
    pair_confidence: Tensor,
    cause_confidence: Tensor,
    gold: Tensor,
    valid: Tensor,
    *,
    base_margin: float = 0.05,
    top_k: int | None = 8,
    adaptive: bool = True,
    pool: Pooling = pooled_here,
) -> Tensor:
    """Confidence-difference margin ranking, CDMR (arXiv 2606.18893, Eq. 5 to 11).

    In each row, every gold cause should be more confident than the row's hardest negatives by a margin
    ``m = m0 * exp(q_negative - q_gold)``, where ``q`` is the cause confidence. Neither the choice of negatives nor the
    margin carries gradient.

    Args:
        pair_confidence: ``(B, N, N)``, probability of the positive class.
        cause_confidence: ``(B, N)``, probability that the utterance causes some emotion.
        gold: ``(B, N, N)`` bool.
        valid: ``(B, N, N)`` bool; gold pairs that are not valid are left out.
        base_margin: ``m0``.
        top_k: Hard negatives per row; ``None`` ranks against all of them.
        adaptive: Whether the margin adapts; ``m = m0`` otherwise.
        pool: How a sum becomes a mean.

    Returns:
        Scalar: the mean over all (row, gold, negative) triples of the mini-batch, 0 when there are none.

    Example:
        >>> confidence = torch.tensor([[[0.6, 0.5], [0.2, 0.2]]])
        >>> gold = torch.tensor([[[True, False], [False, False]]])
        >>> valid = torch.ones(1, 2, 2, dtype=torch.bool)
        >>> round(confidence_margin_ranking(confidence, torch.zeros(1, 2), gold, valid, base_margin=0.3).item(), 4)
        0.2
    """
    dialogue, target, cause = (gold & valid).nonzero(as_tuple=True)
    turns = pair_confidence.shape[-1]
    k = turns if top_k is None else min(top_k, turns)
    # One row of candidates for each gold pair, (P, N). Selecting rows has a much faster backward pass than indexing.
    rows = dialogue * turns + target
    candidates = pair_confidence.flatten(0, 1).index_select(0, rows)
    with torch.no_grad():
        negative = (valid & ~gold).flatten(0, 1).index_select(0, rows)
        # -1 lies below every probability, so invalid and gold entries come last.
        hardest = candidates.masked_fill(~negative, -1.0).topk(k, dim=-1).indices
        is_negative = negative.gather(-1, hardest)
        margin = torch.full_like(hardest, base_margin, dtype=pair_confidence.dtype)
        if adaptive:
            cause_confidences = cause_confidence.index_select(0, dialogue)
            gold_cause = cause_confidences.gather(-1, cause.unsqueeze(-1))
            margin = margin * torch.exp(cause_confidences.gather(-1, hardest) - gold_cause)
    gold_confidence = candidates.gather(-1, cause.unsqueeze(-1))
    violation = F.relu(margin - (gold_confidence - candidates.gather(-1, hardest)))
    return pool(violation.masked_fill(~is_negative, 0.0).sum(), is_negative.sum().to(violation.dtype))


def corrupt_context(
    utterances: Tensor,
    gold: Tensor,
    mask: Tensor,
    *,
    rate: float = 0.30,
    protect_gold: bool = True,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Zeroes random utterances that take part in no gold pair (arXiv 2606.18893, Eq. 12 and 13).

    Args:
        utterances: ``(B, N, D)``, any representation of the utterances.
        gold: ``(B, N, N)`` bool.
        mask: ``(B, N)`` bool, true for utterances; padding is left as it is.
        rate: Probability of zeroing an utterance.
        protect_gold: Spare utterances that are target or cause of a gold pair.
        generator: Source of randomness; torch's global one by default.

    Returns:
        ``(B, N, D)``, the corrupted representations.

    Raises:
        UsageError: ``rate`` is not within [0, 1].
    """
    if not 0.0 <= rate <= 1.0:
        raise UsageError(f"The corruption rate must lie within [0, 1], but is {rate}.")
    draws = torch.rand(mask.shape, generator=generator, device=generator.device if generator else mask.device)
    corrupted = (draws.to(mask.device) < rate) & mask
    if protect_gold:
        corrupted = corrupted & ~(gold.any(dim=-1) | gold.any(dim=-2))
    return utterances.masked_fill(corrupted.unsqueeze(-1), 0.0)


def corrupted_context_stability(
    corrupted_logits: Tensor,
    clean_logits: Tensor,
    labels: Tensor,
    valid: Tensor,
    *,
    supervision_weight: float = 0.75,
    alignment_weight: float = 0.2,
    pool: Pooling = pooled_here,
) -> Tensor:
    """Corrupted-context pair stability, CCPS (arXiv 2606.18893, Eq. 14 and 15).

    Args:
        corrupted_logits: ``(B, N, N, C)``, the scorer on the corrupted dialogue.
        clean_logits: ``(B, N, N, C)``, the scorer on the clean dialogue; a reference that gets no gradient.
        labels: ``(B, N, N)`` int.
        valid: ``(B, N, N)`` bool.
        supervision_weight: ``lambda_cor``, of the cross entropy of the corrupted view.
        alignment_weight: ``lambda_ali``, of the squared distance between the two distributions, summed over classes.
        pool: How a sum becomes a mean.

    Returns:
        Scalar.

    Example:
        >>> certain, even = torch.tensor([[[[100.0, 0.0]]]]), torch.zeros(1, 1, 1, 2)
        >>> label, yes = torch.zeros(1, 1, 1, dtype=torch.long), torch.ones(1, 1, 1, dtype=torch.bool)
        >>> loss = corrupted_context_stability(even, certain, label, yes, supervision_weight=0.0, alignment_weight=1.0)
        >>> loss.item()  # (0.5 - 1)^2 + (0.5 - 0)^2
        0.5
    """
    loss = supervision_weight * mean_cross_entropy(corrupted_logits, labels, valid, pool=pool)
    return loss + alignment_weight * _mean_squared_distance(corrupted_logits, clean_logits, valid, pool)


def objective_terms(
    objective: Objective,
    weights: ObjectiveWeights,
    *,
    emotion_logits: Tensor | None,
    cause_logits: Tensor | None,
    pair_logits: Tensor,
    corrupted_pair_logits: Tensor | None,
    emotion_labels: Tensor,
    cause_labels: Tensor,
    pair_labels: Tensor,
    mask: Tensor,
    valid: Tensor,
    pair_class_weights: Tensor | None = None,
    pool: Pooling = pooled_here,
) -> dict[str, Tensor]:
    """The weighted terms of an objective on one mini-batch; their sum is the loss (arXiv 2606.18893, Eq. 17).

    Args:
        objective: Which terms.
        weights: Their weights and sizes.
        emotion_logits: ``(B, N, 2)``, or None for a model without that head.
        cause_logits: ``(B, N, 2)``, or None; needed when the objective ranks.
        pair_logits: ``(B, N, N, C)``.
        corrupted_pair_logits: ``(B, N, N, C)``; needed when the objective corrupts.
        emotion_labels: ``(B, N)`` int.
        cause_labels: ``(B, N)`` int.
        pair_labels: ``(B, N, N)`` int; class 0 is gold.
        mask: ``(B, N)`` bool.
        valid: ``(B, N, N)`` bool.
        pair_class_weights: ``(C,)`` or none, for the supervised pair term.
        pool: How a sum becomes a mean.

    Returns:
        Scalars by term name: ``supervised``, and where the objective has them ``ranking``, ``context_ranking``,
        ``corrupted_supervision``, ``alignment``.
    """
    terms = {
        "supervised": supervised_extraction(
            emotion_logits,
            cause_logits,
            pair_logits,
            emotion_labels,
            cause_labels,
            pair_labels,
            mask,
            valid,
            pair_class_weights=pair_class_weights,
            pool=pool,
        )
    }
    if objective.ranking:
        if cause_logits is None:
            raise UsageError(
                "Margin ranking needs a cause head (cause_logits), which this model lacks. Use --objective base."
            )
        terms["ranking"] = weights.ranking_weight * confidence_margin_ranking(
            pair_logits.softmax(dim=-1)[..., 0],
            cause_logits.softmax(dim=-1)[..., 1],
            (pair_labels == 0) & valid,
            valid,
            base_margin=weights.base_margin,
            top_k=weights.top_k if objective.hard_negatives else None,
            adaptive=objective.adaptive_margin,
            pool=pool,
        )
        if weights.context_ranking_weight:
            terms["context_ranking"] = weights.context_ranking_weight * confidence_margin_ranking(
                pair_logits.softmax(dim=-1)[..., 1],
                # The cause head says nothing of contexts, so that their margin is the constant m0.
                cause_logits.softmax(dim=-1)[..., 1],
                (pair_labels == 1) & valid,
                valid,
                base_margin=weights.base_margin,
                top_k=weights.top_k if objective.hard_negatives else None,
                adaptive=False,
                pool=pool,
            )
    if objective.corruption:
        if corrupted_pair_logits is None:
            raise ValueError("this objective needs the logits of the corrupted view")
        if objective.corrupted_supervision:
            terms["corrupted_supervision"] = weights.corrupted_supervision_weight * mean_cross_entropy(
                corrupted_pair_logits, pair_labels, valid, pool=pool
            )
        if objective.alignment:
            terms["alignment"] = weights.alignment_weight * _mean_squared_distance(
                corrupted_pair_logits, pair_logits, valid, pool
            )
    return terms


def mean_cross_entropy(
    logits: Tensor,
    labels: Tensor,
    keep: Tensor,
    class_weights: Tensor | None = None,
    *,
    pool: Pooling = pooled_here,
) -> Tensor:
    """Mean cross entropy of some labelled things, weighted by class as in torch's weighted mean.

    Args:
        logits: ``(..., C)``.
        labels: ``(...)`` int; ``IGNORED_LABEL`` is left out.
        keep: ``(...)`` bool, what is counted.
        class_weights: ``(C,)`` or none.
        pool: How a sum becomes a mean.

    Returns:
        Scalar, 0 over nothing.

    Example:
        >>> logits, labels = torch.tensor([[0.0, 0.0], [9.0, 9.0]]), torch.tensor([1, -100])
        >>> round(mean_cross_entropy(logits, labels, torch.ones(2, dtype=torch.bool)).item(), 4)  # ln 2
        0.6931
    """
    keep = keep & (labels != IGNORED_LABEL)
    places = keep.flatten().nonzero().squeeze(-1)
    kept, classes = _selected(logits, places), labels.flatten().index_select(0, places)
    weights = None if class_weights is None else class_weights.to(kept.dtype)
    count = (torch.ones_like(classes, dtype=kept.dtype) if weights is None else weights[classes]).sum()
    return pool(F.cross_entropy(kept, classes, weight=weights, reduction="sum"), count)


def _mean_squared_distance(corrupted_logits: Tensor, clean_logits: Tensor, valid: Tensor, pool: Pooling) -> Tensor:
    places = valid.flatten().nonzero().squeeze(-1)
    corrupted = _selected(corrupted_logits, places).softmax(dim=-1)
    reference = _selected(clean_logits.detach(), places).softmax(dim=-1)
    distances = (corrupted - reference).square().sum(dim=-1)
    return pool(distances.sum(), torch.full((), distances.numel(), dtype=distances.dtype, device=distances.device))


def _selected(logits: Tensor, places: Tensor) -> Tensor:
    """``(..., C)`` to ``(P, C)``; its backward pass is much faster than that of a boolean index."""
    return logits.flatten(0, -2).index_select(0, places)


def class_weights_from_counts(table: PairTable, n_classes: int) -> tuple[float, ...]:
    """Weights of the pair classes, ``min(10, sqrt(mean class count / count))`` (arXiv 2605.25208).

    Args:
        table: Train pairs.
        n_classes: Number of classes.

    Example:
        >>> import numpy as np
        >>> labels = np.repeat([0, 1, 2], [5499, 2630, 45194])  # IEMO-MECP, train
        >>> empty = np.zeros(len(labels), dtype=np.int64)
        >>> table = PairTable(empty.astype(str), empty.astype(str), empty, empty, labels, empty.astype(bool))
        >>> [round(weight, 3) for weight in class_weights_from_counts(table, 3)]
        [1.798, 2.6, 0.627]
    """
    counts = np.bincount(table.labels, minlength=n_classes)
    return tuple(float(min(10.0, np.sqrt(counts.mean() / max(1, count)))) for count in counts)
