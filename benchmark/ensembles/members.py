"""The runs that an ensemble is made of: read, checked against each other, and brought into one order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from iemomecp_dataset.benchmark.runs.identity import decision_rule, system_digest, system_of
from iemomecp_dataset.benchmark.runs.index import Run
from iemomecp_dataset.benchmark.runs.results import PAIRS, RESULTS_FILE, RunResults, folder_of_run, read_results
from iemomecp_dataset.benchmark.runs.score_checks import check_scores
from iemomecp_dataset.errors import RunFolderError, UsageError
from iemomecp_dataset.excerpts import shown
from iemomecp_dataset.files import file_digest
from iemomecp_dataset.files.yaml_files import read_yaml
from iemomecp_dataset.metrics.evaluation.predictions import Predictions, predictions_file, read_predictions
from iemomecp_dataset.metrics.signature import Signature

__all__ = ["REMOVED", "Member", "options_of", "read_members"]

REMOVED = "test_removed"
"""Name of the predictions on the test split with the candidates' evidence removed, where a run has them."""


@dataclass(frozen=True)
class Member:
    """A finished run of an ensemble.

    Attributes:
        folder: Its folder.
        results: Its record.
        predictions: By scored split, and :data:`REMOVED` where it is there, its predictions.
    """

    folder: Path
    results: RunResults
    predictions: Mapping[str, Predictions]

    @property
    def model(self) -> Path | None:
        """Folder of its model; None where it has none, as a system of others."""
        folder = self.folder / "model"
        return folder if (folder / "config.json").is_file() else None

    def to_json(self) -> dict[str, Any]:
        """What a record states of it: names, seed, and digests that tell it from any other run."""
        results = self.results
        return {
            "run_name": results.run_name,
            "objective": results.objective,
            "system": system_digest(results),
            "seed": results.seed,
            "initialized_from": dict(results.initialized_from),
            "git_revision": results.git_revision,
            "results": file_digest(self.folder / RESULTS_FILE),
            "predictions": {
                name: file_digest(predictions_file(self.folder, name)) for name in sorted(self.predictions)
            },
        }


def options_of(member: Member) -> Mapping[str, Any]:
    """Reads the options that a run was trained with; none of a system of others.

    Raises:
        RunFolderError: Its ``config.yaml`` holds something else.
        InvalidDataError: It cannot be read.
    """
    path = member.folder / "config.yaml"
    found = read_yaml(path) if path.is_file() else {}
    if not isinstance(found, dict):
        raise RunFolderError(f"{path} holds no options by name. Repeat the run.")
    return found


def read_members(folders: Sequence[str | Path]) -> list[Member]:
    """Reads runs that are to be averaged.

    Args:
        folders: Their folders, or the ``model/`` in them; the order does not matter.

    Returns:
        The runs, in an order that depends on what they are and not on how they were named: by objective, seed, system
        and name. So the same runs give the same ensemble, to the bit.

    Raises:
        UsageError: There are fewer than two runs, one is named twice or repeats another, or they do not belong
            together; the message names the first difference.
        MissingDataError: One has not finished.
        RunFolderError: Its record or its predictions are damaged, or contradict each other.
    """
    places = [folder_of_run(folder) for folder in folders]
    if len(places) < 2:
        raise UsageError(f"An ensemble is made of at least two runs; found {len(places)}. Name the folders of more.")
    _check_named_once(places)
    members = [_member(place) for place in places]
    first = members[0]
    for other in members[1:]:
        for difference in _differences(first, other):
            raise UsageError(
                f"{first.folder} and {other.folder} cannot be averaged: {difference}. Name runs of one task on the "
                "same data, candidates and classes."
            )
    for place, one in enumerate(members):
        for other in members[:place]:
            if why := _why_alike(other, one):
                raise UsageError(
                    f"{other.folder} and {one.folder} are the same run ({why}), which would count twice. Leave one out."
                )
    return sorted(members, key=_order)


def _order(member: Member) -> tuple[Any, ...]:
    results = member.results
    return results.objective, results.seed, system_digest(results), results.run_name, str(member.folder)


def _check_named_once(places: Sequence[Path]) -> None:
    seen: dict[Path, Path] = {}
    for place in places:
        real = place.resolve()
        if real in seen:
            raise UsageError(f"{place} is named twice, and would count twice. Name each run once.")
        seen[real] = place


