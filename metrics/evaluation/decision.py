"""The decision rule of a system on a list of candidates."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.errors import MetricInputError, UsageError
from iemomecp_dataset.metrics.evaluation.prediction_types import CandidatePredictions
from iemomecp_dataset.metrics.evaluation.results import EvaluationOptions
from iemomecp_dataset.metrics.scoring import decide
from iemomecp_dataset.metrics.signature import Signature

__all__ = ["decision_as_json", "decision_words", "decisions_of"]


def decision_words(signature: Signature) -> str:
    """Puts the decision rule of a score into words.

    Args:
        signature: Of the score.

    Returns:
        The rule as it stands beside the score.

    Example:
        >>> from dataclasses import replace
        >>> rule = ("none", 0.30517, "validation", "c0ffee")
        >>> one = Signature("A", "ecf", "ecf", "validation", 866, 13495, 0, "all", *rule)
        >>> decision_words(one)
        'threshold 0.3052 from validation'
        >>> decision_words(replace(one, threshold_chosen_on="fixed"))
        'threshold 0.3052, fixed'
        >>> decision_words(replace(one, threshold=None, threshold_chosen_on="none"))
        'most probable class (argmax)'
    """
    if signature.threshold_chosen_on == "folds":
        return "each fold by its own threshold, as the file states them"
    if signature.threshold is None:
        if signature.threshold_chosen_on != "system":
            return "most probable class (argmax)"
        return "own decisions of the file" if signature.n_candidates else "listed pairs"
    chosen_on, value = signature.threshold_chosen_on, f"threshold {signature.threshold:.4g}"
    if chosen_on == "fixed":
        return f"{value}, fixed"
    return (
        f"{value}, chosen on a split that the file does not state"
        if chosen_on == "unknown"
        else f"{value} from {chosen_on}"
    )


def decision_as_json(signature: Signature) -> dict[str, Any]:
    """Lays out the decision rule of a score as JSON values.

    Args:
        signature: Of the score.

    Returns:
        ``rule`` in words, ``threshold`` and ``chosen_on``, null without a threshold.
    """
    threshold = signature.threshold
    return {
        "rule": decision_words(signature),
        "threshold": threshold,
        "chosen_on": None if threshold is None else signature.threshold_chosen_on,
    }


def decisions_of(
    predictions: CandidatePredictions,
    probabilities: NDArray[np.float64] | None,
    own: NDArray[np.int64] | None,
    options: EvaluationOptions,
    notes: list[str],
) -> tuple[NDArray[np.int64], float | None, str]:
    """Applies the decision rule.

    Args:
        predictions: The file.
        probabilities: ``(m, C)`` of its rows, or None.
        own: ``(m,)`` its own decisions, or None.
        options: How to score.
        notes: Receives a remark where the own decisions are not the most probable class.

    Returns:
        ``(m,)`` class ids, the threshold or None, and the split it was chosen on, ``fixed``, ``none``, ``system`` or
        ``folds``.

    Raises:
        UsageError: Options contradict each other, or ask for a decision that the file does not allow.
        MetricInputError: The threshold is outside [0, 1].
    """
    if options.threshold is not None and options.argmax:
        raise UsageError("Decide by a threshold or by the most probable class, not both.")
    if (options.threshold is not None or options.argmax) and probabilities is None:
        raise UsageError(f"{predictions.path} has no scores for every pair, so only its own decisions can be scored.")
    if probabilities is not None and (own is None or options.threshold is not None or options.argmax):
        threshold, chosen_on = None, "none"
        if options.threshold is not None:
            threshold, chosen_on = options.threshold, options.threshold_chosen_on
            if not 0.0 <= threshold <= 1.0:
                raise MetricInputError(f"The threshold must be in [0, 1]; found {threshold}.")
        elif not options.argmax and predictions.facts.threshold is not None:
            threshold = float(predictions.facts.threshold)
            chosen_on = predictions.facts.threshold_chosen_on or "unknown"
        return decide(probabilities, threshold), threshold, chosen_on
    assert own is not None  # the reader gives probabilities or decisions
    if predictions.thresholds is not None:
        return own, None, "folds"
    if probabilities is not None:
        differing = int((own != decide(probabilities)).sum())
        if differing:
            notes.append(
                f"The file's own decisions are scored; on {differing} pairs they are not its most probable class "
                "(--argmax or --threshold replace them)."
            )
    if predictions.facts.decisions_alone and predictions.facts.threshold is not None:
        return own, float(predictions.facts.threshold), predictions.facts.threshold_chosen_on or "unknown"
    return own, None, "system"
