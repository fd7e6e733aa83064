"""Evaluates predictions files: scores, intervals, signatures, and paired tests of two files.

:func:`evaluate_files` takes what the command line gives. Below it, :func:`evaluate_candidates` scores predictions on a
candidate list and :func:`evaluate_semeval` a set of pairs; :func:`compare_candidates` tests two candidate lists.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from iemomecp_dataset.candidates import CANDIDATE_SPACES
from iemomecp_dataset.corpora.metadata import IEMOMECP, corpus_of_config, default_definition
from iemomecp_dataset.errors import InvalidDataError, UsageError, did_you_mean
from iemomecp_dataset.metrics.calibration import brier_score, expected_calibration_error
from iemomecp_dataset.metrics.evaluation.aligned import (
    ScoredCandidates,
    gold_pairs_of,
    predicted_pairs,
    score_candidates,
)
from iemomecp_dataset.metrics.evaluation.coverage import aligned_order
from iemomecp_dataset.metrics.evaluation.gold import GoldSplit, load_gold_split
from iemomecp_dataset.metrics.evaluation.predictions import (
    CandidatePredictions,
    read_candidate_predictions,
    split_of_file,
)
from iemomecp_dataset.metrics.evaluation.results import Evaluation, EvaluationOptions, FileComparison
from iemomecp_dataset.metrics.evaluation.semeval import SemevalConversations, read_semeval, write_semeval
from iemomecp_dataset.metrics.ranking import cause_ranking_scores, confidence_gap_scores
from iemomecp_dataset.metrics.roles import context_error_directions, source_binary_remaps
from iemomecp_dataset.metrics.scoring import confusion_matrix, pair_scores
from iemomecp_dataset.metrics.set_scores import DEFINITIONS, SEMEVAL_EMOTIONS, count_sets, set_scores
from iemomecp_dataset.metrics.signature import Signature, check_comparable, gold_fingerprint, gold_terms
from iemomecp_dataset.metrics.significance.bootstrap import Interval, bootstrap_intervals, paired_bootstrap
from iemomecp_dataset.metrics.significance.counts import UnitCounts, candidate_unit_counts, set_unit_counts
from iemomecp_dataset.metrics.significance.permutation import permutation_test
from iemomecp_dataset.metrics.turn_scores import turn_set_scores
from iemomecp_dataset.schema import ROLE_LABELS, canonical_split

__all__ = [
    "FileEvaluation",
    "FileEvaluationRequest",
    "candidate_signature",
    "compare_candidates",
    "evaluate_candidates",
    "evaluate_files",
    "evaluate_semeval",
    "paired_tests",
]


@dataclass(frozen=True)
class FileEvaluationRequest:
    """Names the files to score, and the gold.

    Attributes:
        predictions: The file: ``.parquet``, ``.csv``, or ``.json`` of SemEval-2024.
        other: A second file to compare with.
        data_dir: Folder of the gold data.
        gold_file: A SemEval-2024 file with the gold, for predictions of that format.
        config_name: Configuration of the gold; ``None``: what the file states, else what its classes imply.
        split: Split; ``None``: what the file states.
        run_name: Run to take from a file with several.
        other_run_name: The same for the second file.
        candidates: Candidate space of corpora other than IEMO-MECP: ``all`` or ``past``; ``None``: what the file
            states, else what its pairs imply.
        forward_pairs: Of ``source_binary``: ``as_published`` or ``gold``; ``None``: as published.
        semeval_output: Write the predicted pairs here in the SemEval-2024 format.
        options: How to score.
    """

    predictions: Path
    other: Path | None = None
    data_dir: Path | None = None
    gold_file: Path | None = None
    config_name: str | None = None
    split: str | None = None
    run_name: str | None = None
    other_run_name: str | None = None
    candidates: str | None = None
    forward_pairs: str | None = None
    semeval_output: Path | None = None
    options: EvaluationOptions = field(default_factory=EvaluationOptions)


@dataclass(frozen=True)
class FileEvaluation:
    """Scores of a file, of a second one, and the paired tests.

    Attributes:
        evaluations: One, or two.
        comparison: First minus second, where there are two.
    """

    evaluations: tuple[Evaluation, ...]
    comparison: FileComparison | None = None


def evaluate_files(request: FileEvaluationRequest) -> FileEvaluation:
    """Scores one predictions file, or two and their difference.

    Args:
        request: What to score.

    Returns:
        The scores.

    Raises:
        IemomecpError: A file, its pairs or the options cannot be scored; the message gives the reason.
    """
    if request.other_run_name is not None and request.other is None:
        raise UsageError("A second run name was given without a second file: add --compare.")
    if request.predictions.suffix == ".json":
        return _evaluate_semeval_files(request)
    if request.gold_file is not None:
        raise UsageError(
            f"{request.predictions} lists candidates; its gold comes from --data-dir or its own column. --gold is for "
            "SemEval-2024 predictions."
        )
    if request.other is not None and request.other.suffix == ".json":
        raise UsageError(f"{request.predictions} lists candidates and {request.other} does not; they cannot be paired.")
    chosen = {"split": _split(request), "config_name": request.config_name}
    files = [read_candidate_predictions(request.predictions, run_name=request.run_name, **chosen)]
    if request.other is not None:
        name = request.other_run_name or (request.run_name if request.other == request.predictions else None)
        files.append(read_candidate_predictions(request.other, run_name=name, **chosen))
    gold = None if request.data_dir is None else _gold_of_candidates(request, request.data_dir, files[0])
    scored = [score_candidates(file, gold, request.options) for file in files]
    if request.semeval_output is not None:
        if gold is None:
            raise UsageError("Writing the SemEval format needs the dialogues and their emotions: add --data-dir.")
        write_semeval(request.semeval_output, predicted_pairs(scored[0], gold_emotions=True), gold.conversations)
    evaluations = tuple(evaluate_candidates(system, request.options) for system in scored)
    comparison = compare_candidates(scored[0], scored[1], request.options) if len(scored) == 2 else None
    return FileEvaluation(evaluations, comparison)


def _evaluate_semeval_files(request: FileEvaluationRequest) -> FileEvaluation:
    # Read before the gold is looked for: a file of another format needs no gold, but another file.
    files = {path: read_semeval(path) for path in (request.predictions, request.other) if path is not None}
    gold: GoldSplit | SemevalConversations
    if request.gold_file is not None:
        gold = read_semeval(request.gold_file)
    elif request.data_dir is not None:
        if request.config_name is None or request.split is None:
            raise UsageError("A SemEval-2024 file does not state its corpus and split: add --config-name and --split.")
        gold = load_gold_split(request.config_name, request.data_dir, canonical_split(request.split))
    else:
        raise UsageError(
            f"{request.predictions} holds no gold beside its predictions: give a gold file with --gold, or the corpus "
            "with --data-dir, --config-name and --split."
        )
    scored = [
        evaluate_semeval(path, files[path], gold, request.options)
        for path in (request.predictions, request.other)
        if path is not None
    ]
    if len(scored) == 1:
        return FileEvaluation((scored[0][0],))
    (first, first_counts), (second, second_counts) = scored
    check_comparable([first.signature, second.signature])
    comparison = paired_tests(first.path, second.path, [first_counts, second_counts], request.options)
    return FileEvaluation((first, second), comparison)


def _split(request: FileEvaluationRequest) -> str | None:
    return None if request.split is None else canonical_split(request.split)


def _gold_of_candidates(request: FileEvaluationRequest, data_dir: Path, predictions: CandidatePredictions) -> GoldSplit:
    facts = predictions.facts
    config = request.config_name or facts.config_name or ("3class" if predictions.class_names == ROLE_LABELS else None)
    if config is None:
        raise UsageError(
            f"{predictions.path} does not state its configuration and classes {', '.join(predictions.class_names)} fit "
            "several: add --config-name (source_binary, ecf, mecad, mec4 or reccon)."
        )
    split = _split(request) or facts.split or split_of_file(predictions.path)
    if split is None:
        raise UsageError(f"{predictions.path} does not state its split: add --split (train, validation or test).")
    options: dict[str, str] = {}
    if config == "source_binary":
        options["forward_pairs"] = request.forward_pairs or facts.forward_pairs or "as_published"
    elif corpus_of_config(config) != IEMOMECP:
        options["candidates"] = request.candidates or _candidate_space(predictions)
    return load_gold_split(config, data_dir, split, **options)


def _candidate_space(predictions: CandidatePredictions) -> str:
    """Takes the space that the file states, else the one that its pairs imply."""
    stated = predictions.facts.candidates
    if stated in CANDIDATE_SPACES:
        return str(stated)
    return "all" if (predictions.pairs.distances < 0).any() else "past"


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
    n_missed = scored.pairs.missed_positives
    if signature.definition in ("A", "F"):
        labels, names = scored.pairs.labels, scored.class_names
        missed = 0 if signature.definition == "F" else n_missed
        scores = pair_scores(scored.decided, labels, names, missed_positives=missed)
        reasons = scores.pop("undefined")
        if scored.probabilities is not None:
            ranked = pair_scores(scored.probabilities, labels, names, missed_positives=missed)
            scores |= {key: value for key, value in ranked.items() if key.endswith("_auprc")}
            reasons = {key: why for key, why in reasons.items() if not key.endswith("_auprc")} | ranked["undefined"]
        elif scored.predictions.n_unscored:
            why = f"{scored.predictions.n_unscored} of {len(labels)} pairs have no scores"
            reasons = {key: why if key.endswith("_auprc") else old for key, old in reasons.items()}
        undefined = reasons | undefined
    else:
        scores = set_scores(
            predicted_pairs(scored, gold_emotions=signature.emotions == "gold"),
            gold_pairs_of(scored),
            definition=signature.definition,
            emotions=_emotions(scored),
        )
        notes += _neutral_note(scores, "have a neutral target")
        if signature.emotions == "gold":
            notes.append("Predicted pairs have the gold emotion of their target: an upper bound, not a result.")
    if n_missed and signature.definition == "F":
        notes.append(f"{n_missed} gold pairs are not candidates; definition F does not count them. Definition A does.")
    if signature.oracle:
        notes.append("The threshold was chosen on the very split that is scored: an upper bound, not a result.")
    counts = _unit_counts([scored], [signature])[0]
    if options.n_resamples and len(counts.units) < 2:
        notes.append("One dialogue alone cannot be resampled; there are no intervals.")
    return Evaluation(
        path=scored.predictions.path,
        signature=signature,
        scores=scores,
        further=further,
        undefined=undefined,
        intervals=_intervals(counts, options),
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
        if not options.gold_emotions:
            raise UsageError(
                f"Definition {definition} needs the emotion of every predicted pair and {scored.predictions.path} has "
                "none. --gold-emotions takes the gold ones, and the signature states that."
            )
        emotions = "gold"
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
        MetricInputError: Their scores do not compare.
    """
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
        probabilities=None if second.probabilities is None else second.probabilities[order],
        decided=second.decided[order],
    )
    signatures = [candidate_signature(scored, options) for scored in (first, in_order)]
    check_comparable(signatures)
    counts = _unit_counts([first, in_order], signatures)
    return paired_tests(first.predictions.path, second.predictions.path, counts, options)


