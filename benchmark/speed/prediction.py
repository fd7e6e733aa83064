"""Speed of predictions in shards: two workers of one thread each against one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from iemomecp_dataset.benchmark.speed.conversations import _write_model, spoken_conversations
from iemomecp_dataset.benchmark.speed.measurement import SpeedRow

__all__ = ["run"]

_CONVERSATIONS = 12_000
"""Of 12 turns: 36 chunks, about two minutes for one worker, beside which the start of processes is short."""


def run(*, conversations: int = _CONVERSATIONS, width: int = 192, layers: int = 3) -> list[SpeedRow]:
    """Measures ``iemomecp predict`` over a file of many conversations, from the start of the command to its end.

    Both commands read the file, plan, start their workers, load the model in each and join the chunks; what they write
    is compared. On fewer than two free cores the ratio says nothing.

    Args:
        conversations: Conversations of 12 turns, of texts that each occur once.
        width: Width of the random text encoder.
        layers: Its number of layers.

    Returns:
        One row; the target of its ratio is 1.7.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _, model = _write_model(folder, width, layers, hidden_size=64)
        with (folder / "talks.jsonl").open("w", encoding="utf-8") as stream:
            for number, utterances in enumerate(spoken_conversations(conversations)):
                stream.write(json.dumps({"dialogue_id": f"talk {number}", "utterances": utterances}) + "\n")
        seconds = {slots: _seconds(folder, model, slots) for slots in (2, 1)}
        if (folder / "of-1.parquet").read_bytes() != (folder / "of-2.parquet").read_bytes():
            raise AssertionError("one worker and two wrote different predictions")
    what = f"pairs of {conversations:,} conversations in chunks"
    return [SpeedRow(f"{what}, two workers of one thread", seconds[2], "one worker of one thread", seconds[1])]


def _seconds(folder: Path, model: Path, slots: int) -> float:
    began = time.perf_counter()
    subprocess.run(
        [
            *(sys.executable, "-m", "iemomecp_dataset", "predict", "talks.jsonl", "--model", str(model)),
            *("--output", f"of-{slots}.parquet", "--slots", str(slots)),
        ],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=True,
        capture_output=True,
    )
    return time.perf_counter() - began
