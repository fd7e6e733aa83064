"""Assembles the report: one HTML file from the boards of a folder of runs."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from importlib import metadata, resources
from pathlib import Path
from typing import Any

from iemomecp_dataset.benchmark.board import Board, leaderboard
from iemomecp_dataset.benchmark.diagnostics.tables import Diagnosis
from iemomecp_dataset.benchmark.report.diagnostics import diagnostics_html
from iemomecp_dataset.benchmark.report.section import Texts, build_section, distinguish_headings
from iemomecp_dataset.benchmark.runs.index import RunIndex, UnfinishedRun
from iemomecp_dataset.errors import missing_extra
from iemomecp_dataset.files import write_bytes

__all__ = ["render_report", "write_report"]


def write_report(
    index: RunIndex,
    output: str | Path,
    *,
    title: str = "Emotion-cause pair extraction",
    texts: Texts | None = None,
    n_resamples: int = 1000,
    progress: Callable[[Sequence[Board]], Any] | None = None,
    diagnosis: Diagnosis | None = None,
) -> int:
    """Writes the report of a folder of runs, whole or not at all.

    Args:
        index: The runs.
        output: The HTML file.
        title: Heading of the page.
        texts: Utterance texts to show beside the pair matrix; without them the page contains no dialogue text.
        n_resamples: Number of bootstrap resamples of the dialogues for intervals and tests; 0 leaves both out.
        progress: Wraps the sequence of boards, as ``tqdm`` does.
        diagnosis: Diagnostics of the runs, for a section of their own.

    Returns:
        Size of the page in bytes.

    Raises:
        MissingDependencyError: jinja2 or matplotlib is not installed.
        UsageError: The file cannot be written.
    """
    page = render_report(
        index, title=title, texts=texts, n_resamples=n_resamples, progress=progress, diagnosis=diagnosis
    ).encode()
    write_bytes(Path(output), page)
    return len(page)


def render_report(
    index: RunIndex,
    *,
    title: str = "Emotion-cause pair extraction",
    texts: Texts | None = None,
    n_resamples: int = 1000,
    progress: Callable[[Sequence[Board]], Any] | None = None,
    diagnosis: Diagnosis | None = None,
    today: datetime.date | None = None,
) -> str:
    """Renders the report of a folder of runs as one HTML page without external resources.

    Args:
        index: The runs.
        title: Heading of the page.
        texts: As in :func:`write_report`.
        n_resamples: As in :func:`write_report`.
        progress: As in :func:`write_report`.
        diagnosis: As in :func:`write_report`.
        today: Date on the page; by default the current UTC date.

    Returns:
        The HTML.

    Raises:
        MissingDependencyError: jinja2 or matplotlib is not installed.
    """
    try:
        import jinja2
    except ImportError as error:
        raise missing_extra("jinja2", "report") from error
    files = resources.files(__package__)
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=jinja2.FunctionLoader(lambda name: (files / name).read_text(encoding="utf-8")),
    )
    template = environment.get_template("template.html")
    all_boards = leaderboard(index.runs)
    steps = progress(all_boards) if progress else all_boards
    sections = distinguish_headings(
        [build_section(number, board, texts, n_resamples) for number, board in enumerate(steps)]
    )
    return template.render(
        title=title,
        today=(today or datetime.datetime.now(datetime.UTC).date()).isoformat(),
        version=_version(),
        runs_dir=index.root.resolve().name,
        n_runs=len(index.runs),
        sections=sections,
        diagnostics="" if diagnosis is None else diagnostics_html(diagnosis, environment, index.root),
        unfinished=[_unfinished(run, index.root) for run in index.unfinished],
        any_synthetic=any(board.key.synthetic for board in all_boards),
        all_synthetic=all(board.key.synthetic for board in all_boards),
        style=(files / "style.css").read_text(encoding="utf-8"),
        script="\n".join((files / f"table_{what}.js").read_text(encoding="utf-8") for what in ("sort", "filter")),
        explorer_script=(files / "explorer.js").read_text(encoding="utf-8"),
    )


def _unfinished(run: UnfinishedRun, root: Path) -> tuple[str, str]:
    folder = run.folder.relative_to(root) if run.folder.is_relative_to(root) else run.folder
    return str(folder), run.reason.replace(f"{run.folder}/", "")


def _version() -> str:
    try:
        return metadata.version("iemomecp")
    except metadata.PackageNotFoundError:
        return "unknown"
