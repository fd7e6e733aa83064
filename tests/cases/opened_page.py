"""A page in a browser without a window, for what its style and scripts do."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest


def open_page(folder: Path, html: str, script: str) -> str:
    """Gives the page's DOM after a script has run in it; skips without a browser."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("there is no chromium to open the page in")
    command = [browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=2000", "--dump-dom"]
    path = folder / "page.html"
    before, end, after = html.rpartition("</body>")
    # The page refuses scripts that it does not know.
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    before = before.replace("script-src ", f"script-src 'sha256-{digest}' ", 1)
    path.write_text(f"{before}<script>{script}</script>{end}{after}", encoding="utf-8")
    done = subprocess.run([*command, path.as_uri()], capture_output=True, text=True, timeout=120, check=True)
    return done.stdout
