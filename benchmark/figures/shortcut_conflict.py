"""Figure 5: mean probabilities on pairs where a shortcut and the gold role disagree, by family."""

from __future__ import annotations

from typing import Any

from iemomecp_dataset.benchmark.figures.style import GRAY, INK, MARKERS, SERIES, legend_above, paper_figure
from iemomecp_dataset.benchmark.figures.system_names import names_on_axis
from iemomecp_dataset.benchmark.figures.tables import FigureTables

__all__ = ["draw_shortcut_conflict"]

_SUBSETS = {
    "local_non_pair": "near non-pair",
    "long_distance_emo_cause": "far cause",
    "source_nonpair_emo_context": "context, source non-pair",
    "source_pair_not_cause": "not a cause, source pair",
}
_PANELS = (
    ("binary", "prob_pair_mean", "mean P(pair), binary model"),
    ("three_class_context", "prob_emo_context_mean", "mean P(context), three-role model"),
)


def draw_shortcut_conflict(tables: FigureTables) -> Any:
    """Draws one line per family, and one marker per subset of the pairs."""
    table = tables.get("shortcut_conflict_subsets_by_family_appendix", "source", "family", "conflict_subset")
    panels = [panel for panel in _PANELS if (table["source"] == panel[0]).any()]
    families = list(dict.fromkeys(table["family"]))
    subsets = [subset for subset in _SUBSETS if (table["conflict_subset"] == subset).any()]
    with_values = table.dropna(subset=[column for _, column, _ in panels], how="all")["conflict_subset"].unique()
    names = {subset: _SUBSETS[subset] + ("" if subset in with_values else " (no such pairs)") for subset in subsets}
    with paper_figure(3.5 * len(panels), 0.75 + 0.3 * len(families)) as figure:
        all_axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axes, (source, column, label) in zip(all_axes, panels, strict=True):
            rows = table[table["source"] == source].set_index(["family", "conflict_subset"])[column]
            for number, subset in enumerate(subsets):
                known = [place for place, family in enumerate(families) if (family, subset) in rows]
                shift = 0.16 * (number - (len(subsets) - 1) / 2)
                axes.plot([rows[families[place], subset] for place in known], [place + shift for place in known],
                          MARKERS[number], color=SERIES[number], markeredgecolor=INK, markeredgewidth=0.3,
                          label=names[subset], linestyle="none")  # fmt: skip
            axes.tick_params(axis="y", length=0)
            axes.grid(axis="x")
            axes.set_xlabel(label)
            axes.hlines([place + 0.5 for place in range(len(families) - 1)], 0, 1, color=GRAY, linewidth=0.3,
                        transform=axes.get_yaxis_transform(), zorder=0)  # fmt: skip
        names_on_axis(figure, all_axes[0], [tables.labels.words(family) for family in families])
        all_axes[0].set_ylim(len(families) - 0.45, -0.55)
        legend_above(figure, all_axes[0], columns=len(subsets))
        return figure
