from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pretended_slurm import PretendedSlurm
from slurm_node import SlurmNode, slurm_node  # noqa: F401  (a fixture)

from iemomecp_dataset.errors import InvalidDataError, MissingDependencyError, TrainingError, UsageError
from iemomecp_dataset.jobs import on_slurm
from iemomecp_dataset.jobs.job import Job, JobState, JobStatus
from iemomecp_dataset.jobs.on_slurm import SlurmBackend, sbatch_script
from iemomecp_dataset.jobs.slurm_queue import QueuedJob
from iemomecp_dataset.jobs.slurm_task import record_file

pytest.importorskip("submitit", reason='submitit is not installed; pip install -e ".[slurm]"')

MINUTES = "minutes=60"


def jobs_in(folder: Path, n: int = 4, *command: str) -> list[Job]:
    return [
        Job(f"cell-{i}", command or ("true", str(i)), {}, str(folder), folder / "logs" / f"cell-{i}.log")
        for i in range(n)
    ]


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PretendedSlurm:
    pretended = PretendedSlurm(tmp_path / "slurm")
    monkeypatch.setenv("PATH", f"{pretended.programs}:{os.environ['PATH']}")
    # Folders of tests lie below /tmp, which is what one of them is about.
    monkeypatch.setattr(on_slurm, "why_not_shared", lambda path, disks=True: "")
    monkeypatch.setattr(on_slurm, "_RECORD_SECONDS", 0.0)
    return pretended


def opened(folder: Path, *values: str, max_parallel: int | None = None) -> SlurmBackend:
    return SlurmBackend(folder, values or (MINUTES,), max_parallel=max_parallel)


def started(folder: Path, jobs: list[Job], *values: str) -> SlurmBackend:
    """A launcher that has submitted."""
    backend = opened(folder, *values)
    backend.submit(jobs)
    return backend


def write_record(job: Job, backend: SlurmBackend, code: int | None, *received: str) -> None:
    token = next(path.stem for path in (backend._place).glob("*.json"))
    content = {"token": token, "exit_code": code, "received": list(received), "seen": False}
    job.log.parent.mkdir(exist_ok=True, parents=True)
    record_file(job.log).write_text(json.dumps(content))


def test_a_list_of_jobs_is_one_array_with_what_was_asked_for(tmp_path, slurm):
    jobs = jobs_in(tmp_path / "runs")
    values = ("partition=gpu", "minutes=90", "gpus_per_node=1", "mem=16G", "setup=module load cuda", "extra_nice=10")
    backend = opened(tmp_path / "runs", *values, max_parallel=2)
    backend.submit(jobs)
    (call,) = slurm.calls("sbatch")
    script = Path(call[-1]).read_text()
    for line in ("--array=0-3%2", "--partition=gpu", "--time=90", "--gpus-per-node=1", "--mem=16G", "--nice=10",
                 "--requeue", "--signal=B:USR2@120"):  # fmt: skip
        assert f"\n#SBATCH {line}\n" in script
    assert "\nmodule load cuda\n" in script
    assert {name: status.state for name, status in backend.states().items()} == dict.fromkeys(
        [job.name for job in jobs], JobState.WAITING
    )
    assert backend.states()["cell-2"].words == "job 100_2, pending: Priority"


def test_a_launcher_that_starts_later_finds_the_jobs_of_the_first(tmp_path, slurm):
    jobs = jobs_in(tmp_path)
    started(tmp_path, jobs)
    slurm.turn(1, "RUNNING")
    later = started(tmp_path, jobs)
    assert len(slurm.calls("sbatch")) == 1
    assert later.states()["cell-1"] == JobStatus(JobState.RUNNING, None, "job 100_1, running")


