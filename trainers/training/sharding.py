"""Weights that are sharded over processes (FSDP2): each holds and updates one shard of every parameter.

The moving average is sharded like the model, and averaged shard by shard. A checkpoint has one file of shards for each
process, so that a run continues with the same bits without any weight being gathered; whole weights are gathered on the
main process alone, for those of the best epoch and for the model that is saved.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator, DistributedType
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from iemomecp_dataset.errors import RunFolderError, UsageError
from iemomecp_dataset.trainers.options import RunSettings
from iemomecp_dataset.trainers.training.ema import averaged_model, local

__all__ = [
    "SHARD_FILE",
    "Shards",
    "check_sharding",
    "chunk_tokens_of",
    "is_sharded",
    "load_whole",
    "prepare_sharded",
    "reshard",
    "whole_weights",
]

SHARD_FILE = "shards-{index}.safetensors"
"""Shards of one process in a checkpoint."""

_UNLIMITED = 2**60
"""Tokens of a chunk that takes every text."""


def is_sharded(accelerator: Accelerator) -> bool:
    """Whether the weights are sharded over processes."""
    return accelerator.distributed_type is DistributedType.FSDP


def check_sharding(accelerator: Accelerator, options: RunSettings) -> None:
    """Refuses a launch that shards weights in a way that training does not support, before anything is written.

    Args:
        accelerator: The accelerator as configured by the launcher.
        options: The run's options.

    Raises:
        UsageError: Says what is not supported, and the way out.
    """
    if not is_sharded(accelerator):
        if os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true":
            raise UsageError(
                "The launcher asks for FSDP, which accelerate uses with several processes on GPUs alone; here it would "
                "silently train without. Launch without it."
            )
        return
    plugin, precision = accelerator.state.fsdp_plugin, options.optimization.mixed_precision
    if options.model.scorer != "dialogue":
        raise UsageError(
            f"The launcher asks for FSDP, which shards the weights over processes; --scorer {options.model.scorer} was "
            "never trained so. Use --scorer dialogue, or launch with data parallelism "
            "(trainers/configs/ddp_multi_node.yaml)."
        )
    for wrong, found, remedy in (
        (plugin.fsdp_version != 2, "the first version of FSDP, whose weights are flattened", "fsdp_version: 2"),
        (
            plugin.cpu_ram_efficient_loading,
            "FSDP with cpu_ram_efficient_loading, where only the first process has the encoder's weights",
            "fsdp_cpu_ram_efficient_loading: false",
        ),
        (_offloads(plugin.cpu_offload), "FSDP with offloading, which was never tried", "fsdp_offload_params: false"),
        (
            plugin.activation_checkpointing,
            "FSDP with its own activation_checkpointing",
            "fsdp_activation_checkpointing: false and --gradient_checkpointing of the run",
        ),
        (
            getattr(accelerator, "parallelism_config", None) is not None,
            "FSDP beside another parallelism (parallelism_config)",
            "FSDP alone",
        ),
        (precision == "fp16", "FSDP in fp16, which was never tried", "--mixed_precision bf16 or no"),
    ):
        if wrong:
            raise UsageError(f"The launcher asks for {found}. Use {remedy}.")


def _offloads(policy: Any) -> bool:
    return bool(policy) and type(policy).__name__ != "OffloadPolicy"


def chunk_tokens_of(accelerator: Accelerator, usual: int) -> int:
    """Padded tokens of a chunk that is encoded at once.

    Each call of a sharded encoder gathers its weights from all processes, which must therefore call it equally often:
    all texts of a mini-batch are then one chunk.

    Args:
        accelerator: The accelerator of this process.
        usual: The number without sharding.
    """
    return _UNLIMITED if is_sharded(accelerator) else usual


def prepare_sharded(
    accelerator: Accelerator, model: nn.Module, optimizer: torch.optim.Optimizer, decay: float
) -> tuple[Any, Any, AveragedModel]:
    """Shards a model, its optimizer and its moving average.

    Args:
        accelerator: The accelerator, as configured for FSDP2.
        model: The whole model, equal on all processes; it is sharded in place.
        optimizer: Its optimizer.
        decay: Decay of the moving average; see :func:`~iemomecp_dataset.trainers.training.ema.averaged_model`.

    Returns:
        Model, optimizer and average.
    """
    from accelerate.utils import fsdp2_prepare_model

    plugin = accelerator.state.fsdp_plugin
    if plugin.transformer_cls_names_to_wrap is None:
        plugin.transformer_cls_names_to_wrap = _layer_classes(model)
    # A sharded model cannot be copied.
    averaged = averaged_model(model, decay)
    averaged.requires_grad_(False)
    model, optimizer = accelerator.prepare(model, optimizer)
    averaged.module = fsdp2_prepare_model(accelerator, averaged.module)
    return model, optimizer, averaged


def _layer_classes(model: nn.Module) -> list[str]:
    """Classes of the layers of a model's pretrained parts, which are sharded one by one."""
    from transformers import PreTrainedModel

    parts = [one for one in model.modules() if one is not model and isinstance(one, PreTrainedModel)]
    named = {name for part in parts for name in (part._no_split_modules or ())}
    for part in parts:
        depth = getattr(part.config, "num_hidden_layers", None)
        stacks = [m for m in part.modules() if isinstance(m, nn.ModuleList) and len(m) == depth]
        named |= {type(layer).__name__ for stack in stacks[:1] for layer in stack}
    return sorted(named & {type(module).__name__ for module in model.modules()})


