"""Scripts typed without the environment that the package is installed in."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
# `make mutate` runs the last one in the environment, and a test imports it from elsewhere.
NAMES = sorted({path.name for path in SCRIPTS.glob("*.py")} - {"active_environment.py", "mutate.py"})


@pytest.mark.parametrize("name", NAMES)
def test_a_script_imports_it_before_the_package(name: str) -> None:
    code = (SCRIPTS / name).read_text(encoding="utf-8")
    assert 0 < code.find("\nimport active_environment") < code.find("\nfrom iemomecp_dataset")


def test_a_script_without_its_environment_says_so_in_a_sentence() -> None:
    # -S leaves the installed packages out, as another Python does.
    found = subprocess.run(
        [sys.executable, "-S", SCRIPTS / "evaluate_predictions.py", "--help"],
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True, text=True, check=False, cwd=SCRIPTS.parent,
    )  # fmt: skip
    assert found.returncode == 2
    assert found.stdout == ""
    assert found.stderr.count("\n") == 1
    assert found.stderr.startswith("error: iemomecp is not installed for ")
    assert "source .venv/bin/activate" in found.stderr
