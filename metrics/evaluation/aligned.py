"""Aligns predictions with the gold candidates and applies the decision rule.

A file may list fewer pairs than there are candidates: those that it does not list are non-pairs, which is counted and
said. Nothing that ranks pairs can be computed of it.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.errors import InvalidDataError, MetricInputError, UsageError
from iemomecp_dataset.metrics.evaluation.coverage import aligned_order, check_no_repeats, name_pairs, sparse_order
from iemomecp_dataset.metrics.evaluation.decision import decisions_of
from iemomecp_dataset.metrics.evaluation.gold import GoldSplit
from iemomecp_dataset.metrics.evaluation.predicted_emotions import corpus_emotions, emotions_of_targets
from iemomecp_dataset.metrics.evaluation.prediction_facts import PredictionFacts
from iemomecp_dataset.metrics.evaluation.prediction_types import CandidatePredictions
from iemomecp_dataset.metrics.evaluation.results import EvaluationOptions
from iemomecp_dataset.metrics.evaluation.semeval import missing_and_further
from iemomecp_dataset.metrics.evaluation.window import gold_within
from iemomecp_dataset.metrics.pair_inputs import check_probabilities
from iemomecp_dataset.metrics.set_scores import PairSet, pair_set
from iemomecp_dataset.metrics.thresholds import best_threshold
from iemomecp_dataset.pair_table import PairTable

__all__ = [
    "ScoredCandidates",
    "check_same_form",
    "gold_pairs_of",
    "other_data",
    "predicted_pairs",
    "score_candidates",
    "with_threshold_of",
]


@dataclass(frozen=True)
class ScoredCandidates:
    """Predictions of a file in the order of the gold, with the decision taken.

    Attributes:
        predictions: The file, restricted to what is scored.
        gold: The gold data, or ``None`` where the file's own column is the gold.
        pairs: ``n`` candidates with their gold.
        class_names: Classes by id.
        order: ``(n,)`` row of the file of each candidate; -1 where it is not listed.
        probabilities: ``(n, C)``, or ``None``, also where some candidates are not listed.
        scores: ``(m, C)`` probabilities of the file's rows that decided: classes in the gold's order, rescaled where
            their digits need it; or ``None``.
        decided: ``(n,)`` int64, the decisions that are scored.
        threshold: Of the decision, or ``None``.
        threshold_chosen_on: As in :class:`~iemomecp_dataset.metrics.signature.Signature`.
        missed: Gold pairs that are not candidates: by source dialogue, or how many in all.
        emotions: ``(n,)`` str, the predicted emotion of the target, empty where there is none; or ``None``.
        outside: Predicted pairs that are no candidates, with the predicted emotions where there are some.
        unranked: Why there are no probabilities of all candidates, where the file has some.
        notes: Remarks for readers.
    """

    predictions: CandidatePredictions
    gold: GoldSplit | None
    pairs: PairTable
    class_names: tuple[str, ...]
    order: NDArray[np.intp]
    probabilities: NDArray[np.float64] | None
    scores: NDArray[np.float64] | None
    decided: NDArray[np.int64]
    threshold: float | None
    threshold_chosen_on: str
    missed: int | Mapping[str, int]
    emotions: NDArray[np.str_] | None = None
    outside: PairSet = field(default_factory=lambda: pair_set([], [], []))
    unranked: str = ""
    notes: tuple[str, ...] = field(default=())

    @property
    def predicted(self) -> NDArray[np.float64] | NDArray[np.int64]:
        """The probabilities; the decisions of a system that has none."""
        return self.decided if self.probabilities is None else self.probabilities

    def outside_note(self, definition: str) -> list[str]:
        """Says how many predicted pairs are no candidates, and what the definition makes of them; often nothing."""
        if not len(self.outside):
            return []
        note = f"{len(self.outside)} predicted pairs are no candidates; they are "
        if definition != "F":
            return [f"{note}counted as predictions."]
        keys = (self.outside.dialogue_ids, self.outside.target_turns, self.outside.cause_turns)
        return [f"{note}left out, for the list is fixed: {name_pairs(keys)}."]


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
    notes = list(predictions.notes)
    if predictions.facts.evidence is not None:
        notes.append(
            f"Evidence was removed from the input of these predictions ({predictions.facts.evidence}): the scores are "
            "a diagnostic of the system, not its result."
        )
    predictions = _within_gold(predictions, gold, notes)
    predictions = predictions.take(options.window.of(predictions.pairs)) if options.window else predictions
    missed: int | Mapping[str, int]
    if gold is None:
        given = options.missed_positives
        missed = n_missed = predictions.facts.missed_positives or 0 if given is None else given
        if options.window and missed:
            raise UsageError(f"The {missed} gold pairs that are not candidates are needed: add --data-dir.")
        pairs, class_names = _own_gold(predictions, n_missed), predictions.class_names
        order, outside = np.arange(len(pairs)), np.zeros(0, dtype=np.intp)
        notes.append(
            "Gold is the file's own column: whether every candidate of the split is in the file was not checked "
            "(--data-dir does)."
        )
    else:
        gold = gold_within(gold, options.window)
        pairs, class_names, missed = gold.table, gold.class_names, dict(gold.missed_by_source)
        order, outside = _order(predictions, pairs)
        _check_same_gold(predictions, gold, order)
        notes += other_data(predictions.facts, gold)
    to_gold = _class_order(predictions, class_names)
    scores = None if predictions.probabilities is None else _scores(predictions, to_gold, class_names, notes)
    own = None if predictions.decisions is None else np.argsort(to_gold)[predictions.decisions]
    of_file, threshold, chosen_on = decisions_of(predictions, scores, own, options, notes)
    listed = order >= 0
    decided = np.full(len(pairs), _non_pair(class_names), dtype=np.int64)
    decided[listed] = of_file[order[listed]]
    unranked = _unlisted(pairs, listed, predictions, notes)
    if predictions.n_unscored:
        notes.append(
            f"{predictions.n_unscored} of {len(predictions)} pairs were not scored by the model; their decisions are "
            "those of the file" + ("." if scores is not None else ", and nothing can be ranked.")
        )
    emotions = corpus_emotions(predictions, gold, options, notes)
    wrong = predictions.pairs.take(outside[of_file[outside] == 0])
    return ScoredCandidates(
        predictions=predictions,
        gold=gold,
        pairs=pairs,
        class_names=class_names,
        order=order,
        probabilities=scores[order] if scores is not None and listed.all() else None,
        scores=scores,
        decided=decided,
        threshold=threshold,
        threshold_chosen_on=chosen_on,
        missed=missed,
        emotions=None if emotions is None else emotions_of_targets(predictions.pairs, emotions, pairs),
        outside=pair_set(
            *wrong.keys, None if emotions is None else emotions_of_targets(predictions.pairs, emotions, wrong)
        ),
        unranked=unranked,
        notes=tuple(notes),
    )


def with_threshold_of(validation: ScoredCandidates, options: EvaluationOptions) -> EvaluationOptions:
    """Chooses the threshold on a system's predictions for the validation split.

    Args:
        validation: These predictions. Candidates that the file does not list are never predicted.
        options: How to score.

    Returns:
        The options with that threshold; as they are where they state a decision rule, or where the system only
        decides.

    Raises:
        MetricInputError: The split has no gold pair.
    """
    scores = validation.scores
    if scores is None or options.threshold is not None or options.argmax:
        return options
    listed = validation.order >= 0
    labels = validation.pairs.labels
    value, _ = best_threshold(
        scores[validation.order[listed], 0],
        labels[listed],
        missed_positives=validation.pairs.missed_positives + int((labels[~listed] == 0).sum()),
    )
    split = "validation" if validation.gold is None else validation.gold.split
    return replace(options, threshold=value, threshold_chosen_on=split)


def check_same_form(files: Sequence[CandidatePredictions]) -> None:
    """Refuses files of one system of which some have probabilities and others decisions alone.

    Args:
        files: Its files, one per split.

    Raises:
        InvalidDataError: They differ.
    """
    if len({file.probabilities is None for file in files}) > 1:
        raise InvalidDataError(
            f"{' and '.join(str(file.path) for file in files)}: one file has probabilities and the other decisions "
            "alone; give both in one form."
        )


def predicted_pairs(scored: ScoredCandidates, *, emotions: str = "none") -> PairSet:
    """Collects the pairs a system decided for, those that are no candidates included.

    Args:
        scored: The system.
        emotions: Origin of their emotions: ``none``, ``predicted`` or ``gold``.

    Returns:
        The pairs.

    Raises:
        UsageError: Emotions are needed and not known.
    """
    chosen = scored.decided == 0
    inside, outside = scored.pairs.take(chosen), scored.outside
    keys = (
        np.concatenate((inside.dialogue_ids, outside.dialogue_ids)),
        np.concatenate((inside.target_turns, outside.target_turns)),
        np.concatenate((inside.cause_turns, outside.cause_turns)),
    )
    if emotions == "none":
        return pair_set(*keys)
    names = list(zip(keys[0].tolist(), keys[1].tolist(), strict=True))
    if scored.emotions is not None:  # the file's own, whatever their origin
        further = np.zeros(0, dtype=np.str_) if outside.emotions is None else outside.emotions
        own = np.concatenate((scored.emotions[chosen], further)).tolist()
        if "" in own:
            dialogue, target = names[own.index("")]
            raise UsageError(
                f"{scored.predictions.path}: its column emotion is empty for {own.count('')} of {len(own)} predicted "
                f"pairs, such as those of target {target} in dialogue {dialogue}."
            )
        return pair_set(*keys, own)
    known = {} if scored.gold is None else scored.gold.emotions
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


def _within_gold(predictions: CandidatePredictions, gold: GoldSplit | None, notes: list[str]) -> CandidatePredictions:
    """Leaves out the dialogues that the gold does not have, of a file that lists its dialogues."""
    if gold is None or predictions.listed is None:
        return predictions
    further = missing_and_further(predictions.path, predictions.listed, gold.source_dialogues)
    if further:
        notes.append(f"{len(further)} conversations of the file are not in the gold and are left out.")
    return predictions.take(~np.isin(predictions.pairs.dialogue_ids, further))


def other_data(facts: PredictionFacts, gold: GoldSplit) -> list[str]:
    """Says where a file states other digests of data or texts than the gold's.

    Args:
        facts: What the file states.
        gold: The gold data.

    Returns:
        A sentence for the data and one for the texts, where they differ.
    """
    return [
        f"The file was made on {what} with fingerprint {known}; the gold here has {here}. The candidates are the "
        f"same; {differing}."
        for what, known, here, differing in (
            ("data", facts.data_fingerprint, gold.data_fingerprint, "emotions or labels are not"),
            ("texts", facts.text_fingerprint, gold.text_fingerprint, "what was said or by whom is not"),
        )
        if known is not None and known != here
    ]


def _scores(
    predictions: CandidatePredictions, to_gold: NDArray[np.intp], class_names: tuple[str, ...], notes: list[str]
) -> NDArray[np.float64]:
    """``(n, C)`` probabilities in the gold's order of classes, rescaled where their digits need it, with a note."""
    assert predictions.probabilities is not None
    try:
        scores, n_rescaled = check_probabilities(predictions.probabilities[:, to_gold], class_names)
    except MetricInputError as error:
        raise MetricInputError(f"{predictions.path}: {error}") from None
    if n_rescaled:
        notes.append(
            f"The probabilities of {n_rescaled} of {len(scores)} pairs did not sum to one within their digits and were "
            "rescaled."
        )
    return scores.astype(np.float64, copy=False)


