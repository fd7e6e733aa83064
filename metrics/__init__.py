"""Scores for emotion-cause pairs, for the emotions of utterances, and for written explanations.

The arithmetic is in plain functions of NumPy arrays, one module for each kind of score; none of them imports
``evaluate`` or torch. ``evaluate.load("iemomecp_pair_f1")``, ``evaluate.load("iemomecp_erc")`` and
``evaluate.load("iemomecp_explanations")`` wrap them; ``import iemomecp_dataset`` registers the names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iemomecp_dataset.lazy import attach

if TYPE_CHECKING:
    from iemomecp_dataset.metrics.emotion_scoring import emotion_scores
    from iemomecp_dataset.metrics.explanations.scoring import explanation_scores
    from iemomecp_dataset.metrics.explanations.signature import ExplanationSignature
    from iemomecp_dataset.metrics.scoring import pair_scores
    from iemomecp_dataset.metrics.signature import Signature
    from iemomecp_dataset.metrics.significance.bootstrap import paired_bootstrap
    from iemomecp_dataset.metrics.thresholds import best_threshold

__all__ = [
    "ExplanationSignature",
    "Signature",
    "best_threshold",
    "emotion_scores",
    "explanation_scores",
    "pair_scores",
    "paired_bootstrap",
]

attach(
    __name__,
    {
        "ExplanationSignature": "iemomecp_dataset.metrics.explanations.signature",
        "Signature": "iemomecp_dataset.metrics.signature",
        "best_threshold": "iemomecp_dataset.metrics.thresholds",
        "emotion_scores": "iemomecp_dataset.metrics.emotion_scoring",
        "explanation_scores": "iemomecp_dataset.metrics.explanations.scoring",
        "pair_scores": "iemomecp_dataset.metrics.scoring",
        "paired_bootstrap": "iemomecp_dataset.metrics.significance.bootstrap",
    },
)
