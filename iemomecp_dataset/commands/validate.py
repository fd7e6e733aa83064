"""Validates the IEMO-MECP label files and prints the split table.

    python scripts/validate_labels.py --label-dir local_data/labels

Exit code 0: the files are valid. 1: they are not, one line per problem. 2: there are no files to validate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from iemomecp_dataset.command_line import REQUIRED, option, read_options


@dataclass(frozen=True)
class ValidateOptions:
    """Options of the command."""

    _dashes = True

    label_dir: Path = option(REQUIRED, "folder with train.json, valid.json and test.json")
    write_summary: Path | None = option(None, "also write the split table as CSV", metavar="F.csv")


def main(arguments: Sequence[str] | None = None) -> int:
    """Validates and summarises."""
    options = read_options(ValidateOptions, arguments, command="validate", description=__doc__)

    from iemomecp_dataset.files import write_text
    from iemomecp_dataset.overlay.summary import compare_with_release, overlay_counts, summary_csv, summary_table
    from iemomecp_dataset.overlay.validation import check_overlay

    overlay, problems = check_overlay(options.label_dir)
    for problem in problems:
        print(problem)
    if problems or overlay is None:
        print(f"{len(problems)} problem(s). The files are not valid.")
        return 1
    counts = overlay_counts(overlay)
    print(summary_table(counts))
    for line in compare_with_release(overlay):
        print(line)
    if options.write_summary is not None:
        write_text(options.write_summary, summary_csv(counts))
        print(f"Table written to {options.write_summary}")
    return 0
