"""A SLURM cluster of one node, of the programs that Debian packages: started for tests in a folder of its own.

Nothing outside that folder is written or changed: key, sockets, configuration, spool and logs lie in it, ports are free
ones, and whatever runs on the machine beside it is not touched. The daemons end with the process that started them.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PACKAGES = "slurmctld slurmd slurm-client munge"
"""What Debian and Ubuntu call the packages that have the programs."""

_PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol", "setpriv")

_CONFIGURATION = """\
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
MailProg=/bin/true
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
ReturnToService=2
JobRequeue=1
KillWait={kill_wait}
MinJobAge=300
# The node may offer more cores than the machine has.
SlurmdParameters=config_overrides
NodeName={host} NodeHostname={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=4000
PartitionName=tests Nodes={host} Default=YES MaxTime=INFINITE PriorityTier=1
PartitionName=urgent Nodes={host} MaxTime=INFINITE PriorityTier=9 PreemptMode=OFF
"""


class SlurmNode:
    """A running cluster of one node.

    Attributes:
        folder: Holds everything of it.
        environment: The variable by which SLURM's commands find it.
    """

    def __init__(self, folder: Path, *, cpus: int = 8, kill_wait: int = 20) -> None:
        self.folder = folder
        self.environment = {"SLURM_CONF": str(folder / "slurm.conf")}
        self._daemons: list[subprocess.Popen[bytes]] = []
        controller_port, node_port = _free_ports(2)
        host = socket.gethostname().partition(".")[0]
        (folder / "state").mkdir()
        (folder / "spool").mkdir()
        text = _CONFIGURATION.format(
            host=host,
            folder=folder,
            controller_port=controller_port,
            node_port=node_port,
            cpus=cpus,
            kill_wait=kill_wait,
        )
        (folder / "slurm.conf").write_text(text)
        key = folder / "munge.key"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o400)
        try:
            self._start(
                "munged", "--foreground", "--force", f"--key-file={key}", f"--socket={folder / 'munge.socket'}",
                f"--pid-file={folder / 'munged.pid'}", f"--log-file={folder / 'munged.log'}",
                f"--seed-file={folder / 'munge.seed'}",
            )  # fmt: skip
            self._wait_until((folder / "munge.socket").exists, "munged has made its socket")
            self._start("slurmctld", "-D", "-i")
            self._start("slurmd", "-D", "-N", host)
            self._wait_until(lambda: self.ask("sinfo", "-h", "-o", "%t").strip() == "idle", "the node is idle")
        except BaseException:
            self.stop()
            raise

    def ask(self, *command: str) -> str:
        """What a command of SLURM's prints; an empty text where it fails."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            done = subprocess.run(
                command, env={**os.environ, **self.environment}, capture_output=True, text=True, timeout=20, check=False
            )
            return done.stdout
        return ""

    def queue(self) -> dict[str, str]:
        """States of all jobs that the controller remembers, by ``ARRAY_INDEX``; ended ones are among them."""
        lines = self.ask("squeue", "-h", "-r", "-t", "all", "-o", "%F_%K %T").splitlines()
        return dict(line.split() for line in lines)

    def wait_for(self, job: str, *states: str, seconds: float = 60) -> None:
        """Waits until a job of the array, ``ARRAY_INDEX``, is in one of the states."""
        self._wait_until(lambda: self.queue().get(job) in states, f"{job} is {' or '.join(states)}", seconds)

    def start_again(self, *jobs: str) -> None:
        """Lets jobs that were queued again start at once, and not after two minutes."""
        for job in jobs:
            self.wait_for(job, "PENDING")
        # What the node knows of the killed ones, by seconds, would refuse a start in the same second.
        time.sleep(2)
        for job in jobs:
            self.ask("scontrol", "update", f"JobId={job}", "StartTime=now")

    def stop(self) -> None:
        """Cancels what runs, and ends the daemons."""
        if len(self._daemons) == 3 and all(daemon.poll() is None for daemon in self._daemons):
            self.ask("scancel", "--user=root")
            over = time.monotonic() + 10
            while self.ask("squeue", "-h") and time.monotonic() < over:
                time.sleep(0.1)
            if self.ask("squeue", "-h"):
                self.ask("scancel", "--user=root", "--full", "--signal=KILL")
                time.sleep(1)
        for daemon in reversed(self._daemons):
            daemon.terminate()
            try:
                daemon.wait(timeout=10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        self._daemons.clear()

    def _start(self, *command: str) -> None:
        """Starts a daemon that gets SIGTERM when this process ends, however that is."""
        with open(self.folder / f"{command[0]}.out", "wb") as output:
            self._daemons.append(
                subprocess.Popen(
                    ["setpriv", "--pdeathsig", "TERM", *command],
                    env={**os.environ, **self.environment}, cwd=self.folder,
                    stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                )
            )  # fmt: skip

    def _wait_until(self, met: Callable[[], bool], what: str, seconds: float = 60) -> None:
        over = time.monotonic() + seconds
        while not met():
            ended = [daemon.args for daemon in self._daemons if daemon.poll() is not None]
            logs = {path.name: path.read_text(errors="replace")[-1500:] for path in self.folder.glob("*.out")}
            assert not ended, (what, ended, logs)
            assert time.monotonic() < over, (f"not within {seconds:.0f} s: {what}", self.queue(), logs)
            time.sleep(0.1)


def _free_ports(n: int) -> list[int]:
    """Free ports below those that the system gives to connections, so that none of these takes one meanwhile."""
    ports: list[int] = []
    while len(ports) < n:
        port = 10_000 + secrets.randbelow(20_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("", port))
            if port not in ports:
                ports.append(port)
    return ports


def why_not() -> str:
    """Why no node can be started here; nothing where it can."""
    lacking = [program for program in _PROGRAMS if shutil.which(program) is None]
    if lacking:
        return f"SLURM is not installed here ({', '.join(lacking)}); on Debian: apt-get install {PACKAGES}"
    return "" if os.geteuid() == 0 else "only root can start a SLURM node"


@contextlib.contextmanager
def running_node(**options: int) -> Iterator[SlurmNode]:
    """Starts a node, and stops it at the end, also after a failure; skips the test where that is not possible."""
    if reason := why_not():
        pytest.skip(reason)
    # Paths of sockets have at most 108 characters, which a folder of pytest's may exceed.
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))
    try:
        node = SlurmNode(folder, **options)
        try:
            yield node
        finally:
            node.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def slurm_node() -> Iterator[SlurmNode]:
    """A node for the tests of a file, whose commands find it by the environment."""
    with running_node() as node, pytest.MonkeyPatch.context() as patch:
        for name, value in node.environment.items():
            patch.setenv(name, value)
        yield node


if __name__ == "__main__":  # A node to try things on: prints the variable, and ends with Ctrl-C.
    with running_node() as started:
        print(f"export SLURM_CONF={started.environment['SLURM_CONF']}", flush=True)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
