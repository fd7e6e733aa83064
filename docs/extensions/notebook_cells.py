"""Cells of notebooks that hold commands (``%%bash``, ``!ls``) are coloured as IPython reads them, not as Python."""

from __future__ import annotations

import re

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata

_MAGIC = re.compile(r"^[%!]", re.MULTILINE)


def choose_lexers(app: Sphinx, doctree: nodes.document) -> None:
    """Chooses the lexer of such cells."""
    for block in doctree.findall(nodes.literal_block):
        if block.get("language") in ("python", "ipython", "python3") and _MAGIC.search(block.astext()):
            block["language"] = "ipython3"


def setup(app: Sphinx) -> ExtensionMetadata:
    """Connects it."""
    app.connect("doctree-read", choose_lexers)
    return {"parallel_read_safe": True}
