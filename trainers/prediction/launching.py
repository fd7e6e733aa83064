"""Predicts the conversations of large files: plans, works off the chunks here or by jobs, and joins what they give."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iemomecp_dataset.errors import IemomecpError, RunFolderError, UsageError
from iemomecp_dataset.features.encoders.model_loading import stored_model
from iemomecp_dataset.files import file_digest, make_folder, read_json
from iemomecp_dataset.files.locks import hold_folder
from iemomecp_dataset.jobs.job import RUNS_ELSEWHERE, Job, JobState, JobStatus, exit_words
from iemomecp_dataset.jobs.options import BackendOptions, open_backend
from iemomecp_dataset.jobs.process import last_lines
from iemomecp_dataset.jobs.running import run_jobs
from iemomecp_dataset.trainers.pipelines.loading import load_scorer
from iemomecp_dataset.trainers.prediction.chunk_files import is_complete, read_index, remove_damaged
from iemomecp_dataset.trainers.prediction.chunks import chunks_of_shard
from iemomecp_dataset.trainers.prediction.joining import FINISHED, Summary, finish, versions
from iemomecp_dataset.trainers.prediction.plan import Plan, make_plan, read_plan
from iemomecp_dataset.trainers.prediction.work_folder import WorkFolder
from iemomecp_dataset.trainers.prediction.worker import Worker, open_pipeline
from iemomecp_dataset.trainers.sharing.fetching import fetched_model
from iemomecp_dataset.trainers.whole_model import model_digests

if TYPE_CHECKING:
    from tqdm import tqdm

__all__ = ["Places", "Request", "Unfinished", "predict_shard", "predict_streamed", "shard_jobs"]

_MODELS = ("model", "emotion_model", "text_encoder", "emotion_text_encoder", "audio_encoder", "video_encoder")
_TABLES = ("audio", "video")
_ENCODERS = {"model": "text_encoder", "emotion_model": "emotion_text_encoder"}
"""The option that says where the frozen text encoder of a model is, by the model's option."""
_SECONDS_BETWEEN_LOOKS = 1.0


@dataclass(frozen=True)
class Request:
    """What is to be predicted, and where to.

    Attributes:
        files: Files with a conversation on every line or row.
        work: The output and the work folder.
        arguments: Those of the pipeline.
        skip_broken: Leave out what is no conversation, or what the model cannot take.
        progress: Show progress bars.
    """

    files: tuple[Path, ...]
    work: WorkFolder
    arguments: Mapping[str, Any]
    skip_broken: bool = False
    progress: bool = False

    def settings(self) -> dict[str, Any]:
        """What decides the predictions besides the input: options, digests of models and tables, versions.

        Raises:
            IemomecpError: There is no model.
        """
        found: dict[str, Any] = {"--output": f"of the format {self.work.format}"}
        for name, value in self.arguments.items():
            flag = f"--{name.replace('_', '-')}"
            if name == "progress":
                continue
            found[flag] = value if isinstance(value, (int, float, str)) or value is None else str(value)
            if name in _MODELS and value is not None:
                found[f"content of {flag}"] = _model_digest(value, required=name in ("model", "emotion_model"))
            if name in _TABLES and value is not None:
                found[f"content of {flag}"] = _table_digest(Path(value))
        for name, moved in _ENCODERS.items():
            given, elsewhere = self.arguments.get(name), self.arguments.get(moved)
            if given is not None and (encoder := _frozen_encoder(given) if elsewhere is None else str(elsewhere)):
                found[f"content of the frozen text encoder of --{name.replace('_', '-')}"] = _revision(encoder)
        return found | {f"version of {name}": version for name, version in versions().items()}


@dataclass(frozen=True)
class Places:
    """Where shards are worked on.

    Attributes:
        backend: The options of the backend.
        shards: How many shards; None for as many as run at once.
        command: The command of a worker, to which ``--shard I/N`` is added.
        cpus: Cores of a worker, for ray.
        gpus: GPUs of a worker, for ray.
    """

    backend: BackendOptions
    shards: int | None
    command: tuple[str, ...]
    cpus: float = 1.0
    gpus: float = 0.0


