"""Figure 6: final roles of the pairs by their original binary label."""

from __future__ import annotations

from typing import Any

from iemomecp_dataset.benchmark.figures.style import ROLE_NAMES, legend_above, paper_figure, role_bar
from iemomecp_dataset.benchmark.figures.tables import FigureTables
from iemomecp_dataset.schema import ROLE_LABELS

__all__ = ["draw_role_mapping"]

_WHITE_BOX = {"boxstyle": "round,pad=0.15", "facecolor": "white", "linewidth": 0}
_SPLITS = {"valid": "validation"}
_ORIGINAL = {"orig_pair": "pair", "orig_non_pair": "non-pair"}


def draw_role_mapping(tables: FigureTables) -> Any:
    """Draws one stacked bar per split and original label: shares of the final roles."""
    table = tables.get(
        "original_binary_to_final_role_transition", "split", "original_binary_role", "total", *ROLE_LABELS
    )
    known = [split for split in ("overall", "train", "valid", "validation", "test") if (table["split"] == split).any()]
    rows = [(original, split) for original in _ORIGINAL for split in known]
    counts = table.set_index(["original_binary_role", "split"])
    with paper_figure(5.2, 0.8 + 0.27 * len(rows)) as figure:
        axes = figure.subplots()
        for place, (original, split) in enumerate(rows):
            row = counts.loc[(original, split)]
            left = 0.0
            for role in ROLE_LABELS:
                share = 100 * row[role] / row["total"]
                label = None if place else ROLE_NAMES[role]
                axes.barh(place, share, left=left, height=0.72, label=label, **role_bar(role))
                if share > 4:
                    middle = left + share / 2
                    axes.text(middle, place, f"{share:.1f}", ha="center", va="center", fontsize=7, bbox=_WHITE_BOX)
                left += share
            axes.annotate(f"{int(row['total']):,}", (100, place), xytext=(4, 0), textcoords="offset points",
                          va="center", fontsize=7)  # fmt: skip
        axes.set_yticks(
            range(len(rows)), [f"{_ORIGINAL[original]}, {_SPLITS.get(split, split)}" for original, split in rows]
        )
        axes.tick_params(axis="y", length=0)
        axes.invert_yaxis()
        axes.margins(x=0, y=0.02)
        axes.set_xlabel("share of the pairs with that original label, %; counts on the right")
        legend_above(figure, axes)
        return figure
