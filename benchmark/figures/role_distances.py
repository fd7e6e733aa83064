"""Figure 10: distribution of turn distances by role."""

from __future__ import annotations

from typing import Any

import numpy as np

from iemomecp_dataset.benchmark.diagnostics.distance_profile import ABSOLUTE_BUCKETS
from iemomecp_dataset.benchmark.figures.style import ROLE_NAMES, legend_above, paper_figure, role_bar
from iemomecp_dataset.benchmark.figures.tables import FigureTables
from iemomecp_dataset.schema import ROLE_LABELS

__all__ = ["draw_role_distances"]


def draw_role_distances(tables: FigureTables) -> Any:
    """Draws the share of each role's pairs by turn distance, over all splits."""
    table = tables.get("distance_distribution_by_split_label", "split", "label", "distance_bucket", "count")
    table = table[~table["split"].isin(["overall", "all"])]
    counts = table.astype({"distance_bucket": str}).pivot_table(
        index="distance_bucket", columns="label", values="count", aggfunc="sum", fill_value=0
    )
    counts = counts.reindex(index=list(ABSOLUTE_BUCKETS), columns=list(ROLE_LABELS), fill_value=0)
    with paper_figure(4.6, 2.3) as figure:
        axes = figure.subplots()
        places = np.arange(len(counts))
        for number, role in enumerate(ROLE_LABELS):
            share = 100 * counts[role] / counts[role].sum()
            label = f"{ROLE_NAMES[role]} ({counts[role].sum():,})"
            axes.bar(places + 0.28 * (number - 1), share, width=0.28, label=label, **role_bar(role))
        axes.set_xticks(places, list(counts.index))
        axes.tick_params(axis="x", length=0)
        axes.grid(axis="y")
        axes.set_xlabel("absolute distance between target and candidate, turns")
        axes.set_ylabel("share of the role's pairs, %")
        legend_above(figure, axes)
        return figure
