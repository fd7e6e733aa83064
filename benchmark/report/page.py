"""Assembles the report: boards become tables and figures, and one HTML file."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import metadata, resources
from pathlib import Path
from typing import Any

from iemomecp_dataset.benchmark.comparison import compare
from iemomecp_dataset.benchmark.leaderboard import DEFINITIONS, Board, Row, Score, boards, score_columns, split_notes
from iemomecp_dataset.benchmark.predictions import Predictions, read_predictions
from iemomecp_dataset.benchmark.report.distance_profile import distance_profile_picture
from iemomecp_dataset.benchmark.report.explorer import explorer_data, script_json
from iemomecp_dataset.benchmark.report.learning_curves import learning_curves_picture
from iemomecp_dataset.benchmark.report.overview import overview_picture
from iemomecp_dataset.benchmark.report.pair_matrix import pair_matrix_picture, telling_dialogue
from iemomecp_dataset.benchmark.report.precision_recall import precision_recall_picture
from iemomecp_dataset.benchmark.report.svg import Picture
from iemomecp_dataset.benchmark.results_table import count_words, percent
from iemomecp_dataset.benchmark.run_index import Run, RunIndex, UnfinishedRun
from iemomecp_dataset.errors import IemomecpError, missing_extra
from iemomecp_dataset.metrics.bootstrap import Interval

__all__ = ["Texts", "render_report", "write_report"]

_MATRIX_SYSTEMS = 3
"""Systems beside the gold in the pair matrix; more would be too small to read."""


_SAME_SCORE = 1e-6
"""Pair F1 of a run's record and of its predictions differ by less, or the page says so."""


@dataclass(frozen=True)
class Texts:
    """Utterance texts of a corpus, for those who may see them.

    Attributes:
        of_dialogue: By dialogue id, its ``(speaker, text)`` in the order of turns.
    """

    of_dialogue: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)


