"""Writes the diagnostics of a folder of runs as CSV: the ten of arXiv 2605.25208, and those of RPCL (arXiv 2606.18893).

Examples:
    python scripts/diagnose.py runs --output diagnostics
    python scripts/diagnose.py runs --data-dir local_data --output diagnostics

Each is computed as published and corrected, for each run and over seeds. README.md in the folder lists the files, the
meaning of their columns, and what could not be computed. Whatever a run lacks gives a row with NaN and the reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from iemomecp_dataset.command_line import REQUIRED, option, read_options


@dataclass(frozen=True)
class DiagnoseOptions:
    """Options of the command."""

    _dashes = True

    runs_dir: Path = option(REQUIRED, "folder that holds run folders, at any depth", positional=True)
    output: Path = option(REQUIRED, "folder to write the CSV files and README.md to", metavar="DIR")
    data_dir: Path | None = option(
        None,
        "IEMO-MECP data of the runs, as for load_dataset, for what predictions do not hold: gold roles beside binary "
        "runs, source labels, words (default: the folder that each run's config.yaml states, if it is still there)",
    )
    quiet: bool = option(False, "print only what is left out and where the files are")


def main(arguments: Sequence[str] | None = None) -> None:
    """Computes what can be computed and names what cannot."""
    options = read_options(DiagnoseOptions, arguments, command="diagnose", description=__doc__)

    from tqdm import tqdm

    from iemomecp_dataset.benchmark.diagnostics.folder import write_diagnosis
    from iemomecp_dataset.benchmark.diagnostics.systems import facts_of_data
    from iemomecp_dataset.benchmark.diagnostics.tables import diagnose
    from iemomecp_dataset.benchmark.runs.index import index_runs
    from iemomecp_dataset.files import make_folder

    index = index_runs(options.runs_dir)
    make_folder(options.output)  # before the work, so that a place that cannot be written to is said at once
    found = diagnose(
        index,
        facts_of_data(options.data_dir),
        lambda steps: tqdm(steps, desc="Diagnosing", unit="table", disable=options.quiet),
    )
    paths = write_diagnosis(found, options.output)
    for folder, reason in found.left_out.items():
        print(f"left out: {folder}: {reason}")
    if not options.quiet:
        for name, reasons in found.not_computed().items():
            print(f"not computed: {name}: {'; '.join(reasons)}")
    kind = "SYNTHETIC " if found.all_synthetic else "partly SYNTHETIC " if found.synthetic else ""
    several = "s" * (len(found.runs) != 1)
    print(f"{options.output}: {len(paths)} files on {len(found.runs)} {kind}run{several}; README.md lists them")
