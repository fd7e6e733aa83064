"""One distribution, four rooms: what is installed is what the checkout has, and it is light."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from mapped_functions import mapped_fingerprints

ROOMS = {"iemomecp_dataset": "iemomecp_dataset", "metrics": "iemomecp_dataset.metrics",
         "trainers": "iemomecp_dataset.trainers", "benchmark": "iemomecp_dataset.benchmark"}  # fmt: skip

# Hides what the dataset, the metric and their commands must do without, as if it were not installed.
WITHOUT_EXTRAS = """
import importlib.machinery, sys

hidden = ("torch", "transformers", "accelerate", "sklearn", "safetensors", "matplotlib", "jinja2", "av", "soundfile")
find_spec = importlib.machinery.PathFinder.find_spec
importlib.machinery.PathFinder.find_spec = classmethod(
    lambda cls, name, *args: None if name.split(".")[0] in hidden else find_spec(name, *args)
)
"""

# Uses the dataset and the metric.
CORE_ONLY = f"""{WITHOUT_EXTRAS}
import iemomecp_dataset
assert "evaluate" not in sys.modules
from datasets import load_dataset
for config in ("3class", "source_binary", "overlay"):
    assert set(load_dataset("iemomecp", config, data_dir=sys.argv[1])) == {{"train", "validation", "test"}}
from iemomecp_dataset.metrics.scoring import pair_scores
assert pair_scores([[0.9, 0.1], [0.2, 0.8]], [0, 1], ["pair", "non_pair"])["pair_f1"] == 1.0
import iemomecp_dataset.metrics
import evaluate
metric = evaluate.load("iemomecp_pair_f1", "source_binary")
assert metric.compute(predictions=[[0.9, 0.1], [0.2, 0.8]], references=[0, 1])["pair_f1"] == 1.0
assert not any(name in sys.modules for name in hidden)
print(iemomecp_dataset.__file__, iemomecp_dataset.metrics.__file__)
"""

# Runs commands one after the other, as the console script does, and prints each one's exit code and output.
COMMANDS_ONLY = f"""{WITHOUT_EXTRAS}
import contextlib, io, json
from iemomecp_dataset.__main__ import main
done = []
for line in json.loads(sys.argv[1]):
    sys.argv[:] = ["iemomecp", *line]
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        try:
            main()
        except SystemExit as end:
            done.append([end.code, output.getvalue()])
print(json.dumps(done))
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


def tracked_files(repository: Path) -> list[str]:
    listing = ["git", "ls-files", "-co", "--exclude-standard"]
    done = subprocess.run(listing, cwd=repository, capture_output=True, text=True, check=True)
    return [name for name in done.stdout.splitlines() if (repository / name).is_file()]


