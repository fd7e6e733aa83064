"""Options of where jobs run, checked before anything is started."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from small_jobs import job

from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.jobs.local import LocalBackend
from iemomecp_dataset.jobs.options import BackendOptions, check_backend, open_backend, preview


@pytest.mark.parametrize(
    ("given", "places"),
    [
        ({}, 1),
        ({"slots": 3}, 3),
        ({"gpus": "0,1", "per_gpu": 2}, 4),
        ({"backend": "ray", "slots": 2}, 2),
        ({"backend": "slurm", "slurm": ("minutes=60",)}, None),
        ({"backend": "slurm", "slurm": ("minutes=60",), "max_parallel": 5}, 5),
    ],
)
def test_how_many_jobs_run_at_once(given: dict[str, Any], places: int | None):
    assert check_backend(BackendOptions(**given)) == places


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"backend": "slurm", "slurm": ("partion=gpu",)}, "Did you mean 'partition'?"),
        ({"slurm": ("partition=gpu",)}, "are for --backend slurm"),
        ({"no_wait": True, "backend": "ray"}, "are for --backend slurm"),
        ({"max_parallel": 2}, "are for --backend slurm"),
        ({"ray_address": "auto"}, "are for --backend ray"),
        ({"gpus": "0", "backend": "ray"}, "with --backend ray"),
        ({"slots": 2, "backend": "slurm"}, "with --backend slurm give --slurm gpus_per_node=1 and --max_parallel"),
        ({"gpus": "0", "slots": 2}, "not both"),
        ({"per_gpu": 2}, "--per_gpu 2 needs --gpus"),
        ({"backend": "slurm"}, "needs the time limit of a job"),
    ],
)
def test_options_of_another_backend_are_refused(given: dict[str, Any], message: str, tmp_path):
    with pytest.raises(UsageError, match=message):
        open_backend(BackendOptions(**given), tmp_path)


def test_gpus_of_a_job_are_for_ray(tmp_path):
    with pytest.raises(UsageError, match="are for --backend ray"):
        open_backend(BackendOptions(), tmp_path, gpus=0.5)


def test_the_local_backend_and_its_preview(tmp_path):
    backend = open_backend(BackendOptions(slots=2), tmp_path)
    assert isinstance(backend, LocalBackend)
    assert backend.places == 2
    jobs = [job(tmp_path, f"print({i})", f"job{i}") for i in range(2)]
    shown = preview(BackendOptions(slots=2), tmp_path, jobs)
    assert [shlex.split(line)[1:] for line in shown.splitlines() if line] == [list(one.command) for one in jobs]


def test_the_preview_of_slurm_has_the_commands_and_the_script_of_all(tmp_path):
    pytest.importorskip("submitit")
    jobs = [job(tmp_path, f"print({i})", f"job{i}") for i in range(2)]
    options = BackendOptions(backend="slurm", slurm=("minutes=60", "partition=gpu"), max_parallel=1)
    shown = preview(options, tmp_path, jobs)
    assert shown.count("\n\n$ ") == 1
    assert "#SBATCH --array=0-1%1\n" in shown
    assert "#SBATCH --partition=gpu\n" in shown
    assert not list(tmp_path.iterdir())