def test_jobs_that_are_not_in_the_queue_are_submitted_and_the_others_found(tmp_path, slurm):
    jobs = jobs_in(tmp_path)
    started(tmp_path, jobs[:2])
    slurm.turn(0, "CANCELLED")
    later = started(tmp_path, jobs)
    # cell-0 was cancelled, and cell-2 and cell-3 are new.
    assert [job["array"] for job in slurm.queue()] == ["100", "100", "102", "102", "102"]
    assert {name: status.words for name, status in later.states().items()} == {
        "cell-0": "job 102_0, pending: Priority",
        "cell-1": "job 100_1, pending: Priority",
        "cell-2": "job 102_1, pending: Priority",
        "cell-3": "job 102_2, pending: Priority",
    }


def test_a_launcher_killed_between_sbatch_and_its_record_leaves_nothing_to_be_submitted_twice(tmp_path, slurm):
    jobs = jobs_in(tmp_path)
    started(tmp_path, jobs)
    (listed,) = (tmp_path / "logs/slurm").glob("*.json")
    listed.write_text(json.dumps({**json.loads(listed.read_text()), "array": None}))
    stored = sorted((tmp_path / "logs/slurm" / listed.stem).glob("*_submitted.pkl"))
    assert len(stored) == 4
    for file in stored:
        file.unlink()
    later = started(tmp_path, jobs)
    assert len(slurm.calls("sbatch")) == 1
    assert later.states()["cell-3"].words == "job 100_3, pending: Priority"
    # What a job reads at its start is there again.
    assert sorted((tmp_path / "logs/slurm" / listed.stem).glob("*_submitted.pkl")) == stored


def test_a_launcher_killed_before_sbatch_is_followed_by_one_that_waits_and_submits(tmp_path, slurm, monkeypatch):
    jobs = jobs_in(tmp_path)
    columns = {"jobs": [job.name for job in jobs], "logs": [str(job.log) for job in jobs], "commands": [""] * 4}
    folder = tmp_path / "logs/slurm"
    folder.mkdir(parents=True)
    listed = folder / "0123456789ab.json"
    listed.write_text(json.dumps({**columns, "submitted": time.time(), "array": None}))
    monkeypatch.setattr(on_slurm, "_SUBMITTING_SECONDS", 1.0)
    started(tmp_path, jobs)
    assert len(slurm.calls("sbatch")) == 1
    assert len(slurm.calls("squeue")) >= 2
    assert not listed.exists()


def test_a_launcher_killed_while_sbatch_works_is_followed_by_one_that_waits_for_that(tmp_path, slurm):
    slurm.take(1.5)
    launcher = start_launcher(tmp_path, "shared=yes")
    wait_until(lambda: slurm.calls("sbatch"))
    launcher.kill()
    launcher.communicate()
    assert slurm.queue() == []
    later = started(tmp_path, [count_job(tmp_path, i) for i in range(4)])
    assert len(slurm.calls("sbatch")) == 1
    assert later.cancel_command == "scancel 100"
    (listed,) = (tmp_path / "logs/slurm").glob("*.json")
    assert len(list((tmp_path / "logs/slurm" / listed.stem).glob("100_*_submitted.pkl"))) == 4


