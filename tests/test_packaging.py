"""One distribution, four rooms: what is installed is what the checkout has, and it is light.

And what a release rests on: the version, the pins, the changelog, the workflow that publishes.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from mapped_functions import mapped_fingerprints
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import iemomecp_dataset

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
        ".".join([ROOMS[file.parts[0]], *file.parts[1:-1]])
        for file in map(Path, tracked_files(repository))
        if file.parts[0] in ROOMS
    }
    assert set(settings["packages"]) == expected
    for room, name in ROOMS.items():
        assert settings["package-dir"][name] == room


def tracked_files(repository: Path) -> list[str]:
    listing = ["git", "ls-files", "-co", "--exclude-standard"]
    done = subprocess.run(listing, cwd=repository, capture_output=True, text=True, check=True)
    return [name for name in done.stdout.splitlines() if (repository / name).is_file()]


@pytest.fixture(scope="module", name="built")
def fixture_built(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source archive of the tracked files, and the wheel that is built from this archive."""
    pytest.importorskip("build")
    folder = tmp_path_factory.mktemp("built")
    for name in tracked_files(repository):
        (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "source" / name).write_bytes((repository / name).read_bytes())
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder / "dist", folder / "source"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (folder / "log.txt").write_text(done.stdout + done.stderr)
    return folder / "dist"


@pytest.fixture(scope="module", name="installed")
def fixture_installed(built: Path) -> Path:
    """A folder with what the wheel installs."""
    (wheel,) = built.glob("*.whl")
    target = built.parent / "installed"
    pip = [sys.executable, "-m", "pip", "--quiet"]
    subprocess.run([*pip, "install", "--no-deps", "--target", target, wheel], check=True)
    return target


def wheel_of(installed: Path) -> Path:
    """The wheel that was installed."""
    (wheel,) = (installed.parent / "dist").glob("*.whl")
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
    assert (installed / "iemomecp_dataset" / "py.typed").is_file()
    output = run_installed(installed, tmp_path, CORE_ONLY, synthetic_dir)
    assert all(path.startswith(str(installed)) for path in output.split())


