"""Builds one section of the page on emotions: tables and figures of one set of comparable runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from iemomecp_dataset.benchmark.board import Board, parts_of_split
from iemomecp_dataset.benchmark.board_rows import BoardRow, Score
from iemomecp_dataset.benchmark.comparison import compare_emotions
from iemomecp_dataset.benchmark.emotion_board import emotion_columns
from iemomecp_dataset.benchmark.published.beside import published_beside, published_rows_beside
from iemomecp_dataset.benchmark.published.systems import FIELD_CAVEATS, HEADINGS
from iemomecp_dataset.benchmark.report.board_predictions import collect_emotion_predictions, predicted_systems
from iemomecp_dataset.benchmark.report.class_bars import class_bars_picture
from iemomecp_dataset.benchmark.report.confusions import confusion_matrices
from iemomecp_dataset.benchmark.report.emotions.explorer import emotion_explorer_data
from iemomecp_dataset.benchmark.report.explorer import script_json
from iemomecp_dataset.benchmark.report.headline import WEIGHTED_F1
from iemomecp_dataset.benchmark.report.learning_curves import learning_curves_picture
from iemomecp_dataset.benchmark.report.overview import overview_picture
from iemomecp_dataset.benchmark.report.reading_ladder import language_model_facts, reading_ladder_picture
from iemomecp_dataset.benchmark.report.reliability import reliability_diagram
from iemomecp_dataset.benchmark.report.section import (
    MAX_BESIDE,
    BoardSection,
    Texts,
    best_systems,
    board_heading,
    digests,
    run_facts,
    shown_words,
    versions_text,
)
from iemomecp_dataset.benchmark.report.significance import comparison_tables
from iemomecp_dataset.benchmark.report.svg import Picture
from iemomecp_dataset.benchmark.report.tables import ResultsTable, results_of_split
from iemomecp_dataset.benchmark.results_table import cell_text
from iemomecp_dataset.metrics.evaluation.emotions.predictions import EmotionPredictions
from iemomecp_dataset.metrics.significance.bootstrap import Interval

__all__ = ["EmotionSection", "Turn", "build_emotion_section"]

_BINS = 15
"""Bins of the reliability diagram, as many as those of the score ``ece``."""

_SHIFTS = ("shift_accuracy", "shift_support", "stay_accuracy", "stay_support")


@dataclass(frozen=True)
class Turn:
    """One utterance of the dialogue that is shown first: its gold emotion, and what each system predicted.

    Attributes:
        turn: Counted from 1.
        line: ``(speaker, text)``, or None where texts are not shown.
        gold: The emotion; empty where it is not known.
        predicted: By system the emotion with its probability, and whether it is wrong.
    """

    turn: int
    line: tuple[str, str] | None
    gold: str
    predicted: list[tuple[str, bool]]


@dataclass(frozen=True)
class EmotionSection(BoardSection):
    """Content of a board of runs that recognise emotions."""

    emotions: str
    split: str
    calibration: list[tuple[BoardRow, list[str]]]
    shifts: list[tuple[BoardRow, list[str]]]
    systems: list[str]
    dialogue: str
    turns: list[Turn]
    field_caveats: str = FIELD_CAVEATS


def build_emotion_section(number: int, board: Board, texts: Texts | None, n_resamples: int) -> EmotionSection:
    """Builds the section of a board.

    Args:
        number: Position among the sections on emotions, from 0.
        board: Comparable runs that recognise emotions.
        texts: Utterance texts, or None to show none.
        n_resamples: Number of resamples for intervals and tests; 0 leaves both out.

    Returns:
        The section.
    """
    results = board.runs[0].results
    notes = list(board.notes)
    split = board.splits[0] if board.splits else ""
    pictures: list[Picture] = []
    significance = None
    intervals: Mapping[str, Mapping[str, Interval]] = {}
    data: dict[str, Any] = {}
    explorer_note = ""
    drawn = board
    if split:
        # Upper bounds are in no figure and no test beside results.
        drawn, *bounds = parts_of_split(board, split)
        for part in bounds:
            names = "; ".join(row.name for row in part.trained)
            notes.append(f"The figures and tests leave out upper bounds on {split}: {names}.")
        predictions = collect_emotion_predictions(drawn, split, notes)
        found = compare_emotions(drawn, predictions, split=split, n_resamples=n_resamples) if n_resamples else None
        if found is not None:
            intervals = found.intervals
            headings = {"weighted_f1": "Weighted F1", "accuracy": "Accuracy"}
            significance = comparison_tables(found, split, headings, board.labels)
        pictures = _pictures(drawn, split, predictions, intervals)
        every = best_systems(drawn, predictions)
        shown = every[:MAX_BESIDE]
        if shown:
            explorer_note = shown_words(shown, every)
            data = emotion_explorer_data(shown, texts.of(board.key.config_name) if texts else None)
            _note_missing_texts(data, texts, notes)
    published = published_rows_beside(board)
    rows = sorted(drawn.rows, key=lambda row: -WEIGHTED_F1.of(row, split))
    return EmotionSection(
        anchor=f"emotions-{number + 1}",
        heading=board_heading(board),
        synthetic=board.key.synthetic,
        statement=results.data_statement,
        emotions=", ".join(board.key.class_names),
        fingerprint=digests(board.key.data_fingerprint),
        texts=digests(board.key.text_fingerprint),
        notes=notes,
        tables=[
            _table(part, scored, intervals if scored == split else {})
            for scored in board.splits
            for part in parts_of_split(board, scored)
        ],
        published=published,
        published_columns=[(key, HEADINGS[key]) for key in published[0].scores] if published else [],
        calibration=_small_table(rows, split, ("ece", "brier")),
        shifts=_small_table(rows, split, _SHIFTS),
        split=split,
        significance=significance,
        pictures=pictures,
        systems=data.get("systems", []),
        dialogue=data["dialogues"][data["start"]]["id"] if data else "",
        turns=_turns(data) if data else [],
        explorer=script_json(data) if data else "",
        explorer_note=explorer_note,
        naming=board.labels.sentence,
        private=any("lines" in dialogue for dialogue in data.get("dialogues", []))
        and not all(run.results.license_text_shareable for run in board.runs),
        runs=[
            {
                **run_facts(
                    run, board.splits, {"weighted_f1": "weighted F1", "accuracy": "accuracy"}, has_threshold=False
                ),
                **further,
            }
            for run, further in zip(board.runs, language_model_facts(board.runs, board.splits), strict=True)
        ],
        versions=versions_text(results),
    )


def _pictures(
    board: Board,
    split: str,
    predictions: Mapping[str, EmotionPredictions],
    intervals: Mapping[str, Mapping[str, Interval]],
) -> list[Picture]:
    names = board.key.class_names
    drawn = (
        overview_picture(board, split, WEIGHTED_F1),
        class_bars_picture(board, split, intervals),
        confusion_matrices(board, split, names, f"Confusion of emotions, {split}", "emotion", "weighted F1"),
        _reliability(board, split, predictions),
        learning_curves_picture(board, WEIGHTED_F1),
        reading_ladder_picture(board, split),
    )
    return [found for found in drawn if found is not None]


def _reliability(board: Board, split: str, predictions: Mapping[str, EmotionPredictions]) -> Picture | None:
    """Draws the probability of the predicted emotion against the share of right ones."""
    systems = []
    for row, runs, style in predicted_systems(board, predictions):
        known = [run.take(run.table.labelled) for run in runs]
        of_runs = [
            (run.probabilities.max(axis=1), run.predicted == run.table.labels)
            for run in known
            if run.probabilities is not None
        ]
        if len(of_runs) == len(runs):
            systems.append((board.labels.keyed(row.name), of_runs, style))
    if not systems:
        return None
    return reliability_diagram(
        systems,
        f"Reliability of the predicted emotion, {split}",
        "mean probability of the predicted emotion in the bin",
        "share of right predictions in the bin",
        "utterances",
        _BINS,
    )


def _table(board: Board, split: str, intervals: Mapping[str, Mapping[str, Interval]]) -> ResultsTable:
    rows = tuple(_with_error(row, split, intervals.get(row.name, {}).get("weighted_f1")) for row in board.rows)
    beside = published_beside(board, split)
    return results_of_split(
        replace(board, rows=rows),
        split,
        WEIGHTED_F1,
        emotion_columns(),
        beside=beside.rows,
        beside_notes=beside.notes,
        classes=board.key.class_names,
    )


def _with_error(row: BoardRow, split: str, interval: Interval | None) -> BoardRow:
    """Puts the standard error of the mean over seeds in place of the mean of those that the runs record."""
    if interval is None:
        return row
    of_split = {**row.scores[split], "weighted_f1_se": Score((interval.standard_error,))}
    return replace(row, scores={**row.scores, split: of_split})


def _small_table(rows: Sequence[BoardRow], split: str, keys: Sequence[str]) -> list[tuple[BoardRow, list[str]]]:
    """Lays out some scores, of which supports are counts and all others in percent; nothing where no row has any."""
    scores = [(row, {key: row.score(split, key) for key in keys}) for row in rows]
    if not any(score is not None for _, of_row in scores for score in of_row.values()):
        return []
    return [
        (
            row,
            [
                "–" if score is None else f"{score.mean:,.0f}" if key.endswith("_support") else cell_text(score)
                for key, score in of_row.items()
            ],
        )
        for row, of_row in scores
    ]


def _turns(data: Mapping[str, Any]) -> list[Turn]:
    """Lays out the dialogue that is shown first, for readers without scripts and on paper."""
    dialogue, classes = data["dialogues"][data["start"]], data["classes"]
    turns = []
    for place, (turn, gold) in enumerate(zip(dialogue["turns"], dialogue["gold"], strict=True)):
        predicted = []
        for ids, percents in zip(dialogue["predicted"], dialogue["confidence"], strict=True):
            words = classes[ids[place]] + (f" {percents[place]} %" if percents else "")
            predicted.append((words, gold >= 0 and ids[place] != gold))
        line = tuple(dialogue["lines"][place]) if "lines" in dialogue else None
        turns.append(Turn(turn, line, classes[gold] if gold >= 0 else "", predicted))
    return turns


def _note_missing_texts(data: Mapping[str, Any], texts: Texts | None, notes: list[str]) -> None:
    dialogue = data["dialogues"][data["start"]]
    if texts is not None and "lines" not in dialogue:
        notes.append(f"The texts of dialogue {dialogue['id']} are not in the data that was given.")