def evaluate_semeval(
    path: Path, predicted: SemevalConversations, gold: GoldSplit | SemevalConversations, options: EvaluationOptions
) -> tuple[Evaluation, UnitCounts]:
    """Scores a SemEval-2024 file, a set of pairs without a candidate list.

    Args:
        path: The file.
        predicted: Its pairs.
        gold: The gold data, or a gold file of the same format.
        options: How to score; the default definition is A.

    Returns:
        The scores, and the counts for a paired test.

    Raises:
        InvalidDataError: Its conversations are not those of the gold.
        UsageError: Definition F, which needs a candidate list, or E.
    """
    sources: Mapping[str, str]
    if isinstance(gold, GoldSplit):
        sources, emotions = gold.source_dialogues, gold.scored_emotions
        corpus, task, split, synthetic = gold.corpus, gold.config_name, gold.split, gold.synthetic
        gold_from = f"{task}, {split}"
    else:
        sources = {name: name for name in (str(entry["conversation_ID"]) for entry in gold.conversations)}
        emotions, corpus, task, split, synthetic = SEMEVAL_EMOTIONS, "unknown", "semeval", "unknown", False
        gold_from = "a SemEval file"
    found = {str(entry["conversation_ID"]) for entry in predicted.conversations}
    if found != set(sources):
        missing, unknown = sorted(set(sources) - found), sorted(found - set(sources))
        raise InvalidDataError(
            f"{path}: its {len(found)} conversations are not the {len(sources)} of the gold: {len(missing)} missing "
            f"({', '.join(missing[:5]) or 'none'}), {len(unknown)} unknown ({', '.join(unknown[:5]) or 'none'})."
        )
    definition = options.definition or "A"
    scores = set_scores(predicted.pairs, gold.pairs, definition=definition, emotions=emotions)
    counts = set_unit_counts(
        count_sets(predicted.pairs, gold.pairs, definition=definition, emotions=emotions, source_dialogues=sources)
    )
    notes = []
    if predicted.n_repeated:
        notes.append(f"{predicted.n_repeated} pairs are given more than once and count once.")
    notes += _neutral_note(scores, "are neutral")
    signature = Signature(
        definition=definition,
        corpus=corpus,
        task=task,
        split=split,
        n_gold=int(scores["n_gold"]),
        n_candidates=0,
        n_missed=0,
        forward_pairs="all",
        emotions="none" if definition in ("A", "B") else "predicted",
        threshold=None,
        threshold_chosen_on="system",
        data=gold_fingerprint(gold.pairs.dialogue_ids, gold.pairs.target_turns, gold.pairs.cause_turns),
        synthetic=synthetic,
    )
    evaluation = Evaluation(
        path=path,
        signature=signature,
        scores=scores,
        further={},
        undefined={},
        intervals=_intervals(counts, options),
        gold_from=gold_from,
        notes=tuple(notes),
    )
    return evaluation, counts


