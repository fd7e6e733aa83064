"""Builds one section of the page on explanations: tables, figures and examples of one set of comparable runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from iemomecp_dataset.benchmark.board import Board, parts_of_split
from iemomecp_dataset.benchmark.comparison import compare_explanations
from iemomecp_dataset.benchmark.explanation_board import (
    NO_PUBLISHED_NUMBERS,
    cause_ablations,
    explanation_columns,
    score_text,
)
from iemomecp_dataset.benchmark.report.board_predictions import collect_explanation_predictions
from iemomecp_dataset.benchmark.report.explanations.figures import content_picture, distribution_picture
from iemomecp_dataset.benchmark.report.headline import CONTENT_CIDER
from iemomecp_dataset.benchmark.report.learning_curves import learning_curves_picture
from iemomecp_dataset.benchmark.report.overview import overview_picture
from iemomecp_dataset.benchmark.report.reading_ladder import language_model_facts, reading_ladder_picture
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
from iemomecp_dataset.benchmark.report.tables import results_of_split
from iemomecp_dataset.metrics.evaluation.explanations.predictions import ExplanationPredictions

__all__ = ["Ablation", "Example", "ExplanationSection", "build_explanation_section"]

_N_EXAMPLES = 12
_ABLATED = ("content_cider", "cider", "bleu_4", "rouge_l")


@dataclass(frozen=True)
class Example:
    """One explained target.

    Attributes:
        dialogue: Id of the dialogue.
        turn: Turn of the target.
        line: ``(speaker, text)`` of the target, or None where the texts were not given.
        reference: The reference.
        predicted: What each system wrote.
    """

    dialogue: str
    turn: int
    line: tuple[str, str] | None
    reference: str
    predicted: list[str]


@dataclass(frozen=True)
class Ablation:
    """Systems that differ in the marked causes alone: the value of the setting, and each score with its gain."""

    name: str
    rows: list[tuple[str, list[str]]]


@dataclass(frozen=True)
class ExplanationSection(BoardSection):
    """Content of a board of runs that explain emotions."""

    split: str
    ablations: list[Ablation]
    ablated: list[str]
    systems: list[str]
    examples: list[Example]
    hidden_examples: bool


def build_explanation_section(number: int, board: Board, texts: Texts | None, n_resamples: int) -> ExplanationSection:
    """Builds the section of a board.

    Args:
        number: Position among the sections on explanations, from 0.
        board: Comparable runs that explain emotions.
        texts: Utterance texts; without them examples are shown only where every run's text may be passed on.
        n_resamples: Number of resamples for intervals and tests; 0 leaves both out.

    Returns:
        The section.
    """
    results = board.runs[0].results
    notes = [*board.notes, NO_PUBLISHED_NUMBERS]
    split = board.splits[0] if board.splits else ""
    pictures: list[Picture] = []
    significance = None
    examples: list[Example] = []
    shown: list[tuple[str, ExplanationPredictions]] = []
    ablations: list[Ablation] = []
    explorer_note = ""
    shareable = all(run.results.license_text_shareable for run in board.runs)
    if split:
        # Upper bounds are in no figure and no test beside results.
        drawn, *bounds = parts_of_split(board, split)
        for part in bounds:
            names = "; ".join(row.name for row in part.trained)
            notes.append(f"The figures and tests leave out upper bounds on {split}: {names}.")
        predictions = collect_explanation_predictions(drawn, split, notes)
        found = compare_explanations(drawn, predictions, split=split, n_resamples=n_resamples) if n_resamples else None
        if found is not None:
            headings = {"content_cider": "content CIDEr", "cider": "CIDEr"}
            significance = comparison_tables(found, split, headings, board.labels, score_text)
        pictures = [
            picture
            for picture in (
                overview_picture(drawn, split, CONTENT_CIDER),
                content_picture(drawn, split),
                distribution_picture(drawn, split, predictions),
                learning_curves_picture(drawn, CONTENT_CIDER),
                reading_ladder_picture(drawn, split),
            )
            if picture is not None
        ]
        every = best_systems(drawn, predictions)
        shown = every[:MAX_BESIDE]
        explorer_note = shown_words(shown, every)
        if shown and (shareable or texts is not None):
            examples = _examples(shown, texts.of(board.key.config_name) if texts is not None else {})
        ablations = _ablations(drawn, split)
    headings = dict(explanation_columns(board.rows, split))
    return ExplanationSection(
        anchor=f"explanations-{number + 1}",
        heading=board_heading(board),
        synthetic=board.key.synthetic,
        statement=results.data_statement,
        fingerprint=digests(board.key.data_fingerprint),
        texts=digests(board.key.text_fingerprint),
        notes=notes,
        tables=[
            results_of_split(part, scored, CONTENT_CIDER, explanation_columns(board.rows, scored), written=score_text)
            for scored in board.splits
            for part in parts_of_split(board, scored)
        ],
        published=[],
        published_columns=[],
        split=split,
        significance=significance,
        pictures=pictures,
        explorer="",
        explorer_note=explorer_note,
        naming=board.labels.sentence,
        private=bool(examples) and not shareable,
        runs=[
            {
                **run_facts(
                    run,
                    board.splits,
                    {"content_cider": "content CIDEr", "bleu_4": "BLEU-4"},
                    has_threshold=False,
                    written=score_text,
                ),
                **further,
            }
            for run, further in zip(board.runs, language_model_facts(board.runs, board.splits), strict=True)
        ],
        versions=versions_text(results),
        ablations=ablations,
        ablated=[headings[key] for key in _ABLATED],
        systems=[name for name, _ in shown],
        examples=examples,
        hidden_examples=bool(shown) and not examples,
    )


def _ablations(board: Board, split: str) -> list[Ablation]:
    """Lists the scores of systems that differ in the marked causes alone, with the gain over none where there is it."""
    found = []
    for ablation in cause_ablations(board):
        plain = next((row for causes, row in ablation.rows if causes == "none"), None)
        rows = []
        for causes, row in ablation.rows:
            cells = []
            for key in _ABLATED:
                score, bar = row.score(split, key), None if plain is None else plain.score(split, key)
                text = "–" if score is None else score_text(key, score.mean)
                if score is not None and bar is not None and row is not plain:
                    text += f" ({score_text(key, score.mean - bar.mean, True)})"
                cells.append(text)
            rows.append((causes, cells))
        found.append(Ablation(ablation.name, rows))
    return found


def _examples(
    shown: list[tuple[str, ExplanationPredictions]], lines: Mapping[str, Sequence[tuple[str, str]]]
) -> list[Example]:
    """Takes items at equal distances, so that the choice depends on nothing but their number."""
    first = shown[0][1]
    places = sorted({place * len(first) // _N_EXAMPLES for place in range(_N_EXAMPLES)})
    examples = []
    for place in places:
        dialogue, turn = first.keys[place]
        said = lines.get(dialogue, ())
        examples.append(
            Example(
                dialogue=dialogue,
                turn=turn,
                line=said[turn - 1] if 0 < turn <= len(said) else None,
                reference=(first.references or ("",) * len(first))[place],
                predicted=[one.predictions[place] for _, one in shown],
            )
        )
    return examples
