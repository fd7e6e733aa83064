"""Models, objectives and the training loop.

``train(dialogues, output_dir=…)`` leaves a run folder, as the scripts of this folder do; ``predict(run_folder, rows)``
applies it, and ``EmotionCausePipeline(run_folder)`` takes conversations. ``register_scorer(Scorer(…))`` adds a model of
one's own, whose ``forward`` returns ``DialogueScores``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iemomecp_dataset.lazy import attach

if TYPE_CHECKING:
    from iemomecp_dataset.trainers.dialogue.modeling import DialogueScorer, DialogueScorerConfig, DialogueScores
    from iemomecp_dataset.trainers.emotions.modeling_ecerc import EcercConfig, EcercModel
    from iemomecp_dataset.trainers.emotions.modeling_transformer import EmotionTransformer, EmotionTransformerConfig
    from iemomecp_dataset.trainers.explanation.modeling_explanation import ExplanationConfig, ExplanationModel
    from iemomecp_dataset.trainers.inference import predict
    from iemomecp_dataset.trainers.isolated.modeling import IsolatedScorer, IsolatedScorerConfig
    from iemomecp_dataset.trainers.pipelines.loading import load_scorer
    from iemomecp_dataset.trainers.pipelines.pipeline import EmotionCausePipeline
    from iemomecp_dataset.trainers.run import train
    from iemomecp_dataset.trainers.scorers import Scorer, register_scorer

__all__ = [
    "DialogueScorer",
    "DialogueScorerConfig",
    "DialogueScores",
    "EcercConfig",
    "EcercModel",
    "EmotionCausePipeline",
    "EmotionTransformer",
    "EmotionTransformerConfig",
    "ExplanationConfig",
    "ExplanationModel",
    "IsolatedScorer",
    "IsolatedScorerConfig",
    "Scorer",
    "load_scorer",
    "predict",
    "register_scorer",
    "train",
]

attach(
    __name__,
    {
        "DialogueScorer": "iemomecp_dataset.trainers.dialogue.modeling",
        "DialogueScorerConfig": "iemomecp_dataset.trainers.dialogue.modeling",
        "DialogueScores": "iemomecp_dataset.trainers.dialogue.modeling",
        "EcercConfig": "iemomecp_dataset.trainers.emotions.modeling_ecerc",
        "EcercModel": "iemomecp_dataset.trainers.emotions.modeling_ecerc",
        "EmotionCausePipeline": "iemomecp_dataset.trainers.pipelines.pipeline",
        "EmotionTransformer": "iemomecp_dataset.trainers.emotions.modeling_transformer",
        "EmotionTransformerConfig": "iemomecp_dataset.trainers.emotions.modeling_transformer",
        "ExplanationConfig": "iemomecp_dataset.trainers.explanation.modeling_explanation",
        "ExplanationModel": "iemomecp_dataset.trainers.explanation.modeling_explanation",
        "IsolatedScorer": "iemomecp_dataset.trainers.isolated.modeling",
        "IsolatedScorerConfig": "iemomecp_dataset.trainers.isolated.modeling",
        "Scorer": "iemomecp_dataset.trainers.scorers",
        "load_scorer": "iemomecp_dataset.trainers.pipelines.loading",
        "predict": "iemomecp_dataset.trainers.inference",
        "register_scorer": "iemomecp_dataset.trainers.scorers",
        "train": "iemomecp_dataset.trainers.run",
    },
    extra="train",
)
