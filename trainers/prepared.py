"""A scorer that is ready to be trained on a corpus."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.trainers.encoders.text import TextEncoder
from iemomecp_dataset.trainers.scoring_method import Examples, ScoringMethod

__all__ = ["PreparedScorer"]


@dataclass(frozen=True)
class PreparedScorer:
    """What a run needs of its scorer.

    Attributes:
        model: The ``PreTrainedModel``.
        method: How it is trained and scored.
        examples: By split, in the order of the pair tables.
        truncated: By split ``truncated_utterances`` and, for the isolated scorer, ``truncated_pairs``.
        encoder: The text encoder with its tokeniser, or none without text.
        frozen_texts: Frozen features by text, where there are any; structural baselines use them.
        without_evidence: The method that scores pairs whose candidate is removed, where there is such a thing.
    """

    model: Any
    method: ScoringMethod
    examples: Mapping[str, Examples]
    truncated: Mapping[str, Mapping[str, int]]
    encoder: TextEncoder | None = None
    frozen_texts: Mapping[str, NDArray[np.float32]] | None = None
    without_evidence: ScoringMethod | None = None
