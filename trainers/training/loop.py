"""The training loop: epochs, selection on validation, early stopping, and stopping in between.

The order of an epoch depends on seed and epoch alone, and a checkpoint holds model, optimizer, scheduler, random
states, the position in the epoch and the sums of its losses. An interrupted run therefore continues from its newest
checkpoint exactly, and ends with the same bits.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
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
from iemomecp_dataset.metrics.evaluation.units import in_unit
from iemomecp_dataset.trainers.encoders.recomputing import recompute_activations
from iemomecp_dataset.trainers.options import RunSettings, SharedOptimization
from iemomecp_dataset.trainers.run_folder import RunFolder
from iemomecp_dataset.trainers.training.checkpoints import Checkpoints, Progress
from iemomecp_dataset.trainers.training.distributed import Processes, is_filler, pooled_over_processes
from iemomecp_dataset.trainers.training.divergence import LossWatch, check_scores, not_finite
from iemomecp_dataset.trainers.training.ema import averaged_model
from iemomecp_dataset.trainers.training.evaluation import ScoredSplit, score_split
from iemomecp_dataset.trainers.training.samplers import BatchOrder
from iemomecp_dataset.trainers.training.sharding import Shards, is_sharded, prepare_sharded, whole_weights
from iemomecp_dataset.trainers.training.stopping import StopReason, StopRequested, StopRequests
from iemomecp_dataset.trainers.training.task import Batch, Examples, Selected, Strategy, TrainingTask
from iemomecp_dataset.trainers.training.trackers import tracked

__all__ = ["fit", "score_examples", "training_steps"]

_logger = logging.getLogger(__name__)


def fit(
    accelerator: Accelerator, task: TrainingTask, options: RunSettings, folder: RunFolder
) -> tuple[Progress, dict[str, ScoredSplit]]:
    """Trains a scorer, then scores every split with the weights of the best epoch; or scores it as it is.

    SIGTERM, SIGHUP, the first SIGINT and the end of the launcher end the session after the step in progress, with a
    checkpoint; a second SIGINT ends it at once.

    Args:
        accelerator: Device, precision and processes.
        task: Model, strategy and examples; the model has the best weights afterwards.
        options: The run's options.
        folder: The run folder.

    Returns:
        The progress, and the scores by split: empty while training is not complete.

    Raises:
        TrainingError: The loss is not finite, or the accelerator's memory does not suffice.
        RunFolderError: The run was begun by another number of processes.
        KeyboardInterrupt: SIGINT has ended the session.
        SystemExit: SIGTERM, SIGHUP or the end of the launcher has ended the session.
    """
    stopping = StopRequests(accelerator, options.run.max_hours)
    if not task.trains:
        return _score_untrained(accelerator, task, options, stopping)
    state = _begin(accelerator, task, options, folder, stopping)
    progress = state.progress
    try:
        with stopping:
            while state.goes_on:
                _train_epoch(state)
                _end_epoch(state)
            state.bar.close()
            state.checkpoints.load_best(accelerator.unwrap_model(state.model), progress)
            scored = {
                split: score_split(
                    accelerator, task.strategy, state.model, stopping.watch(state.loaders[split]), task.examples[split]
                )
                for split in task.examples
                if split != "train" or (task.selection is not None and split == task.selection_split)
            }
            if is_sharded(accelerator):
                task.whole_weights.update(whole_weights(state.model))
    except torch.OutOfMemoryError as error:
        raise TrainingError(
            f"The accelerator's memory does not suffice ({str(error).splitlines()[0]}). Lower --batch_size (and raise "
            "--gradient_accumulation_steps by the same factor), --max_tokens or --eval_batch_size, or use "
            "--mixed_precision bf16."
        ) from error
    except StopRequested as stop:
        state.bar.close()
        _end_session(stop, state.place)
        return progress, {}
    progress.complete = True
    return progress, scored


def _score_untrained(
    accelerator: Accelerator, task: TrainingTask, options: RunSettings, stopping: StopRequests
) -> tuple[Progress, dict[str, ScoredSplit]]:
    """Scores every split but train with a model that is not trained."""
    began, size, scored = time.monotonic(), options.optimization.eval_batch_size, dict[str, ScoredSplit]()
    processes = Processes(accelerator.num_processes, accelerator.process_index)
    model = accelerator.prepare(task.model)
    try:
        with stopping:
            for split, examples in task.examples.items():
                if split != "train":
                    order = task.strategy.scoring_order(examples, batch_size=size, processes=processes)
                    loader = stopping.watch(_loader(accelerator, examples, order, task.strategy))
                    scored[split] = score_split(accelerator, task.strategy, model, loader, examples)
    except torch.OutOfMemoryError as error:
        raise TrainingError(
            f"The accelerator's memory does not suffice ({str(error).splitlines()[0]}). Lower --eval_batch_size, or "
            "use --mixed_precision bf16."
        ) from error
    except StopRequested as stop:
        _end_session(stop, "before the model was scored")
        return Progress(), {}
    return Progress(seconds=time.monotonic() - began, complete=True), scored


def _end_session(stop: StopRequested, place: str) -> None:
    """Says how to continue; a signal then ends the process.

    Raises:
        KeyboardInterrupt: It was SIGINT.
        SystemExit: It was SIGTERM or SIGHUP, or the launcher has ended.
    """
    _logger.warning("Stopped %s on %s. Start the same command again to continue.", place, stop.reason.value)
    stop.reason.end_process()


def score_examples(
    accelerator: Accelerator, strategy: Strategy, model: Any, examples: Examples, *, batch_size: int
) -> ScoredSplit:
    """Scores examples outside of training.

    Args:
        accelerator: Device, precision and processes.
        strategy: How they are batched and scored.
        model: The scorer.
        examples: The examples of one split.
        batch_size: How many at once, per process.

    Returns:
        Probabilities of all that is predicted, on every process.
    """
    processes = Processes(accelerator.num_processes, accelerator.process_index)
    order = strategy.scoring_order(examples, batch_size=batch_size, processes=processes)
    return score_split(accelerator, strategy, model, _loader(accelerator, examples, order, strategy), examples)


def training_steps(
    accelerator: Accelerator, task: TrainingTask, options: RunSettings, folder: RunFolder
) -> Iterator[float]:
    """Trains as :func:`fit` does, step by step, for measurements: nothing is scored or logged, no checkpoint written.

    Args:
        accelerator: Device, precision and processes.
        task: Model, strategy and examples.
        options: The run's options.
        folder: A run folder that is of no run.

    Yields:
        The loss of each mini-batch, one epoch after the other, without end.

    Raises:
        TrainingError: A loss is not finite.
    """
    state = _begin(accelerator, task, options, folder, StopRequests(accelerator))
    state.model.train()
    while True:
        for batch in state.batches():
            yield _train_batch(state, batch)
        state.progress.epoch += 1
        state.progress.batches, state.progress.losses = 0, {}


@dataclass(frozen=True)
class _LoopState:
    """What a step touches, from the start of a process to its end; ``progress`` is all that changes and is stored."""

    accelerator: Accelerator
    task: TrainingTask
    options: RunSettings
    folder: RunFolder
    model: Any
    averaged: AveragedModel
    optimizer: Any
    scheduler: Any
    order: BatchOrder
    train_loader: Any
    loaders: dict[str, Any]
    checkpoints: Checkpoints
    stopping: StopRequests
    progress: Progress
    began: float
    bar: Any
    watch: LossWatch = field(default_factory=LossWatch)

    @property
    def goes_on(self) -> bool:
        """Whether another epoch follows: neither the last one is done nor is patience exhausted."""
        optimization, progress = self.options.optimization, self.progress
        patience = optimization.patience or optimization.epochs
        newest = progress.best_epoch
        if self.task.recipe.stop_on == "score_and_loss":
            newest = max(newest, progress.lowest_loss_epoch)
        return progress.epoch < optimization.epochs and progress.epoch - newest < patience

    @property
    def place(self) -> str:
        """The progress in words."""
        progress, epochs = self.progress, self.options.optimization.epochs
        if progress.batches == 0:
            return f"after epoch {progress.epoch} of at most {epochs}"
        return (
            f"in epoch {progress.epoch + 1} of at most {epochs}, after {progress.batches} of its {len(self.order)} "
            "mini-batches"
        )

    def save(self, *, improved: bool = False) -> None:
        """Writes a checkpoint."""
        self.progress.seconds = time.monotonic() - self.began
        self.checkpoints.save(self.progress, improved=improved)

    def batches(self) -> Iterator[Batch]:
        """The mini-batches of the epoch that are still to be done."""
        # accelerate's loader counts epochs itself, from 0 in each session, and sets the order's: both are set here.
        self.train_loader.set_epoch(self.progress.epoch)
        self.order.epoch, self.order.done = self.progress.epoch, self.progress.batches
        if self.progress.batches == 0:
            yield from self.train_loader
            return
        # torch draws a number as a loader begins; an uninterrupted epoch did so before the steps that are done.
        state: Tensor | None = torch.get_rng_state()
        for batch in self.train_loader:
            if state is not None:
                torch.set_rng_state(state)
                state = None
            yield batch


def _begin(
    accelerator: Accelerator, task: TrainingTask, options: RunSettings, folder: RunFolder, stopping: StopRequests
) -> _LoopState:
    """Sets up optimizer, schedule, loaders and averaged weights, and restores the newest checkpoint."""
    optimization, strategy = options.optimization, task.strategy
    if optimization.gradient_checkpointing:
        recompute_activations(task.model)
    processes = Processes(accelerator.num_processes, accelerator.process_index)
    optimizer_class = torch.optim.Adam if task.recipe.optimizer == "adam" else torch.optim.AdamW
    # One pass over each parameter instead of a dozen: on a CPU, where steps are short, a sixth of a step.
    optimizer = optimizer_class(_parameter_groups(task.model, optimization), fused=True)
    order = strategy.train_order(
        task.examples["train"], batch_size=optimization.batch_size, seed=options.run.seed, processes=processes
    )
    steps_per_epoch = -(-len(order) // optimization.gradient_accumulation_steps)
    scheduler = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        _LinearSchedule(
            steps_per_epoch * optimization.epochs, optimization.warmup_ratio, falls=task.recipe.schedule == "linear"
        ),
    )
    loaders = {
        split: _loader(
            accelerator,
            examples,
            strategy.scoring_order(examples, batch_size=optimization.eval_batch_size, processes=processes),
            strategy,
        )
        for split, examples in task.examples.items()
    }
    # The scheduler steps with the optimizer, however many processes there are; accelerate's would step once for each.
    shards = None
    if is_sharded(accelerator):
        model, optimizer, averaged = prepare_sharded(accelerator, task.model, optimizer, optimization.weight_averaging)
        shards = Shards(model, averaged, optimizer, processes.index)
        accelerator.register_for_checkpointing(scheduler)
    else:
        model, optimizer = accelerator.prepare(task.model, optimizer)
        averaged = averaged_model(accelerator.unwrap_model(model), optimization.weight_averaging)
        accelerator.register_for_checkpointing(averaged, scheduler)
    checkpoints = Checkpoints(accelerator, folder, averaged.module, shards)
    progress = checkpoints.restore()
    order.epoch, order.done = progress.epoch, progress.batches
    examples_per_epoch = len(task.examples["train"])
    state = _LoopState(
        accelerator=accelerator,
        task=task,
        options=options,
        folder=folder,
        model=model,
        averaged=averaged,
        optimizer=optimizer,
        scheduler=scheduler,
        order=order,
        train_loader=_loader(accelerator, task.examples["train"], order, strategy),
        loaders=loaders,
        checkpoints=checkpoints,
        stopping=stopping,
        progress=progress,
        began=time.monotonic() - progress.seconds,
        bar=tqdm(
            total=optimization.epochs * examples_per_epoch,
            initial=progress.epoch * examples_per_epoch
            + sum(len(batch) for batch in islice(order.batches(), order.done)),
            desc="Training",
            unit=strategy.unit,
            disable=options.run.quiet or not accelerator.is_main_process,
        ),
    )
    if progress.epoch or progress.batches:
        _logger.warning("Continuing %s %s.", folder.path, state.place)
    return state


def _loader(accelerator: Accelerator, examples: Examples, order: BatchOrder, strategy: Strategy) -> Any:
    """A loader of this process' share of the mini-batches, on its device."""
    # From pinned memory a GPU copies a mini-batch while it computes; from other memory it would finish the step first.
    pinned = accelerator.device.type == "cuda"
    loader: Any = DataLoader(_Positions(examples), batch_sampler=order, collate_fn=strategy.collate, pin_memory=pinned)
    # The order is sharded already: accelerate would repeat dialogues to fill the last mini-batch, and they would count
    # twice. So it places tensors and marks the end of an epoch, as for one process.
    return prepare_data_loader(
        loader, accelerator.device, num_processes=1, process_index=0, put_on_device=True, non_blocking=pinned
    )


