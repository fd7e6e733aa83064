r"""Training objectives for emotion-cause pair scorers and emotion recognition, and their composition by name.

Notation (arXiv 2606.18893): a dialogue has utterances :math:`1..n`; pair :math:`(i, j)` means that utterance :math:`j`
is a cause of the emotion in utterance :math:`i`; :math:`V` are the candidate pairs and :math:`Y` the gold pairs among
them. On padded batches, ``B`` is the number of dialogues, ``N`` turns, ``D`` width, ``C`` classes; row ``i`` is the
target, column ``j`` the candidate cause. Class 0 is the positive pair class of every task of this package.

=============================  =============================================================  ===================
function                       what it is                                                     source
=============================  =============================================================  ===================
`supervised_extraction`        cross entropy of emotions, causes and pairs                    2606.18893, Eq. 16
`confidence_margin_ranking`    CDMR: gold pairs above the hardest negatives of their row      Eq. 5 to 11
`corrupt_context`              zeroes random utterances outside the gold pairs                Eq. 12 and 13
`corrupted_context_stability`  CCPS: the same decisions on the corrupted dialogue             Eq. 14 and 15
`class_weights_from_counts`    weights of the pair classes in the supervised loss             2605.25208
`emotion_loss`                 focal cross entropy of the emotions of utterances              ACL 2025, long 102
=============================  =============================================================  ===================

Every mean is pooled over the mini-batch: over all utterances, all pairs or all (target, gold cause, hard negative)
triples of all its dialogues, not a mean of means. A mean over nothing is 0.

:data:`~iemomecp_dataset.trainers.compositions.OBJECTIVES` composes them by name (Eq. 17 and the controls and ablations
of the paper), and
:func:`objective_terms` computes such a composition. In the three-role task "gold" means ``emo_cause`` and the
confidence is P(emo_cause); that is this package's extension, not the paper's. There a second margin is available
(``context_ranking_weight``): it ranks P(emo_context) of the ``emo_context`` pairs above that of all other pairs of
their row, with the constant margin :math:`m_0`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial, reduce

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.pair_table import PairTable
from iemomecp_dataset.trainers.compositions import OBJECTIVES, Objective, resolve_objective

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
    "emotion_loss",
    "mean_cross_entropy",
    "objective_terms",
    "pooled_here",
    "resolve_objective",
    "supervised_extraction",
    "symmetric_divergence",
]

IGNORED_LABEL = -100
"""Label of padding, the convention of torch's cross entropy."""

Pooling = Callable[[Tensor, Tensor], Tensor]
"""Turns the sum of some values and their count, or summed weight, into a mean over the mini-batch."""


def pooled_here(total: Tensor, count: Tensor) -> Tensor:
    """Mean over a mini-batch that one process holds whole; a mean over nothing is 0, and still part of the graph.

    Where a mini-batch is sharded over processes, :mod:`iemomecp_dataset.trainers.training.distributed` pools instead.

    Args:
        total: Scalar, the sum.
        count: Scalar, the number of values, or their summed weight.

    Example:
        >>> pooled_here(torch.tensor(6.0), torch.tensor(4.0)).item()
        1.5
        >>> pooled_here(torch.tensor(0.0), torch.tensor(0.0)).item()
        0.0
    """
    return total / torch.where(count == 0, torch.ones_like(count), count)


