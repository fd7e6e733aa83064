"""Figure 8: Pair F1 of three-role models on binary labels, against models trained on binary labels."""

from __future__ import annotations

from typing import Any

from iemomecp_dataset.benchmark.figures.style import GRAY, INK, MARKERS, SERIES, legend_above, paper_figure
from iemomecp_dataset.benchmark.figures.system_names import names_on_axis
from iemomecp_dataset.benchmark.figures.tables import FigureTables

__all__ = ["draw_remap_delta"]


def draw_remap_delta(tables: FigureTables) -> Any:
    """Draws the difference in Pair F1 for each mapping of predicted contexts, with its sd over seeds."""
    table = tables.get(
        "source_binary_remap_summary",
        "model_label",
        "strategy_order",
        "strategy_label",
        "delta_f1_vs_original_mean",
        "delta_f1_vs_original_std",
    )
    table = table[table["strategy_order"] > 0]
    models = list(dict.fromkeys(table["model_label"]))
    with paper_figure(4.6, 1.0 + 0.34 * len(models)) as figure:
        axes = figure.subplots()
        strategies = list(dict.fromkeys(table["strategy_label"]))
        for number, strategy in enumerate(strategies):
            rows = table[table["strategy_label"] == strategy].set_index("model_label")
            found = [model for model in models if model in rows.index]
            shift = 0.18 * (number - (len(strategies) - 1) / 2)
            axes.errorbar(100 * rows.loc[found, "delta_f1_vs_original_mean"], [models.index(m) + shift for m in found],
                          xerr=100 * rows.loc[found, "delta_f1_vs_original_std"], fmt=MARKERS[number],
                          color=SERIES[number], markeredgecolor=INK, markeredgewidth=0.3, elinewidth=1,
                          label=strategy.replace("->", "\N{RIGHTWARDS ARROW}"))  # fmt: skip
        axes.axvline(0, color=GRAY, linewidth=1)
        names_on_axis(figure, axes, [tables.labels.words(model) for model in models])
        axes.grid(axis="x")
        axes.set_ylim(len(models) - 0.4, -0.6)
        axes.set_xlabel("difference in Pair F1 to the\nbinary-trained model, points")
        legend_above(figure, axes, columns=len(strategies))
        return figure
