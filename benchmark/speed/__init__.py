"""Measures speed as ratios against named alternatives in the same run; ``make bench`` runs all subjects."""

SUBJECTS = (
    "conversations",
    "dataset",
    "emotions",
    "explanation_metrics",
    "explanations",
    "feature_jobs",
    "features",
    "language_models",
    "metrics",
    "peer",
    "prediction",
    "processes",
    "report",
    "training",
)
"""Modules of this folder whose ``run()`` returns rows of measurements."""

__all__ = ["SUBJECTS"]
