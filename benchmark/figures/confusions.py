"""Figure 9: mean confusion matrices of all families."""

from __future__ import annotations

from typing import Any

from iemomecp_dataset.benchmark.figures.style import ROLE_NAMES, paper_figure
from iemomecp_dataset.benchmark.figures.tables import FigureTables
from iemomecp_dataset.benchmark.published.role_systems import PUBLISHED_FAMILIES, family_name
from iemomecp_dataset.schema import ROLE_LABELS

__all__ = ["draw_family_confusions"]

_COLUMNS = 6


def draw_family_confusions(tables: FigureTables) -> Any:
    """Draws one 3 x 3 matrix per family: percent of each gold role, mean over seeds."""
    table = tables.get("pair_role_confusion_by_family_long", "family", "gold", "pred", "rate_within_gold_mean")
    families = list(dict.fromkeys(table["family"]))
    # Published families in the order of the paper's table; other families come first, in the order of the data.
    families.sort(key=lambda family: PUBLISHED_FAMILIES.index(family) if family in PUBLISHED_FAMILIES else -1)
    columns = min(_COLUMNS, len(families))
    lines = -(-len(families) // columns)
    names = [ROLE_NAMES[role] for role in ROLE_LABELS]
    with paper_figure(0.7 + 1.15 * columns, 0.35 + 1.4 * lines) as figure:
        grid = figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True)
        for axes in grid.flat[len(families) :]:
            axes.set_visible(False)
        for number, (axes, family) in enumerate(zip(grid.flat, families, strict=False)):
            rates = table[table["family"] == family].pivot(index="gold", columns="pred", values="rate_within_gold_mean")
            values = 100 * rates.loc[list(ROLE_LABELS), list(ROLE_LABELS)].to_numpy()
            axes.imshow(values, cmap="Blues", vmin=0, vmax=100)
            for i in range(len(names)):
                for j in range(len(names)):
                    axes.text(j, i, f"{values[i, j]:.0f}", ha="center", va="center", fontsize=7,
                              color="white" if values[i, j] > 55 else "black")  # fmt: skip
            axes.set_title(family_name(family), fontsize=7.5)
            axes.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor")
            axes.set_yticks(range(len(names)), names)
            axes.tick_params(length=0)
            for spine in axes.spines.values():
                spine.set_visible(False)
            if number + columns >= len(families):
                axes.tick_params(labelbottom=True)
        figure.supxlabel("predicted role; percent of the gold role", fontsize=8)
        figure.supylabel("gold role", fontsize=8)
        return figure
