"""Figure 9: mean confusion matrices of all families."""

from __future__ import annotations

from typing import Any

from iemomecp_dataset.benchmark.figures.style import ROLE_NAMES, paper_figure
from iemomecp_dataset.benchmark.figures.system_names import wrapped
from iemomecp_dataset.benchmark.figures.tables import FigureTables
from iemomecp_dataset.benchmark.published.role_systems import PUBLISHED_FAMILIES, family_name
from iemomecp_dataset.schema import ROLE_LABELS

__all__ = ["draw_family_confusions"]

_COLUMNS = 6
_TITLE_LINE = 17
"""Characters of a line above a matrix: more would run into the name of the next one."""


def draw_family_confusions(tables: FigureTables) -> Any:
    """Draws one 3 x 3 matrix per family: percent of each gold role, mean over seeds."""
    table = tables.get("pair_role_confusion_by_family_long", "family", "gold", "pred", "rate_within_gold_mean")
    families = list(dict.fromkeys(table["family"]))
    # Published families in the order of the paper's table; other families come first, in the order of the data.
    families.sort(key=lambda family: PUBLISHED_FAMILIES.index(family) if family in PUBLISHED_FAMILIES else -1)
    columns = min(_COLUMNS, len(families))
    lines = -(-len(families) // columns)
    names = [ROLE_NAMES[role] for role in ROLE_LABELS]
    titles = [wrapped(family_name(tables.labels.words(family)), _TITLE_LINE) for family in families]
    title_lines = max(title.count("\n") + 1 for title in titles)
    height = 1.4 + 0.12 * (title_lines - 1)
    with paper_figure(max(3.2, 0.7 + 1.15 * columns), 0.6 + height * lines) as figure:
        grid = figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True)
        for axes in grid.flat[len(families) :]:
            axes.set_visible(False)
        for number, (axes, family, title) in enumerate(zip(grid.flat, families, titles, strict=False)):
            rates = table[table["family"] == family].pivot(index="gold", columns="pred", values="rate_within_gold_mean")
            values = 100 * rates.loc[list(ROLE_LABELS), list(ROLE_LABELS)].to_numpy()
            axes.imshow(values, cmap="Blues", vmin=0, vmax=100)
            for i in range(len(names)):
                for j in range(len(names)):
                    axes.text(j, i, f"{values[i, j]:.0f}", ha="center", va="center", fontsize=7,
                              color="white" if values[i, j] > 55 else "black")  # fmt: skip
            axes.set_title(title, fontsize=7.5)
            axes.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor")
            axes.set_yticks(range(len(names)), names)
            axes.tick_params(length=0)
            for spine in axes.spines.values():
                spine.set_visible(False)
            if number + columns >= len(families):
                axes.tick_params(labelbottom=True)
        # A label of the whole figure would stand where the line on what it is based on is.
        grid[-1][0].set_xlabel("predicted role; percent of the gold role", loc="left")
        figure.supylabel("gold role", fontsize=8)
        return figure
