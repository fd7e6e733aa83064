"""Structural rows beside a file with explanations: of the same items, each with the difference."""

from __future__ import annotations

from dataclasses import replace

from iemomecp_dataset.benchmark.baselines.explanation_rows import (
    FRAME_GOLD_CAUSE,
    ROW_NAMES,
    ExplanationSystem,
    explanation_systems,
)
from iemomecp_dataset.benchmark.baselines.structural import NOT_BUILT
from iemomecp_dataset.errors import MissingDependencyError
from iemomecp_dataset.metrics.evaluation.explanations.evaluation import ExplanationFileEvaluation
from iemomecp_dataset.metrics.evaluation.results import EvaluationOptions
from iemomecp_dataset.metrics.evaluation.structural_rows import (
    StructuralRow,
    StructuralRows,
    compared_with,
    system_less_rows,
)
from iemomecp_dataset.metrics.significance.explanation_bootstrap import explanation_unit_counts

__all__ = ["rows_beside_explanations"]

_COLUMNS = (
    ("content_cider", "content CIDEr"),
    ("cider", "CIDEr"),
    ("bleu_4", "BLEU-4"),
    ("rouge_l", "ROUGE-L"),
)
_GOLD_CAUSES = "its gold causes are information that a system does not have in use."


def rows_beside_explanations(
    result: ExplanationFileEvaluation, options: EvaluationOptions, *, compare: str | None = None
) -> StructuralRows:
    """Scores the structural rows of a leaderboard on the items that a file was scored on.

    They are those of :func:`~iemomecp_dataset.benchmark.baselines.explanation_rows.explanation_systems`, made from the
    train split of the corpus that the references were loaded from; without one there are none. They have the scores
    that are counted; METEOR and learned ones are in the record that ``--as-run`` writes.

    Args:
        result: The scores of the file.
        options: How it was scored.
        compare: Also run the paired tests of the file and this row.

    Returns:
        The rows.

    Raises:
        UsageError: There is no row ``compare``.
    """
    first, gold, own = result.first, result.gold, result.evaluations[0]
    corpus = None if gold is None else gold.loaded
    absent: dict[str, str] = {}
    built: list[ExplanationSystem] = []
    if corpus is None:
        absent = dict.fromkeys(ROW_NAMES.values(), "made from train: --data-dir gives it.")
    else:
        try:
            built = explanation_systems(corpus)
        except MissingDependencyError as error:
            absent = dict.fromkeys(ROW_NAMES.values(), str(error))
    systems: list[ExplanationSystem] = []
    for system in built:
        if own.signature.split in system.predictions:
            systems.append(system)
        else:
            reason = "rows are made from train and explain the items of other splits."
            is_told = system.description.startswith(NOT_BUILT)
            absent[system.display_name] = system.description.removeprefix(NOT_BUILT) if is_told else reason
    counts = explanation_unit_counts(
        [first.predictions, *(system.predictions[own.signature.split] for system in systems)],
        first.references or (),
        first.dialogue_ids,
    )
    rows = [
        StructuralRow(
            key=system.key,
            name=system.display_name,
            description=system.description,
            decision="",
            signature=str(
                replace(
                    own.signature,
                    epoch_chosen_on="none",
                    causes="gold" if system.key == FRAME_GOLD_CAUSE else "none",
                )
            ),
            scores=its.scores(),
            remark=_GOLD_CAUSES if system.key == FRAME_GOLD_CAUSE else "",
        )
        for system, its in zip(systems, counts[1:], strict=True)
    ]
    compared = system_less_rows(counts[0], rows, counts[1:], options)
    found = StructuralRows(
        of=own.path,
        items="the same items",
        columns=_COLUMNS,
        compared=("content_cider", "cider"),
        own=own.scores,
        own_decision="",
        rows=compared,
        absent=absent,
    )
    return compared_with(found, compare, counts, options)
