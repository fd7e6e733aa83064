"""Cells of a matrix as pure data: sweeps of options, and the runs they expand to."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from iemomecp_dataset import excerpts
from iemomecp_dataset.command_line import read_values
from iemomecp_dataset.errors import IemomecpError, UsageError, did_you_mean
from iemomecp_dataset.options import MERGED_CONFIGS
from iemomecp_dataset.trainers.cli import EMOTION_TRAINERS, EXPLANATION_TRAINERS, TRAINERS, options_of
from iemomecp_dataset.trainers.options import OBJECTIVE_NAMES, RunSettings, TrainingOptions
from iemomecp_dataset.trainers.scorers import find_scorer

__all__ = ["MatrixCell", "Sweep", "cells_of", "option_value"]

_NAMED = ("config_name", "scorer", "objective", "protocol", "modalities")
"""Options that name a cell, where its trainer has them."""
_INSTEAD = {
    "seed": "give the seeds with --seeds",
    "output_dir": "give --runs_dir, the folder in which each cell has a folder of its own",
    "run_name": "a cell is named by its settings",
}


@dataclass(frozen=True)
class MatrixCell:
    """One run of a matrix.

    Attributes:
        name: Name of its run folder within the runs folder.
        family: The trainer, one of :data:`~iemomecp_dataset.trainers.cli.TRAINERS` ``EMOTION_TRAINERS`` or
            ``EXPLANATION_TRAINERS``.
        options: The trainer's options without ``output_dir``.
        impossible: Why these options cannot work together; empty if they can.
    """

    name: str
    family: str
    options: RunSettings
    impossible: str = ""

    def options_in(self, runs_dir: Path) -> RunSettings:
        """Adds the run folder to the options."""
        return _with(self.options, run=replace(self.options.run, output_dir=str(runs_dir / self.name)))

    def flags(self, runs_dir: Path) -> list[str]:
        """Builds the trainer's command line: every option that differs from the defaults.

        Example:
            >>> cell = cells_of(Sweep(values={"data_dir": ("data",)}, seeds=(7,)))[0]
            >>> cell.flags(Path("runs"))[:3]
            ['--data_dir=data', '--output_dir=runs/3class-dialogue-base-t-s7', '--seed=7']
        """
        kind, of_script = options_of(self.family)
        defaults = kind().flat()
        asked = self.options_in(runs_dir).flat()
        own = {**kind.defaults_for(asked), **of_script}
        given = {k: v for k, v in asked.items() if v is not None and (v != defaults[k] or own.get(k, v) != v)}
        # An option of several values takes them one after the other.
        return [flag for k, v in given.items() for flag in ([f"--{k}", *v] if isinstance(v, tuple) else [f"--{k}={v}"])]


@dataclass(frozen=True)
class Sweep:
    """Values of options; every combination is a cell.

    Attributes:
        name: Prefix of its cells' names; an experiment's name.
        families: Trainers.
        values: Values by option; other options keep the trainer's defaults.
        seeds: Seeds.
        data_dirs: Folder of the corpus by configuration, if ``values`` has no ``data_dir``; the key ``""`` stands for
            every other configuration.
    """

    name: str = ""
    families: tuple[str, ...] = ("fusion",)
    values: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    seeds: tuple[int, ...] = (42,)
    data_dirs: Mapping[str, str] = field(default_factory=dict)


def cells_of(*sweeps: Sweep) -> list[MatrixCell]:
    """Expands sweeps into cells, each once.

    Args:
        sweeps: The sweeps.

    Returns:
        The cells, in the order of the sweeps; within one, seeds vary fastest. Combinations that no trainer can run
        are included, with the reason.

    Raises:
        UsageError: An option, family or value does not exist, or two different cells would share a folder.

    Example:
        >>> sweep = Sweep(values={"data_dir": ("d",), "objective": ("base", "rpcl")}, seeds=(1, 2))
        >>> [cell.name for cell in cells_of(sweep)]  # doctest: +NORMALIZE_WHITESPACE
        ['3class-dialogue-base-t-s1', '3class-dialogue-base-t-s2',
         '3class-dialogue-rpcl-t-s1', '3class-dialogue-rpcl-t-s2']
    """
    found: dict[str, MatrixCell] = {}
    for sweep in sweeps:
        try:
            cells = list(_expand(sweep))
        except UsageError as error:
            raise UsageError(f"Experiment {sweep.name}: {error}" if sweep.name else str(error)) from None
        for cell in cells:
            other = found.setdefault(cell.name, cell)
            if other != cell:
                one, two = ({**c.options.flat(), "family": c.family} for c in (other, cell))
                different = ", ".join(f"{k} {one[k]!r} and {two.get(k)!r}" for k in one if one[k] != two.get(k))
                raise UsageError(
                    f"Two cells would share the folder {cell.name} and differ in {different}. Put them into separate "
                    "experiment files, which become part of the name, or separate runs folders."
                )
    return list(found.values())


def option_value(name: str, value: Any, kind: type[RunSettings] = TrainingOptions) -> Any:
    """Converts a value as the trainer's own command line does.

    Args:
        name: An option.
        value: Its value, or text from a command line or YAML file.
        kind: The options of the trainer.

    Returns:
        The value in the option's type.

    Raises:
        UsageError: There is no such option, or the value is not of its type.

    Example:
        >>> option_value("learning_rate", "1e-3"), option_value("threshold", None), option_value("quiet", "yes")
        (0.001, None, True)
    """
    return read_values(kind.sections().values(), {name: value})[name]


def _expand(sweep: Sweep) -> Iterable[MatrixCell]:
    for family in sweep.families:
        known = {**TRAINERS, **EMOTION_TRAINERS, **EXPLANATION_TRAINERS}
        if not isinstance(family, str) or family not in known:
            raise UsageError(f"There is no trainer {excerpts.shown(family)}. {did_you_mean(str(family)[:80], known)}")
    for name, values in sweep.values.items():
        if name in _INSTEAD:
            raise UsageError(f"--{name} is an option of a single run, not of a matrix: {_INSTEAD[name]}.")
        if not values:
            raise UsageError(f"No values were given for {name}.")
    for family in sweep.families:
        yield from _expand_family(sweep, family)


def _expand_family(sweep: Sweep, family: str) -> Iterable[MatrixCell]:
    kind, defaults = options_of(family)
    axes = {name: tuple(option_value(name, v, kind) for v in values) for name, values in sweep.values.items()}
    # The configuration varies slowest: one corpus is finished before the next begins.
    names = [*(n for n in _NAMED if n in axes), *(n for n in axes if n not in _NAMED)]
    shown = [n for n in names if n not in _NAMED and len(axes[n]) > 1]
    if sweep.name:
        shown = [n for n in names if len(axes[n]) > 1]
    for combination in itertools.product(*(axes[n] for n in names)):
        for seed in sweep.seeds:
            chosen = {**defaults, **dict(zip(names, combination, strict=True))}
            # As in the trainers, a given value overrides the recipe.
            chosen = {**kind.defaults_for(chosen), **chosen}
            yield _cell(sweep, family, chosen, shown, int(option_value("seed", seed, kind)))


def _cell(sweep: Sweep, family: str, chosen: Mapping[str, Any], shown: Sequence[str], seed: int) -> MatrixCell:
    # Progress bars of concurrent runs would overwrite each other; each cell's log has the epochs.
    options = options_of(family)[0].from_flat({**chosen, "seed": seed, "quiet": True})
    if not options.data.data_dir:
        options = _with(
            options, data=replace(cast(Any, options.data), data_dir=_data_dir(sweep, options.data.config_name))
        )
    flat = options.flat()
    # An experiment's name implies its settings; without one, they are part of the run's name.
    settings = [] if sweep.name else [str(flat[name]) for name in _NAMED if name in flat]
    families = [family] if len(sweep.families) > 1 or (family != "fusion" and not sweep.name) else []
    words = {name: " ".join(value) if isinstance(value, tuple) else value for name, value in flat.items()}
    varied = [str(flat[name]) if name in _NAMED else f"{name}={words[name]}" for name in shown]
    parts = [sweep.name, *families, *settings, *varied, f"s{seed}"]
    name = "-".join(re.sub(r"[^\w.=+-]+", "_", part.rstrip("/").rpartition("/")[2]) for part in parts if part)
    cell = MatrixCell(name, family, options)
    try:
        cell.options_in(Path("runs")).check()
    except IemomecpError as error:
        # A combination of valid values is an impossible cell; an invalid value is the user's mistake.
        if not isinstance(options, TrainingOptions):
            raise
        objective = options.objective.objective
        taken = find_scorer(options.model.scorer).objectives
        if objective in taken or objective not in OBJECTIVE_NAMES:
            raise
        possible = MatrixCell(name, family, replace(options, objective=replace(options.objective, objective=taken[0])))
        possible.options_in(Path("runs")).check()
        return replace(cell, impossible=str(error))
    return cell


def _with(options: RunSettings, **sections: Any) -> RunSettings:
    """Replaces sections; every kind of settings is a dataclass of its sections."""
    return replace(options, **sections)  # type: ignore[type-var]


def _data_dir(sweep: Sweep, config_name: str) -> str | None:
    same_folder = MERGED_CONFIGS if config_name in MERGED_CONFIGS else (config_name,)
    return next((sweep.data_dirs[n] for n in (*same_folder, "") if n in sweep.data_dirs), None)
