"""The website: its pages name all that there is, its checks find what is wrong, it builds without a warning."""

from __future__ import annotations

import importlib
import os
import re
import shlex
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import get_args

import forked_python
import pytest
from built_site import built_site

from iemomecp_dataset.command_line import read_options
from iemomecp_dataset.commands import COMMANDS
from iemomecp_dataset.commands.diagnose import DiagnoseOptions
from iemomecp_dataset.commands.evaluate import EvaluateOptions
from iemomecp_dataset.commands.fetch import FetchCommandOptions
from iemomecp_dataset.commands.figures import FigureOptions
from iemomecp_dataset.commands.matrix import MatrixOptions
from iemomecp_dataset.commands.predict import PredictOptions
from iemomecp_dataset.commands.report import ReportOptions
from iemomecp_dataset.commands.stats import StatsOptions
from iemomecp_dataset.commands.validate import ValidateOptions
from iemomecp_dataset.corpora.metadata import CORPORA, IEMOMECP
from iemomecp_dataset.options import CONFIG_NAMES, options_taken
from iemomecp_dataset.trainers.cli import EMOTION_TRAINERS, EXPLANATION_TRAINERS, TRAINERS, options_of, parse_options
from iemomecp_dataset.trainers.options import Tracker

DOCS = Path(__file__).resolve().parents[1] / "docs"


@pytest.fixture(autouse=True)
def _sphinx(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sphinx", reason='the website needs pip install -e ".[docs]"')
    monkeypatch.syspath_prepend(str(DOCS / "extensions"))


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def test_every_corpus_has_one_page_with_its_facts() -> None:
    shown = [
        found
        for path in sorted((DOCS / "corpora").glob("*.md"))
        for found in re.findall(r"^```\{corpus-facts\} (\w+)$", path.read_text(encoding="utf-8"), re.M)
    ]
    assert sorted(shown) == sorted([IEMOMECP, *CORPORA])
    from corpus_facts import facts

    loads = "\n".join(path.read_text(encoding="utf-8") for path in (DOCS / "corpora").glob("*.md"))
    for name in CONFIG_NAMES:
        if name != "3class":
            assert f'load_dataset("iemomecp", "{name}", ' in loads
    for name, record in CORPORA.items():
        text = facts(name)
        assert record.license in text
        assert record.how_to_obtain[1:] in text
        assert record.citation in text
        assert all(f"| `{option}` |" in text for option in options_taken(name)), name
        for counts in record.published.values():
            assert f" {counts.utterances} |" in text
        assert all(f"`{file}`" in text for files in record.split_files.values() for file in files)


def test_every_option_of_a_corpus_is_described() -> None:
    from corpus_facts import facts

    for name in [IEMOMECP, *CORPORA]:
        for line in facts(name).rpartition("## Options")[2].splitlines():
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)]
            assert len(cells) < 3 or cells[2] == "---" or len(cells[2]) > 10 or cells[1] == "option", line


def test_every_public_package_has_a_page_that_lists_its_names() -> None:
    from public_names import PACKAGES, public_names, summary

    listed = re.findall(
        r"^\.\. public-names:: ([\w.]+)$", "\n".join(path.read_text() for path in (DOCS / "api").glob("*.rst")), re.M
    )
    assert sorted(listed) == sorted(PACKAGES)
    for name in PACKAGES[:5]:
        package = importlib.import_module(name)
        own = {one for one in package.__all__ if not isinstance(getattr(package, one), ModuleType)} - {"__version__"}
        assert set(public_names(name)) == own
        assert all(f".{one}`" in summary(name, public_names(name)) for one in own)


def test_names_that_the_guides_import_are_documented() -> None:
    from public_names import guide_imports

    found = guide_imports(DOCS)
    assert "explanation_run_signature" in found["iemomecp_dataset.metrics.explanations.signature"]
    assert "iemomecp_dataset.trainers" not in found, "its names are public"


def test_help_of_every_command_is_that_of_the_console_script() -> None:
    from command_help import help_text

    assert {path.name for path in (DOCS / "reference").iterdir()} == {"commands.md", "trainers.md"}
    for name in ("report", "stats"):
        assert help_text([name]).startswith(f"usage: iemomecp {name} ")
    text = help_text(["train", "ecerc"])
    assert "--protocol" in text
    assert max(map(len, help_text(["report"]).splitlines())) < 125
    assert set(COMMANDS) > {"report", "stats", "train"}


