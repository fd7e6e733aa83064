"""Builds one section of the page: tables and figures of one set of comparable runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from iemomecp_dataset.benchmark.board import Board, parts_of_split
from iemomecp_dataset.benchmark.published.beside import published_rows_beside
from iemomecp_dataset.benchmark.published.systems import HEADINGS, PublishedRow
from iemomecp_dataset.benchmark.report.board_predictions import Found, collect_predictions
from iemomecp_dataset.benchmark.report.confidence import confidence_picture
from iemomecp_dataset.benchmark.report.confusions import confusions_picture
from iemomecp_dataset.benchmark.report.distance_profile import distance_profile_picture
from iemomecp_dataset.benchmark.report.explorer import explorer_data, script_json
from iemomecp_dataset.benchmark.report.learning_curves import learning_curves_picture
from iemomecp_dataset.benchmark.report.overview import overview_picture
from iemomecp_dataset.benchmark.report.pair_matrix import choose_dialogue, pair_matrix_picture
from iemomecp_dataset.benchmark.report.precision_recall import precision_recall_picture
from iemomecp_dataset.benchmark.report.reading_ladder import language_model_facts, reading_ladder_picture
from iemomecp_dataset.benchmark.report.reliability import reliability_picture
from iemomecp_dataset.benchmark.report.significance import SignificanceTables, significance_tables
from iemomecp_dataset.benchmark.report.svg import Picture
from iemomecp_dataset.benchmark.report.tables import ResultsTable, duration_text, table_of_split
from iemomecp_dataset.benchmark.results_table import percent
from iemomecp_dataset.benchmark.row_labels import MAX_DRAWN
from iemomecp_dataset.benchmark.runs.index import Run
from iemomecp_dataset.benchmark.runs.results import RunResults
from iemomecp_dataset.metrics.set_scores import DEFINITIONS

__all__ = [
    "MAX_BESIDE",
    "BoardSection",
    "Section",
    "Texts",
    "best_systems",
    "board_heading",
    "build_section",
    "digests",
    "distinguish_headings",
    "run_facts",
    "shown_words",
    "versions_text",
]

MAX_BESIDE = 3
"""Largest number of systems beside the gold in a dialogue; with more, it becomes illegible."""


@dataclass(frozen=True)
class Texts:
    """Utterance texts of a corpus, for readers who are licensed to see them.

    Attributes:
        of_dialogue: ``(speaker, text)`` in turn order, by dialogue id, for runs of one configuration.
        of_config: The same by configuration, for runs of several, whose dialogues may have the same ids.
    """

    of_dialogue: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)
    of_config: Mapping[str, Mapping[str, Sequence[tuple[str, str]]]] = field(default_factory=dict)

    def of(self, config_name: str) -> Mapping[str, Sequence[tuple[str, str]]]:
        """Texts by dialogue id of a run on the configuration; those of another one are never shown."""
        return self.of_config.get(config_name, {}) if self.of_config else self.of_dialogue


@dataclass(frozen=True)
class BoardSection:
    """What the template shows of a board of any task; field names are those used in the template."""

    anchor: str
    heading: str
    synthetic: bool
    statement: str
    fingerprint: str
    texts: str
    notes: list[str]
    tables: list[ResultsTable]
    published: list[PublishedRow]
    published_columns: list[tuple[str, str]]
    significance: SignificanceTables | None
    pictures: list[Picture]
    explorer: str
    explorer_note: str
    naming: str
    private: bool
    runs: list[dict[str, str]]
    versions: str


@dataclass(frozen=True)
class Section(BoardSection):
    """Content of a board of runs that find pairs."""

    definition: str
    definition_words: str
    candidates: str
    matrix: Picture | None
    lines: list[tuple[int, str, str]]


OfBoard = TypeVar("OfBoard", bound=BoardSection)


def build_section(number: int, board: Board, texts: Texts | None, n_resamples: int) -> Section:
    """Builds the section of a board.

    Args:
        number: Position on the page, from 0.
        board: Comparable runs.
        texts: Utterance texts, or None to show none.
        n_resamples: Number of resamples for intervals and tests; 0 leaves both out.

    Returns:
        The section.
    """
    results = board.runs[0].results
    notes = list(board.notes)
    pictures: list[Picture] = []
    matrix = significance = None
    lines: list[tuple[int, str, str]] = []
    explorer = explorer_note = ""
    if board.splits:
        split = board.splits[0]
        # Upper bounds are in no figure and no test beside results.
        drawn_board, *bounds = parts_of_split(board, split)
        for part in bounds:
            names = "; ".join(row.name for row in part.trained)
            notes.append(f"The figures and tests leave out upper bounds on {split}: {names}.")
        predictions = collect_predictions(drawn_board, split, notes)
        significance = significance_tables(drawn_board, split, predictions, n_resamples)
        pictures.append(overview_picture(drawn_board, split))
        ranked = {name: of_run for name, of_run in predictions.items() if not of_run.decisions_alone}
        if len(ranked) < len(predictions):
            notes.append(
                f"{', '.join(sorted(predictions.keys() - ranked.keys()))} gave decisions without probabilities: "
                "pairs cannot be ranked, so there is no average precision, no curve and no confidence."
            )
        drawn = (
            precision_recall_picture(drawn_board, split, ranked) if ranked else None,
            distance_profile_picture(drawn_board, split, predictions) if predictions else None,
            reliability_picture(drawn_board, split, ranked) if ranked else None,
            confidence_picture(drawn_board, split, ranked) if ranked else None,
            confusions_picture(drawn_board, split),
            learning_curves_picture(drawn_board),
            reading_ladder_picture(drawn_board, split),
        )
        pictures += [found for found in drawn if found is not None]
        shown = best_systems(drawn_board, predictions)
        if shown:
            dialogue = choose_dialogue(shown[0][1])
            in_matrix, in_explorer = shown[:MAX_BESIDE], shown[:MAX_DRAWN]
            left_out = shown_words(in_matrix, shown)
            if len(in_matrix) < len(in_explorer):
                every = "all" if in_explorer == shown else f"the best {len(in_explorer)}"
                left_out += f" The explorer below has {every} of them."
            matrix = pair_matrix_picture(dialogue, in_matrix, left_out)
            of_dialogue = texts.of(board.key.config_name) if texts else None
            lines = _lines(dialogue, of_dialogue, notes)
            explorer = script_json(explorer_data(in_explorer, of_dialogue))
            explorer_note = shown_words(in_explorer, shown)
    published = published_rows_beside(board)
    return Section(
        anchor=f"data-{number + 1}",
        heading=board_heading(board),
        synthetic=board.key.synthetic,
        statement=results.data_statement,
        definition=board.key.definition,
        definition_words=DEFINITIONS.get(board.key.definition, "not described"),
        candidates=_CANDIDATES.get(board.key.candidates, board.key.candidates),
        fingerprint=digests(board.key.data_fingerprint),
        texts=digests(board.key.text_fingerprint),
        notes=notes,
        tables=[table_of_split(part, split) for split in board.splits for part in parts_of_split(board, split)],
        published=published,
        published_columns=[(key, HEADINGS[key]) for key in published[0].scores] if published else [],
        significance=significance,
        pictures=pictures,
        matrix=matrix,
        lines=lines,
        explorer=explorer,
        explorer_note=explorer_note,
        naming=board.labels.sentence,
        private=bool(lines) and not all(run.results.license_text_shareable for run in board.runs),
        runs=[
            {**run_facts(run, board.splits, {"pair_f1": "F1", "pair_auprc": "AUPRC"}), **further}
            for run, further in zip(board.runs, language_model_facts(board.runs, board.splits), strict=True)
        ],
        versions=versions_text(results),
    )


def digests(fingerprints: Sequence[tuple[str, str]]) -> str:
    """Lists the starts of digests by split."""
    return ", ".join(f"{split} {digest[:12]}" for split, digest in fingerprints)


def versions_text(results: RunResults) -> str:
    """Lists the versions of the libraries of a run."""
    return ", ".join(f"{name} {version}" for name, version in results.versions.items())


def distinguish_headings(sections: list[OfBoard]) -> list[OfBoard]:
    """Appends the start of the data's digest, then of the texts', to headings that would otherwise be equal.

    Args:
        sections: All sections of the page.

    Returns:
        The same sections with distinct headings, where digests are recorded.
    """
    for what, name in (("data", "fingerprint"), ("texts", "texts")):
        headings = [section.heading for section in sections]
        sections = [
            replace(section, heading=f"{section.heading} · {what} {found.split(' ')[1][:7].rstrip(',')}")
            if headings.count(section.heading) > 1 and (found := getattr(section, name))
            else section
            for section in sections
        ]
    return sections


_CANDIDATES = {
    "all": "every ordered pair of utterances of a dialogue",
    "past": "pairs whose cause does not come after its target",
    "triangle+exceptions": "pairs whose cause does not come after its target, plus the listed forward exceptions",
}


def board_heading(board: Board) -> str:
    """Names the data of a board for readers."""
    name = _corpus_name(board.key.corpus)
    return name if board.key.config_name == board.key.corpus else f"{name} · {board.key.config_name}"


def _corpus_name(corpus: str) -> str:
    return "IEMO-MECP" if corpus == "iemomecp" else corpus.upper()


def best_systems(board: Board, predictions: Mapping[str, Found]) -> list[tuple[str, Found]]:
    """Lists the systems whose dialogues can be shown, best first, each represented by its first seed.

    Args:
        board: Comparable runs.
        predictions: By run name.

    Returns:
        Label and predictions.
    """
    shown = []
    for row in board.trained[::-1]:
        run = next((run for run in row.runs if run.results.run_name in predictions), None)
        if run is not None:
            seed = f", seed {run.results.seed}" if len(row.runs) > 1 else ""
            shown.append((f"{board.labels.keyed(row.name)}{seed}", predictions[run.results.run_name]))
    return shown


def shown_words(shown: Sequence[object], every: Sequence[object]) -> str:
    """Says that not all systems are shown; empty where all are.

    Example:
        >>> shown_words("abc", "abcd"), shown_words("abc", "abc")
        ('Shown are the best 3 of 4 systems.', '')
    """
    return f"Shown are the best {len(shown)} of {len(every)} systems." if len(shown) < len(every) else ""


def _lines(
    dialogue: str, of_dialogue: Mapping[str, Sequence[tuple[str, str]]] | None, notes: list[str]
) -> list[tuple[int, str, str]]:
    if of_dialogue is None:
        return []
    if dialogue not in of_dialogue:
        notes.append(f"The texts of dialogue {dialogue} are not in the data that was given.")
        return []
    return [(turn, speaker, text) for turn, (speaker, text) in enumerate(of_dialogue[dialogue], start=1)]


def run_facts(
    run: Run,
    splits: Sequence[str],
    scores: Mapping[str, str],
    *,
    has_threshold: bool = True,
    written: Callable[[str, float], str] = lambda _, value: percent(value),
) -> dict[str, str]:
    """Lists the entries of one run in the table of runs.

    Args:
        run: The run.
        splits: Splits with scores.
        scores: Headings by metric.
        has_threshold: Whether a run may decide by a threshold.
        written: Formats a value of a metric.

    Returns:
        Texts by heading.
    """
    record = run.results
    value = record.threshold.get("value")
    facts = {
        "run": record.run_name,
        "seed": str(record.seed),
        **({"threshold": "–" if value is None else f"{value:.3f}"} if has_threshold else {}),
        "kept epoch": f"{record.best_epoch} of {record.epochs}" if record.epochs else "–",
        "time": "n/a" if math.isnan(record.wall_seconds) else duration_text(record.wall_seconds),
        "revision": (record.git_revision or "unknown")[:10],
        "batch": str(record.effective_batch_size or "–"),
        "precision": record.precision or "–",
        "trained on": f"{record.processes} x {record.device}" if record.processes else "–",
    }
    for split in splits:
        for metric, heading in scores.items():
            facts[f"{split} {heading}"] = written(metric, float(record.metrics.get(split, {}).get(metric, math.nan)))
    return facts
