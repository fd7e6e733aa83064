"""Loads the models of the page, once."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from iemomecp_dataset.conversations.conversation import Conversation
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.trainers.app.answers import PageModel, names_of_models
from iemomecp_dataset.trainers.pipelines.predicted import PredictedConversation

__all__ = ["MOST_MODELS", "load_models"]

MOST_MODELS = 2
"""Models side by side."""


def load_models(models: Sequence[str | Path]) -> tuple[PageModel, ...]:
    """Loads one model, or two to compare.

    Args:
        models: Folders of runs or of their models, or names on the Hub.

    Returns:
        The models, in this order.

    Raises:
        UsageError: None, more than two, or one twice.
        IemomecpError: A model cannot be loaded.
    """
    given = [str(model) for model in models]
    if not 1 <= len(given) <= MOST_MODELS:
        raise UsageError(f"The page takes one model, or two to compare, but {len(given)} were given.")
    if len(set(given)) < len(given):
        raise UsageError(f"The model {given[0]} was given twice; give another one to compare it with.")
    return tuple(_load(model, name) for model, name in zip(given, names_of_models(given), strict=True))


def _load(model: str, name: str) -> PageModel:
    from transformers.utils import logging

    from iemomecp_dataset.trainers.pipelines.pipeline import EmotionCausePipeline
    from iemomecp_dataset.trainers.pipelines.recordings import uses_modality
    from iemomecp_dataset.trainers.sharing.fetching import fetched_model

    logging.disable_progress_bar()  # of loading weights, a line per model
    pipeline = EmotionCausePipeline(fetched_model(model))
    # A model of the Hub is shown by its name there, not by its cache folder; a local one by the name of its run,
    # without the path, because others may see the page.
    shown = name if Path(model).exists() else model

    def predict(conversations: list[Conversation]) -> list[PredictedConversation]:
        return [dataclasses.replace(one, model=shown) for one in pipeline(conversations)]

    kinds: tuple[Literal["audio", "video"], ...] = ("audio", "video")
    return PageModel(
        name,
        predict,
        synthetic=bool(getattr(pipeline.model.config, "synthetic", False)),
        recordings=tuple(kind for kind in kinds if uses_modality(pipeline.model, kind)),
    )