def test_two_launchers_at_once_submit_once(tmp_path, slurm):
    slurm.take(0.5)
    jobs = jobs_in(tmp_path)
    launchers = [opened(tmp_path), opened(tmp_path)]
    threads = [threading.Thread(target=launcher.submit, args=(jobs,)) for launcher in launchers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert len(slurm.calls("sbatch")) == 1
    assert launchers[0].states() == launchers[1].states()


@pytest.mark.parametrize(
    ("state", "record", "expected"),
    [
        ("COMPLETED", (0,), (JobState.ENDED, 0, "completed")),
        ("FAILED", (2,), (JobState.ENDED, 2, "failed")),
        ("CANCELLED", (143, "SIGTERM"), (JobState.CANCELLED, 143, "continues it")),
        ("CANCELLED", None, (JobState.CANCELLED, None, "continues it")),
        ("TIMEOUT", None, (JobState.CANCELLED, None, "timeout; the same command again continues it")),
        # It ended by itself while it was being cancelled.
        ("CANCELLED", (0, "SIGTERM"), (JobState.ENDED, 0, "cancelled")),
        ("NODE_FAIL", None, (JobState.ENDED, None, "node_fail: it left no exit code")),
        ("OUT_OF_MEMORY", None, (JobState.ENDED, None, "out_of_memory: it left no exit code")),
        ("", (7,), (JobState.ENDED, 7, "job 100_0")),
        ("", (143, "SIGTERM"), (JobState.CANCELLED, 143, "continues it")),
        ("", None, (JobState.ENDED, None, "it left no exit code")),
        ("PENDING", (143, "SIGTERM"), (JobState.WAITING, None, "pending: BeginTime")),  # queued again
        ("COMPLETING", None, (JobState.RUNNING, None, "completing")),
    ],
)
def test_the_state_of_a_job_follows_from_the_queue_and_its_record(tmp_path, slurm, state, record, expected):
    jobs = jobs_in(tmp_path, 2)
    backend = started(tmp_path, jobs)
    if record is not None:
        write_record(jobs[0], backend, *record)
    slurm.turn(0, state, "BeginTime") if state else slurm.forget(0)
    found = backend.states()["cell-0"]
    assert (found.state, found.exit_code) == expected[:2]
    assert expected[2] in found.words


def test_accounts_tell_what_became_of_a_job_that_the_queue_has_forgotten(tmp_path, slurm):
    backend = started(tmp_path, jobs_in(tmp_path, 2))
    slurm.forget(0, 1)
    slurm.answer("sacct", 0, "CANCELLED by 1000")
    assert backend.states()["cell-0"].state is JobState.CANCELLED
    assert slurm.calls("sacct")[0][:5] == ["-n", "-X", "-P", "-j", "100_0"]


def test_a_job_of_that_name_with_another_command_is_not_taken_for_it(tmp_path, slurm):
    started(tmp_path, jobs_in(tmp_path, 2, "train", "--epochs=3"))
    other = jobs_in(tmp_path, 2, "train", "--epochs=4")
    with pytest.raises(UsageError, match=r"cell-0 is in the queue with another command \(--epochs=3\).*scancel 100_0"):
        started(tmp_path, other)
    slurm.turn(0, "CANCELLED")
    slurm.turn(1, "CANCELLED")
    assert started(tmp_path, other).cancel_command == "scancel 102"
    # The program may be another: the environment was made anew.
    assert started(tmp_path, jobs_in(tmp_path, 2, "python", "--epochs=4")).cancel_command == "scancel 102"


@pytest.mark.parametrize("text", ["", "[]", '{"jobs": ["a"], "logs": [], "commands": []}', '{"jobs": 3}'])
def test_a_damaged_list_of_jobs_is_refused_by_name(tmp_path, slurm, text):
    started(tmp_path, jobs_in(tmp_path))
    (listed,) = (tmp_path / "logs/slurm").glob("*.json")
    listed.write_text(text)
    with pytest.raises(InvalidDataError, match=listed.name):
        started(tmp_path, jobs_in(tmp_path))
    assert len(slurm.calls("sbatch")) == 1


@pytest.mark.parametrize("damaged", ["", "{", "[]"])
def test_a_damaged_record_counts_as_none(tmp_path, slurm, damaged):
    jobs = jobs_in(tmp_path, 2)
    backend = started(tmp_path, jobs)
    write_record(jobs[0], backend, 0)
    content = json.loads(record_file(jobs[0].log).read_text())
    record_file(jobs[0].log).write_text(damaged or json.dumps({**content, "exit_code": "0"}))
    slurm.turn(0, "FAILED")
    assert "it left no exit code" in backend.states()["cell-0"].words


def test_a_job_that_failed_without_a_record_while_no_launcher_waited_is_told_once(tmp_path, slurm):
    jobs = jobs_in(tmp_path, 2)
    started(tmp_path, jobs)
    slurm.turn(0, "OUT_OF_MEMORY")
    second = started(tmp_path, jobs[:1])
    assert "out_of_memory: it left no exit code" in second.states()["cell-0"].words
    assert len(slurm.calls("sbatch")) == 1
    assert started(tmp_path, jobs[:1]).states()["cell-0"].state is JobState.WAITING
    assert len(slurm.calls("sbatch")) == 2


def test_other_values_for_jobs_in_the_queue_are_said(tmp_path, slurm, caplog):
    jobs = jobs_in(tmp_path, 2)
    started(tmp_path, jobs, MINUTES, "cpus=99")
    assert caplog.text == ""
    started(tmp_path, jobs, MINUTES)
    assert f"in the queue as it was asked for then (--slurm {MINUTES} cpus=99)" in caplog.text
    assert caplog.text.count("scancel 100_0") == 1
    assert len(slurm.calls("sbatch")) == 1


def test_a_percent_sign_in_the_folder_is_refused(tmp_path, slurm):
    with pytest.raises(UsageError, match="SLURM replaces what follows %"):
        started(tmp_path / "r%A", jobs_in(tmp_path, 1))


def test_the_record_of_an_earlier_submission_does_not_count(tmp_path, slurm):
    jobs = jobs_in(tmp_path, 2)
    backend = started(tmp_path, jobs)
    write_record(jobs[0], backend, 0)
    content = json.loads(record_file(jobs[0].log).read_text())
    record_file(jobs[0].log).write_text(json.dumps({**content, "token": "earlier"}))
    slurm.turn(0, "NODE_FAIL")
    assert backend.states()["cell-0"].exit_code is None


def test_a_job_alone_is_no_array(tmp_path, slurm):
    backend = started(tmp_path, jobs_in(tmp_path, 1))
    assert backend.states()["cell-0"].words == "job 100, pending: Priority"


def test_a_job_that_left_no_exit_code_shows_what_its_script_said(tmp_path, slurm):
    backend = started(tmp_path, jobs_in(tmp_path, 2))
    (folder,) = [path for path in (tmp_path / "logs/slurm").iterdir() if path.is_dir()]
    (folder / "100_0_0_log.out").write_text("this line of setup= failed: module load cuda\n")
    slurm.turn(0, "FAILED", "NonZeroExitCode")
    words = backend.states()["cell-0"].words
    assert "this line of setup= failed: module load cuda" in words
    assert str(folder / "100_0_0_log.out") in words


@pytest.mark.parametrize("code", [0, 2])
def test_the_end_of_a_job_while_no_launcher_waited_is_told_once(tmp_path, slurm, code):
    jobs = jobs_in(tmp_path, 2)
    write_record(jobs[0], started(tmp_path, jobs), code)
    slurm.turn(0, "FAILED" if code else "COMPLETED")
    slurm.turn(1, "COMPLETED")
    second = started(tmp_path, jobs[:1])
    assert second.states()["cell-0"].exit_code == code
    assert len(slurm.calls("sbatch")) == 1
    third = started(tmp_path, jobs[:1])
    assert third.states()["cell-0"].state is JobState.WAITING
    assert len(slurm.calls("sbatch")) == 2


def test_slurm_that_refuses_is_one_sentence_and_nothing_is_left_behind(tmp_path, slurm, capfd):
    slurm.answer("sbatch", 1, "sbatch: error: invalid partition specified: gpuu")
    with pytest.raises(
        UsageError, match=r"SLURM refuses the jobs: invalid partition specified: gpuu. None was submitted"
    ):
        started(tmp_path, jobs_in(tmp_path))
    assert [path.name for path in (tmp_path / "logs/slurm").iterdir()] == [".lock"]
    assert capfd.readouterr().err == ""


def test_a_controller_that_answers_too_late_may_have_taken_the_jobs(tmp_path, slurm, monkeypatch):
    monkeypatch.setattr(on_slurm, "_SUBMITTING_SECONDS", 0.5)
    slurm.answer("sbatch", 1, "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation")
    with pytest.raises(TrainingError, match=r"timed out.*may have taken the jobs"):
        started(tmp_path, jobs_in(tmp_path))
    assert len(list((tmp_path / "logs/slurm").glob("*.json"))) == 1


def test_jobs_that_are_in_the_queue_although_sbatch_failed_are_looked_for(tmp_path, slurm, monkeypatch):
    def taken(names):
        return {(name, 0): QueuedJob("7", 0, "PENDING", "Priority") for name in names}

    slurm.answer("sbatch", 1, "sbatch: error: Zero Bytes were transmitted or received")
    monkeypatch.setattr(on_slurm, "queued_jobs", taken)
    with pytest.raises(TrainingError, match=r"Zero Bytes.*may have taken the jobs"):
        started(tmp_path, jobs_in(tmp_path, 1))
    assert started(tmp_path, jobs_in(tmp_path, 1)).cancel_command == "scancel 7"
    assert len(slurm.calls("sbatch")) == 1


def test_without_an_answer_of_the_queue_nothing_is_submitted(tmp_path, slurm):
    jobs = jobs_in(tmp_path)
    started(tmp_path, jobs)
    slurm.answer("squeue", 1, "slurm_load_jobs error: Unable to contact slurm controller")
    with pytest.raises(TrainingError, match=r"squeue does not answer .*Unable to contact"):
        started(tmp_path, jobs)
    assert len(slurm.calls("sbatch")) == 1


def test_a_queue_that_does_not_answer_for_a_while_ends_no_job(tmp_path, slurm, caplog):
    backend = started(tmp_path, jobs_in(tmp_path))
    slurm.answer("squeue", 1, "slurm_load_jobs error: Unable to contact slurm controller")
    with caplog.at_level(logging.WARNING):
        assert {status.state for status in backend.states().values()} == {JobState.WAITING}
    assert "The jobs go on" in caplog.text


def test_jobs_are_left_to_slurm_with_a_command_that_cancels_them(tmp_path, slurm):
    backend = started(tmp_path, jobs_in(tmp_path, 3))
    assert backend.cancel_command == "scancel 100"
    slurm.turn(1, "CANCELLED")
    backend.states()
    backend.stop()
    assert backend.cancel_command == "scancel 100_0 100_2"
    assert slurm.calls("scancel") == []


def test_more_jobs_than_an_array_may_have_are_refused(tmp_path, slurm):
    slurm.answer("scontrol", 0, "MaxArraySize            = 5")
    with pytest.raises(UsageError, match="6 jobs are more than the 5 that one array of this cluster may have"):
        started(tmp_path, jobs_in(tmp_path, 6))
    assert slurm.calls("sbatch") == []
    started(tmp_path, jobs_in(tmp_path, 5))
    assert len(slurm.calls("sbatch")) == 1


def test_a_folder_that_the_nodes_do_not_see_is_refused(tmp_path, slurm, monkeypatch):
    monkeypatch.setattr(
        on_slurm, "why_not_shared", lambda path, disks=True: "lies below /tmp, which every machine has for itself"
    )
    with pytest.raises(UsageError, match=r"lies below /tmp.*--slurm shared=yes"):
        started(tmp_path, jobs_in(tmp_path))
    assert slurm.calls("sbatch") == []
    started(tmp_path, jobs_in(tmp_path), MINUTES, "shared=yes")
    assert len(slurm.calls("sbatch")) == 1


def test_on_a_cluster_of_this_machine_alone_every_folder_will_do(tmp_path, slurm, monkeypatch):
    monkeypatch.setattr(
        on_slurm, "why_not_shared", lambda path, disks=True: "lies below /tmp, which every machine has for itself"
    )
    slurm.answer("sinfo", 0, os.uname().nodename.partition(".")[0])
    started(tmp_path, jobs_in(tmp_path))
    assert len(slurm.calls("sbatch")) == 1


def test_a_program_below_tmp_is_refused_like_a_folder(tmp_path, slurm, monkeypatch):
    program = tmp_path / "own" / "train.py"
    program.parent.mkdir()
    program.touch()
    monkeypatch.setattr(
        on_slurm, "why_not_shared", lambda path, disks=True: "lies below /tmp" * (path == program and not disks)
    )
    with pytest.raises(UsageError, match=r"own/train\.py lies below"):
        started(tmp_path / "runs", jobs_in(tmp_path / "runs", 2, sys.executable, str(program)))


def test_without_slurm_or_submitit_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match=r"there is no sbatch on this machine's PATH.*login node"):
        opened(tmp_path)
    monkeypatch.setitem(sys.modules, "submitit.slurm.slurm", None)
    with pytest.raises(MissingDependencyError, match=r"submitit.*\[slurm\]"):
        opened(tmp_path)


