"""Prints how fast this package is, as ratios against named alternatives measured in the same run.

python scripts/bench.py [--only metrics,dataset,training,report]
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil

from iemomecp_dataset.command_line import run_command
from iemomecp_dataset.errors import UsageError, did_you_mean


def main() -> None:
    import iemomecp_dataset.benchmark as room

    subjects = [
        m.name.removeprefix("speed_") for m in pkgutil.iter_modules(room.__path__) if m.name.startswith("speed_")
    ]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help=f"comma-separated subjects (default: all of {', '.join(subjects)})")
    arguments = parser.parse_args()
    chosen = arguments.only.split(",") if arguments.only else subjects
    for subject in chosen:
        if subject not in subjects:
            raise UsageError(f"There is no subject {subject!r}. {did_you_mean(subject, subjects)}")

    print(f"{'what':<60} {'seconds':>9}   {'against':<60} {'seconds':>9}   {'times faster':>12}")
    for subject in chosen:
        for row in importlib.import_module(f"iemomecp_dataset.benchmark.speed_{subject}").run():
            print(
                f"{row[0]:<60} {row[1]:>9.4f}   {row[2]:<60} {row[3]:>9.4f}   {row[4]:>12.2f}",
                flush=True,
            )


if __name__ == "__main__":
    run_command(main)
