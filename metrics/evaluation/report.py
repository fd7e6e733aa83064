"""Reports an evaluation as text for a terminal and as JSON for programs."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol, TypeVar

from iemomecp_dataset import __version__
from iemomecp_dataset.files import write_json
from iemomecp_dataset.metrics.evaluation.decision import decision_as_json, decision_words
from iemomecp_dataset.metrics.evaluation.evaluate import FileEvaluation
from iemomecp_dataset.metrics.evaluation.results import Evaluation, FileComparison
from iemomecp_dataset.metrics.evaluation.structural_rows import StructuralRows, structural_as_json, structural_lines
from iemomecp_dataset.metrics.evaluation.text_layout import columns
from iemomecp_dataset.metrics.evaluation.units import UNIT_STATEMENT, in_unit
from iemomecp_dataset.metrics.evaluation.window import WINDOW_STATEMENT
from iemomecp_dataset.metrics.set_scores import DEFINITIONS
from iemomecp_dataset.metrics.significance.bootstrap import Interval

__all__ = [
    "FORMAT_VERSION",
    "comparison_as_json",
    "comparison_text",
    "ends",
    "evaluation_as_json",
    "evaluation_as_text",
    "files_as_json",
    "files_as_text",
    "number",
    "score_lines",
    "without_nan",
    "write_evaluation",
]

FORMAT_VERSION = 1
_WIDTH = 110


def evaluation_as_text(result: FileEvaluation) -> str:
    """Lays out scores, intervals, tests and signatures as plain text.

    Args:
        result: From :func:`~iemomecp_dataset.metrics.evaluation.evaluate.evaluate_files`.

    Returns:
        Lines for a terminal.
    """
    return files_as_text(result.evaluations, result.comparison, _evaluation_text, result.structural)


def evaluation_as_json(result: FileEvaluation) -> dict[str, Any]:
    """Lays out the same as JSON values; an undefined score is ``null`` and has its reason under ``undefined``.

    Args:
        result: From :func:`~iemomecp_dataset.metrics.evaluation.evaluate.evaluate_files`.

    Returns:
        ``format_version, package_version, evaluations``; with structural rows ``structural``; with two files, or a
        row that was asked for, ``comparison``.
    """
    return files_as_json(
        result.evaluations,
        result.comparison,
        structural=result.structural,
        scores_of=lambda evaluation: {
            "definition": DEFINITIONS[evaluation.signature.definition],
            "decision": decision_as_json(evaluation.signature),
            "emotions": evaluation.signature.emotions,
            "window": evaluation.signature.window,
            "scores": dict(evaluation.scores),
            "further_scores": {name: dict(group) for name, group in evaluation.further.items()},
            "undefined": dict(evaluation.undefined),
        },
    )


class _Evaluation(Protocol):
    """What the evaluation of a file of any task has."""

    @property
    def path(self) -> Path: ...
    @property
    def gold_from(self) -> str: ...
    @property
    def signature(self) -> Any: ...
    @property
    def intervals(self) -> Mapping[str, Interval]: ...
    @property
    def notes(self) -> Sequence[str]: ...


OfFile = TypeVar("OfFile", bound=_Evaluation)


def files_as_text(
    evaluations: Sequence[OfFile],
    comparison: FileComparison | None,
    text_of: Callable[[OfFile, list[str]], str],
    structural: StructuralRows | None = None,
) -> str:
    """Lays out the evaluations of one file or two, of any task, and the paired tests.

    Args:
        evaluations: One, or two.
        comparison: First minus second, where there are two.
        text_of: Lays out one of them, with the lines of its structural rows after its scores.
        structural: The structural rows beside the first.
    """
    beside = [] if structural is None else ["", *structural_lines(structural)]
    parts = [text_of(evaluation, [] if place else beside) for place, evaluation in enumerate(evaluations)]
    if comparison is not None:
        parts.append(comparison_text(comparison))
    return "\n\n".join(parts)


def files_as_json(
    evaluations: Sequence[OfFile],
    comparison: FileComparison | None,
    scores_of: Callable[[OfFile], dict[str, Any]],
    structural: StructuralRows | None = None,
) -> dict[str, Any]:
    """Lays out the same as JSON values.

    Args:
        evaluations: One, or two.
        comparison: First minus second, where there are two.
        scores_of: What is of one task alone, by key: the scores and what they are of.
        structural: The structural rows beside the first.

    Returns:
        ``format_version, package_version, evaluations``; with structural rows ``structural``; with two files, or a
        row that was asked for, ``comparison``. Scores are shares, and no number is NaN.
    """
    content: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "package_version": __version__,
        "evaluations": [
            {
                "predictions": str(evaluation.path),
                "gold": evaluation.gold_from,
                "signature": str(evaluation.signature),
                "synthetic": evaluation.signature.synthetic,
                **scores_of(evaluation),
                "intervals": {name: asdict(interval) for name, interval in evaluation.intervals.items()},
                "notes": list(evaluation.notes),
            }
            for evaluation in evaluations
        ],
    }
    if structural is not None:
        content["structural"] = structural_as_json(structural)
    if comparison is not None:
        content["comparison"] = comparison_as_json(comparison)
    return {name: without_nan(value) for name, value in content.items()}


def comparison_as_json(comparison: FileComparison) -> dict[str, Any]:
    """Lays out paired tests as JSON values."""
    return {
        "first": str(comparison.first),
        "second": str(comparison.second),
        "second_is": "structural row" if comparison.against_row else "file",
        "difference": "first minus second",
        "paired_bootstrap": {name: asdict(value) for name, value in comparison.bootstrap.items()},
        "permutation_test": {name: asdict(value) for name, value in comparison.permutation.items()},
    }


def write_evaluation(path: Path, result: FileEvaluation) -> None:
    """Writes what :func:`evaluation_as_json` gives.

    Args:
        path: The file; its folder is created if needed.
        result: What to write.
    """
    write_json(path, evaluation_as_json(result))


def _evaluation_text(evaluation: Evaluation, structural: list[str]) -> str:
    signature = evaluation.signature
    lines = [f"predictions  {evaluation.path}", f"gold         {evaluation.gold_from}"]
    if signature.synthetic:
        lines.insert(0, "SYNTHETIC DATA: these numbers tell nothing about real dialogues.")
    if signature.window != "none":
        lines.insert(0, f"{WINDOW_STATEMENT.upper()} ({signature.window}).")
    bound = "; threshold or epoch is from the scored split: an upper bound" if signature.oracle else ""
    lines.append(f"decision     {decision_words(signature)}{bound}")
    if signature.emotions != "none":
        lines.append(f"emotions     {signature.emotions} emotions of the targets")
    lines.append("")
    lines.append(_score_table(evaluation))
    lines += structural
    for name, group in evaluation.further.items():
        words = f"{name}: " + ", ".join(f"{key} {number(key, value)}" for key, value in group.items())
        lines += ["", *textwrap.wrap(words, _WIDTH, subsequent_indent="  ", break_on_hyphens=False)]
    remarks = [f"undefined: {key}: {reason}" for key, reason in evaluation.undefined.items()]
    remarks += [f"note: {note}" for note in evaluation.notes]
    if remarks:
        lines += ["", *remarks]
    lines += ["", f"{signature.definition}: {DEFINITIONS[signature.definition]}", str(signature)]
    return "\n".join(lines)


def _score_table(evaluation: Evaluation) -> str:
    scores = {name: value for name, value in evaluation.scores.items() if name != "confusion_matrix"}
    lines = score_lines(scores, evaluation.intervals, "source dialogues")
    if (matrix := evaluation.scores.get("confusion_matrix")) is not None:
        lines.append("confusion (rows gold, columns predicted): " + str(matrix))
    return "\n".join(lines)


def score_lines(scores: Mapping[str, Any], intervals: Mapping[str, Interval], units: str) -> list[str]:
    """Lays out scores with their intervals, one line each, and how the intervals were computed.

    Args:
        scores: By name.
        intervals: Of some or none of them.
        units: What was resampled.
    """
    some = next(iter(intervals.values()), None)
    heading = ("", "") if some is None else (f"{100 * some.confidence:g} % interval", "standard error")
    rows = [("score", "value", *heading)]
    for name, value in scores.items():
        interval = intervals.get(name)
        rows.append((name, number(name, value), *(ends(name, interval) if interval is not None else ("", ""))))
    how = "" if some is None else f"; percentile bootstrap, {some.n_resamples} resamples of {some.n_units} {units}"
    return [*columns(rows), f"{UNIT_STATEMENT}{how}"]


def comparison_text(comparison: FileComparison) -> str:
    """Lays out paired tests as plain text."""
    some = next(iter(comparison.bootstrap.values()))
    rows = [
        ("score", "difference", f"{100 * some.confidence:g} % interval", "p (bootstrap)", "p (permutation)"),
    ]
    for name, interval in comparison.bootstrap.items():
        test = comparison.permutation.get(name)
        rows.append(
            (
                name,
                in_unit(name, interval.estimate, signed=True),
                ends(name, interval, signed=True)[0],
                _p_value(interval.p_value, interval.n_resamples),
                _p_value(test.p_value, test.n_permutations) if test is not None else "",
            )
        )
    return "\n".join(
        [
            f"difference   {comparison.first}",
            f"minus        {_second(comparison)}",
            "",
            *columns(rows),
            f"in points; paired over {some.n_units} source dialogues, {some.n_resamples} resamples; two-sided, not "
            "corrected for testing several scores",
        ]
    )


def _second(comparison: FileComparison) -> str:
    return f"{comparison.second} (structural row)" if comparison.against_row else str(comparison.second)


def ends(name: str, interval: Interval, *, signed: bool = False) -> tuple[str, str]:
    """The interval and the standard error of a score, or of a difference, as they are printed."""
    low, high = (in_unit(name, value, signed=signed) for value in (interval.low, interval.high))
    return f"[{low}, {high}]", in_unit(name, interval.standard_error)


def _p_value(value: float | None, draws: int) -> str:
    if value is None or math.isnan(value):
        return "undefined"
    return f"< {2 / (draws + 1):.1g}" if value <= 2 / (draws + 1) else f"{value:.4f}"


def number(name: str, value: Any) -> str:
    """A score or a count as it is printed: a share in percent."""
    return in_unit(name, value) if isinstance(value, float) else str(value)


def without_nan(value: Any) -> Any:
    """Puts None in the place of numbers that JSON does not have."""
    if isinstance(value, Mapping):
        return {str(name): without_nan(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
