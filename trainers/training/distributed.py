"""Sharding of mini-batches over processes, and reductions that do not depend on the number of processes.

Each process takes one shard of every mini-batch. A mean is the sum over all shards divided by the count over all
shards, so several processes compute the same as one process on the whole mini-batch, including an incomplete last one.
If a mini-batch has fewer items than there are processes, the remaining processes take a filler with weight zero,
because every process must take part in every step.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs, DistributedType, InitProcessGroupKwargs
from accelerate.utils import set_seed
from joblib import cpu_count
from torch import Tensor
from transformers.utils import logging as transformers_logging

from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.trainers.objectives import Pooling, pooled_here
from iemomecp_dataset.trainers.options import RunSettings, SharedOptimization, launcher_options
from iemomecp_dataset.trainers.provenance import idle_cores_hint
from iemomecp_dataset.trainers.training.sharding import check_sharding
from iemomecp_dataset.trainers.training.trackers import require_tracker

__all__ = ["Processes", "check_launch", "check_precision", "is_filler", "pooled_over_processes", "start_accelerator"]

_logger = logging.getLogger(__name__)

_COLLECTIVES = timedelta(days=7)
"""Limit of collective operations. One process may work for hours while the others wait, as when it encodes texts for
all; that a process is gone is found out by signs of life (``lost_ranks``)."""


@dataclass(frozen=True)
class Processes:
    """Number of processes that train together, and the index of this process.

    Attributes:
        count: Number of processes.
        index: Index of this process, from 0.
    """

    count: int = 1
    index: int = 0

    def share(self, batch: list[int]) -> list[int]:
        """Returns the shard of this process.

        Args:
            batch: Positions, at least one.

        Returns:
            Positions, or a single filler: a position ``p`` encoded as ``~p``.

        Example:
            >>> [Processes(2, index).share([4, 7, 5]) for index in (0, 1)]
            [[4, 5], [7]]
            >>> Processes(2, 1).share([4])
            [-5]
        """
        return batch[self.index :: self.count] or [~batch[0]]

    def deal(self, batch: list[int], costs: Sequence[int]) -> list[int]:
        """Reorders a mini-batch so that all shards cost about the same; does nothing with one process.

        Items are assigned by decreasing cost, each to the cheapest shard that is not full (Graham, 1969).

        Args:
            batch: Positions.
            costs: Costs of all positions, indexed by position.

        Returns:
            The same positions in an order for :meth:`share`.

        Example:
            >>> costs = [9, 1, 5, 8, 2, 6]
            >>> dealt = Processes(2).deal([0, 1, 2, 3, 4, 5], costs)
            >>> [[costs[p] for p in Processes(2, index).share(dealt)] for index in (0, 1)]
            [[9, 5, 2], [8, 6, 1]]
        """
        if self.count == 1:
            return batch
        sizes = [len(batch[index :: self.count]) for index in range(self.count)]
        shares: list[list[int]] = [[] for _ in sizes]
        spent = [0] * self.count
        for position in sorted(batch, key=lambda position: -costs[position]):
            index = min((i for i, share in enumerate(shares) if len(share) < sizes[i]), key=lambda i: spent[i])
            shares[index].append(position)
            spent[index] += costs[position]
        return [shares[n % self.count][n // self.count] for n in range(len(batch))]


def is_filler(position: int) -> bool:
    """Tells whether a position is a filler, which only keeps a process in step."""
    return position < 0


def pooled_over_processes(accelerator: Accelerator, *, counted: bool = True) -> Pooling:
    """Returns a reduction that computes means over a sharded mini-batch.

    Gradients are averaged over processes. The contribution of each process is therefore multiplied by their number, so
    that the average over processes equals the mean over the mini-batch.

    Args:
        accelerator: The accelerator of this process.
        counted: False if this process holds a filler.

    Returns:
        A function from the sum and count of this process to its contribution. All processes must call it equally often.
    """
    if accelerator.num_processes == 1:
        return pooled_here

    def pool(total: Tensor, count: Tensor) -> Tensor:
        weight = 1.0 if counted else 0.0
        everywhere = accelerator.reduce(count.detach() * weight, reduction="sum")
        everywhere = torch.where(everywhere == 0, torch.ones_like(everywhere), everywhere)
        mean: Tensor = total * (weight * accelerator.num_processes) / everywhere
        return mean

    return pool


def start_accelerator(options: RunSettings) -> Accelerator:
    """Sets up devices, processes, logging and seeds of a run.

    Args:
        options: The run's options.

    Raises:
        UsageError: The launcher asks for something that training cannot do or the options do not say, or the device
            lacks the precision.
        MissingDependencyError: The tracker that the options name is not installed.
    """
    require_tracker(options.run.log_with)
    optimization = options.optimization
    # Options that did not come from the command line may not have been compared with the launcher's.
    launcher_options({"mixed_precision": optimization.mixed_precision})
    try:
        accelerator = Accelerator(
            mixed_precision=optimization.mixed_precision,
            gradient_accumulation_steps=optimization.gradient_accumulation_steps,
            log_with=options.run.log_with,
            project_dir=options.run.output_dir,
            # Encoder layers above the highest pooled one get no gradient.
            kwargs_handlers=[
                DistributedDataParallelKwargs(find_unused_parameters=True),
                InitProcessGroupKwargs(timeout=_COLLECTIVES),
            ],
        )
    except ValueError as error:
        raise UsageError(f"accelerate cannot begin: {error}") from error
    launched = int(os.environ.get("WORLD_SIZE", "1"))
    if launched > 1 and accelerator.num_processes == 1:
        raise UsageError(
            f"{launched} processes were launched, but each would train alone, as there are no GPUs for them. Set "
            "ACCELERATE_USE_CPU=true before the command, or launch one process."
        )
    check_launch(accelerator, optimization)
    check_sharding(accelerator, options)
    check_precision(accelerator.mixed_precision, accelerator.device)
    if accelerator.device.type == "cuda":
        # In half precision torch prefers cuDNN's attention on cards from Hopper on. With it a step took five times as
        # long (docs/speed.md): it seems to plan anew for each shape, and hardly two mini-batches have the same.
        torch.backends.cuda.enable_cudnn_sdp(False)
    if accelerator.state.deepspeed_plugin is not None:
        settings = accelerator.state.deepspeed_plugin.deepspeed_config
        # DeepSpeed would infer it from a data loader; the samplers here already return the shard of a process.
        settings["train_micro_batch_size_per_gpu"] = optimization.batch_size
        # It clips by itself.
        settings["gradient_clipping"] = optimization.max_grad_norm or 0.0
    logging.basicConfig(
        level=logging.INFO if accelerator.is_main_process else logging.ERROR, format="%(message)s", stream=sys.stderr
    )
    for library in ("accelerate", "datasets", "httpx"):
        logging.getLogger(library).setLevel(logging.WARNING)
    transformers_logging.disable_progress_bar()
    hint = idle_cores_hint(
        os.environ,
        device=accelerator.device.type,
        processes=accelerator.num_processes,
        threads=torch.get_num_threads(),
        cores=cpu_count(),
    )
    if hint and not options.run.quiet:
        _logger.info("%s", hint)
    set_seed(options.run.seed, deterministic=options.run.deterministic)
    return accelerator


def check_launch(accelerator: Accelerator, optimization: SharedOptimization) -> None:
    """Rejects launcher settings that training does not support, before anything is written.

    How weights may be sharded, :func:`~iemomecp_dataset.trainers.training.sharding.check_sharding` says.

    Args:
        accelerator: The accelerator as configured by the launcher.
        optimization: Options of the run.

    Raises:
        UsageError: A setting is unsupported; the message names it and the remedy.
    """
    found = accelerator.gradient_accumulation_steps
    if found != optimization.gradient_accumulation_steps:
        raise UsageError(
            f"The launcher sets gradient_accumulation_steps to {found}, but --gradient_accumulation_steps of the run "
            f"is {optimization.gradient_accumulation_steps}. Leave it out of the launcher's configuration and command."
        )
    if accelerator.mixed_precision != optimization.mixed_precision:
        raise UsageError(
            f"The launcher sets the mixed precision to {accelerator.mixed_precision}, but --mixed_precision of the run "
            f"is {optimization.mixed_precision}. Leave it out of the launcher's configuration and command."
        )
    kind = accelerator.distributed_type
    if kind is DistributedType.MEGATRON_LM:
        raise UsageError(
            f"The launcher asks for {kind.value}, which divides the layers of language models alone. Launch with FSDP, "
            "which shards the weights of any encoder (trainers/configs/fsdp.yaml), or with data parallelism "
            "(trainers/configs/ddp_multi_node.yaml)."
        )
    if kind is DistributedType.DEEPSPEED:
        plugin = accelerator.state.deepspeed_plugin
        if plugin.zero_stage > 2:
            raise UsageError(
                f"DeepSpeed's ZeRO stage {plugin.zero_stage} leaves the weights empty but in the turns of their "
                "layers: the encoder could not be loaded into it, nor averaged. Launch with --zero_stage 2, or with "
                "FSDP, which shards weights as well (trainers/configs/fsdp.yaml)."
            )
        if plugin.offload_optimizer_device != "none":
            raise UsageError(
                f"DeepSpeed's offloading to {plugin.offload_optimizer_device!r} replaces the optimizer, and the "
                "learning rates would no longer be scheduled. Launch with --offload_optimizer_device none."
            )
        if optimization.mixed_precision != "no":
            raise UsageError(
                f"DeepSpeed stores weights in --mixed_precision {optimization.mixed_precision}, which is too low a "
                "precision for their moving average. Use --mixed_precision no, or FSDP, which keeps them in float32 "
                "(trainers/configs/fsdp.yaml)."
            )


def check_precision(precision: str, device: torch.device) -> None:
    """Refuses a precision that the device does not compute in.

    Args:
        precision: ``no``, ``bf16`` or ``fp16``.
        device: The device of this process.

    Raises:
        UsageError: On a CPU, where accelerate computes in float32 when ``fp16`` is asked for; or on a GPU without
            bfloat16, which torch emulates.

    Example:
        >>> check_precision("bf16", torch.device("cpu"))
        >>> check_precision("fp16", torch.device("cpu"))
        Traceback (most recent call last):
        iemomecp_dataset.errors.UsageError: The device cpu does not compute in fp16. Use --mixed_precision bf16 or no.
    """
    if precision == "fp16" and device.type == "cpu":
        raise UsageError("The device cpu does not compute in fp16. Use --mixed_precision bf16 or no.")
    if precision == "bf16" and device.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise UsageError(
            f"{torch.cuda.get_device_name(device)} does not compute in bf16 (torch would emulate it). Use "
            "--mixed_precision fp16 or no."
        )
