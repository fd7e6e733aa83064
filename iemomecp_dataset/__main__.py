"""Prints what can be loaded, or the statistics of a corpus.

python -m iemomecp_dataset
python -m iemomecp_dataset ecf --data-dir path/to/ecf
"""

from __future__ import annotations

import argparse
from pathlib import Path

from iemomecp_dataset.command_line import run_command


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(
        prog="python -m iemomecp_dataset", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("config", nargs="?", help="configuration; without one, all are listed")
    parser.add_argument("--data-dir", type=Path, help="folder of the sources")
    parser.add_argument("--label-dir", type=Path, help="folder of the label files, where they lie apart")
    parser.add_argument("--candidates", choices=("all", "past"), help="candidates of corpora other than IEMO-MECP")
    parser.add_argument("--text-source", choices=("iemocap", "ecpec"), help="whose text IEMO-MECP gets")
    arguments = parser.parse_args()

    if arguments.config is None and arguments.data_dir is None and arguments.label_dir is None:
        print(_overview())
        return

    from iemomecp_dataset.builder import load
    from iemomecp_dataset.corpus_statistics import statistics_table
    from iemomecp_dataset.options import DEFAULT_CONFIG

    name = arguments.config or DEFAULT_CONFIG
    splits = load(
        name,
        data_dir=arguments.data_dir,
        label_dir=arguments.label_dir,
        candidates=arguments.candidates,
        text_source=arguments.text_source,
    )
    print(next(iter(splits.values())).info.description)
    print(statistics_table(name, splits))


def _overview() -> str:
    from iemomecp_dataset.corpora.metadata import CORPORA

    lines = [
        "3class, source_binary: IEMO-MECP from IEMOCAP, ConvECPE and the label files",
        "overlay: the label files of IEMO-MECP alone",
    ]
    for corpus in CORPORA.values():
        lines.append(f"{corpus.name}: {corpus.title} ({corpus.language}; licence: {corpus.licence})")
        lines.append(f"    to obtain it: {corpus.how_to_obtain}")
        lines.append(f"    cite: {corpus.citation}")
    lines.append("Statistics: python -m iemomecp_dataset CONFIG --data-dir DIR")
    return "\n".join(lines)


if __name__ == "__main__":
    run_command(main)
