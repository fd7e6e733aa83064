"""Extraction by workers of Ray Data: each holds the encoder and writes the shard files that it is given."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from iemomecp_dataset.errors import IemomecpError, TrainingError, UsageError
from iemomecp_dataset.features.extraction import ShardWriter
from iemomecp_dataset.features.extraction_job_options import ExtractionJobOptions
from iemomecp_dataset.features.extraction_options import ExtractionOptions
from iemomecp_dataset.files.locks import share_folder
from iemomecp_dataset.jobs.on_ray import start_ray

__all__ = ["write_on_ray"]


class _Worker:
    """Writes shard files of one extraction; what is refused travels as a row, since ray shows tracebacks."""

    def __init__(self, options: ExtractionOptions):
        self._writer: ShardWriter | None = None
        self._refused = ""
        try:
            self._writer = ShardWriter(options)
        except IemomecpError as error:
            self._refused = str(error)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Writes the files of a batch of numbers; gives back numbers, utterances and refusals, ``(B,)`` each."""
        counts, refusals = [], []
        for number in batch["shard"].tolist():
            count = 0
            try:
                if self._writer is not None and not self._refused:
                    with share_folder(self._writer.folder):
                        self._writer.claim()
                        count = sum(self._writer.write([number]))
            except IemomecpError as error:
                self._refused = str(error)
            counts.append(count)
            refusals.append(self._refused)
        return {"shard": batch["shard"], "utterances": counts, "refused": refusals}


def write_on_ray(
    options: ExtractionOptions,
    where: ExtractionJobOptions,
    numbers: Sequence[int],
    *,
    workers: int,
    seen: Callable[[], object],
) -> None:
    """Writes shard files by workers of ray. A worker that is lost is replaced, and its file written again.

    Args:
        options: The extraction.
        where: Address of ray, and what a worker requests.
        numbers: Numbers of the shard files.
        workers: Largest number of workers.
        seen: Called after each file.

    Raises:
        MissingDependencyError: Ray is not installed.
        UsageError: A worker refused the extraction, or needs more than ray has.
        TrainingError: Ray cannot be started, or gave up.
    """
    # Ray Data would tell that it begins, shows no bar and ends; ray that it could not replace a lost worker, which it
    # can. A worker that is lost is told all the same.
    os.environ.setdefault("RAY_DATA_LOG_LEVEL", "ERROR")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    has = start_ray(where.ray_address, cpus=max(1, round(workers * where.cpus_per_worker)))
    import ray

    try:
        places = int(has.get("CPU", 0) / where.cpus_per_worker + 1e-9)
        if where.gpus_per_worker:
            places = min(places, int(has.get("GPU", 0) / where.gpus_per_worker + 1e-9))
        if places < 1:
            raise UsageError(
                f"A worker needs {where.cpus_per_worker:g} CPUs and {where.gpus_per_worker:g} GPUs; ray has "
                f"{has.get('CPU', 0):g} and {has.get('GPU', 0):g} in all."
            )
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = context.print_on_execution_start = False
        rows = ray.data.from_items(
            [{"shard": number} for number in numbers], override_num_blocks=len(numbers)
        ).map_batches(
            _Worker,
            fn_constructor_kwargs={"options": _for_workers(options, gpus=where.gpus_per_worker)},
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(size=min(workers, places)),
            num_cpus=where.cpus_per_worker,
            num_gpus=where.gpus_per_worker,
        )
        for row in rows.iter_rows():
            if row["refused"]:
                raise UsageError(row["refused"])
            seen()
    except ray.exceptions.RayError as error:
        said = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise TrainingError(
            f"Ray gave up ({said}). What is written is kept; the same command continues. Its logs: {_log_folder()}"
        ) from None
    finally:
        ray.shutdown()


def _for_workers(options: ExtractionOptions, *, gpus: float) -> ExtractionOptions:
    """The options with whole paths, since a worker may start in another folder; one that asks for no GPU has none."""
    paths: dict[str, Any] = {
        name: str(Path(value).resolve())
        for name in ("data_dir", "output_dir", "media_dir", "times")
        if (value := getattr(options, name))
    }
    if options.model and Path(options.model).is_dir():
        paths["model"] = str(Path(options.model).resolve())
    if options.device == "auto" and not gpus:
        paths["device"] = "cpu"
    return replace(options, **paths, quiet=True)


def _log_folder() -> str:
    import ray

    try:
        return f"{ray._private.worker._global_node.get_logs_dir_path()}"
    except AttributeError:
        return "/tmp/ray/session_latest/logs"
