"""Where a figure's numbers come from: tables by name, published, in a folder, or made from runs."""

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
    """Tables in the form of the published ones.

    Attributes:
        origin: What they are of, in a few words.
        tables: By name.
        reasons: By name, why a table is not there.
        synthetic: Whether they are of synthetic data; then every figure says so.
    """

    origin: str
    tables: Mapping[str, pd.DataFrame]
    reasons: Mapping[str, str] = field(default_factory=dict)
    synthetic: bool = False

    def get(self, name: str, *columns: str) -> pd.DataFrame:
        """One table.

        Args:
            name: Its name.
            *columns: Columns that it must have.

        Returns:
            The table.

        Raises:
            MissingDataError: It is not there.
            InvalidDataError: It lacks a column.
        """
        if name not in self.tables:
            raise MissingDataError(self.reasons.get(name) or f"The table {name}.csv is not in {self.origin}.")
        table = self.tables[name]
        missing = [column for column in columns if column not in table.columns]
        if missing:
            raise InvalidDataError(
                f"The table {name} of {self.origin} lacks the columns {', '.join(missing)}; it has "
                f"{', '.join(map(str, table.columns))}."
            )
        return table


def published_tables() -> FigureTables:
    """The tables of arXiv 2605.25208 that come with this package."""
    return FigureTables("arXiv 2605.25208", {name: published_table(name) for name in published_table_names()})


def tables_in_folder(folder: str | Path) -> FigureTables:
    """Tables of a folder, one CSV file each, named as the published ones.

    Args:
        folder: The folder.

    Returns:
        The tables.

    Raises:
        MissingDataError: There is no such folder, or no CSV file in it.
    """
    folder = Path(folder)
    paths = sorted(folder.glob("*.csv")) if folder.is_dir() else []
    if not paths:
        raise MissingDataError(f"{folder} holds no table. Give a folder with CSV files named as the published ones.")
    return FigureTables(str(folder), {path.stem: pd.read_csv(path) for path in paths})
