"""Computes every diagnostic of every system, in every variant: one row per number."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from iemomecp_dataset.benchmark.diagnostics.catalogue import DIAGNOSTICS, Diagnostic, Pooling
from iemomecp_dataset.benchmark.diagnostics.quantities import Quantity
from iemomecp_dataset.benchmark.diagnostics.systems import FactsOf, System, systems_of
from iemomecp_dataset.benchmark.diagnostics.variant import Variant
from iemomecp_dataset.benchmark.runs.index import Run, RunIndex
from iemomecp_dataset.benchmark.runs.results import PAIRS
from iemomecp_dataset.corpora.metadata import IEMOMECP
from iemomecp_dataset.errors import IemomecpError
from iemomecp_dataset.metrics.scoring import mean_and_sd

__all__ = ["ALL", "COLUMNS", "Diagnosis", "diagnose", "rows_of_system"]

COLUMNS = {
    "data": "synthetic, or real: whether a program made the dialogues",
    "corpus": "corpus of the runs",
    "config_name": "configuration of the runs",
    "data_fingerprint": "first 12 characters of the digest of the split's data, where the run records it",
    "system": "name on the leaderboard",
    "run": "name of the run; empty for numbers over several runs",
    "seed": "seed; of numbers over several runs all seeds, joined by +",
    "n_runs": "runs that the number is of",
    "variant": "as_published repeats the paper's analysis with its flaws, corrected avoids them",
    "split": "split of the pairs; several that are pooled are joined by +",
    "pooling": "how runs become one number, see below",
    "decision": "decision rule behind hard predictions",
    "gold_role": "gold role of the pairs; empty: all of the subset",
    "subset": "distance bucket, subset, selection, predicted role, strategy or feature set; empty: all pairs",
    "quantity": "name of the number; rates, probabilities and F1 are shares, not percent",
    "n": "pairs that the number is of (targets, where the quantity is of targets); 0 where there are none",
    "value": "the number; NaN where it cannot be computed",
    "sd": "standard deviation, see pooling; NaN for one run",
    "reason": "why the value is NaN; empty where it is a number",
}
"""Columns of every file, with their meaning."""

ALL = "(all)"
"""``quantity`` of the row of a run for which none of a diagnostic's numbers could be computed."""


@dataclass(frozen=True)
class Diagnosis:
    """All diagnostics of a folder of runs.

    Attributes:
        tables: By name of the diagnostic its rows, with the columns of :data:`COLUMNS`.
        left_out: By folder, why a run is in no table, or in those with reasons alone.
        runs: The runs that find pairs, without those that could not be read at all.
    """

    tables: Mapping[str, pd.DataFrame]
    left_out: Mapping[Path, str]
    runs: tuple[Run, ...]

    @property
    def synthetic(self) -> bool:
        """Whether any run is on synthetic data."""
        return any(run.results.synthetic for run in self.runs)

    @property
    def all_synthetic(self) -> bool:
        """Whether every run is."""
        return bool(self.runs) and all(run.results.synthetic for run in self.runs)

    def reasons(self) -> dict[str, dict[str, int]]:
        """Counts the rows without a number by diagnostic and reason."""
        counts = {
            name: table.loc[table["value"].isna(), "reason"].value_counts(sort=False).to_dict()
            for name, table in self.tables.items()
        }
        return {name: of_table for name, of_table in counts.items() if of_table}

    def not_computed(self) -> dict[str, list[str]]:
        """Lists the diagnostics without any number, with the reasons."""
        reasons = self.reasons()
        return {
            name: list(reasons[name])
            for name, table in self.tables.items()
            if name in reasons and table["value"].isna().all()
        }


