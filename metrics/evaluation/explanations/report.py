"""Reports an evaluation of explanations as text for a terminal and as JSON for programs."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

from iemomecp_dataset.files import write_json
from iemomecp_dataset.metrics.evaluation.explanations.evaluation import ExplanationEvaluation, ExplanationFileEvaluation
from iemomecp_dataset.metrics.evaluation.report import (
    ends,
    files_as_json,
    files_as_text,
    number,
)
from iemomecp_dataset.metrics.evaluation.text_layout import columns
from iemomecp_dataset.metrics.evaluation.units import UNIT_STATEMENT
from iemomecp_dataset.metrics.explanations.scoring import EXPLANATION_SCORES, HEADLINE_SCORE

__all__ = ["explanation_evaluation_as_json", "explanation_evaluation_as_text", "write_explanation_evaluation"]

_WIDTH = 110


def explanation_evaluation_as_text(result: ExplanationFileEvaluation) -> str:
    """Lays out scores, intervals, tests and signatures as plain text.

    Args:
        result: From
            :func:`~iemomecp_dataset.metrics.evaluation.explanations.evaluation.evaluate_explanation_files`.

    Returns:
        Lines for a terminal; no explanation is among them.
    """
    return files_as_text(result.evaluations, result.comparison, _evaluation_text, result.structural)


def explanation_evaluation_as_json(result: ExplanationFileEvaluation) -> dict[str, Any]:
    """Lays out the same as JSON values; an undefined score is ``null``, an absent one has its reason.

    Args:
        result: As in :func:`explanation_evaluation_as_text`.

    Returns:
        ``format_version, package_version, evaluations`` and, with two files, ``comparison``.
    """
    return files_as_json(
        result.evaluations,
        result.comparison,
        lambda evaluation: {"scores": dict(evaluation.scores), "unavailable": dict(evaluation.unavailable)},
        result.structural,
    )


def write_explanation_evaluation(path: Path, result: ExplanationFileEvaluation) -> None:
    """Writes what :func:`explanation_evaluation_as_json` gives.

    Args:
        path: The file; its folder is created if needed.
        result: What to write.
    """
    write_json(path, explanation_evaluation_as_json(result))


def _evaluation_text(evaluation: ExplanationEvaluation, structural: list[str]) -> str:
    lines = [f"predictions  {evaluation.path}", f"gold         {evaluation.gold_from}"]
    if evaluation.signature.synthetic:
        lines.insert(0, "SYNTHETIC DATA: these numbers tell nothing about real dialogues.")
    some = next(iter(evaluation.intervals.values()), None)
    heading = ("score", "value", "", "")
    if some is not None:
        heading = ("score", "value", f"{100 * some.confidence:g} % interval", "standard error")
    names = [HEADLINE_SCORE, *(name for name in EXPLANATION_SCORES if name != HEADLINE_SCORE), "n_items", "n_empty"]
    rows = [heading]
    for name in names:
        if name in evaluation.scores:
            interval = evaluation.intervals.get(name)
            of_interval = ends(name, interval) if interval is not None else ("", "")
            rows.append((name, number(name, evaluation.scores[name]), *of_interval))
    how = ""
    if some is not None:
        how = f"; percentile bootstrap, {some.n_resamples} resamples of {some.n_units} dialogues"
    unit = f"{UNIT_STATEMENT}; CIDEr from 0 to 10, BLEURT without bounds{how}"
    lines += ["", *columns(rows), *textwrap.wrap(unit, _WIDTH, subsequent_indent="  "), *structural]
    remarks = [f"absent: {name}: {reason}" for name, reason in evaluation.unavailable.items()]
    remarks += [f"note: {note}" for note in evaluation.notes]
    lines += ["", *(line for text in remarks for line in textwrap.wrap(text, _WIDTH, subsequent_indent="  "))]
    lines += ["", str(evaluation.signature)]
    return "\n".join(lines)
