"""Lists the ten figures by name, in the order of the paper."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from iemomecp_dataset.benchmark.figures.binary_axis import draw_binary_axis_by_family, draw_binary_axis_geometry
from iemomecp_dataset.benchmark.figures.confusions import draw_family_confusions
from iemomecp_dataset.benchmark.figures.context_channel import draw_context_channel
from iemomecp_dataset.benchmark.figures.matched_contrast import draw_matched_contrast
from iemomecp_dataset.benchmark.figures.remap_delta import draw_remap_delta
from iemomecp_dataset.benchmark.figures.role_distances import draw_role_distances
from iemomecp_dataset.benchmark.figures.role_mapping import draw_role_mapping
from iemomecp_dataset.benchmark.figures.shortcut_conflict import draw_shortcut_conflict
from iemomecp_dataset.benchmark.figures.style import GRAY
from iemomecp_dataset.benchmark.figures.system_names import wrapped
from iemomecp_dataset.benchmark.figures.tables import FigureTables
from iemomecp_dataset.benchmark.figures.uncertainty import draw_uncertainty_enrichment

__all__ = ["FIGURES", "PaperFigure"]

_BASIS_CHARACTERS = 20
"""Characters per inch of the line below a figure."""


@dataclass(frozen=True)
class PaperFigure:
    """One figure of the paper.

    Attributes:
        name: File name without extension.
        shows: Subject of the figure, in a few words.
        table: Name of the table it is drawn from.
        draw: Function that draws the figure from tables.
    """

    name: str
    shows: str
    table: str
    draw: Callable[[FigureTables], Any]

    def render(self, tables: FigureTables) -> Any:
        """Draws the figure, states variant, split and pooling below it, and marks numbers from synthetic data.

        Args:
            tables: Tables to draw from.

        Returns:
            A matplotlib figure.

        Raises:
            MissingDataError: The table of this figure is missing.
            InvalidDataError: A column of its table is missing.
        """
        figure = self.draw(tables)
        basis = tables.basis.get(self.table, "")
        basis = wrapped(basis, int(_BASIS_CHARACTERS * figure.get_figwidth()))
        lines = basis.count("\n") + 1 if basis else 0
        # Along the right edge and below, which are empty in every figure.
        figure.set_figheight(figure.get_figheight() + 0.11 * max(0, lines - 1))
        right = 0.16 / figure.get_figwidth() if tables.synthetic else 0
        below = (0.05 + 0.11 * lines) / figure.get_figheight()
        figure.get_layout_engine().set(rect=(0, below, 1 - right, 1 - below))
        if basis:
            figure.text(0.5, 0, basis, ha="center", va="bottom", fontsize=6.5, color=GRAY)
        if tables.synthetic:
            figure.text(1, 0.5, "SYNTHETIC DATA", rotation=270, ha="right", va="center", fontsize=7.5,
                        fontweight="bold", color="#b03a00")  # fmt: skip
        return figure


FIGURES = (
    PaperFigure(
        "01_binary_axis_geometry",
        "roles on the axis of a binary model",
        "figure_binary_axis_role_geometry",
        draw_binary_axis_geometry,
    ),
    PaperFigure(
        "02_context_channel", "P(context) by gold role", "figure_context_channel_threeclass", draw_context_channel
    ),
    PaperFigure(
        "03_binary_axis_by_family",
        "binary axis and candidate removal by family",
        "binary_axis_and_removal_by_family_long",
        draw_binary_axis_by_family,
    ),
    PaperFigure(
        "04_matched_contrast",
        "contexts against matched non-pairs",
        "matched_pair_contrast_by_family_appendix",
        draw_matched_contrast,
    ),
    PaperFigure(
        "05_shortcut_conflict",
        "pairs on which shortcuts mislead",
        "shortcut_conflict_subsets_by_family_appendix",
        draw_shortcut_conflict,
    ),
    PaperFigure(
        "06_role_mapping",
        "final roles of the original binary labels",
        "original_binary_to_final_role_transition",
        draw_role_mapping,
    ),
    PaperFigure(
        "07_uncertainty_enrichment",
        "contexts among uncertain pairs",
        "rwc_fusion_uncertainty_enrichment",
        draw_uncertainty_enrichment,
    ),
    PaperFigure(
        "08_remap_delta", "three-role models scored on binary labels", "source_binary_remap_summary", draw_remap_delta
    ),
    PaperFigure(
        "09_family_confusions", "mean confusion matrices", "pair_role_confusion_by_family_long", draw_family_confusions
    ),
    PaperFigure(
        "10_role_distances", "turn distances by role", "distance_distribution_by_split_label", draw_role_distances
    ),
)
"""In the order of the paper."""
