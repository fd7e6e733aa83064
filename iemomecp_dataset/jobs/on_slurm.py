"""Jobs as array jobs of SLURM, submitted by submitit; they go on without the launcher, which finds them again.

Below the folder of the output, ``logs/slurm`` has one file for each list of jobs that was submitted. It is written
before ``sbatch`` is called, and its token is part of the array job's name. A launcher that starts later, or a second
one beside the first, so knows by ``squeue`` which of its jobs are there. How a job ended is told by a file beside its
log, written on the node.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import secrets
import shlex
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import NoneType
from typing import Any

from iemomecp_dataset.errors import (
    IemomecpError,
    InvalidDataError,
    MissingDataError,
    TrainingError,
    UsageError,
    missing_extra,
)
from iemomecp_dataset.files import make_folder, read_json, write_json
from iemomecp_dataset.files.locks import locked_file
from iemomecp_dataset.jobs.job import Job, JobState, JobStatus
from iemomecp_dataset.jobs.process import last_lines
from iemomecp_dataset.jobs.shared_folders import why_not_shared
from iemomecp_dataset.jobs.slurm_queue import (
    QueuedJob,
    accounted_state,
    check_slurm,
    is_whole_cluster,
    largest_array,
    queued_jobs,
)
from iemomecp_dataset.jobs.slurm_request import SlurmRequest, read_request
from iemomecp_dataset.jobs.slurm_task import STOPPED, SlurmTask, record_file

__all__ = ["SlurmBackend", "sbatch_script"]

_logger = logging.getLogger(__name__)

_PREFIX = "iemomecp-"
"""What the names of array jobs begin with."""

_SUBMITTING_SECONDS = 30.0
"""How long a call of sbatch may go on after the launcher that made it was killed."""

_RECORD_SECONDS = 20.0
"""How long a file that a node has written may be unseen here, as network file systems keep what they have read."""

_FAILED_IN_SLURM = frozenset({"BOOT_FAIL", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY"})

_STOPPED_BY_SLURM = frozenset({"CANCELLED", "TIMEOUT", "PREEMPTED", "DEADLINE", "REVOKED"})


@dataclass
class _List:
    """A list of jobs that was submitted as one array.

    Attributes:
        token: Part of the array's name.
        names: Names of the jobs, in the array's order.
        logs: Their logs.
        commands: Their commands, as a shell would read them, without the program, which may be another Python.
        submitted: Seconds since 1970.
        array: Number of the array; None until sbatch has told it.
        request: What each job asked for, as it was given.
    """

    token: str
    names: tuple[str, ...]
    logs: tuple[str, ...]
    commands: tuple[str, ...]
    submitted: float
    array: str | None = None
    request: tuple[str, ...] = ()

    @property
    def job_name(self) -> str:
        return f"{_PREFIX}{self.token}"

    def of(self, name: str, queue: Mapping[tuple[str, int], QueuedJob]) -> QueuedJob | None:
        return queue.get((self.job_name, self.names.index(name)))

    def goes_on(self, name: str, queue: Mapping[tuple[str, int], QueuedJob]) -> bool:
        found = self.of(name, queue)
        return found is not None and not found.over

    def command_of(self, name: str) -> str:
        return self.commands[self.names.index(name)]

    def ended_unseen(self, job: Job, queue: Mapping[tuple[str, int], QueuedJob]) -> bool:
        """Whether a job with the same command has ended by itself while no launcher waited for it."""
        if self.command_of(job.name) != _command_words(job):
            return False
        return self._code_unseen(job.log) is not None or self._lost_unseen(job.name, queue)

    def failed_unseen(self, name: str, queue: Mapping[tuple[str, int], QueuedJob]) -> bool:
        """Whether a job has failed while no launcher waited for it."""
        return bool(self._code_unseen(Path(self.logs[self.names.index(name)]))) or self._lost_unseen(name, queue)

    def _lost_unseen(self, name: str, queue: Mapping[tuple[str, int], QueuedJob]) -> bool:
        """Whether a job that left no record has failed by the queue, which remembers it for some minutes."""
        found = self.of(name, queue)
        if found is None or found.state not in _FAILED_IN_SLURM:
            return False
        return bool(_read_record(Path(self.logs[self.names.index(name)])).get("token") != self.token)

    def _code_unseen(self, log: Path) -> int | None:
        record = _read_record(log)
        if record.get("token") != self.token or record["seen"] or record["received"]:
            return None
        code: int | None = record["exit_code"]
        return code


class SlurmBackend:
    """Runs jobs as array jobs of SLURM, one array for each call of :meth:`submit`.

    Args:
        folder: Folder of the output, which all nodes see. By it a launcher finds the jobs of an earlier one.
        values: What each job asks for, ``KEY=VALUE``.
        max_parallel: Jobs at once; None for as many as SLURM runs.

    Raises:
        MissingDependencyError: submitit is not installed.
        UsageError: A value is invalid, or there is no SLURM here.
    """

    outlives_launcher = True

    def __init__(self, folder: Path, values: Sequence[str], *, max_parallel: int | None = None):
        self._request = read_request(values)
        _executor_class()
        check_slurm()
        self._folder = folder.resolve()
        if "%" in str(self._folder):
            raise UsageError(f"{self._folder}: SLURM replaces what follows % in the paths of its logs. Choose another.")
        self._values = tuple(values)
        self._max_parallel = max_parallel
        self._jobs: dict[str, Job] = {}
        self._lists: dict[str, _List] = {}
        self._states: dict[str, JobStatus] = {}
        self._gone: dict[str, float] = {}
        self._asked = self._started = 0.0
        self._silent = False

    @property
    def places(self) -> int:
        """How many jobs run at once at most; 0 where the queue decides."""
        return self._max_parallel or 0

    @property
    def cancel_command(self) -> str:
        """What a user types to end the jobs that have not ended; empty where all have."""
        left = {name for name, status in self._states.items() if not status.over}
        ids = []
        for one in {one.token: one for name, one in self._lists.items() if name in left}.values():
            # A whole array has one number.
            whole = all(name in left and self._lists[name].token == one.token for name in one.names)
            ids += [str(one.array)] if whole else [self._job_id(name) for name in one.names if name in left]
        return f"scancel {' '.join(ids)}" if ids else ""

    def submit(self, jobs: Sequence[Job]) -> None:
        """Submits the jobs that are neither in the queue nor running.

        Raises:
            UsageError: The nodes do not see a folder, SLURM refuses the jobs, or there are more than an array may have.
            TrainingError: ``squeue`` does not answer, so that nothing is known of earlier jobs.
        """
        _check_folders(jobs, self._folder, self._request)
        make_folder(self._place)
        with _alone(self._place / ".lock"):
            lists = self._open_lists()
            queue = self._queue_of_lists(lists)
            missing = []
            other_request = False
            for job in jobs:
                self._jobs[job.name] = job
                of_job = [one for one in lists if job.name in one.names]
                if known := next((one for one in of_job if one.goes_on(job.name, queue)), None):
                    self._lists[job.name] = known
                    if known.command_of(job.name) != _command_words(job):
                        raise UsageError(
                            f"{job.name} is in the queue with another command ({known.command_of(job.name)}). Wait for "
                            f"it, or cancel it: scancel {self._job_id(job.name)}"
                        )
                    if known.request != self._values and not other_request:
                        other_request = True
                        _logger.warning(
                            "%s is in the queue as it was asked for then (--slurm %s); other values count for what is "
                            "submitted anew. To change them, cancel it first: scancel %s",
                            *(job.name, shlex.join(known.request), self._job_id(job.name)),
                        )
                    self._repair(known, job)
                    self._states[job.name] = JobStatus(JobState.WAITING, None, f"submitted earlier as {known.array}")
                elif ended := next((one for one in of_job if one.ended_unseen(job, queue)), None):
                    # It is told once, and not run again before somebody has seen it.
                    self._lists[job.name] = ended
                    self._states[job.name] = self._status(job.name, ended.of(job.name, queue))
                else:
                    missing.append(job)
            for one in lists:
                if not any(one.goes_on(name, queue) or one.failed_unseen(name, queue) for name in one.names):
                    make_folder(self._place / one.token)
                    self._list_file(one).rename(self._place / one.token / "jobs.json")
            if missing:
                self._submit(missing)
        self._asked, self._started = 0.0, time.monotonic()

    def states(self) -> Mapping[str, JobStatus]:
        """Tells the state of every job; ``squeue`` is asked every few seconds, the less often the longer it takes."""
        now = time.monotonic()
        open_jobs = [name for name, one in self._lists.items() if not self._states[name].over]
        if not open_jobs or (self._asked and now - self._asked < min(15.0, 1.0 + (now - self._started) / 40)):
            return self._states
        try:
            queue = queued_jobs({self._lists[name].job_name for name in open_jobs})
        except TrainingError as error:
            if not self._silent:
                _logger.warning("%s The jobs go on; it is asked again.", error)
            self._silent, self._asked = True, now
            return self._states
        self._silent, self._asked = False, now
        for name in open_jobs:
            self._states[name] = self._status(name, self._lists[name].of(name, queue))
        return self._states

    def stop(self) -> None:
        """Leaves the jobs to SLURM."""

    @property
    def _place(self) -> Path:
        return _place_of(self._folder)

    def _list_file(self, one: _List) -> Path:
        return self._place / f"{one.token}.json"

    def _job_id(self, name: str) -> str:
        one = self._lists[name]
        index = one.names.index(name)
        return f"{one.array}_{index}" if len(one.names) > 1 else str(one.array)

    def _open_lists(self) -> list[_List]:
        """The lists that were submitted and not yet seen to be over, the newest first."""
        found = []
        for file in self._place.glob("*.json"):
            content = _object_in(file)
            names, logs, commands = (_texts(content.get(column)) for column in ("jobs", "logs", "commands"))
            if not names or not len(names) == len(logs) == len(commands):
                raise InvalidDataError(
                    f"{file}: this is no list of jobs, as a launcher writes it. See by 'squeue "
                    f"--name={_PREFIX}{file.stem}' what of it goes on, cancel that, and remove the file."
                )
            array, submitted = content.get("array"), content.get("submitted")
            since = submitted if isinstance(submitted, float) else 0.0
            array = array if isinstance(array, str) else None
            found.append(_List(file.stem, names, logs, commands, since, array, _texts(content.get("request"))))
        return sorted(found, key=lambda one: one.submitted, reverse=True)

    def _queue_of_lists(self, lists: Sequence[_List]) -> dict[tuple[str, int], QueuedJob]:
        """The queue; waits for a call of sbatch that a killed launcher may have left behind."""
        said = False
        while True:
            queue = queued_jobs([one.job_name for one in lists])
            for one in lists:
                one.array = next((job.array for (name, _), job in queue.items() if name == one.job_name), one.array)
            late = [one for one in lists if one.array is None and time.time() - one.submitted < _SUBMITTING_SECONDS]
            if not late:
                return queue
            if not said:
                shown = ", ".join(late[0].names[:3]) + (", ..." if len(late[0].names) > 3 else "")
                _logger.warning("A launcher was ended while it submitted %s; waiting whether SLURM has them.", shown)
            said = True
            time.sleep(2)

    def _repair(self, one: _List, job: Job) -> None:
        """Writes what a job reads at its start, and waits a minute for, where its launcher was killed before that."""
        index = one.names.index(job.name)
        file = self._place / one.token / f"{one.array}{f'_{index}' * (len(one.names) > 1)}_submitted.pkl"
        if not file.exists():
            from submitit.core.utils import DelayedSubmission

            delayed = DelayedSubmission(SlurmTask(self._with_threads(job), one.token))
            delayed.set_timeout(self._request.minutes, self._request.requeues)
            partial = file.with_suffix(f".{secrets.token_hex(4)}.partial")
            delayed.dump(partial)
            partial.rename(file)

    def _submit(self, jobs: Sequence[Job]) -> None:
        most = largest_array()
        if most is not None and len(jobs) > most:  # places count from 0, and the last one is below it
            raise UsageError(
                f"{len(jobs)} jobs are more than the {most} that one array of this cluster may have "
                "(MaxArraySize). Make fewer and larger ones, or start a part of them."
            )
        names, logs = tuple(job.name for job in jobs), tuple(str(job.log) for job in jobs)
        one = _List(
            secrets.token_hex(6), names, logs, tuple(map(_command_words, jobs)), time.time(), None, self._values
        )
        executor = _executor(self._place / one.token, one.job_name, self._request, self._max_parallel)
        tasks = [SlurmTask(self._with_threads(job), one.token) for job in jobs]
        self._write(one)
        said = io.StringIO()
        try:
            with _outside_of_jobs(), contextlib.redirect_stderr(said):
                submitted = executor.submit_array(tasks)
        except Exception as error:
            if isinstance(error, OSError) and not isinstance(error, IemomecpError):
                raise
            words = " ".join((str(error) or said.getvalue()).replace("sbatch: error:", "").split())
            if "timed out" in words.lower() or self._may_be_taken(one):
                # The list stays, and is looked for in the queue.
                raise TrainingError(
                    f"SLURM's answer tells no number of a job ({words}), and it may have taken the jobs. Start the "
                    "same command again: it looks for them."
                ) from error
            self._list_file(one).unlink(missing_ok=True)
            shutil.rmtree(self._place / one.token, ignore_errors=True)
            raise UsageError(f"SLURM refuses the jobs: {words or type(error).__name__}. None was submitted.") from error
        one.array = str(submitted[0].job_id).partition("_")[0]
        self._write(one)
        for job in jobs:
            self._lists[job.name] = one
            self._states[job.name] = JobStatus(JobState.WAITING, None, f"submitted as {one.array}")

    def _may_be_taken(self, one: _List) -> bool:
        """Whether jobs of a list are in the queue, or nothing is known of it."""
        try:
            return bool(queued_jobs([one.job_name]))
        except TrainingError:
            return True

    def _write(self, one: _List) -> None:
        columns = {"jobs": one.names, "logs": one.logs, "commands": one.commands}
        content = {"array": one.array, "submitted": one.submitted, "request": one.request, **columns}
        write_json(self._list_file(one), content, indent=None)

    def _with_threads(self, job: Job) -> Job:
        return replace(job, environment={**_environment(self._request), **job.environment})

    def _status(self, name: str, found: QueuedJob | None) -> JobStatus:
        """The state of a job by the queue, its record and the accounts."""
        job_id = self._job_id(name)
        if found is not None and not found.over:
            self._gone.pop(name, None)
            if found.waits:
                reason = f": {found.reason}" if found.reason not in ("", "None") else ""
                return JobStatus(JobState.WAITING, None, f"job {job_id}, {found.state.lower()}{reason}")
            return JobStatus(JobState.RUNNING, None, f"job {job_id}, {found.state.lower()}")
        job, one = self._jobs[name], self._lists[name]
        record = _read_record(job.log)
        if record.get("token") != one.token:
            record = {}
        state = found.state if found is not None else ""
        since = self._gone.setdefault(name, time.monotonic())
        if not record and state not in _STOPPED_BY_SLURM and time.monotonic() - since < _RECORD_SECONDS:
            return JobStatus(JobState.RUNNING, None, f"job {job_id} has left the queue")
        if not state:
            state = accounted_state(str(one.array), one.names.index(name), single=len(one.names) == 1) or ""
        if record and not record["seen"]:
            with contextlib.suppress(UsageError):
                write_json(record_file(job.log), {**record, "seen": True})
        code = record.get("exit_code")
        told = f"job {job_id}{f', {state.lower()}' * bool(state)}"
        if code == 0:
            return JobStatus(JobState.ENDED, 0, told)
        if state in _STOPPED_BY_SLURM or (code in STOPPED and record["received"]):
            return JobStatus(JobState.CANCELLED, code, f"{told}; the same command again continues it")
        if code is not None:
            return JobStatus(JobState.ENDED, code, told)
        with contextlib.suppress(UsageError):  # told once
            write_json(record_file(job.log), {"token": one.token, "exit_code": None, "received": [], "seen": True})
        output = self._place / one.token / f"{job_id}_0_log.out"
        lines = [line for line in last_lines(output, 3) if "submitit INFO" not in line]
        return JobStatus(
            JobState.ENDED,
            None,
            f"{told}: it left no exit code{': ' * bool(lines)}{' / '.join(lines)}; see {output}",
        )


def sbatch_script(folder: Path, values: Sequence[str], jobs: Sequence[Job], *, max_parallel: int | None = None) -> str:
    """Builds the script that would be submitted; nothing is written, and no SLURM is needed.

    Args:
        folder: Folder of the output.
        values: What each job asks for, ``KEY=VALUE``.
        jobs: The jobs.
        max_parallel: Jobs at once.

    Returns:
        The text.

    Raises:
        MissingDependencyError: submitit is not installed.
        UsageError: A value is invalid.
    """
    request = read_request(values)
    executor = _executor(_place_of(folder.resolve()) / "TOKEN", f"{_PREFIX}TOKEN", request, max_parallel)
    if len(jobs) > 1:
        executor.parameters["map_count"] = len(jobs)
    text: str = executor._make_submission_file_text(executor._submitit_command_str, "TOKEN")
    return text


def _place_of(folder: Path) -> Path:
    return folder / "logs" / "slurm"


def _executor_class() -> Any:
    """The executor of submitit, also where SLURM is not installed, as a dry run only prints.

    Raises:
        MissingDependencyError: submitit is not installed.
    """
    try:
        from submitit.slurm.slurm import SlurmExecutor
    except ImportError as error:
        raise missing_extra("submitit", "slurm") from error

    class Executor(SlurmExecutor):  # type: ignore[misc]
        @classmethod
        def affinity(cls) -> int:
            return 2

    return Executor


def _executor(folder: Path, job_name: str, request: SlurmRequest, max_parallel: int | None) -> Any:
    # Without a shell between SLURM and Python, the signals that end a job reach it.
    executor = _executor_class()(folder, max_num_timeout=request.requeues, python=f"exec {shlex.quote(sys.executable)}")
    executor.update_parameters(**request.parameters(job_name, max_parallel))
    return executor


def _environment(request: SlurmRequest) -> dict[str, str]:
    """Variables of a job: threads as many as cores, and no GPU that was not asked for."""
    threads = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(request.cpus))}
    return threads if request.names_gpus else {**threads, "CUDA_VISIBLE_DEVICES": ""}


def _read_record(log: Path) -> dict[str, Any]:
    """The record beside a log; empty where there is none, or where it is none of ours."""
    file = record_file(log)
    with contextlib.suppress(OSError):
        # A network file system looks again, instead of remembering that the file is not there.
        next(file.parent.iterdir(), None)
    if not file.is_file():
        return {}
    record = _object_in(file)
    types: dict[str, Any] = {"token": str, "exit_code": (int, NoneType), "received": list, "seen": bool}
    return record if all(isinstance(record.get(name, ...), kind) for name, kind in types.items()) else {}


def _object_in(file: Path) -> dict[str, Any]:
    """The object that a file of JSON holds; empty where it holds none."""
    try:
        content = read_json(file)
    except (InvalidDataError, MissingDataError):
        return {}
    return content if isinstance(content, dict) else {}


def _command_words(job: Job) -> str:
    return shlex.join(job.command[1:])


def _texts(values: Any) -> tuple[str, ...]:
    """The texts of a list; none where it is something else."""
    return tuple(values) if isinstance(values, list) and all(isinstance(value, str) for value in values) else ()


@contextlib.contextmanager
def _alone(file: Path) -> Iterator[None]:
    """Waits until no other launcher submits in the same folder."""
    said = False
    while True:
        with locked_file(file) as locked:
            if locked is not False:
                yield
                return
        if not said:
            _logger.warning("Another launcher submits its jobs in %s; waiting for it.", file.parent)
            said = True
        time.sleep(0.5)


@contextlib.contextmanager
def _outside_of_jobs() -> Iterator[None]:
    """Hides the variables of a job that the launcher itself runs in, which sbatch would take for its options."""
    if "SLURM_JOB_ID" not in os.environ:
        yield
        return
    from submitit.helpers import clean_env

    kept = {name: value for name, value in os.environ.items() if name == "SLURM_CONF" or name.startswith("SBATCH_")}
    with clean_env():
        os.environ.update(kept)
        yield


def _check_folders(jobs: Sequence[Job], folder: Path, request: SlurmRequest) -> None:
    """Refuses folders that other machines do not see.

    Raises:
        UsageError: A folder of the output or of the work is of this machine alone, or so is a program or an input.
    """
    if request.shared or is_whole_cluster():
        return
    places = dict.fromkeys([str(folder), *(str(job.log.parent) for job in jobs), *(job.folder for job in jobs)])
    for place in places:
        if why := why_not_shared(Path(place)):
            raise _not_shared(place, why)
    given = dict.fromkeys(word for job in jobs for word in job.command)
    for word in given:
        value = Path(jobs[0].folder, word.partition("=")[2] if word.startswith("--") and "=" in word else word)
        # Programs and data may lie on the disk of every node, under the same path; in a temporary folder they do not.
        if _is_there(value) and (why := why_not_shared(value, disks=False)):
            raise _not_shared(str(value), why)


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # an argument that is no path: too long, or with a null character
        return False


def _not_shared(place: str, why: str) -> UsageError:
    return UsageError(
        f"{place} {why}, so that the nodes of the cluster would not find it. Choose a folder on a shared file system, "
        "or give --slurm shared=yes if every node sees it."
    )
