"""Formulas as MathML, which browsers draw by themselves: the pages ask no other server for a script."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util.logging import getLogger
from sphinx.util.typing import ExtensionMetadata

_logger = getLogger(__name__)


def visit_inline(writer: Any, node: nodes.math) -> None:
    """Writes a formula within a sentence."""
    writer.body.append(_markup(node, as_block=False))
    raise nodes.SkipNode


def visit_block(writer: Any, node: nodes.math_block) -> None:
    """Writes a formula on a line of its own."""
    writer.body.append(f'<div class="math">{_markup(node, as_block=True)}</div>')
    raise nodes.SkipNode


def _markup(node: nodes.Element, *, as_block: bool) -> str:
    try:
        markup: str = tex2mathml(node.astext(), as_block=as_block)
    except MathError as error:
        _logger.warning("%s cannot be drawn: %s", node.astext(), error, location=node, type="formulas")
        return f"<code>{node.astext()}</code>"
    return markup


def setup(app: Sphinx) -> ExtensionMetadata:
    """Adds the renderer, which conf.py chooses."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True}
