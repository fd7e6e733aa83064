"""Assembles the report: one HTML file from the boards of a folder of runs."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from importlib import metadata, resources
from pathlib import Path
from typing import Any

from iemomecp_dataset.benchmark.board import Board, leaderboard
from iemomecp_dataset.benchmark.diagnostics.tables import Diagnosis
from iemomecp_dataset.benchmark.emotion_board import emotion_boards
from iemomecp_dataset.benchmark.explanation_board import explanation_boards
from iemomecp_dataset.benchmark.report.diagnostics import diagnostics_html
from iemomecp_dataset.benchmark.report.emotions.section import EmotionSection, build_emotion_section
from iemomecp_dataset.benchmark.report.explanations.section import ExplanationSection, build_explanation_section
from iemomecp_dataset.benchmark.report.section import Section, Texts, build_section, distinguish_headings
from iemomecp_dataset.benchmark.runs.index import RunIndex, UnfinishedRun, shown_path
from iemomecp_dataset.errors import missing_extra
from iemomecp_dataset.files import write_bytes
from iemomecp_dataset.pictures.content_policy import policy_element
from iemomecp_dataset.pictures.palette import palette_css
from iemomecp_dataset.pictures.words import printable

__all__ = ["render_report", "write_report"]


def write_report(
    index: RunIndex,
    output: str | Path,
    *,
    title: str | None = None,
    texts: Texts | None = None,
    n_resamples: int = 1000,
    progress: Callable[[Sequence[Board]], Any] | None = None,
    diagnosis: Diagnosis | None = None,
) -> int:
    """Writes the report of a folder of runs, whole or not at all.

    Args:
        index: The runs.
        output: The HTML file.
        title: Heading of the page; by default the tasks of the runs.
        texts: Utterance texts to show in dialogues; without them the page contains no dialogue text.
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
    ).encode("utf-8", "backslashreplace")  # names of folders may be no Unicode
    write_bytes(Path(output), page)
    return len(page)


def render_report(
    index: RunIndex,
    *,
    title: str | None = None,
    texts: Texts | None = None,
    n_resamples: int = 1000,
    progress: Callable[[Sequence[Board]], Any] | None = None,
    diagnosis: Diagnosis | None = None,
    today: datetime.date | None = None,
) -> str:
    """Renders the report of a folder of runs as one HTML page without external resources.

    Args:
        index: The runs.
        title: As in :func:`write_report`.
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
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=jinja2.FunctionLoader(lambda name: (files / name).read_text(encoding="utf-8")),
    )
    template = environment.get_template("template.html")
    of_pairs = leaderboard(index.runs)
    of_emotions = emotion_boards(index.runs)
    of_explanations = explanation_boards(index.runs)
    all_boards = [*of_pairs, *of_emotions, *of_explanations]
    first_explanation = len(of_pairs) + len(of_emotions)
    sections: list[Section] = []
    emotion_sections: list[EmotionSection] = []
    explanation_sections: list[ExplanationSection] = []
    for number, board in enumerate(progress(all_boards) if progress else all_boards):
        if number < len(of_pairs):
            sections.append(build_section(number, board, texts, n_resamples))
        elif number >= first_explanation:
            found = build_explanation_section(number - first_explanation, board, texts, n_resamples)
            explanation_sections.append(found)
        else:
            emotion_sections.append(build_emotion_section(number - len(of_pairs), board, texts, n_resamples))
    sections, emotion_sections = distinguish_headings(sections), distinguish_headings(emotion_sections)
    explanation_sections = distinguish_headings(explanation_sections)
    scripts = ["table_sort.js", "table_filter.js"]
    explorers = [
        script
        for script, found in (("explorer.js", sections), ("emotions/explorer.js", emotion_sections))
        if any(section.explorer for section in found)
    ]
    if explorers:
        scripts += ["browse.js", *explorers]
    script = "\n".join((files / name).read_text(encoding="utf-8") for name in scripts)
    return template.render(
        policy=policy_element(script),
        title=title or _title(bool(sections), bool(emotion_sections), bool(explanation_sections)),
        part_titles=_PARTS,
        today=(today or datetime.datetime.now(datetime.UTC).date()).isoformat(),
        version=_version(),
        runs_dir=index.root.resolve().name,
        n_runs=len(index.runs),
        sections=sections,
        emotion_sections=emotion_sections,
        explanation_sections=explanation_sections,
        explanations=environment.get_template("explanations/section.html").render(sections=explanation_sections),
        emotions=environment.get_template("emotions/section.html").render(sections=emotion_sections),
        diagnostics="" if diagnosis is None or not sections else diagnostics_html(diagnosis, environment, index.root),
        unfinished=[_unfinished(run, index.root) for run in index.unfinished],
        unchecked=[_unfinished(run, index.root) for run in index.unchecked],
        any_synthetic=any(board.key.synthetic for board in all_boards),
        all_synthetic=all(board.key.synthetic for board in all_boards),
        style=palette_css(":root") + (files / "style.css").read_text(encoding="utf-8"),
        script=script,
    )


def _shown(value: Any) -> Any:
    """Shows what a browser would obey, such as marks that turn the direction of writing; markup is left as it is."""
    return printable(value) if type(value) is str else value


_PARTS = {
    "pairs": "Emotion-cause pair extraction",
    "emotions": "Emotion recognition in conversations",
    "explanations": "Explanations of emotions in conversations",
}
_SEVERAL = {
    (True, True, False): "Emotion-cause pairs and emotions in conversations",
    (True, False, True): "Emotion-cause pairs and explanations in conversations",
    (False, True, True): "Emotions in conversations and their explanations",
    (True, True, True): "Emotion-cause pairs, emotions and explanations in conversations",
}


def _title(pairs: bool, emotions: bool, explanations: bool) -> str:
    several = _SEVERAL.get((pairs, emotions, explanations))
    return several or _PARTS["explanations" if explanations else "emotions" if emotions else "pairs"]


def _unfinished(run: UnfinishedRun, root: Path) -> tuple[str, str]:
    folder = run.folder.relative_to(root) if run.folder.is_relative_to(root) else run.folder
    return shown_path(folder), run.reason.replace(f"{run.folder}/", "")


def _version() -> str:
    try:
        return metadata.version("iemomecp")
    except metadata.PackageNotFoundError:
        return "unknown"
