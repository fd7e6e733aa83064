"""A matrix on a SLURM node: cells cancelled and queued again, the launcher killed; the same bits as on local slots."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import forked_python
import pytest
from slurm_node import SlurmNode, slurm_node  # noqa: F401  (a fixture)

pytest.importorskip("submitit", reason='submitit is not installed; pip install -e ".[slurm]"')

SCRIPT = Path(__file__).resolve().parents[3] / "scripts" / "launch_baseline_matrix.py"
SMALL = {
    "hidden_size": 16, "num_heads": 2, "num_layers": 1, "pair_size": 8, "bilinear_size": 4, "epochs": 5, "patience": 5,
    "batch_size": 4, "max_tokens": 24,
}  # fmt: skip
CELLS = [f"3class-dialogue-{objective}-t-s{seed}" for objective in ("base", "rpcl") for seed in (1, 2)]


def begin(*arguments: object) -> subprocess.Popen[str]:
    command = [forked_python.executable(), str(SCRIPT), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_until(met: Callable[[], object]) -> None:
    over = time.monotonic() + 120
    while not met():
        assert time.monotonic() < over
        time.sleep(0.02)


def trains(folder: Path) -> bool:
    """Whether a cell has ended an epoch and not its last."""
    log = folder / "log.jsonl"
    return log.exists() and "epoch" in log.read_text() and not (folder / "results.json").exists()


def outputs(runs: Path) -> dict[str, bytes]:
    files = ("model/model.safetensors", "predictions_validation.parquet", "predictions_test.parquet")
    return {f"{cell}/{file}": (runs / cell / file).read_bytes() for cell in CELLS for file in files}


@pytest.mark.slow
def test_cells_that_are_cancelled_and_queued_again_end_in_the_bits_of_local_ones(
    tmp_path: Path,
    small_dir: Path,
    tiny_encoder: Path,
    slurm_node: SlurmNode,  # noqa: F811
):
    options = {"data_dir": small_dir, "text_encoder": tiny_encoder, **SMALL}
    flags = [part for name, value in options.items() for part in (f"--{name}", value)]
    matrix = [*flags, "--objectives", "base", "rpcl", "--seeds", 1, 2]
    on_slurm = [*matrix, "--runs_dir", tmp_path / "slurm", "--backend", "slurm", "--slurm", "minutes=30"]

    killed = begin(*on_slurm)
    wait_until(lambda: "RUNNING" in slurm_node.queue().values())
    killed.kill()
    killed.communicate()
    array = newest_array(slurm_node)
    to_end = {0: ("scancel", f"{array}_0"), 1: ("scontrol", "requeue", f"{array}_1")}

    def end_what_trains() -> bool:
        for index in [index for index in to_end if trains(tmp_path / "slurm" / CELLS[index])]:
            slurm_node.ask(*to_end.pop(index))
        return not to_end

    wait_until(end_what_trains)
    slurm_node.start_again(f"{array}_1")
    second = begin(*on_slurm)
    _, said = second.communicate(timeout=300)
    assert second.returncode in (0, 1), said
    queued = slurm_node.queue()
    of_first = {f"{array}_{index}": queued.pop(f"{array}_{index}") for index in range(4)}
    assert of_first == {f"{array}_0": "CANCELLED"} | {f"{array}_{index}": "COMPLETED" for index in (1, 2, 3)}
    # The cancelled cell alone was submitted again, and has left its checkpoint.
    assert list(queued.values()) == ["COMPLETED"], (queued, said)
    logs = [(tmp_path / "slurm/logs" / f"{name}.log").read_text() for name in CELLS]
    assert [log.count("$ ") for log in logs] == [2, 2, 1, 1]
    assert all("Continuing " in log for log in logs[:2])

    local = begin(*matrix, "--runs_dir", tmp_path / "local", "--slots", 2)
    local.communicate(timeout=300)
    assert local.returncode == 0
    assert outputs(tmp_path / "slurm") == outputs(tmp_path / "local")


def newest_array(node: SlurmNode) -> str:
    return str(max(int(job.partition("_")[0]) for job in node.queue()))
