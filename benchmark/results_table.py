"""Lays out results as plain text for terminals: structural baselines and runs in one table."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path

from iemomecp_dataset.benchmark.board import (
    Board,
    leaderboard,
    parts_of_split,
    score_columns,
    signatures_of,
    split_notes,
)
from iemomecp_dataset.benchmark.board_rows import MOST_PROBABLE, OWN_DECISIONS, WARNED, BoardRow, Score
from iemomecp_dataset.benchmark.emotion_board import emotion_boards, emotion_columns
from iemomecp_dataset.benchmark.explanation_board import (
    NO_PUBLISHED_NUMBERS,
    explanation_boards,
    explanation_columns,
    score_text,
)
from iemomecp_dataset.benchmark.published.beside import published_beside
from iemomecp_dataset.benchmark.runs.index import Run, index_runs
from iemomecp_dataset.benchmark.runs.results import ERC, EXPLANATION, RunResults
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.excerpts import shortened
from iemomecp_dataset.metrics.set_scores import DEFINITIONS
from iemomecp_dataset.pictures.words import printable
from iemomecp_dataset.schema import canonical_split

__all__ = ["board_table", "cell_text", "count_words", "percent", "print_results", "results_table", "text_columns"]

_LONGEST_NAME = 200
"""Characters of a system's name in a table for terminals; longer ones are cut with an ellipsis."""


def results_table(runs: str | Path | Iterable[Run | RunResults], split: str | None = None, width: int = 110) -> str:
    """Puts runs into text tables, one for each set of comparable runs: pairs first, then emotions, then explanations.

    Args:
        runs: As in :func:`~iemomecp_dataset.benchmark.board.leaderboard`.
        split: The split to show; by default test where there is one, else validation.
        width: Characters per line of the sentences around the tables.

    Returns:
        The tables, each with its notes; of a folder also a line for each run that is left out or could not be checked.

    Raises:
        UsageError: There are no runs.

    Example:
        >>> results_table([])
        Traceback (most recent call last):
        ...
        iemomecp_dataset.errors.UsageError: There are no runs to put in a table.
    """
    given: Sequence[Run | RunResults]
    remarks: Sequence[str] = ()
    if isinstance(runs, str | Path):
        index = index_runs(runs)
        given, remarks = index.runs, index.remarks
    else:
        given = list(runs)
    split = split and canonical_split(split)
    boards = [*leaderboard(given), *emotion_boards(given), *explanation_boards(given)]
    if not boards:
        raise UsageError("There are no runs to put in a table.")
    shown = [board for board in boards if split is None or split in board.splits] or boards
    # Names come from other people's files: a terminal must show them and not obey them.
    return printable("\n\n".join([*(board_table(board, split, width) for board in shown), *remarks]))


def print_results(results: RunResults | None) -> None:
    """Prints the table of one run; of no run, nothing."""
    if results is not None:
        print(results_table([results]))


def board_table(board: Board, split: str | None = None, width: int = 110) -> str:
    """Lays out one table as text.

    Args:
        board: Comparable runs.
        split: The split to show; by default the board's first.
        width: Characters per line of the sentences around the table.

    Returns:
        A title, the data statement, the table, and notes. Runs on data without a split to score have no table.

    Raises:
        UsageError: No run has scores on the split.
    """
    results = board.runs[0].results
    synthetic = " - SYNTHETIC DATA" if board.key.synthetic else ""
    if split is None and not board.splits:
        names = ", ".join(run.results.run_name for run in board.runs)
        paragraphs = [results.data_statement, *board.notes, f"Runs without scores: {names}."]
        title = f"{board.key.corpus} ({board.key.config_name}){synthetic}"
        return "\n".join(
            [title, "=" * len(title), *(line for text in paragraphs for line in textwrap.wrap(text, width))]
        )
    split = canonical_split(split or board.splits[0])
    if split not in board.splits:
        raise UsageError(
            f"No run on {board.key.corpus} has scores on {split!r}; there are scores on "
            f"{', '.join(board.splits) or 'no split'}."
        )
    return "\n\n".join(_split_table(part, split, width) for part in parts_of_split(board, split))


