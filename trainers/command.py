"""The command line of the training scripts: options from flags and YAML, then one run."""

from __future__ import annotations

import sys
from argparse import ArgumentDefaultsHelpFormatter, ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from iemomecp_dataset.errors import MissingDataError, UsageError, did_you_mean, missing_extra
from iemomecp_dataset.trainers.options import SECTIONS, TrainingOptions

__all__ = ["parse_options", "train_from_command_line"]


def parse_options(
    arguments: Sequence[str], *, description: str, defaults: Mapping[str, Any] | None = None
) -> TrainingOptions:
    """Reads options from the command line, a YAML file and a script's own defaults, in this order of precedence.

    Args:
        arguments: The command line, without the program's name.
        description: What ``--help`` says first.
        defaults: Options that a script sets.

    Raises:
        UsageError: An option that does not exist, or options that cannot work together.
        MissingDataError: The ``--config`` file is not there.
    """
    try:
        from transformers.hf_argparser import HfArgumentParser
    except ImportError as error:
        raise missing_extra("transformers", "train") from error

    # --config is read first, so that its values are defaults which the command line overrides.
    first = ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--config")
    known, rest = first.parse_known_args(arguments)

    class Parser(HfArgumentParser):  # type: ignore[misc]
        def error(self, message: str) -> NoReturn:
            raise UsageError(f"{message[0].upper()}{message[1:]}. See --help.")

    parser = Parser(
        list(SECTIONS.values()),
        description=description,
        formatter_class=_HelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--config", help="YAML file with any of these options; the command line wins.")
    values = dict(defaults or {})
    if known.config:
        values.update(_read_config(Path(known.config)))
    TrainingOptions.from_flat(values)  # names are checked before argparse would silently accept them
    parser.set_defaults(**values)
    *sections, _, unknown = parser.parse_args_into_dataclasses(
        args=rest, look_for_args_file=False, return_remaining_strings=True
    )
    if unknown:
        names = [f"--{name}" for name in TrainingOptions().flat()]
        raise UsageError(f"There is no option {unknown[0]!r}. {did_you_mean(unknown[0], names)}")
    options = TrainingOptions(**dict(zip(SECTIONS, sections, strict=False)))
    options.check()
    return options


def train_from_command_line(description: str, defaults: Mapping[str, Any] | None = None) -> None:
    """What a training script does: parse, train, print the table.

    Args:
        description: What ``--help`` says first.
        defaults: Options that the script sets.
    """
    options = parse_options(sys.argv[1:], description=description, defaults=defaults)
    try:
        from iemomecp_dataset.trainers.run import run
    except ImportError as error:
        raise missing_extra(error.name or "torch", "train") from error
    run(options)


class _HelpFormatter(ArgumentDefaultsHelpFormatter, RawDescriptionHelpFormatter):
    """Shows defaults, and the description as it is written."""


def _read_config(path: Path) -> dict[str, Any]:
    import yaml

    if not path.is_file():
        raise MissingDataError(f"The configuration file {path} given by --config is not there.")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise UsageError(f"The configuration file {path} is no YAML: {error}") from error
    if not isinstance(values, dict):
        raise UsageError(f"The configuration file {path} must hold options by name, but holds {type(values).__name__}.")
    return values
