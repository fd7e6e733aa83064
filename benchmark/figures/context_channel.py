"""Figure 2: mean P(context) by gold role, and its drop when the candidate is removed."""

from __future__ import annotations

from typing import Any

import numpy as np

from iemomecp_dataset.benchmark.figures.style import GRAY, ROLE_NAMES, paper_figure, role_bar
from iemomecp_dataset.benchmark.figures.system_names import name_one_system
from iemomecp_dataset.benchmark.figures.tables import FigureTables

__all__ = ["draw_context_channel"]

_CHANNEL = "figure_context_channel_threeclass"


def draw_context_channel(tables: FigureTables) -> Any:
    """Draws mean P(emo_context) by role as bars; a line marks the drop when the candidate is removed."""
    table = tables.get(_CHANNEL, "gold_role", "prob_emo_context_mean", "model_source")
    delta = "delta_emo_context_after_removal_mean"
    with paper_figure(3.4, 2.2) as figure:
        axes = figure.subplots()
        for place, (_, row) in enumerate(table.iterrows()):
            role, mean = row["gold_role"], row["prob_emo_context_mean"]
            axes.bar(place, mean, width=0.62, label=role, **role_bar(role))
            axes.annotate(f"{mean:.3f}", (place, mean), xytext=(0, 2), textcoords="offset points", ha="center",
                          fontsize=7.5)  # fmt: skip
        if delta in table and table[delta].notna().any():
            places = np.arange(len(table))
            axes.hlines(table[delta], places - 0.31, places + 0.31, color="black", linewidth=1.6)
            axes.annotate("drop after\nremoval", (len(table) - 0.69, table[delta].iloc[-1]), xytext=(5, 0),
                          textcoords="offset points", va="center", fontsize=7, color=GRAY)  # fmt: skip
            axes.margins(x=0.16)
        axes.set_xticks(range(len(table)), [ROLE_NAMES[role] for role in table["gold_role"]])
        axes.set_xlabel("gold role")
        axes.tick_params(axis="x", length=0)
        axes.grid(axis="y")
        axes.set_ylabel("mean P(context)")
        name_one_system(
            figure, axes, tables.labels.words(str(table["model_source"].iloc[0])), tables.chosen.get(_CHANNEL, "")
        )
        return figure
