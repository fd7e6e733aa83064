"""Aligns predictions with the gold candidates and applies the decision rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.errors import InvalidDataError, MetricInputError, UsageError
from iemomecp_dataset.metrics.evaluation.coverage import aligned_order, check_no_repeats
from iemomecp_dataset.metrics.evaluation.gold import GoldSplit
from iemomecp_dataset.metrics.evaluation.predictions import CandidatePredictions
from iemomecp_dataset.metrics.evaluation.results import EvaluationOptions
from iemomecp_dataset.metrics.scoring import decide
from iemomecp_dataset.metrics.set_scores import PairSet, pair_set
from iemomecp_dataset.pair_table import PairTable

__all__ = ["ScoredCandidates", "gold_pairs_of", "predicted_pairs", "score_candidates"]


@dataclass(frozen=True)
class ScoredCandidates:
    """Predictions of a file in the order of the gold, with the decision taken.

    Attributes:
        predictions: The file.
        gold: The gold data, or ``None`` where the file's own column is the gold.
        pairs: ``n`` candidates with their gold.
        class_names: Classes by id.
        probabilities: ``(n, C)`` or ``None``.
        decided: ``(n,)`` int64, the decisions that are scored.
        threshold: Of the decision, or ``None``.
        threshold_chosen_on: As in :class:`~iemomecp_dataset.metrics.signature.Signature`.
        missed: Gold pairs that are not candidates: by source dialogue, or how many in all.
        notes: Remarks for readers.
    """

    predictions: CandidatePredictions
    gold: GoldSplit | None
    pairs: PairTable
    class_names: tuple[str, ...]
    probabilities: NDArray[np.float64] | None
    decided: NDArray[np.int64]
    threshold: float | None
    threshold_chosen_on: str
    missed: int | Mapping[str, int]
    notes: tuple[str, ...] = field(default=())

    @property
    def predicted(self) -> NDArray[np.float64] | NDArray[np.int64]:
        """The probabilities; the decisions of a system that has none."""
        return self.decided if self.probabilities is None else self.probabilities


def score_candidates(
    predictions: CandidatePredictions, gold: GoldSplit | None, options: EvaluationOptions
) -> ScoredCandidates:
    """Aligns predictions with the gold and takes the decision.

    Args:
        predictions: The file.
        gold: The gold data; ``None``: the file's own gold column.
        options: How to score.

    Returns:
        What is scored.

    Raises:
        InvalidDataError: The pairs are not the candidates, or the file has another gold.
        MetricInputError: The probabilities cannot be scored.
        UsageError: There is no gold, or options contradict each other.
    """
    notes: list[str] = []
    missed: int | Mapping[str, int]
    if gold is None:
        given = options.missed_positives
        missed = n_missed = predictions.facts.missed_positives or 0 if given is None else given
        pairs, class_names = _own_gold(predictions, n_missed), predictions.class_names
        order = np.arange(len(pairs))
        notes.append(
            "Gold is the file's own column: whether every candidate of the split is in the file was not checked "
            "(--data-dir does)."
        )
    else:
        pairs, class_names, missed = gold.table, gold.class_names, dict(gold.missed_by_source)
        order = aligned_order(str(predictions.path), predictions.pairs.keys, pairs.keys)
        _check_same_gold(predictions, gold, order)
        known = predictions.facts.data_fingerprint
        if known is not None and known != gold.data_fingerprint:
            notes.append(
                f"The file was made on data with fingerprint {known}; the gold here has {gold.data_fingerprint}. The "
                "candidates are the same; texts, emotions or labels are not."
            )
    to_gold = _class_order(predictions, class_names)
    probabilities = None if predictions.probabilities is None else predictions.probabilities[order][:, to_gold]
    own = None if predictions.decisions is None else np.argsort(to_gold)[predictions.decisions[order]]
    decided, threshold, chosen_on = _decision(predictions, probabilities, own, options, notes)
    if predictions.n_unscored:
        notes.append(
            f"{predictions.n_unscored} of {len(predictions)} pairs were not scored by the model; their decisions are "
            "those of the file" + ("." if probabilities is not None else ", and nothing can be ranked.")
        )
    return ScoredCandidates(
        predictions=predictions,
        gold=gold,
        pairs=pairs,
        class_names=class_names,
        probabilities=probabilities,
        decided=decided,
        threshold=threshold,
        threshold_chosen_on=chosen_on,
        missed=missed,
        notes=tuple(notes),
    )


def predicted_pairs(scored: ScoredCandidates, *, gold_emotions: bool) -> PairSet:
    """Collects the pairs a system decided for.

    Args:
        scored: The system.
        gold_emotions: Give each the gold emotion of its target.

    Returns:
        The pairs.

    Raises:
        UsageError: Gold emotions are needed and not known.
    """
    keys = scored.pairs.take(scored.decided == 0).keys
    if not gold_emotions:
        return pair_set(*keys)
    known = {} if scored.gold is None else scored.gold.emotions
    names = list(zip(keys[0].tolist(), keys[1].tolist(), strict=True))
    if not known or any(name not in known for name in names):
        raise UsageError("Emotions of target utterances are needed; give gold data that has them with --data-dir.")
    return pair_set(*keys, [known[name] for name in names])


def gold_pairs_of(scored: ScoredCandidates) -> PairSet:
    """Collects the gold pairs: all of them where there is gold data, else those among the candidates.

    Args:
        scored: The system.

    Returns:
        The pairs.
    """
    if scored.gold is not None:
        return scored.gold.pairs
    return pair_set(*scored.pairs.take(scored.pairs.labels == 0).keys)


def _own_gold(predictions: CandidatePredictions, missed_positives: int) -> PairTable:
    if predictions.labels is None:
        raise UsageError(
            f"{predictions.path} has no gold column (label or gold_id). Give the gold with --data-dir, and "
            "--config-name and --split where the file does not state them."
        )
    check_no_repeats(str(predictions.path), predictions.pairs.keys)
    return PairTable(**vars(predictions.pairs), labels=predictions.labels, missed_positives=missed_positives)


def _check_same_gold(predictions: CandidatePredictions, gold: GoldSplit, order: NDArray[np.intp]) -> None:
    if predictions.labels is None:
        return
    if set(predictions.class_names) != set(gold.class_names):
        return  # _class_order refuses these
    ids = np.array([gold.class_names.index(name) for name in predictions.class_names])
    different = np.flatnonzero(ids[predictions.labels[order]] != gold.table.labels)
    if len(different):
        where = int(different[0])
        table = gold.table
        raise InvalidDataError(
            f"{predictions.path}: its gold column disagrees with {gold.config_name} {gold.split} on {len(different)} "
            f"of {len(table)} pairs; the first is (dialogue {table.dialogue_ids[where]}, target "
            f"{table.target_turns[where]}, cause {table.cause_turns[where]}): the file has "
            f"{predictions.class_names[predictions.labels[order][where]]}, the gold has "
            f"{gold.class_names[table.labels[where]]}. Is it another configuration, or other forward pairs?"
        )


def _class_order(predictions: CandidatePredictions, class_names: tuple[str, ...]) -> NDArray[np.int64]:
    if set(predictions.class_names) != set(class_names):
        raise UsageError(
            f"{predictions.path} predicts the classes {', '.join(predictions.class_names)}; the gold has "
            f"{', '.join(class_names)}. Choose the configuration it was made for with --config-name."
        )
    return np.array([predictions.class_names.index(name) for name in class_names], dtype=np.int64)


def _decision(
    predictions: CandidatePredictions,
    probabilities: NDArray[np.float64] | None,
    own: NDArray[np.int64] | None,
    options: EvaluationOptions,
    notes: list[str],
) -> tuple[NDArray[np.int64], float | None, str]:
    if options.threshold is not None and options.argmax:
        raise UsageError("Decide by a threshold or by the most probable class, not both.")
    if (options.threshold is not None or options.argmax) and probabilities is None:
        raise UsageError(f"{predictions.path} has no scores for every pair, so only its own decisions can be scored.")
    if probabilities is not None and (own is None or options.threshold is not None or options.argmax):
        threshold, chosen_on = None, "none"
        if options.threshold is not None:
            threshold, chosen_on = options.threshold, "fixed"
            if not 0.0 <= threshold <= 1.0:
                raise MetricInputError(f"The threshold must be in [0, 1]; found {threshold}.")
        elif not options.argmax and predictions.facts.threshold is not None:
            threshold = float(predictions.facts.threshold)
            chosen_on = predictions.facts.threshold_chosen_on or "unknown"
        return decide(probabilities, threshold), threshold, chosen_on
    assert own is not None  # the reader gives probabilities or decisions
    if probabilities is not None:
        differing = int((own != decide(probabilities)).sum())
        if differing:
            notes.append(
                f"The file's own decisions are scored; on {differing} pairs they are not its most probable class "
                "(--argmax or --threshold replace them)."
            )
    return own, None, "system"
