"""Leaderboard: runs that find pairs, sorted into tables in which every number may be compared with every other.

Runs of another task are in no such table: :mod:`~iemomecp_dataset.benchmark.emotion_board` and
:mod:`~iemomecp_dataset.benchmark.explanation_board` have tables of their own.
Two scores share a table only when corpus, configuration, data, texts, Pair F1 definition, gold, candidates and split
agree; anything else makes another table. Within a table, runs of one system (:func:`~iemomecp_dataset.benchmark.runs.\
identity.system_of`) share a row. Scores with a threshold or epoch that was chosen on the split that is scored stand in
a table of their own (:func:`parts_of_split`).
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iemomecp_dataset.benchmark.baselines.structural import DISTANCE_ONLY
from iemomecp_dataset.benchmark.board_rows import (
    WARNED,
    BoardRow,
    structural_rows,
    trained_rows,
    with_gain,
    without_gain,
    without_repeats,
)
from iemomecp_dataset.benchmark.row_labels import RowLabels
from iemomecp_dataset.benchmark.runs.identity import circumstances_that_differ
from iemomecp_dataset.benchmark.runs.index import Run, index_runs, with_unique_names
from iemomecp_dataset.benchmark.runs.results import ERC, EXPLANATION, EXTERNAL, HEADLINE, PAIRS, RunResults
from iemomecp_dataset.errors import IemomecpError, UsageError
from iemomecp_dataset.metrics.emotion_signature import EmotionSignature
from iemomecp_dataset.metrics.explanations.signature import ExplanationSignature
from iemomecp_dataset.metrics.signature import Signature

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Board",
    "BoardKey",
    "leaderboard",
    "make_board",
    "parts_of_split",
    "runs_of_task",
    "score_columns",
    "signature_of",
    "signatures_of",
    "split_notes",
    "table_key",
]


_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class BoardKey:
    """The facts that must agree before two scores are compared."""

    corpus: str
    config_name: str
    class_names: tuple[str, ...]
    definition: str
    candidates: str
    synthetic: bool
    data_fingerprint: tuple[tuple[str, str], ...]
    text_fingerprint: tuple[tuple[str, str], ...] = ()
    signatures: tuple[tuple[str, Any], ...] = ()
    """By split what its signature states and must agree too; none for records without signatures."""
    task: str = PAIRS

    @property
    def facts(self) -> frozenset[tuple[str, str, Any]]:
        """What is known by split; runs join where nothing that both know disagrees."""
        parts = {"data": self.data_fingerprint, "texts": self.text_fingerprint, "signature": self.signatures}
        return frozenset((what, split, fact) for what, part in parts.items() for split, fact in part)

    @property
    def _others(self) -> tuple[Any, ...]:
        return (*(getattr(self, f.name) for f in fields(self) if f.name not in _BY_SPLIT),)

    def joins(self, other: BoardKey) -> bool:
        """Tells whether everything that this key states is stated by the other, which states more."""
        return self._others == other._others and self.facts < other.facts

    @staticmethod
    def of(results: RunResults) -> BoardKey:
        """The key of one run."""
        return BoardKey(
            corpus=results.corpus,
            config_name=results.config_name,
            class_names=results.class_names,
            definition=results.definition,
            candidates=results.candidates,
            synthetic=results.synthetic,
            data_fingerprint=tuple(sorted(results.data_fingerprint.items())),
            text_fingerprint=tuple(sorted(results.text_fingerprint.items())),
            signatures=tuple((split, table_key(results, split)) for split in sorted(signatures_of(results))),
            task=results.task,
        )


_BY_SPLIT = ("data_fingerprint", "text_fingerprint", "signatures")


def signatures_of(results: RunResults) -> dict[str, str]:
    """Reads the signatures of a run's scores by split, where its record has them.

    A signature states in one line what a score is comparable with (:mod:`iemomecp_dataset.metrics.signature`).
    """
    found = results.extra.get("signatures")
    return {str(split): str(text) for split, text in found.items()} if isinstance(found, Mapping) else {}


def signature_of(results: RunResults, split: str) -> Signature | None:
    """Reads what the pair scores of a split were computed on; None where that is not recorded, or not legibly."""
    try:
        return Signature.parse(signatures_of(results)[split])
    except (IemomecpError, KeyError):
        return None


def table_key(results: RunResults, split: str) -> tuple[tuple[str, Any], ...]:
    """States what must agree of the signature of a split; one that cannot be read agrees with nothing but itself."""
    text = signatures_of(results)[split]
    try:
        kinds: dict[str, Any] = {ERC: EmotionSignature, EXPLANATION: ExplanationSignature}
        key: tuple[tuple[str, Any], ...] = kinds.get(results.task, Signature).parse(text).table_key
        return key
    except IemomecpError:
        return (("unreadable", text),)


@dataclass(frozen=True)
class Board:
    """All systems that may be compared.

    Attributes:
        key: The facts they agree in.
        splits: Splits with scores of trained systems, the one to look at first (test, else validation) in front.
        rows: Structural baselines first, from the least informed; then trained systems from the lowest headline score
            (pair F1, weighted F1) on the first split up.
        notes: Remarks for readers of the table.
        oracle: Whether the scores of a split are upper bounds, see :func:`parts_of_split`.
        named: Names of the trained systems of the whole table, which labels are made of, so that a system has the same
            label in every part of it; by default those of ``rows``.
    """

    key: BoardKey
    splits: tuple[str, ...]
    rows: tuple[BoardRow, ...]
    notes: tuple[str, ...]
    oracle: bool = False
    named: tuple[str, ...] = ()

    @property
    def labels(self) -> RowLabels:
        """Short labels of the trained systems by name: the words in which they differ, or numbers."""
        return RowLabels(self.named or tuple(row.name for row in self.trained))

    @property
    def runs(self) -> tuple[Run, ...]:
        """All runs behind the table."""
        return tuple(run for row in self.rows for run in row.runs)

    @property
    def trained(self) -> tuple[BoardRow, ...]:
        """The rows of trained systems."""
        return tuple(row for row in self.rows if row.kind == "trained")

    @property
    def structural(self) -> tuple[BoardRow, ...]:
        """The rows of structural baselines."""
        return tuple(row for row in self.rows if row.kind == "structural")

    def baseline(self, key: str) -> BoardRow | None:
        """Finds a structural baseline by its key, such as :data:`DISTANCE_ONLY`; None where the runs record none."""
        return next((row for row in self.structural if row.key == key), None)

    def to_frame(self, split: str | None = None) -> pd.DataFrame:
        """The table of one split, for notebooks and further arithmetic.

        Args:
            split: The split; by default the board's first.

        Returns:
            One line per row, in order, under its name: ``kind``, the scores of a results table by metric key (shares
            from 0 to 1, means over seeds), ``pair_f1_sd`` over seeds, and the number of ``seeds``; NaN where a row has
            no such score.

        Raises:
            UsageError: There are no scores on the split.
        """
        import pandas as pd

        if split is None and self.splits:
            split = self.splits[0]
        if split not in self.splits:
            raise UsageError(
                f"The runs on {self.key.corpus} have no scores on {split!r}, but on "
                f"{', '.join(map(repr, self.splits)) or 'no split'}."
            )
        lines = []
        for row in self.rows:
            found = {key: row.score(split, key) for key, _ in score_columns(self.key.class_names)}
            means = {key: math.nan if score is None else score.mean for key, score in found.items()}
            headline = found["pair_f1"]
            sd = math.nan if headline is None else headline.sd
            lines.append({"system": row.name, "kind": row.kind, **means, "pair_f1_sd": sd, "seeds": len(row.runs)})
        return pd.DataFrame(lines).set_index("system")


def score_columns(class_names: Sequence[str]) -> list[tuple[str, str]]:
    """Lists the columns of a results table.

    Args:
        class_names: Pair classes, by id.

    Returns:
        ``(metric key, heading)`` in order; the roles' own columns only where there are three classes.
    """
    columns = [
        ("pair_f1", "Pair F1"),
        ("gain_over_distance", "over distance only"),
        ("pair_precision", "P"),
        ("pair_recall", "R"),
        ("pair_auprc", "AUPRC"),
    ]
    if len(class_names) > 2:
        columns += [("macro_f1", "macro F1"), *((f"{name}_f1", f"{_short(name)} F1") for name in class_names[1:-1])]
    return columns


def leaderboard(runs: str | Path | Iterable[Run | RunResults]) -> list[Board]:
    """Sorts runs that find pairs into tables.

    Args:
        runs: A folder of runs at any depth, runs of such a folder, or bare records; of any data and task.

    Returns:
        One table for each set of comparable runs, in order of corpus, configuration, definition and candidates; none of
        runs of another task.

    Raises:
        MissingDataError: There is no such folder.
        RunFolderError: It holds no finished run.

    Example:
        >>> for board in leaderboard("runs"):  # doctest: +SKIP
        ...     print(board.key.corpus, [(row.name, row.score("test", "pair_f1").mean) for row in board.trained])
        ecf [('Base TAV', 0.5312), ('RPCL TAV', 0.5517)]
    """
    groups: dict[BoardKey, list[Run]] = {}
    for found in runs_of_task(runs, PAIRS):
        groups.setdefault(BoardKey.of(found.results), []).append(found)
    for key in sorted(groups, key=lambda k: len(k.facts)):
        # Runs with scores on fewer splits, or without signatures, join a table with which nothing disagrees.
        more = [k for k in groups if key.joins(k)]
        most = [k for k in more if not any(k.joins(other) for other in more)]
        if len(most) == 1:
            groups[most[0]] += groups.pop(key)
    ordered = sorted(
        groups, key=lambda k: (k.corpus, k.config_name, k.definition, k.candidates, str(sorted(map(str, k.facts))))
    )
    return [make_board(key, groups[key]) for key in ordered]


def runs_of_task(runs: str | Path | Iterable[Run | RunResults], task: str) -> list[Run]:
    """Selects the runs of one task, each with a name of its own.

    Args:
        runs: As in :func:`leaderboard`.
        task: :data:`~iemomecp_dataset.benchmark.runs.results.PAIRS`, ``ERC`` or ``EXPLANATION``.

    Returns:
        The runs, in their order.

    Raises:
        MissingDataError: There is no such folder.
        RunFolderError: It holds no finished run.
    """
    if isinstance(runs, str | Path):
        index = index_runs(runs)
        for remark in index.remarks:
            _logger.warning("%s", remark)
        runs = index.runs
    given = [run if isinstance(run, Run) else Run(Path(run.run_name), run) for run in runs]
    return with_unique_names([run for run in given if run.results.task == task])


def parts_of_split(board: Board, split: str) -> list[Board]:
    """Parts a table into rows that may be ranked together on a split.

    A score whose threshold or epoch was chosen on the very split is an upper bound and stands in a table of its own.
    Structural baselines without anything chosen are bars for both.

    Args:
        board: Comparable runs.
        split: The split.

    Returns:
        One or two tables, each with some rows of trained systems; ``oracle`` marks the second kind. Without such rows
        the table itself.
    """
    fair = [row for row in board.trained if not row.oracle(split)]
    oracle = [row for row in board.trained if row.oracle(split)]
    parts = []
    for rows, is_oracle in ((fair, False), (oracle, True)):
        if rows or not (fair or oracle or is_oracle):
            bars = [row for row in board.structural if is_oracle or not row.oracle(split)]
            shown = (*bars, *rows)
            if not any(row.key == DISTANCE_ONLY for row in bars):
                shown = tuple(without_gain(row, split) for row in shown)
            parts.append(replace(board, rows=shown, oracle=is_oracle, named=board.labels.names))
    return parts


def split_notes(board: Board, split: str) -> list[str]:
    """Lists remarks on the scores of one split: what was chosen on that very split, and for which rows.

    Args:
        board: Comparable runs.
        split: The split.

    Returns:
        Sentences; often none.
    """
    named: dict[tuple[str, ...], list[str]] = {}
    for row in board.rows:
        if chosen := row.oracle(split):
            named.setdefault(chosen, []).append(row.name)
    return [
        f"Chosen on {split} itself, so that the scores are upper bounds: {' and '.join(chosen)} of {', '.join(names)}."
        for chosen, names in named.items()
    ]


def make_board(key: BoardKey, runs: list[Run], notes: Sequence[str] = ()) -> Board:
    """Makes the table of comparable runs of one task.

    Args:
        key: The facts they agree in.
        runs: The runs.
        notes: Further remarks for readers of the table.

    Returns:
        The table.
    """
    headline = HEADLINE[key.task]
    with_scores = {split for run in runs for split in run.results.metrics}
    first = [split for split in ("test", "validation", "train") if split in with_scores]
    splits = (*first, *sorted(with_scores.difference(first)))
    structural = structural_rows(runs)
    distance = next((row for row in structural if row.key == DISTANCE_ONLY), None)
    bars = {
        split: score.mean
        for split in splits
        if distance is not None and (score := distance.score(split, "pair_f1")) is not None
    }
    runs, repeats = without_repeats(runs)
    trained, lacking = trained_rows(runs)
    rows = [with_gain(row, bars) for row in (*structural, *trained)]

    def place(row: BoardRow) -> tuple[bool, float]:
        score = row.score(splits[0], headline) if splits else None
        value = math.nan if score is None else score.mean
        return row.kind == "trained", (value if not math.isnan(value) else -1.0) if row.kind == "trained" else 0.0

    further = (*repeats, *lacking, *_missing_seeds(trained), *_mixed_circumstances(trained), *_of_peers(trained))
    warned = [f"{WARNED} {warning}" for row in trained for warning in row.warnings]
    every = (*warned, *_notes(key, runs, structural), *notes, *further)
    return Board(key, splits, tuple(sorted(rows, key=place)), every)


def _missing_seeds(rows: Sequence[BoardRow]) -> list[str]:
    """Lists rows that lack seeds of others: their means and deviations are of fewer runs.

    Ensembles are left out: each has the seeds of its members, and none of its own.
    """
    rows = [row for row in rows if not any("ensemble" in run.results.settings for run in row.runs)]
    every = {seed for row in rows for seed in row.seeds}
    notes = []
    for row in rows:
        others = [other for other in rows if other is not row]
        # One row with many seeds does not make the rest incomplete; seeds of most rows do.
        expected = {seed for seed in every if 2 * sum(seed in other.seeds for other in others) > len(others)}
        lacking = expected - set(row.seeds)
        if lacking and expected & set(row.seeds):
            notes.append(
                f"{row.name} lacks seed{'s' * (len(lacking) > 1)} {', '.join(map(str, sorted(lacking)))}, which "
                f"{'most other rows have' if len(others) > 1 else f'{others[0].name} has'}: its mean is of "
                f"{len(row.seeds)} run{'s' * (len(row.seeds) != 1)}."
            )
    return notes


def _mixed_circumstances(rows: Sequence[BoardRow]) -> list[str]:
    """Lists rows whose runs differ in code, libraries, number of processes or device."""
    found = ((row.name, circumstances_that_differ(run.results for run in row.runs)) for row in rows)
    return [f"The runs of {name} differ in {', '.join(differing)}." for name, differing in found if differing]


def _of_peers(rows: Sequence[BoardRow]) -> list[str]:
    """Lists what imports state of a row: choices of the export, and what the system cannot find."""
    notes = []
    for row in rows:
        stated = [note for run in row.runs for note in (run.results.extra.get("peer") or {}).get("notes") or ()]
        if stated:
            notes.append(f"{row.name}: {' '.join(dict.fromkeys(map(str, stated)))}")
    return notes


def _notes(key: BoardKey, runs: list[Run], structural: list[BoardRow]) -> list[str]:
    notes = []
    lacking: dict[str, list[str]] = {}
    for run in runs:
        for split in run.results.missing_splits:
            lacking.setdefault(split, []).append(run.results.run_name)
    missing = sorted(split for split, names in lacking.items() if len(names) == len(runs))
    if missing:
        notes.append(f"The data has no {' and no '.join(missing)} split, so there are no scores on it.")
    notes += [
        f"The data of {', '.join(lacking[split])} has no {split} split, so there are no scores of these runs on it."
        for split in sorted(lacking.keys() - set(missing))
    ]
    unsigned = [run.results.run_name for run in runs if not signatures_of(run.results)]
    if unsigned and len(unsigned) < len(runs):
        notes.append(
            f"The records of {', '.join(unsigned)} have no signature; they share this table because data, definition "
            "and candidates agree."
        )
    earlier = [run.results.run_name for run in runs if run.results.scorer != EXTERNAL and not run.results.settings]
    if earlier:
        notes.append(
            f"The records of {', '.join(earlier)} do not state their settings (an earlier version wrote them): they "
            "are averaged with no other run."
        )
    notes += [f"{run.results.run_name}: {remark}" for run in runs for remark in run.results.extra.get("remarks") or ()]
    if not structural:
        unknown = _WITHOUT_BARS[key.task]
        notes.append(f"These runs record no structural baselines, so {unknown}.")
    return notes


_WITHOUT_BARS = {
    PAIRS: "the score of distance only is unknown",
    ERC: "nothing says what words alone reach",
    EXPLANATION: "nothing says what one fixed sentence reaches",
}


def _short(class_name: str) -> str:
    return class_name.removeprefix("emo_").replace("_", " ")
