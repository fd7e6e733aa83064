"""Makes the job of a cell: the command that trains it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from iemomecp_dataset.benchmark.matrix.cells import MatrixCell
from iemomecp_dataset.benchmark.matrix.plan import log_file
from iemomecp_dataset.jobs.job import Job

__all__ = ["job_of"]


def job_of(cell: MatrixCell, runs_dir: Path, environment: Mapping[str, str] | None = None) -> Job:
    """Builds a cell's command.

    Args:
        cell: The cell.
        runs_dir: Folder of the run folders.
        environment: Variables to add.

    Returns:
        ``accelerate launch trainers/<family>.py`` with the cell's flags, run by this Python.
    """
    import iemomecp_dataset.trainers

    script = Path(str(iemomecp_dataset.trainers.__file__)).parent / f"{cell.family}.py"
    launcher = ("-m", "accelerate.commands.launch", "--num_processes", "1", "--num_machines", "1",
                "--mixed_precision", "no", "--dynamo_backend", "no")  # fmt: skip
    return Job(
        cell.name,
        (sys.executable, *launcher, str(script), *cell.flags(runs_dir)),
        dict(environment or {}),
        str(Path.cwd()),
        log_file(runs_dir, cell.name).resolve(),
    )
