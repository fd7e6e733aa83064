"""The training loop: epochs, selection on validation, early stopping, and stopping in between.

The order of an epoch depends on seed and epoch alone, and a checkpoint holds model, optimiser, scheduler, random
states, the position in the epoch and the sums of its losses. A run that has ended anywhere therefore continues from its
newest checkpoint exactly, and ends with the same bits.
"""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.data_loader import prepare_data_loader
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader, Dataset
from tqdm.auto import tqdm

from iemomecp_dataset.errors import TrainingError
from iemomecp_dataset.metrics.scoring import pair_scores
from iemomecp_dataset.metrics.thresholds import best_threshold
from iemomecp_dataset.pair_table import PairTable
from iemomecp_dataset.trainers.options import OptimisationOptions
from iemomecp_dataset.trainers.run_folder import RunFolder
from iemomecp_dataset.trainers.training.checkpoints import Checkpoints, Progress
from iemomecp_dataset.trainers.training.distributed import Processes, is_filler, pooled_over_processes
from iemomecp_dataset.trainers.training.ema import averaged_model
from iemomecp_dataset.trainers.training.evaluation import ScoredSplit, score_split
from iemomecp_dataset.trainers.training.samplers import BatchOrder
from iemomecp_dataset.trainers.training.stopping import StopReason, StopRequested, StopRequests
from iemomecp_dataset.trainers.training.task import Batch, Examples, ScoringMethod

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