def _member(folder: Path) -> Member:
    results = read_results(folder)
    if results.task != PAIRS:
        raise UsageError(
            f"{folder} is a run of the task {results.task!r}; runs that score pairs can be averaged. Leave it out."
        )
    if "ensemble" in results.extra:
        raise UsageError(f"{folder} is an ensemble itself. Name the runs that it was made of.")
    run = Run(folder, results)
    contradiction = check_scores(folder, results, run.predictions_path).contradiction
    if contradiction:
        raise RunFolderError(contradiction)
    names = list(results.metrics)
    if predictions_file(folder, REMOVED).is_file():
        names.append(REMOVED)
    predictions = {name: read_predictions(predictions_file(folder, name)) for name in names}
    for name, found in predictions.items():
        if found.decisions_alone:
            raise UsageError(
                f"{predictions_file(folder, name)} holds decisions alone, and a mean is of probabilities. Leave "
                f"{folder} out."
            )
    return Member(folder, results, predictions)


_COMPARED: Mapping[str, Callable[[RunResults], Any]] = {
    "the corpus": lambda results: results.corpus,
    "the configuration": lambda results: results.config_name,
    "the classes": lambda results: ", ".join(results.class_names),
    "the definition of Pair F1": lambda results: results.definition,
    "the candidates": lambda results: results.candidates,
    "the scored splits": lambda results: ", ".join(sorted(results.metrics)) or "none",
    "the decision rule": decision_rule,
    "the split of the epoch": lambda results: results.epoch_chosen_on,
}
"""What members agree in beside the data, in words."""


def _differences(one: Member, other: Member) -> Iterator[str]:
    """In what two runs differ that members must agree in, the most telling first."""
    for words, of in _COMPARED.items():
        if (here := of(one.results)) != (there := of(other.results)):
            yield f"{words} is {shown(here)} in the first and {shown(there)} in the second"
    for what, name in (("data", "data_fingerprint"), ("texts", "text_fingerprint")):
        here, there = getattr(one.results, name), getattr(other.results, name)
        for split in sorted(here.keys() | there.keys()):
            if here.get(split) != there.get(split):
                yield f"the {what} of {split} differ ({here.get(split, 'none')} and {there.get(split, 'none')})"
    for split in one.results.metrics:
        keys = [_table_key(member.results, split) for member in (one, other)]
        if all(keys) and keys[0] != keys[1]:
            fields = [name for (name, a), (_, b) in zip(*keys, strict=True) if a != b]
            yield f"the signatures on {split} differ in {', '.join(fields)}"
    for split in one.results.metrics:
        yield from _different_pairs(split, one.predictions[split], other.predictions[split])


def _table_key(results: RunResults, split: str) -> tuple[tuple[str, Any], ...] | None:
    text = (results.extra.get("signatures") or {}).get(split)
    return Signature.parse(text).table_key if text else None


def _different_pairs(split: str, one: Predictions, other: Predictions) -> Iterator[str]:
    if len(one) != len(other):
        yield f"there are {len(one):,} and {len(other):,} candidate pairs on {split}"
        return
    if not one.pairs.same_pairs(other.pairs):
        columns = [zip(*p.pairs.keys, p.labels, strict=True) for p in (one, other)]
        line, (dialogue, target, cause, label) = next(
            (line, here) for line, (here, there) in enumerate(zip(*columns, strict=True), start=1) if here != there
        )
        yield (
            f"the candidate pairs on {split} differ from line {line} on (dialogue {dialogue}, "
            f"target turn {target}, cause turn {cause}, gold {one.class_names[int(label)]} in the first)"
        )


def _why_alike(one: Member, other: Member) -> str:
    """Says why two members are the same run, though their folders differ; empty where they are not.

    Args:
        one: A member.
        other: Another.
    """
    if one.results.seed == other.results.seed and system_of(one.results) == system_of(other.results):
        return f"same settings, same seed {one.results.seed}"
    names = one.predictions.keys() & other.predictions.keys()
    if names and all(
        np.array_equal(one.predictions[name].probabilities, other.predictions[name].probabilities) for name in names
    ):
        return "equal predictions"
    return ""
