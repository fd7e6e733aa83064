"""Models, objectives and the training loop.

``train(dialogues, output_dir=…)`` leaves a run folder, as the scripts of this folder do; ``predict(run_folder, rows)``
applies it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iemomecp_dataset.lazy import attach

if TYPE_CHECKING:
    from iemomecp_dataset.trainers.dialogue.modeling import DialogueScorer, DialogueScorerConfig
    from iemomecp_dataset.trainers.inference import load_scorer, predict
    from iemomecp_dataset.trainers.isolated.modeling import IsolatedScorer, IsolatedScorerConfig
    from iemomecp_dataset.trainers.run import train

__all__ = [
    "DialogueScorer",
    "DialogueScorerConfig",
    "IsolatedScorer",
    "IsolatedScorerConfig",
    "load_scorer",
    "predict",
    "train",
]

attach(
    __name__,
    {
        "DialogueScorer": "iemomecp_dataset.trainers.dialogue.modeling",
        "DialogueScorerConfig": "iemomecp_dataset.trainers.dialogue.modeling",
        "IsolatedScorer": "iemomecp_dataset.trainers.isolated.modeling",
        "IsolatedScorerConfig": "iemomecp_dataset.trainers.isolated.modeling",
        "load_scorer": "iemomecp_dataset.trainers.inference",
        "predict": "iemomecp_dataset.trainers.inference",
        "train": "iemomecp_dataset.trainers.run",
    },
    extra="train",
)
