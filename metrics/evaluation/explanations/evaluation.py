"""Evaluates explanations files: scores, intervals, signatures, and paired tests of two files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from iemomecp_dataset.corpora.metadata import corpus_of_config
from iemomecp_dataset.emotion_table import NO_EMOTION
from iemomecp_dataset.errors import InvalidDataError, UsageError
from iemomecp_dataset.explanation_table import ExplanationTable
from iemomecp_dataset.metrics.evaluation.evaluate import FileEvaluationRequest, corpus_options_given
from iemomecp_dataset.metrics.evaluation.explanations.gold import ExplanationGold, load_explanation_gold
from iemomecp_dataset.metrics.evaluation.explanations.predictions import (
    ExplanationPredictions,
    has_explanations,
    read_explanation_predictions,
)
from iemomecp_dataset.metrics.evaluation.results import EvaluationOptions
from iemomecp_dataset.metrics.evaluation.turn_files import (
    TurnFileEvaluation,
    aligned_turns,
    check_request,
    general_notes,
    origin_of_gold,
    scored_split,
)
from iemomecp_dataset.metrics.evaluation.uncertainty import intervals_of, paired_tests
from iemomecp_dataset.metrics.explanations.learned import bertscore_word
from iemomecp_dataset.metrics.explanations.scoring import explanation_scores
from iemomecp_dataset.metrics.explanations.signature import (
    ExplanationSignature,
    explanation_differences,
    explanation_signature_of_table,
    model_word,
)
from iemomecp_dataset.metrics.signature import check_comparable
from iemomecp_dataset.metrics.significance.bootstrap import Interval
from iemomecp_dataset.metrics.significance.explanation_bootstrap import explanation_unit_counts
from iemomecp_dataset.schema import EXPLANATION_STATUSES, canonical_split

__all__ = [
    "ExplanationEvaluation",
    "ExplanationFileEvaluation",
    "evaluate_explanation_files",
    "evaluate_explanations",
    "with_references",
]


@dataclass(frozen=True)
class ExplanationEvaluation:
    """Scores of one explanations file.

    Attributes:
        path: The file.
        signature: What was scored.
        scores: The keys of :func:`~iemomecp_dataset.metrics.explanations.scoring.explanation_scores`, without
            ``unavailable``.
        unavailable: By absent score the reason.
        intervals: Bootstrap intervals, by score.
        gold_from: Origin of the references, in words.
        notes: Remarks for readers.
    """

    path: Path
    signature: ExplanationSignature
    scores: Mapping[str, Any]
    unavailable: Mapping[str, str]
    intervals: Mapping[str, Interval]
    gold_from: str
    notes: tuple[str, ...]


ExplanationFileEvaluation = TurnFileEvaluation[ExplanationEvaluation, ExplanationPredictions, ExplanationGold]
"""Scores of an explanations file, of a second one, and the paired tests."""


def evaluate_explanation_files(request: FileEvaluationRequest) -> ExplanationFileEvaluation:
    """Scores one explanations file, or two and their difference.

    Args:
        request: What to score. Everything that concerns pairs must be left out.

    Returns:
        The scores.

    Raises:
        IemomecpError: A file, its items or the options cannot be scored; the message gives the reason.
    """
    check_request(request, "explains emotions", "explains emotions and lists no pairs", has_explanations)
    of_data = corpus_options_given(request)
    if of_data and request.data_dir is None:
        choose, them = ("chooses", "it") if len(of_data) == 1 else ("choose", "them")
        raise UsageError(
            f"{' and '.join(of_data)} {choose} what is read from --data-dir; add that, or leave {them} out."
        )
    split = None if request.split is None else canonical_split(request.split)
    files = [read_explanation_predictions(request.predictions, split=split, run_name=request.run_name)]
    if request.other is not None:
        name = request.other_run_name or (request.run_name if request.other == request.predictions else None)
        files.append(read_explanation_predictions(request.other, split=split, run_name=name))
    gold = None
    if request.data_dir is not None:
        config, of_file = scored_split(files[0], config_name=request.config_name, split=split)
        gold = load_explanation_gold(config, request.data_dir, of_file, **request.corpus_options)
    known = [with_references(file, gold) for file in files]
    evaluations = tuple(evaluate_explanations(file, gold, request.options, request.config_name) for file in known)
    if len(known) == 1:
        return ExplanationFileEvaluation(evaluations, None, known[0], gold)
    check_comparable([evaluation.signature for evaluation in evaluations], explanation_differences)
    first, second = known
    second = second.take(_order(str(second.path), second.keys, first.keys, str(first.path)))
    assert first.references is not None  # with_references gave them
    counts = explanation_unit_counts([first.predictions, second.predictions], first.references, first.dialogue_ids)
    tests = paired_tests(first.path, second.path, counts, request.options)
    return ExplanationFileEvaluation(evaluations, tests, first, gold)


def with_references(predictions: ExplanationPredictions, gold: ExplanationGold | None) -> ExplanationPredictions:
    """Brings predictions into the order of the gold, and gives them its references.

    Args:
        predictions: The file.
        gold: The gold; ``None``: the file's own column.

    Returns:
        All items of the split with their references; those of the file where it is its own gold.

    Raises:
        InvalidDataError: Items are missing or unknown, or the file has another reference.
        UsageError: There are no references.
    """
    path = predictions.path
    if gold is None:
        if predictions.references is None:
            raise UsageError(
                f"{path} has no column reference. Give the references with --data-dir, and --config-name and --split "
                "where the file does not state them."
            )
        return predictions
    of = origin_of_gold(gold)
    aligned = predictions.take(_order(str(path), predictions.keys, gold.keys, of))
    if aligned.references is not None:
        wrong = [
            key
            for key, own, its in zip(gold.keys, aligned.references, gold.table.references, strict=True)
            if own != its
        ]
        if wrong:
            dialogue, turn = wrong[0]
            raise InvalidDataError(
                f"{path}: its reference of target {turn} in dialogue {dialogue} is not that of {of}. {len(wrong)} such "
                "items: the file was made on another edition of the data."
            )
    return replace(aligned, references=gold.table.references)


def evaluate_explanations(
    predictions: ExplanationPredictions,
    gold: ExplanationGold | None,
    options: EvaluationOptions,
    config_name: str | None = None,
) -> ExplanationEvaluation:
    """Scores predictions that have their references.

    Args:
        predictions: From :func:`with_references`.
        gold: The gold data; ``None``: the file's own column.
        options: Which scores of models to compute, and how to resample.
        config_name: As in :func:`scored_split`.

    Returns:
        Scores, intervals and their signature.

    Raises:
        MetricInputError: A reference is empty.
        MissingModelError: A model that is named cannot be loaded.
    """
    facts, references = predictions.facts, predictions.references
    assert references is not None
    config = gold.config_name if gold else config_name or facts.config_name or "unknown"
    # Before the signature, which names the layer of an encoder from its files: they may come from the Hub now.
    scores = dict(explanation_scores(predictions.predictions, references, **options.explanation_scores))
    signature = explanation_signature_of_table(
        gold.table if gold else _own_table(predictions),
        corpus=gold.corpus if gold else facts.corpus or corpus_of_config(config),
        config_name=config,
        split=gold.split if gold else facts.split or "unknown",
        synthetic=gold.synthetic if gold else bool(facts.synthetic),
        texts=gold.text_fingerprint if gold else facts.text_fingerprint,
        epoch_chosen_on=facts.epoch_chosen_on,
        causes=facts.causes,
        bertscore=bertscore_word(options.bertscore_model),
        bleurt=model_word(options.bleurt_model),
    )
    unavailable = scores.pop("unavailable")
    (counts,) = explanation_unit_counts([predictions.predictions], references, predictions.dialogue_ids)
    general = general_notes(
        predictions,
        gold,
        entries="items",
        oracle=signature.oracle,
        n_units=len(counts.units),
        n_resamples=options.n_resamples,
    )
    return ExplanationEvaluation(
        path=predictions.path,
        signature=signature,
        scores=scores,
        unavailable=unavailable,
        intervals=intervals_of(counts, options),
        gold_from=origin_of_gold(gold),
        notes=(*predictions.notes, *_notes(predictions, gold, scores), *general),
    )


def _own_table(predictions: ExplanationPredictions) -> ExplanationTable:
    """The references of a file as a table, of which the speakers and emotions are not known."""
    m = len(predictions)
    return ExplanationTable(
        dialogue_ids=predictions.dialogue_ids,
        target_turns=predictions.target_turns,
        speakers=np.full(m, "", dtype=np.str_),
        emotions=np.full(m, NO_EMOTION, dtype=np.int64),
        texts=("",) * m,
        references=predictions.references or (),
        statuses=np.full(m, EXPLANATION_STATUSES.index("complete"), dtype=np.int64),
        cause_turns=((),) * m,
    )


_order = partial(aligned_turns, entry="item", turn="target", remedy="Explain every item once, an empty text is allowed")


def _notes(predictions: ExplanationPredictions, gold: ExplanationGold | None, scores: Mapping[str, Any]) -> list[str]:
    notes = []
    if scores["n_empty"]:
        notes.append(f"{scores['n_empty']} of {len(predictions)} predictions are empty, which scores 0.")
    if gold is None:
        notes.append(
            "References are the file's own column: whether every item of the split is in the file was not checked "
            "(--data-dir does). CIDEr weights n-grams by their frequency in these references."
        )
    return notes
