"""Training that does not converge: what a loss that is no number comes from, and what is said of a run that diverged.

A run keeps its options, so that advice to change one always names another ``--output_dir``.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from iemomecp_dataset.errors import InvalidDataError, TrainingError
from iemomecp_dataset.files import parse_json
from iemomecp_dataset.metrics.evaluation.one_class import one_class_warning
from iemomecp_dataset.metrics.scoring import decide
from iemomecp_dataset.trainers.training.evaluation import ScoredSplit

__all__ = ["LARGE_LOSS", "LossWatch", "check_scores", "not_finite", "run_warnings"]

_logger = logging.getLogger(__name__)

LARGE_LOSS = 1000.0
"""Mean loss of an epoch from which training is said to diverge: chance gives a few nats, a confident mistake tens."""

_LARGE_INPUT = 1e6
_MOST_NAMES = 3
_ELSEWHERE = "with another --output_dir, as a run keeps its options"
_ADVICE = f"Lower --learning_rate, {_ELSEWHERE}."


@dataclass
class LossWatch:
    """Says once in a session that the loss is far beyond that of chance."""

    said: bool = False

    def epoch_ended(self, epoch: int, loss: float) -> None:
        """Looks at the mean loss of an epoch.

        Args:
            epoch: The epoch, counted from 1.
            loss: Its mean training loss.
        """
        if loss > LARGE_LOSS and not self.said:
            self.said = True
            _logger.warning("warning: the mean loss of epoch %d is %.3g: training diverges. %s", epoch, loss, _ADVICE)


def not_finite(
    loss: float,
    model: nn.Module,
    batch: Mapping[str, Any],
    dialogue_ids: Sequence[str],
    *,
    batches: int,
    precision: str,
) -> TrainingError:
    """Builds the error for a loss that is not finite, with its cause: the inputs, the weights, or the steps so far.

    Args:
        loss: The loss.
        model: The model, whose parameters are looked at.
        batch: The mini-batch, whose tensors are looked at.
        dialogue_ids: Its dialogues.
        batches: Mini-batches before it.
        precision: ``no``, ``bf16`` or ``fp16``.

    Returns:
        The error.

    Example:
        >>> batch = {"audio": torch.tensor([[float("inf")]])}
        >>> print(not_finite(float("nan"), nn.Linear(1, 1), batch, ["Ses01"], batches=0, precision="no"))
        The loss is nan on the dialogues Ses01: their input 'audio' holds NaN or infinite numbers. Make the features \
again, or leave that modality out; with another --output_dir, as a run keeps its options.
    """
    what = f"The loss is {loss} on the dialogues {_listed(dialogue_ids)}"
    inputs = dict(_float_tensors(batch))
    damaged = [name for name, tensor in inputs.items() if not torch.isfinite(tensor).all()]
    if damaged:
        return TrainingError(
            f"{what}: their input {damaged[0]!r} holds NaN or infinite numbers. Make the features again, or leave that "
            f"modality out; {_ELSEWHERE}."
        )
    weights = [name.removeprefix("module.") for name, p in model.named_parameters() if not torch.isfinite(p).all()]
    if weights and not batches:
        encoder = getattr(getattr(model, "config", None), "text_encoder_name", None)
        if weights[0].startswith("text_encoder.") and encoder:
            return TrainingError(
                f"{what}: the weights of the text encoder {encoder} hold NaN or infinite numbers, before any step (in "
                f"{_listed(weights)}). Fetch the encoder again; or give another --text_encoder, {_ELSEWHERE}."
            )
        return TrainingError(
            f"{what}: the weights hold NaN or infinite numbers before any step (in {_listed(weights)}). Look at the "
            "run that --init_from names, if it is given."
        )
    exact = "" if precision == "no" else f" or use --mixed_precision no in place of {precision},"
    advice = f"Lower --learning_rate,{exact} {_ELSEWHERE}."
    if weights:
        return TrainingError(f"{what}: the weights have become NaN or infinite in {batches} mini-batches. {advice}")
    largest = max(inputs, key=lambda name: _largest(inputs[name]), default="")
    if largest and _largest(inputs[largest]) > _LARGE_INPUT:
        return TrainingError(
            f"{what}: inputs and weights are finite, but the input {largest!r} has numbers up to "
            f"{_largest(inputs[largest]):.2g}. Make features of ordinary size, and train {_ELSEWHERE}."
        )
    return TrainingError(f"{what}, whose inputs are finite, as are the weights after {batches} mini-batches. {advice}")


def check_scores(probabilities: NDArray[np.float64], split: str) -> None:
    """Refuses predictions that are no numbers: those of weights that have diverged.

    Args:
        probabilities: ``(m, C)``.
        split: What they are of.

    Raises:
        TrainingError: Some are NaN or infinite.
    """
    count = int((~np.isfinite(probabilities)).any(axis=-1).sum())
    if count:
        raise TrainingError(
            f"{count} of the {len(probabilities)} predictions on {split} are NaN: training has diverged. {_ADVICE}"
        )


def run_warnings(
    log: Path,
    scored: Mapping[str, ScoredSplit],
    threshold: float | None,
    class_names: Sequence[str],
    unit: str,
) -> list[str]:
    """What readers of a run's scores must know of its training; the same, however often it was interrupted.

    Args:
        log: The run's ``log.jsonl``.
        scored: Predictions by split.
        threshold: The decision threshold on the probability of class 0; None for the most probable class.
        class_names: Classes by id.
        unit: What is predicted: ``pair`` or ``utterance``.

    Returns:
        Sentences; none for a usual run.

    Raises:
        TrainingError: Predictions are NaN.
    """
    found = []
    losses = {epoch: loss for epoch, loss in _losses(log) if not loss <= LARGE_LOSS}
    if losses:
        epoch = max(losses, key=lambda one: losses[one])
        found.append(f"Training diverged: the mean loss of epoch {epoch} is {losses[epoch]:.3g}. {_ADVICE}")
    for split, scores in scored.items():
        if scores.texts is not None or split == "train":
            continue
        check_scores(scores.probabilities, split)
        predicted = decide(scores.probabilities, threshold)
        if predicted.max(initial=0) < len(class_names):
            alike = one_class_warning(predicted, class_names, split, f"{unit}s")
            found += [f"{alike} Train longer, or at another --learning_rate; {_ELSEWHERE}."] if alike else []
    return found


def _losses(log: Path) -> Iterator[tuple[int, float]]:
    """Epochs and their mean losses."""
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n") if log.is_file() else []
    for line in lines:
        try:
            event = parse_json(line, str(log))
        except InvalidDataError:  # as where a log is drawn: a line that was cut off, say
            continue
        if isinstance(event, dict) and event.get("event") == "epoch":
            epoch, loss = event.get("epoch"), event.get("train_loss")
            if isinstance(epoch, int) and isinstance(loss, int | float):
                yield epoch, loss


def _float_tensors(content: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    if isinstance(content, Tensor):
        if content.is_floating_point():
            yield name, content
    elif isinstance(content, Mapping):
        for key, value in content.items():
            yield from _float_tensors(value, str(key))
    elif isinstance(content, (list, tuple)):
        for value in content:
            yield from _float_tensors(value, name)


def _largest(tensor: Tensor) -> float:
    return float(tensor.abs().max()) if tensor.numel() else 0.0


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMES])
    return shown if len(names) <= _MOST_NAMES else f"{shown} and {len(names) - _MOST_NAMES} more"