@dataclass(frozen=True)
class Unfinished:
    """A prediction that is not complete.

    Attributes:
        missing: Chunks that are not predicted.
        chunks: Chunks in all.
        words: What happened, one line each.
        waiting: Whether jobs in a queue go on with it.
    """

    missing: int
    chunks: int
    words: tuple[str, ...] = field(default=())
    waiting: bool = False


def predict_streamed(request: Request, places: Places | None = None) -> Summary | Unfinished:
    """Predicts the conversations of files that need not fit in memory, or goes on with it.

    Args:
        request: What is to be predicted.
        places: Where shards are worked on; None: all chunks in this process.

    Returns:
        What was predicted; or what is left, where some shard failed or is still in a queue.

    Raises:
        IemomecpError: The input, the model or the place do not suit; or another prediction was begun there.
    """
    work, settings = request.work, request.settings()
    if not work.whole_file:
        finished = _finished_before(request, settings)
        if finished is not None:
            return finished
    with hold_folder(work.path):
        plan = make_plan(request.files, settings, work, skip_broken=request.skip_broken, progress=request.progress)
        make_folder(work.indices)
        for chunk in range(len(plan.sizes)):
            if remove_damaged(work, chunk):
                print(f"warning: {work.chunk(chunk)} is damaged, and is predicted again.", file=sys.stderr)
        if not request.skip_broken:
            _refuse_skipped(plan, work)
        with _bar(plan, work, request.progress) as bar:
            if places is None:
                missing = [chunk for chunk in range(len(plan.sizes)) if not is_complete(work, chunk)]
                _worker(request, plan).work_off(missing, bar.finished)
                left: tuple[str, ...] | None = ()
            elif places.backend.backend == "ray":
                left = _work_off_on_ray(request, plan, places, bar)
            else:
                left = _work_off_by_jobs(request, plan, places, bar)
        missing = [chunk for chunk in range(len(plan.sizes)) if not is_complete(work, chunk)]
        if missing:
            return Unfinished(len(missing), len(plan.sizes), left or (), waiting=left is None)
        return finish(plan, work, skip_broken=request.skip_broken)


def predict_shard(request: Request, shard: int, shards: int) -> int:
    """Works off one shard of a plan that is there.

    Args:
        request: What is to be predicted; its files are those of the plan.
        shard: The shard, counted from 1.
        shards: How many there are.

    Returns:
        Chunks of the shard.

    Raises:
        RunFolderError: There is no plan, or it is of another model or other options.
        IemomecpError: A conversation cannot be predicted.
    """
    plan = read_plan(request.work)
    settings = request.settings()
    for name in sorted({*plan.settings, *settings}):
        if plan.settings.get(name) != settings.get(name):
            raise RunFolderError(
                f"{request.work.path} has a plan with {name} {plan.settings.get(name)!r}, but this worker has "
                f"{settings.get(name)!r}. Start the worker in the same environment, with the same options."
            )
    chunks = chunks_of_shard(plan.keys, shard, shards)
    _worker(request, plan).work_off(chunks)
    return len(chunks)


def shard_jobs(request: Request, places: Places, shards: int) -> list[Job]:
    """The jobs of a prediction, one for each shard.

    Args:
        request: What is to be predicted.
        places: Where.
        shards: How many.
    """
    jobs = []
    for shard in range(1, shards + 1):
        name = f"shard-{shard}-of-{shards}"
        command = (*places.command, "--shard", f"{shard}/{shards}")
        jobs.append(Job(name, command, {}, str(Path.cwd()), request.work.log(name).resolve()))
    return jobs


# --- work ---------------------------------------------------------------------------------------------------------


def _worker(request: Request, plan: Plan) -> Worker:
    return Worker(plan, request.work, lambda: open_pipeline(request.arguments), skip_broken=request.skip_broken)


