"""Speed of building, loading, validating and importing the dataset, at full scale."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tqdm import tqdm

from iemomecp_dataset.benchmark.speed.measurement import SpeedRow, best_seconds

__all__ = ["peak_memory_of_build", "run"]

_BUILD_LIMIT_SECONDS = 15.0
_REPEATS = 3


def run(data_dir: Path | None = None) -> list[SpeedRow]:
    """Measures every operation; the best of several repeats counts.

    Args:
        data_dir: A folder with IEMOCAP/, ECPEC/ and labels/. By default a SYNTHETIC corpus of full scale is written to
            a temporary folder first, which is not part of the measured time.

    Returns:
        One row per comparison; a ratio above 1 means that ours is faster.
    """
    with tempfile.TemporaryDirectory() as folder:
        if data_dir is None:
            from iemomecp_dataset.synthetic import write_corpus

            data_dir = Path(folder) / "data"
            write_corpus(data_dir, scale="full")
        measures: list[Callable[[Path, Path], SpeedRow]] = [_build, _cached, _flat_pass, _validation, _import]
        return [
            measure(data_dir, Path(folder) / "cache")
            for measure in tqdm(measures, desc="Measuring the dataset", disable=None)
        ]


def peak_memory_of_build(data_dir: Path) -> float:
    """Measures the memory of a build from sources in a process of its own.

    Args:
        data_dir: A folder with IEMOCAP/, ECPEC/ and labels/.

    Returns:
        Peak resident memory in GB (1e9 bytes).
    """
    code = (
        "import sys, tempfile, iemomecp_dataset\n"
        "from iemomecp_dataset.benchmark.speed.measurement import peak_memory\n"
        "with tempfile.TemporaryDirectory() as cache:\n"
        "    iemomecp_dataset.load(data_dir=sys.argv[1], cache_dir=cache)\n"
        "print(peak_memory())\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(data_dir)], capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1]) / 1e9


def _load(data_dir: Path, cache: Path, **options: Any) -> Any:
    from iemomecp_dataset import load

    return load(data_dir=data_dir, cache_dir=cache, **options)


def _parse_labels(data_dir: Path) -> None:
    for name in ("train", "valid", "test"):
        with (data_dir / "labels" / f"{name}.json").open(encoding="utf-8") as stream:
            json.load(stream)


def _build(data_dir: Path, cache: Path) -> SpeedRow:
    ours = best_seconds(lambda: _load(data_dir, cache, download_mode="force_redownload"), 1)
    return SpeedRow("build from sources", ours, "the limit", _BUILD_LIMIT_SECONDS)


def _cached(data_dir: Path, cache: Path) -> SpeedRow:
    def once() -> None:
        for rows in _load(data_dir, cache).values():
            for _ in rows:
                pass

    once()
    return SpeedRow(
        "cached load_dataset and a pass over all rows",
        best_seconds(once, _REPEATS),
        "parsing the three label files with json",
        best_seconds(lambda: _parse_labels(data_dir), _REPEATS),
    )


def _flat_pass(data_dir: Path, cache: Path) -> SpeedRow:
    from iemomecp_dataset import to_pairs

    rows = _load(data_dir, cache, split="train")
    flat = to_pairs(rows)
    return SpeedRow(
        "a pass over train, one row per dialogue",
        best_seconds(lambda: [None for _ in rows], _REPEATS),
        "one row per pair",
        best_seconds(lambda: [None for _ in flat], 1),
    )


def _validation(data_dir: Path, cache: Path) -> SpeedRow:
    from iemomecp_dataset.overlay.validation import check_overlay

    return SpeedRow(
        "reading and validating the label files",
        best_seconds(lambda: check_overlay(data_dir / "labels"), _REPEATS),
        "parsing them with json",
        best_seconds(lambda: _parse_labels(data_dir), _REPEATS),
    )


def _import(data_dir: Path, cache: Path) -> SpeedRow:
    def importing(name: str) -> float:
        return best_seconds(lambda: subprocess.run([sys.executable, "-c", f"import {name}"], check=True), _REPEATS)

    return SpeedRow("import iemomecp_dataset", importing("iemomecp_dataset"), "import datasets", importing("datasets"))
