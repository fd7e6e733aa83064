"""The tables that the figures are drawn from: published, read from a folder, or computed from runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from iemomecp_dataset.benchmark.diagnostics.catalogue import Pooling
from iemomecp_dataset.benchmark.diagnostics.variant import Variant
from iemomecp_dataset.benchmark.published.tables import published_table, published_table_names
from iemomecp_dataset.benchmark.row_labels import RowLabels
from iemomecp_dataset.errors import InvalidDataError, MissingDataError

__all__ = ["FigureTables", "basis_text", "published_tables", "tables_in_folder"]


@dataclass(frozen=True)
class FigureTables:
    """Tables with the names and columns of the published ones.

    Attributes:
        origin: Where the numbers come from, in a few words.
        tables: Tables by name.
        reasons: By name, why a table is missing.
        synthetic: Whether the numbers come from synthetic data; every figure is then marked.
        basis: By name, the variant, split and pooling of a table (:func:`basis_text`), which its figure states.
        left_out: By name of the run, why it is in no table.
        chosen: By name of a table about one system, why it is this one.
        labels: What figures call the systems whose names are in the tables; by default as the tables do.
    """

    origin: str
    tables: Mapping[str, pd.DataFrame]
    reasons: Mapping[str, str] = field(default_factory=dict)
    synthetic: bool = False
    basis: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    chosen: Mapping[str, str] = field(default_factory=dict)
    labels: RowLabels = field(default_factory=lambda: RowLabels(()))

    def get(self, name: str, *columns: str) -> pd.DataFrame:
        """Looks up a table and checks its columns.

        Args:
            name: Name of the table.
            *columns: Required columns.

        Returns:
            The table.

        Raises:
            MissingDataError: The table is missing.
            InvalidDataError: A required column is missing.
        """
        if name not in self.tables:
            raise MissingDataError(self.reasons.get(name) or f"The table {name}.csv is not in {self.origin}.")
        table = self.tables[name]
        missing = [column for column in columns if column not in table.columns]
        if missing:
            raise InvalidDataError(
                f"The table {name} of {self.origin} lacks the columns {', '.join(missing)}; its columns are "
                f"{', '.join(map(str, table.columns))}."
            )
        return table


_POOLINGS: dict[Pooling, str] = {
    "per_run": "one run",
    "mean_over_seeds": "mean over seeds",
    "pooled_over_seeds": "pairs of all seeds pooled",
    "seed_average": "probabilities averaged over seeds",
}


def basis_text(variant: Variant, split: str, pooling: Pooling, seeds: Iterable[str]) -> str:
    """Words what the numbers of a figure are based on.

    Args:
        variant: Variant of the diagnostic.
        split: The split; several are joined by ``+``.
        pooling: How runs became one number.
        seeds: The seeds of each system, joined by ``+``; they are named where all systems have the same.

    Returns:
        One line.

    Example:
        >>> basis_text("corrected", "test", "mean_over_seeds", ["42+123", "42+123"])
        'corrected · test · mean over seeds 42, 123'
    """
    different = sorted(set(seeds))
    words = _POOLINGS[pooling]
    if len(different) == 1:
        shown = different[0].replace("+", ", ")
        words = f"{words} {shown}" if words.endswith("seeds") else f"{words} ({shown})"
    return " · ".join((variant.replace("_", " "), split.replace("+", " + "), words))


def published_tables() -> FigureTables:
    """Returns the tables of arXiv 2605.25208, which are part of this package."""
    tables = {name: published_table(name) for name in published_table_names()}
    basis = {
        name: basis_text("as_published", split, pooling, ["42+123+456"])
        for name, (split, pooling) in _PUBLISHED_BASIS.items()
    }
    data = dict.fromkeys(_PUBLISHED_DATA, "labels of the data, no model · train, validation, test")
    return FigureTables("arXiv 2605.25208", tables, basis=basis | data)


_PUBLISHED_BASIS: dict[str, tuple[str, Pooling]] = {
    "figure_binary_axis_role_geometry": ("test", "mean_over_seeds"),
    "figure_context_channel_threeclass": ("test", "mean_over_seeds"),
    "binary_axis_and_removal_by_family_long": ("test", "mean_over_seeds"),
    "matched_pair_contrast_by_family_appendix": ("test", "pooled_over_seeds"),
    "shortcut_conflict_subsets_by_family_appendix": ("test", "pooled_over_seeds"),
    "rwc_fusion_uncertainty_enrichment": ("train+validation+test", "seed_average"),
    "source_binary_remap_summary": ("test", "mean_over_seeds"),
    "pair_role_confusion_by_family_long": ("test", "mean_over_seeds"),
}
"""Split and pooling of the published tables, which follow from their counts of pairs and runs."""

_PUBLISHED_DATA = ("original_binary_to_final_role_transition", "distance_distribution_by_split_label")


def tables_in_folder(folder: str | Path) -> FigureTables:
    """Reads all CSV files of a folder as tables; files are named like the published tables.

    Args:
        folder: The folder.

    Returns:
        The tables.

    Raises:
        MissingDataError: The folder does not exist or contains no CSV file.
    """
    folder = Path(folder)
    paths = sorted(folder.glob("*.csv")) if folder.is_dir() else []
    if not paths:
        raise MissingDataError(
            f"{folder} holds no table. Give a folder with CSV files named like the published tables."
        )
    return FigureTables(str(folder), {path.stem: pd.read_csv(path) for path in paths})
