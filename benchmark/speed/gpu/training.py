"""Speed of training steps, their memory, and the share of the card's limit that they reach.

Measured are the steps of the training loop itself, data preparation included. The plain loop has the same scorer, but
reads one dialogue at a time, as the model's own ``forward`` with labels allows: it tokenizes (or stacks frozen
features), copies to the device, adds the gradients of as many dialogues as the mini-batch of ours has, and steps.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from iemomecp_dataset.benchmark.speed.gpu.cards import card_named
from iemomecp_dataset.benchmark.speed.gpu.clock import (
    MEMORY_NAMES,
    free_memory,
    peak_bytes,
    repeated_seconds,
    reset_peak,
)
from iemomecp_dataset.benchmark.speed.gpu.flops import counted_flops, matmul_tflops
from iemomecp_dataset.benchmark.speed.gpu.parts import Part, Row
from iemomecp_dataset.benchmark.speed.gpu.workload import Workload

if TYPE_CHECKING:
    import torch
    from accelerate import Accelerator

    from iemomecp_dataset.trainers.options import TrainingOptions
    from iemomecp_dataset.trainers.training.task import TrainingTask

__all__ = ["compile_parts", "precision_parts", "prepared_training", "share_parts", "training_parts"]

_SEED = 42
_BATCH = 8
_BARE_TOKENS = 128
_PAIRS = "pairs/s"
_PRECISIONS = {"no": "fp32", "bf16": "bf16"}


def training_parts(work: Workload) -> Iterator[Part]:
    """Pairs a second and peak memory in float32, frozen and trained encoders, against the plain loop."""
    for name, folder in work.encoders.items():
        for mode in ("frozen", "trained"):
            yield Part("training", f"{name}, {mode}", _against_plain(work, name, folder, mode, "no"))


def precision_parts(work: Workload) -> Iterator[Part]:
    """Bfloat16 against float32."""
    for name, folder in work.encoders.items():
        yield Part("precision", f"{name}, trained", _bf16_against_fp32(work, name, folder))
        yield Part("precision", f"{name}, trained, plain loop", _against_plain(work, name, folder, "trained", "bf16"))


def compile_parts(work: Workload) -> Iterator[Part]:
    """Training with torch.compile against training without it, switched on through accelerate as users do it."""
    name, folder = next(iter(work.encoders.items()))
    for mode, varying in work.sizes.compiled:
        shapes = "one graph for all shapes" if varying else "a graph for each shape"
        yield Part("compile", f"{name}, {mode}, {shapes}", _compiled_against_eager(work, name, folder, mode, varying))


def share_parts(work: Workload) -> Iterator[Part]:
    """The card's limit, and the share of it that training in bfloat16 reaches."""
    yield Part("share", "matrix products", _matrix_products(work))
    for name, folder in work.encoders.items():
        yield Part("share", f"{name}, trained", _share_of_limit(work, name, folder))


@dataclass(frozen=True)
class _Epoch:
    """An epoch of training: seconds of the first, of the median one, and the peak of memory."""

    first: float
    seconds: float
    peak: int


@contextlib.contextmanager
def prepared_training(
    work: Workload, encoder: Path, device: torch.device, **asked: Any
) -> Iterator[tuple[Accelerator, TrainingTask, TrainingOptions]]:
    """Prepares a training as ``iemomecp train fusion`` does; accelerate's state is put back afterwards.

    Args:
        work: The workload.
        encoder: Folder of the text encoder.
        device: Where to train.
        asked: Options of the training, by name.
    """
    from accelerate.state import AcceleratorState

    from iemomecp_dataset.trainers.options import TrainingOptions
    from iemomecp_dataset.trainers.scorers import find_scorer
    from iemomecp_dataset.trainers.training.distributed import start_accelerator

    options = TrainingOptions.from_flat(
        {
            "data_dir": str(work.data_dir),
            "modalities": "t",
            "text_encoder": str(encoder),
            "objective": "base",
            # What the plain loop does: one pass over each mini-batch, pairs alone.
            "r_drop_weight": 0.0,
            "emotion_category_weight": 0.0,
            "hidden_size": work.sizes.hidden_size,
            "batch_size": _BATCH,
            "seed": _SEED,
            "output_dir": str(work.folder / "run"),
            "cache_dir": str(work.folder / "cache" / device.type),
            "quiet": True,
            **asked,
        }
    )
    options.check()
    with _environment({"ACCELERATE_USE_CPU": "true"} if device.type == "cpu" else {}):
        AcceleratorState._reset_state(reset_partial_state=True)
        try:
            accelerator = start_accelerator(options)
            task = find_scorer("dialogue").build_task(options, work.corpus, accelerator)
            yield accelerator, task, options
        finally:
            AcceleratorState._reset_state(reset_partial_state=True)
            shutil.rmtree(work.folder / "run", ignore_errors=True)


