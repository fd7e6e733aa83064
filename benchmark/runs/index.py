"""Index of a runs folder: finished runs, and folders of runs that did not finish."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from iemomecp_dataset.benchmark.runs.results import ERC, EXPLANATION, HEADLINE, RESULTS_FILE, RunResults, read_results
from iemomecp_dataset.command_line import command_hint
from iemomecp_dataset.errors import IemomecpError, MissingDataError, RunFolderError, nearest_path
from iemomecp_dataset.metrics.evaluation.emotions.predictions import emotions_file
from iemomecp_dataset.metrics.evaluation.explanations.predictions import explanations_file
from iemomecp_dataset.metrics.evaluation.predictions import predictions_file

__all__ = ["Run", "RunIndex", "UnfinishedRun", "index_runs", "with_unique_names"]

_TRACES = ("config.yaml", "log.jsonl", "checkpoint", "model")


@dataclass(frozen=True)
class Run:
    """A finished run: its folder and its record."""

    folder: Path
    results: RunResults

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
    """All runs of a folder, in the order of their paths."""

    root: Path
    runs: tuple[Run, ...]
    unfinished: tuple[UnfinishedRun, ...]


def index_runs(runs_dir: str | Path) -> RunIndex:
    """Finds every run below a folder; the folder may also be a run itself.

    Args:
        runs_dir: The folder.

    Returns:
        Its finished runs, and with a reason each those that are unfinished or damaged.

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
    for folder in _run_folders(root):
        try:
            found = Run(folder, read_results(folder))
            _check_scores(found)
            _check_config(folder / "config.yaml")
        except IemomecpError as error:
            unfinished.append(UnfinishedRun(folder, str(error)))
        else:
            runs.append(found)
    if not runs:
        if unfinished:
            named = "".join(f"\n  {run.reason}" for run in unfinished)
            raise RunFolderError(f"{root} holds no finished run, but {len(unfinished)} unfinished:{named}")
        raise RunFolderError(
            f"{root} holds no run: no {RESULTS_FILE} in it or in any folder below. Give the folder of the runs, or "
            f"train one: {command_hint('train fusion', '--data_dir DIR --output_dir runs/base_42')}"
        )
    return RunIndex(root, tuple(with_unique_names(runs, root)), tuple(unfinished))


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
        named.append(run if name == run.results.run_name else Run(run.folder, replace(run.results, run_name=name)))
    return named


def _check_scores(run: Run) -> None:
    """Refuses scores without the one that every table and figure of the task begins with."""
    headline = HEADLINE[run.results.task]
    for split, scores in run.results.metrics.items():
        if headline not in scores:
            raise RunFolderError(
                f"{run.folder / RESULTS_FILE}: metrics.{split} has no {headline}, so it is in no table."
            )


def _check_config(path: Path) -> None:
    """Refuses the options of a run that cannot be read: which system it is would be a guess."""
    import yaml

    if not path.exists():
        return
    advice = "Repeat the run, or remove its folder."
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RunFolderError(f"{path} cannot be read: {error.strerror}. {advice}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RunFolderError(f"{path} is not valid YAML ({' '.join(str(error).split())}). {advice}") from None
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise RunFolderError(f"{path} holds no options by name. {advice}")


def _run_folders(root: Path) -> list[Path]:
    found: list[Path] = []
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        if (folder / RESULTS_FILE).exists() or any((folder / trace).exists() for trace in _TRACES):
            found.append(folder)  # a run holds no other run
        else:
            waiting.extend(child for child in folder.iterdir() if child.is_dir() and not child.name.startswith("."))
    return sorted(found)