@pytest.mark.slow
def test_the_source_archive_holds_everything(repository: Path, built: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        shipped = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {
        name
        for name in tracked_files(repository)
        if not (repository / name).is_symlink() and (name[0] != "." or name.startswith(".github/"))
    }
    assert wanted <= shipped, f"the source archive lacks {sorted(wanted - shipped)}: see MANIFEST.in"


@pytest.mark.slow
def test_setuptools_warns_of_no_folder(built: Path) -> None:
    assert "is absent from the `packages` configuration" not in (built.parent / "log.txt").read_text()


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
    done = subprocess.run(
        ["make", "--no-print-directory", "install"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
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


@pytest.mark.slow
def test_the_console_script_of_the_wheel_works_in_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    environment = {"PYTHONPATH": str(installed), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    lines = [["--version"], ["synthetic", "--output-dir", "data"], ["stats", "3class", "--data-dir", "data"]]
    outputs = []
    for line in lines:
        command = [sys.executable, str(installed / "bin" / "iemomecp"), *line]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        outputs.append(done.stdout)
    assert outputs[0].strip() == f"iemomecp {iemomecp_dataset.__version__}"
    assert "SYNTHETIC" in outputs[2]


@pytest.mark.slow
def test_both_archives_have_the_version_and_a_description_that_can_be_shown(built: Path) -> None:
    version = iemomecp_dataset.__version__
    names = sorted(path.name for path in built.iterdir())
    assert names == [f"iemomecp-{version}-py3-none-any.whl", f"iemomecp-{version}.tar.gz"]
    pytest.importorskip("twine")
    command = [sys.executable, "-m", "twine", "check", "--strict", *(str(built / name) for name in names)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def project(repository: Path) -> dict[str, Any]:
    settings: dict[str, Any] = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    return settings


def test_the_version_stands_in_one_place(repository: Path) -> None:
    assert "version" in project(repository)["dynamic"]
    cited = yaml.safe_load((repository / "CITATION.cff").read_text())
    assert str(cited["version"]) == iemomecp_dataset.__version__ == str(Version(iemomecp_dataset.__version__))


def test_the_changelog_has_its_form(repository: Path) -> None:
    """https://keepachangelog.com: the newest version first, each with its day, changes under the six headings."""
    text = (repository / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^(#+) (.*)$", text, re.M)
    assert headings[0] == ("#", "Changelog")
    assert headings[1] == ("##", "[Unreleased]")
    versions = [title for level, title in headings if level == "##"][1:]
    parsed = [re.fullmatch(r"\[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)", title) for title in versions]
    assert all(parsed), versions
    released = [(Version(found[1]), date.fromisoformat(found[2])) for found in parsed if found]
    assert released == sorted(released, reverse=True)
    # A pull request prepares a version before its tag: the code may be at the newest listed one, or ahead of it.
    assert all(version <= Version(iemomecp_dataset.__version__) for version, _ in released)
    kinds: list[str] = []
    for level, title in headings[2:]:
        assert level in ("##", "###"), title
        if level == "##":
            kinds = []
            continue
        assert title in ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")
        assert title not in kinds, f"{title} stands twice under one version"
        kinds.append(title)
    if "Repository" in project(repository).get("urls", {}):
        linked = re.findall(r"^\[([^\]]+)\]: https://", text, re.M)
        assert set(linked) >= {"Unreleased", *(str(version) for version, _ in released)}


def workflow(repository: Path) -> dict[str, Any]:
    text = (repository / ".github" / "workflows" / "release.yml").read_text()
    loaded: dict[str, Any] = yaml.safe_load(text)
    # YAML 1.1 reads the key `on` as true.
    return {("on" if key is True else key): value for key, value in loaded.items()}


def test_a_release_is_published_by_its_tag_without_a_stored_secret(repository: Path) -> None:
    release = workflow(repository)
    assert release["on"] == {"push": {"tags": ["v*"]}}
    jobs = release["jobs"]
    publish = jobs["publish"]
    assert set(publish["needs"]) == set(jobs) - {"publish"}, "nothing is published that was not built and tried"
    assert publish["environment"] == "pypi"
    assert publish["permissions"] == {"id-token": "write"}
    assert [name for name, job in jobs.items() if "id-token" in job.get("permissions", release["permissions"])] == [
        "publish"
    ]
    for job in jobs.values():
        for step in job["steps"]:
            assert "secrets." not in json.dumps(step)
            assert re.search(r"@(v\d+|release/v\d+)$", step["uses"]) if "uses" in step else step["run"]
    assert any("twine check --strict" in step.get("run", "") for step in jobs["build"]["steps"])
    builds = [step for job in jobs.values() for step in job["steps"] if "-m build" in step.get("run", "")]
    assert len(builds) == 1, "what is published is what was checked and tried"
    names = [line for line in project(repository)["classifiers"] if re.search(r":: 3\.\d+$", line)]
    assert jobs["try-wheel"]["strategy"]["matrix"]["python"] == [line.split()[-1] for line in names]


def test_links_of_the_published_description_lead_to_the_tag(repository: Path, tmp_path: Path) -> None:
    """On the package's page there is no folder that a link could be relative to."""
    (step,) = [step for step in workflow(repository)["jobs"]["build"]["steps"] if "README.md" in step.get("run", "")]
    place = {"GITHUB_SERVER_URL": "https://example.org", "GITHUB_REPOSITORY": "group/name", "GITHUB_REF_NAME": "v1.2.3"}
    shutil.copy(repository / "README.md", tmp_path)
    bash = ["bash", "-e", "-c", step["run"]]
    subprocess.run(bash, cwd=tmp_path, env={**os.environ, **place}, check=True)
    links = re.compile(r"\]\(([^)\s]+)\)")
    before = links.findall((repository / "README.md").read_text(encoding="utf-8"))
    after = links.findall((tmp_path / "README.md").read_text(encoding="utf-8"))
    relative = [link for link in before if not re.match(r"(https?:|#)", link)]
    assert relative
    for old, new in zip(before, after, strict=True):
        assert new == (f"https://example.org/group/name/blob/v1.2.3/{old}" if old in relative else old)
        assert old not in relative or (repository / old.partition("#")[0]).exists(), f"README links to {old}"


def pinned(file: Path) -> dict[str, Version]:
    lines = [line.partition("#")[0].strip() for line in file.read_text().splitlines()]
    pairs = [line.split("==") for line in lines if line]
    return {canonicalize_name(name): Version(version) for name, version in pairs}


def requirements(repository: Path) -> dict[str, list[Requirement]]:
    """What each extra needs by itself; under no name, what the package needs."""
    settings = project(repository)
    groups = {"": settings["dependencies"], **settings["optional-dependencies"]}
    parsed = {name: [Requirement(line) for line in lines] for name, lines in groups.items()}
    return {name: [one for one in found if one.name != "iemomecp"] for name, found in parsed.items()}


def test_lower_bounds_are_what_is_tested(repository: Path) -> None:
    lowest = pinned(repository / "constraints-lowest.txt")
    for group, found in requirements(repository).items():
        for requirement in found if group in ("", "train", "report", "media", "explain", "test") else ():
            (bound,) = [Version(part.version) for part in requirement.specifier if part.operator == ">="]
            assert lowest[canonicalize_name(requirement.name)] == bound, (
                f"renew: make constraints-lowest ({requirement})"
            )
    assert lowest["torch"] == pinned(repository / "constraints.txt")["torch"]


def test_pins_are_sorted_and_within_the_bounds(repository: Path) -> None:
    file = repository / "constraints.txt"
    lines = [line.lower() for line in file.read_text().splitlines() if line and not line.startswith("#")]
    assert lines == sorted(lines)
    pins = pinned(file)
    for group, found in requirements(repository).items():
        for requirement in found if group not in ("wandb", "trackio") else ():
            version = pins.get(canonicalize_name(requirement.name))
            # setuptools comes with the virtual environment.
            assert version in requirement.specifier if version else requirement.name == "setuptools", str(requirement)


def test_sessions_for_every_python_version_are_there(repository: Path) -> None:
    pytest.importorskip("nox")
    command = [sys.executable, "-m", "nox", "--list", "--json"]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True)
    sessions = {one["session"] for one in json.loads(done.stdout)}
    assert sessions >= {"tests-3.11", "tests-3.12", "tests-3.13", "tests_lowest", "lint", "typecheck", "docs", "build"}
