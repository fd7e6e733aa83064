"""Cells as processes: slots, logs, locks, stopping; with small commands instead of trainings."""

from __future__ import annotations

import errno
import fcntl
import io
import os
import re
import signal
import sys
import time
from pathlib import Path

import pytest

from iemomecp_dataset.benchmark.matrix import launch
from iemomecp_dataset.benchmark.matrix.backends import LocalBackend, _start_here, cpu_slots, gpu_slots
from iemomecp_dataset.benchmark.matrix.cell_process import Job, exit_words, last_lines, start, stop
from iemomecp_dataset.benchmark.matrix.cells import Sweep, cells_of
from iemomecp_dataset.benchmark.matrix.launch import run_cells
from iemomecp_dataset.benchmark.matrix.plan import State, failure_file, log_file, plan_cells
from iemomecp_dataset.benchmark.matrix.state_table import StateTable, epochs_done
from iemomecp_dataset.benchmark.runs.results import read_results
from iemomecp_dataset.errors import RunFolderError, TrainingError, UsageError

ASKED_TO_END = (
    "import time\ntry:\n print('up', flush=True); time.sleep(60)\nexcept KeyboardInterrupt:\n print('ended when asked')"
)
IGNORES_SIGNALS = (
    "import signal, time\nfor s in (2, 15): signal.signal(s, signal.SIG_IGN)\nprint('up', flush=True); time.sleep(60)"
)


