"""Directives with what runs leave: pictures of the report, the paper's figures and a model card.

The runs behind them are trained here, on the synthetic corpus and for a few epochs. They are kept in
``gallery_work`` and made anew when the package's results would not be read any more.
"""

from __future__ import annotations

import contextlib
import functools
import html
import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.logging import getLogger
from sphinx.util.typing import ExtensionMetadata

REPORT = "report-example.html"
"""The whole report of the gallery's runs, beside the pages."""

_RUNS = (("base", "Base"), ("rpcl", "RPCL"))
_SETTINGS = {
    "encoder_learning_rate": 1e-3,
    "learning_rate": 1e-3,
    "hidden_size": 64,
    "pair_size": 64,
    "bilinear_size": 32,
    "class_weighting": "none",
    "epochs": 5,
    "batch_size": 4,
    "seed": 42,
    "quiet": True,
}
_EMOTION_SETTINGS = {
    "modalities": "t",
    "learning_rate": 2e-3,
    "hidden_size": 48,
    "epochs": 5,
    "batch_size": 8,
    "seed": 42,
    "quiet": True,
}
_RESAMPLES = 200

_logger = getLogger(__name__)


class ReportGallery(SphinxDirective):
    """The pictures of one part of the report: ``pairs`` or ``emotions``."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Renders a figure for each picture."""
        pictures = report_pictures(Path(self.config.gallery_work))[self.arguments[0]]
        return [nodes.raw("", "\n".join(map(figure_html, pictures)), format="html")]


class PaperGallery(SphinxDirective):
    """The ten figures of arXiv 2605.25208, from its published tables."""

    def run(self) -> list[nodes.Node]:
        """Renders a figure for each."""
        figures = paper_figures(Path(self.config.gallery_work) / "paper")
        markup = "\n".join(
            f'<figure class="paper-figure">{svg}<figcaption><code>{html.escape(name)}</code>: {html.escape(shows)}'
            "</figcaption></figure>"
            for name, shows, svg in figures
        )
        return [nodes.raw("", markup, format="html")]


class ModelCardExample(SphinxDirective):
    """The card of a run of the gallery."""

    def run(self) -> list[nodes.Node]:
        """Renders it as it is written."""
        card = make_runs(Path(self.config.gallery_work)) / _RUNS[0][0] / "model" / "README.md"
        return [nodes.literal_block(text=card.read_text(encoding="utf-8"), language="text")]


@functools.cache
def make_runs(work: Path) -> Path:
    """Trains the systems of the gallery on the synthetic corpus, unless they are there.

    Args:
        work: Folder of corpus, encoder and runs.

    Returns:
        Folder of the runs.
    """
    import iemomecp_dataset
    from iemomecp_dataset.commands import synthetic
    from iemomecp_dataset.errors import IemomecpError
    from iemomecp_dataset.trainers import train

    data, encoder, runs = work / "data", work / "encoder", work / "runs"

    def make() -> None:
        if not (data / "SYNTHETIC.txt").is_file():
            synthetic.main(["--output-dir", str(data)])
        if not (encoder / "config.json").is_file():
            synthetic.write_encoder(data, encoder)
        rows: Any = iemomecp_dataset.load("3class", data_dir=data)
        for objective, name in _RUNS:
            train(
                rows,
                objective=objective,
                modalities="t",
                text_encoder=str(encoder),
                output_dir=runs / objective,
                run_name=name,
                **_SETTINGS,
            )
        train(rows, task="erc", text_encoder=str(encoder), output_dir=runs / "ecerc", **_EMOTION_SETTINGS)

    with _silent():
        try:
            make()
        except IemomecpError as error:  # what an earlier state of the code left does not fit any more
            _logger.info("gallery: made anew (%s)", error)
            shutil.rmtree(work, ignore_errors=True)
            make()
    return runs