def train(
    accelerator: Accelerator,
    model: nn.Module,
    task: TrainingTask,
    folder: RunFolder,
    *,
    progress_bar: bool = True,
    max_hours: float | None = None,
    checkpoint_steps: int = 0,
) -> tuple[Progress, dict[str, ScoredSplit]]:
    """Trains a scorer, and scores every split with the best epoch's weights.

    SIGTERM and the first SIGINT end the session after the step in progress, with a checkpoint; a second SIGINT ends it
    at once.

    Args:
        accelerator: Device, precision and processes.
        model: The scorer; it has the best weights afterwards.
        task: What is to be learned.
        folder: The run folder.
        progress_bar: Show progress.
        max_hours: Stop after the step that passes this time, counted from this call.
        checkpoint_steps: Optimiser steps of an epoch between checkpoints; 0 for checkpoints at ends of epochs alone.

    Returns:
        How training went, and the scores by split: none when it is not complete.

    Raises:
        TrainingError: The loss is not finite, or the accelerator's memory does not suffice.
        RunFolderError: The run was begun by another number of processes.
        KeyboardInterrupt: SIGINT has ended the session.
        SystemExit: SIGTERM has ended the session.
    """
    stopping = StopRequests(accelerator, max_hours)
    optimisation = task.optimisation
    processes = Processes(accelerator.num_processes, accelerator.process_index)
    # One pass over each parameter instead of a dozen: on a CPU, where steps are short, a sixth of a step.
    optimiser = torch.optim.AdamW(_parameter_groups(model, optimisation), fused=True)
    order = task.method.train_order(
        task.examples["train"], batch_size=optimisation.batch_size, seed=task.seed, processes=processes
    )
    steps_per_epoch = -(-len(order) // optimisation.gradient_accumulation_steps)
    scheduler = torch.optim.lr_scheduler.LambdaLR(
        optimiser, _LinearSchedule(steps_per_epoch * optimisation.epochs, optimisation.warmup_ratio)
    )
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
    checkpoints = Checkpoints(accelerator, folder, averaged.module)
    progress = checkpoints.restore()
    if progress.epoch or progress.batches:
        _logger.warning("Continuing %s %s.", folder.path, _place(progress, optimisation, order))
    order.epoch, order.done = progress.epoch, progress.batches
    examples = len(task.examples["train"])
    bar = tqdm(
        total=optimisation.epochs * examples,
        initial=progress.epoch * examples + sum(len(batch) for batch in islice(order.batches(), order.done)),
        desc="Training",
        unit=task.method.unit,
        disable=not progress_bar or not accelerator.is_main_process,
    )
    session = _Session(
        accelerator=accelerator,
        model=model_,
        averaged=averaged,
        optimiser=optimiser_,
        scheduler=scheduler,
        order=order,
        train_loader=loader_of(accelerator, task.examples["train"], order, task.method),
        selection_loader=loaders[task.selection_split],
        task=task,
        class_weights=torch.tensor(task.class_weights, device=accelerator.device) if task.class_weights else None,
        checkpoints=checkpoints,
        checkpoint_steps=checkpoint_steps,
        stopping=stopping,
        began=time.monotonic() - progress.seconds,
        bar=bar,
    )
    try:
        with stopping:
            while _goes_on(progress, optimisation):
                _train_epoch(session, progress)
                _end_epoch(session, progress, folder)
            bar.close()
            checkpoints.load_best(accelerator.unwrap_model(model_), progress)
            scored = {
                split: score_split(
                    accelerator, task.method, model_, stopping.watch(loaders[split]), task.examples[split]
                )
                for split in task.examples
                if split != "train" or split == task.selection_split
            }
    except StopRequested as stop:
        bar.close()
        _logger.warning(
            "Stopped %s, as %s asks. Start the same command again to continue.",
            _place(progress, optimisation, order),
            stop.reason.value,
        )
        if stop.reason is StopReason.INTERRUPTED:
            raise KeyboardInterrupt from None
        if stop.reason is StopReason.TERMINATED:
            raise SystemExit(128 + signal.SIGTERM) from None
        return progress, {}
    progress.complete = True
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


def _place(progress: Progress, optimisation: OptimisationOptions, order: BatchOrder) -> str:
    """Where a run is, in words."""
    if progress.batches == 0:
        return f"after epoch {progress.epoch} of at most {optimisation.epochs}"
    return (
        f"in epoch {progress.epoch + 1} of at most {optimisation.epochs}, after {progress.batches} of its {len(order)} "
        "mini-batches"
    )


@dataclass(frozen=True)
class _Session:
    """What a step touches, from the start of a process to its end."""

    accelerator: Accelerator
    model: Any
    averaged: AveragedModel
    optimiser: Any
    scheduler: Any
    order: BatchOrder
    train_loader: Any
    selection_loader: Any
    task: TrainingTask
    class_weights: Tensor | None
    checkpoints: Checkpoints
    checkpoint_steps: int
    stopping: StopRequests
    began: float
    bar: Any

    def save(self, progress: Progress, *, improved: bool = False) -> None:
        """Writes a checkpoint."""
        progress.seconds = time.monotonic() - self.began
        self.checkpoints.save(progress, improved=improved)

    def batches(self, progress: Progress) -> Iterator[Batch]:
        """The mini-batches of the epoch that are still to be done."""
        # accelerate's loader counts epochs itself, from 0 in each session, and tells the order. So both are told.
        self.train_loader.set_epoch(progress.epoch)
        self.order.epoch, self.order.done = progress.epoch, progress.batches
        if progress.batches == 0:
            yield from self.train_loader
            return
        # torch draws a number as a loader begins; an uninterrupted epoch did so before the steps that are done.
        state: Tensor | None = torch.get_rng_state()
        for batch in self.train_loader:
            if state is not None:
                torch.set_rng_state(state)
                state = None
            yield batch


def _train_epoch(session: _Session, progress: Progress) -> None:
    """Trains what is left of an epoch.

    Raises:
        StopRequested: The session is to end; a checkpoint is written.
    """
    if progress.batches == len(session.order):
        return  # the session before ended while the selection split was scored
    session.model.train()
    interval = session.checkpoint_steps * session.task.optimisation.gradient_accumulation_steps
    for batch in session.batches(progress):
        _train_batch(session, progress, batch)
        if session.accelerator.sync_gradients:
            reason = session.stopping.reason()
            if reason or (interval and progress.batches % interval == 0):
                session.save(progress)
            if reason:
                raise StopRequested(reason)


def _train_batch(session: _Session, progress: Progress, batch: Batch) -> None:
    """One mini-batch, and a step of the optimiser where enough have come together."""
    accelerator, task = session.accelerator, session.task
    positions = batch["position"].tolist()
    counted = not is_filler(positions[0])
    pool = pooled_over_processes(accelerator, counted=counted)
    with accelerator.accumulate(session.model):
        terms = task.method.terms(session.model, batch, session.class_weights, pool)
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
            accelerator.clip_grad_norm_(session.model.parameters(), task.optimisation.max_grad_norm)
        session.optimiser.step()
        session.optimiser.zero_grad()
        if accelerator.sync_gradients:
            if not accelerator.optimizer_step_was_skipped:
                session.scheduler.step()
            session.averaged.update_parameters(accelerator.unwrap_model(session.model))
    for name, term in terms.items():
        progress.losses[name] = progress.losses.get(name, 0.0) + term.item()
    progress.batches += 1
    session.bar.update(len(positions) * accelerator.num_processes if counted else 0)


def _end_epoch(session: _Session, progress: Progress, folder: RunFolder) -> None:
    """Scores the selection split, notes what came of the epoch, and writes its checkpoint.

    Raises:
        StopRequested: The session is to end; a checkpoint is written.
    """
    accelerator, task = session.accelerator, session.task
    losses = _mean_losses(session, progress)
    random_state = torch.get_rng_state()
    try:
        selected = score_split(
            accelerator,
            task.method,
            session.averaged.module,
            session.stopping.watch(session.selection_loader),
            task.examples[task.selection_split],
        )
    except StopRequested:
        # The split will be scored anew, and a loader draws a number as it begins.
        torch.set_rng_state(random_state)
        session.save(progress)
        raise
    scores, threshold = _selection_scores(selected, task)
    progress.epoch += 1
    progress.batches, progress.losses = 0, {}
    improved = scores[task.optimisation.selection] > progress.best_score
    if improved:
        progress.best_epoch, progress.best_score = progress.epoch, scores[task.optimisation.selection]
        progress.threshold = threshold
    session.bar.set_postfix(
        epoch=progress.epoch, loss=f"{sum(losses.values()):.3f}", pair_f1=f"{scores['pair_f1']:.3f}"
    )
    if accelerator.is_main_process:
        folder.append_log(
            {
                "event": "epoch",
                "epoch": progress.epoch,
                "step": progress.epoch * len(session.order),
                "train_loss": sum(losses.values()),
                "losses": losses,
                task.selection_split: {**scores, "loss": selected.loss},
                "best_epoch": progress.best_epoch,
                "learning_rate": session.scheduler.get_last_lr()[-1],
                "seconds": time.monotonic() - session.began,
            }
        )
    # After the log: what a crash in between leaves behind is dropped when the epoch is repeated.
    session.save(progress, improved=improved)
    accelerator.log({**losses, **scores}, step=progress.epoch)
    reason = session.stopping.reason()
    if reason and (reason is not StopReason.TIME_OVER or _goes_on(progress, task.optimisation)):
        raise StopRequested(reason)


def _mean_losses(session: _Session, progress: Progress) -> dict[str, float]:
    """Mean of each weighted loss term over the epoch."""
    accelerator = session.accelerator
    means = torch.tensor([total / len(session.order) for total in progress.losses.values()], dtype=torch.float64)
    if accelerator.num_processes > 1:
        means = accelerator.reduce(means.float().to(accelerator.device), reduction="mean").cpu()
    return dict(zip(progress.losses, means.tolist(), strict=True))


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
