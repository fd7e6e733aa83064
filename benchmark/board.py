"""Leaderboard: runs sorted into tables in which every number may be compared with every other.

Two scores share a table only when corpus, configuration, data, texts, Pair F1 definition, gold, candidates and split
agree; anything else makes another table. Within a table, runs of one system (:func:`~iemomecp_dataset.benchmark.runs.\
identity.system_of`) share a row. Scores with a threshold or epoch that was chosen on the split that is scored stand in
a table of their own (:func:`parts_of_split`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from iemomecp_dataset.benchmark.baselines.structural import DISTANCE_ONLY
from iemomecp_dataset.benchmark.runs.identity import circumstances_that_differ, system_of
from iemomecp_dataset.benchmark.runs.index import Run, index_runs, with_unique_names
from iemomecp_dataset.benchmark.runs.results import EXTERNAL, RunResults
from iemomecp_dataset.errors import IemomecpError
from iemomecp_dataset.metrics.scoring import mean_and_sd
from iemomecp_dataset.metrics.signature import Signature
from iemomecp_dataset.trainers.compositions import OBJECTIVES, Objective
from iemomecp_dataset.trainers.options import ModelOptions

__all__ = [
    "MOST_PROBABLE",
    "OWN_DECISIONS",
    "Board",
    "BoardKey",
    "BoardRow",
    "Score",
    "leaderboard",
    "parts_of_split",
    "score_columns",
    "signatures_of",
    "split_notes",
]

MOST_PROBABLE = "most probable class"
OWN_DECISIONS = "the system's own decisions"
"""The decision rules of rows without a threshold, in words."""


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
            signatures=tuple((split, _table_key(text)) for split, text in sorted(signatures_of(results).items())),
        )


_BY_SPLIT = ("data_fingerprint", "text_fingerprint", "signatures")


def signatures_of(results: RunResults) -> dict[str, str]:
    """Reads the signatures of a run's scores by split, where its record has them.

    A signature states in one line what a score is comparable with (:mod:`iemomecp_dataset.metrics.signature`).
    """
    found = results.extra.get("signatures")
    return {str(split): str(text) for split, text in found.items()} if isinstance(found, Mapping) else {}


def _table_key(signature: str) -> tuple[tuple[str, Any], ...]:
    """What must agree of a printed signature; one that cannot be read agrees with nothing but itself."""
    try:
        return Signature.parse(signature).table_key
    except IemomecpError:
        return (("unreadable", signature),)


@dataclass(frozen=True)
class Score:
    """One quantity over the seeds of a system.

    Attributes:
        values: One value per run; NaN where undefined.
        reason: Why it is undefined, where it is.
    """

    values: tuple[float, ...]
    reason: str = ""

    @property
    def mean(self) -> float:
        """Mean over the runs; NaN as soon as one run has none, so that no mean is of fewer runs than the row has."""
        return float(mean_and_sd(self.values)[0])

    @property
    def sd(self) -> float:
        """Standard deviation over the runs with ddof 1; NaN for a single run.

        Example:
            >>> round(Score((0.50, 0.52, 0.54)).sd, 6)
            0.02
        """
        return float(mean_and_sd(self.values)[1])


@dataclass(frozen=True)
class BoardRow:
    """One system of a table.

    Attributes:
        kind: ``trained`` or ``structural``.
        name: Its name in the table.
        note: A sentence about it, or the options that tell it from rows of the same name.
        scores: By split and metric key the values over seeds, in the order of ``runs``. ``gain_over_distance`` is
            ``pair_f1`` minus that of the distance-only baseline on the same pairs.
        threshold: In words: the decision rule, and the split its threshold was chosen on.
        runs: Its runs, in the order of their seeds; empty for a structural baseline.
        key: Of a structural baseline, its key in ``results.json``; empty for other rows.
        chosen_on: The splits that ``epoch`` and ``threshold`` were chosen on.
    """

    kind: str
    name: str
    note: str
    scores: Mapping[str, Mapping[str, Score]]
    threshold: str
    runs: tuple[Run, ...] = ()
    key: str = ""
    chosen_on: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def oracle(self, split: str) -> tuple[str, ...]:
        """What was chosen on the very split that is scored, of ``epoch`` and ``threshold``; empty for a fair score."""
        return tuple(sorted(what for what, splits in self.chosen_on.items() if split in splits))

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of the runs."""
        return tuple(run.results.seed for run in self.runs)

    def score(self, split: str, key: str) -> Score | None:
        """Gives the values of a metric on a split, or None when this row has none."""
        return self.scores.get(split, {}).get(key)


