"""What the documentation says about stores is what they have."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from iemomecp_dataset.features import STATUSES
from iemomecp_dataset.features.store.store_index import COLUMNS


def test_the_page_names_every_status_and_column(repository: Path) -> None:
    page = (repository / "docs/features.md").read_text(encoding="utf-8")
    assert all(f"| `{status}` | {meaning} |" in page for status, meaning in STATUSES.items())
    assert f"`{', '.join(COLUMNS)}`" in page


def test_reading_needs_neither_torch_nor_transformers() -> None:
    code = (
        "import sys, iemomecp_dataset.features, iemomecp_dataset.features.extraction\n"
        "import iemomecp_dataset.features.importers.importing\n"
        "assert not {'torch', 'transformers', 'safetensors', 'av', 'soundfile'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
