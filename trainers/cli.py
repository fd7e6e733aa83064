"""The command line of the training scripts: options from flags, YAML and experiments, then one run."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from iemomecp_dataset.command_line import OptionParser, option, read_values
from iemomecp_dataset.errors import IemomecpError, MissingDataError, UsageError, missing_extra
from iemomecp_dataset.files.yaml_files import read_yaml
from iemomecp_dataset.trainers.emotions.options import EmotionTrainingOptions
from iemomecp_dataset.trainers.explanation.options import ExplanationTrainingOptions
from iemomecp_dataset.trainers.options import RunSettings, TrainingOptions, launcher_options
from iemomecp_dataset.trainers.training.launcher import end_with_launcher

if TYPE_CHECKING:
    from iemomecp_dataset.benchmark.runs.results import RunResults

__all__ = [
    "EMOTION_TRAINERS",
    "EXPLANATION_TRAINERS",
    "TRAINERS",
    "options_of",
    "parse_options",
    "read_config",
    "train_from_command_line",
]

_Settings = TypeVar("_Settings", bound=RunSettings)

TRAINERS: Mapping[str, Mapping[str, Any]] = {
    "fusion": {},
    "roberta": {"scorer": "isolated", "modalities": "t"},
    "wavlm": {"scorer": "isolated", "modalities": "a"},
    "clip": {"scorer": "isolated", "modalities": "v"},
}
"""The launchable scripts of this folder that train pair scorers, with the options that each sets."""

EMOTION_TRAINERS: Mapping[str, Mapping[str, Any]] = {
    "ecerc": {"scorer": "ecerc"},
    "emotion": {"scorer": "emotion_transformer"},
}
"""Likewise those that train models which recognise emotions."""

EXPLANATION_TRAINERS: Mapping[str, Mapping[str, Any]] = {"explain": {}}
"""Likewise those that train models which explain emotions."""


def options_of(trainer: str) -> tuple[type[RunSettings], Mapping[str, Any]]:
    """The options of a launchable script, and those that it sets.

    Args:
        trainer: One of :data:`TRAINERS`, :data:`EMOTION_TRAINERS` or :data:`EXPLANATION_TRAINERS`.

    Example:
        >>> options_of("wavlm")[0].__name__, options_of("ecerc")[0].__name__
        ('TrainingOptions', 'EmotionTrainingOptions')
    """
    if trainer in EMOTION_TRAINERS:
        return EmotionTrainingOptions, EMOTION_TRAINERS[trainer]
    if trainer in EXPLANATION_TRAINERS:
        return ExplanationTrainingOptions, EXPLANATION_TRAINERS[trainer]
    return TrainingOptions, TRAINERS[trainer]


@dataclass(frozen=True)
class _Sources:
    """Where options come from, besides the command line."""

    _group = "options from elsewhere"

    experiment: str | None = option(
        None, "Published experiment by name, such as ecf_rpcl_tav; --config and the command line win."
    )
    config: Path | None = option(
        None,
        "YAML file with any of these options, --experiment included; the command line wins. The config.yaml of a run "
        "repeats it.",
        metavar="FILE",
    )


def parse_options(
    arguments: Sequence[str],
    *,
    description: str,
    defaults: Mapping[str, Any] | None = None,
    command: str = "train fusion",
    kind: type[_Settings] = TrainingOptions,  # type: ignore[assignment]
) -> _Settings:
    """Reads options from the command line, a YAML file, an experiment and a script's own defaults, in this precedence.

    An option that none of them gives has the value that ``accelerate launch`` passes on, else that of the scorer's
    protocol, else the general default (:mod:`iemomecp_dataset.trainers.options`).

    Args:
        arguments: The command line, without the program's name.
        description: The first part of ``--help``.
        defaults: Options that a script sets.
        command: Name of the command, for the usage line.
        kind: The options of the kind of run.

    Raises:
        UsageError: An option or experiment that does not exist, a value that does not fit, or options that cannot work
            together; or ``accelerate launch`` is asked for another precision than the run.
        MissingDataError: The ``--config`` file is not there.
    """
    # Read first, as --help shows the defaults that follow from them.
    sources = _Sources(**OptionParser(_Sources, command=command, with_help=False).parse_known(arguments)[0])
    values = dict(defaults or {})
    config = {} if sources.config is None else read_config(sources.config)
    named = config.pop("experiment", None)
    experiment = sources.experiment or named
    if experiment is not None:
        values.update(_experiment_options(str(experiment), kind))
    if sources.config is not None:
        values.update(_config_options(sources.config, config, kind))
    parser = OptionParser(
        *kind.sections().values(),
        _Sources,
        command=command,
        description=description,
        usage="%(prog)s --data_dir DATA_DIR --output_dir OUTPUT_DIR [options]",
        epilog=kind.notes(),
        defaults={**kind.defaults_for(values), **values},
    )
    given = parser.parse(arguments)
    values.update({name: value for name, value in given.items() if name not in ("config", "experiment")})
    options = kind.from_flat({**kind.defaults_for(values), **launcher_options(values), **values})
    options.check()
    return options


def train_from_command_line(description: str, trainer: str = "fusion") -> RunResults | None:
    """Parses the command line of a training script, and trains.

    Args:
        description: The first part of ``--help``.
        trainer: The script, one of :data:`TRAINERS`, :data:`EMOTION_TRAINERS` or :data:`EXPLANATION_TRAINERS`.

    Returns:
        The record of the run; None on all processes but the main one, and where the run is to be continued.
    """
    end_with_launcher()
    kind, defaults = options_of(trainer)
    try:
        options = parse_options(
            sys.argv[1:], description=description, defaults=defaults, command=f"train {trainer}", kind=kind
        )
    except IemomecpError as error:
        if "MASTER_ADDR" in os.environ:  # set where processes train together; the others would wait for this one
            from iemomecp_dataset.trainers.training.lost_ranks import tell_other_ranks

            tell_other_ranks(error)
        raise
    try:
        from accelerate import PartialState

        from iemomecp_dataset.trainers.run import run
    except ImportError as error:
        raise missing_extra(error.name or "torch", "train") from error
    results = run(options)
    return results if PartialState().is_main_process else None


def read_config(path: Path) -> dict[str, Any]:
    """Options by name from a YAML file.

    Args:
        path: The file.

    Raises:
        MissingDataError: It is not there.
        InvalidDataError: It is not valid YAML.
        UsageError: It holds no options by name.
    """
    if not path.is_file():
        raise MissingDataError(f"The configuration file {path} given by --config is not there, or is not a file.")
    values = read_yaml(path)
    if not isinstance(values, dict):
        raise UsageError(f"The configuration file {path} must hold options by name, but holds {type(values).__name__}.")
    return values


def _config_options(path: Path, config: Mapping[str, Any], kind: type[RunSettings]) -> dict[str, Any]:
    try:
        return read_values(kind.sections().values(), config)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error


def _experiment_options(name: str, kind: type[RunSettings]) -> dict[str, Any]:
    from iemomecp_dataset.benchmark.experiments import find_experiment

    return read_values(kind.sections().values(), find_experiment(name).options)
