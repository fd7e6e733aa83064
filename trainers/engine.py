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
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader
from tqdm.auto import tqdm

from iemomecp_dataset.errors import TrainingError
from iemomecp_dataset.metrics.scoring import pair_scores
from iemomecp_dataset.metrics.thresholds import best_threshold
from iemomecp_dataset.pair_table import PairTable
from iemomecp_dataset.trainers.batching import Collator, DialogueBatchSampler
from iemomecp_dataset.trainers.dialogue_examples import DialogueExample
from iemomecp_dataset.trainers.dialogue_scorer import Corruption, DialogueScorer
from iemomecp_dataset.trainers.objectives import Objective, ObjectiveWeights, objective_terms
from iemomecp_dataset.trainers.options import OptimisationOptions
from iemomecp_dataset.trainers.run_folder import RunFolder
from iemomecp_dataset.trainers.scoring_batches import ScoredSplit, model_inputs, score_split
from iemomecp_dataset.trainers.weight_averaging import averaged_model

__all__ = ["Progress", "TrainingTask", "train"]

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingTask:
    """What is to be learned.

    Attributes:
        examples: Dialogues by split.
        tables: Pair tables by split, in the same order.
        class_names: Pair classes by id.
        selection_split: Split that chooses epoch and threshold.
        objective: Terms of the loss.
        weights: Their weights.
        corruption: How the corrupted view is made, where the objective has one.
        class_weights: ``(C,)`` weights of the supervised pair loss, or none.
        optimisation: Steps, rates, selection.
        seed: Seed of the order of dialogues.
    """

    examples: Mapping[str, Sequence[DialogueExample]]
    tables: Mapping[str, PairTable]
    class_names: tuple[str, ...]
    selection_split: str
    objective: Objective
    weights: ObjectiveWeights
    corruption: Corruption | None
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
    """

    epoch: int = 0
    best_epoch: int = 0
    best_score: float = float("-inf")
    threshold: float | None = None
    seconds: float = 0.0


def train(
    accelerator: Accelerator,
    model: DialogueScorer,
    task: TrainingTask,
    collator: Collator,
    folder: RunFolder,
    *,
    progress_bar: bool = True,
) -> tuple[Progress, dict[str, ScoredSplit]]:
    """Trains a scorer, and scores every split with the best epoch's weights.

    Args:
        accelerator: Device, precision and processes.
        model: The scorer; it has the best weights afterwards.
        task: What is to be learned.
        collator: Pads dialogues.
        folder: The run folder.
        progress_bar: Show progress.

    Returns:
        How training went, and the scores by split.

    Raises:
        TrainingError: The loss is not finite.
    """
    optimisation = task.optimisation
    optimiser = torch.optim.AdamW(_parameter_groups(model, optimisation))
    sampler = DialogueBatchSampler(len(task.examples["train"]), optimisation.batch_size, seed=task.seed)
    loaders: dict[str, Any] = {
        split: DataLoader(
            list(enumerate(examples)),  # type: ignore[arg-type]
            batch_sampler=sampler
            if split == "train"
            else DialogueBatchSampler(len(examples), optimisation.eval_batch_size, shuffle=False),
            collate_fn=collator,
        )
        for split, examples in task.examples.items()
    }
    steps_per_epoch = -(-len(sampler) // optimisation.gradient_accumulation_steps)
    scheduler = torch.optim.lr_scheduler.LambdaLR(
        optimiser, _LinearSchedule(steps_per_epoch * optimisation.epochs, optimisation.warmup_ratio)
    )
    prepared = accelerator.prepare(model, optimiser, scheduler, *loaders.values())
    model_, optimiser_, scheduler_ = prepared[:3]
    loaders_ = dict(zip(loaders, prepared[3:], strict=True))
    averaged = averaged_model(accelerator.unwrap_model(model_), optimisation.weight_averaging)
    accelerator.register_for_checkpointing(averaged)
    class_weights = torch.tensor(task.class_weights, device=accelerator.device) if task.class_weights else None
    progress = _continue(accelerator, folder)
    started = time.monotonic() - progress.seconds

    bar = tqdm(
        total=optimisation.epochs * len(task.examples["train"]),
        initial=progress.epoch * len(task.examples["train"]),
        desc="Training",
        unit="dialogue",
        disable=not progress_bar or not accelerator.is_main_process,
    )
    while progress.epoch < optimisation.epochs and progress.epoch - progress.best_epoch < optimisation.patience:
        # accelerate's loader counts epochs itself, from 0 in each session, and tells the sampler; when it is sharded it
        # does not. So both are told.
        loaders_["train"].set_epoch(progress.epoch)
        sampler.set_epoch(progress.epoch)
        losses = _train_epoch(
            accelerator, model_, averaged, optimiser_, scheduler_, loaders_["train"], task, class_weights, bar
        )
        selected = score_split(
            accelerator, averaged.module, loaders_[task.selection_split], task.examples[task.selection_split]
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
                    "step": progress.epoch * len(loaders_["train"]),
                    "train_loss": sum(losses.values()),
                    "losses": losses,
                    task.selection_split: {**scores, "loss": selected.loss},
                    "best_epoch": progress.best_epoch,
                    "learning_rate": scheduler_.get_last_lr()[-1],
                    "seconds": progress.seconds,
                }
            )
        # After the log: what a crash in between leaves behind is dropped when the epoch is repeated.
        _checkpoint(accelerator, averaged.module, folder, progress, improved)
        accelerator.log({**losses, **scores}, step=progress.epoch)
    bar.close()

    _load_best(accelerator, model_, folder, progress)
    scored = {
        split: score_split(accelerator, model_, loaders_[split], task.examples[split])
        for split in task.examples
        if split != "train" or split == task.selection_split
    }
    return progress, scored


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
        with accelerator.accumulate(model):
            scores = model(**model_inputs(batch), gold=batch["gold"], corruption=task.corruption)
            terms = objective_terms(
                task.objective,
                task.weights,
                emotion_logits=scores.emotion_logits,
                cause_logits=scores.cause_logits,
                pair_logits=scores.pair_logits,
                corrupted_pair_logits=scores.corrupted_pair_logits,
                emotion_labels=batch["emotion_labels"],
                cause_labels=batch["cause_labels"],
                pair_labels=batch["labels"],
                mask=batch["mask"],
                valid=batch["valid"],
                pair_class_weights=class_weights,
            )
            loss = torch.stack(list(terms.values())).sum()
            if not torch.isfinite(loss):
                ids = [task.examples["train"][position].dialogue_id for position in batch["position"].tolist()]
                raise TrainingError(
                    f"The loss is {loss.item()} on the dialogues {', '.join(ids)}. Lower --learning_rate, or use "
                    "--mixed_precision no."
                )
            accelerator.backward(loss)
            if accelerator.sync_gradients:
                accelerator.clip_grad_norm_(model.parameters(), task.optimisation.max_grad_norm)
            optimiser.step()
            scheduler.step()
            optimiser.zero_grad()
            if accelerator.sync_gradients:
                averaged.update_parameters(accelerator.unwrap_model(model))
        for name, term in terms.items():
            sums[name] = sums.get(name, 0.0) + term.item()
        bar.update(len(batch["position"]) * accelerator.num_processes)
    return {name: total / len(loader) for name, total in sums.items()}


def _selection_scores(selected: ScoredSplit, task: TrainingTask) -> tuple[dict[str, float], float | None]:
    """Scores that choose the epoch, and the threshold that pair F1 is chosen at."""
    table = task.tables[task.selection_split]
    threshold = task.optimisation.threshold
    if threshold is None:
        threshold, _ = best_threshold(selected.probabilities, table.labels, missed_positives=table.missed_positives)
    scores = pair_scores(
        selected.probabilities,
        table.labels,
        task.class_names,
        threshold=threshold,
        missed_positives=table.missed_positives,
    )
    return {name: scores[name] for name in ("pair_f1", "pair_auprc", "macro_f1")}, threshold


def _parameter_groups(model: DialogueScorer, optimisation: OptimisationOptions) -> list[dict[str, Any]]:
    encoder = {id(p) for p in model.text_encoder.parameters()} if model.text_encoder is not None else set()
    groups = [
        {
            "params": [p for p in model.parameters() if p.requires_grad and id(p) in encoder],
            "lr": optimisation.encoder_learning_rate,
        },
        {
            "params": [p for p in model.parameters() if p.requires_grad and id(p) not in encoder],
            "lr": optimisation.learning_rate,
        },
    ]
    return [{**group, "weight_decay": optimisation.weight_decay} for group in groups if group["params"]]


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
