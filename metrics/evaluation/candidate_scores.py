"""Scores of a system on a list of candidates, their signature, and paired tests of two systems."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from iemomecp_dataset.corpora.metadata import IEMOMECP, corpus_of_config, default_definition
from iemomecp_dataset.errors import InvalidDataError, MetricInputError, UsageError, did_you_mean
from iemomecp_dataset.metrics.calibration import brier_score, expected_calibration_error
from iemomecp_dataset.metrics.evaluation.aligned import ScoredCandidates, gold_pairs_of, predicted_pairs
from iemomecp_dataset.metrics.evaluation.coverage import aligned_order
from iemomecp_dataset.metrics.evaluation.listed_sets import OWN_EMOTIONS, neutral_note, with_other
from iemomecp_dataset.metrics.evaluation.one_class import one_class_warning
from iemomecp_dataset.metrics.evaluation.predictions import split_of_file
from iemomecp_dataset.metrics.evaluation.results import Evaluation, EvaluationOptions, FileComparison
from iemomecp_dataset.metrics.evaluation.uncertainty import intervals_of, paired_tests
from iemomecp_dataset.metrics.evaluation.window import WINDOW_STATEMENT
from iemomecp_dataset.metrics.ranking import cause_ranking_scores, confidence_gap_scores
from iemomecp_dataset.metrics.roles import context_error_directions, source_binary_remaps
from iemomecp_dataset.metrics.scoring import confusion_matrix, pair_scores, scores_of_decisions
from iemomecp_dataset.metrics.set_scores import DEFINITIONS, SEMEVAL_EMOTIONS, count_sets, set_scores
from iemomecp_dataset.metrics.signature import Signature, check_comparable, gold_fingerprint, gold_terms
from iemomecp_dataset.metrics.significance.counts import UnitCounts, candidate_unit_counts, set_unit_counts
from iemomecp_dataset.metrics.turn_scores import turn_set_scores
from iemomecp_dataset.schema import ROLE_LABELS

__all__ = ["candidate_signature", "compare_candidates", "counts_beside", "emotions_origin", "evaluate_candidates"]


def evaluate_candidates(scored: ScoredCandidates, options: EvaluationOptions) -> Evaluation:
    """Scores predictions on a candidate list.

    Args:
        scored: From :func:`~iemomecp_dataset.metrics.evaluation.aligned.score_candidates`.
        options: How to score.

    Returns:
        Scores, intervals and their signature.

    Raises:
        UsageError: The definition needs emotions or gold that are not known.
    """
    signature = candidate_signature(scored, options)
    further, undefined = _further_scores(scored)
    notes = list(scored.notes)
    if warning := one_class_warning(scored.decided, scored.class_names, signature.split):
        notes.append(warning)
    n_missed = scored.pairs.missed_positives
    if _by_candidates([scored], signature):
        labels, names = scored.pairs.labels, scored.class_names
        missed = 0 if signature.definition == "F" else n_missed
        if scored.probabilities is None:
            scores = pair_scores(scored.decided, labels, names, missed_positives=missed)
        else:
            scores = scores_of_decisions(scored.probabilities, scored.decided, labels, names, missed_positives=missed)
        reasons = scores.pop("undefined")
        if scored.probabilities is None and (scored.unranked or scored.predictions.n_unscored):
            why = scored.unranked or f"{scored.predictions.n_unscored} of {len(labels)} pairs have no scores"
            reasons = {key: why if key.endswith("_auprc") else old for key, old in reasons.items()}
        undefined = reasons | undefined
    else:
        scores = set_scores(
            predicted_pairs(scored, emotions=signature.emotions),
            gold_pairs_of(scored),
            definition=signature.definition,
            emotions=_emotions([scored]),
        )
        notes += neutral_note(scores, "have a neutral target")
        if signature.emotions == "gold":
            notes.append("Predicted pairs have the gold emotion of their target: an upper bound, not a result.")
        if signature.emotions == "predicted" and options.gold_emotions:
            notes.append(OWN_EMOTIONS)
        if signature.definition == "A":
            undefined["pair_auprc"] = "predicted pairs that are no candidates have no place in a ranking"
    notes += scored.outside_note(signature.definition)
    if n_missed and signature.definition == "F":
        notes.append(f"{n_missed} gold pairs are not candidates; definition F does not count them. Definition A does.")
    if options.window:
        notes.append(f"{options.window.word}: {WINDOW_STATEMENT}.")
    if signature.oracle:
        notes.append("Threshold or epoch was chosen on the very split that is scored: an upper bound, not a result.")
    counts = _unit_counts([scored], [signature])[0]
    if options.n_resamples and len(counts.units) < 2:
        notes.append("One dialogue alone cannot be resampled; there are no intervals.")
    return Evaluation(
        path=scored.predictions.path,
        signature=signature,
        scores=scores,
        further=further,
        undefined=undefined,
        intervals=intervals_of(counts, options),
        gold_from="the file's own column" if scored.gold is None else f"{scored.gold.config_name}, {scored.gold.split}",
        notes=tuple(notes),
    )


def candidate_signature(scored: ScoredCandidates, options: EvaluationOptions) -> Signature:
    """Builds the signature of scores of a candidate list.

    Args:
        scored: The system.
        options: How it is scored.

    Returns:
        The signature.

    Raises:
        UsageError: There is no such definition, or it needs emotions or gold that are not known.
    """
    facts, gold, pairs = scored.predictions.facts, scored.gold, scored.pairs
    config = gold.config_name if gold else facts.config_name or ("3class" if _has_roles(scored) else "unknown")
    corpus = gold.corpus if gold else facts.corpus or (IEMOMECP if corpus_of_config(config) == IEMOMECP else "unknown")
    definition = options.definition or facts.definition or default_definition(corpus)
    if definition not in DEFINITIONS:
        raise UsageError(f"There is no definition {definition!r} of Pair F1. {did_you_mean(definition, DEFINITIONS)}")
    if definition == "F" or gold or not pairs.missed_positives:
        n_gold, data = gold_terms(definition, pairs, gold_pairs_of(scored))
    elif definition == "A":
        inside = gold_pairs_of(scored)
        n_gold = len(inside) + pairs.missed_positives
        data = f"partial-{gold_fingerprint(inside.dialogue_ids, inside.target_turns, inside.cause_turns)}"
    else:
        raise UsageError(
            f"Definition {definition} needs to know the {pairs.missed_positives} gold pairs that are not candidates; "
            "give the gold with --data-dir."
        )
    emotions = "none"
    if definition in ("C", "D"):
        emotions = emotions_origin(scored, options, f"Definition {definition}")
        if gold is None or gold.pairs.emotions is None:
            raise UsageError(f"Definition {definition} needs the gold emotions of the targets: add --data-dir.")
    return Signature(
        definition=definition,
        corpus=corpus,
        task=config,
        split=gold.split if gold else facts.split or split_of_file(scored.predictions.path) or "unknown",
        n_gold=n_gold,
        n_candidates=len(pairs),
        n_missed=pairs.missed_positives,
        forward_pairs=gold.forward_pairs if gold else facts.forward_pairs or _forward_pairs(scored, config),
        emotions=emotions,
        threshold=scored.threshold,
        threshold_chosen_on=scored.threshold_chosen_on,
        data=data,
        synthetic=gold.synthetic if gold else bool(facts.synthetic),
        texts=(gold.text_fingerprint if gold else facts.text_fingerprint) or "unknown",
        epoch_chosen_on=facts.epoch_chosen_on or "unknown",
        window=options.window.word,
        part=facts.part or "none",
    )


def emotions_origin(scored: ScoredCandidates, options: EvaluationOptions, what: str) -> Literal["gold", "predicted"]:
    """Tells where the emotions of predicted pairs come from.

    Args:
        scored: The system; what its file has comes before gold emotions.
        options: How to score.
        what: What needs them, for the error.

    Returns:
        The origin.

    Raises:
        UsageError: The file has none, and gold ones are not allowed.
    """
    if scored.emotions is not None:
        return "gold" if scored.predictions.facts.emotions == "gold" else "predicted"
    if options.gold_emotions:
        return "gold"
    raise UsageError(
        f"{what} needs the emotion of every predicted pair and {scored.predictions.path} has none: add a column "
        "emotion with predicted ones. --gold-emotions takes the gold ones, and everything that is written states that."
    )


def compare_candidates(first: ScoredCandidates, second: ScoredCandidates, options: EvaluationOptions) -> FileComparison:
    """Tests whether two systems differ on the same dialogues.

    Args:
        first: A system.
        second: Another, on the same candidates.
        options: How to score.

    Returns:
        Differences, first minus second.

    Raises:
        InvalidDataError: The files hold other pairs or other gold.
        MetricInputError: Their scores do not compare, or evidence was removed from the input of one alone.
    """
    evidence = [scored.predictions.facts.evidence or "nothing removed" for scored in (first, second)]
    if evidence[0] != evidence[1]:
        raise MetricInputError(
            "These scores do not compare, for the systems had different input. Evidence: "
            f"{evidence[0]} in {first.predictions.path}, {evidence[1]} in {second.predictions.path}."
        )
    order = aligned_order(str(second.predictions.path), second.pairs.keys, first.pairs.keys)
    different = np.flatnonzero(second.pairs.labels[order] != first.pairs.labels)
    if len(different) or first.class_names != second.class_names:
        dialogue, target, cause = (values[different[0] if len(different) else 0] for values in first.pairs.keys)
        raise InvalidDataError(
            f"{first.predictions.path} and {second.predictions.path} have other gold: {len(different)} pairs differ, "
            f"the first is (dialogue {dialogue}, target {target}, cause {cause}); classes "
            f"{', '.join(first.class_names)} against {', '.join(second.class_names)}."
        )
    in_order = replace(
        second,
        pairs=replace(first.pairs, missed_positives=second.pairs.missed_positives),
        order=second.order[order],
        probabilities=None if second.probabilities is None else second.probabilities[order],
        decided=second.decided[order],
        emotions=None if second.emotions is None else second.emotions[order],
    )
    signatures = [candidate_signature(scored, options) for scored in (first, in_order)]
    check_comparable(signatures)
    counts = _unit_counts([first, in_order], signatures)
    return paired_tests(first.predictions.path, second.predictions.path, counts, options)


def counts_beside(
    first: ScoredCandidates, others: Sequence[ScoredCandidates], options: EvaluationOptions
) -> list[UnitCounts]:
    """Counts a system and others on the same candidates in the same order, for differences by a paired bootstrap.

    Each is counted on the grid of its own scores, which is many times narrower than one of all their scores. For a
    permutation test, which needs the same grid, give one other.

    Args:
        first: A system.
        others: Others, whose pairs are in the order of the first.
        options: How to score.

    Returns:
        The counts of the first, then of the others.
    """
    systems = [first, *others]
    signatures = [candidate_signature(scored, options) for scored in systems]
    if len(others) == 1 or not _by_candidates(systems, signatures[0]):
        return _unit_counts(systems, signatures)
    return [_unit_counts([scored], [its])[0] for scored, its in zip(systems, signatures, strict=True)]


def _forward_pairs(scored: ScoredCandidates, config: str) -> str:
    if config == "3class":
        return "as_published"
    if config == "source_binary":
        forward = scored.pairs.distances < 0
        return "gold" if (scored.pairs.labels[forward] == 0).any() else "as_published"
    return scored.predictions.candidate_space


def _has_roles(scored: ScoredCandidates) -> bool:
    return scored.class_names == ROLE_LABELS


def _emotions(systems: Sequence[ScoredCandidates]) -> tuple[str, ...]:
    first = systems[0]
    names = SEMEVAL_EMOTIONS if first.gold is None else first.gold.scored_emotions
    return with_other(names, *(scored.emotions for scored in systems), *(scored.outside.emotions for scored in systems))


def _by_candidates(systems: Sequence[ScoredCandidates], signature: Signature) -> bool:
    """Whether the score is one of the candidate list: F, and A where no predicted pair is outside of it."""
    within = not any(len(scored.outside) for scored in systems)
    return signature.definition == "F" or (signature.definition == "A" and within)


def _further_scores(scored: ScoredCandidates) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Computes the scores beside the definition's own, by group, and the reasons of those that are NaN."""
    groups: dict[str, dict[str, Any]] = {}
    pairs, gold = scored.pairs, scored.gold
    if gold is not None and pairs.emotional_targets is not None:
        groups["turn sets"] = dict(
            turn_set_scores(
                scored.decided,
                pairs.labels,
                dialogue_ids=pairs.dialogue_ids,
                target_turns=pairs.target_turns,
                cause_turns=pairs.cause_turns,
                emotional_targets=pairs.emotional_targets,
                has_context=_has_roles(scored),
            )
        )
    if scored.probabilities is not None:
        confidences, positive = scored.probabilities[:, 0], pairs.labels == 0
        keys = (pairs.dialogue_ids, pairs.target_turns)
        groups["ranking within targets"] = cause_ranking_scores(confidences, positive, *keys)
        groups["confidence"] = confidence_gap_scores(confidences, positive, *keys)
        groups["calibration"] = {
            "brier": brier_score(confidences, positive),
            "ece_15_equal_mass_bins": expected_calibration_error(confidences, positive),
        }
    if _has_roles(scored):
        confusion = confusion_matrix(pairs.labels, scored.decided, len(ROLE_LABELS))
        groups["gold contexts"] = dict(context_error_directions(confusion))
        if gold is not None and gold.source_pairs is not None:
            for name, row in source_binary_remaps(scored.decided, gold.source_pairs).items():
                groups[f"source-binary remap: {name}"] = row
    undefined: dict[str, str] = {}
    for name, group in groups.items():
        undefined |= group.pop("undefined", {})
        for key, value in group.items():
            if isinstance(value, float) and math.isnan(value):
                undefined.setdefault(key, f"nothing to count ({name})")
    return groups, undefined


def _unit_counts(systems: list[ScoredCandidates], signatures: list[Signature]) -> list[UnitCounts]:
    """Counts systems on the same candidates by source dialogue, each by the definition of its signature."""
    first = systems[0]
    if _by_candidates(systems, signatures[0]):
        ranked = all(scored.probabilities is not None for scored in systems)
        shown: list[Any] = [scored.probabilities if ranked else scored.decided for scored in systems]
        return candidate_unit_counts(
            shown,
            first.pairs.labels,
            first.pairs.source_dialogue_ids,
            first.class_names,
            decisions=[scored.decided for scored in systems],
            missed_positives=0 if signatures[0].definition == "F" else first.missed,
        )
    sources = dict(zip(first.pairs.dialogue_ids.tolist(), first.pairs.source_dialogue_ids.tolist(), strict=True))
    if first.gold is not None:
        sources |= first.gold.source_dialogues
    return [
        set_unit_counts(
            count_sets(
                predicted_pairs(scored, emotions=signature.emotions),
                gold_pairs_of(scored),
                definition=signature.definition,
                emotions=_emotions(systems),
                source_dialogues=sources,
            )
        )
        for scored, signature in zip(systems, signatures, strict=True)
    ]