def test_the_script_of_a_dry_run_is_that_of_the_submission_and_needs_no_slurm(tmp_path, slurm, monkeypatch):
    jobs = jobs_in(tmp_path)
    backend = opened(tmp_path, "minutes=30", "account=lab", max_parallel=3)
    backend.submit(jobs)
    submitted = Path(slurm.calls("sbatch")[0][-1]).read_text()
    (token,) = [path.stem for path in backend._place.glob("*.json")]
    monkeypatch.setenv("PATH", str(tmp_path))
    other = tmp_path / "other"
    shown = sbatch_script(other, ("minutes=30", "account=lab"), jobs, max_parallel=3)
    assert shown.replace("TOKEN", token).replace(str(other), str(tmp_path)) == submitted
    assert not other.exists()


def test_a_launcher_within_a_job_gives_none_of_its_own_settings_to_its_jobs(tmp_path, slurm, monkeypatch):
    seen = tmp_path / "seen"
    program = slurm.programs / "sbatch"
    program.write_text(f"#!/bin/sh\nenv > {seen}\necho Submitted batch job 7\n")
    monkeypatch.setenv("SLURM_JOB_ID", "5")
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "100")
    monkeypatch.setenv("SLURM_CONF", "/etc/slurm.conf")
    monkeypatch.setenv("SBATCH_ACCOUNT", "lab")
    started(tmp_path, jobs_in(tmp_path))
    names = {line.partition("=")[0] for line in seen.read_text().splitlines()}
    assert {"SLURM_CONF", "SBATCH_ACCOUNT"} <= names
    assert not names & {"SLURM_JOB_ID", "SLURM_MEM_PER_NODE"}
    assert os.environ["SLURM_JOB_ID"] == "5"


