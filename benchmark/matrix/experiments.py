"""Experiment files: a trainer's options in YAML, with lists where they vary."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from iemomecp_dataset.benchmark.matrix.cells import Sweep
from iemomecp_dataset.errors import InvalidDataError, MissingDataError, UsageError, missing_extra

__all__ = ["AXES", "experiment_file", "read_experiment", "sweep_of"]

AXES = {
    "config_names": "config_name",
    "scorers": "scorer",
    "objectives": "objective",
    "text_encoders": "text_encoder",
}
"""Plural spellings of options that often vary."""

_ABOUT = ("experiment", "published", "description", "title", "name", "notes")


def experiment_file(name_or_path: str | Path) -> Path:
    """Finds an experiment.

    Args:
        name_or_path: A file, or the name of one that the package brings, without ``.yaml``.

    Returns:
        The file.

    Raises:
        MissingDataError: There is neither.
    """
    brought = Path(__file__).parents[1] / "experiments"
    for path in (Path(name_or_path), brought / f"{name_or_path}.yaml"):
        if path.is_file():
            return path
    known = ", ".join(sorted(path.stem for path in brought.glob("*.yaml"))) or "none"
    raise MissingDataError(f"There is no experiment file {name_or_path}. The package brings: {known}.")


def read_experiment(path: Path, overrides: Sweep | None = None) -> Sweep:
    """Reads an experiment file.

    Args:
        path: YAML with a trainer's options by name, a list wherever one varies; ``seeds`` and ``families``, at the top
            or under ``experiment``, whose other keys (``published`` and so on) are for readers.
        overrides: What the command line gives; it wins.

    Returns:
        The sweep, named like the file.

    Raises:
        MissingDataError: There is no such file.
        InvalidDataError: It holds no options by name.
        UsageError: An option does not exist.
    """
    try:
        import yaml
    except ImportError as error:
        raise missing_extra("pyyaml", "train") from error
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MissingDataError(f"The experiment file {path} is not there.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidDataError(f"The experiment file {path} is no YAML: {error}") from None
    if not isinstance(content, dict):
        raise InvalidDataError(f"{path} must hold options by name, but holds {type(content).__name__}.")
    try:
        return sweep_of(content, name=path.stem, overrides=overrides)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None


def sweep_of(content: Mapping[str, Any], *, name: str = "", overrides: Sweep | None = None) -> Sweep:
    """Makes a sweep of options by name.

    Args:
        content: As in an experiment file.
        name: The sweep's name.
        overrides: What wins over ``content``: its values, and its families and seeds where it gives any.

    Returns:
        The sweep.

    Raises:
        UsageError: Both spellings of an option are there.

    Example:
        >>> sweep_of({"objective": ["base", "rpcl"], "seeds": [1, 2], "published": {"pair_f1": 57.9}}, name="x").seeds
        (1, 2)
    """
    values: dict[str, tuple[Any, ...]] = {}
    families: tuple[Any, ...] = ("fusion",)
    seeds: tuple[Any, ...] = (42,)
    about = content.get("experiment")
    about = about if isinstance(about, Mapping) else {}
    of_experiment = {key: about[key] for key in ("seeds", "families") if key in about}
    for key, value in {**of_experiment, **content}.items():
        listed = tuple(value) if isinstance(value, list | tuple) else (value,)
        if key in _ABOUT:
            continue
        if key in ("seed", "seeds"):
            seeds = listed
        elif key in ("family", "families"):
            families = listed
        else:
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