@dataclass(frozen=True)
class Board:
    """All systems that may be compared.

    Attributes:
        key: The facts they agree in.
        splits: Splits with scores of trained systems, the one to look at first (test, else validation) in front.
        rows: Structural baselines first, from the least informed; then trained systems by the first split's pair F1.
        notes: Remarks for readers of the table.
        oracle: Whether the scores of a split are upper bounds, see :func:`parts_of_split`.
    """

    key: BoardKey
    splits: tuple[str, ...]
    rows: tuple[BoardRow, ...]
    notes: tuple[str, ...]
    oracle: bool = False

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


def score_columns(class_names: Sequence[str]) -> list[tuple[str, str]]:
    """Lists the columns of a results table.

    Args:
        class_names: Pair classes, by id.

    Returns:
        ``(metric key, heading)`` in order; the roles' own columns only where there are three classes.
    """
    columns = [
        ("pair_f1", "Pair F1"),
        ("gain_over_distance", "over distance"),
        ("pair_precision", "P"),
        ("pair_recall", "R"),
        ("pair_auprc", "AUPRC"),
    ]
    if len(class_names) > 2:
        columns += [("macro_f1", "macro F1"), *((f"{name}_f1", f"{_short(name)} F1") for name in class_names[1:-1])]
    return columns


def leaderboard(runs: str | Path | Iterable[Run | RunResults]) -> list[Board]:
    """Sorts runs into tables.

    Args:
        runs: A folder of runs at any depth, runs of such a folder, or bare records; of any data.

    Returns:
        One table for each set of comparable runs, in order of corpus, configuration, definition and candidates.

    Raises:
        MissingDataError: There is no such folder.
        RunFolderError: It holds no finished run.

    Example:
        >>> for board in leaderboard("runs"):  # doctest: +SKIP
        ...     print(board.key.corpus, [(row.name, row.score("test", "pair_f1").mean) for row in board.trained])
        ecf [('Base TAV', 0.5312), ('RPCL TAV', 0.5517)]
    """
    if isinstance(runs, str | Path):
        runs = index_runs(runs).runs
    groups: dict[BoardKey, list[Run]] = {}
    given = [run if isinstance(run, Run) else Run(Path(run.run_name), run) for run in runs]
    for found in with_unique_names(given):
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
    return [_board(key, groups[key]) for key in ordered]


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
                shown = tuple(_without_gain(row, split) for row in shown)
            parts.append(replace(board, rows=shown, oracle=is_oracle))
    return parts


def _without_gain(row: BoardRow, split: str) -> BoardRow:
    """Drops the gain over a baseline that is no bar of the table."""
    kept = {key: score for key, score in row.scores.get(split, {}).items() if key != "gain_over_distance"}
    return replace(row, scores={**row.scores, split: kept})


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


