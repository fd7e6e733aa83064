"""What tests of trainers share."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest


@pytest.fixture(scope="session")
def same_outcome() -> Callable[[Path, Path], None]:
    """Asserts that of two run folders everything but times and names is equal, to the last bit."""

    def check(one: Path, two: Path) -> None:
        for split in ("validation", "test"):
            a, b = (pq.read_table(run / f"predictions_{split}.parquet") for run in (one, two))
            assert a.equals(b)
        first, second = (json.loads((run / "results.json").read_text()) for run in (one, two))
        for record in (first, second):
            for changing in ("run_name", "wall_seconds", "peak_memory_mb", "git_revision"):
                record.pop(changing)
        assert first == second
        logs = [[json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()] for run in (one, two)]
        for log in logs:
            for event in log:
                event.pop("seconds")
        assert logs[0] == logs[1]
        weights = [(run / "model" / "model.safetensors").read_bytes() for run in (one, two)]
        assert weights[0] == weights[1]

    return check