def test_every_variable_that_the_code_reads_is_on_the_page() -> None:
    read: set[str] = set()
    for room in ("iemomecp_dataset", "metrics", "trainers", "benchmark"):
        for path in (DOCS.parent / room).rglob("*.py"):
            code = path.read_text(encoding="utf-8")
            read |= set(re.findall(r"environ(?:\.get|ment\.get|\.setdefault)?[\[(]\"([A-Za-z_]+)\"", code))
    told = page("environment.md")
    # What the package sets for libraries and nobody needs to know, and what a shell or a launcher sets.
    unsaid = {"RAY_DATA_LOG_LEVEL", "RAY_BACKEND_LOG_LEVEL", "RAY_worker_niceness",
              "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "VIRTUAL_ENV", "GRADIO_ANALYTICS_ENABLED",
              "HF_HUB_DISABLE_TELEMETRY", "LOCAL_WORLD_SIZE", "SLURM_JOB_ID", "SLURM_RESTART_COUNT",
              "ACCELERATE_USE_FSDP", "MASTER_ADDR", "MASTER_PORT", "TORCHELASTIC_RESTART_COUNT",
              "TORCHELASTIC_USE_AGENT_STORE"}  # fmt: skip
    assert {"IEMOMECP_CACHE", "IEMOMECP_TRACEBACK", "ACCELERATE_MIXED_PRECISION"} <= read
    assert [name for name in sorted(read - unsaid) if f"`{name}" not in told] == []
    assert [name for name in get_args(Tracker) if f"`{name}`" not in page("trackers.md")] == []


_OPTIONS = {
    "diagnose": DiagnoseOptions,
    "evaluate": EvaluateOptions,
    "fetch": FetchCommandOptions,
    "figures": FigureOptions,
    "predict": PredictOptions,
    "report": ReportOptions,
    "stats": StatsOptions,
    "validate": ValidateOptions,
}


def test_commands_of_the_pages_are_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    seen: set[str] = set()
    pages = ["quickstart.md", "training.md", "metrics.md", "clusters.md", "report.md", "gallery.md"]
    pages += [f"corpora/{path.name}" for path in (DOCS / "corpora").glob("*.md")]
    for name in pages:
        text = page(name)
        parts = re.split(r"^ *```(\S*).*$", text, flags=re.M)
        # Odd parts are fences; what follows an opening one without a language is a block of commands.
        blocks = "\n".join(content for fence, content in zip(parts[1::4], parts[2::4], strict=True) if not fence)
        blocks = blocks.replace("\\\n", " ")
        inline = re.findall(r"`(iemomecp [a-z][^`]*)`", text)
        for line in [line.strip() for line in blocks.splitlines()] + inline:
            words = shlex.split(line) if re.match(r"(iemomecp|accelerate launch trainers/)", line) else []
            if not words or "…" in line:
                continue
            if words[0] == "accelerate":
                trainer, arguments = Path(words[2]).stem, words[3:]
                assert trainer in {**TRAINERS, **EMOTION_TRAINERS, **EXPLANATION_TRAINERS}
                kind, defaults = options_of(trainer)
                parse_options(arguments, description="", defaults=defaults, kind=kind)
                seen.add("train")
            elif words[1] in _OPTIONS and words[2:] and words[2] != "attention-bridge":
                read_options(_OPTIONS[words[1]], words[2:], command=words[1], description=None)
                seen.add(words[1])
            else:
                assert words[1] in COMMANDS, line
    assert seen == {*_OPTIONS, "train"} | {"evaluate"}
    known = {f"--{name}" for name in MatrixOptions.__dataclass_fields__}
    told = set(
        re.findall(
            r"`(--(?:slots|gpus|per_gpu|backend|ray_address|gpus_per_cell|retry_failed|dry_run))\b", page("clusters.md")
        )
    )
    assert told <= known
    assert len(told) >= 6


def write_site(folder: Path, body: str) -> None:
    (folder / "index.html").write_text(f"<html><body>{body}</body></html>", encoding="utf-8")
    (folder / "other.html").write_text('<html><body><h1 id="here">Other</h1></body></html>', encoding="utf-8")
    (folder / "searchindex.js").write_text("Search.setIndex(" + "x" * 1000 + ")", encoding="utf-8")


@pytest.mark.parametrize(
    ("body", "finding"),
    [
        ('<a href="other.html#here">x</a> <a href="https://example.org/x">y</a> <a href="#top">z</a><i id="top">', ""),
        ('<a href="gone.html">x</a>', "index.html: gone.html leads nowhere"),
        ('<a href="other.html#gone">x</a>', "index.html: other.html#gone names an anchor that is not there"),
        ('<img src="gone.png">', "index.html: gone.png leads nowhere"),
        ("<p>See :func:`train`.</p>", "index.html: the role :func:` is printed as text"),
        ("<p>See {py:func}`train`.</p>", "index.html: the role {py:func}` is printed as text"),
        ("<script>':func:`train`'</script>", ""),
    ],
)
def test_finished_pages_are_checked(tmp_path: Path, body: str, finding: str) -> None:
    from checked_pages import problems

    write_site(tmp_path, body)
    assert problems(tmp_path) == ([finding] if finding else [])


