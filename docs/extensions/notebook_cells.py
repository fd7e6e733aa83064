"""What is shown of notebooks: cells of commands (``%%bash``, ``!ls``), outputs in colour and in several parts."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from myst_nb.core import render
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


_merged_by_myst = render.coalesce_streams


def merged(outputs: list[Any]) -> list[Any]:
    """Joins the parts of a cell's printed output as they were printed.

    A kernel sends what a command prints in parts that end anywhere, within a word say; myst-nb would begin each of them
    on a line of its own.
    """
    first: dict[str, Any] = {}
    kept = []
    for output in outputs or ():
        name = output["name"] if output["output_type"] == "stream" else None
        if name in first:
            first[name]["text"] += output["text"]
        else:
            kept.append(output)
            if name is not None:
                first[name] = output
    return list(_merged_by_myst(kept))


def setup(app: Sphinx) -> ExtensionMetadata:
    """Connects both."""
    render.coalesce_streams = merged
    app.connect("doctree-read", choose_lexers)
    return {"parallel_read_safe": True}
