"""Speed-up of an extraction by two jobs instead of one, each with one thread.

Two free cores are required; on a busy machine the ratio reflects the load.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from iemomecp_dataset.benchmark.speed.measurement import SpeedRow
from iemomecp_dataset.errors import TrainingError

__all__ = ["run"]


def run(*, width: int = 384, layers: int = 6, scale: str = "full") -> list[SpeedRow]:
    """Measures text features of the SYNTHETIC corpus, from the command to the finished store.

    Args:
        width: Width of the encoder, which has random weights.
        layers: Number of its layers.
        scale: Scale of the corpus: 7,433 utterances at scale ``full``, 1,425 at scale ``demo``.

    Returns:
        One row. What each job reads and loads before it computes is part of both times.

    Raises:
        TrainingError: A command failed, or the stores differ.
    """
    import iemomecp_dataset
    from iemomecp_dataset.benchmark.speed.random_minilm import write_random_minilm
    from iemomecp_dataset.synthetic import write_corpus

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_corpus(folder / "data", scale=scale)
        # Builds the Arrow files beforehand, so that they are part of neither time.
        splits = iemomecp_dataset.load("3class", data_dir=folder / "data").values()
        texts = [utterance["text"] for split in splits for row in split for utterance in row["utterances"]]
        write_random_minilm(texts, folder / "encoder", width=width, layers=layers)
        one, two = (_seconds(folder, jobs) for jobs in (1, 2))
        stores = [{path.name: path.read_bytes() for path in (folder / f"store{jobs}").iterdir()} for jobs in (1, 2)]
    if stores[0] != stores[1]:
        raise TrainingError("Two jobs and one give different stores.")
    return [SpeedRow("text store by two jobs of one thread", two, "by one job of one thread, equal bytes", one)]


def _seconds(folder: Path, jobs: int) -> float:
    command = [
        *(sys.executable, "-m", "iemomecp_dataset", "extract", "--data_dir", str(folder / "data")),
        *("--modality", "text", "--model", str(folder / "encoder"), "--output_dir", str(folder / f"store{jobs}")),
        *("--device", "cpu", "--slots", str(jobs), "--quiet"),
    ]
    began = time.perf_counter()
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False
    )
    if done.returncode:
        raise TrainingError(f"An extraction by {jobs} jobs failed: {done.stderr[-1000:]}")
    return time.perf_counter() - began
