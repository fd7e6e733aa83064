"""Cells as jobs: states, failures, interruptions; with small commands instead of trainings."""

from __future__ import annotations

import io
import re
import signal
import sys

import pytest
from small_jobs import ASKED_TO_END, Queue, job

from iemomecp_dataset.benchmark.matrix import launch
from iemomecp_dataset.benchmark.matrix.cells import Sweep, cells_of
from iemomecp_dataset.benchmark.matrix.launch import run_cells
from iemomecp_dataset.benchmark.matrix.plan import State, failure_file, log_file, plan_cells
from iemomecp_dataset.benchmark.matrix.state_table import StateTable, epochs_done
from iemomecp_dataset.benchmark.runs.results import read_results
from iemomecp_dataset.jobs import running
from iemomecp_dataset.jobs.job import Job, JobState, JobStatus
from iemomecp_dataset.jobs.local import LocalBackend, cpu_slots
from iemomecp_dataset.jobs.process import last_lines


@pytest.fixture(autouse=True)
def _interruptible():
    """Restores SIGINT as the launcher does: in the background of a shell script processes start with it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(name="matrix")
def fixture_matrix(tmp_path, monkeypatch, write_run):
    """Four cells replaced by small scripts: the first fails, the others copy a finished run."""
    runs = tmp_path / "runs"
    cells = cells_of(Sweep(values={"data_dir": ("d",), "objective": ("base", "rpcl")}, seeds=(1, 2)))
    write_run(tmp_path / "model", n_dialogues=6)
    copy = "import shutil, sys; shutil.copytree(sys.argv[1], sys.argv[2])"

    def small(cell, runs_dir):
        command = (sys.executable, "-c", copy, str(tmp_path / "model"), str(runs_dir / cell.name))
        if cell.name.endswith("base-t-s1"):
            command = (sys.executable, "-c", "print('warming up'); raise SystemExit('error: no luck')")
        return Job(cell.name, command, {}, str(tmp_path), log_file(runs_dir, cell.name))

    monkeypatch.setattr(launch, "job_of", small)
    return runs, plan_cells(cells, runs, lambda _: {})


def test_a_failed_cell_does_not_stop_the_others_and_its_last_lines_are_shown(matrix):
    runs, planned = matrix
    shown = io.StringIO()
    outcome = run_cells(planned, runs, LocalBackend(cpu_slots(2)), StateTable(planned, shown), pause=0.02)
    assert outcome.names(State.FAILED) == ["3class-dialogue-base-t-s1"]
    assert len(outcome.names(State.FINISHED)) == len(outcome.finished) == 3
    assert "  | warming up\n  | error: no luck\n" in shown.getvalue()
    assert "exit_code" in failure_file(runs, "3class-dialogue-base-t-s1").read_text()
    score = read_results(runs / "3class-dialogue-rpcl-t-s1").metrics["test"]["pair_f1"]
    assert re.search(rf"rpcl-t-s1: finished \(Pair F1 {100 * score:.2f}, \d+ s\)", shown.getvalue())
    assert "\x1b" not in shown.getvalue(), "no control characters outside a terminal"


def test_a_cell_that_ends_without_results_has_failed(matrix, monkeypatch, tmp_path):
    runs, planned = matrix
    monkeypatch.setattr(launch, "job_of", lambda cell, runs_dir: job(tmp_path, "pass", cell.name))
    outcome = run_cells(planned, runs, LocalBackend(cpu_slots(2)), StateTable(planned, io.StringIO()), pause=0.02)
    assert len(outcome.names(State.FAILED)) == 4
    assert "results.json is not there" in outcome.states["3class-dialogue-base-t-s1"][1]


def test_a_cell_that_stops_before_its_end_is_to_be_continued(matrix, monkeypatch, tmp_path):
    runs, planned = matrix
    epoch = "import pathlib, sys; pathlib.Path(sys.argv[1], 'checkpoint', 'epoch-0001').mkdir(parents=True)"

    def early(cell, runs_dir):
        command = (sys.executable, "-c", epoch, str(runs_dir / cell.name))
        return Job(cell.name, command, {}, str(tmp_path), log_file(runs_dir, cell.name))

    monkeypatch.setattr(launch, "job_of", early)
    outcome = run_cells(planned, runs, LocalBackend(cpu_slots(2)), StateTable(planned, io.StringIO()), pause=0.02)
    assert len(outcome.names(State.INTERRUPTED)) == 4
    assert not any(failure_file(runs, name).exists() for name in outcome.states)


def test_on_a_terminal_the_table_is_redrawn_and_fits(matrix, monkeypatch):
    runs, planned = matrix
    # Not the function itself: the test runner asks it too.
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("LINES", "5")
    shown = io.StringIO()
    table = StateTable(planned, shown, live=True)
    run_cells(planned, runs, LocalBackend(cpu_slots(1)), table, pause=0.02)
    frames = shown.getvalue().split("\x1b[J")
    assert len(frames) > 5
    last = frames[-1].replace("\x1b[K", "").splitlines()
    assert last[-1] == "4 cells: 3 finished, 1 failed"
    assert all(len(line) < 40 for line in last if "|" not in line)


def test_ctrl_c_ends_running_cells_and_prints_how_to_continue(matrix, monkeypatch, tmp_path):
    runs, planned = matrix
    monkeypatch.setattr(launch, "job_of", lambda cell, runs_dir: job(tmp_path, ASKED_TO_END, cell.name))
    started: list[str] = []

    def ctrl_c(seconds):
        started[:] = [name for name, cell in table.states.items() if cell.state is State.RUNNING]
        if all(last_lines(tmp_path / "logs" / f"{name}.log") for name in started):
            raise KeyboardInterrupt

    monkeypatch.setattr(running.time, "sleep", ctrl_c)
    shown = io.StringIO()
    table = StateTable(planned, shown)
    backend = LocalBackend(cpu_slots(2))
    real_stop = backend.stop

    def stop_with_real_sleep():
        monkeypatch.undo()
        real_stop()

    backend.stop = stop_with_real_sleep
    outcome = run_cells(planned, runs, backend, table)
    assert outcome.interrupted
    assert len(outcome.names(State.INTERRUPTED)) == 2
    assert len(outcome.names(State.NEW)) == 2
    for name in started:
        assert last_lines(tmp_path / "logs" / f"{name}.log")[-1].endswith("ended when asked")
        assert not failure_file(runs, name).exists(), "interrupted is not failed"


def test_epochs_are_read_from_a_log_that_is_being_written(tmp_path):
    assert epochs_done(tmp_path) == 0
    (tmp_path / "log.jsonl").write_text('{"event": "start"}\n{"epoch": 1}\n{"epoch": 2}\n{"epo')
    assert epochs_done(tmp_path) == 2


def in_queue(planned, *states):
    """One poll: a state for each cell, the last for those that are left."""
    names = [entry.cell.name for entry in planned]
    return dict(zip(names, [*states, *[states[-1]] * (len(names) - len(states))], strict=True))


def test_cells_in_a_queue_are_shown_with_its_words_and_without_waiting_they_go_on(matrix):
    runs, planned = matrix
    shown = io.StringIO()
    running = JobStatus(JobState.RUNNING, words="SLURM 12_0 on node1")
    queue = Queue(in_queue(planned, running, JobStatus(JobState.WAITING, words="SLURM 12_1 PENDING (Resources)")))
    outcome = run_cells(planned, runs, queue, StateTable(planned, shown), wait=False)
    assert not outcome.interrupted
    assert len(outcome.names(State.WAITING)) == 3
    most = planned[0].cell.options.optimization.epochs
    assert f"base-t-s1: running (epoch 0 of at most {most}, SLURM 12_0 on node1)\n" in shown.getvalue()
    assert "rpcl-t-s2: waiting (SLURM 12_1 PENDING (Resources))\n" in shown.getvalue()


def test_a_cell_that_was_cancelled_or_lost_is_told_from_one_that_failed(matrix):
    runs, planned = matrix
    shown = io.StringIO()
    failure_file(runs, planned[0].cell.name).parent.mkdir(parents=True)
    states = (
        JobStatus(JobState.CANCELLED, words="SLURM 12_0 CANCELLED"),
        JobStatus(JobState.ENDED, None, "SLURM 12_1 NODE_FAIL"),
        JobStatus(JobState.ENDED, None),
        JobStatus(JobState.ENDED, 1, "SLURM 12_3 on node1"),
    )
    outcome = run_cells(planned, runs, Queue(in_queue(planned, *states)), StateTable(planned, shown))
    first, *others = [entry.cell.name for entry in planned]
    assert outcome.states[first] == (State.INTERRUPTED, "SLURM 12_0 CANCELLED")
    assert not failure_file(runs, first).exists()
    words = ["SLURM 12_1 NODE_FAIL", "it left no exit code", "exit code 1, SLURM 12_3 on node1"]
    assert [outcome.states[name] for name in others] == [(State.FAILED, text) for text in words]
    assert f"{others[0]} failed (SLURM 12_1 NODE_FAIL). Last lines of {log_file(runs, others[0])}:" in shown.getvalue()
    assert plan_cells([planned[1].cell], runs, lambda _: {})[0].state is State.FAILED
    assert shown.getvalue().splitlines()[-1] == "4 cells: 3 failed, 1 interrupted"


def test_after_ctrl_c_cells_of_a_queue_keep_their_states(matrix, monkeypatch):
    runs, planned = matrix

    def ctrl_c(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(running.time, "sleep", ctrl_c)
    shown = io.StringIO()
    outcome = run_cells(
        planned, runs, Queue(in_queue(planned, JobStatus(JobState.RUNNING))), StateTable(planned, shown)
    )
    assert outcome.interrupted
    assert len(outcome.names(State.RUNNING)) == 4
    assert "ending" not in shown.getvalue()