# On a real node.

COUNT = textwrap.dedent(
    """
    import signal, sys, time
    from pathlib import Path

    file, gate = Path(sys.argv[1]), Path(sys.argv[2])
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(1))
    before = file.read_text() if file.exists() else ""
    file.write_text(before + "started ")
    while not gate.exists() and not stopped:
        time.sleep(0.05)
    time.sleep(0.3 if stopped else 0)  # a checkpoint takes its time
    file.write_text(before + ("stopped " if stopped else "finished"))
    sys.exit(143 if stopped else 0)
    """
)

LAUNCH = textwrap.dedent(
    """
    import os, sys, time
    from pathlib import Path
    from iemomecp_dataset.jobs.job import Job
    from iemomecp_dataset.jobs.on_slurm import SlurmBackend

    folder = Path(sys.argv[1])
    def job(i):
        command = (sys.executable, str(folder / "count.py"), str(folder / f"count-{i}"), str(folder / "gate"))
        return Job(f"count-{i}", command, {}, str(folder), folder / f"logs/count-{i}.log")
    backend = SlurmBackend(folder, ["minutes=5", "warning=60", *sys.argv[2:]])
    backend.submit([job(i) for i in range(4)])
    (folder / f"submitted-{os.getpid()}").touch()
    while not all(status.over for status in backend.states().values()):
        time.sleep(0.2)
    for name, status in backend.states().items():
        print(name, status.state, status.exit_code)
    """
)


