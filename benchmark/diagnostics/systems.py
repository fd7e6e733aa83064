"""Systems to diagnose: runs of a leaderboard row, read once, in the pair order of the data where that is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.benchmark.board import leaderboard, signature_of
from iemomecp_dataset.benchmark.diagnostics.pair_facts import PairFacts, pair_facts
from iemomecp_dataset.benchmark.diagnostics.views import Lacking, View, given
from iemomecp_dataset.benchmark.runs.identity import system_of
from iemomecp_dataset.benchmark.runs.index import Run
from iemomecp_dataset.benchmark.runs.results import PAIRS
from iemomecp_dataset.builder import load
from iemomecp_dataset.corpora.metadata import IEMOMECP
from iemomecp_dataset.errors import IemomecpError, InvalidDataError, MissingDataError, RunFolderError
from iemomecp_dataset.files.yaml_files import read_yaml
from iemomecp_dataset.metrics.evaluation.coverage import aligned_order
from iemomecp_dataset.metrics.evaluation.predictions import Predictions, read_predictions
from iemomecp_dataset.pair_table import PairTable
from iemomecp_dataset.schema import PAIR_LABELS, ROLE_LABELS, SPLITS

__all__ = ["FactsOf", "System", "facts_of_data", "systems_of"]

FactsOf = Callable[[Run], "Mapping[str, PairFacts] | Lacking"]
"""Looks up the facts of the pairs of a run by split."""


def facts_of_data(data_dir: str | Path | None = None) -> FactsOf:
    """Makes a look-up of facts that reads each data folder once.

    Args:
        data_dir: The IEMO-MECP data of all runs; by default each run's own ``data_dir``, as its ``config.yaml`` states
            it.

    Returns:
        The look-up. It raises what :func:`iemomecp_dataset.load` raises only for a ``data_dir`` that was given.
    """
    read: dict[str, Mapping[str, PairFacts] | Lacking] = {}

    def of_run(run: Run) -> Mapping[str, PairFacts] | Lacking:
        if run.results.corpus != IEMOMECP:
            return Lacking(f"{run.results.corpus} has no gold roles; this needs runs on IEMO-MECP.")
        folder = str(data_dir) if data_dir is not None else _stated_folder(run)
        if isinstance(folder, Lacking):
            return folder
        if folder not in read:
            try:
                read[folder] = {split: pair_facts(rows) for split, rows in load("3class", data_dir=folder).items()}
            except IemomecpError as error:
                if data_dir is not None:
                    raise
                read[folder] = Lacking(f"The data in {folder}, which the run states, cannot be read: {error}")
        return read[folder]

    return of_run


def _stated_folder(run: Run) -> str | Lacking:
    path = run.folder / "config.yaml"
    if not path.is_file():
        return Lacking(f"{run.results.run_name} has no config.yaml that states its data. Give --data-dir.")
    try:
        content = read_yaml(path)
    except IemomecpError as error:
        return Lacking(f"{path} cannot be read ({error}). Give --data-dir.")
    folder = content.get("data_dir") if isinstance(content, dict) else None
    if not folder:
        return Lacking(f"{path} states no data_dir. Give --data-dir.")
    if not Path(str(folder)).is_dir():
        return Lacking(f"{folder}, the data_dir of {run.results.run_name}, is not there. Give --data-dir.")
    return str(folder)


@dataclass(frozen=True)
class System:
    """Runs that differ in the seed alone.

    Attributes:
        name: Name on the leaderboard.
        runs: The runs, in the order of their seeds.
        facts: Facts of the pairs by split.
        binary: By seed, the binary system of the same name and its run.
    """

    name: str
    runs: tuple[Run, ...]
    facts: Mapping[str, PairFacts] | Lacking
    binary: dict[int, tuple[System, Run]] = field(default_factory=dict)
    _read: dict[tuple[Path, str], Predictions] = field(default_factory=dict)
    _views: dict[tuple[object, ...], View] = field(default_factory=dict)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Pair classes by id."""
        return self.runs[0].results.class_names

    def common_splits(self, runs: Sequence[Run], wanted: Sequence[str] = SPLITS) -> list[str]:
        """Lists the splits that all these runs have predictions on and, where the data is known, that it has."""
        return [
            split
            for split in wanted
            if all(run.predictions_path(split).is_file() for run in runs)
            and (isinstance(self.facts, Lacking) or split in self.facts)
        ]

    def view(self, runs: Sequence[Run], splits: Sequence[str]) -> View:
        """Reads the predictions of runs on some splits.

        Args:
            runs: Some of the runs, at least one.
            splits: Splits that all of them have predictions on; at least one.

        Raises:
            MissingDataError: A run has no predictions, or the data lacks the split.
            RunFolderError: Predictions cannot be read, or are of other pairs or another gold than the data.
        """
        key = (*(run.folder for run in runs), *splits)
        if key not in self._views:
            self._views[key] = self._view(runs, splits)
        return self._views[key]

    def _view(self, runs: Sequence[Run], splits: Sequence[str]) -> View:
        found = [[self.predictions(run, split) for split in splits] for run in runs]
        tables = [predictions.pairs for predictions in found[0]]
        facts: PairFacts | Lacking
        if isinstance(self.facts, Lacking) or len(splits) > 1:
            facts = self.facts if isinstance(self.facts, Lacking) else Lacking("Facts are of one split.")
        else:
            facts = self.facts[splits[0]]
        return View(
            pairs=_joined(tables),
            splits=np.repeat(np.array(splits), [len(table) for table in tables]),
            class_names=self.class_names,
            probabilities=_stacked(found),
            thresholds=tuple(_rule(of_run) for of_run in found),
            decisions_alone=any(predictions.decisions_alone for of_run in found for predictions in of_run),
            roles=self._roles(tables, splits),
            facts=facts,
            removed=self._removed(runs, splits),
            binary=self._binary(runs, splits),
        )

    def predictions(self, run: Run, split: str, *, evidence: str = "") -> Predictions:
        """Reads predictions in the order of the data, or of the system's first readable run.

        Args:
            run: One of the runs.
            split: The split.
            evidence: ``_removed`` for predictions without evidence.

        Returns:
            The predictions.

        Raises:
            MissingDataError: There are none, or the data lacks the split.
            RunFolderError: They cannot be read, or are of other pairs or another gold than the data.
        """
        path = run.predictions_path(f"{split}{evidence}")
        if (path, split) not in self._read:
            if not path.is_file():
                why = "its data has no such split" if split in run.results.missing_splits else f"no {path.name}"
                raise MissingDataError(f"{run.results.run_name} has no predictions on {split}: {why}.")
            found = read_predictions(path)
            if isinstance(self.facts, Lacking):
                others = (of for (other, name), of in self._read.items() if name == split)
                wanted = next(others, found).pairs
                try:
                    order = aligned_order(str(path), found.pairs.keys, wanted.keys)
                except InvalidDataError as error:
                    raise RunFolderError(str(error)) from None
            elif split not in self.facts:
                raise MissingDataError(f"The data has no {split} split.")
            else:
                order = self.facts[split].order_of(found)
            ordered = Predictions(
                found.pairs.take(order),
                found.probabilities[order],
                found.class_names,
                found.facts,
                thresholds=None if found.thresholds is None else found.thresholds[order],
            )
            self._check_gold(path, ordered.pairs, split)
            self._read[path, split] = ordered
        return self._read[path, split]

    def _check_gold(self, path: Path, pairs: PairTable, split: str) -> None:
        if isinstance(self.facts, Lacking):
            expected = [of.pairs.labels for (_, name), of in self._read.items() if name == split][:1]
        elif self.class_names == ROLE_LABELS:
            expected = [self.facts[split].roles]
        else:
            facts = self.facts[split]
            # Binary runs are scored on all source pairs, or as published without the forward ones.
            both = (facts.source_pairs, facts.source_pairs & (facts.distances >= 0))
            expected = [np.where(gold, 0, 1) for gold in both]
        if expected and not any((labels == pairs.labels).all() for labels in expected):
            raise RunFolderError(
                f"{path} has other gold labels than the data. Give the data that the run was made with."
            )

    def _roles(self, tables: list[PairTable], splits: Sequence[str]) -> NDArray[np.int64] | Lacking:
        if self.class_names == ROLE_LABELS:
            return np.concatenate([table.labels for table in tables])
        if isinstance(self.facts, Lacking):
            return self.facts
        return np.concatenate([self.facts[split].roles for split in splits])

    def _removed(self, runs: Sequence[Run], splits: Sequence[str]) -> NDArray[np.float64] | Lacking:
        if list(splits) != ["test"]:
            return Lacking("Evidence is removed on the test split alone.")
        if not all(run.predictions_path("test_removed").is_file() for run in runs):
            return Lacking(
                "There are no predictions without evidence (predictions_test_removed.parquet). Train with "
                "--evidence_removal, which the isolated scorer has."
            )
        try:
            return _stacked([[self.predictions(run, "test", evidence="_removed")] for run in runs])
        except IemomecpError as error:
            return Lacking(str(error))

    def _binary(
        self, runs: Sequence[Run], splits: Sequence[str]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]] | Lacking:
        decided = []
        for run in runs:
            seed = run.results.seed
            if seed not in self.binary:
                return Lacking(f"There is no source_binary run of {self.name} with seed {seed} to compare with.")
            system, its_run = self.binary[seed]
            try:
                view = system.view([its_run], splits)
                # Both must be in the order of the same pairs.
                given(view.facts)
            except IemomecpError as error:
                return Lacking(f"The source_binary run {its_run.results.run_name} cannot be compared with: {error}")
            decided.append([view.decided("as_published")[0] == 0, view.decided("corrected")[0] == 0])
        first, second = np.stack(decided, axis=1)
        return first, second


