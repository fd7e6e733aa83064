"""Checkpoints of a run: written atomically, checked by digests, and restored bit for bit.

Nothing in a checkpoint is executed: weights are read from safetensors, all other states as tensors and plain values.
(DeepSpeed reads its own files, as it does everywhere.)
"""

from __future__ import annotations

import logging
import os
import pickle
import random
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator, DistributedType
from accelerate.checkpointing import load_custom_state, save_accelerator_state, save_custom_state
from accelerate.utils import broadcast_object_list, gather_object, load
from safetensors import SafetensorError
from torch import Tensor, nn

from iemomecp_dataset.errors import IemomecpError, RunFolderError, UnsafeFileError
from iemomecp_dataset.files import atomic_write, error_of_place, file_digest, make_folder, not_written, put_in_place
from iemomecp_dataset.trainers.run_folder import RunFolder
from iemomecp_dataset.trainers.training.progress import (
    DamagedCheckpointError,
    Progress,
    SavedProgress,
    check_digests,
    file_digests,
    read_progress,
    write_progress,
)
from iemomecp_dataset.trainers.training.sharding import SHARD_FILE, Shards, load_whole, whole_weights

__all__ = ["Checkpoints", "Progress"]

_logger = logging.getLogger(__name__)

KEPT_BESIDE = 2**30
"""Bytes that the checkpoint before the newest may have to be kept beside it."""