@pytest.fixture(autouse=True)
def _interruptible():
    """Restores SIGINT as the launcher does: in the background of a shell script processes start with it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def job(tmp_path: Path, code: str, name: str = "cell") -> Job:
    return Job(name, (sys.executable, "-c", code), {}, str(tmp_path), tmp_path / "logs" / f"{name}.log")


def until(condition, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_output_goes_to_the_log_below_the_command(tmp_path):
    process = start(job(tmp_path, "import sys; print('out'); print('err', file=sys.stderr); print('a\\rb')"))
    assert process.wait() == 0
    log = tmp_path / "logs" / "cell.log"
    assert log.read_text().startswith(f"$ {sys.executable} -c")
    assert sorted(last_lines(log)) == ["b", "err", "out"]
    assert last_lines(tmp_path / "none.log") == []


@pytest.mark.parametrize(
    ("end", "words"),
    [
        ("os.kill(os.getpid(), 9)", "(the trainer was killed by SIGKILL)"),
        ("raise SystemExit('error: no luck')", "(the trainer's exit code: 1)"),
    ],
)
def test_the_trainers_message_is_shown_without_its_launchers_traceback(tmp_path, end, words):
    (tmp_path / "trainer.py").write_text(f"import os\nprint('warming up', flush=True)\n{end}\n")
    launch_it = ("-m", "accelerate.commands.launch", "--cpu", "--num_processes", "1", "--num_machines", "1",
                 "--mixed_precision", "no", "--dynamo_backend", "no")  # fmt: skip
    command = (sys.executable, *launch_it, str(tmp_path / "trainer.py"))
    process = start(Job("cell", command, {}, str(tmp_path), tmp_path / "logs" / "cell.log"))
    assert process.wait() == 1
    log = tmp_path / "logs" / "cell.log"
    assert "Traceback" in log.read_text(), "the log itself has everything"
    lines = last_lines(log)
    assert lines[-1] == words
    assert "warming up" in lines
    assert ("error: no luck" in lines) == ("luck" in end)
    assert not any("Traceback" in line for line in lines)


def test_exit_codes_in_words():
    assert exit_words(-9) == "killed by SIGKILL"
    assert exit_words(1) == "exit code 1"


def test_a_cell_is_run_once_at_a_time_even_when_its_launcher_has_died(tmp_path):
    first = start(job(tmp_path, "import time; time.sleep(60)"))
    with pytest.raises(RunFolderError, match="cell is running already"):
        start(job(tmp_path, "pass"))
    stop(first)
    assert start(job(tmp_path, "pass")).wait() == 0


def test_a_cell_is_run_where_the_file_system_has_no_locks_which_is_said(tmp_path, monkeypatch, caplog):
    def flock(descriptor, how):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", flock)
    assert start(job(tmp_path, "pass")).wait() == 0
    assert "cell.log cannot be locked (No locks available)" in caplog.text


def test_stopping_begins_with_sigint(tmp_path):
    process = start(job(tmp_path, ASKED_TO_END))
    until(lambda: last_lines(tmp_path / "logs" / "cell.log"))
    stop(process)
    assert last_lines(tmp_path / "logs" / "cell.log")[-1].endswith("ended when asked")


def test_a_cell_receives_sigint_even_if_the_process_that_starts_it_blocks_it(tmp_path):
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process = start(job(tmp_path, ASKED_TO_END))
        assert signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    until(lambda: last_lines(tmp_path / "logs" / "cell.log"))
    stop(process)
    assert last_lines(tmp_path / "logs" / "cell.log")[-1].endswith("ended when asked")


def test_stopping_kills_what_ignores_signals(tmp_path):
    process = start(job(tmp_path, IGNORES_SIGNALS))
    until(lambda: last_lines(tmp_path / "logs" / "cell.log"))
    stop(process, patience=0.2)
    assert process.poll() == -9


def test_no_more_cells_at_once_than_slots_and_slots_are_used_again(tmp_path):
    backend = LocalBackend(cpu_slots(2))
    code = "import os; print(repr(os.environ['CUDA_VISIBLE_DEVICES']), os.environ['OMP_NUM_THREADS'])"
    for name in "ab":
        backend.start(job(tmp_path, code, name))
    with pytest.raises(IndexError):
        backend.start(job(tmp_path, code, "c"))
    over: list[tuple[str, int]] = []
    until(lambda: over.extend(backend.ended()) or len(over) == 2)
    assert sorted(over) == [("a", 0), ("b", 0)]
    backend.start(job(tmp_path, code, "c"))
    until(lambda: backend.ended() == [("c", 0)])
    assert last_lines(tmp_path / "logs" / "a.log")[-1].startswith("'' ")


@pytest.mark.parametrize("gpus", [[""], ["0", "0"], [], ["0", "x"], ["-1"]])
def test_gpus_without_numbers_are_an_error(gpus):
    with pytest.raises(UsageError, match="--gpus"):
        gpu_slots(gpus)


def test_no_slots_are_an_error():
    with pytest.raises(UsageError, match="--slots"):
        cpu_slots(0)
    with pytest.raises(UsageError, match="--per_gpu"):
        gpu_slots(["0"], 0)


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
    started: list[str] = []

    def waiting(cell, runs_dir):
        started.append(cell.name)
        return job(tmp_path, ASKED_TO_END, cell.name)

    monkeypatch.setattr(launch, "job_of", waiting)

    def ctrl_c(seconds):
        if all(last_lines(tmp_path / "logs" / f"{name}.log") for name in started):
            raise KeyboardInterrupt

    monkeypatch.setattr(launch.time, "sleep", ctrl_c)
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


class SlowRay:
    """Replaces ray; its start times out ``failures`` times."""

    def __init__(self, failures: int):
        self.failures, self.calls = failures, []

    def init(self, **options):
        self.calls.append(options["num_cpus"])
        if self.calls.count(options["num_cpus"]) <= self.failures:
            raise Exception("The current node timed out during startup.")

    def shutdown(self):
        self.calls.append("shutdown")


def test_ray_is_started_twice_at_most_and_then_the_error_gives_the_remedy():
    ray = SlowRay(1)
    _start_here(ray, 2, {})
    assert ray.calls == [2, "shutdown", 2]
    with pytest.raises(TrainingError, match=r"timed out during startup\. .* or use --backend local"):
        _start_here(SlowRay(2), 2, {})
