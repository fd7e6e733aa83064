"""``HOWTO.md`` of an export: a template per peer, filled with the numbers of that export."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from string import Template

__all__ = ["howto_text"]


def howto_text(peer: str, values: Mapping[str, str]) -> str:
    """Fills the template of a peer.

    Args:
        peer: One of :data:`~iemomecp_dataset.benchmark.peers.PEERS`.
        values: By placeholder what stands in its place.

    Returns:
        The text, Markdown.
    """
    template = Path(__file__).with_name(f"{peer}.md").read_text(encoding="utf-8")
    return Template(template).substitute(values)
