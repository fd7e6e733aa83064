"""Files are read through iemomecp_dataset/files alone: bounded, without waiting, and with errors of the package."""

from __future__ import annotations

import re
from pathlib import Path

RAW = re.compile(
    r"json\.load\(|json\.loads\((?!json\.dumps).*(read|line)|yaml\.(safe_load|load|SafeLoader)|(?<!_)safe_load\("
)
EXEMPT = {
    # The header of a safetensors file, of the length that the file states and has; its errors are caught.
    "iemomecp_dataset/features/store/store_shards.py": 1,
    # Files of the package itself.
    "benchmark/experiments/protocols.py": 1,
    # What the command that measures speed has written a moment ago.
    "benchmark/speed/dataset.py": 1,
    "benchmark/speed/processes.py": 1,
}

ELSEWHERE = tuple(f"iemomecp_dataset/{name}/" for name in ("files", "metrics", "trainers", "benchmark"))
"""Where the raw readers are, and links to rooms that are looked through themselves."""


def test_no_module_parses_a_file_by_itself(repository: Path) -> None:
    found: dict[str, int] = {}
    for room in ("iemomecp_dataset", "metrics", "trainers", "benchmark"):
        for path in (repository / room).rglob("*.py"):
            name = path.relative_to(repository).as_posix()
            if name.startswith(ELSEWHERE):
                continue
            count = sum(bool(RAW.search(line)) for line in path.read_text(encoding="utf-8").splitlines())
            if count:
                found[name] = count
    assert found == EXEMPT
