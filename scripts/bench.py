"""Measures the speed of this package as ratios against named alternatives in the same run.

python scripts/bench.py [--only metrics,dataset,training,report]
"""

from __future__ import annotations

import argparse
import importlib

from iemomecp_dataset.command_line import run_command
from iemomecp_dataset.errors import UsageError, did_you_mean


def main() -> None:
    from iemomecp_dataset.benchmark.speed import SUBJECTS

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help=f"comma-separated subjects (default: all of {', '.join(SUBJECTS)})")
    arguments = parser.parse_args()
    chosen = arguments.only.split(",") if arguments.only else SUBJECTS
    for subject in chosen:
        if subject not in SUBJECTS:
            raise UsageError(f"Unknown subject {subject!r}. {did_you_mean(subject, SUBJECTS)}")

    print(f"{'what':<60} {'seconds':>9}   {'against':<60} {'seconds':>9}   {'times faster':>12}")
    for subject in chosen:
        for row in importlib.import_module(f"iemomecp_dataset.benchmark.speed.{subject}").run():
            print(
                f"{row.name:<60} {row.ours_seconds:>9.4f}   {row.alternative_name:<60} "
                f"{row.alternative_seconds:>9.4f}   {row.ratio:>12.2f}",
                flush=True,
            )


if __name__ == "__main__":
    run_command(main)
