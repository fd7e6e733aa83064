"""``scripts/make_synthetic.py`` as a user runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def run(repository: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(repository / "scripts/make_synthetic.py"), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def test_writes_a_corpus_once_and_says_that_it_is_synthetic(repository: Path, tmp_path: Path) -> None:
    target = tmp_path / "with space"
    first = run(repository, "--output-dir", str(target))
    assert first.returncode == 0, first.stderr
    assert "SYNTHETIC" in first.stdout
    assert "7838" in first.stdout
    assert {path.name for path in target.iterdir()} == {"IEMOCAP", "ECPEC", "labels", "features", "SYNTHETIC.txt"}
    second = run(repository, "--output-dir", str(target))
    assert second.returncode == 2
    assert second.stderr.startswith("error:")
    assert "--overwrite" in second.stderr
    assert "Traceback" not in second.stderr
    assert run(repository, "--output-dir", str(target), "--overwrite", "--seed", "1").returncode == 0


def test_names_the_scale_that_was_meant(repository: Path, tmp_path: Path) -> None:
    result = run(repository, "--output-dir", str(tmp_path / "data"), "--scale", "ful")
    assert result.returncode == 2
    assert "Did you mean 'full'?" in result.stderr


def test_help_names_every_option(repository: Path) -> None:
    result = run(repository, "--help")
    assert result.returncode == 0
    for option in ("--output-dir", "--scale", "--media", "--seed", "--overwrite", "--corpus", "--features"):
        assert option in result.stdout


def test_writes_meld_with_its_features(repository: Path, tmp_path: Path) -> None:
    result = run(repository, "--output-dir", str(tmp_path / "meld"), "--corpus", "meld", "--features")
    assert result.returncode == 0, result.stderr
    assert "SYNTHETIC MELD" in result.stdout
    assert {path.name for path in (tmp_path / "meld/features").iterdir()} == {
        *("text.parquet", "event.parquet", "audio.parquet", "video.parquet"),
    }
    refused = run(repository, "--output-dir", str(tmp_path / "x"), "--corpus", "meld", "--media")
    assert (refused.returncode, "no videos" in refused.stderr) == (2, True)