class _Positions(Dataset[tuple[int, Any]]):
    """Examples with their positions; a filler is the example it was made of."""

    def __init__(self, examples: Examples):
        self.examples = examples

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, position: int) -> tuple[int, Any]:
        return position, self.examples[~position if is_filler(position) else position]


def _train_epoch(state: _LoopState) -> None:
    """Trains the rest of an epoch.

    Raises:
        StopRequested: The session is to end; a checkpoint is written.
    """
    progress = state.progress
    if progress.batches == len(state.order):
        return  # the session before ended while the selection split was scored
    state.model.train()
    interval = state.options.run.checkpoint_steps * state.options.optimization.gradient_accumulation_steps
    for batch in state.batches():
        _train_batch(state, batch)
        if state.accelerator.sync_gradients:
            reason = state.stopping.reason()
            if reason or (interval and progress.batches % interval == 0):
                state.save()
            if reason:
                raise StopRequested(reason)


def _train_batch(state: _LoopState, batch: Batch) -> float:
    """One mini-batch, and a step of the optimizer after every ``gradient_accumulation_steps`` of them.

    Returns:
        Its loss.

    Raises:
        TrainingError: It is not finite.
    """
    accelerator, task, progress = state.accelerator, state.task, state.progress
    positions = batch["position"].tolist()
    counted = not is_filler(positions[0])
    pool = pooled_over_processes(accelerator, counted=counted)
    with accelerator.accumulate(state.model):
        terms = task.strategy.terms(state.model, batch, pool)
        stacked = torch.stack(list(terms.values()))
        loss = stacked.sum()
        # All numbers in one copy and before the backward pass is queued: a GPU would be waited for at each, and can
        # compute that pass while the next mini-batch is prepared.
        numbers: list[float] = torch.cat([stacked, loss[None]]).detach().tolist()
        *values, total = numbers
        if not math.isfinite(total):
            examples = task.examples["train"]
            ids = dict.fromkeys(examples[p].dialogue_id for p in positions if not is_filler(p))
            raise not_finite(
                total,
                state.model,
                batch,
                list(ids),
                batches=progress.epoch * len(state.order) + progress.batches,
                precision=str(accelerator.mixed_precision),
            )
        accelerator.backward(loss)
        if accelerator.sync_gradients:
            norm = state.options.optimization.max_grad_norm
            if norm is not None:
                accelerator.clip_grad_norm_(state.model.parameters(), norm)
        state.optimizer.step()
        state.optimizer.zero_grad()
        if accelerator.sync_gradients:
            if not accelerator.optimizer_step_was_skipped:
                state.scheduler.step()
            state.averaged.update_parameters(accelerator.unwrap_model(state.model))
    for name, value in zip(terms, values, strict=True):
        progress.losses[name] = progress.losses.get(name, 0.0) + value
    progress.batches += 1
    state.bar.update(len(positions) * accelerator.num_processes if counted else 0)
    return total