def paired_tests(first: Path, second: Path, counts: list[UnitCounts], options: EvaluationOptions) -> FileComparison:
    """Runs the paired bootstrap and the permutation test.

    Args:
        first: The first file.
        second: The second.
        counts: Of the two systems, in this order, on the same units.
        options: How to resample.

    Returns:
        Differences, first minus second.
    """
    draws = options.n_resamples or 10_000
    return FileComparison(
        first=first,
        second=second,
        bootstrap=paired_bootstrap(
            *counts, n_resamples=draws, confidence=options.confidence, seed=options.seed, progress=options.progress
        ),
        permutation=permutation_test(*counts, n_permutations=draws, seed=options.seed, progress=options.progress),
    )


def _intervals(counts: UnitCounts, options: EvaluationOptions) -> dict[str, Interval]:
    """Resamples dialogues; without resamples, or with one dialogue alone, there are no intervals."""
    if not options.n_resamples or len(counts.units) < 2:
        return {}
    return bootstrap_intervals(
        counts,
        n_resamples=options.n_resamples,
        confidence=options.confidence,
        seed=options.seed,
        progress=options.progress,
    )


def _neutral_note(scores: Mapping[str, Any], what: str) -> list[str]:
    if not (scores.get("n_neutral_predicted") or scores.get("n_neutral_gold")):
        return []
    return [
        f"{scores['n_neutral_predicted']} predicted and {scores['n_neutral_gold']} gold pairs {what}; they count "
        "neither for nor against the system, as in the SemEval evaluation."
    ]


def _forward_pairs(scored: ScoredCandidates, config: str) -> str:
    if config == "3class":
        return "as_published"
    if config == "source_binary":
        forward = scored.pairs.distances < 0
        return "gold" if (scored.pairs.labels[forward] == 0).any() else "as_published"
    return _candidate_space(scored.predictions)


def _has_roles(scored: ScoredCandidates) -> bool:
    return scored.class_names == ROLE_LABELS


def _emotions(scored: ScoredCandidates) -> tuple[str, ...]:
    return SEMEVAL_EMOTIONS if scored.gold is None else scored.gold.scored_emotions


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
    if signatures[0].definition in ("A", "F"):
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
                predicted_pairs(scored, gold_emotions=signature.emotions == "gold"),
                gold_pairs_of(scored),
                definition=signature.definition,
                emotions=_emotions(scored),
                source_dialogues=sources,
            )
        )
        for scored, signature in zip(systems, signatures, strict=True)
    ]
