"""Trains and evaluates one model through ``accelerate launch``, with this Python.

    python -m iemomecp_dataset train fusion --data_dir local_data --objective rpcl --output_dir runs/rpcl-42
    python -m iemomecp_dataset train --num_processes 2 --multi_gpu fusion --data_dir local_data --output_dir runs/x
    python -m iemomecp_dataset train --num_processes 2 --cpu fusion --data_dir local_data --output_dir runs/x
    python -m iemomecp_dataset train fusion --help

TRAINER is fusion (text, audio and video features, every objective), or a published baseline: roberta, wavlm or clip.
Emotions of utterances are learned by ecerc (ACL 2025, long 102) and emotion (the baseline of this package);
explain trains a language model to write why a speaker feels an emotion.
Options before TRAINER are those of ``accelerate launch`` (accelerate launch --help); options after it are its own.
"""

from __future__ import annotations

import contextlib
import importlib
import itertools
import os
import signal
import socket
import subprocess
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from iemomecp_dataset.command_line import OptionParser, program_name
from iemomecp_dataset.errors import IemomecpError, UsageError, did_you_mean, missing_extra

_USAGE = "%(prog)s [ACCELERATE_OPTIONS] TRAINER [OPTIONS]"


def main(arguments: Sequence[str] | None = None) -> int:
    """Checks the options, launches the trainer and waits for it."""
    from iemomecp_dataset.trainers.cli import (
        EMOTION_TRAINERS,
        EXPLANATION_TRAINERS,
        TRAINERS,
        options_of,
        parse_options,
    )

    trainers = {**TRAINERS, **EMOTION_TRAINERS, **EXPLANATION_TRAINERS}
    given = list(sys.argv[1:] if arguments is None else arguments)
    place = next((number for number, text in enumerate(given) if text in trainers), None)
    if place is None:
        if not given:
            usage = _USAGE.replace("%(prog)s", program_name("train"))
            raise UsageError(f"TRAINER is missing: give {', '.join(trainers)}. See --help.\nusage: {usage}")
        if {"-h", "--help"} & {*given}:
            OptionParser(command="train", usage=_USAGE, description=__doc__).parse(["--help"])
        named = next((text for text in given if not text.startswith("-")), given[0])
        raise UsageError(f"There is no trainer {named!r}. {did_you_mean(named, trainers)}")
    launcher, trainer, options = given[:place], given[place], given[place + 1 :]
    script = importlib.import_module(f"iemomecp_dataset.trainers.{trainer}")
    # Mistakes are found here, before torch is imported, and reported without the launcher's traceback.
    kind, defaults = options_of(trainer)
    description = script.__doc__ or ""
    try:
        parse_options(options, description=description, defaults=defaults, command=f"train {trainer}", kind=kind)
    except IemomecpError:
        # Other machines wait for this one: its trainer finds the same mistake, and tells them.
        if not _on_several_machines(launcher):
            raise
    return _launch([*launcher, str(Path(str(script.__file__))), *options])


def _on_several_machines(launcher: Sequence[str]) -> bool:
    """Whether the launcher's options ask for several machines, without an import of accelerate."""
    words = [word for text in launcher for word in text.replace("-", "_").split("=", 1)]
    return any(word == "__num_machines" and number not in ("0", "1") for word, number in itertools.pairwise(words))


