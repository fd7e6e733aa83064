"""Reads the protocol files beside this module into experiments.

A protocol file is read top-down: the paper (``source``), its ``seeds``, what it leaves open, the ``options`` that all
experiments share, then ``variants``.

* A variant has the keys of the file itself and inherits everything above it: its ``options`` and ``published`` are
  added, its ``left_open`` lines follow the inherited ones.
* A variant without ``variants`` is an experiment; an option with a list of values makes it one experiment per value.
* In ``name``, ``row`` and ``against``, ``{system}`` or the name of an option in braces is replaced by its value. Names
  of experiments are in lower case, with ``_`` for ``-``.
* ``gains`` are listed by the names of the experiments.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from types import MappingProxyType
from typing import Any

from iemomecp_dataset.errors import InvalidDataError, UsageError, did_you_mean, missing_extra

__all__ = ["Experiment", "PublishedNumbers", "experiment_names", "find_experiment", "find_experiments"]


@dataclass(frozen=True)
class PublishedNumbers:
    """Where the numbers of an experiment were published, or the numbers themselves.

    Attributes:
        split: The split that was scored.
        statistic: What the numbers are, in words.
        definition: Letter of the Pair F1 definition; empty if the numbers are of emotions.
        origin: Where in the paper they are, in words.
        table: Table of ``benchmark/published`` that holds the scores; empty if none does.
        row: Value by column that selects the table's row.
        columns: Column of the table by metric key.
        against: Name of the experiment that ``gains`` are relative to.
        gains: Differences to that experiment by metric key, in points.
        within: Largest difference, in points, at which a run reproduces the numbers; 0: not stated.
    """

    split: str
    statistic: str
    definition: str = ""
    origin: str = ""
    table: str = ""
    row: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    against: str = ""
    gains: Mapping[str, float] = field(default_factory=dict)
    within: float = 0.0


@dataclass(frozen=True)
class Experiment:
    """A published configuration.

    Attributes:
        name: Its name, such as ``ecf_rpcl_tav``.
        source: Paper.
        system: The paper's name for the system.
        seeds: The paper's seeds.
        options: The trainer's options by name, without data and output folder.
        left_open: What the paper does not state, or what differs here.
        published: The paper's numbers; None if it has none for this experiment.
        family: The training script, ``fusion`` or ``ecerc`` say.
    """

    name: str
    source: str
    system: str
    seeds: tuple[int, ...]
    options: Mapping[str, Any]
    left_open: tuple[str, ...] = ()
    published: PublishedNumbers | None = None
    family: str = "fusion"


def experiment_names() -> tuple[str, ...]:
    """Lists the names of all experiments.

    Returns:
        The names, sorted.

    Raises:
        MissingDependencyError: pyyaml is not installed.

    Example:
        >>> len(experiment_names()), experiment_names()[0]
        (137, 'ecem_projector')
    """
    return tuple(_experiments())


def find_experiment(name: str) -> Experiment:
    """Finds an experiment by its name.

    Args:
        name: One of :func:`experiment_names`.

    Returns:
        The experiment.

    Raises:
        UsageError: There is no such experiment.
        MissingDependencyError: pyyaml is not installed.

    Example:
        >>> experiment = find_experiment("mecad_rpcl_tav")
        >>> experiment.system, experiment.seeds, experiment.options["top_k"], experiment.published.gains["pair_f1"]
        ('RPCL', (42, 345, 456), 8, 2.59)
    """
    experiments = _experiments()
    if name not in experiments:
        raise UsageError(f"There is no experiment {name!r}. {did_you_mean(name, experiments)}")
    return experiments[name]


def find_experiments(pattern: str) -> tuple[Experiment, ...]:
    """Finds the experiments that match a name or a pattern.

    Args:
        pattern: A name, or a pattern of :mod:`fnmatch`, such as ``ecf_*_tav``.

    Returns:
        The experiments, sorted by name.

    Raises:
        UsageError: No experiment matches.
        MissingDependencyError: pyyaml is not installed.

    Example:
        >>> [experiment.name for experiment in find_experiments("*_rpcl_tav")]
        ['ecf_rpcl_tav', 'mec4_rpcl_tav', 'mecad_rpcl_tav']
    """
    experiments = _experiments()
    found = tuple(experiment for name, experiment in experiments.items() if fnmatchcase(name, pattern))
    if not found:
        raise UsageError(f"No experiment matches {pattern!r}. {did_you_mean(pattern, experiments)}")
    return found


@functools.cache
def _experiments() -> Mapping[str, Experiment]:
    try:
        import yaml
    except ImportError as error:
        raise missing_extra("pyyaml", "train") from error
    found: dict[str, Experiment] = {}
    for path in sorted(Path(__file__).parent.glob("*.yaml")):
        for variant in _variants(yaml.safe_load(path.read_text(encoding="utf-8"))):
            for experiment in _experiments_of(variant):
                if found.setdefault(experiment.name, experiment) is not experiment:
                    raise InvalidDataError(f"{path}: two experiments are called {experiment.name}.")
    return dict(sorted(found.items()))


def _variants(entry: Mapping[str, Any], above: Mapping[str, Any] | None = None) -> Iterator[dict[str, Any]]:
    """Yields the variants that have no variants of their own, with what they inherit."""
    above = above or {"options": {}, "published": {}, "left_open": ()}
    merged = {
        **above,
        **entry,
        "options": {**above["options"], **entry.get("options", {})},
        "published": {**above["published"], **entry.get("published", {})},
        "left_open": (*above["left_open"], *entry.get("left_open", ())),
    }
    variants = merged.pop("variants", ())
    for variant in variants:
        yield from _variants(variant, merged)
    if not variants:
        yield merged


def _experiments_of(variant: Mapping[str, Any]) -> Iterator[Experiment]:
    """Yields one experiment per combination of the options' values."""
    axes = [value if isinstance(value, list) else [value] for value in variant["options"].values()]
    for values in itertools.product(*axes):
        options = dict(zip(variant["options"], values, strict=True))
        words = {**options, "system": variant["system"]}
        name = variant["name"].format_map(words).lower().replace("-", "_")
        # A key that is not known ends here, as an argument that the class does not have.
        yield Experiment(
            **{
                **variant,
                "name": name,
                "seeds": tuple(variant["seeds"]),
                "options": MappingProxyType(options),
                "published": _published(variant["published"], name, words),
            }
        )


def _published(entry: Mapping[str, Any], name: str, words: Mapping[str, Any]) -> PublishedNumbers | None:
    gains = entry.get("gains", {}).get(name, {})
    if not gains and "table" not in entry:
        return None
    row = {column: value.format_map(words) for column, value in entry.get("row", {}).items()}
    against = entry.get("against", "").format_map(words)
    return PublishedNumbers(**{**entry, "row": row, "against": against, "gains": gains})