class Checkpoints:
    """Saves and restores a run: all states registered with the accelerator, random states and progress.

    Args:
        accelerator: Accelerator with which model, optimizer, averaged weights and scheduler are registered.
        folder: The run folder.
        averaged: Model with the averaged weights; those of the best epoch are kept.
        shards: What this process holds of sharded weights, in place of what is registered; None without sharding.
    """

    def __init__(self, accelerator: Accelerator, folder: RunFolder, averaged: nn.Module, shards: Shards | None = None):
        self._shards = shards
        self._accelerator = accelerator
        self._folder = folder
        self._averaged = averaged
        self._newest = (0, 0)
        self._best_digest: str | None = None
        self._of_newest: tuple[Path, ...] = ()

    def save(self, progress: Progress, *, improved: bool = False) -> None:
        """Saves a checkpoint atomically: writes under another name, syncs every file, then renames.

        The one before stays if it is small (:data:`KEPT_BESIDE`), in case that the newest is damaged; those before it
        are removed.

        Args:
            progress: Progress of the run, between two optimizer steps.
            improved: Whether the epoch that has just ended is the best so far.

        Raises:
            UsageError: The place cannot be written to (also: the disk is full). The checkpoints before stand.
        """
        if self._newest == (progress.epoch, progress.batches):
            return
        accelerator, folder = self._accelerator, self._folder
        losses = gather_object([progress.losses])
        best = self._best(progress)
        partial = folder.checkpoints / "partial"
        weights = self._averaged_weights() if improved else {}
        if accelerator.is_main_process:
            make_folder(folder.checkpoints)
            shutil.rmtree(partial, ignore_errors=True)
            if improved:
                with _written(best):
                    _save_weights(weights, best)
                self._best_digest = file_digest(best)
        self._best_digest = broadcast_object_list([self._best_digest])[0]
        accelerator.wait_for_everyone()
        with _written(partial):
            self._save_state(partial)
        accelerator.wait_for_everyone()
        if accelerator.is_main_process:
            with _written(partial):
                digests = file_digests(partial)
                write_progress(partial, SavedProgress(progress, tuple(losses), digests, self._best_digest))
            complete = folder.checkpoint(progress.epoch, progress.batches)
            # A damaged one of this name, where the run went on from the one before.
            shutil.rmtree(complete, ignore_errors=True)
            put_in_place(partial, complete)
            before = self._of_newest if _size(self._of_newest[:1]) <= KEPT_BESIDE else ()
            folder.remove_checkpoints(keep=(complete, best, *before))
            self._of_newest = (complete, best)
        accelerator.wait_for_everyone()
        self._newest = (progress.epoch, progress.batches)

    def restore(self) -> Progress:
        """Restores the newest checkpoint that is whole, if any, and removes log entries that are newer.

        Returns:
            The progress at the checkpoint; zero progress without a checkpoint.

        Raises:
            RunFolderError: Every checkpoint is damaged, or the newest was written by another number of processes or
                another version of the package.
        """
        # One process reads all files; the others do what it decides.
        decided: list[Any] = [self._whole_checkpoint()] if self._accelerator.is_main_process else [None]
        checkpoint, error = broadcast_object_list(decided)[0]
        if error is not None:
            raise error
        progress = Progress()
        if checkpoint is not None:
            saved = read_progress(checkpoint)
            with _tensors_alone(self._accelerator):
                self._load(checkpoint)
            progress = saved.of_process(self._accelerator.process_index)
            self._newest = (progress.epoch, progress.batches)
            self._best_digest = saved.best
            self._of_newest = (checkpoint, self._best(progress))
        if self._accelerator.is_main_process:
            self._folder.rewind_log(progress.epoch)
        return progress

    def load_best(self, model: nn.Module, progress: Progress) -> None:
        """Loads the weights of the best epoch into a model.

        Raises:
            RunFolderError: They are damaged.
        """
        from safetensors.torch import load_file

        best = self._best(progress)
        try:
            if self._best_digest is not None:
                check_digests(best.parent, {best.name: self._best_digest})
            weights = load_file(best)
            if self._shards is not None:
                load_whole(model, weights)
            else:
                model.load_state_dict(weights)
        except (DamagedCheckpointError, SafetensorError, OSError, RuntimeError) as error:
            raise RunFolderError(
                f"The weights of the best epoch cannot be used: {_one_line(error)}. Choose another --output_dir to "
                f"train again, or remove {best.parent} to do so here."
            ) from error

    def _averaged_weights(self) -> Mapping[str, Tensor]:
        """The averaged weights; sharded ones are gathered, on the main process."""
        return self._averaged.state_dict() if self._shards is None else whole_weights(self._averaged)

    def _save_state(self, folder: Path) -> None:
        """Writes all states, of every process."""
        accelerator, shards = self._accelerator, self._shards
        if shards is None:
            accelerator.save_state(str(folder), safe_serialization=True)
            return
        # accelerate would gather the weights, or write files that are read as pickles.
        folder.mkdir(exist_ok=True)
        shards.save(folder)
        save_accelerator_state(str(folder), [], [], [], [], accelerator.process_index, accelerator.step)
        for number, registered in enumerate(accelerator._custom_objects):
            save_custom_state(registered, str(folder), number)

    def _load_state(self, folder: Path) -> None:
        """Reads what :meth:`_save_state` has written."""
        if self._shards is None:
            if any(folder.glob(SHARD_FILE.format(index="*"))):
                raise RunFolderError(
                    f"{folder} was written with sharded weights (FSDP) and cannot be continued without. Launch the run "
                    "as it was begun, or choose another --output_dir."
                )
            self._accelerator.load_state(str(folder))
            return
        self._shards.load(folder)
        for number, registered in enumerate(self._accelerator._custom_objects):
            load_custom_state(registered, str(folder), number)

    def _whole_checkpoint(self) -> tuple[Path | None, IemomecpError | None]:
        """The newest checkpoint of which every file is what was written; or why there is none to continue from."""
        damaged: list[str] = []
        for checkpoint in reversed(self._folder.all_checkpoints()):
            try:
                saved = read_progress(checkpoint)
                if saved.processes != self._accelerator.num_processes:
                    return None, RunFolderError(
                        f"{self._folder.path} was trained with {_processes(saved.processes)} so far and cannot be "
                        f"continued with {_processes(self._accelerator.num_processes)}, as its mini-batches would "
                        "differ. Start as many processes as before, or choose another --output_dir."
                    )
                self._check(checkpoint, saved)
            except DamagedCheckpointError as error:
                damaged.append(str(error))
                continue
            except RunFolderError as error:
                return None, error
            for found in damaged:
                _logger.warning("warning: %s. The run continues from the checkpoint before, %s.", found, checkpoint)
            return checkpoint, None
        if not damaged:
            return None, None
        others = ", and the checkpoint before cannot be used either" if damaged[1:] else ""
        return None, RunFolderError(
            f"{damaged[0]}{others}, so that the run cannot be continued. Put back the folder "
            f"{self._folder.checkpoints} from a copy; or remove it, and the same command begins the run anew."
        )

    def _check(self, checkpoint: Path, saved: SavedProgress) -> None:
        """Compares every file with its digest.

        Raises:
            DamagedCheckpointError: One differs or is missing.
        """
        best = self._best(saved.progress)
        if saved.files is None:
            _logger.warning(
                "%s was written by an earlier version, without digests: damage to it would go unnoticed.", checkpoint
            )
        else:
            check_digests(checkpoint, saved.files)
        if saved.best is not None:
            check_digests(best.parent, {best.name: saved.best})
        elif saved.progress.best_epoch and not best.is_file():
            raise DamagedCheckpointError(f"{best} is not there")

    def _load(self, checkpoint: Path) -> None:
        """Loads all states.

        Raises:
            RunFolderError: They do not fit the model, or cannot be read.
            UnsafeFileError: They hold objects that could run code.
        """
        accelerator = self._accelerator
        random_states = checkpoint / f"random_states_{accelerator.process_index}.pkl"
        try:
            self._load_state(checkpoint)
        except (torch.OutOfMemoryError, RunFolderError):
            raise
        except pickle.UnpicklingError as error:
            raise _unsafe(checkpoint) from error
        except Exception as error:  # whatever reading a file that is damaged, or of another model, leads to
            raise RunFolderError(
                f"{checkpoint} does not fit the model of this version of the package ({_one_line(error)}). Continue "
                "with the version that started the run, or choose another --output_dir."
            ) from error
        try:
            # accelerate goes on, and says nothing, where these cannot be loaded.
            _set_random_states(random_states, accelerator.device)
        except pickle.UnpicklingError as error:
            raise _unsafe(random_states) from error
        except Exception as error:
            raise RunFolderError(
                f"{random_states}: the random states cannot be restored ({_one_line(error)}), and without them the run "
                f"would end with other results. Put the file back from a copy, or remove {checkpoint.parent}, and the "
                "same command begins the run anew."
            ) from error

    def _best(self, progress: Progress) -> Path:
        return self._folder.checkpoints / f"best-{progress.best_epoch:04d}.safetensors"


