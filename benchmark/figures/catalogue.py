"""The ten figures, by name and in order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from iemomecp_dataset.benchmark.figures.binary_axis import binary_axis_by_family, binary_axis_geometry
from iemomecp_dataset.benchmark.figures.confusions import family_confusions
from iemomecp_dataset.benchmark.figures.context_channel import context_channel
from iemomecp_dataset.benchmark.figures.matched_contrast import matched_contrast
from iemomecp_dataset.benchmark.figures.remap_delta import remap_delta
from iemomecp_dataset.benchmark.figures.role_distances import role_distances
from iemomecp_dataset.benchmark.figures.role_mapping import role_mapping
from iemomecp_dataset.benchmark.figures.shortcut_conflict import shortcut_conflict
from iemomecp_dataset.benchmark.figures.tables import FigureTables
from iemomecp_dataset.benchmark.figures.uncertainty import uncertainty_enrichment

__all__ = ["FIGURES", "PaperFigure"]


@dataclass(frozen=True)
class PaperFigure:
    """One figure of the paper.

    Attributes:
        name: File name without ending.
        shows: What it shows, in a few words.
        draw: Draws it from tables.
    """

    name: str
    shows: str
    draw: Callable[[FigureTables], Any]

    def render(self, tables: FigureTables) -> Any:
        """Draws the figure, with a mark when its numbers are of synthetic data.

        Args:
            tables: Where its numbers come from.

        Returns:
            A matplotlib figure.

        Raises:
            MissingDataError: Its table is not there.
            InvalidDataError: Its table lacks a column.
        """
        figure = self.draw(tables)
        if tables.synthetic:
            # Along the right edge, where no figure has anything.
            edge = 0.16 / figure.get_figwidth()
            figure.get_layout_engine().set(rect=(0, 0, 1 - edge, 1))
            figure.text(1, 0.5, "SYNTHETIC DATA", rotation=270, ha="right", va="center", fontsize=7.5,
                        fontweight="bold", color="#b03a00")  # fmt: skip
        return figure


FIGURES = (
    PaperFigure("01_binary_axis_geometry", "roles on the axis of a binary model", binary_axis_geometry),
    PaperFigure("02_context_channel", "P(context) by gold role", context_channel),
    PaperFigure("03_binary_axis_by_family", "the axis, and removal, by family", binary_axis_by_family),
    PaperFigure("04_matched_contrast", "contexts against matched non-pairs", matched_contrast),
    PaperFigure("05_shortcut_conflict", "pairs on which shortcuts mislead", shortcut_conflict),
    PaperFigure("06_role_mapping", "original binary labels to final roles", role_mapping),
    PaperFigure("07_uncertainty_enrichment", "contexts where a binary model is unsure", uncertainty_enrichment),
    PaperFigure("08_remap_delta", "three-role models scored as binary ones", remap_delta),
    PaperFigure("09_family_confusions", "mean confusion matrices", family_confusions),
    PaperFigure("10_role_distances", "turn distances of each role", role_distances),
)
"""In the order of the paper."""