def _board(key: BoardKey, runs: list[Run]) -> Board:
    with_scores = {split for run in runs for split in run.results.metrics}
    first = [split for split in ("test", "validation", "train") if split in with_scores]
    splits = (*first, *sorted(with_scores.difference(first)))
    structural = _structural_rows(runs)
    distance = next((row for row in structural if row.key == DISTANCE_ONLY), None)
    bars = {
        split: score.mean
        for split in splits
        if distance is not None and (score := distance.score(split, "pair_f1")) is not None
    }
    runs, repeats = _without_repeats(runs)
    trained, lacking = [], []
    for name, note, group in _systems(runs):
        # Means of all seeds: one seed without scores would leave its system without any.
        wanted = {split for run in group for split in run.results.metrics}
        complete = [run for run in group if wanted <= run.results.metrics.keys()]
        trained.append(_trained_row(name, note, complete or group))
        lacking += [
            f"{run.results.run_name} is left out: it has no scores on {' and '.join(sorted(wanted - have))}."
            for run in group
            if complete and not wanted <= (have := run.results.metrics.keys())
        ]
    rows = [_with_gain(row, bars) for row in (*structural, *trained)]

    def place(row: BoardRow) -> tuple[bool, float]:
        score = row.score(splits[0], "pair_f1") if splits else None
        value = math.nan if score is None else score.mean
        return row.kind == "trained", (value if not math.isnan(value) else -1.0) if row.kind == "trained" else 0.0

    notes = (*_notes(runs, structural), *repeats, *lacking, *_missing_seeds(trained), *_mixed_circumstances(trained))
    return Board(key, splits, tuple(sorted(rows, key=place)), notes)


def _missing_seeds(rows: Sequence[BoardRow]) -> list[str]:
    """Lists rows that lack seeds of others: their means and deviations are of fewer runs."""
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


def _without_repeats(runs: list[Run]) -> tuple[list[Run], list[str]]:
    """Leaves out runs that repeat the settings and seed of another: they would count as an independent seed."""
    kept: dict[tuple[Any, ...], Run] = {}
    notes = []
    for run in runs:
        identity = (tuple(sorted(system_of(run.results).items())), run.results.seed)
        if identity in kept:
            first = kept[identity].results.run_name
            notes.append(f"{run.results.run_name} repeats {first} (same settings, same seed) and is left out.")
        kept.setdefault(identity, run)
    return list(kept.values()), notes


def _systems(runs: list[Run]) -> list[tuple[str, str, list[Run]]]:
    """Groups runs that differ in the seed alone, and names the options that tell groups of the same name apart."""
    named: dict[str, dict[tuple[tuple[str, str], ...], list[Run]]] = {}
    for run in sorted(runs, key=lambda run: (run.results.seed, run.results.run_name)):
        settings = tuple(sorted(system_of(run.results).items()))
        named.setdefault(_system_name(run.results, runs), {}).setdefault(settings, []).append(run)
    systems = []
    for name, variants in named.items():
        for settings, group in variants.items():
            others = [dict(other) for other in variants if other != settings]
            differing = [
                f"{option}={value}" for option, value in settings if any(o.get(option) != value for o in others)
            ]
            note = ", ".join(differing) if differing else _plain_note(group[0].results)
            systems.append((f"{name} ({', '.join(differing)})" if differing else name, note, group))
    return systems


def _system_name(results: RunResults, all_runs: list[Run]) -> str:
    """Names objective and modalities; scorer, encoder and its mode only where the table has more than one."""
    title = results.objective
    if results.scorer != EXTERNAL:  # a system of others keeps its name, also where an objective here has the same
        title = OBJECTIVES.get(results.objective, Objective()).title or title
    parts = [title, "+".join(results.modalities.upper())]
    for attribute in ("scorer", "text_encoder", "encoder_mode"):
        # The dialogue scorer is the default; another one is named even where there is no other.
        named = attribute == "scorer" and results.scorer != ModelOptions.scorer
        if named or len({getattr(run.results, attribute) for run in all_runs}) > 1:
            value = str(getattr(results, attribute))
            value = results.encoder_name if attribute == "text_encoder" else value
            parts.append("" if value == "none" else value)
    return " ".join(part for part in parts if part)


def _plain_note(results: RunResults) -> str:
    encoder = f"{results.encoder_mode} {results.encoder_name}" if results.encoder_name not in ("", "none") else ""
    return ", ".join(part for part in (f"{results.scorer} scorer", encoder) if part)


