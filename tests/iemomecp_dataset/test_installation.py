"""What pip is given for an extra, by how the package was installed."""

from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path
from typing import Any

import pytest

from iemomecp_dataset import installation
from iemomecp_dataset.errors import missing_extra
from iemomecp_dataset.installation import packages_of_extra, pip_arguments, recorded_source

COMMIT = "0123456789abcdef0123456789abcdef01234567"
METADATA = """\
Metadata-Version: 2.4
Name: iemomecp
Version: 0.1.0
Requires-Dist: numpy>=1.26
Requires-Dist: iemomecp[report]; extra == "train"
Requires-Dist: torch<2.14,>=2.6; extra == "train"
Requires-Dist: joblib; extra == "train"
Requires-Dist: never; extra == "train" and python_version < "3"
Requires-Dist: jinja2>=3.1; extra == "report"
Requires-Dist: iemomecp[train]; extra == "report"
Requires-Dist: gradio>=6.31; extra == "app"
"""


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """A wheel whose address has a blank."""
    (tmp_path / "my own").mkdir()
    file = tmp_path / "my own" / "iemomecp-0.1.0-py3-none-any.whl"
    file.touch()
    return file


class Installed:
    """Metadata as pip leaves it beside the package."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = tmp_path / "site"
        self.metadata = self.folder / "iemomecp-0.1.0.dist-info"
        self.metadata.mkdir(parents=True)
        (self.metadata / "METADATA").write_text(METADATA)
        found = importlib.metadata.distributions
        # The package itself lies beside its metadata.
        (self.folder / "iemomecp_dataset").symlink_to(Path(installation.__file__).parent)
        monkeypatch.setattr(importlib.metadata, "distributions", lambda name: found(name=name, path=[str(self.folder)]))
        monkeypatch.setattr(installation, "is_checkout", lambda: False)

    def record(self, content: Any) -> None:
        """Writes what PEP 610 has pip write."""
        text = content if isinstance(content, str) else json.dumps(content)
        (self.metadata / "direct_url.json").write_text(text)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installed:
    return Installed(tmp_path, monkeypatch)


def test_a_clone_is_named_as_the_current_folder_needs(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    assert pip_arguments("train") == '-e ".[train]"'
    monkeypatch.chdir(tmp_path)
    assert pip_arguments("train") == f'-e "{repository}[train]"'


def test_a_wheel_is_named_by_its_file(installed: Installed, wheel: Path) -> None:
    installed.record({"url": wheel.as_uri(), "archive_info": {}})
    assert pip_arguments("train") == f'"iemomecp[train] @ {wheel.as_uri()}"'
    assert "my%20own" in wheel.as_uri()
    wheel.unlink()
    assert recorded_source() is None
    assert pip_arguments("app") == '"gradio>=6.31"'


def test_a_repository_is_named_at_its_commit(installed: Installed) -> None:
    record = {
        "url": "https://git.example/iemomecp.git",
        "vcs_info": {"vcs": "git", "requested_revision": "main", "commit_id": COMMIT},
    }
    installed.record(record)
    assert pip_arguments("train") == f'"iemomecp[train] @ git+https://git.example/iemomecp.git@{COMMIT}"'
    installed.record({**record, "subdirectory": "python"})
    assert recorded_source() == f"git+https://git.example/iemomecp.git@{COMMIT}#subdirectory=python"
    # pip takes no requirement with git+file.
    installed.record({**record, "url": installed.folder.as_uri()})
    assert recorded_source() == installed.folder.as_uri()


@pytest.mark.parametrize(
    "record", ["", "{", "[]", "3", {}, {"url": 3}, {"url": "https://x", "vcs_info": {"vcs": "git"}}]
)
def test_without_a_usable_record_the_packages_are_named(installed: Installed, record: Any) -> None:
    if record != "":
        installed.record(record)
    assert pip_arguments("train") == '"jinja2>=3.1" joblib "torch<2.14,>=2.6"'
    assert str(missing_extra("torch", "train")) == (
        "This needs the package 'torch', which is not installed. "
        'Run: pip install "jinja2>=3.1" joblib "torch<2.14,>=2.6"'
    )


def test_another_copy_says_nothing_about_where_this_one_is_from(installed: Installed, wheel: Path) -> None:
    installed.record({"url": wheel.as_uri(), "archive_info": {}})
    (installed.folder / "iemomecp_dataset").unlink()
    assert recorded_source() is None
    assert packages_of_extra("app") == ["gradio>=6.31"]


def test_a_copy_without_metadata_names_no_package(installed: Installed) -> None:
    (installed.metadata / "METADATA").unlink()
    installed.metadata.rmdir()
    assert pip_arguments("train") == ""
    assert "install it with its extra 'train' from where it came from" in str(missing_extra("torch", "train"))