def _save_weights(weights: Mapping[str, Tensor], path: Path) -> None:
    from safetensors.torch import save_file

    with atomic_write(path) as file:
        save_file({name: t.detach().cpu().contiguous() for name, t in weights.items()}, file)


def _set_random_states(path: Path, device: torch.device) -> None:
    """Sets the random states of this process.

    Args:
        path: The file that accelerate has written.
        device: The device of this process.

    Raises:
        Exception: Whatever reading a damaged file leads to.
    """
    states = load(path)
    random.setstate(states["random_state"])
    np.random.set_state(states["numpy_random_seed"])  # noqa: NPY002 - the state that accelerate has saved
    torch.set_rng_state(states["torch_manual_seed"])
    if device.type == "cuda":
        of_devices, index = states.get("torch_cuda_manual_seed", ()), device.index or 0
        if index < len(of_devices):
            torch.cuda.set_rng_state(of_devices[index], device)
        else:
            _logger.warning(
                "%s has no random state of %s, as the run began on other devices: it continues, but not to the bits of "
                "one that stayed on its device.",
                *(path, device),
            )


@contextmanager
def _tensors_alone(accelerator: Accelerator) -> Iterator[None]:
    """Makes torch read tensors and plain values alone: a run folder may be another person's.

    accelerate reads the states of registered objects with ``weights_only=False``, which runs what a pickle asks for.
    DeepSpeed's checkpoints hold objects of its own, which cannot be read in this way.
    """
    if accelerator.distributed_type is DistributedType.DEEPSPEED:
        yield
        return
    names = ("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD")
    before = {name: os.environ.pop(name, None) for name in names}
    os.environ[names[0]] = "1"
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


@contextmanager
def _written(path: Path) -> Iterator[None]:
    """Names the place and the cause where something cannot be written; what was begun is removed, to free its space.

    Raises:
        UsageError: It cannot be written.
    """
    try:
        yield
    except IemomecpError:
        raise
    except torch.OutOfMemoryError:
        raise
    except (OSError, SafetensorError, RuntimeError) as error:
        cause = error_of_place(error, path.parent) or (
            error if isinstance(error, OSError) else OSError(_one_line(error))
        )
        shutil.rmtree(path, ignore_errors=True)
        raise not_written(path, cause) from error


def _unsafe(path: Path) -> UnsafeFileError:
    return UnsafeFileError(
        f"{path} holds something else than tensors and plain values, which no run writes and which could run code when "
        "it is read: it was not read. Remove the folder checkpoint/ of the run, and the same command begins it anew."
    )


def _size(paths: tuple[Path, ...]) -> int:
    return sum(file.stat().st_size for path in paths for file in path.rglob("*") if file.is_file())


def _one_line(error: BaseException) -> str:
    return " ".join(f"{error}".split())[:200] or type(error).__name__


def _processes(count: int) -> str:
    return "one process" if count == 1 else f"{count} processes"
