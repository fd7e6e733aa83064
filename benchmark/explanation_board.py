"""Leaderboard of explanations: runs sorted into tables in which every number may be compared with every other.

Two runs share a table when the signatures of their scores on test agree
(:attr:`~iemomecp_dataset.metrics.explanations.signature.ExplanationSignature.table_key`), or on validation where there
is no test. CIDEr weights n-grams by their frequency in the references that are scored, so it never compares across
sets. A table is a :class:`~iemomecp_dataset.benchmark.board.Board`; none holds a score of pairs or of emotions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from iemomecp_dataset.benchmark.board import Board
from iemomecp_dataset.benchmark.board_groups import boards_by_signature
from iemomecp_dataset.benchmark.board_rows import BoardRow
from iemomecp_dataset.benchmark.runs.identity import system_of
from iemomecp_dataset.benchmark.runs.index import Run
from iemomecp_dataset.benchmark.runs.results import EXPLANATION, RunResults
from iemomecp_dataset.metrics.evaluation.units import in_unit

__all__ = [
    "CAUSES_MARKED",
    "NO_PUBLISHED_NUMBERS",
    "CauseAblation",
    "cause_ablations",
    "explanation_boards",
    "explanation_columns",
    "score_text",
]

CAUSES_MARKED = ("gold", "predicted", "last", "shuffled", "none")
"""Values of the setting ``causes``, from the most to the least informed."""

NO_PUBLISHED_NUMBERS = (
    "No published numbers stand beside this table: the scores of FAME-Net, the model that ECEM was made for, and the "
    "parts of the data that they are of are not public."
)


def explanation_boards(runs: str | Path | Iterable[Run | RunResults]) -> list[Board]:
    """Sorts runs that explain emotions into tables.

    Args:
        runs: A folder of runs at any depth, runs of such a folder, or bare records; of any data and task. Those of
            another task are in no table.

    Returns:
        One table for each set of comparable runs, in order of corpus and configuration. Rows are structural baselines
        first, then systems from the lowest content CIDEr up. Scores are means over seeds, and ``content_cider_se``
        (likewise of the other resampled scores, ``_low``, ``_high``) is recorded for every row.

    Raises:
        MissingDataError: There is no such folder.
        RunFolderError: It holds no finished run.

    Example:
        >>> for board in explanation_boards("runs"):  # doctest: +SKIP
        ...     print(board.key.corpus, [(row.name, row.score("test", "content_cider").mean) for row in board.trained])
    """
    return boards_by_signature(runs, EXPLANATION)


def explanation_columns(rows: Sequence[BoardRow] = (), split: str = "") -> list[tuple[str, str]]:
    """Lists the columns of a table of explanations.

    Args:
        rows: Rows of the table; scores that need a model or Java have a column where a row has them.
        split: The split that is shown.

    Returns:
        ``(metric key, heading)`` in order, the headline first.
    """
    columns = [
        ("content_cider", "content CIDEr"),
        ("content_cider_se", "SE"),
        ("cider", "CIDEr"),
        ("bleu_4", "BLEU-4"),
        ("rouge_l", "ROUGE-L"),
        ("content_bleu_4", "content BLEU-4"),
        ("content_rouge_l", "content ROUGE-L"),
        ("sacrebleu", "sacreBLEU"),
    ]
    optional = (("meteor", "METEOR"), ("bertscore_f1", "BERTScore"), ("bleurt", "BLEURT"))
    return columns + [(key, name) for key, name in optional if any(row.score(split, key) for row in rows)]


def score_text(key: str, value: float, signed: bool = False) -> str:
    """Formats a score as papers do: CIDEr and learned scores as they are, the others in percent.

    Example:
        >>> score_text("content_cider", 0.0594), score_text("bleu_4", 0.2871), score_text("sacrebleu", 22.8)
        ('0.059', '28.71', '22.80')
    """
    return in_unit(key, value, signed=signed, undefined="n/a")


@dataclass(frozen=True)
class CauseAblation:
    """Systems that differ in the setting ``causes`` alone.

    Attributes:
        name: What they have in common, in words.
        rows: Value of the setting and row, in the order of :data:`CAUSES_MARKED`; two or more.
    """

    name: str
    rows: tuple[tuple[str, BoardRow], ...]


def cause_ablations(board: Board) -> list[CauseAblation]:
    """Finds the systems of a table that differ in how causes are marked in the input, and in nothing else.

    Args:
        board: Comparable runs.

    Returns:
        One entry per set of such systems.
    """
    groups: dict[tuple[tuple[str, str], ...], list[tuple[str, BoardRow]]] = {}
    for row in board.trained:
        settings = system_of(row.runs[0].results)
        causes = settings.pop("causes", None)
        # Where predicted marks came from goes with the setting.
        for name in ("causes_from", "causes_features"):
            settings.pop(name, None)
        if causes in CAUSES_MARKED:
            groups.setdefault(tuple(sorted(settings.items())), []).append((causes, row))
    found = []
    for rows in groups.values():
        if len({causes for causes, _ in rows}) < 2:
            continue
        ordered = sorted(rows, key=lambda one: CAUSES_MARKED.index(one[0]))
        record = ordered[0][1].runs[0].results
        parts = (record.encoder_name, record.objective, "+".join(record.modalities.upper()))
        found.append(CauseAblation(" ".join(part for part in parts if part not in ("", "none")), tuple(ordered)))
    return found
