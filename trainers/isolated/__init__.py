"""The published baseline: one candidate pair at a time, without dialogue context (arXiv 2605.25208)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.trainers.scorers import Scorer

if TYPE_CHECKING:
    from iemomecp_dataset.trainers.options import TrainingOptions

__all__ = ["PROTOCOL", "SCORER", "protocol"]

PROTOCOL: dict[str, Any] = {
    "encoder_mode": "trained",
    "segment_pooling": "pooler",
    "max_tokens": 160,
    "dropout": 0.1,
    "class_weighting": "sqrt",
    "epochs": 10,
    "patience": 0,
    "selection": "macro_f1",
    "decision": "argmax",
    "batch_size": 16,
    "eval_batch_size": 64,
    "learning_rate": 2e-5,
    "encoder_learning_rate": 2e-5,
    "weight_decay": 0.01,
    "decay_everything": True,
    "warmup_ratio": 0.1,
    "max_grad_norm": 1.0,
    "weight_averaging": 0.0,
    "mixed_precision": "no",
}
"""The published protocol but for ``hidden_size``, which depends on the modalities. Seeds were 42, 123 and 456."""


def protocol(modalities: str) -> dict[str, Any]:
    """Options of the published protocol.

    Args:
        modalities: Some of the letters t, a, v.

    Example:
        >>> protocol("ta")["hidden_size"], protocol("a")["hidden_size"]
        (768, 256)
    """
    return {**PROTOCOL, "hidden_size": 768 if "t" in modalities else 256}


def _check(options: TrainingOptions) -> None:
    if options.model.emotion_from:
        raise UsageError(
            "--emotion_from belongs to the dialogue scorer; the isolated scorer reads pairs. Leave it out, or use "
            "--scorer dialogue."
        )
    model = options.model
    for option, given in (
        ("--text_context", model.text_context),
        ("--text_context_after", model.text_context_after),
        ("--text_block", model.text_block > 1),
        ("--text_alone", model.text_alone),
        ("--r_drop_weight", options.objective.r_drop_weight),
    ):
        if given:
            raise UsageError(
                f"{option} belongs to the dialogue scorer; the isolated scorer has a protocol of its own. Leave it "
                "out, or use --scorer dialogue."
            )
    if options.objective.emotion_category_weight:
        raise UsageError(
            "--emotion_category_weight belongs to the dialogue scorer; the isolated scorer has no utterance alone. "
            "Leave it out, or use --scorer dialogue."
        )
    if options.model.encoder_mode == "frozen" and "t" in options.data.modalities:
        raise UsageError(
            "--encoder_mode frozen computes features of utterances, but --scorer isolated reads both utterances of a "
            "pair as one text. Use --scorer dialogue, or --encoder_mode trained."
        )


SCORER = Scorer(
    name="isolated",
    description="one pair at a time",
    model_class="iemomecp_dataset.trainers.isolated.modeling:IsolatedScorer",
    model_type="iemomecp_isolated_scorer",
    prepare="iemomecp_dataset.trainers.isolated.task:prepare_isolated",
    prepare_inference="iemomecp_dataset.trainers.isolated.task:prepare_isolated_inference",
    protocol=protocol,
    check=_check,
    cite="arXiv 2605.25208 (protocol of the baselines)",
    context=False,
)
"""Its entry in the registry of scorers."""
