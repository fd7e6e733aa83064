"""One distribution, four rooms: what is installed is what the checkout has, and it is light."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOMS = {"iemomecp_dataset": "iemomecp_dataset", "metrics": "iemomecp_dataset.metrics",
         "trainers": "iemomecp_dataset.trainers", "benchmark": "iemomecp_dataset.benchmark"}  # fmt: skip

# Hides what the dataset and the metric must do without, as if it were not installed; then uses both.
CORE_ONLY = """
import importlib.machinery, sys

hidden = ("torch", "transformers", "accelerate", "sklearn", "safetensors", "matplotlib", "jinja2", "av", "soundfile")
find_spec = importlib.machinery.PathFinder.find_spec
importlib.machinery.PathFinder.find_spec = classmethod(
    lambda cls, name, *args: None if name.split(".")[0] in hidden else find_spec(name, *args)
)
import iemomecp_dataset
assert "evaluate" not in sys.modules
from datasets import load_dataset
for config in ("3class", "source_binary", "overlay"):
    assert set(load_dataset("iemomecp", config, data_dir=sys.argv[1])) == {"train", "validation", "test"}
from iemomecp_dataset.metrics.scoring import pair_scores
assert pair_scores([[0.9, 0.1], [0.2, 0.8]], [0, 1], ["pair", "non_pair"])["pair_f1"] == 1.0
import iemomecp_dataset.metrics
import evaluate
metric = evaluate.load("iemomecp_pair_f1", "source_binary")
assert metric.compute(predictions=[[0.9, 0.1], [0.2, 0.8]], references=[0, 1])["pair_f1"] == 1.0
assert not any(name in sys.modules for name in hidden)
print(iemomecp_dataset.__file__, iemomecp_dataset.metrics.__file__)
"""


def test_every_package_folder_is_listed(repository: Path) -> None:
    settings = tomllib.loads((repository / "pyproject.toml").read_text())["tool"]["setuptools"]
    expected = {
        ".".join([name, *folder.relative_to(repository / room).parts])
        for room, name in ROOMS.items()
        for folder in (repository / room).rglob("")
        if (folder / "__init__.py").is_file()
    }
    assert set(settings["packages"]) == expected
    for room, name in ROOMS.items():
        assert settings["package-dir"][name] == room


@pytest.mark.slow
def test_wheel_holds_everything_and_needs_no_torch(repository: Path, tmp_path: Path, synthetic_dir: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--quiet"]
    source = tmp_path / "source"
    tracked = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=repository, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    for name in tracked:
        if (repository / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((repository / name).read_bytes())
    subprocess.run([*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", tmp_path, source], check=True)
    (wheel,) = tmp_path.glob("iemomecp-*.whl")
    installed = tmp_path / "installed"
    subprocess.run([*pip, "install", "--no-deps", "--target", installed, wheel], check=True)
    for room, name in ROOMS.items():
        shipped = {
            p.relative_to(installed / name.replace(".", "/")) for p in (installed / name.replace(".", "/")).rglob("*")
        }
        wanted = {Path(file).relative_to(room) for file in tracked if file.startswith(f"{room}/")}
        assert wanted <= shipped, f"{room}: the wheel lacks {sorted(map(str, wanted - shipped))}"
    done = subprocess.run(
        [sys.executable, "-c", CORE_ONLY, synthetic_dir],
        cwd=tmp_path,
        env={"PYTHONPATH": str(installed), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert all(path.startswith(str(installed)) for path in done.stdout.split())


@pytest.mark.slow
def test_editable_install_works_from_any_directory_in_a_new_process(tmp_path: Path, synthetic_dir: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CORE_ONLY, synthetic_dir], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_import_is_light() -> None:
    code = "import iemomecp_dataset, sys; print([m for m in ('torch', 'transformers', 'evaluate') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
