"""Run folders of many systems with the names that runs get by default, for pages and figures that must stay legible."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

__all__ = ["NUMBERS_OF_SYSTEMS", "write_systems"]

NUMBERS_OF_SYSTEMS = (2, 4, 12, 40)

_SYSTEMS = [
    {"objective": objective, "modalities": modalities, "scorer": scorer, "encoder_mode": mode, "learning_rate": rate}
    for rate, modalities, scorer, mode, objective in itertools.product(
        (0.001, 0.0003), ("t", "tav"), ("dialogue", "isolated"), ("trained", "frozen"),
        ("rpcl", "base", "cdmr", "utterance_dropout"),
    )
]  # fmt: skip
"""64 systems: names such as "RPCL T dialogue trained" and, where rates differ, "... (learning_rate=0.001)"."""


def write_systems(write_run: Callable[..., Any], root: Path, n: int, **options: Any) -> None:
    """Writes a run of each of ``n`` systems, and a second seed of the first four.

    Args:
        write_run: Writes one run folder.
        root: The folder of the runs.
        n: Number of systems, at most 64.
        **options: Further arguments of ``write_run``.
    """
    first = [_SYSTEMS[i] for i in (0, 13, 1, 23)]  # objective, scorer and mode differ among few systems, too
    chosen = [*first, *(system for system in _SYSTEMS if system not in first)]
    for number, system in enumerate(chosen[:n]):
        for seed in (42, 345) if number < 4 else (42,):
            _write(write_run, root / f"system{number:02d}_{seed}", system, seed, 0.4 + 0.05 * number, options)


def _write(
    write_run: Callable[..., Any], folder: Path, system: Mapping[str, Any], seed: int, quality: float,
    options: Mapping[str, Any],
) -> None:  # fmt: skip
    write_run(folder, seed=seed, quality=quality, settings=dict(system),
              **{name: value for name, value in system.items() if name != "learning_rate"}, **options)  # fmt: skip
