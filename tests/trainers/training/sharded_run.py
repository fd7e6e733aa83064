"""One process of a run whose weights are sharded: FSDP2 on a CPU, which accelerate itself uses on GPUs alone.

Its arguments are those of ``trainers/fusion.py``. With ``SHARDED=false`` it is a usual run.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from accelerate import DistributedType, FullyShardedDataParallelPlugin
from accelerate.state import AcceleratorState, PartialState

from iemomecp_dataset.command_process import run_command
from iemomecp_dataset.trainers.cli import options_of, parse_options

_begin = AcceleratorState.__init__


def _begin_sharded(self: Any, *args: Any, fsdp_plugin: Any = None, **kwargs: Any) -> None:
    _begin(self, *args, fsdp_plugin=fsdp_plugin, **kwargs)
    if isinstance(fsdp_plugin, FullyShardedDataParallelPlugin):
        # What it does with several GPUs.
        self.fsdp_plugin = fsdp_plugin
        if self._mixed_precision != "no":
            fsdp_plugin.set_mixed_precision(self._mixed_precision)
        PartialState._shared_state["distributed_type"] = self.distributed_type = DistributedType.FSDP


def main() -> None:
    """The run, as a training script does it; then how many weights this process has held."""
    from iemomecp_dataset.trainers.run import run
    from iemomecp_dataset.trainers.training import loop

    end_epoch = loop._end_epoch

    def counted(state: Any) -> None:
        end_epoch(state)
        held = [
            sum(getattr(p, "_local_tensor", p).numel() for p in m.parameters()) for m in (state.model, state.averaged)
        ]
        print(f"held: {held} of {sum(p.numel() for p in state.averaged.parameters())}", flush=True)

    loop._end_epoch = counted
    kind, defaults = options_of("fusion")
    run(parse_options(sys.argv[1:], description="", defaults=defaults, kind=kind))


if os.environ.get("SHARDED") == "true":
    os.environ.update(
        ACCELERATE_USE_FSDP="true",
        FSDP_VERSION="2",
        FSDP_AUTO_WRAP_POLICY="TRANSFORMER_BASED_WRAP",
        FSDP_RESHARD_AFTER_FORWARD="true",
    )
    AcceleratorState.__init__ = _begin_sharded
run_command(main)
