"""Checkpoints of a run: written atomically and restored bit for bit."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path

from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import nn

from iemomecp_dataset.errors import RunFolderError
from iemomecp_dataset.files import atomic_write, make_folder, put_in_place
from iemomecp_dataset.trainers.run_folder import RunFolder

__all__ = ["Checkpoints", "Progress"]


@dataclass
class Progress:
    """Progress of a run.

    Attributes:
        epoch: Number of complete epochs.
        batches: Number of mini-batches done in the current epoch.
        losses: Sums of the loss terms of this process over these mini-batches.
        best_epoch: The best epoch so far, counted from 1.
        best_score: Score of that epoch on the selection split.
        threshold: Decision threshold of that epoch.
        lowest_loss: Lowest loss on the selection split so far, where training stops by it.
        lowest_loss_epoch: Its epoch.
        seconds: Training time so far, over all sessions of the run.
        complete: Whether training is complete; False if only a session has ended.
    """

    epoch: int = 0
    batches: int = 0
    losses: dict[str, float] = field(default_factory=dict)
    best_epoch: int = 0
    best_score: float = float("-inf")
    threshold: float | None = None
    lowest_loss: float = float("inf")
    lowest_loss_epoch: int = 0
    seconds: float = 0.0
    complete: bool = False


class Checkpoints:
    """Saves and restores a run: all states registered with the accelerator, random states and progress.

    Args:
        accelerator: Accelerator with which model, optimizer, averaged weights and scheduler are registered.
        folder: The run folder.
        averaged: Model with the averaged weights; those of the best epoch are kept.
    """

    def __init__(self, accelerator: Accelerator, folder: RunFolder, averaged: nn.Module):
        self._accelerator = accelerator
        self._folder = folder
        self._averaged = averaged
        self._newest = (0, 0)

    def save(self, progress: Progress, *, improved: bool = False) -> None:
        """Saves a checkpoint atomically (writes under another name, then renames), then removes the previous one.

        Args:
            progress: Progress of the run, between two optimizer steps.
            improved: Whether the epoch that has just ended is the best so far.
        """
        if self._newest == (progress.epoch, progress.batches):
            return
        from safetensors.torch import save_file

        accelerator, folder = self._accelerator, self._folder
        record = {
            **asdict(progress),
            "losses": gather_object([progress.losses]),
            "processes": accelerator.num_processes,
        }
        best = self._best(progress)
        partial = folder.checkpoints / "partial"
        if accelerator.is_main_process:
            make_folder(folder.checkpoints)
            shutil.rmtree(partial, ignore_errors=True)
            if improved:
                weights = self._averaged.state_dict()
                with atomic_write(best) as file:
                    save_file({name: t.detach().cpu().contiguous() for name, t in weights.items()}, file)
        accelerator.wait_for_everyone()
        accelerator.save_state(str(partial), safe_serialization=True)
        accelerator.wait_for_everyone()
        if accelerator.is_main_process:
            (partial / "progress.json").write_text(json.dumps(record), encoding="utf-8")
            complete = folder.checkpoint(progress.epoch, progress.batches)
            put_in_place(partial, complete)
            folder.remove_checkpoints(keep=(complete, best))
        accelerator.wait_for_everyone()
        self._newest = (progress.epoch, progress.batches)

    def restore(self) -> Progress:
        """Restores the newest checkpoint, if any, and removes log entries that are newer.

        Returns:
            The progress at the checkpoint; zero progress without a checkpoint.

        Raises:
            RunFolderError: The checkpoint was written by another number of processes or another version of the package.
        """
        checkpoint = self._folder.latest_checkpoint()
        progress = Progress()
        if checkpoint is not None:
            record = json.loads((checkpoint / "progress.json").read_text(encoding="utf-8"))
            processes = record.pop("processes")
            if processes != self._accelerator.num_processes:
                raise RunFolderError(
                    f"{self._folder.path} was trained with {_processes(processes)} so far and cannot be continued "
                    f"with {_processes(self._accelerator.num_processes)}, as its mini-batches would differ. Start as "
                    "many processes as before, or choose another --output_dir."
                )
            try:
                self._accelerator.load_state(str(checkpoint))
            except (KeyError, RuntimeError, ValueError) as error:
                raise RunFolderError(
                    f"{checkpoint} does not fit the model of this version of the package "
                    f"({' '.join(str(error).split())[:200]}). Continue with the version that started the run, or "
                    "choose another --output_dir."
                ) from error
            progress = Progress(**{**record, "losses": record["losses"][self._accelerator.process_index]})
            self._newest = (progress.epoch, progress.batches)
        if self._accelerator.is_main_process:
            self._folder.rewind_log(progress.epoch)
        return progress

    def load_best(self, model: nn.Module, progress: Progress) -> None:
        """Loads the weights of the best epoch into a model."""
        from safetensors.torch import load_file

        model.load_state_dict(load_file(self._best(progress)))

    def _best(self, progress: Progress) -> Path:
        return self._folder.checkpoints / f"best-{progress.best_epoch:04d}.safetensors"


def _processes(count: int) -> str:
    return "one process" if count == 1 else f"{count} processes"