@functools.cache
def report_pictures(work: Path) -> dict[str, list[Any]]:
    """Draws the pictures of the report.

    Args:
        work: As in :func:`make_runs`.

    Returns:
        Pictures by part of the report: ``pairs`` and ``emotions``.
    """
    from iemomecp_dataset.benchmark import leaderboard
    from iemomecp_dataset.benchmark.emotion_board import emotion_boards
    from iemomecp_dataset.benchmark.report.emotions.section import build_emotion_section
    from iemomecp_dataset.benchmark.report.section import build_section
    from iemomecp_dataset.benchmark.runs.index import index_runs

    index = index_runs(make_runs(work))
    pairs = build_section(0, leaderboard(index.runs)[0], None, 0)
    emotions = build_emotion_section(0, emotion_boards(index.runs)[0], None, 0)
    matrix = [pairs.matrix] if pairs.matrix is not None else []
    return {"pairs": [*pairs.pictures, *matrix], "emotions": emotions.pictures}


def figure_html(picture: Any) -> str:
    """Writes one picture as a figure of a page, marked as synthetic.

    Args:
        picture: A :class:`~iemomecp_dataset.benchmark.report.svg.Picture`.
    """
    drawing = f'<div class="for-wide">{picture.svg}</div>'
    if picture.narrow_svg:
        drawing += f'<div class="for-narrow">{picture.narrow_svg}</div>'
    kind = "report-picture wide" if picture.wide else "report-picture"
    if picture.narrow_svg:
        kind += " narrow-too"
    title = html.escape(picture.title)
    return (
        f'<figure class="{kind}"><p class="title">{title} <span class="synthetic">SYNTHETIC DATA</span></p>'
        f'<div class="drawing" tabindex="0" role="region" aria-label="{title}">{drawing}</div>'
        f"<figcaption>{html.escape(picture.caption)}</figcaption></figure>"
    )


def paper_figures(folder: Path) -> list[tuple[str, str, str]]:
    """Draws the figures of the paper.

    Args:
        folder: Where to write them.

    Returns:
        Name, subject and markup of each.
    """
    from iemomecp_dataset.benchmark.figures import FIGURES
    from iemomecp_dataset.commands import figures

    with _silent():
        figures.main(["--output-dir", str(folder), "--formats", "svg"])
    found = []
    for figure in FIGURES:
        markup = (folder / f"{figure.name}.svg").read_text(encoding="utf-8")
        # Ids are unique on a page, and matplotlib begins anew in every file.
        markup = markup[markup.index("<svg") :]
        for before in ('id="', 'href="#', "url(#"):
            markup = markup.replace(before, f"{before}{figure.name}-")
        found.append((figure.name, figure.shows, markup))
    return found


def train_before_reading(app: Sphinx) -> None:
    """Makes the runs once, before processes that read pages at the same time would each make them."""
    if app.builder.name == "html":
        make_runs(Path(app.config.gallery_work))


def write_report(app: Sphinx, exception: Exception | None) -> None:
    """Writes the whole report of the gallery's runs beside the pages."""
    from iemomecp_dataset.commands import report

    if exception is None and app.builder.name == "html":
        runs = make_runs(Path(app.config.gallery_work))
        with _silent():
            arguments = ["--output", str(Path(app.outdir) / REPORT), "--resamples", str(_RESAMPLES), "--quiet"]
            report.main([str(runs), *arguments])


def write_colors(app: Sphinx) -> None:
    """Writes the colours of the report's pictures as a style sheet that follows the site's light and dark theme."""
    from iemomecp_dataset.pictures.palette import DARK, LIGHT, variables

    picture = ".report-picture"
    dark = variables(DARK)
    rules = (
        f"{picture} {{ {variables(LIGHT)} }}\n"
        f'body[data-theme="dark"] {picture} {{ {dark} }}\n'
        f'@media (prefers-color-scheme: dark) {{ body:not([data-theme="light"]) {picture} {{ {dark} }} }}\n'
    )
    folder = Path(app.config.gallery_work) / "static"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "picture_colors.css").write_text(rules, encoding="utf-8")
    app.config.html_static_path.append(str(folder))
    app.add_css_file("picture_colors.css")


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Keeps what commands print out of the build's output; their errors are raised."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


def setup(app: Sphinx) -> ExtensionMetadata:
    """Adds the directives; the report is written before the finished pages are checked."""
    app.add_config_value("gallery_work", "", "env")
    app.add_directive("report-gallery", ReportGallery)
    app.add_directive("paper-gallery", PaperGallery)
    app.add_directive("model-card-example", ModelCardExample)
    app.connect("builder-inited", train_before_reading)
    app.connect("builder-inited", write_colors)
    app.connect("build-finished", write_report, priority=400)
    return {"parallel_read_safe": True}
