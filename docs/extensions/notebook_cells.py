"""What Pygments cannot read in notebooks: cells of commands (``%%bash``, ``!ls``), and outputs in colour."""

from __future__ import annotations

import re

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata

_MAGIC = re.compile(r"^[%!]", re.MULTILINE)
_COLOR = re.compile(r"\x1b\[[0-9;]*m")


def choose_lexers(app: Sphinx, doctree: nodes.document) -> None:
    """Colours cells with commands as IPython reads them, and shows outputs without the codes of colours."""
    for block in doctree.findall(nodes.literal_block):
        if block.get("language") in ("python", "ipython", "python3") and _MAGIC.search(block.astext()):
            block["language"] = "ipython3"
        if _COLOR.search(text := block.astext()):
            block["language"] = "text"
            block.rawsource = _COLOR.sub("", text)
            block.children = [nodes.Text(block.rawsource)]
            block.setup_child(block.children[0])


def setup(app: Sphinx) -> ExtensionMetadata:
    """Connects it."""
    app.connect("doctree-read", choose_lexers)
    return {"parallel_read_safe": True}
