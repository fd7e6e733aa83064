"""Checks of the finished site: no dead link within it, no role left as text, and a search index.

A build that fails one of them fails as a whole, with every finding in the message.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.typing import ExtensionMetadata

_ROLES = r"(?:func|class|data|mod|meth|attr|exc|obj|ref|doc|math|term)"
ROLE = re.compile(rf":(?:py:)?{_ROLES}:`|\{{(?:py:)?{_ROLES}\}}`")


class _Page(HTMLParser):
    """Anchors, links within the site and text outside code blocks of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.text: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notes ids and targets."""
        given = dict(attrs)
        self.anchors |= {value for name in ("id", "name") if (value := given.get(name))}
        target = given.get("href") if tag in ("a", "link") else given.get("src") if tag in ("img", "script") else None
        if target is not None:
            self.links.append(target)
        self._silent += tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        """Ends what is no text."""
        self._silent -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        """Notes text that a reader sees."""
        if not self._silent:
            self.text.append(data)


def problems(site: Path) -> list[str]:
    """Finds what is wrong with a finished site.

    Args:
        site: Folder of its pages.

    Returns:
        One sentence for each finding.
    """
    pages = {path: _parsed(path) for path in sorted(site.rglob("*.html")) if "_static" not in path.parts}
    found: list[str] = []
    for path, page in pages.items():
        name = path.relative_to(site)
        if role := ROLE.search("".join(page.text)):
            found.append(f"{name}: the role {role[0]} is printed as text")
        for link in dict.fromkeys(page.links):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.exists():
                found.append(f"{name}: {link} leads nowhere")
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                found.append(f"{name}: {link} names an anchor that is not there")
    index = site / "searchindex.js"
    if not index.is_file() or index.stat().st_size < 1000:
        found.append("searchindex.js: there is no search index")
    return found


def _parsed(path: Path) -> _Page:
    page = _Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def check(app: Sphinx, exception: Exception | None) -> None:
    """Fails the build if there is a finding."""
    if exception is None and app.builder.name == "html" and (found := problems(Path(app.outdir).resolve())):
        raise ExtensionError("The finished pages are not in order:\n  " + "\n  ".join(found), modname=__name__)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Connects the check; diagrams, which Pygments does not know, are shown as they are written."""
    app.connect("build-finished", check)
    app.add_lexer("mermaid", TextLexer)
    return {"parallel_read_safe": True}