def _split_table(board: Board, split: str, width: int) -> str:
    """Lays out rows that may be ranked together."""
    results = board.runs[0].results
    names = board.key.class_names
    task = board.key.task
    emotions, explanations = task == ERC, task == EXPLANATION
    beside = published_beside(board, split)
    of_task = {ERC: emotion_columns(), EXPLANATION: explanation_columns(board.rows, split)}
    tables = [_rows_text(board, beside.rows, split, of_task.get(task) or score_columns(names))]
    if emotions:
        tables.append(_rows_text(board, beside.rows, split, [(f"{name}_f1", f"{name} F1") for name in names]))
    counted = count_words(results.counts.get(split, {}))
    paragraphs = [
        *({ERC: _EMOTION_NOTES, EXPLANATION: _EXPLANATION_NOTES}.get(task) or _pair_notes(board)),
        *(f"{_MARKERS['published']} {row.name}: {row.note}. Not computed here." for row in beside.rows),
        *beside.notes,
        *([] if emotions or explanations else _decision_notes(board)),
        *split_notes(board, split),
        *board.notes,
    ]
    digests = (("data", board.key.data_fingerprint), ("texts", board.key.text_fingerprint))
    title = f"{board.key.corpus} ({board.key.config_name}), {split}"
    title += "".join(f", {what} {found[:8]}" for what, by_split in digests if (found := dict(by_split).get(split)))
    title += ", UPPER BOUNDS" if board.oracle else ""
    title += " - SYNTHETIC DATA" if board.key.synthetic else ""
    statement = textwrap.wrap(f"{results.data_statement} {_capital(counted)}.", width)
    text = [title, "=" * len(title), *statement, "", *(line for table in tables for line in (table, ""))]
    for paragraph in paragraphs:
        text += textwrap.wrap(paragraph, width, subsequent_indent="  ")
    signed = [run for row in reversed(board.trained) for run in row.runs if split in signatures_of(run.results)]
    text += [f"{run.results.run_name}: {signatures_of(run.results)[split]}" for run in signed[:1]]
    return "\n".join(text)


def _rows_text(board: Board, beside: Sequence[BoardRow], split: str, columns: Sequence[tuple[str, str]]) -> str:
    """Lays out some scores of all rows."""
    lines = [["system", *(title for _, title in columns), "seeds"]]
    for row in (*board.rows, *beside):
        marker = _MARKERS.get(row.kind, " ")
        cells = [_cell(board, row.score(split, key), key) for key, _ in columns]
        name = shortened(" ".join(row.name.split()), _LONGEST_NAME)
        name += f" {WARNED}" if row.warnings else ""
        lines.append([f"{marker} {name}", *cells, str(len(row.runs)) if row.runs else "-"])
    return text_columns(lines, rule_after={0, len(board.structural), *([len(board.rows)] if beside else [])})


def _cell(board: Board, score: Score | None, key: str) -> str:
    if board.key.task != EXPLANATION or score is None:
        return cell_text(score, signed=key == "gain_over_distance")
    text = score_text(key, score.mean)
    return text if math.isnan(score.sd) else f"{text} ±{score_text(key, score.sd)}"


_EXPLANATION_NOTES = (
    "Explanations: CIDEr, BLEU-4 and ROUGE-L in the definitions of COCO on Treebank tokens; content: the same on what "
    'follows the opening, up to the first "that" or "because". CIDEr from 0 to 10, the others in percent; sacreBLEU '
    "is another number with tokens of its own. Mean and, over seeds, standard deviation (ddof 1). SE: bootstrap "
    "standard error of the content CIDEr of one run over dialogues, mean over runs. CIDEr depends on the set of "
    "references: never to be compared across sets, nor with Pair F1 or scores of emotions.",
    "* structural row: no model. The medoid depends on nothing but emotion and gender, and does well on whole texts, "
    "because references open alike: compare by content.",
    NO_PUBLISHED_NUMBERS,
)


_EMOTION_NOTES = (
    "Emotion recognition: F1 over all utterances with a known emotion, weighted by the gold support of each emotion "
    "(weighted F1), and its mean over emotions (macro F1). In percent; mean and, over seeds, standard deviation "
    "(ddof 1). SE: bootstrap standard error of the weighted F1 of one run over dialogues, mean over runs. Never to be "
    "compared with Pair F1.",
    "* structural row: no model of the dialogue and no gold emotions; fitted on train.",
)


def _pair_notes(board: Board) -> list[str]:
    return [
        f"Pair F1 is definition {board.key.definition}: {DEFINITIONS.get(board.key.definition, 'not described')}. "
        f"Candidates: {board.key.candidates}. In percent; mean and, over seeds, standard deviation (ddof 1). "
        '"over distance only" is Pair F1 minus that of the row "distance only", in points.',
        '* structural baseline: reads turn positions only; "emotion x distance" also reads the text. No gold emotions.',
    ]


