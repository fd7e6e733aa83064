"""Written explanations of emotions: a language model that reads the dialogue, and optionally frames and faces."""

from __future__ import annotations

from iemomecp_dataset.trainers.scorers import Scorer

__all__ = ["EXPLANATION"]

EXPLANATION = Scorer(
    name="explanation",
    description="a language model that writes why a speaker feels an emotion",
    model_class="iemomecp_dataset.trainers.explanation.modeling_explanation:ExplanationModel",
    model_type="iemomecp_explanation",
    prepare="iemomecp_dataset.trainers.explanation.task:prepare_explanations",
    write="iemomecp_dataset.trainers.explanation.prediction:predict_explanations",
    task="explanation",
)
"""Its entry in the registry."""
