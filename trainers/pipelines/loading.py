"""Loads a trained model, and scores rows that are ready for it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate.utils import send_to_device
from huggingface_hub.errors import StrictDataclassError
from numpy.typing import NDArray
from safetensors import SafetensorError
from transformers import PreTrainedModel

from iemomecp_dataset.errors import IemomecpError, InvalidDataError, MissingDataError, UsageError, nearest_path
from iemomecp_dataset.features import FeatureTable, read_feature_table
from iemomecp_dataset.files import read_json
from iemomecp_dataset.trainers.scorers import is_built_in, scorer_of_model_type, scorers
from iemomecp_dataset.trainers.sharing.fetching import fetched_model
from iemomecp_dataset.trainers.training.distributed import Processes
from iemomecp_dataset.trainers.training.evaluation import scored_batch
from iemomecp_dataset.trainers.training.task import TrainingTask
from iemomecp_dataset.trainers.whole_model import check_model_digests, check_numbers, loaded_whole

__all__ = ["feature_vectors", "load_scorer", "scored_rows"]

_NOT_BUILT = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RuntimeError, StrictDataclassError)


def load_scorer(folder: str | Path, **options: Any) -> PreTrainedModel:
    """Loads a trained pair scorer of any registered kind, or a model of emotions or of explanations.

    Args:
        folder: Where it was saved, or the folder of its run; or ``OWNER/NAME`` of a repository on the Hub, if there is
            no such path.
        options: Passed on to ``from_pretrained``, such as ``language_model=`` of a model of explanations whose language
            model has moved.

    Raises:
        MissingDataError: There is no model.
        InvalidDataError: Its configuration or its weights are damaged: of the weights some are missing, are of
            another shape, hold NaN or an infinite number, or are not those that their run has recorded.
        UsageError: It is not a scorer of this package, or the name is empty.
    """
    if not str(folder).strip():
        raise UsageError("The name of the model is empty: give the folder of a run, or OWNER/NAME of one on the Hub.")
    path = fetched_model(folder)
    if (path / "model" / "config.json").is_file():
        path = path / "model"
    config = path / "config.json"
    if not path.exists():
        raise MissingDataError(
            f"{folder} holds no model: there is no such folder.{nearest_path(folder)} Give the folder of a run."
        )
    if not config.is_file():
        unfinished = (path / "config.yaml").is_file()
        raise MissingDataError(
            f"{folder} holds no model (no config.json). "
            + ("Its run has not finished: start its command again." if unfinished else "Give the folder of a run.")
        )
    stated = read_json(config)
    kind = stated.get("model_type") if isinstance(stated, dict) else None
    scorer = scorer_of_model_type(kind) if isinstance(kind, str) else None
    if not isinstance(kind, str):
        raise UsageError(
            f"{config} states no model_type: {folder} holds no model of this package. Give a run's folder."
        )
    if scorer is None:
        known = ", ".join(entry.model_type for entry in scorers().values())
        raise UsageError(
            f"{config} describes a model of type {kind!r}; expected one of {known}. A scorer of your own has to be "
            "registered first: iemomecp_dataset.trainers.register_scorer."
        )
    model_class = scorer.load_model_class()
    check_model_digests(path)
    try:
        _check_configuration(model_class, config)
        return _loaded(model_class, path, options)
    except IemomecpError:
        raise
    except (OSError, SafetensorError) as error:
        reason = " ".join(str(error).split())
        raise InvalidDataError(
            f"{path}: the model cannot be loaded; its weights are missing or damaged ({reason[:200]}). Copy the folder "
            "again, or train again."
        ) from error
    except _NOT_BUILT as error:
        if not is_built_in(scorer.name):
            raise  # a mistake in the model's own code, which is found by its traceback
        reason = " ".join(str(error).split())
        raise InvalidDataError(
            f"{config} describes no {model_class.__name__} that can be built ({type(error).__name__}: {reason[:200]}). "
            "Copy the folder again, or train again."
        ) from error


def _check_configuration(model_class: type[PreTrainedModel], file: Path) -> None:
    """Names the file of a field that the configuration itself refuses."""
    try:
        model_class.config_class.from_pretrained(file.parent)
    except InvalidDataError as error:
        raise InvalidDataError(f"{file}: {error} Copy the folder again, or train again.") from error


def _loaded(model_class: type[PreTrainedModel], path: Path, options: dict[str, Any]) -> PreTrainedModel:
    if model_class.from_pretrained.__func__ is PreTrainedModel.from_pretrained.__func__:
        return loaded_whole(model_class.from_pretrained, path, **options)
    model = model_class.from_pretrained(path, **options)
    check_numbers(model.state_dict(), path)
    return model


def feature_vectors(
    name: str, given: FeatureTable | str | Path | None, ids: list[str], size: int, tolerance: float
) -> dict[str, NDArray[np.float32]]:
    """Vectors of one stream from a feature table.

    Args:
        name: The stream, such as ``audio``.
        given: The table or its Parquet file.
        ids: The utterances.
        size: Width in training.
        tolerance: Share of utterances that may lack a vector.

    Returns:
        ``(size,)`` by utterance id.

    Raises:
        MissingDataError: There is no table, or too many vectors are missing.
        InvalidDataError: It has another width.
        UsageError: It is a store of another modality.
    """
    if given is None:
        raise MissingDataError(f"This scorer needs {name} features: give {name}= a feature table or its Parquet file.")
    table = (given if isinstance(given, FeatureTable) else read_feature_table(given)).check_use(name)
    if table.size != size:
        raise InvalidDataError(
            f"{table.path}: vectors have {table.size} numbers, but the scorer was trained on {name} features with "
            f"{size}. Give those of the same extractor."
        )
    return table.select(ids, tolerance=tolerance)


def scored_rows(
    task: TrainingTask, counts: Sequence[int], batch_size: int
) -> tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]]:
    """Scores the examples of a task for inference.

    Args:
        task: Model, strategy and the split ``test``.
        counts: Predictions of each row: its pairs, or its utterances.
        batch_size: Examples at once.

    Returns:
        For each row ``(pairs or utterances, C)`` probabilities; and ``(utterances, K)`` of its utterances' emotion
        categories, an empty list where the model predicts none.
    """
    strategy, examples, model = task.strategy, task.examples["test"], task.model
    found: dict[int, NDArray[np.float64]] = {}
    categories: dict[int, NDArray[np.float64]] = {}
    with torch.inference_mode():
        for positions in strategy.scoring_order(examples, batch_size=batch_size, processes=Processes()):
            batch = strategy.collate([(position, examples[position]) for position in positions])
            scored, of_utterances, _ = scored_batch(strategy, model, send_to_device(batch, model.device), examples)
            found.update(scored)
            categories.update(of_utterances)
    everything = np.concatenate([found[position] for position in range(len(examples))])
    return np.split(everything, np.cumsum(counts)[:-1]), [categories[place] for place in sorted(categories)]
