"""Slots of this machine."""

from __future__ import annotations

import pytest
from small_jobs import job, until

from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.jobs.job import JobState, JobStatus
from iemomecp_dataset.jobs.local import LocalBackend, cpu_slots, gpu_slots
from iemomecp_dataset.jobs.process import last_lines, start, stop


def test_no_more_jobs_at_once_than_slots_and_slots_are_used_again(tmp_path):
    backend = LocalBackend(cpu_slots(2))
    code = "import os, time; print(repr(os.environ['CUDA_VISIBLE_DEVICES']), os.environ['OMP_NUM_THREADS'])"
    wait = f"{code}\nwhile not os.path.exists('go'): time.sleep(0.02)"
    backend.submit([job(tmp_path, wait, name) for name in "abc"])
    for _ in range(3):
        states = [status.state for status in backend.states().values()]
        assert states == [JobState.RUNNING, JobState.RUNNING, JobState.WAITING]
    (tmp_path / "go").touch()
    until(lambda: all(status.over for status in backend.states().values()))
    assert dict(backend.states()) == {name: JobStatus(JobState.ENDED, 0) for name in "abc"}
    assert all(last_lines(tmp_path / "logs" / f"{name}.log")[-1].startswith("'' ") for name in "abc")


def test_a_job_that_another_launcher_has_left_running_is_waited_for_while_others_run(tmp_path, monkeypatch):
    monkeypatch.setattr("iemomecp_dataset.jobs.local.LOCK_PAUSE", 0.05)
    left = start(job(tmp_path, "import time; time.sleep(60)", "a"))
    backend = LocalBackend(cpu_slots(1))
    backend.submit([job(tmp_path, "print('again')", "a"), job(tmp_path, "print('next')", "b")])
    until(lambda: backend.states()["b"].over)
    assert backend.states()["a"].state is JobState.WAITING
    assert f"started by another launcher; waits for the lock of {tmp_path}" in backend.states()["a"].words
    stop(left)
    until(lambda: backend.states()["a"].over)
    assert backend.states()["a"] == JobStatus(JobState.ENDED, 0)
    assert last_lines(tmp_path / "logs" / "a.log") == ["again"]


@pytest.mark.parametrize("gpus", [[""], ["0", "0"], [], ["0", "x"], ["-1"]])
def test_gpus_without_numbers_are_an_error(gpus):
    with pytest.raises(UsageError, match="--gpus"):
        gpu_slots(gpus)


def test_no_slots_are_an_error():
    with pytest.raises(UsageError, match="--slots"):
        cpu_slots(0)
    with pytest.raises(UsageError, match="--per_gpu"):
        gpu_slots(["0"], 0)
