"""Leaderboard of emotion recognition: runs sorted into tables in which every number may be compared with every other.

Two runs share a table when the signatures of their scores on test agree (corpus, configuration, classes, utterances,
gold, texts: :attr:`~iemomecp_dataset.metrics.emotion_signature.EmotionSignature.table_key`), or on validation where
there is no test. What they were trained on may differ: ECERC's two protocols divide IEMOCAP's train dialogues
otherwise and are compared on the same test. A table is a :class:`~iemomecp_dataset.benchmark.board.Board`, with
everything that works on those; none holds a pair score.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from iemomecp_dataset.benchmark.board import Board
from iemomecp_dataset.benchmark.board_groups import boards_by_signature
from iemomecp_dataset.benchmark.runs.index import Run
from iemomecp_dataset.benchmark.runs.results import ERC, RunResults

__all__ = ["emotion_boards", "emotion_columns"]


def emotion_boards(runs: str | Path | Iterable[Run | RunResults]) -> list[Board]:
    """Sorts runs that recognise emotions into tables.

    Args:
        runs: A folder of runs at any depth, runs of such a folder, or bare records; of any data and task. Those of
            another task are in no table.

    Returns:
        One table for each set of comparable runs, in order of corpus and configuration. Rows are structural baselines
        first, then systems from the lowest weighted F1 up; ``parts_of_split`` sets upper bounds apart. Scores are means
        over seeds, and ``weighted_f1_se`` (likewise ``accuracy`` and ``macro_f1``, ``_low``, ``_high``) is recorded for
        every row.

    Raises:
        MissingDataError: There is no such folder.
        RunFolderError: It holds no finished run.

    Example:
        >>> for board in emotion_boards("runs"):  # doctest: +SKIP
        ...     print(board.key.corpus, [(row.name, row.score("test", "weighted_f1").mean) for row in board.trained])
        meld [('ECERC corrected T', 0.5896)]
    """
    return boards_by_signature(runs, ERC)


def emotion_columns() -> list[tuple[str, str]]:
    """Lists the columns of a table of emotion scores, besides those of the classes.

    Returns:
        ``(metric key, heading)`` in order.
    """
    return [
        ("weighted_f1", "weighted F1"),
        ("weighted_f1_se", "SE"),
        ("accuracy", "accuracy"),
        ("macro_f1", "macro F1"),
        ("weighted_f1_without_neutral", "w/o neutral"),
    ]
