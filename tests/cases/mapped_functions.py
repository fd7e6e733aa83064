"""A user's script that gives functions to ``Dataset.map``, run in processes of its own outside of the repository."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

_SCRIPT = """
import sys
import iemomecp_dataset
import iemomecp_dataset as short
from iemomecp_dataset import gold_pairs, metrics, rows, schema

if sys.argv[2] == "used":  # what is imported beside, and in which order, is no part of a function
    import iemomecp_dataset.corpus
    iemomecp_dataset.metrics.pair_scores

def inner(row):
    return iemomecp_dataset.gold_pairs(row)

class Counting:
    def __call__(self, row):
        return {"n": len(iemomecp_dataset.gold_pairs(row))}

FUNCTIONS = {
    "module": lambda row: {"n": len(iemomecp_dataset.gold_pairs(row))},
    "alias": lambda row: {"n": len(short.gold_pairs(row))},
    "name": lambda row: {"n": len(gold_pairs(row))},
    "submodule": lambda row: {"n": len(rows.gold_pairs(row))},
    "module with sets": lambda row: {"n": len(schema.SPLITS)},
    "subpackage": lambda row: {"n": len(metrics.__name__)},
    "another function": lambda row: {"n": len(inner(row))},
    "object": Counting(),
}
dataset = iemomecp_dataset.load("3class", sys.argv[1], split="test")
for name, function in FUNCTIONS.items():
    print(name, dataset.map(function)._fingerprint)
"""


def mapped_fingerprints(folder: Path, data_dir: Path, *, environment: Mapping[str, str]) -> list[dict[str, str]]:
    """Runs the script twice, in processes that differ in the order of sets and in what else was imported.

    Args:
        folder: Where the script and the cache lie.
        data_dir: Sources of IEMO-MECP.
        environment: Variables of the processes.

    Returns:
        For each process the fingerprint of the mapped dataset by the name of the function.
    """
    script = folder / "mapping.py"
    script.write_text(_SCRIPT, encoding="utf-8")
    found = []
    for seed, how in (("1", "bare"), ("2", "used")):
        done = subprocess.run(
            [sys.executable, script, data_dir, how],
            cwd=folder,
            env={**environment, "PYTHONHASHSEED": seed, "HF_DATASETS_CACHE": str(folder / "cache")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "random hash" not in done.stderr, done.stderr
        found.append(dict(line.rsplit(" ", 1) for line in done.stdout.splitlines()))
    return found