def systems_of(runs: Sequence[Run], facts_of: FactsOf) -> tuple[list[System], dict[Path, str]]:
    """Groups runs into systems as the leaderboard does.

    Args:
        runs: Finished runs, of any data.
        facts_of: Looks up the facts of a run's pairs.

    Returns:
        The systems, in the order of the leaderboards and on each from the lowest Pair F1 up; and by folder why a run is
        left out.
    """
    left_out: dict[Path, str] = {}
    boards = leaderboard(runs)
    rows = [row for board in boards for row in board.trained]
    for row in rows:
        if chosen := row.oracle("test"):
            left_out |= {run.folder: f"Its {' and '.join(chosen)} was chosen on test itself." for run in row.runs}
    systems = [_fitting(System(row.name, row.runs, facts_of(row.runs[0]))) for row in rows if not row.oracle("test")]
    shown = {run.folder for system in systems for run in system.runs}
    notes = [note for board in boards for note in board.notes]
    for run in runs:
        if run.results.task != PAIRS:
            left_out[run.folder] = "It recognises emotions and finds no pairs, which the diagnostics are of."
        elif run.folder not in shown and run.folder not in left_out:
            named = [note for note in notes if note.startswith(f"{run.results.run_name} ")]
            left_out[run.folder] = named[0] if named else "The leaderboard leaves it out."
    for system in systems:
        partners = [other for other in systems if _is_binary_twin(other, system)]
        for partner in partners if len(partners) == 1 else ():
            system.binary.update({run.results.seed: (partner, run) for run in partner.runs})
    return systems, left_out