def test_a_site_without_a_search_index_is_not_in_order(tmp_path: Path) -> None:
    from checked_pages import problems

    write_site(tmp_path, "")
    (tmp_path / "searchindex.js").unlink()
    assert problems(tmp_path) == ["searchindex.js: there is no search index"]


def test_references_to_what_does_not_exist_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    import public_names
    from docutils import nodes

    told: list[str] = []
    monkeypatch.setattr(public_names._logger, "warning", lambda text, name, **_: told.append(text % name))
    content = nodes.literal(text="x")
    for target in ("iemomecp_dataset.corpus.load_corpus", "iemomecp_dataset.corpus.no_such_thing", "numpy.ndarray"):
        node = nodes.reference(refdomain="py", reftarget=target)
        assert public_names.resolve(None, None, node, content) is content
    assert told == ["iemomecp_dataset.corpus.no_such_thing does not exist"]


def test_references_to_public_names_lead_to_an_entry() -> None:
    """One that is public in two modules is shown in both, and indexed in one."""
    from public_names import _public_paths, documented

    paths = _public_paths()
    assert paths["iemomecp_dataset.IemomecpError"] == "iemomecp_dataset.errors.IemomecpError"
    for path in paths.values():
        module, _, name = path.rpartition(".")
        assert ":no-index:" not in documented(module, [name]), path


def test_searches_do_not_find_the_changelog() -> None:
    """It names everything, and would stand above the page that explains it."""
    assert page("project/changelog.md").startswith("---\nnosearch: true\n---\n")


def test_what_a_command_of_a_notebook_prints_is_joined_as_it_was_printed() -> None:
    from notebook_cells import merged

    parts = [("stdout", "train\n  val"), ("stderr", "note\n"), ("stdout", "idation\n")]
    found = merged([{"output_type": "stream", "name": name, "text": text} for name, text in parts])
    assert [(part["name"], part["text"]) for part in found] == [
        ("stdout", "train\n  validation\n"),
        ("stderr", "note\n"),
    ]


@pytest.mark.slow
def test_code_of_the_quickstart_runs(repository: Path, tmp_path: Path, small_dir: Path, tiny_encoder: Path) -> None:
    (tmp_path / "demo_output").mkdir()
    (tmp_path / "demo_output" / "data").symlink_to(small_dir)
    (tmp_path / "demo_output" / "encoder").symlink_to(tiny_encoder)
    code = "\n".join(re.findall(r"^```python\n(.*?)^```$", page("quickstart.md"), re.M | re.S)).replace(
        "epochs=4", "epochs=1"
    )
    code += "\nassert scores['pair_f1'] == 1.0\nassert [p.shape[1] for p in probabilities] == [3] * len(data['test'])"
    done = forked_python.run("-c", code, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(repository)})
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "runs" / "in-python" / "results.json").is_file()


class _Ids(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.ids: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids |= {value for name, value in attrs if name == "id" and value}


@pytest.mark.slow
def test_the_site_builds_without_a_warning(repository: Path, tmp_path: Path) -> None:
    from checked_pages import problems
    from public_names import PACKAGES, public_names

    built = built_site()
    site = tmp_path / "html" if built is None else built / "html"
    if built is None:
        # Notebooks have a test of their own; here they are shown without outputs.
        arguments = ["--fail-on-warning", "--keep-going", "--nitpicky", "--quiet", "-D", "nb_execution_mode=off"]
        arguments += ["-D", f"gallery_work={tmp_path / 'gallery'}", "-d", tmp_path / "doctrees", DOCS, site]
        environment = {**os.environ, "PYTHONPATH": str(repository)}
        done = forked_python.run("-m", "sphinx", *map(str, arguments), cwd=tmp_path, env=environment)
        assert done.returncode == 0, done.stderr
    assert problems(site) == []
    ids = _Ids()
    for path in (site / "api").glob("*.html"):
        ids.feed(path.read_text(encoding="utf-8"))
    for package in PACKAGES:
        for name in public_names(package):
            defined = getattr(importlib.import_module(package), name)
            assert {f"{package}.{name}", f"{getattr(defined, '__module__', '')}.{name}"} & ids.ids, f"{package}.{name}"
    gallery = (site / "gallery.html").read_text(encoding="utf-8")
    assert gallery.count("SYNTHETIC DATA") >= 10
    assert "SYNTHETIC DATA" in (site / "report-example.html").read_text(encoding="utf-8")
    hosts = re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=\"https?://([^/\"]+)", gallery)
    assert hosts == [], "a page asks another server for what it shows"
