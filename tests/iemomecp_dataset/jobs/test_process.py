"""Jobs as processes: logs, locks, signals."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import sys

import pytest
from small_jobs import ASKED_TO_END, IGNORES_SIGNALS, job, until

from iemomecp_dataset.errors import RunFolderError
from iemomecp_dataset.jobs.job import Job, exit_words
from iemomecp_dataset.jobs.process import last_lines, start, stop


@pytest.fixture(autouse=True)
def _interruptible():
    """Restores SIGINT as the launcher does: in the background of a shell script processes start with it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


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


def test_a_job_is_run_once_at_a_time_even_when_its_launcher_has_died(tmp_path):
    first = start(job(tmp_path, "import time; time.sleep(60)"))
    with pytest.raises(RunFolderError, match="cell is running already"):
        start(job(tmp_path, "pass"))
    stop(first)
    assert start(job(tmp_path, "pass")).wait() == 0


def test_a_job_is_run_where_the_file_system_has_no_locks_which_is_said(tmp_path, monkeypatch, caplog):
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


def test_a_job_receives_sigint_even_if_the_process_that_starts_it_blocks_it(tmp_path):
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


def test_exit_codes_in_words():
    assert exit_words(-9) == "killed by SIGKILL"
    assert exit_words(1) == "exit code 1"