def _end_epoch(state: _LoopState) -> None:
    """Scores the selection split, logs the epoch, and writes its checkpoint.

    Raises:
        StopRequested: The session is to end; a checkpoint is written.
    """
    accelerator, task, progress = state.accelerator, state.task, state.progress
    losses = _mean_losses(state)
    selected, loss = _score_epoch(state)
    progress.epoch += 1
    progress.batches, progress.losses = 0, {}
    # Without a selection the newest epoch is the one that is kept.
    improved = selected is None or selected.value > progress.best_score
    if improved:
        progress.best_epoch = progress.epoch
    if selected is not None and improved:
        progress.best_score, progress.threshold = selected.value, selected.threshold
    if selected is not None and selected.loss is not None and selected.loss < progress.lowest_loss:
        progress.lowest_loss, progress.lowest_loss_epoch = selected.loss, progress.epoch
    scores = {} if selected is None else dict(selected.scores)
    learning_rate = state.scheduler.get_last_lr()[-1]
    shown = {name: in_unit(name, value) for name, value in list(scores.items())[:1]}  # percent, as in tables
    state.bar.set_postfix(epoch=progress.epoch, loss=f"{sum(losses.values()):.3f}", **shown)
    state.watch.epoch_ended(progress.epoch, sum(losses.values()))
    if accelerator.is_main_process:
        state.folder.append_log(
            {
                "event": "epoch",
                "epoch": progress.epoch,
                "step": progress.epoch * len(state.order),
                "train_loss": sum(losses.values()),
                "losses": losses,
                **({} if selected is None else {task.selection_split: {**scores, "loss": loss}}),
                "best_epoch": progress.best_epoch,
                "learning_rate": learning_rate,
                "seconds": time.monotonic() - state.began,
            }
        )
    # After the log: what a crash in between leaves behind is dropped when the epoch is repeated.
    state.save(improved=improved)
    accelerator.log(tracked(losses, task.selection_split, scores, loss, learning_rate), step=progress.epoch)
    reason = state.stopping.reason()
    if reason and (reason is not StopReason.TIME_OVER or state.goes_on):
        raise StopRequested(reason)


