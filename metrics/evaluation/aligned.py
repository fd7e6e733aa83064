"""Predictions brought in line with the gold, with the decision taken: what every score of a candidate list is from."""

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

__all__ = ["ScoredCandidates", "gold_pairs_of", "predicted_pairs", "score_candidates"]


@dataclass(frozen=True)
class ScoredCandidates:
    """A file's predictions in the order of the gold, with the decision taken.

    Attributes:
        predictions: The file.
        gold: The gold data, or ``None`` where the file's own column is the gold.
        dialogue_ids: ``(n,)`` str.
        source_dialogue_ids: ``(n,)`` str.
        target_turns: ``(n,)`` int64.
        cause_turns: ``(n,)`` int64.
        labels: ``(n,)`` int64 gold ids.
        class_names: Classes by id.
        probabilities: ``(n, C)`` or ``None``.
        decided: ``(n,)`` int64, the decisions that are scored.
        threshold: Of the decision, or ``None``.
        threshold_chosen_on: As in :class:`~iemomecp_dataset.metrics.signature.Signature`.
        missed: Gold pairs that are no candidates: by source dialogue, or how many in all.
        notes: What a reader must know.
    """

    predictions: CandidatePredictions
    gold: GoldSplit | None
    dialogue_ids: NDArray[np.str_]
    source_dialogue_ids: NDArray[np.str_]
    target_turns: NDArray[np.int64]
    cause_turns: NDArray[np.int64]
    labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    probabilities: NDArray[np.float64] | None
    decided: NDArray[np.int64]
    threshold: float | None
    threshold_chosen_on: str
    missed: int | Mapping[str, int]
    notes: tuple[str, ...] = field(default=())

    @property
    def n_missed(self) -> int:
        """Gold pairs that are no candidates."""
        return self.missed if isinstance(self.missed, int) else sum(self.missed.values())


def score_candidates(
    predictions: CandidatePredictions, gold: GoldSplit | None, options: EvaluationOptions
) -> ScoredCandidates:
    """Brings predictions in line with the gold and takes the decision.

    Args:
        predictions: The file.
        gold: The gold data; ``None``: the file's own gold column.
        options: How to score.

    Returns:
        What is scored.

    Raises:
        InvalidDataError: The pairs are not the candidates, or the file's gold is another.
        MetricInputError: The probabilities cannot be scored.
        UsageError: There is no gold, or options contradict each other.
    """
    notes: list[str] = []
    if gold is None:
        if predictions.labels is None:
            raise UsageError(
                f"{predictions.path} has no gold column (label or gold_id). Give the gold with --data-dir, and "
                "--config-name and --split where the file does not say them."
            )
        keys = (predictions.dialogue_ids, predictions.target_turns, predictions.cause_turns)
        check_no_repeats(str(predictions.path), keys)
        notes.append(
            "Gold is the file's own column: whether every candidate of the split is in the file was not checked "
            "(--data-dir does)."
        )
        order = np.arange(len(predictions))
        dialogues, targets, causes = keys
        sources, labels = predictions.source_dialogue_ids, predictions.labels
        class_names = predictions.class_names
        missed: int | Mapping[str, int] = (
            options.missed_positives
            if options.missed_positives is not None
            else predictions.facts.missed_positives or 0
        )
    else:
        table = gold.table
        dialogues, targets, causes = table.dialogue_ids, table.target_turns, table.cause_turns
        order = aligned_order(
            str(predictions.path),
            (predictions.dialogue_ids, predictions.target_turns, predictions.cause_turns),
            (dialogues, targets, causes),
        )
        sources, labels, class_names = table.source_dialogue_ids, table.labels, gold.class_names
        missed = dict(gold.missed_by_source)
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
            f"{predictions.n_unscored} of {len(predictions)} pairs were not scored by the model; their decisions stand "
            "as the file gives them" + ("." if probabilities is not None else ", and nothing can be ranked.")
        )
    return ScoredCandidates(
        predictions=predictions,
        gold=gold,
        dialogue_ids=dialogues,
        source_dialogue_ids=sources,
        target_turns=targets,
        cause_turns=causes,
        labels=labels,
        class_names=class_names,
        probabilities=probabilities,
        decided=decided,
        threshold=threshold,
        threshold_chosen_on=chosen_on,
        missed=missed,
        notes=tuple(notes),
    )


def predicted_pairs(scored: ScoredCandidates, *, gold_emotions: bool) -> PairSet:
    """The pairs a system decided for.

    Args:
        scored: The system.
        gold_emotions: Give each the gold emotion of its target.

    Returns:
        The pairs.

    Raises:
        UsageError: Gold emotions are needed and not known.
    """
    chosen = scored.decided == 0
    keys = (scored.dialogue_ids[chosen], scored.target_turns[chosen], scored.cause_turns[chosen])
    if not gold_emotions:
        return pair_set(*keys)
    known = {} if scored.gold is None else scored.gold.emotions
    names = list(zip(keys[0].tolist(), keys[1].tolist(), strict=True))
    if not known or any(name not in known for name in names):
        raise UsageError("Emotions of target utterances are needed; give gold data that has them with --data-dir.")
    return pair_set(*keys, [known[name] for name in names])


def gold_pairs_of(scored: ScoredCandidates) -> PairSet:
    """The gold pairs: all of them where there is gold data, else those among the candidates.

    Args:
        scored: The system.

    Returns:
        The pairs.
    """
    if scored.gold is not None:
        return scored.gold.pairs
    inside = scored.labels == 0
    return pair_set(scored.dialogue_ids[inside], scored.target_turns[inside], scored.cause_turns[inside])


def _check_same_gold(predictions: CandidatePredictions, gold: GoldSplit, order: NDArray[np.intp]) -> None:
    if predictions.labels is None:
        return
    if set(predictions.class_names) != set(gold.class_names):
        return  # refused by name in _class_order
    ids = np.array([gold.class_names.index(name) for name in predictions.class_names])
    different = np.flatnonzero(ids[predictions.labels[order]] != gold.table.labels)
    if len(different):
        where = int(different[0])
        table = gold.table
        raise InvalidDataError(
            f"{predictions.path}: its gold column disagrees with {gold.config_name} {gold.split} on {len(different)} "
            f"of {len(table)} pairs; the first is (dialogue {table.dialogue_ids[where]}, target "
            f"{table.target_turns[where]}, cause {table.cause_turns[where]}): the file says "
            f"{predictions.class_names[predictions.labels[order][where]]}, the gold says "
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
                "(--argmax or --threshold decide anew)."
            )
    return own, None, "system"
