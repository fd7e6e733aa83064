"""Speed of ECERC against a plain per-head, padded implementation of the same equations."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm.auto import trange

from iemomecp_dataset.benchmark.speed.measurement import SpeedRow, best_seconds
from iemomecp_dataset.errors import TrainingError
from iemomecp_dataset.schema import IEMOCAP_EMOTIONS

if TYPE_CHECKING:
    from torch import Tensor

    from iemomecp_dataset.trainers.emotions.modeling_ecerc import EcercModel

__all__ = ["run"]

_TOLERANCE = 1e-5
_INFERENCE_LIMIT_SECONDS = 0.1
_SIZES = {"text": 1024, "event": 1024, "audio": 1582, "video": 342}
_DIALOGUES, _UTTERANCES, _SHORTEST, _LONGEST = 120, 5810, 24, 110
_BATCH = 64


def run(*, passes: int = 2, dialogues: int = _DIALOGUES) -> list[SpeedRow]:
    """Measures a training epoch and inference on one thread each; the best of several passes counts.

    The data are random vectors of IEMOCAP's widths, in dialogues as many and as long as those of its train split. An
    epoch includes collation, forward and backward pass and the optimizer step.

    Args:
        passes: How often both implementations are measured in turn.
        dialogues: Dialogues of an epoch.

    Returns:
        One row per comparison; the rows on memory are in megabytes.

    Raises:
        TrainingError: The two implementations give different scores.
    """
    import torch

    from iemomecp_dataset.benchmark.speed.plain_ecerc import PlainEcerc

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        torch.manual_seed(0)
        ours: Any = _model()
        plain = PlainEcerc(ours)
        data = _dialogues(dialogues)
        furthest = _difference(ours, plain, data[:4])
        if furthest > _TOLERANCE:
            raise TrainingError(f"ECERC and its plain implementation give scores {furthest:.2g} apart.")
        best = {"ours": float("inf"), "plain": float("inf")}
        models = {"ours": ours, "plain": plain}
        for _ in trange(passes, desc="Measuring ECERC", disable=None):
            for name, model in models.items():
                started = time.perf_counter()
                _epoch(model, data)
                best[name] = min(best[name], time.perf_counter() - started)
        ours.eval()
        batch, _ = _collated([_dialogue(np.random.default_rng(1), _LONGEST)])
        with torch.inference_mode():
            inference = best_seconds(lambda: ours(**batch), 5)
    finally:
        torch.set_num_threads(threads)
    what = f"ECERC, {ours.num_parameters():,} parameters"
    memory = {name: _peak_megabytes(name, dialogues) for name in ("ours", "plain")}
    return [
        SpeedRow(
            f"{what}, an epoch of {dialogues} dialogues",
            best["ours"],
            f"per head and padded (largest difference {furthest:.0e})",
            best["plain"],
        ),
        SpeedRow(f"{what}, peak memory in MB", memory["ours"], "per head and padded, MB", memory["plain"]),
        SpeedRow(
            f"ECERC, inference of {_LONGEST} turns on one thread", inference, "the limit", _INFERENCE_LIMIT_SECONDS
        ),
    ]


def _model() -> EcercModel:
    from iemomecp_dataset.trainers.emotions.modeling_ecerc import EcercConfig, EcercModel

    sizes: dict[str, Any] = {f"{name}_size": size for name, size in _SIZES.items()}
    return EcercModel(EcercConfig(class_names=list(IEMOCAP_EMOTIONS), **sizes))


def _dialogues(count: int) -> list[dict[str, Any]]:
    """Random dialogues of IEMOCAP's mean length and range."""
    rng = np.random.default_rng(0)
    # A beta distribution of that mean, at even steps, so that any number of dialogues has it.
    share = (_UTTERANCES / _DIALOGUES - _SHORTEST) / (_LONGEST - _SHORTEST)
    spread = 1.0 - (1.0 - (np.arange(count) + 0.5) / count) ** (share / (1.0 - share))
    lengths = rng.permutation(_SHORTEST + np.round(spread * (_LONGEST - _SHORTEST)).astype(int))
    lengths[lengths.argmax()] = _LONGEST
    return [_dialogue(rng, int(length)) for length in lengths]


def _dialogue(rng: np.random.Generator, length: int) -> dict[str, Any]:
    vectors = {name: rng.normal(size=(length, size)).astype(np.float32) for name, size in _SIZES.items()}
    return {
        "speakers": rng.integers(0, 2, length),
        "labels": rng.integers(0, len(IEMOCAP_EMOTIONS), length),
        **vectors,
    }


def _collated(dialogues: list[dict[str, Any]]) -> tuple[dict[str, Tensor], Tensor]:
    import torch
    from torch.nn.utils.rnn import pad_sequence

    padded = {
        name: pad_sequence([torch.from_numpy(dialogue[name]) for dialogue in dialogues], batch_first=True)
        for name in ("speakers", *_SIZES)
    }
    labels = pad_sequence(
        [torch.from_numpy(dialogue["labels"]) for dialogue in dialogues], batch_first=True, padding_value=-100
    )
    return {"mask": labels != -100, **padded}, labels


def _batches(dialogues: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Tensor], Tensor]]:
    for first in range(0, len(dialogues), _BATCH):
        yield _collated(dialogues[first : first + _BATCH])


def _epoch(model: Any, dialogues: list[dict[str, Any]]) -> None:
    import torch

    from iemomecp_dataset.trainers.objectives import emotion_loss

    model.train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, weight_decay=2e-4, fused=True)
    for batch, labels in _batches(dialogues):
        found = model(**batch)
        logits = getattr(found, "logits", found)
        torch.autograd.backward(emotion_loss(logits, labels, batch["mask"]))
        optimizer.step()
        optimizer.zero_grad()


def _difference(ours: Any, plain: Any, dialogues: list[dict[str, Any]]) -> float:
    import torch

    ours.eval()
    plain.eval()
    batch, _ = _collated(dialogues)
    with torch.inference_mode():
        apart = ours(**batch).logits - plain(**batch)
    return float(apart[batch["mask"]].abs().max())


def _peak_megabytes(name: str, dialogues: int) -> float:
    """Peak resident memory of an epoch in a process of its own, the data included."""
    code = (
        "import re, resource, sys, torch; torch.set_num_threads(1)\n"
        "from iemomecp_dataset.benchmark.speed import emotions, plain_ecerc\n"
        "model = emotions._model()\n"
        "model = model if sys.argv[1] == 'ours' else plain_ecerc.PlainEcerc(model)\n"
        "emotions._epoch(model, emotions._dialogues(int(sys.argv[2])))\n"
        "from iemomecp_dataset.benchmark.speed.measurement import peak_memory\n"
        "print(peak_memory())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, name, str(dialogues)], capture_output=True, text=True, check=True
    )
    return float(done.stdout.split()[-1]) / 2**20
