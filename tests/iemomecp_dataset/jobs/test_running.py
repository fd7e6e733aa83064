"""A list of jobs, from submission to the last of them."""

from __future__ import annotations

import pytest
from small_jobs import Queue, job

from iemomecp_dataset.jobs.job import JobState, JobStatus
from iemomecp_dataset.jobs.local import LocalBackend, cpu_slots
from iemomecp_dataset.jobs.running import run_jobs

WAITING, RUNNING = JobStatus(JobState.WAITING), JobStatus(JobState.RUNNING)


def test_a_job_that_fails_does_not_stop_the_others(tmp_path):
    jobs = [job(tmp_path, f"raise SystemExit({i})", f"job{i}") for i in range(3)]
    last = run_jobs(jobs, LocalBackend(cpu_slots(1)), pause=0.02)
    assert {name: status.exit_code for name, status in last.items()} == {"job0": 0, "job1": 1, "job2": 2}


def test_every_state_is_seen_and_the_end_of_a_job_once(tmp_path):
    end, cancelled = JobStatus(JobState.ENDED, 0), JobStatus(JobState.CANCELLED, None, "7 CANCELLED")
    queue = Queue({"a": WAITING, "b": WAITING}, {"a": cancelled, "b": RUNNING}, {"a": cancelled, "b": end})
    seen: list[tuple[str, JobStatus]] = []
    jobs = [job(tmp_path, "", name) for name in "ab"]
    assert run_jobs(jobs, queue, seen=lambda *one: seen.append(one), pause=0) == {"a": cancelled, "b": end}
    assert seen == [("a", WAITING), ("b", WAITING), ("a", cancelled), ("b", RUNNING), ("b", end)]
    assert queue.calls == ["submit a b", "states", "states", "states", "stop"]


def test_without_waiting_jobs_are_submitted_and_looked_at_once(tmp_path):
    queue = Queue({"a": WAITING})
    assert run_jobs([job(tmp_path, "", "a")], queue, wait=False) == {"a": WAITING}
    assert queue.calls == ["submit a", "states", "stop"]


def test_ctrl_c_is_told_before_jobs_are_ended(tmp_path, monkeypatch):
    queue = Queue({"a": RUNNING})

    def ctrl_c(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("iemomecp_dataset.jobs.running.time.sleep", ctrl_c)
    with pytest.raises(KeyboardInterrupt):
        run_jobs([job(tmp_path, "", "a")], queue, interrupted=lambda: queue.calls.append("told"))
    assert queue.calls[-2:] == ["told", "stop"]
