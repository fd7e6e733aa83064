"""Where an extraction runs, and in how many jobs, as options."""

from __future__ import annotations

from dataclasses import dataclass, fields

from iemomecp_dataset.command_line import option
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.jobs.options import BackendOptions, check_backend

__all__ = ["ExtractionJobOptions"]


@dataclass(frozen=True)
class ExtractionJobOptions(BackendOptions):
    """Where an extraction runs, and in how many jobs."""

    shards: int | None = option(
        None,
        "jobs that share the extraction; no byte of the store depends on their number (default: as many as run at "
        "once)",
        minimum=1,
        limit=10_000,
        group="where",
        setting=False,
    )
    gpus_per_worker: float = option(
        0.0, "ray: GPUs that a worker requests, such as 0.5", minimum=0, limit=1e6, group="where", setting=False
    )
    cpus_per_worker: float = option(
        1.0, "ray: cores that a worker requests", above=0, limit=1e6, group="where", setting=False
    )

    @property
    def asked_for(self) -> bool:
        """Whether any of them is given, so that jobs are started at all."""
        return any(getattr(self, field.name) != field.default for field in fields(self))

    def number(self) -> int:
        """Number of jobs.

        Raises:
            UsageError: Options contradict each other, or the number is not known.
        """
        places = check_backend(self, gpus=self.gpus_per_worker, gpus_option="--gpus_per_worker")
        if self.backend != "ray" and self.cpus_per_worker != 1.0:
            raise UsageError("--cpus_per_worker is for --backend ray.")
        if self.shards is None and places is None:
            raise UsageError("Give --shards, the number of jobs that share the extraction.")
        return self.shards or places or 1
