"""Rows of the leaderboard: trained systems over their seeds, and structural baselines, with their names and rules."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from iemomecp_dataset.benchmark.runs.identity import seeds_of, system_of
from iemomecp_dataset.benchmark.runs.index import Run
from iemomecp_dataset.benchmark.runs.results import ERC, EXPLANATION, EXTERNAL, HEADLINE, RunResults
from iemomecp_dataset.metrics.scoring import mean_and_sd
from iemomecp_dataset.trainers.compositions import OBJECTIVES, Objective
from iemomecp_dataset.trainers.options import ModelOptions

__all__ = [
    "MOST_PROBABLE",
    "OWN_DECISIONS",
    "WARNED",
    "BoardRow",
    "Score",
    "structural_rows",
    "trained_rows",
    "with_gain",
    "without_gain",
    "without_repeats",
]

MOST_PROBABLE = "most probable class"
OWN_DECISIONS = "the system's own decisions"
OF_EACH_FOLD = "that of each fold"
"""The decision rules of rows without a threshold, in words."""

WARNED = "[!]"
"""Marks a row with warnings, in text and on pages, and the notes that state them."""

_MOST_OPTIONS = 3
"""Largest number of differing options that a name lists in full; the note of the row always does."""

_EMOTION_MODELS = {"ecerc": "ECERC", "emotion_transformer": "emotion transformer"}
"""Scorers of emotion recognition in words."""


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
            ``pair_f1`` minus that of the row ``distance only`` on the same pairs.
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

    @property
    def warnings(self) -> tuple[str, ...]:
        """One remark per run that diverged or predicts one class, say: what its scores must not be read without."""
        return tuple(f"{run.results.run_name}: {' '.join(run.warnings)}" for run in self.runs if run.warnings)

    def score(self, split: str, key: str) -> Score | None:
        """Gives the values of a metric on a split, or None when this row has none."""
        return self.scores.get(split, {}).get(key)


def without_repeats(runs: list[Run]) -> tuple[list[Run], list[str]]:
    """Leaves out runs that repeat the settings and seed of another: they would count as an independent seed.

    Args:
        runs: Comparable runs.

    Returns:
        The runs that remain, and a sentence for each that does not.
    """
    kept: dict[tuple[Any, ...], Run] = {}
    notes = []
    for run in runs:
        identity = (tuple(sorted(system_of(run.results).items())), seeds_of(run.results))
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
            differing = {
                option: value for option, value in settings if any(other.get(option) != value for other in others)
            }
            told, note = f"{name} ({_options_in_words(differing, others)})", _listed(differing)
            systems.append((told, note, group) if differing else (name, _plain_note(group[0].results), group))
    return systems


def _options_in_words(differing: Mapping[str, str], others: list[dict[str, str]]) -> str:
    """Lists options that tell a system from others of its name; of many, as few as do, and how many more there are."""
    if len(differing) <= _MOST_OPTIONS:
        return _listed(differing)
    told: dict[str, str] = {}
    left = others
    while left:
        # The option in which most of the others differ; the first such one, so that the choice is the same every time.
        option = max(differing, key=lambda name: sum(other.get(name) != differing[name] for other in left))
        told[option] = differing[option]
        left = [other for other in left if other.get(option) == differing[option]]
    rest = len(differing) - len(told)
    return f"{_listed(told)} and {rest} more" if rest else _listed(told)


def _listed(options: Mapping[str, str]) -> str:
    return ", ".join(f"{option}={value}" for option, value in options.items())


def _system_name(results: RunResults, all_runs: list[Run]) -> str:
    """Names objective and modalities; scorer, encoder and its mode only where the table has more than one."""
    title = results.objective
    if results.task == ERC and results.scorer != EXTERNAL:
        title = f"{_EMOTION_MODELS.get(results.scorer, results.scorer)} {title}".rstrip()
    elif results.task == EXPLANATION and results.scorer != EXTERNAL:
        # The language model tells more about a row than how it was tuned.
        title = " ".join(part for part in (results.encoder_name, results.objective) if part not in ("", "none"))
    elif results.scorer != EXTERNAL:  # a system of others keeps its name, also where an objective here has the same
        title = OBJECTIVES.get(results.objective, Objective()).title or title
    parts = [title, "+".join(results.modalities.upper())]
    if results.scorer == EXTERNAL:
        return " ".join(part for part in (*parts, EXTERNAL) if part)
    # What a system of others is made of tells none of ours apart.
    ours = [run.results for run in all_runs if run.results.scorer != EXTERNAL]
    for attribute in ("scorer", "text_encoder", "encoder_mode"):
        # The dialogue scorer is the default; another one is named even where there is no other.
        named = attribute == "scorer" and results.scorer != ModelOptions.scorer
        if (attribute == "scorer" and results.task in (ERC, EXPLANATION)) or (
            attribute == "text_encoder" and results.task == EXPLANATION
        ):
            continue  # it is part of the title
        if named or len({getattr(other, attribute) for other in ours}) > 1:
            value = str(getattr(results, attribute))
            value = results.encoder_name if attribute == "text_encoder" else value
            parts.append("" if value == "none" else value)
    parts.append(str(results.settings.get("ensemble", "")))
    return " ".join(part for part in parts if part)


def _plain_note(results: RunResults) -> str:
    if results.scorer == EXTERNAL and results.settings:
        return ", ".join(f"{name}={value}" for name, value in sorted(results.settings.items()))
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
    if ("folds", None) in thresholds:
        return OF_EACH_FOLD
    if not known:
        return OWN_DECISIONS if ("system", None) in thresholds else MOST_PROBABLE
    values = f"{known[0][0]:.3f}" if known[0][0] == known[-1][0] else f"{known[0][0]:.3f} to {known[-1][0]:.3f}"
    return f"{values}, from {' and '.join(sorted({origin for _, origin in known}))}"


def structural_rows(runs: list[Run]) -> list[BoardRow]:
    """Makes one row per baseline; where runs disagree about one (by their encoders, say) each version is a row.

    Args:
        runs: Comparable runs.

    Returns:
        The rows, in the order of the first run that has each; further versions name their run.
    """
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
            if not any(_agree(row, other, HEADLINE[run.results.task]) for other in same):
                # Runs trained on other dialogues, say: a reader must be able to tell the versions apart.
                same.append(replace(row, name=f"{row.name}, as in {run.results.run_name}") if same else row)
    built = {key for (key, _), group in rows.items() if any(row.scores for row in group)}
    # A run that cannot build a row does not hide nor repeat the row of the runs that can.
    return [row for (key, _), group in rows.items() for row in group if row.scores or key not in built]


def _agree(one: BoardRow, other: BoardRow, headline: str) -> bool:
    """Tells whether two records of a baseline agree, up to rounding, on the splits that both have."""
    for split in one.scores.keys() & other.scores.keys():
        a, b = one.score(split, headline), other.score(split, headline)
        if a is not None and b is not None and not math.isclose(a.mean, b.mean, abs_tol=1e-6):
            return False
    return True


def with_gain(row: BoardRow, bars: Mapping[str, float]) -> BoardRow:
    """Adds the gain in Pair F1 over the row ``distance only``.

    Args:
        row: A row.
        bars: Pair F1 of that row by split.

    Returns:
        The row with ``gain_over_distance`` on these splits.
    """
    scores: dict[str, dict[str, Score]] = {split: dict(of_split) for split, of_split in row.scores.items()}
    for split, bar in bars.items():
        if split in scores and "pair_f1" in scores[split]:
            scores[split]["gain_over_distance"] = Score(tuple(v - bar for v in scores[split]["pair_f1"].values))
    return replace(row, scores=scores)


def without_gain(row: BoardRow, split: str) -> BoardRow:
    """Drops the gain over a baseline that is not shown in the table.

    Args:
        row: A row.
        split: The split of the table.

    Returns:
        The row without ``gain_over_distance`` on this split.
    """
    kept = {key: score for key, score in row.scores.get(split, {}).items() if key != "gain_over_distance"}
    return replace(row, scores={**row.scores, split: kept})


def trained_rows(runs: list[Run]) -> tuple[list[BoardRow], list[str]]:
    """Makes one row per system.

    Args:
        runs: Comparable runs, without repeats.

    Returns:
        The rows; and a sentence for each run that is left out because it lacks splits which others of its system have,
        and for each row whose ensembles share members.
    """
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
        seeds = [set(seeds_of(run.results)) for run in complete or group]
        if sum(map(len, seeds)) > len(set[int]().union(*seeds)):
            lacking.append(f"Ensembles of {name} share members, so that the deviation over them is too small.")
    return trained, lacking
