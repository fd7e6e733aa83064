"""What a job asks SLURM for: the values of ``--slurm``, and the parameters of submitit that they become."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from iemomecp_dataset.errors import UsageError, did_you_mean

__all__ = ["SlurmRequest", "read_request"]

_EXAMPLE = "--slurm partition=gpu minutes=240 gpus_per_node=1 mem=16G"

_PLAIN = ("partition", "account", "qos", "constraint")
_EXTRA = "extra_"
_PATTERNS = {
    "gpus_per_node": (r"([\w.-]+:)?\d+", "a number, or kind and number, such as 1 or a100:1"),
    "mem": (r"\d+[KMGT]B?", "a number with its unit, such as 16G"),
}
_NUMBERS = {"minutes": (1, 10**6), "cpus": (1, 10**4), "warning": (1, 10**5), "requeues": (0, 10**4)}
KEYS = (*_PLAIN, "gpus_per_node", "mem", "minutes", "cpus", "setup", "warning", "requeues", "shared")
"""Keys of ``--slurm``; ``extra_ANY_OPTION`` passes any other option of sbatch."""

_TAKEN = {
    "parsable": "the number of the array job is read from its usual answer",
    "wait": "the launcher waits for the jobs",
    "test-only": "--dry_run prints the script and submits nothing",
    "array": "--max_parallel bounds how many jobs run at once",
    "job-name": "the launcher finds its jobs by it",
    "output": "logs have their place beside the results",
    "error": "logs have their place beside the results",
    "open-mode": "a job that is queued again continues its log",
    "signal": "give warning=SECONDS",
    "requeue": "every job may be queued again; requeues=0 stops that at time limits",
    "no-requeue": "requeues=0 stops that at time limits",
    "time": "give minutes=",
    "partition": "give partition=",
    "account": "give account=",
    "qos": "give qos=",
    "constraint": "give constraint=",
    "gpus-per-node": "give gpus_per_node=",
    "mem": "give mem=",
    "cpus-per-task": "give cpus=",
    "nodes": "a job runs on one node",
    "ntasks": "a job is one task",
    "ntasks-per-node": "a job is one task",
    "wrap": "the job has its command",
    "chdir": "the job has its folder",
    "export": "a job has the variables of the launcher",
}


@dataclass(frozen=True)
class SlurmRequest:
    """What every job of a list asks SLURM for. Nothing is guessed: what is not given is the cluster's default.

    Attributes:
        minutes: Time limit of a job; with a warning before it, the job is queued again and continues.
        partition: Partition, or several between commas.
        account: Account that is charged.
        qos: Quality of service.
        constraint: Features of the node.
        gpus_per_node: GPUs, ``1`` or ``a100:1``.
        mem: Memory, ``16G``.
        cpus: Cores.
        setup: Lines of shell before the command, such as ``module load cuda``; one that fails ends the job.
        warning: Seconds before the time limit in which the command is ended, so that it can be continued.
        requeues: How often a job that reaches its limit is queued again.
        shared: Whether the user says that the nodes see the folders.
        extra: Further options of sbatch; True for one without a value.
    """

    minutes: int
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    gpus_per_node: str | None = None
    mem: str | None = None
    cpus: int = 1
    setup: tuple[str, ...] = ()
    warning: int = 120
    requeues: int = 100
    shared: bool = False
    extra: dict[str, str | bool] = field(default_factory=dict)

    @property
    def names_gpus(self) -> bool:
        """Whether GPUs are asked for, by ``gpus_per_node`` or another option of sbatch.

        Example:
            >>> SlurmRequest(60).names_gpus, SlurmRequest(60, extra={"gres": "gpu:1"}).names_gpus
            (False, True)
        """
        asked = self.gpus_per_node is not None and self.gpus_per_node.rpartition(":")[2].strip("0") != ""
        return asked or any("gpu" in f"{name}={value}" for name, value in self.extra.items())

    def parameters(self, job_name: str, max_parallel: int | None) -> dict[str, Any]:
        """Builds the parameters of submitit's executor.

        Args:
            job_name: Name of the array job.
            max_parallel: Jobs at once; None for no bound.

        Returns:
            Parameters by their names. The warning is sent to the job's own process, which is submitit's: without
            ``srun`` between them it gets SIGTERM of ``scancel`` and ``scontrol requeue``, and may use all cores.
        """
        setup: list[str] = []
        for line in self.setup:
            said = line.replace("'", "'\\''")
            setup += [line, f"test $? -eq 0 || {{ echo 'this line of setup= failed: {said}' >&2; exit 1; }}"]
        return {
            "job_name": job_name,
            "time": self.minutes,
            "partition": self.partition,
            "account": self.account,
            "qos": self.qos,
            "constraint": self.constraint,
            "gpus_per_node": self.gpus_per_node,
            "mem": self.mem,
            "cpus_per_task": self.cpus,
            "setup": setup or None,
            "wckey": None,
            "use_srun": False,
            "stderr_to_stdout": True,
            "array_parallelism": max_parallel or 10**6,
            "additional_parameters": {"requeue": True, "signal": f"B:USR2@{self.warning}", **self.extra},
        }


def read_request(values: Sequence[str]) -> SlurmRequest:
    """Reads the values of ``--slurm``.

    Args:
        values: ``KEY=VALUE`` each; ``setup`` may be given several times.

    Returns:
        The request.

    Raises:
        UsageError: A key is unknown, given twice or missing, or its value is invalid.

    Example:
        >>> read_request(["partition=gpu", "minutes=90", "extra_mail_type=END"]).extra
        {'mail-type': 'END'}
        >>> read_request(["partion=gpu", "minutes=90"])
        Traceback (most recent call last):
            ...
        iemomecp_dataset.errors.UsageError: --slurm has no key 'partion'. Did you mean 'partition'? Known names: ...
    """
    found: dict[str, Any] = {}
    setup: list[str] = []
    extra: dict[str, str | bool] = {}
    for text in values:
        key, equals, value = text.partition("=")
        if key.startswith(_EXTRA) and key != _EXTRA:
            name = key.removeprefix(_EXTRA).replace("_", "-")
            if name in _TAKEN:
                raise UsageError(f"--slurm {text}: that option of sbatch is set already; {_TAKEN[name]}.")
            if "\n" in value:
                raise UsageError(f"--slurm {key}=...: the value has more than one line.")
            extra[name] = value if value else True
            continue
        if key not in KEYS:
            raise UsageError(
                f"--slurm has no key {key!r}. {did_you_mean(key, KEYS)} Other options of sbatch are given with "
                f"{_EXTRA}: {_EXTRA}exclude=NODES for --exclude=NODES."
            )
        if not equals or not value.strip() or (key != "setup" and "\n" in value):
            raise UsageError(f"--slurm {key} needs a value: {key}=VALUE. For example: {_EXAMPLE}.")
        if key == "setup":
            setup.append(value)
            continue
        if found.setdefault(key, value) != value:
            raise UsageError(f"--slurm gives {key} twice, {found[key]!r} and {value!r}.")
    if "minutes" not in found:
        raise UsageError(
            "--backend slurm needs the time limit of a job, as queues differ in theirs. A job that reaches it is "
            f"queued again and continues. For example: {_EXAMPLE}."
        )
    for key, (pattern, words) in _PATTERNS.items():
        if key in found and not re.fullmatch(pattern, found[key], re.IGNORECASE):
            raise UsageError(f"--slurm {key}={found[key]}: expected {words}.")
    for key, (least, most) in _NUMBERS.items():
        if key in found:
            if not re.fullmatch(r"\d{1,7}", found[key]) or not least <= int(found[key]) <= most:
                raise UsageError(f"--slurm {key}={found[key]}: expected a whole number from {least} to {most}.")
            found[key] = int(found[key])
    if "shared" in found:
        if found["shared"] not in ("yes", "no"):
            raise UsageError(f"--slurm shared={found['shared']}: expected yes or no.")
        found["shared"] = found["shared"] == "yes"
    request = SlurmRequest(**found, setup=tuple(setup), extra=extra)
    if request.warning >= 60 * request.minutes:
        if "warning" in found:
            raise UsageError(
                f"--slurm warning={request.warning}: the warning comes that many seconds before the end, but a job has "
                f"{60 * request.minutes} (minutes={request.minutes})."
            )
        request = SlurmRequest(**found, setup=tuple(setup), extra=extra, warning=30 * request.minutes)
    return request
