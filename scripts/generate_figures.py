"""Draws the ten figures of arXiv 2605.25208, as PDF, SVG and PNG: from its published tables, or from your own runs.

Examples:
    python scripts/generate_figures.py --output-dir paper/figures
    python scripts/generate_figures.py --runs runs --data-dir local_data --output-dir my_figures
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from iemomecp_dataset.command_line import run_command
from iemomecp_dataset.errors import MissingDataError

if TYPE_CHECKING:
    from iemomecp_dataset.benchmark.figures import FigureTables

FORMATS = ("pdf", "svg", "png")


def main() -> int:
    """Draws what can be drawn and names what cannot."""
    options = _options()

    from tqdm import tqdm

    from iemomecp_dataset.benchmark.figures import FIGURES, published_tables, tables_in_folder
    from iemomecp_dataset.benchmark.figures.style import save

    if options.runs is not None:
        tables = _tables_of_runs(options)
    else:
        tables = published_tables() if options.tables is None else tables_in_folder(options.tables)
    drawn, left_out = 0, []
    for figure in tqdm(FIGURES, desc="Drawing", unit="figure"):
        try:
            save(figure.render(tables), options.output_dir, figure.name, options.formats)
        except MissingDataError as error:
            left_out.append(f"{figure.name} ({figure.shows}): {error}")
        else:
            drawn += 1
    for line in left_out:
        print(f"not drawn: {line}")
    if not drawn:
        raise MissingDataError(f"None of the {len(FIGURES)} figures can be drawn from {tables.origin}; see above.")
    formats = ", ".join(options.formats)
    print(f"{options.output_dir}: {drawn} of {len(FIGURES)} figures from {tables.origin}, as {formats}")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--tables", type=Path, metavar="DIR", help="folder with tables named as the published ones (default: those)"
    )
    parser.add_argument("--runs", type=Path, metavar="DIR", help="folder of runs to draw the figures of instead")
    parser.add_argument(
        "--data-dir",
        type=Path,
        help="with --runs: the IEMO-MECP data that they were made with, as for load_dataset",
    )
    parser.add_argument(
        "--output-dir", type=Path, default=Path("paper/figures"), help="where the figures go (default: %(default)s)"
    )
    parser.add_argument(
        "--formats", nargs="+", choices=FORMATS, default=list(FORMATS), help="file formats (default: all)"
    )
    options = parser.parse_args()
    if options.runs is not None and options.tables is not None:
        parser.error("give --tables or --runs, not both")
    if options.runs is not None and options.data_dir is None:
        parser.error("--runs needs --data-dir, where gold roles and source labels are read from")
    return options


def _tables_of_runs(options: argparse.Namespace) -> FigureTables:
    import iemomecp_dataset
    from iemomecp_dataset.benchmark.diagnostics.pair_facts import pair_facts
    from iemomecp_dataset.benchmark.figures.from_runs import tables_of_runs
    from iemomecp_dataset.benchmark.runs.index import index_runs

    index = index_runs(options.runs)
    for run in index.unfinished:
        print(f"left out: {run.reason}")
    splits = iemomecp_dataset.load("3class", data_dir=str(options.data_dir))
    return tables_of_runs(index.runs, {split: pair_facts(rows) for split, rows in splits.items()})


if __name__ == "__main__":
    run_command(main)