@pytest.fixture(scope="module", name="installed")
def fixture_installed(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the wheel installs."""
    pip = [sys.executable, "-m", "pip", "--quiet"]
    folder = tmp_path_factory.mktemp("wheel")
    for name in tracked_files(repository):
        (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "source" / name).write_bytes((repository / name).read_bytes())
    subprocess.run([*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", folder, folder / "source"], check=True)
    (wheel,) = folder.glob("iemomecp-*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--target", folder / "installed", wheel], check=True)
    return folder / "installed"


def wheel_of(installed: Path) -> Path:
    """The wheel that was installed."""
    (wheel,) = installed.parent.glob("iemomecp-*.whl")
    return wheel


def run_installed(installed: Path, folder: Path, code: str, *arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=folder,
        env={"PYTHONPATH": str(installed), "PATH": "/usr/bin:/bin", "HOME": str(folder), "HF_HUB_OFFLINE": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_wheel_holds_everything_and_needs_no_torch(
    repository: Path, installed: Path, tmp_path: Path, synthetic_dir: Path
) -> None:
    for room, name in ROOMS.items():
        place = installed / name.replace(".", "/")
        shipped = {path.relative_to(place) for path in place.rglob("*")}
        wanted = {Path(file).relative_to(room) for file in tracked_files(repository) if file.startswith(f"{room}/")}
        assert wanted <= shipped, f"{room}: the wheel lacks {sorted(map(str, wanted - shipped))}"
    output = run_installed(installed, tmp_path, CORE_ONLY, synthetic_dir)
    assert all(path.startswith(str(installed)) for path in output.split())


@pytest.mark.slow
def test_functions_that_use_the_package_have_one_hash_in_every_process(
    installed: Path, tmp_path: Path, synthetic_dir: Path
) -> None:
    environment = {"PYTHONPATH": str(installed), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    first, second = mapped_fingerprints(tmp_path, synthetic_dir, environment=environment)
    assert first == second
    assert len(list((tmp_path / "cache").rglob("cache-*.arrow"))) == len(first)


@pytest.mark.slow
def test_commands_of_the_wheel_need_no_torch_and_name_each_other(
    installed: Path, tmp_path: Path, synthetic_dir: Path
) -> None:
    (entry_points,) = installed.glob("iemomecp-*.dist-info/entry_points.txt")
    assert "iemomecp = iemomecp_dataset.__main__:main" in entry_points.read_text()
    run = ["--data_dir", str(synthetic_dir), "--output_dir", str(tmp_path / "run")]
    expected = {
        ("--help",): (0, "usage: iemomecp COMMAND"),
        ("validate", "--label-dir", str(synthetic_dir / "labels")): (0, "emo_context"),
        ("validate", "--label-dir", str(tmp_path)): (2, "iemomecp fetch --label-dir DIR"),
        ("stats", "3class", "--data-dir", str(synthetic_dir)): (0, "SYNTHETIC"),
        ("3class", "--data-dir", str(tmp_path)): (2, "iemomecp fetch --label-dir DIR"),
        ("report", "--help"): (0, "    iemomecp report runs --output report.html"),
        ("train", "fusion", "--help"): (0, "    iemomecp train fusion --data_dir path/to/ecf"),
        ("train", "fusion", *run): (2, f'pip install "iemomecp[train] @ {wheel_of(installed).as_uri()}"'),
        ("demo", "--help"): (0, "    iemomecp demo --output-dir demo_output"),
    }
    done = json.loads(run_installed(installed, tmp_path, COMMANDS_ONLY, json.dumps(list(expected))))
    for line, (code, words), (found, output) in zip(expected, expected.values(), done, strict=True):
        assert (found, words in output) == (code, True), f"{line}: exit code {found}, {output}"
        assert "scripts/" not in output


def test_installing_says_that_the_environment_must_be_activated(repository: Path, tmp_path: Path) -> None:
    """As after an install, which is not repeated here."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_bytes((repository / name).read_bytes())
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / ".installed").touch()
    done = subprocess.run(["make", "install"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "Installed. First, in every new shell: source .venv/bin/activate\n"


@pytest.mark.slow
def test_editable_install_works_from_any_directory_in_a_new_process(tmp_path: Path, synthetic_dir: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CORE_ONLY, synthetic_dir], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


# Put together here, so that this file does not name what it looks for.
STRANGER = re.compile(
    r"""(?:install[^\n]{0,80}?["' ]|^|["'(])""" + "iemomecp" + r"""(?:\[[\w,]+\](?!\ ?@)|(?:==|>=|~=))"""
    + r"""|pip\ install\ (?:-\w+\ )*["']?""" + "iemomecp" + r"""(?![\w./-]|\ ?@|\[)""",
    re.VERBOSE | re.MULTILINE,
)  # fmt: skip


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ('pip install "%s[train]"', True),
        ("pip install '%s[cluster]'", True),
        ("pip install %s", True),
        ("pip install -U %s==0.1.0", True),
        ("%s[app]", True),
        ("%s==0.1.0", True),
        ('pip install -e ".[train]"', False),
        ('pip install "%s[train] @ file:///x.whl"', False),
        ("%s[app] @ https://git.example/x.whl", False),
        ("pip install dist/%s-0.1.0-py3-none-any.whl", False),
    ],
)
def test_lines_that_name_this_package_to_an_index_are_recognised(line: str, found: bool) -> None:
    assert bool(STRANGER.search(line.replace("%s", "iemomecp"))) == found


def test_no_file_tells_pip_to_look_for_this_package_on_an_index(repository: Path) -> None:
    """The name is on no index: whoever registers it there would run code wherever such a line is typed."""
    for name in tracked_files(repository):
        if name == "pyproject.toml":  # its extras name each other, which pip resolves to the package it installs
            continue
        try:
            text = (repository / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        lines = [line for line in text.splitlines() if STRANGER.search(line)]
        assert not lines, f"{name}: {lines}"


def test_import_is_light() -> None:
    code = "import iemomecp_dataset, sys; print([m for m in ('torch', 'transformers', 'evaluate') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
