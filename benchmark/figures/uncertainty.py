"""Figure 7: share of context pairs among the pairs on which a binary model is uncertain."""

from __future__ import annotations

from typing import Any

from iemomecp_dataset.benchmark.figures.style import GRAY, SERIES, paper_figure
from iemomecp_dataset.benchmark.figures.system_names import name_one_system
from iemomecp_dataset.benchmark.figures.tables import FigureTables

__all__ = ["draw_uncertainty_enrichment"]

_ENRICHMENT = "rwc_fusion_uncertainty_enrichment"

_WHITE_BOX = {"boxstyle": "square,pad=0.15", "facecolor": "white", "linewidth": 0}


def draw_uncertainty_enrichment(tables: FigureTables) -> Any:
    """Draws the share of context pairs in each selection, beside their share among all pairs."""
    table = tables.get(
        _ENRICHMENT,
        "selection_label",
        "n",
        "emo_context_rate",
        "all_context_rate",
        "context_lift_vs_all",
        "model_source",
    )
    table = table.sort_values("emo_context_rate", ascending=False, kind="stable")
    with paper_figure(5.2, 0.75 + 0.28 * len(table)) as figure:
        axes = figure.subplots()
        places = range(len(table))
        axes.barh(places, 100 * table["emo_context_rate"], height=0.66, color=SERIES[4])
        for place, (_, row) in enumerate(table.iterrows()):
            lift = f"\N{MULTIPLICATION SIGN} {row['context_lift_vs_all']:.2f}"
            axes.annotate(lift, (100 * row["emo_context_rate"], place), xytext=(4, 0), textcoords="offset points",
                          va="center", fontsize=7.5, bbox=_WHITE_BOX)  # fmt: skip
        base = 100 * float(table["all_context_rate"].iloc[0])
        axes.axvline(base, color=GRAY, linestyle=(0, (4, 3)), linewidth=1)
        axes.annotate(f"all pairs {base:.2f}", (base, -0.5), xytext=(3, 2), textcoords="offset points", fontsize=7,
                      color=GRAY, va="bottom")  # fmt: skip
        labels = [f"{row['selection_label']} ({row['n']:,.0f})" for _, row in table.iterrows()]
        axes.set_yticks(places, labels)
        axes.tick_params(axis="y", length=0)
        axes.invert_yaxis()
        axes.margins(x=0.14)
        axes.set_xlabel("context pairs among the selected pairs, %")
        name_one_system(
            figure,
            axes,
            tables.labels.words(str(table["model_source"].iloc[0])),
            tables.chosen.get(_ENRICHMENT, ""),
            pad=14,
        )
        return figure