def reshard(model: nn.Module) -> None:
    """Gives back the weights that scoring has gathered; otherwise the next scoring would use them, not the new ones.

    Args:
        model: A model, sharded or not.
    """
    from torch.distributed.fsdp import FSDPModule

    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.reshard()


def whole_weights(model: nn.Module) -> dict[str, Tensor]:
    """Gathers the weights of a sharded model; all processes must call it.

    Args:
        model: The model.

    Returns:
        Its state on the CPU of the main process; nothing on the others.
    """
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict

    options = StateDictOptions(full_state_dict=True, cpu_offload=True)
    weights: dict[str, Any] = get_model_state_dict(model, options=options)
    return weights


def load_whole(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Loads whole weights into a sharded model; all processes must call it.

    Args:
        model: The model.
        weights: Its state, on every process.
    """
    from torch.distributed.checkpoint.state_dict import StateDictOptions, set_model_state_dict

    set_model_state_dict(model, dict(weights), options=StateDictOptions(full_state_dict=True))


@dataclass(frozen=True)
class Shards:
    """What one process holds of a sharded run, as its checkpoints have it.

    Attributes:
        model: The sharded model.
        averaged: Its sharded moving average.
        optimizer: The optimizer, as accelerate has prepared it.
        index: Index of this process.
    """

    model: nn.Module
    averaged: AveragedModel
    optimizer: Any
    index: int

    def save(self, folder: Path) -> None:
        """Writes the shards of this process.

        Args:
            folder: The checkpoint.
        """
        from safetensors.torch import save_file

        # A copy each: a shard may be a view into the parameter of which it is all.
        tensors = {name: local(t).detach().cpu().clone().contiguous() for name, t in self._tensors()}
        optimizer = self._optimizer
        for number, parameter in self._parameters():
            for name, value in optimizer.state.get(parameter, {}).items():
                tensors[f"optimizer.{number}.{name}"] = local(value).detach().cpu().clone().contiguous()
        rates = json.dumps([group["lr"] for group in optimizer.param_groups])
        save_file(tensors, folder / SHARD_FILE.format(index=self.index), metadata={"learning_rates": rates})

    def load(self, folder: Path) -> None:
        """Reads what :meth:`save` has written.

        Args:
            folder: The checkpoint.

        Raises:
            RunFolderError: The run was not sharded, or something is missing or has another shape.
        """
        from safetensors import safe_open

        path = folder / SHARD_FILE.format(index=self.index)
        if not path.is_file():
            raise RunFolderError(
                f"{folder} was written without sharded weights and cannot be continued with them. Launch the run as it "
                "was begun, or choose another --output_dir."
            )
        with safe_open(path, framework="pt") as file, torch.no_grad():
            found = set(file.keys())
            for name, tensor in self._tensors():
                _fill(local(tensor), file.get_tensor(name), f"{path}: {name}")
                found.discard(name)
            optimizer = self._optimizer
            for number, parameter in self._parameters():
                prefix = f"optimizer.{number}."
                stored = {name: file.get_tensor(name) for name in sorted(found) if name.startswith(prefix)}
                found -= stored.keys()
                if stored:
                    optimizer.state[parameter] = {
                        name.removeprefix(prefix): _state_of(parameter, value, f"{path}: {name}")
                        for name, value in stored.items()
                    }
            if found:
                raise RunFolderError(f"{path} has {min(found)}, which the model of this run does not have.")
            rates = json.loads((file.metadata() or {})["learning_rates"])
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate

    @property
    def _optimizer(self) -> torch.optim.Optimizer:
        inner: torch.optim.Optimizer = getattr(self.optimizer, "optimizer", self.optimizer)
        return inner

    def _parameters(self) -> Iterator[tuple[int, nn.Parameter]]:
        """The parameters of the optimizer by number."""
        yield from enumerate(p for group in self._optimizer.param_groups for p in group["params"])

    def _tensors(self) -> Iterator[tuple[str, Tensor]]:
        for prefix, module in (("model", self.model), ("averaged", self.averaged.module)):
            for name, tensor in module.state_dict().items():
                yield f"{prefix}.{name}", tensor
        yield "n_averaged", self.averaged.n_averaged


def _fill(own: Tensor, stored: Tensor, where: str) -> None:
    if own.shape != stored.shape:
        raise RunFolderError(f"{where} has the shape {tuple(stored.shape)}, here {tuple(own.shape)}")
    own.copy_(stored)


def _state_of(parameter: Tensor, stored: Tensor, where: str) -> Tensor:
    """A state of the optimizer: sharded as its parameter, or a number of steps."""
    from torch.distributed.tensor import DTensor

    if stored.ndim == 0 or not isinstance(parameter, DTensor):
        return stored.to(parameter.device)
    own = torch.empty_like(parameter.to_local())
    _fill(own, stored, where)
    return DTensor.from_local(
        own,
        parameter.device_mesh,
        parameter.placements,
        run_check=False,
        shape=parameter.shape,
        stride=parameter.stride(),
    )