def _trained_row(name: str, note: str, runs: list[Run]) -> BoardRow:
    scores: dict[str, dict[str, Score]] = {}
    splits = [split for split in runs[0].results.metrics if all(split in run.results.metrics for run in runs)]
    for split in splits:
        of_runs = [run.results.metrics[split] for run in runs]
        keys = [
            k for k, v in of_runs[0].items() if isinstance(v, int | float) and all(k in scores for scores in of_runs)
        ]
        scores[split] = {
            key: Score(
                tuple(float(of_run[key]) for of_run in of_runs),
                next((r for of_run in of_runs if (r := (of_run.get("undefined") or {}).get(key))), ""),
            )
            for key in keys
        }
    thresholds = {
        (t.get("chosen_on"), None if t.get("value") is None else round(float(t["value"]), 3))
        for t in (run.results.threshold for run in runs)
    }
    chosen = {
        "threshold": {run.results.threshold.get("chosen_on") for run in runs},
        "epoch": {run.results.epoch_chosen_on for run in runs},
    }
    chosen_on = {what: frozenset(str(split) for split in splits if split) for what, splits in chosen.items()}
    return BoardRow("trained", name, note, scores, _threshold_words(thresholds), tuple(runs), chosen_on=chosen_on)


def _threshold_words(thresholds: Iterable[tuple[str | None, float | None]]) -> str:
    thresholds = list(thresholds)
    known = sorted((value, str(origin)) for origin, value in thresholds if value is not None)
    if not known:
        return OWN_DECISIONS if ("system", None) in thresholds else MOST_PROBABLE
    values = f"{known[0][0]:.3f}" if known[0][0] == known[-1][0] else f"{known[0][0]:.3f} to {known[-1][0]:.3f}"
    return f"{values}, from {' and '.join(sorted({origin for _, origin in known}))}"


def _structural_rows(runs: list[Run]) -> list[BoardRow]:
    """Makes one row per baseline; where runs disagree about one (by their encoders, say) each version is a row."""
    rows: dict[tuple[str, str], list[BoardRow]] = {}
    for run in runs:
        for key, baseline in run.results.structural_baselines.items():
            display_name = str(baseline.get("display_name") or key)
            row = BoardRow(
                kind="structural",
                name=display_name,
                note=str(baseline.get("description") or ""),
                scores={
                    split: {
                        metric: Score((float(value),), (scores.get("undefined") or {}).get(metric, ""))
                        for metric, value in scores.items()
                        if isinstance(value, int | float)
                    }
                    for split, scores in (baseline.get("splits") or {}).items()
                },
                threshold=_threshold_words([(baseline.get("chosen_on"), baseline.get("threshold"))])
                if baseline.get("splits")
                else "",
                key=key,
                chosen_on={"threshold": frozenset([str(baseline["chosen_on"])])} if baseline.get("chosen_on") else {},
            )
            same = rows.setdefault((key, display_name), [])
            if not any(_agree(row, other) for other in same):
                same.append(row)
    return [row for group in rows.values() for row in group]


def _agree(one: BoardRow, other: BoardRow) -> bool:
    """Tells whether two records of a baseline agree, up to rounding, on the splits that both have."""
    for split in one.scores.keys() & other.scores.keys():
        a, b = one.score(split, "pair_f1"), other.score(split, "pair_f1")
        if a is not None and b is not None and not math.isclose(a.mean, b.mean, abs_tol=1e-6):
            return False
    return True


def _with_gain(row: BoardRow, bars: Mapping[str, float]) -> BoardRow:
    scores: dict[str, dict[str, Score]] = {split: dict(of_split) for split, of_split in row.scores.items()}
    for split, bar in bars.items():
        if split in scores and "pair_f1" in scores[split]:
            scores[split]["gain_over_distance"] = Score(tuple(v - bar for v in scores[split]["pair_f1"].values))
    return replace(row, scores=scores)


def _notes(runs: list[Run], structural: list[BoardRow]) -> list[str]:
    notes = []
    missing = sorted({split for run in runs for split in run.results.missing_splits})
    if missing:
        notes.append(f"The data has no {' and no '.join(missing)} split, so there are no scores on it.")
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
    if not structural:
        notes.append("These runs record no structural baselines, so the distance-only score is unknown.")
    return notes


def _short(class_name: str) -> str:
    return class_name.removeprefix("emo_").replace("_", " ")
