"""Fonts that have the characters of a text, for plots of corpora that are not written in Latin letters."""

from __future__ import annotations

import unicodedata

__all__ = ["families_for"]

_WIDE = (
    "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei",
    "Microsoft YaHei", "SimHei", "SimSun", "PingFang SC", "Heiti SC", "Hiragino Sans GB", "Arial Unicode MS",
    "Noto Sans CJK JP", "Droid Sans Fallback", "Unifont",
)  # fmt: skip
"""Common families with Chinese characters; those that are not installed are not asked for."""


def families_for(text: str) -> list[str] | None:
    """Chooses font families in which a text can be written.

    Args:
        text: The text.

    Returns:
        The families of the current style, followed by an installed one that has the rest of the characters where these
        have not all; None where no installed family that is known here has them.

    Example:
        >>> families_for("Rachel") is None
        False
    """
    from matplotlib import font_manager, rcParams
    from matplotlib.ft2font import FT2Font

    def has(families: list[str]) -> set[int]:
        path = font_manager.findfont(font_manager.FontProperties(family=families))
        return set(FT2Font(path).get_charmap())

    own = list(rcParams["font.family"])
    # Blanks and marks of the direction need no shape.
    shown = {letter for letter in text if not letter.isspace() and unicodedata.category(letter) != "Cf"}
    missing = set(map(ord, shown)) - has(own)
    if not missing:
        return own
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return next(([*own, name] for name in _WIDE if name in installed and not missing - has([name])), None)