def _decision_notes(board: Board) -> list[str]:
    """Which rule decides, of each row; emotions are always the most probable ones."""
    without = {
        rule: [row.name for row in board.trained if row.threshold == rule] for rule in (MOST_PROBABLE, OWN_DECISIONS)
    }
    return [
        *(
            f"Threshold of {row.name}: {row.threshold}."
            for row in board.trained
            if row.threshold and row.threshold not in without
        ),
        *(
            f"Decided by the {rule.removeprefix('the ')}: {', '.join(names)}."
            for rule, names in without.items()
            if names
        ),
    ]


def count_words(counts: Mapping[str, int]) -> str:
    """Puts what was scored into words.

    Args:
        counts: ``dialogues, utterances, labelled, explanations, candidates, gold_pairs, missed_positives,
            truncated_utterances, shortened_contexts``; any may be missing.

    Returns:
        A list for a sentence; missed pairs and cut utterances are in it where there are any.

    Example:
        >>> count_words({"dialogues": 112, "gold_pairs": 1866, "missed_positives": 24})
        '112 dialogues, 1,866 gold pairs, 24 gold pairs outside the candidates (always missed)'
    """
    words = [f"{counts[key]:,} {word}" for key, word in _COUNT_WORDS if counts.get(key) is not None]
    words += [f"{counts[key]:,} {word}" for key, word in _LOSS_WORDS if counts.get(key)]
    return ", ".join(words)


def percent(value: float, signed: bool = False) -> str:
    """Formats a share in percent with two decimals; ``n/a`` for NaN.

    Example:
        >>> percent(0.57912), percent(-0.004, signed=True), percent(float("nan"))
        ('57.91', '-0.40', 'n/a')
    """
    if math.isnan(value):
        return "n/a"
    return f"{100 * value:+.2f}" if signed else f"{100 * value:.2f}"


_COUNT_WORDS = (
    ("dialogues", "dialogues"),
    ("utterances", "utterances"),
    ("labelled", "of them with a known emotion"),
    ("explanations", "explanations"),
    ("candidates", "candidate pairs"),
    ("gold_pairs", "gold pairs"),
)
_LOSS_WORDS = (
    ("missed_positives", "gold pairs outside the candidates (always missed)"),
    ("truncated_utterances", "utterances cut to the encoder's length"),
    ("shortened_contexts", "utterances encoded with fewer turns around than asked for"),
)


def cell_text(score: Score | None, signed: bool = False) -> str:
    """Formats the mean, and the standard deviation over seeds where there is one.

    Example:
        >>> cell_text(Score((0.50, 0.52, 0.54))), cell_text(Score((0.5,))), cell_text(None)
        ('52.00 ±2.00', '50.00', '-')
    """
    if score is None:
        return "-"
    text = percent(score.mean, signed)
    return text if math.isnan(score.sd) else f"{text} ±{100 * score.sd:.2f}"


_MARKERS = {"structural": "*", "published": "\N{DAGGER}"}


def text_columns(lines: list[list[str]], rule_after: Container[int], left_columns: Container[int] = ()) -> str:
    """Lays out a table for terminals: the first column to the left, numbers to the right with their means in line.

    Args:
        lines: Rows of cells, the heading first; a cell may hold a mean and its deviation, ``52.00 ±2.00``.
        rule_after: Numbers of the lines that are followed by a rule.
        left_columns: Further columns, counted from the last one as -1, that are aligned to the left.

    Returns:
        The table.

    Example:
        >>> print(text_columns([["a", "x"], ["b", "1.0 ±0.5"], ["c", "12.0"]], rule_after={0}))
        a          x
        ------------
        b   1.0 ±0.5
        c  12.0
    """
    columns = [_align_means(list(column)) for column in zip(*lines, strict=True)]
    widths = [max(map(len, column)) for column in columns]
    left = [number == 0 or number - len(columns) in left_columns for number in range(len(columns))]
    text = []
    for number, line in enumerate(zip(*columns, strict=True)):
        cells = [
            cell.ljust(width) if to_left else cell.rjust(width)
            for cell, width, to_left in zip(line, widths, left, strict=True)
        ]
        text.append("  ".join(cells).rstrip())
        if number in rule_after:
            text.append("-" * (sum(widths) + 2 * (len(widths) - 1)))
    return "\n".join(text)


def _align_means(column: list[str]) -> list[str]:
    """Pads cells without a standard deviation, so that the means line up."""
    room = max((len(cell) - cell.index("±") for cell in column if "±" in cell), default=-1) + 1
    deviations = [cell.partition(" ±")[2] for cell in column[1:]]
    means = [cell.partition(" ±")[0] for cell in column[1:]]
    cells = [
        mean + (f" ±{sd.rjust(room - 2)}" if sd else " " * room) for mean, sd in zip(means, deviations, strict=True)
    ]
    return [column[0], *cells]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
