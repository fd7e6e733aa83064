"""Measures the speed of this package as ratios against named alternatives in the same run.

python scripts/bench.py --only metrics,dataset
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass

import active_environment  # noqa: F401

from iemomecp_dataset.benchmark.speed import SUBJECTS
from iemomecp_dataset.benchmark.speed.conversations import DEFAULT_CONVERSATIONS
from iemomecp_dataset.command_line import option, read_options
from iemomecp_dataset.command_process import run_command
from iemomecp_dataset.errors import UsageError, did_you_mean


@dataclass(frozen=True)
class Options:
    """Options of the script."""

    only: str = option(",".join(SUBJECTS), "comma-separated subjects")
    conversations: int = option(
        DEFAULT_CONVERSATIONS, "of the subject conversations: how many, of 12 turns each", minimum=1
    )


def main() -> None:
    """Measures and prints one row per comparison."""
    options = read_options(Options, None, command="bench.py", description=__doc__)
    chosen = options.only.split(",")
    for subject in chosen:
        if subject not in SUBJECTS:
            raise UsageError(f"There is no subject {subject!r}. {did_you_mean(subject, SUBJECTS)}")

    print(f"{'what':<60} {'seconds':>9}   {'against':<60} {'seconds':>9}   {'times faster':>12}")
    for subject in chosen:
        sizes = {"conversations": options.conversations} if subject == "conversations" else {}
        for row in importlib.import_module(f"iemomecp_dataset.benchmark.speed.{subject}").run(**sizes):
            print(
                f"{row.name:<60} {row.ours_seconds:>9.4f}   {row.alternative_name:<60} "
                f"{row.alternative_seconds:>9.4f}   {row.ratio:>12.2f}",
                flush=True,
            )


if __name__ == "__main__":
    run_command(main)
