"""What SLURM's own commands tell: the queue, the accounting where there is one, the nodes."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import subprocess
from collections.abc import Collection
from dataclasses import dataclass

from iemomecp_dataset.errors import TrainingError, UsageError

__all__ = ["ENDED_STATES", "WAITING_STATES", "QueuedJob", "accounted_state", "check_slurm", "is_whole_cluster",
           "largest_array", "queued_jobs"]  # fmt: skip

WAITING_STATES = frozenset(
    {"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "RESV_DEL_HOLD", "SPECIAL_EXIT"}
)
ENDED_STATES = frozenset(
    {"BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED", "REVOKED",
     "TIMEOUT"}
)  # fmt: skip
"""States of SLURM; a job in any other one runs, or is about to end."""

_ANSWER_SECONDS = 60


@dataclass(frozen=True)
class QueuedJob:
    """A job as ``squeue`` lists it.

    Attributes:
        array: Number of the array job.
        index: Its place in it; 0 where the list had one job alone.
        state: Its state, in SLURM's word.
        reason: Why it waits, in SLURM's word; ``None`` if nothing holds it.
    """

    array: str
    index: int
    state: str
    reason: str

    @property
    def waits(self) -> bool:
        """Whether it has not begun, or is to begin again."""
        return self.state in WAITING_STATES

    @property
    def over(self) -> bool:
        """Whether it has ended for good."""
        return self.state in ENDED_STATES


def check_slurm() -> None:
    """Refuses a machine from which nothing can be submitted.

    Raises:
        UsageError: A command of SLURM is missing.
    """
    lacking = [name for name in ("sbatch", "squeue", "scontrol", "srun") if shutil.which(name) is None]
    if lacking:
        raise UsageError(
            f"--backend slurm: there is no {lacking[0]} on this machine's PATH. Start the command on a login node of a "
            "SLURM cluster, or use --backend local; --dry_run prints the script without SLURM."
        )


def queued_jobs(names: Collection[str]) -> dict[tuple[str, int], QueuedJob]:
    """Asks for the jobs of some lists, those that ended lately among them.

    Args:
        names: Names of array jobs.

    Returns:
        Jobs by name and index.

    Raises:
        TrainingError: ``squeue`` does not answer.
    """
    if not names:
        return {}
    # Names come last, since they may be anything.
    command = ["squeue", "-h", "-r", "-t", "all", "-n", ",".join(sorted(names)), "-o", "%F|%K|%T|%r|%j"]
    found: dict[tuple[str, int], QueuedJob] = {}
    for line in _answer(command).splitlines():
        fields = line.strip().split("|", 4)
        if len(fields) == 5 and fields[4] in names:
            array, index, state, reason, name = fields
            number = int(index) if index.isdigit() else 0
            before = found.get((name, number))
            # A list that was submitted twice by mischance: what goes on counts.
            if before is None or before.over:
                found[name, number] = QueuedJob(array, number, state, reason)
    return found


def accounted_state(array: str, index: int, *, single: bool) -> str | None:
    """Asks the accounting for the last state of a job that has left the queue.

    Args:
        array: Number of the array job.
        index: Place in it.
        single: Whether the list had one job, which is no array.

    Returns:
        The state in SLURM's word; None where the cluster keeps no accounts.
    """
    job = array if single else f"{array}_{index}"
    with contextlib.suppress(TrainingError):
        lines = _answer(["sacct", "-n", "-X", "-P", "-j", job, "-o", "State"]).split("\n")
        # "CANCELLED by 1000"
        return lines[0].split(" ")[0] or None
    return None


def largest_array() -> int | None:
    """Asks how many jobs one array may have; None where the cluster does not say."""
    with contextlib.suppress(TrainingError):
        found = re.search(r"^MaxArraySize\s*=\s*(\d+)", _answer(["scontrol", "show", "config"]), re.MULTILINE)
        return int(found[1]) if found else None
    return None


def is_whole_cluster() -> bool:
    """Whether this machine is the only node of the cluster, so that every folder is seen by all nodes."""
    with contextlib.suppress(TrainingError):
        nodes = set(_answer(["sinfo", "-h", "-N", "-o", "%n"]).split())
        host = socket.gethostname()
        return nodes in ({host}, {host.partition(".")[0]})
    return False


def _answer(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_ANSWER_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TrainingError(f"{command[0]} does not answer ({error}).") from None
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())
        raise TrainingError(f"{command[0]} does not answer ({said[:300] or f'exit code {done.returncode}'}).")
    return done.stdout
