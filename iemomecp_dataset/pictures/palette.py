"""The colours of every page and picture of this package, light and dark."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["DARK", "LIGHT", "palette_css", "variables"]

LIGHT = {
    "ink": "#16181d",
    "muted": "#5a6070",
    "grid": "#d9dce3",
    "paper": "#ffffff",
    "panel": "#f6f7f9",
    "line": "#e3e6eb",
    "accent": "#0072b2",
    "structural": "#767b86",
    "warn-ink": "#5c2b00",
    "warn-paper": "#ffe9c7",
    "shade": "#0000002e",
    "row": "#5a607014",
    "series-0": "#0072b2",
    "series-1": "#d55e00",
    "series-2": "#009e73",
    "series-3": "#b8588f",
    "series-4": "#e69f00",
    "series-5": "#3a9bd4",
    "series-6": "#8f5fbf",
    "series-7": "#a0522d",
}
"""Colour by name, on white; the series are those of Okabe and Ito and two more, dark enough for lines and text."""

DARK = {
    "ink": "#e9ebf0",
    "muted": "#a3aab8",
    "grid": "#3a404c",
    "paper": "#14161b",
    "panel": "#1c1f26",
    "line": "#2d323c",
    "accent": "#6cb8ec",
    "structural": "#8f96a5",
    "warn-ink": "#ffe3b8",
    "warn-paper": "#573400",
    "shade": "#000000b0",
    "row": "#a3aab81c",
    "series-0": "#56b4e9",
    "series-1": "#f08a4b",
    "series-2": "#35c79a",
    "series-3": "#e08cbb",
    "series-4": "#f2bb3f",
    "series-5": "#9ad2f5",
    "series-6": "#b795e0",
    "series-7": "#cf8f6b",
}
"""The same names on black."""


def variables(colors: Mapping[str, str]) -> str:
    """Declares colours as CSS variables, as in ``--ink: #16181d; …``."""
    return " ".join(f"--{name}: {color};" for name, color in colors.items())


def palette_css(selector: str) -> str:
    """The palette as CSS variables of the elements that a selector names, dark where the reader's screen is.

    Example:
        >>> palette_css(":root").splitlines()[0][:24]
        ':root { --ink: #16181d; '
    """
    dark = f"@media screen and (prefers-color-scheme: dark) {{ {selector} {{ {variables(DARK)} }} }}"
    return f"{selector} {{ {variables(LIGHT)} }}\n{dark}\n"