def _launch(arguments: Sequence[str]) -> int:
    """Does what ``accelerate launch`` does, and gives back the trainer's own exit code."""
    try:
        from accelerate.commands.launch import launch_command, launch_command_parser
        from accelerate.utils import patch_environment
        from torch.distributed.elastic.multiprocessing.api import SignalException
        from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    except ImportError as error:
        raise missing_extra(error.name or "accelerate", "train") from error
    from iemomecp_dataset.trainers.options import launcher_precision

    launch = launch_command_parser().parse_args(arguments)
    # accelerate would overwrite the precision in the environment with "no".
    launch.mixed_precision = launch.mixed_precision or launcher_precision(os.environ)
    _give_defaults(launch)
    _check_machines(launch)
    processes = {"ACCELERATE_USE_CPU": "true"} if _launched_by_torch(launch) else {}
    if launch.num_processes is not None:
        processes["IEMOMECP_NUM_PROCESSES"] = str(launch.num_processes)  # compared by the ranks
    # The trainer ends with a checkpoint when it is asked to; this process passes the request on and waits. What is
    # ignored, as SIGINT by a shell's background jobs or SIGHUP under nohup, stays so.
    known = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    signals = [n for n in known if signal.getsignal(n) is not signal.SIG_IGN]
    before = {number: signal.signal(number, _pass_on) for number in signals}
    try:
        with patch_environment(**processes):
            launch_command(launch)
    except subprocess.CalledProcessError as error:
        return error.returncode if error.returncode > 0 else 128 - error.returncode
    except ChildFailedError as error:
        return max(int(error.get_first_failure()[1].exitcode), 1)
    except SignalException as error:
        return 128 + int(error.sigval)
    except (ValueError, OSError) as error:
        raise UsageError(f"accelerate launch: {error}") from error
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 0


def _give_defaults(launch: Namespace) -> None:
    """Adds the values that accelerate would choose itself, since it prints a list of missing ones before every run.

    A file of ``accelerate config`` has values of its own. Processes on other devices than NVIDIA's GPUs are left to
    accelerate, and several GPUs still make it say that it uses all of them.
    """
    import torch
    from accelerate.commands.config import default_config_file

    if launch.config_file is not None or (Path(default_config_file).is_file() and not launch.cpu):
        return
    accelerator = torch.accelerator.current_accelerator()
    if launch.num_processes is None and (accelerator is None or accelerator.type == "cuda"):
        launch.num_processes = torch.cuda.device_count()
    launch.num_machines = 1 if launch.num_machines is None else launch.num_machines
    launch.mixed_precision = launch.mixed_precision or "no"
    launch.dynamo_backend = launch.dynamo_backend or "no"


def _check_machines(launch: Namespace) -> None:
    """Refuses what would make machines wait for each other for long, and says where this one waits.

    Raises:
        UsageError: The rank is not one of the machines', or the address of rank 0 has no host.
    """
    rank, count = launch.machine_rank or 0, launch.num_machines
    if count is not None and rank >= max(count, 1):
        raise UsageError(f"There is no --machine_rank {rank} of --num_machines {count}: ranks begin with 0.")
    if count is None or count < 2 or launch.main_process_ip is None:
        return
    host, port = launch.main_process_ip, launch.main_process_port or 29500
    try:
        socket.getaddrinfo(host, port)
    except OSError as error:
        raise UsageError(f"--main_process_ip {host} is no host that this machine knows ({error}).") from error
    print(f"Machine {rank} of {count} (from 0) finds the others at {host}:{port} and waits for them.", file=sys.stderr)


def _launched_by_torch(launch: Namespace) -> bool:
    """Has torch start several processes on CPUs, where accelerate starts one on each machine unless MPI starts them.

    Args:
        launch: The launcher's options; changed to those with which accelerate launches through torch.

    Returns:
        Whether they are changed; the processes must then be told to use the CPU.
    """
    several = (launch.num_processes or 1) > 1
    if not launch.cpu or not several or launch.mpirun_hostfile is not None:
        return False
    launch.cpu, launch.use_cpu, launch.multi_gpu = False, True, True
    if launch.num_machines in (None, 1) and launch.main_process_port is None:
        launch.main_process_port = 0  # any that is free
    return True


def _pass_on(number: int, frame: FrameType | None) -> None:
    """Sends a signal to the trainer; a Ctrl-C reaches it twice, which it counts once."""
    import psutil

    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):
            child.send_signal(number)
