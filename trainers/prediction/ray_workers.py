"""Workers of ray: Ray Data maps chunks by a class that holds the model."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from iemomecp_dataset.errors import IemomecpError
from iemomecp_dataset.trainers.prediction.plan import read_plan
from iemomecp_dataset.trainers.prediction.work_folder import WorkFolder
from iemomecp_dataset.trainers.prediction.worker import InvalidConversationError, Worker, open_pipeline

__all__ = ["ChunkPredictor", "work_off_on_ray"]

_MOST_BLOCKS = 5000


class ChunkPredictor:
    """Predicts chunks in a process of ray; a batch is the numbers of chunks, and an answer whether they are written.

    Args:
        work: The work folder, on a file system that all nodes see.
        arguments: Those of the pipeline.
        skip_broken: Leave out conversations that the model cannot take.
        folder: The folder that paths are relative to.
    """

    def __init__(self, work: WorkFolder, arguments: Mapping[str, Any], skip_broken: bool, folder: str) -> None:
        os.chdir(folder)
        self._worker = Worker(read_plan(work), work, lambda: open_pipeline(arguments), skip_broken=skip_broken)

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list[Any]]:
        """Predicts the chunks of a batch."""
        errors = []
        for chunk in batch["chunk"]:
            try:
                self._worker.predict(int(chunk))
            except (IemomecpError, InvalidConversationError) as error:
                errors.append(str(error))
            else:
                errors.append("")
        return {"chunk": list(batch["chunk"]), "error": errors}


def work_off_on_ray(
    work: WorkFolder,
    chunks: Sequence[int],
    arguments: Mapping[str, Any],
    *,
    skip_broken: bool,
    workers: int,
    cpus: float,
    gpus: float,
    finished: Callable[[int], None],
) -> dict[int, str]:
    """Predicts chunks by Ray Data, on the ray that is connected to.

    Args:
        work: The work folder.
        chunks: What is not complete yet.
        arguments: Those of the pipeline.
        skip_broken: Leave out conversations that the model cannot take.
        workers: Processes at once, each with the model.
        cpus: Cores of each.
        gpus: GPUs of each; 0.5 puts two on one.
        finished: Called with each chunk that is complete.

    Returns:
        Why a chunk could not be predicted, by chunk.
    """
    import ray.data

    logging.getLogger("ray.data").setLevel(logging.ERROR)  # it would tell how its execution goes, and ends
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    failed: dict[int, str] = {}
    if not chunks:
        return failed
    items = ray.data.from_items(
        [{"chunk": chunk} for chunk in chunks], override_num_blocks=min(len(chunks), _MOST_BLOCKS)
    )
    answers = items.map_batches(
        ChunkPredictor,
        batch_size=1,
        compute=ray.data.ActorPoolStrategy(size=min(workers, len(chunks))),
        num_cpus=cpus,
        num_gpus=gpus or None,
        fn_constructor_kwargs={
            "work": work, "arguments": dict(arguments), "skip_broken": skip_broken, "folder": str(Path.cwd()),
        },
    )  # fmt: skip
    for answer in answers.iter_rows():
        if answer["error"]:
            failed[int(answer["chunk"])] = str(answer["error"])
        else:
            finished(int(answer["chunk"]))
    return failed
