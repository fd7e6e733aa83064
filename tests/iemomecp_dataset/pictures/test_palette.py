"""The one palette: the same names light and dark, and legible."""

from __future__ import annotations

import re

import pytest

from iemomecp_dataset.benchmark.report import svg
from iemomecp_dataset.pictures import conversation_style
from iemomecp_dataset.pictures.palette import DARK, LIGHT, palette_css


def luminance(color: str) -> float:
    """Relative luminance of WCAG 2."""
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("colors", [LIGHT, DARK], ids=["light", "dark"])
def test_text_is_legible(colors: dict[str, str]) -> None:
    assert contrast(colors["ink"], colors["paper"]) > 12
    for text, ground in (("muted", "paper"), ("muted", "panel"), ("warn-ink", "warn-paper"), ("accent", "paper")):
        assert contrast(colors[text], colors[ground]) >= 4.5, (text, ground)


def test_every_name_has_both_values_and_every_variable_a_value(repository) -> None:
    assert LIGHT.keys() == DARK.keys()
    style = (repository / "benchmark" / "report" / "style.css").read_text(encoding="utf-8") + conversation_style()
    used = {name for name in re.findall(r"var\(--([a-z0-9-]+)", style) if not name.startswith("iemomecp-")}
    assert used - {"bar", "share"} <= LIGHT.keys()
    assert {f"series-{i}" for i in range(len(svg.SERIES))} <= LIGHT.keys()


def test_dark_is_for_screens_alone() -> None:
    css = palette_css(":root")
    assert (
        css.index(LIGHT["ink"]) < css.index("@media screen and (prefers-color-scheme: dark)") < css.index(DARK["ink"])
    )
