"""Sweeps of the experiments and of a user's own files: a trainer's options in YAML, with lists where they vary."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from iemomecp_dataset.benchmark.experiments import find_experiments
from iemomecp_dataset.benchmark.matrix.cells import Sweep
from iemomecp_dataset.errors import InvalidDataError, MissingDataError, UsageError
from iemomecp_dataset.excerpts import shown
from iemomecp_dataset.files.yaml_files import read_yaml

__all__ = ["AXES", "experiment_sweeps", "read_sweep", "sweep_of"]

AXES = {
    "config_names": "config_name",
    "scorers": "scorer",
    "objectives": "objective",
    "text_encoders": "text_encoder",
}
"""Plural spellings of options that often vary."""

_ABOUT = ("published", "description", "title", "name", "notes")


def experiment_sweeps(experiment: str | Path, overrides: Sweep | None = None) -> list[Sweep]:
    """Finds the sweeps of a file, of an experiment, or of all experiments that match a pattern.

    Args:
        experiment: A YAML file (:func:`read_sweep`); or a published experiment's name, such as ``ecf_rpcl_tav``; or a
            pattern of such names, such as ``ecf_*_tav``.
        overrides: Values from the command line; they win.

    Returns:
        One sweep per file or experiment, each with its own name and seeds.

    Raises:
        MissingDataError: There is neither a file nor an experiment.

    Example:
        >>> [(sweep.name, sweep.seeds) for sweep in experiment_sweeps("iemomecp_*_clip")]
        [('iemomecp_3class_clip', (42, 123, 456)), ('iemomecp_source_binary_clip', (42, 123, 456))]
    """
    if Path(experiment).is_file():
        return [read_sweep(Path(experiment), overrides)]
    try:
        found = find_experiments(str(experiment))
    except UsageError as error:
        raise MissingDataError(f"There is no experiment file {experiment}. {error}") from None
    return [
        sweep_of({**e.options, "seeds": e.seeds, "families": e.family}, name=e.name, overrides=overrides) for e in found
    ]


def read_sweep(path: Path, overrides: Sweep | None = None) -> Sweep:
    """Reads a user's experiment file.

    Args:
        path: YAML with a trainer's options by name, a list wherever one varies; ``seeds`` and ``families``. Keys that
            describe it, such as ``title`` and ``published``, are ignored.
        overrides: Values from the command line; they win.

    Returns:
        The sweep, with the file's name.

    Raises:
        MissingDataError: There is no such file.
        InvalidDataError: It does not hold options by name.
        UsageError: An option is given twice, or it is a protocol file of published experiments.
    """
    if not path.is_file():
        raise MissingDataError(f"The experiment file {path} is not there, or is not a file.")
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise InvalidDataError(f"{path} must hold options by name, but holds {type(content).__name__}.")
    if "variants" in content:
        raise UsageError(
            f"{path} is the protocol file of a paper, not an experiment file. Its experiments are given by name, such "
            f"as ecf_rpcl_tav, or by a pattern, such as 'ecf_*_tav'."
        )
    try:
        return sweep_of(content, name=path.stem, overrides=overrides)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None


def sweep_of(content: Mapping[str, Any], *, name: str = "", overrides: Sweep | None = None) -> Sweep:
    """Builds a sweep from options by name.

    Args:
        content: Options as in an experiment file.
        name: The sweep's name.
        overrides: A sweep that wins over ``content``: its values, and its families and seeds where it gives any.

    Returns:
        The sweep.

    Raises:
        UsageError: An option is given in both spellings.

    Example:
        >>> sweep_of({"objective": ["base", "rpcl"], "seeds": [1, 2], "published": {"pair_f1": 57.9}}, name="x").seeds
        (1, 2)
    """
    values: dict[str, tuple[Any, ...]] = {}
    families: tuple[Any, ...] = ("fusion",)
    seeds: tuple[Any, ...] = (42,)
    for key, value in content.items():
        listed = tuple(value) if isinstance(value, list | tuple) else (value,)
        if key in _ABOUT:
            continue
        if key in ("seed", "seeds"):
            seeds = listed
        elif key in ("family", "families"):
            families = listed
        else:
            if not isinstance(key, str):
                raise UsageError(f"Options have names; found the key {shown(key)}.")
            option = AXES.get(key, key)
            if option in values:
                raise UsageError(f"{option} is given twice, as {option} and in the plural. Give it once.")
            values[option] = listed
    if overrides is None:
        return Sweep(name, families, values, seeds)
    return Sweep(
        name,
        overrides.families or families,
        {**values, **overrides.values},
        overrides.seeds or seeds,
        overrides.data_dirs,
    )
