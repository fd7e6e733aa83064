"""The variants of the models of emotions, as options and configurations name them."""

from __future__ import annotations

from typing import Literal

__all__ = ["Ablation", "EmptyRows", "MeldSlots", "Query", "Reach"]

Ablation = Literal[
    "none",
    "no_evidence_gate",
    "no_event_encoding",
    "no_emotion_encoding",
    "no_self_event",
    "no_cross_event",
    "no_self_emotion",
    "no_cross_emotion",
    "no_feature_gate",
    "own_evidence_gate",
    "joint_feature_gate",
]
"""What ECERC leaves out (the paper's ablations). ``own_evidence_gate``: a modality is weighed without the others;
``joint_feature_gate``: each gate sees the features of all interactions."""

EmptyRows = Literal["zero", "uniform"]
"""The attention of a turn that has nothing to attend to: zero; or uniform over all turns, as ECERC's release has it."""

MeldSlots = Literal["correct", "released"]
"""Audio and video of ECERC each in its slot; or cut from ``[video | audio]``, as the release does on MELD."""

Query = Literal["evidence", "context"]
"""Queries of ECERC's interactions: the gated evidence, as released; or its context, as in the paper's text."""

Reach = Literal["causal", "full"]
"""The turns that a turn of the emotion transformer sees: itself and earlier ones, or the whole dialogue."""
