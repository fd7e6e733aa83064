"""Draws the ten figures of arXiv 2605.25208 from its published tables or from your own runs."""

from iemomecp_dataset.benchmark.figures.catalogue import FIGURES, PaperFigure
from iemomecp_dataset.benchmark.figures.tables import FigureTables, published_tables, tables_in_folder

__all__ = ["FIGURES", "FigureTables", "PaperFigure", "published_tables", "tables_in_folder"]
