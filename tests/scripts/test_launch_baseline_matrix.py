"""The matrix as a user starts it: both backends, a cell killed half-way, interrupted, resumed; equal results."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import forked_python
import pyarrow.parquet as pq
import pytest
import yaml
from corpus_files import ecf_text, write
from small_jobs import Queue

from iemomecp_dataset.commands.matrix import main
from iemomecp_dataset.installation import pip_arguments
from iemomecp_dataset.jobs.job import JobState, JobStatus

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "launch_baseline_matrix.py"
SMALL = {
    "hidden_size": 16, "num_heads": 2, "num_layers": 1, "pair_size": 8, "bilinear_size": 4, "epochs": 4, "patience": 4,
    "batch_size": 16, "max_tokens": 24,
}  # fmt: skip
CELLS = [f"3class-dialogue-{objective}-t-s{seed}" for objective in ("base", "rpcl") for seed in (1, 2)]


def begin(*arguments: object) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    command = [forked_python.executable(), str(SCRIPT), *map(str, arguments)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(*arguments: object, timeout: float = 900) -> subprocess.CompletedProcess[str]:
    process = begin(*arguments)
    out, err = process.communicate(timeout=timeout)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


@pytest.fixture(name="matrix", scope="module")
def fixture_matrix(synthetic_dir, tiny_encoder):
    """The arguments of four tiny cells."""
    options = {"data_dir": synthetic_dir, "text_encoder": tiny_encoder, **SMALL}
    flags = [part for name, value in options.items() for part in (f"--{name}", value)]
    return [*flags, "--objectives", "base", "rpcl", "--seeds", 1, 2, "--slots", 2]


def wait_for_epoch(runs: Path, process: subprocess.Popen[str], name: str = "*") -> Path:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()[1]
        for log in runs.glob(f"{name}/log.jsonl"):
            if "epoch" in log.read_text():
                return log.parent
        time.sleep(0.02)
    raise AssertionError("no epoch was logged")


def processes_of(folder: Path) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes().split(b"\0")
            # Only processes that are the cell's own: its launcher names the runs folder, not the cell.
            if f"--output_dir={folder}".encode() in words:
                found.append(int(entry.name))
    return found


def predictions(runs: Path) -> dict[str, object]:
    return {
        f"{name}/{split}": pq.read_table(runs / name / f"predictions_{split}.parquet")
        for name in CELLS
        for split in ("validation", "test")
    }


def weights(runs: Path) -> dict[str, bytes]:
    return {name: (runs / name / "model" / "model.safetensors").read_bytes() for name in CELLS}


def metrics(runs: Path) -> dict[str, object]:
    records = {name: json.loads((runs / name / "results.json").read_text()) for name in CELLS}
    return {name: (record["metrics"], record["structural_baselines"]) for name, record in records.items()}


@pytest.fixture(name="local_runs", scope="module")
def fixture_local_runs(matrix, tmp_path_factory):
    """The matrix on local slots, nothing in its way."""
    runs = tmp_path_factory.mktemp("local") / "runs"
    done = run(*matrix, "--runs_dir", runs)
    assert done.returncode == 0, done.stderr
    return runs, done


def test_help_says_everything_at_once():
    done = run("--help")
    assert done.returncode == 0
    for option in ("EXPERIMENT", "--families", "--scorers", "--objectives", "--modalities", "--config_names", "--seeds",
                   "--runs_dir", "--backend", "--gpus", "--per_gpu", "--slots", "--ray_address", "--gpus_per_cell",
                   "--dry_run", "--retry_failed"):  # fmt: skip
        assert option in done.stdout


def test_a_dry_run_starts_nothing(matrix, tmp_path):
    done = run(*matrix, "--runs_dir", tmp_path / "runs", "--scorers", "dialogue", "isolated", "--dry_run")
    assert done.returncode == 0, done.stderr
    states = [line.split()[:2] for line in done.stdout.splitlines() if line.startswith("3class-")]
    assert states == [
        *([name, "new"] for name in CELLS),
        *([f"3class-isolated-base-t-s{seed}", "new"] for seed in (1, 2)),
        *([f"3class-isolated-rpcl-t-s{seed}", "impossible"] for seed in (1, 2)),
    ]
    assert "8 cells, 6 to run, 2 at once. No finished run has comparable settings" in done.stdout
    assert done.stdout.count("accelerate.commands.launch") == 6
    assert not (tmp_path / "runs").exists()


def test_data_that_folders_of_the_matrix_share_is_said(tmp_path, capsys):
    for number, file in ((1, "train.txt"), (5, "test.txt")):
        write(tmp_path / file, ecf_text(number).replace("It stopped .", "It stopped this morning ."))
    arguments = [
        "--data_dir",
        str(tmp_path),
        "--config_names",
        "ecf",
        "--runs_dir",
        str(tmp_path / "runs"),
        "--dry_run",
    ]
    assert main(arguments) == 0
    assert "warning: at least 1 dialogues of ecf/test hold text of ecf/train" in capsys.readouterr().err


@pytest.mark.parametrize("interrupted", [False, True])
def test_cells_in_a_queue_go_on_and_how_to_see_and_cancel_them_is_said(interrupted, tmp_path, monkeypatch, capsys):
    for file in ("train.txt", "test.txt"):
        write(tmp_path / file, ecf_text(5 if file == "test.txt" else 1))
    arguments = [
        "--data_dir", str(tmp_path), "--config_names", "ecf", "--runs_dir", str(tmp_path / "runs"),
        "--backend", "slurm", "--slurm", "partition=gpu", "minutes=60", *(["--no_wait"] * (not interrupted)),
    ]  # fmt: skip
    queue = Queue({"ecf-dialogue-base-t-s42": JobStatus(JobState.WAITING, words="SLURM 12_0 PENDING (Resources)")})
    monkeypatch.setattr("iemomecp_dataset.commands.matrix.open_backend", lambda *args, **kwargs: queue)

    def ctrl_c(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr("iemomecp_dataset.jobs.running.time.sleep", ctrl_c)
    handlers = [(how, signal.getsignal(how)) for how in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    try:
        assert main(arguments) == (130 if interrupted else 0)
    finally:
        for how, handler in handlers:
            signal.signal(how, handler)
    shown = capsys.readouterr().err
    assert "ecf-dialogue-base-t-s42: waiting (SLURM 12_0 PENDING (Resources))" in shown
    assert shown.endswith(
        f"{'Interrupted. ' * interrupted}1 cell waits or runs in the queue, and goes on without this launcher. Start "
        "the same command again to see the states and wait for the results, or with --no_wait to see the states alone. "
        "To cancel: scancel 12\n"
    )


def test_an_experiment_file_gives_the_cells(synthetic_dir, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({"objective": "rpcl", "seeds": [3, 4], "published": {"pair_f1": 1}, "epochs": 2}))
    done = run(path, "--data_dir", f"3class={synthetic_dir}", "--runs_dir", tmp_path / "r", "--dry_run", "--seeds", 5)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("mine-s5  new")
    assert "--epochs=2" in done.stdout


def test_a_pattern_gives_the_cells_of_all_matching_experiments(synthetic_dir, tmp_path):
    done = run("iemomecp_3class_[cw]*", "--data_dir", synthetic_dir, "--runs_dir", tmp_path / "r", "--dry_run")
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines() if line.startswith("iemomecp")] == [
        f"iemomecp_3class_{system}-s{seed}" for system in ("clip", "wavlm") for seed in (42, 123, 456)
    ]
    assert done.stdout.count("--modalities=v") == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--objectives", "rpl"], "--objectives has no value 'rpl'. Did you mean 'rpcl'?"),
        (
            ["--families", "fusion", "ecerc", "--objectives", "rpcl"],
            "--objectives are losses of pairs, but ecerc of --families learns emotions.",
        ),
        (["--learning_rat", "1"], "There is no option 'learning_rat'. Did you mean 'learning_rate' or 'encoder_"),
        (["nowhere.yaml"], "There is no experiment file nowhere.yaml"),
        (["ecf_rpcl"], "Did you mean 'ecf_rpcl_t"),
        (["--data_dir", "/nowhere"], "/nowhere"),
        ([], "--data_dir is missing"),
        (["--learning_rate", "1", "--learning_rate", "2"], "--learning_rate is given twice"),
    ],
)
def test_mistakes_are_one_clear_error(arguments, message, tmp_path):
    if "--data_dir" not in arguments and arguments:
        arguments = [*arguments, "--data_dir", tmp_path]
    done = run(*arguments, "--runs_dir", tmp_path / "runs", "--dry_run")
    assert done.returncode in (1, 2)
    assert message in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_matrix_runs_and_ends_with_its_table(local_runs, matrix):
    runs, done = local_runs
    for name in CELLS:
        assert f"{name}: finished (Pair F1" in done.stderr
        assert "accelerate.commands.launch" in (runs / "logs" / f"{name}.log").read_text()
    assert "Base T" in done.stdout
    assert "RPCL T" in done.stdout
    assert f"python scripts/report.py {runs}" in done.stdout

    before = {path: path.stat().st_mtime_ns for path in runs.rglob("*")}
    again = run(*matrix, "--runs_dir", runs)
    assert again.returncode == 0
    assert again.stdout == done.stdout
    assert {path: path.stat().st_mtime_ns for path in runs.rglob("*")} == before, "nothing is run twice"

    more = run(*matrix, "--runs_dir", runs, "--seeds", 1, 7, "--dry_run")
    assert "2 to run" in more.stdout
    assert "Training time of 2 of them by finished runs like them: about" in more.stdout

    other = run(*matrix, "--runs_dir", runs, "--dropout", 0.1)
    assert other.returncode == 1
    assert "already holds another run: dropout is 0.4 there and 0.1 here" in other.stderr


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["local", "ray"])
def test_a_killed_cell_fails_alone_an_interrupted_one_continues_and_both_end_in_the_same_bits(
    backend, local_runs, matrix, tmp_path
):
    if backend == "ray":
        pytest.importorskip("ray", reason=f"ray is not installed: pip install {pip_arguments('cluster')}")
    runs = tmp_path / "runs"
    launcher = begin(*matrix, "--runs_dir", runs, "--backend", backend)
    killed = wait_for_epoch(runs, launcher)
    for process in processes_of(killed):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    # The other slot goes on, and the free one takes the next cell.
    last = runs / CELLS[2]
    wait_for_epoch(runs, launcher, last.name)
    launcher.send_signal(signal.SIGINT)
    _, err = launcher.communicate(timeout=120)
    assert launcher.returncode == 130, err
    # Its own last word: it ended when it was asked, and was not killed.
    assert "\ninterrupted\n" in (runs / "logs" / f"{last.name}.log").read_text()
    assert f"{killed.name} failed (killed by SIGKILL). Last lines of {runs / 'logs' / killed.name}.log:\n  | " in err
    assert re.search(rf"^not finished: .*{killed.name}: failed", err, flags=re.M)
    assert "Start the same command again to continue" in err
    # The log of the killed cell is quoted; one of its processes may have noticed that another was gone.
    assert "Traceback" not in "\n".join(line for line in err.splitlines() if not line.startswith("  | "))
    # A cell's process may take a moment longer than its launcher to leave, on a loaded machine.
    deadline = time.monotonic() + 20
    while any(processes_of(runs / name) for name in CELLS) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert [processes_of(runs / name) for name in CELLS] == [[]] * 4
    assert not (killed / "results.json").exists()
    waiting = run(*matrix, "--runs_dir", runs, "--dry_run")
    assert f"{killed.name}  failed          It failed before (killed by SIGKILL)" in waiting.stdout
    assert f"{last.name}  to be continued" in waiting.stdout
    done = run(*matrix, "--runs_dir", runs, "--backend", backend, "--retry_failed")
    assert done.returncode == 0, done.stderr
    assert weights(runs) == weights(local_runs[0])
    assert predictions(runs) == predictions(local_runs[0])
    assert metrics(runs) == metrics(local_runs[0])