@contextlib.contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    earlier = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in earlier.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _measured(
    work: Workload,
    encoder: Path,
    measure: Callable[[Workload, Accelerator, TrainingTask, TrainingOptions], _Epoch],
    **asked: Any,
) -> _Epoch:
    """Prepares a training, measures it, and frees all of its memory before the next one is measured."""
    with prepared_training(work, encoder, work.device, **asked) as prepared:
        found = measure(work, *prepared)
    del prepared
    free_memory()
    return found


def _epochs(work: Workload, accelerator: Accelerator, task: TrainingTask, options: TrainingOptions) -> _Epoch:
    """Measures whole epochs of the training loop."""
    with _stepping(work, accelerator, task, options) as epoch:
        reset_peak(accelerator.device)
        (first,), seconds = repeated_seconds(epoch, accelerator.device, repeats=work.sizes.epochs)
        return _Epoch(first, seconds, peak_bytes(accelerator.device))


@contextlib.contextmanager
def _stepping(
    work: Workload, accelerator: Accelerator, task: TrainingTask, options: TrainingOptions
) -> Iterator[Callable[[], None]]:
    """A function that trains one epoch each time it is called."""
    from iemomecp_dataset.trainers.run_folder import RunFolder
    from iemomecp_dataset.trainers.training.loop import training_steps

    steps: Any = training_steps(accelerator, task, options, RunFolder(work.folder / "run"))
    count = -(-len(task.examples["train"]) // options.optimization.batch_size)

    def epoch() -> None:
        for _ in range(count):
            next(steps)

    with contextlib.closing(steps):
        yield epoch


def _plain_epochs(work: Workload, accelerator: Accelerator, task: TrainingTask, options: TrainingOptions) -> _Epoch:
    """Measures the plain loop, with the same scorer and the same dialogues."""
    import torch

    device, optimization = accelerator.device, options.optimization
    model, examples = task.model.to(device).train(), list(task.examples["train"])  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(model.parameters(), lr=optimization.learning_rate)
    half = optimization.mixed_precision == "bf16"

    def epoch() -> None:
        total = 0.0
        for start in range(0, len(examples), optimization.batch_size):
            batch = examples[start : start + optimization.batch_size]
            for example in batch:
                inputs = _plain_inputs(task, options, example, device)
                with torch.autocast(device.type, dtype=torch.bfloat16, enabled=half):
                    loss = model(**inputs).loss / len(batch)
                loss.backward()
                total += loss.item()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()

    reset_peak(device)
    (first,), seconds = repeated_seconds(epoch, device, repeats=work.sizes.epochs)
    return _Epoch(first, seconds, peak_bytes(device))


def _plain_inputs(task: TrainingTask, options: TrainingOptions, example: Any, device: torch.device) -> dict[str, Any]:
    """The tensors of one dialogue."""
    import torch

    inputs: dict[str, Any] = {
        "mask": torch.ones(1, len(example), dtype=torch.bool, device=device),
        "speakers": torch.from_numpy(example.speakers)[None].to(device),
        "labels": torch.from_numpy(example.labels)[None].to(device),
        "emotion_labels": torch.from_numpy(example.emotion_labels)[None].to(device),
        "cause_labels": torch.from_numpy(example.cause_labels)[None].to(device),
    }
    if task.frozen_texts is not None:
        features = np.stack([task.frozen_texts[text] for text in example.texts])
        return inputs | {"text": torch.from_numpy(features)[None].to(device)}
    assert task.encoder is not None
    limit = min(options.model.max_tokens, task.encoder.tokenizer.model_max_length)
    tokens = task.encoder.tokenizer(
        list(example.texts), padding=True, truncation=True, max_length=limit, return_tensors="pt"
    )
    chunk = {name: tokens[name].to(device) for name in ("input_ids", "attention_mask")}
    return inputs | {"text_tokens": [chunk], "text_order": torch.arange(len(example), device=device)}


def _against_plain(
    work: Workload, name: str, folder: Callable[[], Path], mode: str, precision: str
) -> Callable[[], Iterator[Row]]:
    def rows() -> Iterator[Row]:
        asked = {"encoder_mode": mode, "mixed_precision": precision}
        ours = _measured(work, folder(), _epochs, **asked)
        plain = _measured(work, folder(), _plain_epochs, **asked)
        what = f"{name} {mode}, {_PRECISIONS[precision]}, {_BATCH} dialogues a step"
        against = "plain loop, one dialogue at a time, as many a step"
        yield Row(f"training, {what}", work.n_pairs / ours.seconds, _PAIRS, against, work.n_pairs / plain.seconds)
        yield _memory(work, what, ours, f"{against}; no averaged weights", plain)

    return rows


def _bf16_against_fp32(work: Workload, name: str, folder: Callable[[], Path]) -> Callable[[], Iterator[Row]]:
    def rows() -> Iterator[Row]:
        found = {
            precision: _measured(work, folder(), _epochs, encoder_mode="trained", mixed_precision=precision)
            for precision in ("no", "bf16")
        }
        rates = {precision: work.n_pairs / epoch.seconds for precision, epoch in found.items()}
        what = f"{name} trained, bf16, {_BATCH} dialogues a step"
        yield Row(f"training, {what}", rates["bf16"], _PAIRS, "the same in fp32 (no TF32)", rates["no"])
        yield _memory(work, what, found["bf16"], "the same in fp32", found["no"])
        if work.device.type == "cuda":
            with _tf32():
                rounded = _measured(work, folder(), _epochs, encoder_mode="trained", mixed_precision="no")
            what = f"{name} trained, fp32 with TF32 products, {_BATCH} dialogues a step"
            yield Row(
                f"training, {what}",
                work.n_pairs / rounded.seconds,
                _PAIRS,
                "the same in fp32 (no TF32)",
                rates["no"],
                note="switched on by TORCH_ALLOW_TF32_CUBLAS_OVERRIDE=1",
            )

    return rows


@contextlib.contextmanager
def _tf32() -> Iterator[None]:
    """Products of float32 matrices with factors rounded to TF32, as torch offers it."""
    import torch

    earlier = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(earlier)


def _memory(work: Workload, what: str, ours: _Epoch, against: str, other: _Epoch) -> Row:
    """Peaks of memory; on a CPU ours alone, since the peak of a process never falls."""
    note = MEMORY_NAMES[work.device.type]
    if work.device.type == "cpu":
        return Row(f"memory, {what}", ours.peak / 2**20, "MiB", note=note)
    return Row(f"memory, {what}", ours.peak / 2**20, "MiB", against, other.peak / 2**20, "smaller", note)


def _compiled_against_eager(
    work: Workload, name: str, folder: Callable[[], Path], mode: str, varying: bool
) -> Callable[[], Iterator[Row]]:
    def rows() -> Iterator[Row]:
        import torch
        from torch._dynamo.utils import counters

        found = {}
        backend = work.sizes.compiler
        for compiler in ("no", backend):
            torch._dynamo.reset()
            counters.clear()
            # What `accelerate launch --dynamo_backend inductor` sets, with --dynamo_use_dynamic or without: hardly two
            # mini-batches have the same shape, and without it torch compiles for each until its limit is reached.
            dynamo = {"ACCELERATE_DYNAMO_BACKEND": compiler, "ACCELERATE_DYNAMO_USE_DYNAMIC": str(varying)}
            with _environment(dynamo):
                found[compiler] = _measured(work, folder(), _epochs, encoder_mode=mode, mixed_precision="bf16")
        ours, eager = found[backend], found["no"]
        graphs, breaks = counters["stats"]["unique_graphs"], sum(counters["graph_break"].values())
        what = f"{name} {mode}, bf16, --dynamo_backend {backend}" + " --dynamo_use_dynamic" * varying
        yield Row(
            f"training, {what}",
            work.n_pairs / ours.seconds,
            _PAIRS,
            "the same without torch.compile",
            work.n_pairs / eager.seconds,
            note=f"{graphs} graphs, {breaks} breaks between them",
        )
        yield Row(
            f"compile time, {what}: first epoch beyond a later one",
            max(0.0, ours.first - ours.seconds),
            "s",
            note=f"without torch.compile {max(0.0, eager.first - eager.seconds):.2g} s",
        )

    return rows


def _limit(work: Workload) -> tuple[float, str]:
    """The dense bfloat16 limit of the device in 10^12 operations a second, and where it is from."""
    import torch

    if work.device.type == "cuda":
        card = card_named(torch.cuda.get_device_name(work.device))
        if card is not None:
            return card.bf16_tflops, f"{card.name}: {card.bf16_tflops:g} TFLOP/s, {card.source}"
    rate = matmul_tflops(work.device, torch.bfloat16, size=work.sizes.matmul)
    return rate, f"not in the table of cards: the product of two {work.sizes.matmul:,}-wide matrices, measured here"


def _matrix_products(work: Workload) -> Callable[[], Iterator[Row]]:
    def rows() -> Iterator[Row]:
        import torch

        size = work.sizes.matmul
        half, full = (matmul_tflops(work.device, dtype, size=size) for dtype in (torch.bfloat16, torch.float32))
        limit, source = _limit(work)
        yield Row(f"product of {size:,}-wide matrices, bf16", half, "TFLOP/s", "the limit", limit, note=source)
        yield Row(f"product of {size:,}-wide matrices, bf16", half, "TFLOP/s", "the same in fp32 (no TF32)", full)

    return rows


def _share_of_limit(work: Workload, name: str, folder: Callable[[], Path]) -> Callable[[], Iterator[Row]]:
    def rows() -> Iterator[Row]:
        limit, source = _limit(work)
        bare = 100 * _bare_tflops(work, folder()) / limit
        against = f"the encoder alone, {work.sizes.bare_texts} texts of {_BARE_TOKENS} tokens a step, no optimizer"
        for batch_size in work.sizes.batch_sizes:
            asked = {"encoder_mode": "trained", "mixed_precision": "bf16", "batch_size": batch_size}
            seconds, flops = [
                _of_epochs(work, folder(), measure, **asked)
                for measure in (lambda epochs: _seconds_of(epochs, work.device), counted_flops)
            ]
            yield Row(
                f"share of the bf16 limit, {name} trained, {batch_size} dialogues a step",
                100 * flops / seconds / 1e12 / limit,
                "%",
                against,
                bare,
                note=f"{flops / 1e12:.4g} TFLOP in {work.sizes.epochs} epochs, padding counted; "
                f"wall clock on both sides; limit: {source}",
            )

    return rows


def _of_epochs(work: Workload, encoder: Path, measure: Callable[[Callable[[], None]], float], **asked: Any) -> float:
    """Measures the epochs after one of warm-up; each call has the same batches, since their order follows the seed."""
    with prepared_training(work, encoder, work.device, **asked) as prepared, _stepping(work, *prepared) as epoch:
        epoch()

        def epochs() -> None:
            for _ in range(work.sizes.epochs):
                epoch()

        found = measure(epochs)
    free_memory()
    return found


def _seconds_of(action: Callable[[], None], device: torch.device) -> float:
    return repeated_seconds(action, device, repeats=1, warm_up=0)[1]


def _bare_tflops(work: Workload, folder: Path) -> float:
    """Rate of the encoder alone, as one would write it with transformers: full batches, forwards and backwards."""
    import torch
    from transformers import AutoModel

    torch.manual_seed(_SEED)
    encoder = AutoModel.from_pretrained(folder).to(work.device).train()
    size = (work.sizes.bare_texts, min(_BARE_TOKENS, encoder.config.max_position_embeddings - 2))
    ids = torch.randint(5, encoder.config.vocab_size, size, device=work.device)
    mask = torch.ones_like(ids)

    def step() -> None:
        with torch.autocast(work.device.type, dtype=torch.bfloat16):
            states = encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        states.float().mean().backward()
        encoder.zero_grad()

    count = max(2, 5 * work.sizes.epochs)

    def steps() -> None:
        for _ in range(count):
            step()

    # Many steps from an idle device to an idle device, as those of training.
    _, seconds = repeated_seconds(steps, work.device, repeats=1)
    return count * counted_flops(step) / seconds / 1e12
