"""The documentation of stores matches the code, and reading them needs no heavy packages."""

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


def test_public_names_need_neither_torch_nor_transformers() -> None:
    code = (
        "import sys\n"
        "from iemomecp_dataset import features\n"
        "assert dir(features) == sorted(features.__all__)\n"
        "assert all(callable(getattr(features, name)) or name == 'STATUSES' for name in features.__all__)\n"
        "import iemomecp_dataset.features.decoding, iemomecp_dataset.features.importers\n"
        "import iemomecp_dataset.features.store, iemomecp_dataset.features.encoders\n"
        "assert not {'torch', 'transformers', 'safetensors', 'av', 'soundfile'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_encoders_are_imported_on_use() -> None:
    from iemomecp_dataset.features import encoders

    assert dir(encoders) == sorted(encoders.__all__)
    for name in encoders.__all__:
        assert getattr(encoders, name).__name__ == name
