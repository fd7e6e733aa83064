"""Emotion recognition in conversations: ECERC (ACL 2025, long 102), and the emotion transformer of this package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.trainers.scorers import Scorer

if TYPE_CHECKING:
    from iemomecp_dataset.trainers.emotions.options import EmotionTrainingOptions

__all__ = ["ECERC", "EMOTION_TRANSFORMER"]

_PREPARE = "iemomecp_dataset.trainers.emotions.task:prepare_emotions"
_PREPARE_INFERENCE = "iemomecp_dataset.trainers.emotions.task:prepare_emotion_inference"


def _check_ecerc(options: EmotionTrainingOptions) -> None:
    if options.model.context == "full":
        raise UsageError("--context full belongs to --scorer emotion_transformer; ECERC is causal. Leave it out.")
    if options.model.encoder_mode == "trained":
        raise UsageError(
            "--scorer ecerc takes frozen text features. Leave --encoder_mode out, or use --scorer emotion_transformer."
        )
    if options.data.text_features is not None and options.data.event_features is None:
        raise UsageError(
            "ECERC reads two text streams: --text_features needs --event_features beside it. Give the same store twice "
            "where there is one."
        )
    if options.model.meld_slots == "released" and {*"av"} - {*options.data.modalities}:
        raise UsageError(
            "--meld_slots released exchanges parts of audio and video, so it needs both in --modalities "
            f"({options.data.modalities}). Use --meld_slots correct."
        )


def _check_transformer(options: EmotionTrainingOptions) -> None:
    model = options.model
    for name, given in (
        ("protocol released", options.objective.protocol == "released"),
        (f"positions {model.positions}", model.positions != "auto"),
        ("empty_rows uniform", model.empty_rows != "zero"),
        ("meld_slots released", model.meld_slots != "correct"),
        ("query context", model.query != "evidence"),
        (f"ablation {model.ablation}", model.ablation != "none"),
    ):
        if given:
            raise UsageError(f"--{name} belongs to --scorer ecerc, not to the emotion transformer. Leave it out.")
    if model.hidden_size % model.num_heads:
        raise UsageError(f"--hidden_size {model.hidden_size} is not divisible by --num_heads {model.num_heads}.")
    if model.encoder_mode == "trained" and options.data.text_features is not None:
        raise UsageError("--encoder_mode trained trains the encoder, which --text_features replaces. Leave one out.")


ECERC = Scorer(
    name="ecerc",
    description="causal attention over the speaker's own and the others' events and emotions",
    model_class="iemomecp_dataset.trainers.emotions.modeling_ecerc:EcercModel",
    model_type="iemomecp_ecerc",
    check=_check_ecerc,
    cite="ECERC (ACL 2025, long 102)",
    prepare=_PREPARE,
    prepare_inference=_PREPARE_INFERENCE,
    task="erc",
)
"""Its entry in the registry."""

EMOTION_TRANSFORMER = Scorer(
    name="emotion_transformer",
    description="the dialogue transformer of the pair scorer with an emotion head",
    model_class="iemomecp_dataset.trainers.emotions.modeling_transformer:EmotionTransformer",
    model_type="iemomecp_emotion_transformer",
    check=_check_transformer,
    prepare=_PREPARE,
    prepare_inference=_PREPARE_INFERENCE,
    task="erc",
)
"""Its entry in the registry."""