def count_job(folder: Path, i: int) -> Job:
    command = (sys.executable, str(folder / "count.py"), str(folder / f"count-{i}"), str(folder / "gate"))
    return Job(f"count-{i}", command, {}, str(folder), folder / f"logs/count-{i}.log")


def start_launcher(folder: Path, *values: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", LAUNCH, str(folder), *values], stdout=subprocess.PIPE, text=True)


def newest_array(node: SlurmNode) -> str:
    return str(max(int(job.partition("_")[0]) for job in node.queue()))


def wait_until(met: Callable[[], object]) -> None:
    over = time.monotonic() + 60
    while not met():
        assert time.monotonic() < over
        time.sleep(0.05)


@pytest.mark.slow
def test_jobs_of_a_node_are_cancelled_requeued_and_warned_and_their_launcher_is_killed(
    tmp_path: Path,
    slurm_node: SlurmNode,  # noqa: F811
):
    (tmp_path / "count.py").write_text(COUNT)
    counts = [tmp_path / f"count-{i}" for i in range(4)]
    first = start_launcher(tmp_path)
    wait_until(lambda: all(count.exists() and "started" in count.read_text() for count in counts))
    first.kill()
    first.communicate()
    # Two others find the jobs.
    launchers = [start_launcher(tmp_path), start_launcher(tmp_path)]
    wait_until(lambda: all((tmp_path / f"submitted-{launcher.pid}").exists() for launcher in launchers))
    array = newest_array(slurm_node)
    slurm_node.ask("scancel", f"{array}_0")
    slurm_node.ask("scontrol", "requeue", f"{array}_1")
    # What SLURM sends before the time limit.
    slurm_node.ask("scancel", "--batch", "--signal=USR2", f"{array}_2")
    wait_until(lambda: [count.read_text() for count in counts] == ["stopped "] * 3 + ["started "])
    slurm_node.start_again(f"{array}_1", f"{array}_2")
    slurm_node.wait_for(f"{array}_1", "RUNNING")
    slurm_node.wait_for(f"{array}_2", "RUNNING")
    (tmp_path / "gate").touch()
    shown = [launcher.communicate(timeout=60)[0] for launcher in launchers]
    assert shown == ["count-0 cancelled 143\ncount-1 ended 0\ncount-2 ended 0\ncount-3 ended 0\n"] * 2
    assert [count.read_text() for count in counts] == ["stopped ", "stopped finished", "stopped finished", "finished"]
    assert newest_array(slurm_node) == array
    # Started again, the cancelled one alone is submitted.
    assert start_launcher(tmp_path).communicate(timeout=60)[0].splitlines()[0] == "count-0 ended 0"
    assert counts[0].read_text() == "stopped finished"


@pytest.mark.slow
def test_a_preempted_job_is_ended_and_continues(tmp_path: Path, slurm_node: SlurmNode):  # noqa: F811
    (tmp_path / "count.py").write_text(COUNT)
    counts = [tmp_path / f"count-{i}" for i in range(4)]
    launcher = start_launcher(tmp_path)
    wait_until(lambda: all(count.exists() and "started" in count.read_text() for count in counts))
    array = newest_array(slurm_node)
    slurm_node.ask("sbatch", "--partition=urgent", "--exclusive", "--output=/dev/null", "--wrap=sleep 1")
    wait_until(lambda: [count.read_text() for count in counts] == ["stopped "] * 4)
    (tmp_path / "gate").touch()
    slurm_node.start_again(*(f"{array}_{i}" for i in range(4)))
    assert "".join(launcher.communicate(timeout=60)[0].split("\n")) == "".join(f"count-{i} ended 0" for i in range(4))
    assert [count.read_text() for count in counts] == ["stopped finished"] * 4


@pytest.mark.slow
def test_a_launcher_ended_by_ctrl_c_leaves_its_jobs(tmp_path: Path, slurm_node: SlurmNode):  # noqa: F811
    (tmp_path / "count.py").write_text(COUNT)
    launcher = start_launcher(tmp_path)
    wait_until(lambda: (tmp_path / "count-3").exists())
    launcher.send_signal(signal.SIGINT)
    launcher.communicate(timeout=30)
    assert "RUNNING" in slurm_node.queue().values()
    (tmp_path / "gate").touch()
    assert start_launcher(tmp_path).communicate(timeout=60)[0].count("ended 0") == 4
