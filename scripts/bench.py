"""Measures the speed of this package as ratios against named alternatives in the same run.

python scripts/bench.py --only metrics,dataset
python scripts/bench.py --only peer --data-dir path/to/ecf --encoder path/to/all-MiniLM-L6-v2
"""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass

import active_environment  # noqa: F401

from iemomecp_dataset.benchmark.speed import SUBJECTS
from iemomecp_dataset.benchmark.speed.conversations import DEFAULT_CONVERSATIONS
from iemomecp_dataset.benchmark.speed.peer import HILO_BEST, OurThreshold, left_out
from iemomecp_dataset.command_line import option, read_options
from iemomecp_dataset.command_process import run_command
from iemomecp_dataset.errors import UsageError, did_you_mean


@dataclass(frozen=True)
class Options:
    """Options of the script."""

    _dashes = True

    only: str = option(",".join(SUBJECTS), "comma-separated subjects")
    conversations: int = option(
        DEFAULT_CONVERSATIONS, "of the subject conversations: how many, of 12 turns each", minimum=1
    )
    data_dir: str | None = option(None, "of the subject peer: folder of ECF")
    encoder: str | None = option(None, "of the subject peer: folder of the text encoder that is trained")
    hilo_clone: str | None = option(
        None, "of the subject peer: folder of your clone of HiLo, with an export of that ECF in it; else ours alone"
    )
    hilo_python: str | None = option(None, "of the subject peer: Python of the clone's environment")
    pair_f1: float = option(
        HILO_BEST,
        "of the subject peer: Pair F1 on ECF validation to reach, in percent",
        above=0.0,
        maximum=100.0,
    )
    our_threshold: OurThreshold = option(
        "half",
        "of the subject peer: half (we decide at a probability of one half, as HiLo does) or best (at the threshold "
        "that is best on validation, which is no equal comparison)",
    )


def main() -> None:
    """Measures and prints one row per comparison."""
    options = read_options(Options, None, command="bench.py", description=__doc__)
    chosen = options.only.split(",")
    for subject in chosen:
        if subject not in SUBJECTS:
            raise UsageError(f"There is no subject {subject!r}. {did_you_mean(subject, SUBJECTS)}")

    sentence = left_out(options.data_dir, options.encoder)
    if "peer" in chosen and sentence:
        if options.only != Options.only:
            raise UsageError(sentence)
        chosen.remove("peer")
        print(sentence, file=sys.stderr)
    sizes = {
        "conversations": {"conversations": options.conversations},
        "peer": {
            "data_dir": options.data_dir,
            "encoder": options.encoder,
            "clone": options.hilo_clone,
            "python": options.hilo_python,
            "pair_f1": options.pair_f1,
            "threshold": options.our_threshold,
        },
    }

    print(f"{'what':<60} {'seconds':>9}   {'against':<60} {'seconds':>9}   {'times faster':>12}")
    for subject in chosen:
        for row in importlib.import_module(f"iemomecp_dataset.benchmark.speed.{subject}").run(**sizes.get(subject, {})):
            print(
                f"{row.name:<60} {row.ours_seconds:>9.4f}   {row.alternative_name:<60} "
                f"{row.alternative_seconds:>9.4f}   {row.ratio:>12.2f}",
                flush=True,
            )


if __name__ == "__main__":
    run_command(main)
