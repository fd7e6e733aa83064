"""Index of a runs folder: finished runs, and folders of runs that did not finish."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from iemomecp_dataset.benchmark.runs.results import (
    ERC,
    EXPLANATION,
    HEADLINE,
    RESULTS_FILE,
    RunResults,
    read_results,
)
from iemomecp_dataset.benchmark.runs.score_checks import check_scores
from iemomecp_dataset.command_line import command_hint
from iemomecp_dataset.errors import IemomecpError, InvalidDataError, MissingDataError, RunFolderError, nearest_path
from iemomecp_dataset.files.yaml_files import read_yaml
from iemomecp_dataset.metrics.evaluation.emotions.predictions import emotions_file
from iemomecp_dataset.metrics.evaluation.explanations.predictions import explanations_file
from iemomecp_dataset.metrics.evaluation.predictions import predictions_file

__all__ = ["Run", "RunIndex", "UnfinishedRun", "index_runs", "shown_path", "with_unique_names"]

_TRACES = ("config.yaml", "log.jsonl", "checkpoint", "model")


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        folder: Its folder.
        results: Its record.
        found: What the check of its predictions warns of, see
            :class:`~iemomecp_dataset.benchmark.runs.score_checks.ScoreCheck`.
    """

    folder: Path
    results: RunResults
    found: tuple[str, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What readers of its scores should know: warnings of its record, and those that its predictions show."""
        recorded = tuple(self.results.extra.get("warnings") or ())
        # Training says with advice that one class is predicted for everything.
        more = [text for text in self.found if not any(told.startswith(text) for told in recorded)]
        return tuple(dict.fromkeys((*recorded, *more)))

    @property
    def log_path(self) -> Path:
        """``log.jsonl``; it may be missing."""
        return self.folder / "log.jsonl"

    def predictions_path(self, split: str) -> Path:
        """Predictions on one split; the file may be missing."""
        of_task = {ERC: emotions_file, EXPLANATION: explanations_file}
        return of_task.get(self.results.task, predictions_file)(self.folder, split)


@dataclass(frozen=True)
class UnfinishedRun:
    """A folder that looks like a run but cannot be shown, for it has no readable record, say; and the reason."""

    folder: Path
    reason: str


@dataclass(frozen=True)
class RunIndex:
    """All runs of a folder, in the order of their paths.

    Attributes:
        root: The folder.
        runs: The runs that are shown.
        unfinished: Folders that are not, with the reason: unfinished, damaged, or with predictions that contradict
            the recorded scores.
        unchecked: Runs that are shown although the predictions behind some of their scores are missing.
    """

    root: Path
    runs: tuple[Run, ...]
    unfinished: tuple[UnfinishedRun, ...]
    unchecked: tuple[UnfinishedRun, ...] = ()

    @property
    def remarks(self) -> tuple[str, ...]:
        """One line for each folder that is left out, and for each run whose scores could not be checked."""
        return (
            *(f"left out: {run.reason}" for run in self.unfinished),
            *(f"not checked: {run.reason}" for run in self.unchecked),
        )


def index_runs(runs_dir: str | Path) -> RunIndex:
    """Finds every run below a folder; the folder may also be a run itself.

    Args:
        runs_dir: The folder.

    Returns:
        Its finished runs, and with a reason each those that are unfinished or damaged, or whose scores are not those of
        their predictions. The check reads all predictions: about a second of computing for 40 runs with 12,500 pairs in
        each of two splits.

    Raises:
        MissingDataError: There is no such folder.
        RunFolderError: It holds no finished run. The message names the unfinished ones.
    """
    root = Path(runs_dir)
    if not root.is_dir():
        raise MissingDataError(
            f"{root} is not a folder.{nearest_path(root)} Give the folder that holds the runs, such as runs/."
        )
    runs: list[Run] = []
    unfinished: list[UnfinishedRun] = []
    unchecked: list[UnfinishedRun] = []
    for folder in _run_folders(root, unfinished):
        try:
            _check_name(folder)
            found = Run(folder, read_results(folder))
            _check_headlines(found)
            _check_config(folder / "config.yaml")
        except IemomecpError as error:
            unfinished.append(UnfinishedRun(folder, str(error)))
            continue
        check = check_scores(folder, found.results, found.predictions_path)
        if check.contradiction:
            unfinished.append(UnfinishedRun(folder, check.contradiction))
            continue
        unchecked += [UnfinishedRun(folder, sentence) for sentence in check.unchecked]
        runs.append(replace(found, found=check.warnings))
    if not runs:
        if unfinished:
            named = "".join(f"\n  {run.reason}" for run in unfinished)
            raise RunFolderError(f"{root} holds no finished run, but {len(unfinished)} unfinished:{named}")
        raise RunFolderError(
            f"{root} holds no run: no {RESULTS_FILE} in it or in any folder below. Give the folder of the runs, or "
            f"train one: {command_hint('train fusion', '--data_dir DIR --output_dir runs/base_42')}"
        )
    unfinished.sort(key=lambda run: run.folder)
    return RunIndex(root, tuple(with_unique_names(runs, root)), tuple(unfinished), tuple(unchecked))


def with_unique_names(runs: Sequence[Run], root: Path | None = None) -> list[Run]:
    """Names runs of one name by their folders, so that whatever is looked up by name is their own.

    Args:
        runs: Runs.
        root: The folder that their paths are shortened by.

    Returns:
        The runs in the same order, each with a name of its own.
    """
    counts = Counter(run.results.run_name for run in runs)
    named: list[Run] = []
    taken: set[str] = set()
    for run in runs:
        name = run.results.run_name
        if counts[name] > 1:
            folder = run.folder
            name = str(folder.relative_to(root)) if root is not None and folder.is_relative_to(root) else str(folder)
            name = next(
                found for n in itertools.count(1) if (found := name if n == 1 else f"{name} ({n})") not in taken
            )
        taken.add(name)
        named.append(run if name == run.results.run_name else replace(run, results=replace(run.results, run_name=name)))
    return named


def shown_path(path: Path) -> str:
    r"""Writes a path so that it can be printed and put on a page, whatever bytes its name has.

    Example:
        >>> shown_path(Path("runs/caf\udce9"))
        'runs/caf\\xe9'
    """
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _check_name(folder: Path) -> None:
    """Refuses a folder whose name is no text: neither the page nor the readers of Parquet can name it."""
    try:
        str(folder).encode()
    except UnicodeEncodeError:
        raise RunFolderError(f"The name of {shown_path(folder)} is not UTF-8. Rename the folder.") from None


def _check_headlines(run: Run) -> None:
    """Refuses scores without the one that every table and figure of the task begins with."""
    headline = HEADLINE[run.results.task]
    for split, scores in run.results.metrics.items():
        if headline not in scores:
            raise RunFolderError(
                f"{run.folder / RESULTS_FILE}: metrics.{split} has no {headline}, so it is in no table."
            )


def _check_config(path: Path) -> None:
    """Refuses the options of a run that cannot be read: which system it is would be a guess."""
    if not path.exists():
        return
    advice = "Repeat the run, or remove its folder."
    try:
        content = read_yaml(path)
    except (InvalidDataError, MissingDataError) as error:
        raise RunFolderError(f"{error} {advice}") from None
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise RunFolderError(f"{path} holds no options by name. {advice}")


def _run_folders(root: Path, unreadable: list[UnfinishedRun]) -> list[Path]:
    """Finds the folders of runs; a folder that cannot be looked into is added to the unreadable ones."""
    found: list[Path] = []
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        try:
            names = {entry.name for entry in os.scandir(folder)}
            if RESULTS_FILE in names or names.intersection(_TRACES):
                found.append(folder)  # a run holds no other run
            else:
                waiting.extend(folder / name for name in names if (folder / name).is_dir() and name[0] != ".")
        except OSError as error:
            unreadable.append(UnfinishedRun(folder, f"{folder} cannot be looked into: {error.strerror}."))
    return sorted(found)
