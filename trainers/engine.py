"""The training loop: epochs, selection on validation, early stopping, and checkpoints to continue from.

The order of an epoch depends on seed and epoch alone, and a checkpoint holds model, optimiser, scheduler and random
states at the end of an epoch. A killed run therefore repeats the interrupted epoch exactly, and ends with the same
bits.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.data_loader import prepare_data_loader
from accelerate.utils import broadcast_object_list
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader, Dataset
from tqdm.auto import tqdm

from iemomecp_dataset.errors import TrainingError
from iemomecp_dataset.metrics.scoring import pair_scores
from iemomecp_dataset.metrics.thresholds import best_threshold
from iemomecp_dataset.pair_table import PairTable
from iemomecp_dataset.trainers.batch_order import BatchOrder
from iemomecp_dataset.trainers.options import OptimisationOptions
from iemomecp_dataset.trainers.processes import Processes, is_filler, pooled_over_processes
from iemomecp_dataset.trainers.run_folder import RunFolder
from iemomecp_dataset.trainers.scoring_batches import ScoredSplit, score_split
from iemomecp_dataset.trainers.scoring_method import Examples, ScoringMethod
from iemomecp_dataset.trainers.weight_averaging import averaged_model

__all__ = ["Progress", "TrainingTask", "loader_of", "train"]

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingTask:
    """What is to be learned.

    Attributes:
        examples: Dialogues, or pairs, by split.
        tables: Pair tables by split, in the same order.
        class_names: Pair classes by id.
        selection_split: Split that chooses epoch and threshold.
        method: The kind of scorer.
        class_weights: ``(C,)`` weights of the supervised pair loss, or none.
        optimisation: Steps, rates, selection.
        seed: Seed of the order of examples.
    """

    examples: Mapping[str, Examples]
    tables: Mapping[str, PairTable]
    class_names: tuple[str, ...]
    selection_split: str
    method: ScoringMethod
    class_weights: tuple[float, ...] | None
    optimisation: OptimisationOptions
    seed: int


@dataclass
class Progress:
    """How far a run is.

    Attributes:
        epoch: Epochs that are complete.
        best_epoch: The best of them so far, counted from 1.
        best_score: Its score on the selection split.
        threshold: Its threshold.
        seconds: Training time so far, over all sessions of the run.
        complete: Whether training has ended; not, when ``max_hours`` ended it for now.
    """

    epoch: int = 0
    best_epoch: int = 0
    best_score: float = float("-inf")
    threshold: float | None = None
    seconds: float = 0.0
    complete: bool = False


def train(
    accelerator: Accelerator,
    model: nn.Module,
    task: TrainingTask,
    folder: RunFolder,
    *,
    progress_bar: bool = True,
    max_hours: float | None = None,
) -> tuple[Progress, dict[str, ScoredSplit]]:
    """Trains a scorer, and scores every split with the best epoch's weights.

    Args:
        accelerator: Device, precision and processes.
        model: The scorer; it has the best weights afterwards.
        task: What is to be learned.
        folder: The run folder.
        progress_bar: Show progress.
        max_hours: Stop after the epoch that passes this time, counted from this call.

    Returns:
        How training went, and the scores by split: none when it is not complete.

    Raises:
        TrainingError: The loss is not finite, or the accelerator's memory does not suffice.
    """
    optimisation = task.optimisation
    processes = Processes(accelerator.num_processes, accelerator.process_index)
    optimiser = torch.optim.AdamW(_parameter_groups(model, optimisation))
    order = task.method.train_order(
        task.examples["train"], batch_size=optimisation.batch_size, seed=task.seed, processes=processes
    )
    steps_per_epoch = -(-len(order) // optimisation.gradient_accumulation_steps)
    scheduler = torch.optim.lr_scheduler.LambdaLR(
        optimiser, _LinearSchedule(steps_per_epoch * optimisation.epochs, optimisation.warmup_ratio)
    )
    train_loader = loader_of(accelerator, task.examples["train"], order, task.method)
    loaders = {
        split: loader_of(
            accelerator,
            examples,
            task.method.scoring_order(examples, batch_size=optimisation.eval_batch_size, processes=processes),
            task.method,
        )
        for split, examples in task.examples.items()
    }
    # The scheduler steps with the optimiser, however many processes there are; accelerate's would step once for each.
    model_, optimiser_ = accelerator.prepare(model, optimiser)
    averaged = averaged_model(accelerator.unwrap_model(model_), optimisation.weight_averaging)
    accelerator.register_for_checkpointing(averaged, scheduler)
    class_weights = torch.tensor(task.class_weights, device=accelerator.device) if task.class_weights else None
    progress = _continue(accelerator, folder)
    session = time.monotonic()
    started = session - progress.seconds

    bar = tqdm(
        total=optimisation.epochs * len(task.examples["train"]),
        initial=progress.epoch * len(task.examples["train"]),
        desc="Training",
        unit=task.method.unit,
        disable=not progress_bar or not accelerator.is_main_process,
    )
    while _goes_on(progress, optimisation):
        # accelerate's loader counts epochs itself, from 0 in each session, and tells the order. So both are told.
        train_loader.set_epoch(progress.epoch)
        order.set_epoch(progress.epoch)
        losses = _train_epoch(
            accelerator, model_, averaged, optimiser_, scheduler, train_loader, task, class_weights, bar
        )
        selected = score_split(
            accelerator,
            task.method,
            averaged.module,
            loaders[task.selection_split],
            task.examples[task.selection_split],
        )
        progress.epoch += 1
        progress.seconds = time.monotonic() - started
        scores, threshold = _selection_scores(selected, task)
        improved = scores[optimisation.selection] > progress.best_score
        if improved:
            progress.best_epoch, progress.best_score = progress.epoch, scores[optimisation.selection]
            progress.threshold = threshold
        bar.set_postfix(epoch=progress.epoch, loss=f"{sum(losses.values()):.3f}", pair_f1=f"{scores['pair_f1']:.3f}")
        if accelerator.is_main_process:
            folder.append_log(
                {
                    "event": "epoch",
                    "epoch": progress.epoch,
                    "step": progress.epoch * len(order),
                    "train_loss": sum(losses.values()),
                    "losses": losses,
                    task.selection_split: {**scores, "loss": selected.loss},
                    "best_epoch": progress.best_epoch,
                    "learning_rate": scheduler.get_last_lr()[-1],
                    "seconds": progress.seconds,
                }
            )
        # After the log: what a crash in between leaves behind is dropped when the epoch is repeated.
        _checkpoint(accelerator, averaged.module, folder, progress, improved)
        accelerator.log({**losses, **scores}, step=progress.epoch)
        # One clock decides for all processes.
        over = [max_hours is not None and time.monotonic() - session > 3600 * max_hours]
        if broadcast_object_list(over)[0] and _goes_on(progress, optimisation):
            bar.close()
            return progress, {}
    bar.close()

    progress.complete = True
    _load_best(accelerator, model_, folder, progress)
    scored = {
        split: score_split(accelerator, task.method, model_, loaders[split], task.examples[split])
        for split in task.examples
        if split != "train" or split == task.selection_split
    }
    return progress, scored


def loader_of(accelerator: Accelerator, examples: Examples, order: BatchOrder, method: ScoringMethod) -> Any:
    """A loader of this process' share of mini-batches, on its device.

    Args:
        accelerator: The device.
        examples: Dialogues or pairs.
        order: Which make a mini-batch.
        method: What builds its tensors.
    """
    loader: Any = DataLoader(_Positions(examples), batch_sampler=order, collate_fn=method.collate)
    # The order is shared out already: accelerate would repeat dialogues to fill the last mini-batch, and they would
    # count twice. So it places tensors and marks the end of an epoch, as for one process.
    return prepare_data_loader(loader, accelerator.device, num_processes=1, process_index=0, put_on_device=True)


class _Positions(Dataset[tuple[int, Any]]):
    """Examples with their positions; a filler is the example it was made of."""

    def __init__(self, examples: Examples):
        self.examples = examples

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, position: int) -> tuple[int, Any]:
        return position, self.examples[~position if is_filler(position) else position]


def _goes_on(progress: Progress, optimisation: OptimisationOptions) -> bool:
    patience = optimisation.patience or optimisation.epochs
    return progress.epoch < optimisation.epochs and progress.epoch - progress.best_epoch < patience


def _train_epoch(
    accelerator: Accelerator,
    model: Any,
    averaged: AveragedModel,
    optimiser: Any,
    scheduler: Any,
    loader: Any,
    task: TrainingTask,
    class_weights: Tensor | None,
    bar: Any,
) -> dict[str, float]:
    """One pass over the train split; returns the mean of each weighted loss term."""
    model.train()
    sums: dict[str, float] = {}
    for batch in loader:
        positions = batch["position"].tolist()
        counted = not is_filler(positions[0])
        pool = pooled_over_processes(accelerator, counted=counted)
        with accelerator.accumulate(model):
            terms = task.method.terms(model, batch, class_weights, pool)
            loss = torch.stack(list(terms.values())).sum()
            if not torch.isfinite(loss):
                examples = task.examples["train"]
                ids = dict.fromkeys(examples[p].dialogue_id for p in positions if not is_filler(p))
                raise TrainingError(
                    f"The loss is {loss.item()} on the dialogues {', '.join(ids)}. Lower --learning_rate, or use "
                    "--mixed_precision no."
                )
            accelerator.backward(loss)
            if accelerator.sync_gradients:
                accelerator.clip_grad_norm_(model.parameters(), task.optimisation.max_grad_norm)
            optimiser.step()
            optimiser.zero_grad()
            if accelerator.sync_gradients:
                if not accelerator.optimizer_step_was_skipped:
                    scheduler.step()
                averaged.update_parameters(accelerator.unwrap_model(model))
        for name, term in terms.items():
            sums[name] = sums.get(name, 0.0) + term.item()
        bar.update(len(positions) * accelerator.num_processes if counted else 0)
    means = torch.tensor([total / len(loader) for total in sums.values()], dtype=torch.float64)
    if accelerator.num_processes > 1:
        means = accelerator.reduce(means.float().to(accelerator.device), reduction="mean").cpu()
    return dict(zip(sums, means.tolist(), strict=True))


def _selection_scores(selected: ScoredSplit, task: TrainingTask) -> tuple[dict[str, float], float | None]:
    """Scores that choose the epoch, and the threshold that they are computed at; none for the most probable class."""
    table = task.tables[task.selection_split]
    threshold = task.optimisation.threshold
    if threshold is None and task.optimisation.decision == "threshold":
        threshold, _ = best_threshold(selected.probabilities, table.labels, missed_positives=table.missed_positives)
    scores = pair_scores(
        selected.probabilities,
        table.labels,
        task.class_names,
        threshold=threshold,
        missed_positives=table.missed_positives,
    )
    return {name: scores[name] for name in ("pair_f1", "pair_auprc", "macro_f1")}, threshold


def _parameter_groups(model: nn.Module, optimisation: OptimisationOptions) -> list[dict[str, Any]]:
    text_encoder = getattr(model, "text_encoder", None)
    encoder = {id(p) for p in text_encoder.parameters()} if text_encoder is not None else set()
    groups: dict[tuple[float, float], list[Tensor]] = {}
    for parameter in model.parameters():
        if parameter.requires_grad:
            rate = optimisation.encoder_learning_rate if id(parameter) in encoder else optimisation.learning_rate
            # Biases and the gains of norms are the parameters of one dimension.
            decays = optimisation.decay_everything or parameter.ndim > 1
            decay = optimisation.weight_decay if decays else 0.0
            groups.setdefault((rate, decay), []).append(parameter)
    return [{"params": group, "lr": rate, "weight_decay": decay} for (rate, decay), group in groups.items()]


class _LinearSchedule:
    """Factor of the learning rate: up linearly, then down to zero."""

    def __init__(self, steps: int, warmup_ratio: float):
        self.steps = steps
        self.warmup = int(steps * warmup_ratio)

    def __call__(self, step: int) -> float:
        if step < self.warmup:
            return step / max(1, self.warmup)
        return max(0.0, (self.steps - step) / max(1, self.steps - self.warmup))


def _checkpoint(
    accelerator: Accelerator, averaged: torch.nn.Module, folder: RunFolder, progress: Progress, improved: bool
) -> None:
    """Saves the end of an epoch: first under another name, then renamed, then the one before is removed."""
    from safetensors.torch import save_file

    best = folder.checkpoints / f"best-{progress.best_epoch:04d}.safetensors"
    partial = folder.checkpoints / "partial"
    if accelerator.is_main_process:
        folder.checkpoints.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(partial, ignore_errors=True)
        if improved:
            save_file({name: t.detach().cpu().contiguous() for name, t in averaged.state_dict().items()}, best)
    accelerator.wait_for_everyone()
    accelerator.save_state(str(partial), safe_serialization=True)
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        (partial / "progress.json").write_text(json.dumps(asdict(progress)), encoding="utf-8")
        complete = folder.checkpoints / f"epoch-{progress.epoch:04d}"
        partial.replace(complete)
        _sync_folder(folder.checkpoints)
        folder.remove_checkpoints(keep=(complete, best))
    accelerator.wait_for_everyone()


def _continue(accelerator: Accelerator, folder: RunFolder) -> Progress:
    """Restores the newest checkpoint, if there is one."""
    checkpoint = folder.latest_checkpoint()
    if checkpoint is None:
        if accelerator.is_main_process:
            folder.rewind_log(0)
        return Progress()
    accelerator.load_state(str(checkpoint))
    progress = Progress(**json.loads((checkpoint / "progress.json").read_text(encoding="utf-8")))
    if accelerator.is_main_process:
        folder.rewind_log(progress.epoch)
        _logger.warning("Continuing %s after epoch %d.", folder.path, progress.epoch)
    return progress


def _load_best(accelerator: Accelerator, model: Any, folder: RunFolder, progress: Progress) -> None:
    from safetensors.torch import load_file

    path = folder.checkpoints / f"best-{progress.best_epoch:04d}.safetensors"
    accelerator.unwrap_model(model).load_state_dict(load_file(path))


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