def diagnose(index: RunIndex, facts_of: FactsOf, progress: Callable[[Sequence[Any]], Any] | None = None) -> Diagnosis:
    """Computes all diagnostics of all systems of a folder.

    Args:
        index: The runs.
        facts_of: Looks up the facts of a run's pairs.
        progress: Wraps the sequence of steps, as ``tqdm`` does.

    Returns:
        The tables. What a run lacks gives a row with NaN and the reason; a run that cannot be read is left out of
        numbers over seeds and named.
    """
    systems, left_out = systems_of(index.runs, facts_of)
    left_out = {run.folder: run.reason for run in (*index.unfinished, *index.unchecked)} | left_out
    rows: dict[str, list[dict[str, Any]]] = {diagnostic.name: [] for diagnostic in DIAGNOSTICS}
    steps = [(system, diagnostic) for system in systems for diagnostic in DIAGNOSTICS]
    for system, diagnostic in progress(steps) if progress else steps:
        rows[diagnostic.name] += rows_of_system(system, diagnostic, left_out)
    tables = {name: pd.DataFrame(found, columns=list(COLUMNS)) for name, found in rows.items()}
    return Diagnosis(tables, left_out, tuple(run for run in index.runs if run.results.task == PAIRS))


def rows_of_system(
    system: System, diagnostic: Diagnostic, left_out: dict[Path, str] | None = None
) -> list[dict[str, Any]]:
    """Computes the rows of one diagnostic of one system.

    Args:
        system: The system.
        diagnostic: The diagnostic.
        left_out: Extended by the runs whose predictions cannot be read.

    Returns:
        For each variant a row per run and number, then rows over the runs.
    """
    readable, reasons = [], {}
    for run in system.runs:
        try:
            system.predictions(run, "test")
        except IemomecpError as error:
            reasons[run.folder] = str(error)
        else:
            readable.append(run)
    if left_out is not None:
        left_out.update(reasons)
    lacking = _not_applicable(system, diagnostic)
    rows = []
    for variant in diagnostic.variants:
        rule = _decision(system, variant) if diagnostic.of_roles else _decision(system, "corrected")
        row = _Rows(system, variant, rule)
        pooled = variant == "as_published" and system.class_names in diagnostic.pools_splits
        splits = (system.common_splits(readable) if pooled and readable else []) or ["test"]
        of_runs: list[dict[tuple[str, str, str], Quantity]] = []
        failed: dict[str, str] = {}
        for run in system.runs:
            reason = reasons.get(run.folder) or lacking
            measured: list[Quantity] = []
            if not reason:
                try:
                    measured = diagnostic.measure(system.view([run], splits), variant)
                except IemomecpError as error:
                    failed[run.results.run_name] = reason = str(error)
            if reason:
                rows.append(row.missing([run], splits, "per_run", reason))
                continue
            found = [_checked(quantity, system, [run]) for quantity in measured if not quantity.over_runs]
            rows += [row.of(quantity, [run], splits, "per_run") for quantity in found]
            of_runs.append({quantity.key: quantity for quantity in found})
        if lacking or not readable:
            continue
        pooling: Pooling = diagnostic.pooling if variant == "as_published" else "mean_over_seeds"
        if failed:
            # No mean is of fewer runs than the system has, unless a whole run cannot be read.
            why = next(iter(failed.values())) if len(failed) == len(readable) else f"not for {', '.join(failed)}"
            rows.append(row.missing(readable, splits, pooling, why))
            continue
        for quantity, sd in _over_runs(system, diagnostic, variant, readable, splits, of_runs):
            rows.append(row.of(_checked(quantity, system, readable), readable, splits, pooling, sd))
    return rows


