"""Figure 4: context pairs against matched non-pairs, by family."""

from __future__ import annotations

from typing import Any

from iemomecp_dataset.benchmark.figures.style import GRAY, INK, ROLE_COLORS, ROLE_NAMES, legend_above, paper_figure
from iemomecp_dataset.benchmark.figures.system_names import names_on_axis
from iemomecp_dataset.benchmark.figures.tables import FigureTables

__all__ = ["draw_matched_contrast"]

_PANELS = (
    ("binary_prob_pair", "binary_prob_pair", "mean P(pair), binary model"),
    ("three_prob_context", "three_prob_emo_context", "mean P(context), three-role model"),
)


def draw_matched_contrast(tables: FigureTables) -> Any:
    """Draws one dumbbell per family: mean over context pairs and mean over their matched non-pairs."""
    table = tables.get("matched_pair_contrast_by_family_appendix", "analysis", "family")
    panels = [panel for panel in _PANELS if (table["analysis"] == panel[0]).any()]
    families = list(dict.fromkeys(table["family"]))
    with paper_figure(3.5 * len(panels), 0.75 + 0.27 * len(families)) as figure:
        all_axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axes, (analysis, column, label) in zip(all_axes, panels, strict=True):
            rows = table[table["analysis"] == analysis].set_index("family")
            for place, family in enumerate(families):
                if family not in rows.index:
                    continue
                context, non_pair = (rows.loc[family, f"{role}_{column}_mean"] for role in ("context", "non_pair"))
                axes.plot([non_pair, context], [place, place], color=GRAY, linewidth=1.5, zorder=1)
                for value, role, marker in ((context, "emo_context", "s"), (non_pair, "non_pair", "D")):
                    name = ROLE_NAMES[role] if role == "emo_context" else "matched non-pair"
                    axes.plot(value, place, marker, color=ROLE_COLORS[role], markeredgecolor=INK, markeredgewidth=0.4,
                              markersize=6, label=name if family == rows.index[0] else None)  # fmt: skip
            axes.tick_params(axis="y", length=0)
            axes.grid(axis="x")
            axes.margins(x=0.12)
            axes.set_xlabel(label)
        names_on_axis(figure, all_axes[0], [tables.labels.words(family) for family in families])
        all_axes[0].set_ylim(len(families) - 0.4, -0.6)
        legend_above(figure, all_axes[0], columns=2)
        return figure
