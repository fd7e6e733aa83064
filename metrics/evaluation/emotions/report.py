"""Reports an evaluation of emotions as text for a terminal and as JSON for programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from iemomecp_dataset.files import write_json
from iemomecp_dataset.metrics.evaluation.emotions.evaluation import EmotionEvaluation, EmotionFileEvaluation
from iemomecp_dataset.metrics.evaluation.report import (
    ends,
    files_as_json,
    files_as_text,
    number,
    score_lines,
)
from iemomecp_dataset.metrics.evaluation.text_layout import columns

__all__ = ["emotion_evaluation_as_json", "emotion_evaluation_as_text", "write_emotion_evaluation"]

_OVERALL = ("weighted_f1", "accuracy", "macro_f1", "weighted_f1_without_neutral", "n_utterances")


def emotion_evaluation_as_text(result: EmotionFileEvaluation) -> str:
    """Lays out scores, intervals, tests and signatures as plain text.

    Args:
        result: From :func:`~iemomecp_dataset.metrics.evaluation.emotions.evaluation.evaluate_emotion_files`.

    Returns:
        Lines for a terminal.
    """
    return files_as_text(result.evaluations, result.comparison, _evaluation_text, result.structural)


def emotion_evaluation_as_json(result: EmotionFileEvaluation) -> dict[str, Any]:
    """Lays out the same as JSON values; an undefined score is ``null``.

    Args:
        result: From :func:`~iemomecp_dataset.metrics.evaluation.emotions.evaluation.evaluate_emotion_files`.

    Returns:
        ``format_version, package_version, evaluations`` and, with two files, ``comparison``.
    """
    return files_as_json(
        result.evaluations,
        result.comparison,
        lambda evaluation: {
            "decision": {"rule": evaluation.decision},
            "scores": {**evaluation.scores, **evaluation.shifts},
        },
        result.structural,
    )


def write_emotion_evaluation(path: Path, result: EmotionFileEvaluation) -> None:
    """Writes what :func:`emotion_evaluation_as_json` gives.

    Args:
        path: The file; its folder is created if needed.
        result: What to write.
    """
    write_json(path, emotion_evaluation_as_json(result))


def _evaluation_text(evaluation: EmotionEvaluation, structural: list[str]) -> str:
    scores, signature = evaluation.scores, evaluation.signature
    lines = [f"predictions  {evaluation.path}", f"gold         {evaluation.gold_from}"]
    lines += [f"decision     {evaluation.decision}", "", *_overall(evaluation), *structural, ""]
    if signature.synthetic:
        lines.insert(0, "SYNTHETIC DATA: these numbers tell nothing about real dialogues.")
    lines += [*_per_class(evaluation), ""]
    for name, keys in (("shift", ("accuracy", "support")), ("stay", ("accuracy", "support"))):
        if evaluation.shifts:
            accuracy, support = (evaluation.shifts[f"{name}_{key}"] for key in keys)
            change = "another emotion" if name == "shift" else "the same emotion"
            lines.append(
                f"{name}: accuracy {number('accuracy', accuracy)} on {support} utterances whose speaker had {change} "
                "before"
            )
    if "ece" in scores:
        lines.append(f"calibration: ece {number('ece', scores['ece'])}, brier {number('brier', scores['brier'])}")
    names = signature.class_names
    confusion = [(name, *map(str, row)) for name, row in zip(names, scores["confusion_matrix"], strict=True)]
    lines += ["", *columns([("gold / predicted", *names), *confusion])]
    remarks = [f"note: {note}" for note in evaluation.notes]
    if scores["undefined"]:
        named = ", ".join(scores["undefined"])
        remarks.insert(0, f"note: neither gold nor predicted, counted 0 in macro_f1: {named}.")
    return "\n".join([*lines, *([""] if remarks else []), *remarks, "", str(signature)])


def _overall(evaluation: EmotionEvaluation) -> list[str]:
    return score_lines({name: evaluation.scores[name] for name in _OVERALL}, evaluation.intervals, "dialogues")


def _per_class(evaluation: EmotionEvaluation) -> list[str]:
    scores = evaluation.scores
    rows: list[tuple[str, ...]] = [("emotion", "F1", "interval", "precision", "recall", "support")]
    for name in evaluation.signature.class_names:
        interval = evaluation.intervals.get(f"{name}_f1")
        keys = [f"{name}_{part}" for part in ("f1", "precision", "recall", "support")]
        f1, *others = (number(key, scores[key]) for key in keys)
        rows.append((name, f1, ends(keys[0], interval)[0] if interval is not None else "", *others))
    return columns(rows)
