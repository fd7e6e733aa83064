"""Draws the ten figures of arXiv 2605.25208, as PDF, SVG and PNG: from its published tables, or from your own runs.

Examples:
    python scripts/generate_figures.py --output-dir paper/figures
    python scripts/generate_figures.py --runs runs --data-dir local_data --output-dir my_figures
    python scripts/generate_figures.py --runs runs --data-dir local_data --variant as_published
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from iemomecp_dataset.benchmark.diagnostics.variant import Variant
from iemomecp_dataset.command_line import option, read_options
from iemomecp_dataset.errors import MissingDataError, UsageError

if TYPE_CHECKING:
    from iemomecp_dataset.benchmark.figures import FigureTables


@dataclass(frozen=True)
class FigureOptions:
    """Options of the command."""

    _dashes = True

    tables: Path | None = option(None, "folder with tables named as the published ones (default: those)", metavar="DIR")
    runs: Path | None = option(None, "folder of runs to draw the figures of, in place of tables", metavar="DIR")
    data_dir: Path | None = option(
        None, "with --runs: the IEMO-MECP data that they were trained on, as for load_dataset"
    )
    variant: Variant | None = option(
        None,
        "with --runs: as_published repeats the paper's analysis with its flaws, for a comparison with its figures; "
        "corrected avoids them: test pairs alone, no self-pairs after removal, each seed by itself, the run's own "
        "decision rule (default: corrected, as figures of new runs should not repeat known flaws; published tables are "
        "as published)",
    )
    output_dir: Path = option(Path("paper/figures"), "folder to write the figures to", written=True)
    formats: tuple[Literal["pdf", "svg", "png"], ...] = option(("pdf", "svg", "png"), "file formats")


def main(arguments: Sequence[str] | None = None) -> None:
    """Draws what can be drawn and names what cannot."""
    options = read_options(FigureOptions, arguments, command="figures", description=__doc__)
    if options.runs is not None and options.tables is not None:
        raise UsageError("Give --tables or --runs, not both.")
    if options.runs is not None and options.data_dir is None:
        raise UsageError("--runs needs --data-dir, from which gold roles and source labels are read.")

    if options.runs is None and options.variant == "corrected":
        raise UsageError("--variant corrected needs --runs: published tables hold the numbers as published alone.")

    from tqdm import tqdm

    from iemomecp_dataset.benchmark.figures import FIGURES, published_tables, tables_in_folder
    from iemomecp_dataset.benchmark.figures.style import save

    if options.runs is not None:
        tables = _tables_of_runs(options.runs, str(options.data_dir), options.variant or "corrected")
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


def _tables_of_runs(runs: Path, data_dir: str, variant: Variant) -> FigureTables:
    from iemomecp_dataset.benchmark.diagnostics.pair_facts import pair_facts
    from iemomecp_dataset.benchmark.figures.from_runs import tables_of_runs
    from iemomecp_dataset.benchmark.figures.usable_runs import usable_runs
    from iemomecp_dataset.benchmark.runs.index import index_runs
    from iemomecp_dataset.builder import load

    index = index_runs(runs)
    for remark in index.remarks:
        print(remark)
    splits = load("3class", data_dir=data_dir)
    facts = {split: pair_facts(rows) for split, rows in splits.items()}
    usable, unusable = usable_runs(index.runs, facts)
    tables = tables_of_runs(usable, facts, variant=variant)
    for name, reason in {**{str(folder): why for folder, why in unusable.items()}, **tables.left_out}.items():
        print(f"left out: {name}: {reason}")
    return tables