def _work_off_by_jobs(request: Request, plan: Plan, places: Places, bar: _Bar) -> tuple[str, ...] | None:
    """Runs a job for each shard; gives what failed, or None where jobs wait in a queue without us."""
    options = places.backend
    backend = open_backend(options, request.work.path, cpus=places.cpus, gpus=places.gpus)
    shards = places.shards or backend.places or options.max_parallel
    if not shards:
        raise UsageError("The queue decides how many jobs run at once: give --shards, the number of jobs.")
    # No more jobs than chunks; those of shards that are complete have nothing to do.
    shards = min(shards, len(plan.sizes))
    jobs = [
        job
        for shard, job in enumerate(shard_jobs(request, places, shards), start=1)
        if not all(is_complete(request.work, chunk) for chunk in chunks_of_shard(plan.keys, shard, shards))
    ]
    words: dict[str, str] = {}

    def seen(name: str, status: JobStatus) -> None:
        bar.look()
        if status.over and status.exit_code != 0 and status.exit_code != RUNS_ELSEWHERE:
            words[name] = _failure(name, status, request.work)

    waited = False
    while jobs:
        states = run_jobs(jobs, backend, seen=seen, wait=not options.no_wait)
        if not all(status.over for status in states.values()):
            for name, status in states.items():
                bar.say(f"{name}: {status.state}{f', {status.words}' if status.words else ''}")
            return None
        # Workers of a launcher that was killed go on, and hold their logs: their chunks are waited for.
        jobs = [job for job in jobs if states[job.name].exit_code == RUNS_ELSEWHERE]
        if jobs:
            if not waited:
                bar.say(f"Waiting for {len(jobs)} workers that an earlier launch has left running.")
            waited = True
            time.sleep(_SECONDS_BETWEEN_LOOKS)
            bar.look()
            backend = open_backend(options, request.work.path, cpus=places.cpus, gpus=places.gpus)
    return tuple(words.values())


def _failure(name: str, status: JobStatus, work: WorkFolder) -> str:
    said = status.words
    if status.state is JobState.CANCELLED:
        return f"{name} was cancelled{f' ({said})' if said else ''}."
    if status.exit_code is not None:
        said = ", ".join(filter(None, [exit_words(status.exit_code), said]))
    lines = [f"{name} failed ({said or 'it left no exit code'}). Last lines of {work.log(name)}:"]
    return "\n".join([*lines, *(f"  | {line}" for line in last_lines(work.log(name)))])


def _work_off_on_ray(request: Request, plan: Plan, places: Places, bar: _Bar) -> tuple[str, ...]:
    from iemomecp_dataset.trainers.prediction.ray_workers import work_off_on_ray

    missing = [chunk for chunk in range(len(plan.sizes)) if not is_complete(request.work, chunk)]
    if not missing:
        return ()
    # Ray's own log of this process would remark on standard error how Ray Data starts its workers.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    backend = open_backend(places.backend, request.work.path, cpus=places.cpus, gpus=places.gpus)
    work = WorkFolder(request.work.output.resolve(), request.work.whole_file, request.work.format)
    try:
        failed = work_off_on_ray(
            work,
            missing,
            request.arguments,
            skip_broken=request.skip_broken,
            workers=min(places.shards or backend.places, backend.places),
            cpus=places.cpus,
            gpus=places.gpus,
            finished=bar.finished,
        )
    finally:
        backend.stop()
    # One model and one input: what is wrong with several chunks is mostly the same.
    reasons = list(dict.fromkeys(failed.values()))
    more = (f"and {len(reasons) - 3} reasons more",) if len(reasons) > 3 else ()
    return (*reasons[:3], *more)


# --- progress -----------------------------------------------------------------------------------------------------


class _Bar:
    """Conversations that are predicted, as far as their chunks are complete."""

    def __init__(self, plan: Plan, work: WorkFolder, bar: tqdm[Any]) -> None:
        self._plan = plan
        self._work = work
        self._bar = bar
        self._done: set[int] = set()
        self._looked = 0.0

    def finished(self, chunk: int) -> None:
        """Counts a chunk."""
        if chunk not in self._done:
            self._done.add(chunk)
            self._bar.update(self._plan.sizes[chunk])

    def look(self) -> None:
        """Counts the chunks that workers have completed, once in a while."""
        if time.monotonic() - self._looked < _SECONDS_BETWEEN_LOOKS:
            return
        for entry in os.scandir(self._work.indices):
            number, _, suffix = entry.name.partition(".")
            if suffix == "parquet" and number.isdecimal() and int(number) < len(self._plan.sizes):
                self.finished(int(number))
        self._looked = time.monotonic()

    def say(self, line: str) -> None:
        """Prints a line above the bar."""
        self._bar.write(line, file=sys.stderr)


