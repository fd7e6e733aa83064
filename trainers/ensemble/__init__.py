"""Several trained pair scorers as one model, which predicts the mean of their probabilities."""

from __future__ import annotations

from iemomecp_dataset.trainers.scorers import Scorer

__all__ = ["SCORER"]

SCORER = Scorer(
    name="ensemble",
    description="the mean of several runs, made by iemomecp ensemble; it is not trained",
    model_class="iemomecp_dataset.trainers.ensemble.modeling:EnsembleScorer",
    model_type="iemomecp_ensemble",
)
"""Its entry, by which a saved ensemble is recognised; ``--scorer`` does not take it."""
