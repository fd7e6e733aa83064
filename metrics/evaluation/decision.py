"""The decision rule of a system on a list of candidates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.errors import MetricInputError, UsageError
from iemomecp_dataset.metrics.evaluation.prediction_types import CandidatePredictions
from iemomecp_dataset.metrics.evaluation.results import EvaluationOptions
from iemomecp_dataset.metrics.scoring import decide

__all__ = ["decisions_of"]


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
        ``(m,)`` class ids, the threshold or None, and the split it was chosen on, ``fixed``, ``none`` or ``system``.

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
