"""Figure 5: what families say where shortcuts and gold roles disagree."""

from __future__ import annotations

from typing import Any

from iemomecp_dataset.benchmark.figures.style import INK, MARKERS, SERIES, new_figure
from iemomecp_dataset.benchmark.figures.tables import FigureTables

__all__ = ["shortcut_conflict"]

_SUBSETS = {
    "local_non_pair": "near non-pair",
    "long_distance_emo_cause": "far cause",
    "source_nonpair_emo_context": "context, source non-pair",
    "source_pair_not_cause": "no cause, source pair",
}
_PANELS = (
    ("binary", "prob_pair_mean", "mean P(pair), binary model"),
    ("three_class_context", "prob_emo_context_mean", "mean P(context), three roles"),
)


def shortcut_conflict(tables: FigureTables) -> Any:
    """One line a subset, one marker a family."""
    table = tables.get("shortcut_conflict_subsets_by_family_appendix", "source", "family", "conflict_subset")
    panels = [panel for panel in _PANELS if (table["source"] == panel[0]).any()]
    families = list(dict.fromkeys(table["family"]))
    subsets = [subset for subset in _SUBSETS if (table["conflict_subset"] == subset).any()]
    with new_figure(3.5 * len(panels), 2.6) as figure:
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
        handles, labels = all_axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=min(6, len(labels)))
        return figure
