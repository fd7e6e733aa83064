"""Extraction shared by jobs: processes of this machine, SLURM, or workers of ray; one bar, one index at the end.

A job is the command itself with ``--process_index I --num_processes N``. It computes the shard files of its share that
are missing, so that what was killed is continued by the same command.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.features.encoders.model_loading import check_model, require_torch
from iemomecp_dataset.features.extraction import (
    ENCODER_WORDS,
    ExtractionResult,
    PlannedExtraction,
    complete_store,
    counted,
    plan,
    remove_incomplete,
)
from iemomecp_dataset.features.extraction_job_options import ExtractionJobOptions
from iemomecp_dataset.features.extraction_options import ExtractionOptions
from iemomecp_dataset.features.frames.store import MANIFEST_NAME
from iemomecp_dataset.features.shares import shares
from iemomecp_dataset.features.store.store_card import read_card
from iemomecp_dataset.features.store.store_index import missing_shards
from iemomecp_dataset.features.store.store_layout import CARD_NAME, INDEX_NAME, README_NAME, shard_name
from iemomecp_dataset.files.locks import hold_folder
from iemomecp_dataset.jobs.job import RUNS_ELSEWHERE, Job, JobState, JobStatus, exit_words
from iemomecp_dataset.jobs.options import open_backend, preview
from iemomecp_dataset.jobs.process import last_lines
from iemomecp_dataset.jobs.running import run_jobs
from iemomecp_dataset.progress import bars_hidden

__all__ = ["SharedExtraction", "extract_in_jobs", "preview_of_jobs"]


@dataclass(frozen=True)
class SharedExtraction:
    """What an extraction by jobs came to.

    Attributes:
        result: The result, once the store is complete.
        left: Number of shard files that are not written.
        jobs: The last state of each job.
        failures: A sentence for each job that did not end well, with its log.
    """

    result: ExtractionResult | None
    left: int
    jobs: Mapping[str, JobStatus]
    failures: tuple[str, ...]


def extract_in_jobs(options: ExtractionOptions, where: ExtractionJobOptions) -> SharedExtraction:
    """Computes a feature store by jobs, or continues an unfinished one.

    Args:
        options: The extraction.
        where: Backend and number of jobs.

    Returns:
        The outcome. With ``no_wait`` it is that of now.

    Raises:
        UsageError: Options contradict each other, or the backend cannot run the jobs.
        MissingModelError: The model is neither on disk nor reachable; no job was started.
        RunFolderError: Another launcher works on the same store.
        InvalidDataError: As in :func:`~iemomecp_dataset.features.extraction.extract`.
        KeyboardInterrupt: Ctrl-C; running jobs have been ended.
        IemomecpError: The corpus cannot be loaded.
    """
    number = _check(options, where)
    require_torch()
    check_model(options.model_name, options.revision, ENCODER_WORDS[options.modality])
    planned = plan(options)
    folder, place = Path(options.output_dir), _place(options)
    with hold_folder(place):
        if options.retry_missing and (folder / CARD_NAME).is_file():
            remove_incomplete(folder, read_card(folder), range(len(planned.plan.shards)))
        left = missing_shards(folder, len(planned.plan.shards))
        for name in (INDEX_NAME, README_NAME, MANIFEST_NAME) if left else ():
            (folder / name).unlink(missing_ok=True)
        sizes = [sum(map(len, shard)) for shard in planned.plan.shards]
        states: Mapping[str, JobStatus] = {}
        failures: tuple[str, ...] = ()
        if left and where.backend == "ray":
            from iemomecp_dataset.features.extraction_on_ray import write_on_ray

            with _Bar(options, folder, sizes, left) as bar:
                write_on_ray(options, where, left, workers=min(number, len(left)), seen=bar.look)
        elif left:
            jobs = _jobs(options, planned, left, number)
            backend = open_backend(where, place)
            with _Bar(options, folder, sizes, left) as bar:
                states = run_jobs(jobs, backend, seen=bar.see, wait=not where.no_wait)
            failures = tuple(filter(None, (_failure(job, states[job.name]) for job in jobs)))
        computed = sum(sizes[shard] for shard in left)
        left = missing_shards(folder, len(sizes))
        if left or not all(status.over for status in states.values()):
            return SharedExtraction(None, len(left), states, failures)
        if any((folder / name).is_file() for name in (INDEX_NAME, MANIFEST_NAME)):
            return SharedExtraction(counted(options, computed=computed), 0, states, failures)
        return SharedExtraction(complete_store(options, planned.corpus, computed=computed), 0, states, failures)


def preview_of_jobs(options: ExtractionOptions, where: ExtractionJobOptions, planned: PlannedExtraction) -> str:
    """Builds what a dry run prints of the jobs.

    Args:
        options: The extraction.
        where: Backend and number of jobs.
        planned: Its plan.

    Returns:
        Commands, or scripts.

    Raises:
        UsageError: Options contradict each other.
    """
    number = _check(options, where)
    if where.backend == "ray":
        workers = min(number, max(1, len(planned.left)))
        return (
            f"ray: {workers} worker{'s' * (workers != 1)}, each with {where.cpus_per_worker:g} CPUs and "
            f"{where.gpus_per_worker:g} GPUs, take the {len(planned.left)} shard files as they are free"
        )
    return preview(where, _place(options), _jobs(options, planned, planned.left, number))


def _check(options: ExtractionOptions, where: ExtractionJobOptions) -> int:
    options.check()
    if options.process_index is not None or int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UsageError(
            "--backend, --shards and --slots start the processes themselves: leave out accelerate launch, "
            "--process_index and --num_processes, or those."
        )
    return where.number()


def _place(options: ExtractionOptions) -> Path:
    """Folder of the logs, beside the store, which has nothing but vectors."""
    folder = Path(options.output_dir).resolve()
    return folder.with_name(f"{folder.name}.jobs")


def _jobs(options: ExtractionOptions, planned: PlannedExtraction, left: Sequence[int], number: int) -> list[Job]:
    """The jobs that have something to do."""
    missing = frozenset(left)
    command = (sys.executable, "-m", "iemomecp_dataset", "extract", *_flags(options))
    return [
        Job(
            f"shard-{index}-of-{number}",
            (*command, f"--process_index={index}", f"--num_processes={number}"),
            {"TQDM_DISABLE": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"},
            str(Path.cwd()),
            _place(options) / "logs" / f"shard-{index}-of-{number}.log",
        )
        for index, share in enumerate(shares(planned.plan.shards, number))
        if missing.intersection(share)
    ]


_OF_LAUNCHER = frozenset({"dry_run", "retry_missing", "process_index", "num_processes", "quiet"})


def _flags(options: ExtractionOptions) -> list[str]:
    """Every option of the extraction that differs from its default."""
    given = [
        (field.name, getattr(options, field.name))
        for field in fields(options)
        if field.name not in _OF_LAUNCHER and getattr(options, field.name) != field.default
    ]
    return [f"--{name}" if value is True else f"--{name}={value}" for name, value in given]


class _Bar:
    """Progress bar over the utterances whose shard files are written, whoever writes them."""

    def __init__(self, options: ExtractionOptions, folder: Path, sizes: Sequence[int], left: Sequence[int]):
        from tqdm.auto import tqdm

        self._folder, self._sizes, self._left = folder, sizes, list(left)
        self._looked = 0.0
        self._said: dict[str, str] = {}
        self._bar = tqdm(
            total=sum(sizes),
            initial=sum(sizes) - sum(sizes[shard] for shard in left),
            desc=f"Extracting {options.modality}",
            unit="utt",
            disable=options.quiet or bool(bars_hidden()),
        )

    def see(self, name: str, status: JobStatus) -> None:
        """Says once why a job waits, where something is known of it, and looks for new files."""
        if status.state is JobState.WAITING and status.words and self._said.get(name) != status.words:
            self._said[name] = status.words
            if not self._bar.disable:
                self._bar.write(f"{name}: waiting, {status.words}", file=sys.stderr)
        self.look()

    def look(self, *, now: bool = False) -> None:
        """Looks for new files, at most every half second."""
        if not now and time.monotonic() - self._looked < 0.5:
            return
        self._looked = time.monotonic()
        written = {shard for shard in self._left if (self._folder / shard_name(shard, len(self._sizes))).is_file()}
        self._left = [shard for shard in self._left if shard not in written]
        self._bar.update(sum(self._sizes[shard] for shard in written))

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self.look(now=True)
        self._bar.close()


def _failure(job: Job, status: JobStatus) -> str:
    """A sentence, where a job has ended and not well."""
    if not status.over or (status.state is JobState.ENDED and status.exit_code == 0):
        return ""
    if status.exit_code == RUNS_ELSEWHERE:
        return status.words or f"{job.name} is run by another launcher: {job.log} is locked."
    how = "cancelled" if status.state is JobState.CANCELLED else ""
    if status.exit_code is not None:
        how = exit_words(status.exit_code)
    words = ", ".join(filter(None, [how, status.words])) or "ended without an exit code"
    lines = last_lines(job.log)
    said = next((line for line in reversed(lines) if line.startswith("error: ")), lines[-1] if lines else "")
    return f"{job.name}: {words}; log {job.log}{f': {said}' if said else ''}"
