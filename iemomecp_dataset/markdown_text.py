"""Texts of others within Markdown: names of runs and systems on cards and in lists."""

from __future__ import annotations

import re

from iemomecp_dataset.pictures.words import printable

__all__ = ["markdown_text"]

_MARKS = re.compile(r"([\\`*\[\]<>|$~&])")


def markdown_text(text: str) -> str:
    r"""Writes a text so that Markdown shows it as it is, on one line.

    Args:
        text: A name or a sentence.

    Returns:
        The text with single spaces, and a backslash before every mark that would begin a link, HTML, a formula,
        emphasis or a cell. Underscores within words are none.

    Example:
        >>> print(markdown_text("base_42 <b>\n[x](javascript:y)"))
        base_42 \<b\> \[x\](javascript:y)
    """
    return _MARKS.sub(r"\\\1", " ".join(printable(text).split()))