def _over_runs(
    system: System,
    diagnostic: Diagnostic,
    variant: Variant,
    runs: Sequence[Run],
    splits: list[str],
    of_runs: list[dict[tuple[str, str, str], Quantity]],
) -> list[tuple[Quantity, float]]:
    """Computes the numbers of all runs together, each with its standard deviation."""
    jointly = diagnostic.jointly and variant == "as_published"
    ddof = diagnostic.published_ddof if variant == "as_published" else 1
    means: dict[tuple[str, str, str], tuple[Quantity, float]] = {}
    for key, quantity in of_runs[0].items():
        mean, sd = mean_and_sd([[found[key].value, found[key].n] for found in of_runs], ddof=ddof)
        undefined = next((of[key].undefined for of in of_runs if math.isnan(of[key].value)), "")
        one = replace(quantity, value=float(mean[0]), n=float(mean[1]), undefined=undefined)
        means[key] = (one, float(sd[0]) if len(of_runs) > 1 else math.nan)
    if not diagnostic.jointly:
        return list(means.values())
    found = []
    for quantity in diagnostic.measure(system.view(runs, splits), variant):
        if jointly:
            over_runs = means[quantity.key][1] if quantity.key in means else math.nan
            pooled = {"pooled_over_seeds": quantity.pooled_sd, "seed_average": math.nan}
            found.append((quantity, pooled.get(diagnostic.pooling, over_runs)))
        elif quantity.over_runs:
            found.append((quantity, math.nan))
        else:
            found.append(means[quantity.key])
    return found


def _not_applicable(system: System, diagnostic: Diagnostic) -> str:
    record = system.runs[0].results
    if diagnostic.of_roles and record.corpus != IEMOMECP:
        return f"{record.corpus} has no gold roles; this needs runs on IEMO-MECP"
    if diagnostic.class_names and system.class_names not in diagnostic.class_names:
        other = "source_binary" if len(system.class_names) > 2 else "3class"
        return f"this is a diagnostic of {other} runs; this one is of {record.config_name}"
    return ""


def _checked(quantity: Quantity, system: System, runs: Sequence[Run]) -> Quantity:
    """Removes numbers that would need the probabilities of a system that gives decisions alone."""
    if not quantity.of_probabilities or not system.view(runs, ["test"]).decisions_alone:
        return quantity
    return replace(quantity, value=math.nan, undefined="the system gives decisions without probabilities")


def _decision(system: System, variant: Variant) -> str:
    if variant == "as_published":
        return "most probable class"
    chosen = {run.results.threshold.get("value") is not None and run.results.threshold.get("chosen_on")
              for run in system.runs}  # fmt: skip
    words = {f"threshold from {split}" if split else "most probable class" for split in chosen}
    return " or ".join(sorted(words)).replace("threshold from fixed", "fixed threshold")


@dataclass(frozen=True)
class _Rows:
    """Makes rows of one system and variant."""

    system: System
    variant: Variant
    decision: str

    def of(
        self, quantity: Quantity, runs: Sequence[Run], splits: Sequence[str], pooling: Pooling, sd: float = math.nan
    ) -> dict[str, Any]:
        """The row of a number."""
        record = runs[0].results
        undefined = math.isnan(quantity.value)
        return {
            "data": "synthetic" if record.synthetic else "real",
            "corpus": record.corpus,
            "config_name": record.config_name,
            "data_fingerprint": "+".join(str(record.data_fingerprint.get(split, ""))[:12] for split in splits),
            "system": self.system.name,
            "run": record.run_name if pooling == "per_run" else "",
            "seed": "+".join(str(run.results.seed) for run in runs),
            "n_runs": len(runs),
            "variant": self.variant,
            "split": "+".join(splits),
            "pooling": pooling,
            "decision": self.decision,
            "gold_role": quantity.gold_role,
            "subset": quantity.subset,
            "quantity": quantity.name,
            "n": int(quantity.n) if quantity.n == int(quantity.n) else quantity.n,
            "value": quantity.value,
            "sd": math.nan if undefined else sd,
            "reason": quantity.undefined if undefined else "",
        }

    def missing(self, runs: Sequence[Run], splits: Sequence[str], pooling: Pooling, reason: str) -> dict[str, Any]:
        """The row that says why there is no number."""
        return self.of(Quantity(ALL, math.nan, 0, undefined=reason.rstrip(".")), runs, splits, pooling)
