"""A few damaged files for every reader, the same each time; `make fuzz` tries others for ten minutes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = {"data": 80, "results": 60}
"""Examples of each target, about 12 s of a processor for each kind."""


@pytest.mark.slow
@pytest.mark.parametrize("kind", EXAMPLES)
def test_damaged_files_are_refused_or_read_as_they_stand(kind: str, repository: Path, tmp_path: Path) -> None:
    """Nothing else: no other error, nothing that takes long, nothing run, nothing written elsewhere."""
    script = repository / "tests/fuzz/run.py"
    options = [
        "--kind",
        kind,
        "--examples",
        str(EXAMPLES[kind]),
        "--one-process",
        "--keep",
        str(tmp_path / "kept"),
    ]
    done = subprocess.run([sys.executable, script, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-4000:]


def test_a_reader_that_fails_hangs_runs_or_writes_is_found(repository: Path, tmp_path: Path) -> None:
    """The suite itself, on readers that do what none may do."""
    script = Path(__file__).with_name("try_bad_readers.py")
    done = subprocess.run([sys.executable, script, tmp_path], capture_output=True, text=True, check=False)
    assert done.stdout.split("\n")[:-1] == [
        "raises: ValueError",
        "waits: too slow",
        "hangs: too slow",
        "writes: written or started",
        "starts: written or started",
        "runs: code was run",
        "gives another value each time: read otherwise the second time",
        "adds a sentence: read, and then AssertionError",
        "tells a byte-order mark: other than the valid files",
        "reads what a digest forbids: read otherwise in spite of digests",
        "refuses: nothing",
    ], done.stderr
