"""Validates the IEMO-MECP label files and prints the split table.

    python scripts/validate_labels.py --label-dir local_data/labels

Exit code 0: the files are valid. 1: they are not, one line per problem. 2: there are no files to validate.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from iemomecp_dataset.command_line import run_command


def main() -> int:
    """Validates and summarises."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--label-dir", type=Path, required=True, help="folder with train.json, valid.json and test.json"
    )
    parser.add_argument("--write-summary", type=Path, metavar="F.csv", help="write the split table as CSV, too")
    arguments = parser.parse_args()

    from iemomecp_dataset.files import write_text
    from iemomecp_dataset.overlay.summary import compare_with_release, overlay_counts, summary_csv, summary_table
    from iemomecp_dataset.overlay.validation import check_overlay

    overlay, problems = check_overlay(arguments.label_dir)
    for problem in problems:
        print(problem)
    if problems or overlay is None:
        print(f"{len(problems)} problem(s). The files are not valid.")
        return 1
    counts = overlay_counts(overlay)
    print(summary_table(counts))
    for line in compare_with_release(overlay):
        print(line)
    if arguments.write_summary is not None:
        write_text(arguments.write_summary, summary_csv(counts))
        print(f"Table written to {arguments.write_summary}")
    return 0


if __name__ == "__main__":
    run_command(main)
