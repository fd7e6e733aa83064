from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "bench.py"


def test_an_unknown_subject_is_one_clear_error(tmp_path):
    command = [sys.executable, str(SCRIPT), "--only", "metric"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert "Did you mean 'metrics'?" in done.stderr
    assert "Traceback" not in done.stderr