def _order(predictions: CandidatePredictions, pairs: PairTable) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Positions of the candidates in the file; a file that a run of ours wrote has them all."""
    if predictions.facts.data_fingerprint is not None:
        found = aligned_order(str(predictions.path), predictions.pairs.keys, pairs.keys)
        return found, np.zeros(0, dtype=np.intp)
    return sparse_order(str(predictions.path), predictions.pairs.keys, pairs.keys)


def _non_pair(class_names: tuple[str, ...]) -> int:
    return class_names.index("non_pair") if "non_pair" in class_names else len(class_names) - 1


def _unlisted(pairs: PairTable, listed: NDArray[np.bool_], predictions: CandidatePredictions, notes: list[str]) -> str:
    """Says how many candidates are not in the file; returns why it ranks nothing."""
    n_unlisted = int((~listed).sum())
    if not n_unlisted:
        return ""
    bare = len(set(pairs.dialogue_ids.tolist()) - set(predictions.pairs.dialogue_ids.tolist()))
    notes.append(
        f"{n_unlisted} of {len(pairs)} candidates are not in the file and count as non_pair"
        + (f"; {bare} dialogues have no pair there." if bare else ".")
    )
    return f"{n_unlisted} of {len(pairs)} candidates are not in the file and have no scores"


def _check_same_gold(predictions: CandidatePredictions, gold: GoldSplit, order: NDArray[np.intp]) -> None:
    if predictions.labels is None:
        return
    if set(predictions.class_names) != set(gold.class_names):
        return  # _class_order refuses these
    ids = np.array([gold.class_names.index(name) for name in predictions.class_names])
    different = np.flatnonzero((order >= 0) & (ids[predictions.labels[order]] != gold.table.labels))
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
    unknown = [name for name in predictions.class_names if name not in class_names]
    if unknown or set(predictions.class_names) != set(class_names):
        lacking = [name for name in class_names if name not in predictions.class_names]
        close = difflib.get_close_matches(unknown[0], lacking, n=1) if unknown else []
        raise UsageError(
            f"{predictions.path} predicts the classes {', '.join(predictions.class_names)}; the gold has "
            f"{', '.join(class_names)}. "
            + (f"Is prob_{unknown[0]} meant to be prob_{close[0]}? If not, choose" if close else "Choose")
            + " the configuration it was made for with --config-name."
        )
    return np.array([predictions.class_names.index(name) for name in class_names], dtype=np.int64)
