"""A browser without a window, for what the page's scripts do."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def open_in_browser(tmp_path: Path) -> Callable[[str, str], tuple[str, float]]:
    """Gives the page's DOM after a script has run in it, and the seconds until then; skips without a browser."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("there is no chromium to open the page in")
    command = [browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=2000", "--dump-dom"]

    def open_page(html: str, script: str) -> tuple[str, float]:
        path = tmp_path / "page.html"
        path.write_text(html.replace("</body>", f"<script>{script}</script></body>"), encoding="utf-8")
        started = time.monotonic()
        done = subprocess.run([*command, path.as_uri()], capture_output=True, text=True, timeout=120, check=True)
        return done.stdout, time.monotonic() - started

    return open_page
