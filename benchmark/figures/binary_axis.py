"""Figures 1 and 3: mean P(pair) of a binary model by gold role, and its drop when the candidate is removed."""

from __future__ import annotations

from typing import Any

from iemomecp_dataset.benchmark.figures.style import GRAY, INK, ROLE_COLORS, ROLE_NAMES, legend_above, paper_figure
from iemomecp_dataset.benchmark.figures.system_names import name_one_system, names_on_axis
from iemomecp_dataset.benchmark.figures.tables import FigureTables

__all__ = ["draw_binary_axis_by_family", "draw_binary_axis_geometry"]

_GEOMETRY = "figure_binary_axis_role_geometry"
_ROLE_MARKERS = {"emo_cause": "o", "emo_context": "s", "non_pair": "D"}


def draw_binary_axis_geometry(tables: FigureTables) -> Any:
    """Draws mean P(pair) of the three roles on one line, with coordinates from 0 (non-pair) to 1 (cause)."""
    table = tables.get(_GEOMETRY, "gold_role", "prob_pair_mean", "binary_axis_coordinate", "model_source")
    with paper_figure(3.4, 1.65) as figure:
        axes = figure.subplots()
        means = table.set_index("gold_role")["prob_pair_mean"]
        axes.plot([means["non_pair"], means["emo_cause"]], [0, 0], color=GRAY, linewidth=1, zorder=1)
        for _, row in table.iterrows():
            role = row["gold_role"]
            axes.plot(row["prob_pair_mean"], 0, _ROLE_MARKERS[role], color=ROLE_COLORS[role], markersize=8,
                      markeredgecolor=INK, markeredgewidth=0.6, zorder=2, label=role)  # fmt: skip
            above = role == "emo_context"
            axes.annotate(
                f"{ROLE_NAMES[role]}\n{row['binary_axis_coordinate']:.2f}",
                (row["prob_pair_mean"], 0),
                xytext=(0, 9 if above else -9),
                textcoords="offset points",
                ha="center",
                va="bottom" if above else "top",
                fontsize=7.5,
            )
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.margins(x=0.12, y=1.0)
        axes.set_xlabel("mean P(pair); numbers: axis coordinates")
        name_one_system(
            figure, axes, tables.labels.words(str(table["model_source"].iloc[0])), tables.chosen.get(_GEOMETRY, "")
        )
        return figure


def draw_binary_axis_by_family(tables: FigureTables) -> Any:
    """Draws mean P(pair) by role for every family, and its drop when the candidate is removed."""
    table = tables.get(
        "binary_axis_and_removal_by_family_long", "family", "gold_role", "prob_pair_mean", "prob_pair_std"
    )
    families = list(dict.fromkeys(table["family"]))
    panels = [("prob_pair", "mean P(pair)")]
    if "delta_pair_mean" in table and table["delta_pair_mean"].notna().any():
        panels.append(("delta_pair", "drop in P(pair) when the candidate is removed"))
    with paper_figure(3.5 * len(panels), 0.7 + 0.26 * len(families)) as figure:
        all_axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axes, (column, label) in zip(all_axes, panels, strict=True):
            for role, rows in table.groupby("gold_role"):
                rows = rows.set_index("family").loc[families]
                axes.errorbar(rows[f"{column}_mean"], range(len(families)), xerr=rows[f"{column}_std"],
                              fmt=_ROLE_MARKERS[str(role)], color=ROLE_COLORS[str(role)], markeredgecolor=INK,
                              markeredgewidth=0.4, elinewidth=1, label=ROLE_NAMES[str(role)])  # fmt: skip
            axes.grid(axis="y")
            axes.tick_params(axis="y", length=0)
            axes.set_xlabel(label)
            if column == "delta_pair":
                axes.axvline(0, color=GRAY, linewidth=1, zorder=0)
        names_on_axis(figure, all_axes[0], [tables.labels.words(family) for family in families])
        all_axes[0].set_ylim(len(families) - 0.4, -0.6)
        legend_above(figure, all_axes[0])
        return figure
