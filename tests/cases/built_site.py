"""What ``make docs`` has built, where it is newer than everything that it is built from."""

from __future__ import annotations

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
BUILT = REPOSITORY / ".build" / "docs"
SOURCES = ("docs", "iemomecp_dataset", "metrics", "trainers", "benchmark")


def built_site() -> Path | None:
    """The folder of the last build, which holds ``html`` and ``jupyter_execute``; None where it must be built anew."""
    index = BUILT / "html" / "searchindex.js"
    if not index.is_file():
        return None
    sources = (
        path
        for folder in SOURCES
        for path in (REPOSITORY / folder).rglob("*")
        if path.suffix in (".py", ".md", ".rst", ".ipynb", ".html", ".css", ".js", ".yaml", ".json")
    )
    return BUILT if max(path.stat().st_mtime for path in sources) < index.stat().st_mtime else None
