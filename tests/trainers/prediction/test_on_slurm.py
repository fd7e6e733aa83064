"""A prediction on a SLURM node: one job cancelled, started again; the same bytes as in one process."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from many_conversations import conversations, write_lines
from slurm_node import SlurmNode, slurm_node  # noqa: F401  (a fixture)
from tiny_pair_models import save_dialogue_model

pytest.importorskip("submitit", reason='submitit is not installed; pip install -e ".[slurm]"')

DRIVER = """
import sys
from iemomecp_dataset.commands import predict
from iemomecp_dataset.trainers.prediction import plan
plan.CHUNK_UTTERANCES, predict._STREAMED_FROM = 40, 0
from iemomecp_dataset.__main__ import main
main(["predict", *sys.argv[1:]])
"""


def begin(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", DRIVER, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_jobs_give_equal_bytes_and_a_cancelled_one_is_continued(
    tmp_path: Path,
    tiny_encoder: Path,
    slurm_node: SlurmNode,  # noqa: F811
) -> None:
    model = save_dialogue_model(tmp_path / "run" / "model", tiny_encoder)
    talks = write_lines(tmp_path / "talks.jsonl", conversations(80))
    here = begin(talks, "--model", model, "--output", tmp_path / "here.jsonl")
    on_slurm = (talks, "--model", model, "--output", tmp_path / "there.jsonl", "--backend", "slurm", "--shards", 2,
                "--slurm", "minutes=10")  # fmt: skip
    first = begin(*on_slurm)
    over = time.monotonic() + 120
    while not slurm_node.queue():
        assert time.monotonic() < over
        time.sleep(0.05)
    slurm_node.ask("scancel", next(iter(slurm_node.queue())))
    _, said = first.communicate(timeout=300)
    assert first.returncode == 1, said
    assert "shard-1-of-2" in said
    assert "Start the same command again to continue." in said
    assert not (tmp_path / "there.jsonl").exists()
    second = begin(*on_slurm)
    _, said = second.communicate(timeout=300)
    assert second.returncode == 0, said
    here.communicate(timeout=300)
    assert (tmp_path / "there.jsonl").read_bytes() == (tmp_path / "here.jsonl").read_bytes()
