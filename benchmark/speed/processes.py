"""Speed-up of training with two processes instead of one, each with one thread.

Runs ``trainers/fusion.py`` with one process and with two, one after the other. The runs differ in the number of
processes only: a mini-batch has the same 16 dialogues, distributed over the processes. Two free cores are required; on
a busy machine the ratio reflects the load.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tqdm.auto import tqdm

from iemomecp_dataset.benchmark.speed.measurement import SpeedRow
from iemomecp_dataset.errors import TrainingError

__all__ = ["run"]

_DIALOGUES_PER_STEP = 16


def run(*, width: int = 384, layers: int = 6, scale: str = "full", passes: int = 2) -> list[SpeedRow]:
    """Measures one epoch of the dialogue scorer with a trained encoder; takes about ten minutes.

    The epoch includes training, scoring the validation split and writing the checkpoint, but neither the start of the
    processes nor reading the data.

    Args:
        width: Width of the encoder, which has random weights.
        layers: Number of its layers.
        scale: Scale of the synthetic corpus. An epoch has 17 steps of 16 dialogues at scale ``full`` and four at scale
            ``demo``, where the checkpoint takes a large part of the time.
        passes: How often one process and two processes are measured alternately; the best of each counts.

    Returns:
        One row, in seconds per epoch.

    Raises:
        TrainingError: A run failed.
    """
    from iemomecp_dataset import load
    from iemomecp_dataset.benchmark.speed.random_minilm import write_random_minilm
    from iemomecp_dataset.synthetic import write_corpus

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_corpus(folder / "data", scale=scale)
        rows = load(data_dir=folder / "data", cache_dir=folder / "cache", split="train")
        texts = [utterance["text"] for row in rows for utterance in row["utterances"]]
        write_random_minilm(texts, folder / "encoder", width=width, layers=layers)
        taken: dict[int, list[float]] = {1: [], 2: []}
        for processes in tqdm([*taken] * passes, desc="Measuring one and two processes", disable=None):
            taken[processes].append(_seconds_of_an_epoch(folder, processes))
        one, two = (min(seconds) for seconds in taken.values())
    return [SpeedRow("an epoch, two processes of one thread", two, "one process of one thread", one)]


def _seconds_of_an_epoch(folder: Path, processes: int) -> float:
    run_folder = folder / f"run-{processes}"
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)),
        *("-m", "iemomecp_dataset.trainers.fusion", "--data_dir", str(folder / "data"), "--modalities", "t"),
        *("--text_encoder", str(folder / "encoder"), "--batch_size", str(_DIALOGUES_PER_STEP // processes)),
        *("--epochs", "1", "--output_dir", str(run_folder), "--quiet"),
    ]
    shutil.rmtree(run_folder, ignore_errors=True)
    environment = {
        **os.environ,
        "ACCELERATE_USE_CPU": "true",
        "OMP_NUM_THREADS": "1",
        "HF_DATASETS_CACHE": str(folder / "cache"),
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise TrainingError(f"The run with {processes} processes failed: {done.stderr.strip()[-2000:]}")
    events = [json.loads(line) for line in (run_folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    (seconds,) = (event["seconds"] for event in events if event["event"] == "epoch")
    return float(seconds)