@contextmanager
def _bar(plan: Plan, work: WorkFolder, shown: bool) -> Iterator[_Bar]:
    from tqdm import tqdm

    with tqdm(total=plan.conversations, desc="Predicting", unit="conversation", leave=False, disable=not shown) as bar:
        found = _Bar(plan, work, bar)
        found.look()
        yield found


def _refuse_skipped(plan: Plan, work: WorkFolder) -> None:
    """Refuses to continue without --skip-broken where conversations were left out with it."""
    for chunk in range(len(plan.sizes)):
        if is_complete(work, chunk):
            table, _ = read_index(work, chunk)
            if skipped := table.num_rows - table["skipped"].null_count:
                raise RunFolderError(
                    f"{work.output} was begun with --skip-broken, and {skipped} conversations of chunk {chunk} were "
                    f"left out. Start the command as before, or remove {work.path} to begin anew."
                )


# --- what a prediction depends on ---------------------------------------------------------------------------------


def _finished_before(request: Request, settings: Mapping[str, Any]) -> Summary | None:
    """What a folder has, where it is complete; refuses one with something else."""
    output = request.work.output
    if not output.exists():
        return None
    if request.work.record.exists():
        return None
    if not (output / FINISHED).exists():
        others = sorted(path.name for path in output.iterdir() if path != request.work.path)
        if others:
            raise UsageError(
                f"--output {output} is a folder with other files ({', '.join(others[:3])}). Name a new or empty folder."
            )
        return None
    try:
        record = read_json(output / FINISHED)
        same = record["settings"] == settings and [
            (source["given"], source["sha256"]) for source in record["sources"]
        ] == [(str(file), file_digest(file)) for file in request.files]
        summary = Summary(record["conversations"], record["pairs"], record["rule"], record["synthetic"])
        summary.skipped = record["skipped"]
        missing = [
            chunk for chunk in range(record["chunks"])
            if not (output / f"chunk-{chunk:05d}.{record['format']}").is_file()
        ]  # fmt: skip
        with_skips = bool(summary.skipped) and not request.skip_broken
    except (IemomecpError, OSError, LookupError, TypeError, ValueError) as error:
        if isinstance(error, IemomecpError) and not isinstance(error, FileNotFoundError):
            raise
        raise UsageError(f"{output / FINISHED} is damaged ({error}). Name another folder.") from None
    if not same:
        raise UsageError(
            f"--output {output} has a finished prediction of other input, another model or other options (see "
            f"{FINISHED} in it). Name another folder."
        )
    if missing:
        raise UsageError(
            f"--output {output} has a finished prediction that lacks {len(missing)} of its chunks (the first: "
            f"chunk-{missing[0]:05d}). Restore them, or name another folder."
        )
    if with_skips:
        raise UsageError(
            f"--output {output} has a finished prediction with --skip-broken, and {summary.skipped} conversations were "
            "left out. Give --skip-broken too, or name another folder."
        )
    return summary


def _model_digest(given: str | Path, *, required: bool) -> str | None:
    """A digest of the files of a model; None for an encoder that is no folder here."""
    if not required and not Path(given).is_dir():
        return None
    folder = fetched_model(given)
    if (folder / "model" / "config.json").is_file():
        folder = folder / "model"
    if required and not (folder / "config.json").is_file():
        load_scorer(given)  # says what is wrong
    return _digest(model_digests(folder).items())


def _frozen_encoder(given: str | Path) -> str | None:
    """The text encoder that a model's configuration names and that is not saved with it."""
    folder = fetched_model(given)
    folder = folder / "model" if (folder / "model" / "config.json").is_file() else folder
    config = read_json(folder / "config.json")
    frozen = isinstance(config, dict) and config.get("text_encoder") is None and config.get("text_size")
    return config.get("text_encoder_name") if frozen else None


def _revision(encoder: str) -> str:
    """Name and revision of an encoder. Those of recordings are compared with training when they are loaded."""
    return f"{encoder} ({stored_model(encoder)[0] or 'not on this disk'})"


def _table_digest(path: Path) -> str | None:
    if path.is_dir():
        return _digest((file.name, file_digest(file)) for file in sorted(path.iterdir()) if file.is_file())
    return file_digest(path) if path.is_file() else None


def _digest(files: Any) -> str:
    whole = hashlib.sha256()
    for name, digest in files:
        whole.update(f"{name}\0{digest}\0".encode())
    return whole.hexdigest()
