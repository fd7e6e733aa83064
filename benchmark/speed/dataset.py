"""How fast the dataset is, as ratios against named alternatives measured in the same run, at full scale."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tqdm import tqdm

from iemomecp_dataset.benchmark.speed.measurement import SpeedRow

__all__ = ["peak_memory_of_build", "run"]

_BUILD_LIMIT_SECONDS = 15.0
_REPEATS = 3


def run(data_dir: Path | None = None) -> list[SpeedRow]:
    """Measures; the best of several repetitions counts.

    Args:
        data_dir: A folder with IEMOCAP/, ECPEC/ and labels/; without one, a synthetic corpus of full scale is written
            to a temporary folder first (not measured).

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
    """Measures the memory a build from sources needs, in a process of its own.

    Args:
        data_dir: A folder with IEMOCAP/, ECPEC/ and labels/.

    Returns:
        Peak resident memory in GB (1e9 bytes).
    """
    code = (
        "import resource, sys, tempfile, iemomecp_dataset\n"
        "with tempfile.TemporaryDirectory() as cache:\n"
        "    iemomecp_dataset.load(data_dir=sys.argv[1], cache_dir=cache)\n"
        "    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(data_dir)], capture_output=True, text=True, check=True)
    # Kilobytes on Linux, bytes on macOS.
    return int(done.stdout.split()[-1]) * (1 if sys.platform == "darwin" else 1024) / 1e9


def _best(action: Callable[[], object], repeats: int = _REPEATS) -> float:
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        best = min(best, time.perf_counter() - start)
    return best


def _row(name: str, ours: float, alternative: str, theirs: float) -> SpeedRow:
    return SpeedRow(name, ours, alternative, theirs, theirs / ours)


def _load(data_dir: Path, cache: Path, **options: Any) -> Any:
    from iemomecp_dataset import load

    return load(data_dir=data_dir, cache_dir=cache, **options)


def _parse_labels(data_dir: Path) -> None:
    for name in ("train", "valid", "test"):
        with (data_dir / "labels" / f"{name}.json").open(encoding="utf-8") as stream:
            json.load(stream)


def _build(data_dir: Path, cache: Path) -> SpeedRow:
    ours = _best(lambda: _load(data_dir, cache, download_mode="force_redownload"), repeats=1)
    return _row("build from sources", ours, "the limit", _BUILD_LIMIT_SECONDS)


def _cached(data_dir: Path, cache: Path) -> SpeedRow:
    def once() -> None:
        for rows in _load(data_dir, cache).values():
            for _ in rows:
                pass

    once()
    return _row(
        "cached load_dataset and a pass over all rows",
        _best(once),
        "parsing the three label files with json",
        _best(lambda: _parse_labels(data_dir)),
    )


def _flat_pass(data_dir: Path, cache: Path) -> SpeedRow:
    from iemomecp_dataset import to_pairs

    rows = _load(data_dir, cache, split="train")
    flat = to_pairs(rows)
    return _row(
        "a pass over train, one row per dialogue",
        _best(lambda: [None for _ in rows]),
        "one row per pair",
        _best(lambda: [None for _ in flat], repeats=1),
    )


def _validation(data_dir: Path, cache: Path) -> SpeedRow:
    from iemomecp_dataset.overlay.validation import check_overlay

    return _row(
        "reading and validating the label files",
        _best(lambda: check_overlay(data_dir / "labels")),
        "parsing them with json",
        _best(lambda: _parse_labels(data_dir)),
    )


def _import(data_dir: Path, cache: Path) -> SpeedRow:
    def importing(name: str) -> float:
        return _best(lambda: subprocess.run([sys.executable, "-c", f"import {name}"], check=True))

    return _row("import iemomecp_dataset", importing("iemomecp_dataset"), "import datasets", importing("datasets"))