def _score_epoch(state: _LoopState) -> tuple[Selected | None, float | None]:
    """Scores the selection split; without a selection, nothing.

    Returns:
        What the epoch is worth, and the loss on that split: the one that training stops by, if there is one.

    Raises:
        StopRequested: The session is to end; a checkpoint is written.
    """
    task = state.task
    if task.selection is None:
        return None, None
    random_state = torch.get_rng_state()
    split = task.selection_split
    try:
        scored = score_split(
            state.accelerator,
            task.strategy,
            state.averaged.module,
            state.stopping.watch(state.loaders[split]),
            task.examples[split],
        )
    except StopRequested:
        # The split will be scored anew, and a loader draws a number as it begins.
        torch.set_rng_state(random_state)
        state.save()
        raise
    check_scores(scored.probabilities, split)
    selected = task.selection(scored.probabilities)
    return selected, scored.loss if selected.loss is None else selected.loss


def _mean_losses(state: _LoopState) -> dict[str, float]:
    """Mean of each weighted loss term over the epoch."""
    accelerator, losses = state.accelerator, state.progress.losses
    means = torch.tensor([total / len(state.order) for total in losses.values()], dtype=torch.float64)
    if accelerator.num_processes > 1:
        means = accelerator.reduce(means.float().to(accelerator.device), reduction="mean").cpu()
    return dict(zip(losses, means.tolist(), strict=True))


