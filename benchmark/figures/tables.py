"""The tables that the figures are drawn from: published, read from a folder, or computed from runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from iemomecp_dataset.benchmark.published.tables import published_table, published_table_names
from iemomecp_dataset.errors import InvalidDataError, MissingDataError

__all__ = ["FigureTables", "published_tables", "tables_in_folder"]


@dataclass(frozen=True)
class FigureTables:
    """Tables with the names and columns of the published ones.

    Attributes:
        origin: Where the numbers come from, in a few words.
        tables: Tables by name.
        reasons: By name, why a table is missing.
        synthetic: Whether the numbers come from synthetic data; every figure is then marked.
    """

    origin: str
    tables: Mapping[str, pd.DataFrame]
    reasons: Mapping[str, str] = field(default_factory=dict)
    synthetic: bool = False

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


def published_tables() -> FigureTables:
    """Returns the tables of arXiv 2605.25208, which are part of this package."""
    return FigureTables("arXiv 2605.25208", {name: published_table(name) for name in published_table_names()})


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
