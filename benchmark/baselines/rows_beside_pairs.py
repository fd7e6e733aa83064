"""Structural rows beside a file that predicts pairs: on its own candidates or dialogues, each with the difference."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.benchmark.baselines.emotion_detection import TFIDF
from iemomecp_dataset.benchmark.baselines.structural import (
    DISTANCE_BUCKETS,
    DISTANCE_ONLY,
    NOT_BUILT,
    StructuralSystem,
    corpus_systems,
    distance_rules,
)
from iemomecp_dataset.corpus import Corpus, load_corpus
from iemomecp_dataset.errors import IemomecpError, MissingDependencyError, UsageError
from iemomecp_dataset.metrics.evaluation.aligned import ScoredCandidates, score_candidates
from iemomecp_dataset.metrics.evaluation.candidate_scores import counts_beside, evaluate_candidates
from iemomecp_dataset.metrics.evaluation.decision import decision_words
from iemomecp_dataset.metrics.evaluation.evaluate import FileEvaluation
from iemomecp_dataset.metrics.evaluation.gold import GoldSplit
from iemomecp_dataset.metrics.evaluation.listed_sets import ScoredList, evaluate_semeval
from iemomecp_dataset.metrics.evaluation.prediction_types import CandidatePredictions
from iemomecp_dataset.metrics.evaluation.results import Evaluation, EvaluationOptions
from iemomecp_dataset.metrics.evaluation.semeval import SemevalConversations, turn_numbers
from iemomecp_dataset.metrics.evaluation.structural_rows import (
    StructuralRow,
    StructuralRows,
    named_row,
    system_less_rows,
)
from iemomecp_dataset.metrics.evaluation.uncertainty import paired_tests
from iemomecp_dataset.metrics.pair_inputs import check_probabilities
from iemomecp_dataset.metrics.scoring import decide
from iemomecp_dataset.metrics.set_scores import pair_set
from iemomecp_dataset.metrics.signature import Signature
from iemomecp_dataset.metrics.significance.counts import UnitCounts
from iemomecp_dataset.pair_table import PairKeys
from iemomecp_dataset.schema import PAIR_LABELS, SPLITS

__all__ = ["rows_beside_pairs"]

_COLUMNS = (
    ("pair_f1", "Pair F1"),
    ("pair_precision", "P"),
    ("pair_recall", "R"),
    ("pair_auprc", "AUPRC"),
    ("macro_f1", "macro F1"),
)
_COMPARED = ("pair_f1", "pair_auprc")
_RANKED = ("pair_auprc", "macro_auprc")
"""Scores that no threshold bears on."""
_FITTED = {DISTANCE_ONLY: "distance only", "emotion_x_distance": "emotion x distance"}


@dataclass(frozen=True)
class _Decided:
    """A row with its decision rule.

    Attributes:
        system: The row.
        predicted: ``(n, C)`` its probabilities on the pairs.
        threshold: Of the decision; None: the most probable class.
        chosen_on: The split it was chosen on.
    """

    system: StructuralSystem
    predicted: NDArray[np.float64]
    threshold: float | None = None
    chosen_on: str | None = None


@dataclass(frozen=True)
class _Scored:
    """A row with its scores."""

    row: _Decided
    evaluation: Evaluation
    counts: UnitCounts


def rows_beside_pairs(
    result: FileEvaluation, options: EvaluationOptions, *, compare: str | None = None
) -> StructuralRows:
    """Scores the structural rows of a leaderboard on what a file was scored on.

    They are those of :func:`~iemomecp_dataset.benchmark.baselines.structural.corpus_systems`, fitted on the train split
    of the corpus that the gold was loaded from; without one there are only those that fit nothing.

    Args:
        result: The scores of the file.
        options: How it was scored. Its decision rule is not used: each row has its own.
        compare: Also run the paired tests of the file and this row (:func:`named_row`).

    Returns:
        The rows.

    Raises:
        UsageError: There is no row ``compare``, or it does not compare with the file.
    """
    first, evaluation = result.first, result.evaluations[0]
    corpus = first.gold.loaded if isinstance(first.gold, GoldSplit) else None
    items = (
        "the same candidates" if isinstance(first, ScoredCandidates) else "the same dialogues, all pairs of their turns"
    )
    definition, no_emotions = evaluation.signature.definition, ""
    if definition in ("C", "D") and (evaluation.signature.emotions != "gold" or isinstance(first, ScoredList)):
        no_emotions = f"definition {definition} scores the emotions of targets, and structural rows predict none; "
        no_emotions += "--definition A has them."
    rows: list[_Decided] = []
    absent: dict[str, str] = {}
    if no_emotions:
        absent = {rule.display_name: no_emotions for rule in distance_rules(_class_names(first))}
        absent |= dict.fromkeys(_FITTED.values(), no_emotions)
    else:
        rows, absent = _decided(first, corpus, evaluation.signature.split)
    plain = replace(
        options,
        definition=definition,
        threshold=None,
        threshold_chosen_on="fixed",
        argmax=False,
        n_resamples=0,
        progress=False,
    )
    if isinstance(first, ScoredCandidates):
        candidates = [_as_scored(row, first, corpus, plain) for row in rows]
        counts = counts_beside(first, candidates, plain) if rows else []
        scored = [
            _Scored(row, evaluate_candidates(one, plain), its)
            for row, one, its in zip(rows, candidates, counts[1:], strict=True)
        ]
    else:
        candidates = []
        counts = [first.counts]
        scored = [_scored_list(row, first, plain) for row in rows]
    own = evaluation.signature
    with_differences = system_less_rows(
        counts[0] if counts else None, [_row(one, own) for one in scored], [one.counts for one in scored], options
    )
    found = StructuralRows(
        of=evaluation.path,
        items=items,
        columns=_COLUMNS if len(_class_names(first)) > 2 else _COLUMNS[:-1],
        compared=_COMPARED,
        own=evaluation.scores,
        own_decision=decision_words(evaluation.signature),
        rows=tuple(_fair(row, one, own) for row, one in zip(with_differences, scored, strict=True)),
        absent=absent,
    )
    if compare is None:
        return found
    names = {row.key: row.name for row in found.rows}
    key = named_row(compare, names, absent)
    place = list(names).index(key)
    if bound := _why_bound(scored[place], own):
        others = [one.name for one, of_one in zip(found.rows, scored, strict=True) if not _why_bound(of_one, own)]
        raise UsageError(
            f"{names[key]} is an upper bound here, and no bar for {evaluation.path}: {bound}. Compare with "
            f"{' or '.join(others)}."
        )
    if isinstance(first, ScoredCandidates):
        pair = counts_beside(first, [candidates[place]], plain)
    else:
        pair = [first.counts, scored[place].counts]
    return replace(found, comparison=paired_tests(evaluation.path, names[key], pair, options))


def _why_bound(one: _Scored, own: Signature) -> str:
    """Why a row is an upper bound where the file is none; empty for other rows, which are bars for every file."""
    if own.oracle:
        return ""
    if own.split == "train" and not one.row.system.hard:
        return "it is fitted on train, the split that is scored"
    if one.evaluation.signature.oracle:
        return f"its threshold is from {own.split}, the split that is scored"
    return ""


def _fair(row: StructuralRow, one: _Scored, own: Signature) -> StructuralRow:
    """Leaves of an upper bound the differences that no threshold bears on; none, where it was fitted on the split."""
    if not _why_bound(one, own):
        return row
    kept = () if own.split == "train" else _RANKED
    return replace(row, differences={name: value for name, value in row.differences.items() if name in kept})


def _remark(one: _Scored, own: Signature) -> str:
    said, rates = [], one.row.system.by_bucket
    if rates is not None:
        decided = decide(check_probabilities(rates, _names_for(rates))[0], one.row.threshold)
        said.append(f"fitted on train; here it decides for a pair {_distances(decided)}")
    if bound := _why_bound(one, own):
        said.append(f"{bound}: an upper bound, so that Pair F1 has no difference")
    return f"{'; '.join(said)}." if said else ""


def _row(one: _Scored, own: Signature) -> StructuralRow:
    system, signature = one.row.system, one.evaluation.signature
    return StructuralRow(
        key=system.key,
        name=system.display_name,
        description=system.description,
        decision="fixed rule" if system.hard else decision_words(signature),
        signature=str(signature),
        scores={name: value for name, value in one.evaluation.scores.items() if isinstance(value, int | float)},
        remark=_remark(one, own),
    )


def _distances(decided: NDArray[np.int64]) -> str:
    chosen = [bucket for bucket, one in zip(DISTANCE_BUCKETS, decided.tolist(), strict=True) if one == 0]
    return f"at the distances {', '.join(chosen)}" if chosen else "nowhere"


def _names_for(rates: NDArray[np.float64]) -> tuple[str, ...]:
    return tuple(f"class {number}" for number in range(rates.shape[1]))


def _class_names(first: ScoredCandidates | ScoredList) -> tuple[str, ...]:
    if isinstance(first, ScoredCandidates):
        return first.class_names
    return first.gold.class_names if isinstance(first.gold, GoldSplit) else PAIR_LABELS


def _decided(
    first: ScoredCandidates | ScoredList, corpus: Corpus | None, split: str
) -> tuple[list[_Decided], dict[str, str]]:
    """The rows with their predictions, and the reasons of those that are not there."""
    absent: dict[str, str] = {}
    alone = corpus is not None and split not in SPLITS
    if corpus is not None and alone:
        corpus = _with_train(corpus)
    if corpus is not None and alone and "train" in corpus.rows:
        absent[_FITTED["emotion_x_distance"]] = (
            f"it detects emotions as fitted on train, and {split} has others than train: distance only uses none."
        )
    elif corpus is None or "train" not in corpus.rows:
        why = (
            "fitted on train: --data-dir gives it."
            if corpus is None
            else f"fitted on train, and {corpus.data_dir} has no train split."
        )
        absent = dict.fromkeys(_FITTED.values(), why)
    if corpus is None:
        names = _class_names(first)
        pairs = _pairs_without_corpus(first)
        if pairs is None:
            why = "the gold file does not list the utterances: --data-dir gives them."
            return [], absent | {rule.display_name: why for rule in distance_rules(names)}
        return [
            _Decided(
                StructuralSystem(rule.key, rule.display_name, rule.description, hard=True),
                np.eye(len(names))[rule.decide(pairs.distances)],
            )
            for rule in distance_rules(names)
        ], absent
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a row is not built stands below the rows
        try:
            systems = corpus_systems(corpus, feature_source=None if alone else TFIDF)
        except MissingDependencyError as error:
            absent[_FITTED["emotion_x_distance"]] = str(error)
            systems = corpus_systems(corpus, feature_source=None)
    rows = []
    for system in systems:
        if split in system.probabilities:
            rows.append(_Decided(system, system.probabilities[split], *system.threshold(corpus.tables)))
        else:
            absent[system.display_name] = system.description.removeprefix(NOT_BUILT)
    return rows, absent


def _with_train(corpus: Corpus) -> Corpus:
    """A split that was loaded alone, with the train split beside it where the folder has one."""
    try:
        train = load_corpus(
            corpus.config_name, corpus.data_dir or "", split="train", candidates=corpus.candidates, for_training=False
        )
    except IemomecpError:
        return corpus
    return replace(corpus, rows={**train.rows, **corpus.rows}, tables={**train.tables, **corpus.tables})


def _pairs_without_corpus(first: ScoredCandidates | ScoredList) -> PairKeys | None:
    """The candidates of the file; of a list every pair of the utterances in the gold file, None where it has none."""
    if isinstance(first, ScoredCandidates):
        return first.pairs
    assert isinstance(first.gold, SemevalConversations)
    keys = [
        (name, target, cause)
        for name, conversation in first.gold.conversations.items()
        for turns in [sorted(turn_numbers(conversation, name))]
        for target in turns
        for cause in turns
    ]
    if not keys:
        return None
    dialogues, targets, causes = zip(*keys, strict=True)
    names = np.array(dialogues, dtype=np.str_)
    return PairKeys(names, names, np.array(targets, dtype=np.int64), np.array(causes, dtype=np.int64))


def _keys(pairs: PairKeys) -> PairKeys:
    return PairKeys(pairs.dialogue_ids, pairs.source_dialogue_ids, pairs.target_turns, pairs.cause_turns)


def _as_scored(
    row: _Decided, first: ScoredCandidates, corpus: Corpus | None, options: EvaluationOptions
) -> ScoredCandidates:
    """The row as a system on the candidates of the file, in their order."""
    gold = first.gold
    pairs = first.pairs if corpus is None or gold is None else corpus.tables[gold.split]
    hard = row.system.hard
    stated = first.predictions.facts
    predictions = CandidatePredictions(
        path=Path(row.system.display_name),
        class_names=first.class_names,
        pairs=_keys(pairs),
        labels=first.pairs.labels if gold is None else None,
        probabilities=None if hard else row.predicted,
        decisions=decide(row.predicted) if hard else None,
        facts=replace(
            stated,
            threshold=row.threshold,
            threshold_chosen_on=row.chosen_on,
            epoch_chosen_on="none",
            data_fingerprint=None,
            text_fingerprint=stated.text_fingerprint if gold is None else None,
            decisions_alone=None,
            evidence=None,
            emotions=None,
        ),
    )
    return score_candidates(predictions, gold, options)


def _scored_list(row: _Decided, first: ScoredList, options: EvaluationOptions) -> _Scored:
    """The row as a list of pairs."""
    gold = first.gold
    pairs: Any = gold.loaded.tables[gold.split] if isinstance(gold, GoldSplit) and gold.loaded else None
    pairs = _pairs_without_corpus(first) if pairs is None else pairs
    decided = decide(check_probabilities(row.predicted, _names_for(row.predicted))[0], row.threshold) == 0
    dialogues: Sequence[str] = list(gold.source_dialogues if isinstance(gold, GoldSplit) else gold.conversations)
    listed = SemevalConversations(
        pairs=pair_set(*_keys(pairs).take(decided).keys),
        conversations={name: {} for name in dialogues},
        n_repeated=0,
    )
    evaluation, counts = evaluate_semeval(Path(row.system.display_name), listed, gold, options)
    signature = evaluation.signature
    if row.threshold is not None:
        signature = replace(signature, threshold=row.threshold, threshold_chosen_on=row.chosen_on or "unknown")
    return _Scored(row, replace(evaluation, signature=signature), counts)
