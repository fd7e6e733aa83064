"""How much faster two processes train than one, each with one thread.

Two runs of ``trainers/fusion.py`` that differ in the number of processes alone, one after the other: a mini-batch has
the same 16 dialogues, shared out among the processes. Both cores must be free; on a busy machine the row says how busy
it is, not how fast this is.
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
    """Measures an epoch of the dialogue scorer with a trained encoder, in about ten minutes.

    The epoch is everything that a run does in one: training, scoring the validation split, the checkpoint. Starting the
    processes and reading the data is not in it.

    Args:
        width: Width of the encoder, which has random weights.
        layers: Its depth.
        scale: Of the synthetic corpus. Full scale has 17 steps of 16 dialogues, the demonstration's four, of which a
            checkpoint is a large part.
        passes: Over one process and two, in turn; the best of each counts.

    Returns:
        One row, in seconds an epoch.
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
        for processes in tqdm([*taken] * passes, desc="Measuring one process, and two", disable=None):
            taken[processes].append(_seconds_of_an_epoch(folder, processes))
        one, two = (min(seconds) for seconds in taken.values())
    return [SpeedRow("an epoch, two processes of one thread", two, "one process of one thread", one, one / two)]


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