def _fitting(system: System) -> System:
    """Does without the data if it is that of no run."""
    reason = ""
    for run in system.runs:
        try:
            system.predictions(run, "test")
        except IemomecpError as error:
            reason = str(error)
        else:
            return system
    if isinstance(system.facts, Lacking):
        return system
    return System(system.name, system.runs, Lacking(f"The data does not fit the run: {reason}"))


def _is_binary_twin(other: System, system: System) -> bool:
    """Whether the other one is the same system trained on the binary labels of the same pairs, as published."""
    if other.class_names != PAIR_LABELS or system.class_names != ROLE_LABELS:
        return False
    one, two = ({**system_of(of.runs[0].results), "init_from": ""} for of in (other, system))
    scored = signature_of(other.runs[0].results, "test")
    if one != two or (scored is not None and scored.forward_pairs == "gold"):
        return False
    if isinstance(other.facts, Lacking) or isinstance(system.facts, Lacking):
        return False
    binary, roles = other.facts.get("test"), system.facts.get("test")
    return binary is not None and roles is not None and binary.pairs.same_pairs(roles.pairs)


def _stacked(found: list[list[Predictions]]) -> NDArray[np.float64]:
    return np.stack([np.concatenate([of.probabilities for of in of_run]) for of_run in found])


def _rule(of_run: Sequence[Predictions]) -> float | NDArray[np.float64] | None:
    """The threshold of a run; of out-of-fold predictions that of each pair, the splits one after the other."""
    by_fold = [predictions.thresholds for predictions in of_run if predictions.thresholds is not None]
    return np.concatenate(by_fold) if by_fold else of_run[0].threshold


def _joined(tables: list[PairTable]) -> PairTable:
    if len(tables) == 1:
        return tables[0]
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(table, name) for table in tables])
        for name in ("dialogue_ids", "source_dialogue_ids", "target_turns", "cause_turns", "labels")
    }
    return PairTable(**columns, missed_positives=sum(table.missed_positives for table in tables))