def write_report(
    index: RunIndex,
    output: str | Path,
    *,
    title: str = "Emotion-cause pair extraction",
    texts: Texts | None = None,
    n_resamples: int = 1000,
    progress: Callable[[Sequence[Board]], Any] | None = None,
) -> int:
    """Writes the report of a runs folder.

    Args:
        index: The runs.
        output: The HTML file.
        title: Heading of the page.
        texts: Utterance texts to show beside the pair matrix; without it the page holds no text of any dialogue.
        n_resamples: Resamples of the dialogues for intervals and tests; 0 leaves them out.
        progress: Wraps the boards that are gone through, as ``tqdm`` does.

    Returns:
        Size of the page in bytes.

    Raises:
        MissingDependencyError: jinja2 or matplotlib is not installed.
    """
    page = render_report(index, title=title, texts=texts, n_resamples=n_resamples, progress=progress).encode()
    output = Path(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    partial = output.with_name(f".{output.name}.partial")
    partial.write_bytes(page)
    partial.replace(output)
    return len(page)


def render_report(
    index: RunIndex,
    *,
    title: str = "Emotion-cause pair extraction",
    texts: Texts | None = None,
    n_resamples: int = 1000,
    progress: Callable[[Sequence[Board]], Any] | None = None,
    today: datetime.date | None = None,
) -> str:
    """Renders the report of a runs folder as one HTML page that needs no network.

    Args:
        index: The runs.
        title: Heading of the page.
        texts: As in :func:`write_report`.
        n_resamples: As in :func:`write_report`.
        progress: As in :func:`write_report`.
        today: Date on the page; by default the current one.

    Returns:
        The page.
    """
    try:
        import jinja2
    except ImportError as error:
        raise missing_extra("jinja2", "report") from error
    files = resources.files(__package__)
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string((files / "template.html").read_text(encoding="utf-8"))
    all_boards = boards(index.runs)
    steps = progress(all_boards) if progress else all_boards
    sections = _told_apart([_section(number, board, texts, n_resamples) for number, board in enumerate(steps)])
    return template.render(
        title=title,
        today=(today or datetime.datetime.now(datetime.UTC).date()).isoformat(),
        version=_version(),
        runs_dir=index.root.resolve().name,
        n_runs=len(index.runs),
        sections=sections,
        unfinished=[_unfinished(run, index.root) for run in index.unfinished],
        any_synthetic=any(board.key.synthetic for board in all_boards),
        all_synthetic=all(board.key.synthetic for board in all_boards),
        style=(files / "style.css").read_text(encoding="utf-8"),
        script=(files / "table_sort.js").read_text(encoding="utf-8"),
        explorer_script=(files / "explorer.js").read_text(encoding="utf-8"),
    )


@dataclass(frozen=True)
class _Cell:
    text: str
    spread: str = ""
    sort: float = -1e9
    reason: str = ""
    best: bool = False
    share: float = 0.0


@dataclass(frozen=True)
class _TableRow:
    kind: str
    name: str
    note: str
    cells: list[_Cell]
    seeds: str
    n_seeds: int
    threshold: str
    cost: str
    memory: str
    cost_seconds: float


@dataclass(frozen=True)
class _Table:
    split: str
    counts: str
    columns: list[tuple[str, str]]
    rows: list[_TableRow]
    notes: list[str]
    reasons: list[str]


@dataclass(frozen=True)
class _Certainty:
    split: str
    n_units: int
    n_resamples: int
    intervals: list[tuple[str, str, str]]
    comparisons: list[tuple[str, str, str, str, str, bool]]
    left_out: str


@dataclass(frozen=True)
class _Section:
    anchor: str
    heading: str
    synthetic: bool
    statement: str
    definition: str
    definition_words: str
    candidates: str
    fingerprint: str
    notes: list[str]
    tables: list[_Table]
    certainty: _Certainty | None
    pictures: list[Picture]
    matrix: Picture | None
    lines: list[tuple[int, str, str]]
    explorer: str
    private: bool
    runs: list[dict[str, str]]
    versions: str


def _section(number: int, board: Board, texts: Texts | None, n_resamples: int) -> _Section:
    results = board.runs[0].results
    notes = list(board.notes)
    pictures: list[Picture] = []
    matrix = certainty = None
    lines: list[tuple[int, str, str]] = []
    explorer = ""
    if board.splits:
        split = board.splits[0]
        predictions = _predictions(board, split, notes)
        certainty = _certainty(board, split, predictions, n_resamples)
        pictures.append(overview_picture(board, split))
        curve = precision_recall_picture(board, split, predictions)
        profile = distance_profile_picture(board, split, predictions)
        learning = learning_curves_picture(board)
        pictures += [found for found in (curve, profile, learning) if found is not None]
        shown = _matrix_systems(board, predictions)
        if shown:
            dialogue = telling_dialogue(shown[0][1])
            matrix = pair_matrix_picture(dialogue, shown)
            lines = _lines(dialogue, texts, notes)
            explorer = script_json(explorer_data(shown, texts.of_dialogue if texts else None))
    return _Section(
        anchor=f"data-{number + 1}",
        heading=f"{_corpus_name(board.key.corpus)} · {board.key.config_name}",
        synthetic=board.key.synthetic,
        statement=results.data_statement,
        definition=board.key.definition,
        definition_words=DEFINITIONS.get(board.key.definition, "not described"),
        candidates=_CANDIDATES.get(board.key.candidates, board.key.candidates),
        fingerprint=", ".join(f"{split} {digest[:12]}" for split, digest in board.key.data_fingerprint),
        notes=notes,
        tables=[_table(board, split) for split in board.splits],
        certainty=certainty,
        pictures=pictures,
        matrix=matrix,
        lines=lines,
        explorer=explorer,
        private=bool(lines) and not all(run.results.license_text_shareable for run in board.runs),
        runs=[_run_facts(run, board.splits) for run in board.runs],
        versions=", ".join(f"{name} {version}" for name, version in results.versions.items()),
    )


def _told_apart(sections: list[_Section]) -> list[_Section]:
    """Adds the data's digest to headings that would otherwise be the same."""
    headings = [section.heading for section in sections]
    return [
        replace(section, heading=f"{section.heading} · data {section.fingerprint.split(' ')[1][:7]}")
        if headings.count(section.heading) > 1 and section.fingerprint
        else section
        for section in sections
    ]


_CANDIDATES = {
    "all": "every ordered pair of utterances of a dialogue",
    "past": "pairs whose cause is not after its target",
    "triangle+exceptions": "pairs whose cause is not after its target, and the listed forward exceptions",
}


def _corpus_name(corpus: str) -> str:
    return "IEMO-MECP" if corpus == "iemomecp" else corpus.upper()


def _predictions(board: Board, split: str, notes: list[str]) -> dict[str, Predictions]:
    """Reads what can be read, and notes what cannot or is of other pairs."""
    found: dict[str, Predictions] = {}
    first: Predictions | None = None
    for run in board.runs:
        try:
            of_run = read_predictions(run.predictions_path(split))
        except IemomecpError as error:
            notes.append(f"Figures are without {run.results.run_name}: {error}")
            continue
        if first is not None and not _same_pairs(first, of_run):
            notes.append(f"Figures are without {run.results.run_name}: its predictions are of other pairs.")
            continue
        scored = _pair_f1(of_run)
        recorded = float(run.results.metrics[split]["pair_f1"]) if split in run.results.metrics else scored
        if abs(scored - recorded) > _SAME_SCORE:
            notes.append(
                f"The predictions of {run.results.run_name} give Pair F1 {percent(scored)} on {split}, its record says "
                f"{percent(recorded)}: one of the files is not of this run, or was rounded."
            )
        first = first or of_run
        found[run.results.run_name] = of_run
    return found


def _pair_f1(predictions: Predictions) -> float:
    gold, predicted = predictions.labels == 0, predictions.decided == 0
    total = int(gold.sum()) + predictions.missed_positives + int(predicted.sum())
    return 2 * int((gold & predicted).sum()) / total if total else 0.0


def _same_pairs(one: Predictions, other: Predictions) -> bool:
    return len(one) == len(other) and all(
        bool((getattr(one, name) == getattr(other, name)).all())
        for name in ("dialogue_ids", "target_turns", "cause_turns", "labels")
    )


def _certainty(board: Board, split: str, predictions: Mapping[str, Predictions], n_resamples: int) -> _Certainty | None:
    found = compare(board, predictions, n_resamples=n_resamples) if n_resamples else None
    if found is None:
        return None
    return _Certainty(
        split=split,
        n_units=found.n_units,
        n_resamples=found.n_resamples,
        intervals=[
            (name, _interval(of_system["pair_f1"]), _interval(of_system["pair_auprc"]))
            for name, of_system in list(found.intervals.items())[::-1]
        ],
        comparisons=[
            (
                f"{one.first} \N{MINUS SIGN} {one.second}",
                "Pair F1" if one.metric == "pair_f1" else "AUPRC",
                _interval(one.difference, signed=True),
                _p_value(one.difference.p_value),
                _p_value(one.p_holm),
                one.p_holm < 0.05,
            )
            for one in found.comparisons
        ],
        left_out=", ".join(found.left_out),
    )


def _interval(interval: Interval, signed: bool = False) -> str:
    values = (interval.estimate, interval.low, interval.high)
    middle, low, high = (percent(value, signed).replace("-", "\N{MINUS SIGN}") for value in values)
    return f"{middle} [{low}, {high}]"


def _p_value(p: float | None) -> str:
    if p is None or math.isnan(p):
        return "n/a"
    return f"{p:.3f}" if p >= 0.001 else "< 0.001"


def _matrix_systems(board: Board, predictions: Mapping[str, Predictions]) -> list[tuple[str, Predictions]]:
    """The best systems of the table, each by the run of its first seed."""
    shown = []
    for row in board.trained[::-1]:
        run = next((run for run in row.runs if run.results.run_name in predictions), None)
        if run is not None:
            seed = f", seed {run.results.seed}" if len(row.runs) > 1 else ""
            shown.append((f"{row.name}{seed}", predictions[run.results.run_name]))
    return shown[:_MATRIX_SYSTEMS][::-1]


def _lines(dialogue: str, texts: Texts | None, notes: list[str]) -> list[tuple[int, str, str]]:
    if texts is None:
        return []
    if dialogue not in texts.of_dialogue:
        notes.append(f"The texts of dialogue {dialogue} are not in the data that was given.")
        return []
    return [(turn, speaker, text) for turn, (speaker, text) in enumerate(texts.of_dialogue[dialogue], start=1)]


def _table(board: Board, split: str) -> _Table:
    columns = score_columns(board.key.class_names)
    best = {
        key: max(
            (score.mean for row in board.rows if (score := row.score(split, key)) and not math.isnan(score.mean)),
            default=math.nan,
        )
        for key, _ in columns
    }
    rows = [_table_row(row, split, columns, best) for row in board.rows]
    reasons: dict[str, None] = {}
    for row in board.rows:
        for key, heading in columns:
            score = row.score(split, key)
            if score is not None and math.isnan(score.mean) and score.reason:
                reasons[f"{heading} of {row.name}: {score.reason}."] = None
    counts = next((run.results.counts[split] for run in board.runs if split in run.results.counts), {})
    return _Table(split, count_words(counts), columns, rows, split_notes(board, split), list(reasons))


def _table_row(row: Row, split: str, columns: list[tuple[str, str]], best: Mapping[str, float]) -> _TableRow:
    seconds = [run.results.wall_seconds for run in row.runs]
    memory = [run.results.peak_memory_mb for run in row.runs]
    mean_seconds = sum(seconds) / len(seconds) if seconds else math.nan
    cost = ""
    if row.runs:
        cost = "n/a" if math.isnan(mean_seconds) else _duration(mean_seconds)
    return _TableRow(
        kind=row.kind,
        name=row.name,
        note=row.note,
        cells=[_cell(row.score(split, key), key, best[key]) for key, _ in columns],
        seeds=", ".join(map(str, row.seeds)),
        n_seeds=len(row.runs),
        threshold="" if row.threshold == "most probable class" else row.threshold,
        cost=cost,
        memory=f"{max(memory) / 1024:.1f} GB" if memory and not math.isnan(sum(memory)) else "",
        cost_seconds=-1.0 if math.isnan(mean_seconds) else mean_seconds,
    )


def _cell(score: Score | None, key: str, best: float) -> _Cell:
    if score is None:
        return _Cell("–")
    if math.isnan(score.mean):
        return _Cell("n/a", reason=score.reason or "undefined")
    return _Cell(
        text=percent(score.mean, signed=key == "gain_over_distance").replace("-", "\N{MINUS SIGN}"),
        spread="" if math.isnan(score.sd) else f"{100 * score.sd:.2f}",
        sort=score.mean,
        best=score.mean == best,
        share=max(0.0, min(1.0, score.mean)) if key == "pair_f1" else 0.0,
    )


def _run_facts(run: Run, splits: Sequence[str]) -> dict[str, str]:
    record = run.results
    value = record.threshold.get("value")
    facts = {
        "run": record.run_name,
        "seed": str(record.seed),
        "threshold": "–" if value is None else f"{value:.3f}",
        "kept epoch": f"{record.best_epoch} of {record.epochs}",
        "time": "n/a" if math.isnan(record.wall_seconds) else _duration(record.wall_seconds),
        "revision": (record.git_revision or "unknown")[:10],
    }
    for split in splits:
        facts[f"{split} F1"] = percent(float(record.metrics.get(split, {}).get("pair_f1", math.nan)))
        facts[f"{split} AUPRC"] = percent(float(record.metrics.get(split, {}).get("pair_auprc", math.nan)))
    return facts


def _duration(seconds: float) -> str:
    """Seconds as a person says them.

    Example:
        >>> _duration(42), _duration(150), _duration(5400)
        ('42 s', '2.5 min', '1.5 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _unfinished(run: UnfinishedRun, root: Path) -> tuple[str, str]:
    folder = run.folder.relative_to(root) if run.folder.is_relative_to(root) else run.folder
    return str(folder), run.reason.replace(f"{run.folder}/", "")


def _version() -> str:
    try:
        return metadata.version("iemomecp")
    except metadata.PackageNotFoundError:
        return "unknown"
