"""Figure 5: mean probabilities on pairs where a shortcut and the gold role disagree, by family."""

from __future__ import annotations

from typing import Any

from iemomecp_dataset.benchmark.figures.style import INK, MARKERS, SERIES, legend_above, paper_figure
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
    """Draws one line per subset and one marker per family."""
    table = tables.get("shortcut_conflict_subsets_by_family_appendix", "source", "family", "conflict_subset")
    panels = [panel for panel in _PANELS if (table["source"] == panel[0]).any()]
    families = list(dict.fromkeys(table["family"]))
    subsets = [subset for subset in _SUBSETS if (table["conflict_subset"] == subset).any()]
    with paper_figure(3.5 * len(panels), 2.6) as figure:
        all_axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axes, (source, column, label) in zip(all_axes, panels, strict=True):
            rows = table[table["source"] == source].set_index(["family", "conflict_subset"])[column]
            for number, family in enumerate(families):
                known = [place for place, subset in enumerate(subsets) if (family, subset) in rows]
                shift = min(0.16, 0.64 / max(1, len(families) - 1)) * (number - (len(families) - 1) / 2)
                axes.plot([rows[family, subsets[place]] for place in known], [place + shift for place in known],
                          MARKERS[number % len(MARKERS)], color=SERIES[number % len(SERIES)], markeredgecolor=INK,
                          markeredgewidth=0.3, label=family)  # fmt: skip
            axes.set_yticks(range(len(subsets)), [_SUBSETS[subset] for subset in subsets])
            axes.tick_params(axis="y", length=0)
            axes.grid(axis="x")
            axes.margins(y=0.12)
            axes.set_xlabel(label)
        all_axes[0].invert_yaxis()
        legend_above(figure, all_axes[0], columns=6)
        return figure