def _parameter_groups(model: nn.Module, optimization: SharedOptimization) -> list[dict[str, Any]]:
    text_encoder = getattr(model, "text_encoder", None)
    encoder = {id(p) for p in text_encoder.parameters()} if text_encoder is not None else set()
    groups: dict[tuple[float, float], list[Tensor]] = {}
    for parameter in model.parameters():
        if parameter.requires_grad:
            rate = optimization.encoder_learning_rate if id(parameter) in encoder else optimization.learning_rate
            # Biases and the gains of norms are the parameters of one dimension.
            decays = optimization.decay_everything or parameter.ndim > 1
            decay = optimization.weight_decay if decays else 0.0
            groups.setdefault((rate, decay), []).append(parameter)
    return [{"params": group, "lr": rate, "weight_decay": decay} for (rate, decay), group in groups.items()]


class _LinearSchedule:
    """Factor of the learning rate: up linearly, then down to zero, or constant."""

    def __init__(self, steps: int, warmup_ratio: float, *, falls: bool = True):
        self.steps = steps
        self.warmup = int(steps * warmup_ratio)
        self.falls = falls

    def __call__(self, step: int) -> float:
        if step < self.warmup:
            return step / max(1, self.warmup)
        return max(0.0, (self.steps - step) / max(1, self.steps - self.warmup)) if self.falls else 1.0
