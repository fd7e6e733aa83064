"""What a run of some kind adds to the journey that all runs share (:mod:`iemomecp_dataset.trainers.run`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray

from iemomecp_dataset.benchmark.baselines.emotion_detection import TFIDF
from iemomecp_dataset.benchmark.runs.results import RunResults, encoder_name
from iemomecp_dataset.corpus import Corpus
from iemomecp_dataset.trainers.options import RunSettings
from iemomecp_dataset.trainers.provenance import code_revision, library_versions, peak_memory_mb
from iemomecp_dataset.trainers.run_folder import RunFolder
from iemomecp_dataset.trainers.run_inputs import RunInputs, run_settings
from iemomecp_dataset.trainers.training.checkpoints import Progress
from iemomecp_dataset.trainers.training.evaluation import ScoredSplit
from iemomecp_dataset.trainers.training.task import TrainingTask

__all__ = ["FinishedRun", "RunKind"]

_Settings = TypeVar("_Settings", bound=RunSettings)
_Given = TypeVar("_Given", bound=RunSettings, contravariant=True)


@dataclass(frozen=True)
class FinishedRun(Generic[_Settings]):
    """A run whose training is complete, before it is recorded.

    Attributes:
        options: Its options.
        corpus: Its data.
        task: Model, strategy and examples; the model has the weights that are kept.
        progress: Epochs, and which of them is kept.
        scored: Predictions by split, or by another name of what was scored.
        inputs: What it has read, by content.
        leaks: What its splits share with each other, and with the data of runs that it began with.
        processes: Number of processes that trained together.
        precision: The precision that was computed in.
        device: Kind of device.
        remarks: What readers of its scores must know beside that.
        warnings: Likewise, of its training: that it diverged, that everything is predicted alike.
    """

    options: _Settings
    corpus: Corpus
    task: TrainingTask
    progress: Progress
    scored: Mapping[str, ScoredSplit]
    inputs: RunInputs
    leaks: list[str]
    processes: int
    precision: str
    device: str
    remarks: list[str]
    warnings: list[str] = field(default_factory=list)

    def recorded(self) -> dict[str, Any]:
        """What every kind of run records beside its scores: arguments of the functions that build the record."""
        options, progress = self.options, self.progress
        features, source = self._utterance_features()
        encoder = options.model.text_encoder if options.data.encodes_text else "none"
        return {
            "run_name": options.run.run_name or Path(str(options.run.output_dir)).name,
            "scorer": options.model.scorer,
            "modalities": options.data.modalities,
            "seed": options.run.seed,
            "text_encoder": encoder,
            "encoder_mode": options.model.encoder_mode if options.data.encodes_text else "none",
            "utterance_features": features,
            "feature_source": source,
            "more_counts": self.task.truncated,
            "versions": library_versions(),
            "git_revision": code_revision(),
            "wall_seconds": progress.seconds,
            "peak_memory_mb": peak_memory_mb(),
            "best_epoch": progress.best_epoch,
            "epochs": progress.epoch,
            "settings": {**run_settings(options, self.processes, self.precision), **self.task.took_effect},
            "features": self.inputs.features,
            "initialized_from": self.inputs.initialized_from,
            "trained_with": {
                key: {**facts, **self.task.truncated.get(key, {})} for key, facts in self.inputs.trained_with.items()
            },
            "effective_batch_size": self.inputs.effective_batch_size,
            "precision": self.precision,
            "processes": self.processes,
            "device": self.device,
        }

    def _utterance_features(self) -> tuple[dict[str, NDArray[np.float32]] | None, str]:
        """Vectors of a frozen text encoder by split, in row order, NaN where one is missing; and their name."""
        by_text, by_id = self.task.frozen_texts, self.task.text_vectors
        utterances = {
            split: [utterance for row in rows for utterance in row["utterances"]]
            for split, rows in self.corpus.rows.items()
        }
        if by_text is not None:
            name = encoder_name(self.options.model.text_encoder)
            found = {split: np.stack([by_text[u["text"] or ""] for u in of]) for split, of in utterances.items()}
            return found, f"frozen {name}"
        if not by_id:
            return None, TFIDF
        missing = np.full_like(next(iter(by_id.values())), np.nan)
        found = {
            split: np.stack([by_id.get(u["utterance_id"], missing) for u in of]) for split, of in utterances.items()
        }
        model = self.inputs.features.get("text", {}).get("model")
        return found, f"frozen {encoder_name(model)}" if model else "frozen text vectors"

    def further_keys(self) -> dict[str, Any]:
        """Keys of the record that no field holds."""
        found: dict[str, Any] = {"leaks": self.leaks, **({"remarks": self.remarks} if self.remarks else {})}
        found |= {"warnings": self.warnings} if self.warnings else {}
        if torch.cuda.is_available():
            found["peak_gpu_memory_mb"] = torch.cuda.max_memory_allocated() / 2**20
        return found


class RunKind(Protocol[_Given]):
    """One kind of run: which data it takes, what it records."""

    def corpus(self, options: _Given, given: Corpus | None) -> Corpus:
        """Loads the data, or takes the given, in the form that this kind of run works on.

        Raises:
            IemomecpError: It is not there, or cannot be trained on.
        """

    def warnings(self, options: _Given, corpus: Corpus) -> list[str]:
        """What is to be said about the data before training."""

    def score_more(
        self, options: _Given, corpus: Corpus, task: TrainingTask, accelerator: Accelerator, folder: RunFolder
    ) -> dict[str, ScoredSplit] | None:
        """Scores what is asked for beside the splits; None where the session has ended before that was complete."""

    def results(self, done: FinishedRun[Any]) -> RunResults:
        """Builds the record."""

    def write(self, folder: Path, done: FinishedRun[Any]) -> None:
        """Writes the predictions, and into the model's configuration what using it needs."""