@dataclass(frozen=True)
class ObjectiveWeights:
    r"""Sizes and weights; the defaults are the paper's one setting for every corpus (arXiv 2606.18893).

    Attributes:
        base_margin: :math:`m_0`, see :func:`confidence_margin_ranking`.
        top_k: :math:`k`, hard negatives per row.
        corruption_rate: :math:`\rho`, see :func:`corrupt_context`.
        ranking_weight: :math:`\lambda_{row}`, of the margin ranking.
        corrupted_supervision_weight: :math:`\lambda_{cor}`, see :func:`corrupted_context_stability`.
        alignment_weight: :math:`\lambda_{ali}`.
        context_ranking_weight: Of the ranking of contexts in the three-role task; 0 for none, as in the paper.
    """

    base_margin: float = 0.05
    top_k: int = 8
    corruption_rate: float = 0.30
    ranking_weight: float = 0.3
    corrupted_supervision_weight: float = 0.75
    alignment_weight: float = 0.2
    context_ranking_weight: float = 0.0


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
    r"""Supervised loss of emotion, cause and pair extraction (arXiv 2606.18893, Eq. 16).

    .. math::

        L_{sup} = \frac{1}{n} \sum_i \mathrm{CE}(z^e_i, y^e_i) + \frac{1}{n} \sum_j \mathrm{CE}(z^c_j, y^c_j)
            + \frac{1}{|V|} \sum_{(i, j) \in V} \mathrm{CE}(s_{ij}, y_{ij})

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
        pair_class_weights: ``(C,)``, such as :func:`class_weights_from_counts` gives; the pair term is then a weighted
            mean as in torch's cross entropy.
        pool: Turns a sum into a mean.

    Returns:
        Scalar: the sum of the three means.

    See Also:
        :func:`mean_cross_entropy`, each of the three means; the isolated scorer, which has pairs alone, is trained on
        it.

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


def class_weights_from_counts(table: PairTable, n_classes: int) -> tuple[float, ...]:
    r"""Weights of the pair classes for :func:`supervised_extraction` (arXiv 2605.25208).

    .. math::

        w_c = \min\left(10, \sqrt{\bar n / n_c}\right)

    :math:`n_c` are the pairs of class :math:`c` in the train split, :math:`\bar n` is their mean over classes.

    Args:
        table: Train pairs.
        n_classes: Number of classes.

    Returns:
        A weight for each class; rare ones weigh more.

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
    r"""Confidence-difference margin ranking, CDMR (arXiv 2606.18893, Eq. 5 to 11).

    In each row :math:`i`, every gold cause :math:`j^+` should be more confident than the row's hardest negatives
    :math:`j^-` by a margin that grows with the difference of their cause confidences :math:`q`:

    .. math::

        m = m_0 \exp(q_{j^-} - q_{j^+}), \qquad
        L_{CDMR} = \frac{1}{|\Omega|} \sum_{(i, j^+, j^-) \in \Omega} \max(0, m - (p_{ij^+} - p_{ij^-}))

    The :math:`k` hardest negatives of a row are its most confident ones. Neither their choice nor the margin carries
    gradient.

    Args:
        pair_confidence: ``(B, N, N)``, :math:`p`, probability of the positive class.
        cause_confidence: ``(B, N)``, :math:`q`, probability that the utterance causes some emotion.
        gold: ``(B, N, N)`` bool.
        valid: ``(B, N, N)`` bool; gold pairs that are not valid are left out.
        base_margin: :math:`m_0`.
        top_k: :math:`k`, hard negatives per row; ``None`` ranks against all negatives.
        adaptive: Whether the margin adapts to the cause confidences; :math:`m = m_0` otherwise.
        pool: Turns a sum into a mean.

    Returns:
        Scalar: the mean over all (row, gold, negative) triples :math:`\Omega` of the mini-batch, 0 when there are none.

    See Also:
        :func:`corrupted_context_stability`, the other half of RPCL: this one separates pairs within a row, that one
        makes each of them robust to changes of the other utterances.

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
    r"""Zeroes random utterances that take part in no gold pair (arXiv 2606.18893, Eq. 12 and 13).

    .. math::

        \tilde h_t = (1 - r_t) h_t, \qquad r_t \sim \mathrm{Bernoulli}(\rho) \text{ for } t \notin G, \quad
        r_t = 0 \text{ for } t \in G

    :math:`G` holds targets and causes of gold pairs.

    Args:
        utterances: ``(B, N, D)``, any representation of the utterances.
        gold: ``(B, N, N)`` bool, all gold pairs, also those that are no candidates.
        mask: ``(B, N)`` bool, true for utterances; padding is left as it is.
        rate: :math:`\rho`, probability of zeroing an utterance.
        protect_gold: Spare :math:`G`; otherwise any utterance may be zeroed.
        generator: Source of randomness; torch's global one by default.

    Returns:
        ``(B, N, D)``, the corrupted representations.

    See Also:
        :func:`corrupted_context_stability`, the loss on what a scorer makes of them.

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
    r"""Corrupted-context pair stability, CCPS (arXiv 2606.18893, Eq. 14 and 15).

    .. math::

        L_{CCPS} = \lambda_{cor} \frac{1}{|V|} \sum_{(i, j) \in V} \mathrm{CE}(\tilde s_{ij}, y_{ij})
            + \lambda_{ali} \frac{1}{|V|} \sum_{(i, j) \in V} \lVert \tilde\pi_{ij} - \pi_{ij} \rVert_2^2

    :math:`\tilde s` are the logits on the corrupted dialogue, :math:`\tilde\pi` and :math:`\pi` the distributions on it
    and on the clean dialogue. The clean distribution is the reference and gets no gradient.

    Args:
        corrupted_logits: ``(B, N, N, C)``, the scorer on the corrupted dialogue.
        clean_logits: ``(B, N, N, C)``, the scorer on the clean dialogue.
        labels: ``(B, N, N)`` int, padded with anything.
        valid: ``(B, N, N)`` bool, true for candidate pairs.
        supervision_weight: :math:`\lambda_{cor}`, of the cross entropy of the corrupted view; 0 leaves that part out.
        alignment_weight: :math:`\lambda_{ali}`, of the squared distance of the distributions, summed over classes; 0
            leaves that part out.
        pool: Turns a sum into a mean.

    Returns:
        Scalar.

    See Also:
        :func:`corrupt_context`, which makes the corrupted dialogue.

    Example:
        >>> certain, even = torch.tensor([[[[100.0, 0.0]]]]), torch.zeros(1, 1, 1, 2)
        >>> label, yes = torch.zeros(1, 1, 1, dtype=torch.long), torch.ones(1, 1, 1, dtype=torch.bool)
        >>> loss = corrupted_context_stability(even, certain, label, yes, supervision_weight=0.0, alignment_weight=1.0)
        >>> loss.item()  # (0.5 - 1)^2 + (0.5 - 0)^2
        0.5
    """
    parts = []
    if supervision_weight or not alignment_weight:  # with neither, a zero that is still part of the graph
        parts.append(supervision_weight * mean_cross_entropy(corrupted_logits, labels, valid, pool=pool))
    if alignment_weight:
        parts.append(alignment_weight * _mean_squared_distance(corrupted_logits, clean_logits, valid, pool))
    return reduce(torch.add, parts)


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
    r"""Weighted terms of an objective on one mini-batch; their sum is the loss (arXiv 2606.18893, Eq. 17).

    .. math::

        L = L_{sup} + \lambda_{row} L_{CDMR} + L_{CCPS}

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
        pool: Turns a sum into a mean.

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
                "Margin ranking needs cause_logits, which this model does not return. Leave the objectives that rank "
                "out of the objectives of the scorer's entry."
            )
        cause_confidence = cause_logits.softmax(dim=-1)[..., 1]

        def ranking(role: int, adaptive: bool) -> Tensor:
            return confidence_margin_ranking(
                pair_logits.softmax(dim=-1)[..., role],
                cause_confidence,
                (pair_labels == role) & valid,
                valid,
                base_margin=weights.base_margin,
                top_k=weights.top_k if objective.hard_negatives else None,
                adaptive=adaptive,
                pool=pool,
            )

        terms["ranking"] = weights.ranking_weight * ranking(0, objective.adaptive_margin)
        if weights.context_ranking_weight:
            # The cause head has nothing on contexts, so their margin is the constant one.
            terms["context_ranking"] = weights.context_ranking_weight * ranking(1, adaptive=False)
    if objective.corruption:
        if corrupted_pair_logits is None:
            raise UsageError(
                "This objective needs corrupted_pair_logits, which this model does not return. Leave the objectives "
                "that corrupt out of the objectives of the scorer's entry."
            )
        # One call for each part, as the log reports them apart.
        stability = partial(
            corrupted_context_stability, corrupted_pair_logits, pair_logits, pair_labels, valid, pool=pool
        )
        if objective.corrupted_supervision:
            terms["corrupted_supervision"] = stability(
                supervision_weight=weights.corrupted_supervision_weight, alignment_weight=0.0
            )
        if objective.alignment:
            terms["alignment"] = stability(supervision_weight=0.0, alignment_weight=weights.alignment_weight)
    return terms


def mean_cross_entropy(
    logits: Tensor,
    labels: Tensor,
    keep: Tensor,
    class_weights: Tensor | None = None,
    *,
    pool: Pooling = pooled_here,
) -> Tensor:
    """Mean cross entropy, weighted by class as in torch's weighted mean.

    Args:
        logits: ``(..., C)``.
        labels: ``(...)`` int; ``IGNORED_LABEL`` is left out.
        keep: ``(...)`` bool, true for what counts.
        class_weights: ``(C,)`` or none.
        pool: Turns a sum into a mean.

    Returns:
        Scalar, 0 over nothing.

    Example:
        >>> logits, labels = torch.tensor([[0.0, 0.0], [9.0, 9.0]]), torch.tensor([1, -100])
        >>> round(mean_cross_entropy(logits, labels, torch.ones(2, dtype=torch.bool)).item(), 4)  # ln 2
        0.6931
    """
    keep = keep & (labels != IGNORED_LABEL)
    places = keep.flatten().nonzero().squeeze(-1)
    kept, classes = _selected(logits, places), labels.flatten().index_select(0, places).long()
    weights = None if class_weights is None else class_weights.to(kept.dtype)
    count = (torch.ones_like(classes, dtype=kept.dtype) if weights is None else weights[classes]).sum()
    return pool(F.cross_entropy(kept, classes, weight=weights, reduction="sum"), count)


def symmetric_divergence(logits: Tensor, other: Tensor, keep: Tensor, *, pool: Pooling = pooled_here) -> Tensor:
    r"""Mean divergence of two distributions over the same classes (R-Drop, arXiv 2106.14448, Eq. 1).

    .. math::

        \frac{1}{2} \left( D_{KL}(p \Vert q) + D_{KL}(q \Vert p) \right)

    Args:
        logits: ``(..., C)``.
        other: ``(..., C)``.
        keep: ``(...)`` bool, true for what counts.
        pool: Turns a sum into a mean.

    Returns:
        Scalar, 0 over nothing; both get its gradient.

    Example:
        >>> p, q = torch.tensor([[0.5, 0.5]]).log(), torch.tensor([[0.25, 0.75]]).log()
        >>> round(symmetric_divergence(p, q, torch.tensor([True])).item(), 4)  # 0.25 * ln(3) / 2
        0.1373
    """
    places = keep.flatten().nonzero().squeeze(-1)
    p, q = (_selected(one, places).log_softmax(dim=-1) for one in (logits, other))
    divergences = 0.5 * ((p.exp() - q.exp()) * (p - q)).sum(dim=-1)
    return pool(divergences.sum(), torch.full((), len(places), dtype=divergences.dtype, device=divergences.device))


def emotion_loss(
    logits: Tensor,
    labels: Tensor,
    mask: Tensor,
    *,
    gamma: float = 0.0,
    class_weights: Tensor | Sequence[float] | None = None,
    pool: Pooling = pooled_here,
) -> Tensor:
    r"""Focal cross entropy of the emotions of utterances, as ECERC is trained (ACL 2025, long 102).

    .. math::

        L = -\frac{1}{n} \sum_i (1 - p_i)^\gamma \alpha_{y_i} \log p_i

    :math:`p_i` is the probability of the gold class :math:`y_i`; it carries no gradient in the focal factor. Unlike
    :func:`mean_cross_entropy`, the sum is divided by the number of utterances, not by the sum of :math:`\alpha`.

    Args:
        logits: ``(B, N, C)``, or ``(n, C)``; log-probabilities give the same.
        labels: ``(B, N)`` int, or ``(n,)``; ``IGNORED_LABEL`` where the emotion is not known.
        mask: Bool, of the shape of ``labels``; true for utterances.
        gamma: :math:`\gamma`, 0 for the plain cross entropy.
        class_weights: ``(C,)``, :math:`\alpha`; none for 1.
        pool: Turns a sum into a mean.

    Returns:
        Scalar, the mean over labelled utterances; 0 where there is none.

    Example:
        >>> logits, labels = torch.zeros(1, 2, 2), torch.tensor([[1, -100]])
        >>> mask = torch.tensor([[True, True]])
        >>> round(emotion_loss(logits, labels, mask).item(), 4)  # ln 2
        0.6931
        >>> round(emotion_loss(logits, labels, mask, gamma=1.0, class_weights=[1.0, 3.0]).item(), 4)  # 0.5 * 3 * ln 2
        1.0397
    """
    keep = mask & (labels != IGNORED_LABEL)
    places = keep.flatten().nonzero().squeeze(-1)
    kept, classes = _selected(logits, places), labels.flatten().index_select(0, places).long()
    losses = F.cross_entropy(kept, classes, reduction="none")
    if gamma:
        losses = losses * (1 - torch.exp(-losses.detach())) ** gamma
    if class_weights is not None:
        losses = losses * torch.as_tensor(class_weights, dtype=losses.dtype, device=losses.device)[classes]
    return pool(losses.sum(), torch.full((), len(classes), dtype=losses.dtype, device=losses.device))


def _mean_squared_distance(corrupted_logits: Tensor, clean_logits: Tensor, valid: Tensor, pool: Pooling) -> Tensor:
    places = valid.flatten().nonzero().squeeze(-1)
    corrupted = _selected(corrupted_logits, places).softmax(dim=-1)
    reference = _selected(clean_logits.detach(), places).softmax(dim=-1)
    distances = (corrupted - reference).square().sum(dim=-1)
    return pool(distances.sum(), torch.full((), distances.numel(), dtype=distances.dtype, device=distances.device))


def _selected(logits: Tensor, places: Tensor) -> Tensor:
    """``(..., C)`` to ``(P, C)``; its backward pass is much faster than that of a boolean index."""
    return logits.flatten(0, -2).index_select(0, places)
