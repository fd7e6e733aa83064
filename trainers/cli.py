"""The command line of the training scripts: options from flags and YAML, then one run."""

from __future__ import annotations

import sys
from argparse import ArgumentDefaultsHelpFormatter, ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any, NoReturn

from iemomecp_dataset.errors import MissingDataError, UsageError, did_you_mean, missing_extra
from iemomecp_dataset.trainers.options import SECTIONS, DataOptions, ModelOptions, TrainingOptions
from iemomecp_dataset.trainers.scorers import find_scorer

if TYPE_CHECKING:
    from iemomecp_dataset.benchmark.runs.results import RunResults

__all__ = ["EXPERIMENT_KEY", "parse_options", "read_config", "train_from_command_line"]

EXPERIMENT_KEY = "experiment"
"""Key of a ``--config`` file that holds no options: what experiment it is, its seeds, its published numbers."""


def parse_options(
    arguments: Sequence[str], *, description: str, defaults: Mapping[str, Any] | None = None
) -> TrainingOptions:
    """Reads options from the command line, a YAML file and a script's own defaults, in this order of precedence.

    What none of them gives is worth what the scorer's protocol says (:mod:`iemomecp_dataset.trainers.options`).

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
        epilog=_protocol_note(),
    )
    parser.add_argument(
        "--config",
        help="YAML file with any of these options; the command line wins. A file of benchmark/experiments has the key "
        f"{EXPERIMENT_KEY} besides, which says what the experiment is.",
    )
    values = dict(defaults or {})
    if known.config:
        values.update(read_config(Path(known.config)))
    TrainingOptions.from_flat(values)  # names are checked before argparse would silently accept them

    def parse(defaults: Mapping[str, Any]) -> TrainingOptions:
        parser.set_defaults(**defaults)
        *sections, _, unknown = parser.parse_args_into_dataclasses(
            args=rest, look_for_args_file=False, return_remaining_strings=True
        )
        if unknown:
            names = [f"--{name}" for name in TrainingOptions().flat()]
            raise UsageError(f"There is no option {unknown[0]!r}. {did_you_mean(unknown[0], names)}")
        return TrainingOptions(**dict(zip(SECTIONS, sections, strict=False)))

    # The first reading tells the scorer, whose protocol then stands below everything that was given. The protocol of
    # the scorer known so far is there already, for --help to show.
    scorer, modalities = values.get("scorer", ModelOptions.scorer), values.get("modalities", DataOptions.modalities)
    general = TrainingOptions().flat()
    options = parse({**general, **find_scorer(scorer).protocol(modalities), **values})
    options = parse({**general, **find_scorer(options.model.scorer).protocol(options.data.modalities), **values})
    options.check()
    return options


def train_from_command_line(description: str, defaults: Mapping[str, Any] | None = None) -> RunResults | None:
    """Parses the command line of a training script, and trains.

    Args:
        description: The first part of ``--help``.
        defaults: Options that the script sets.

    Returns:
        The record of the run; None on all processes but the main one, and where the run is to be continued.
    """
    options = parse_options(sys.argv[1:], description=description, defaults=defaults)
    try:
        from accelerate import PartialState

        from iemomecp_dataset.trainers.run import run
    except ImportError as error:
        raise missing_extra(error.name or "torch", "train") from error
    results = run(options)
    return results if PartialState().is_main_process else None


class _HelpFormatter(ArgumentDefaultsHelpFormatter, RawDescriptionHelpFormatter):
    """Shows defaults, and the description as it is written."""


def _protocol_note() -> str:
    settings = " ".join(f"--{name} {value}" for name, value in find_scorer("isolated").protocol("t").items())
    return (
        "With --scorer isolated, options that are not given are those of the published protocol (arXiv 2605.25208):\n"
        f"{fill(settings, 110, break_on_hyphens=False)}\n(--hidden_size 256 without text); its seeds are 42, 123, 456."
    )


def read_config(path: Path) -> dict[str, Any]:
    """Options by name from a YAML file; what :data:`EXPERIMENT_KEY` holds is left out.

    Args:
        path: The file.

    Raises:
        MissingDataError: It is not there.
        UsageError: It is no YAML, or holds no options by name.
    """
    import yaml

    if not path.is_file():
        raise MissingDataError(f"The configuration file {path} given by --config is not there.")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise UsageError(f"The configuration file {path} is no YAML: {error}") from error
    if not isinstance(values, dict):
        raise UsageError(f"The configuration file {path} must hold options by name, but holds {type(values).__name__}.")
    if not isinstance(values.pop(EXPERIMENT_KEY, {}), dict):
        raise UsageError(f"{path}: the key {EXPERIMENT_KEY!r} must hold a mapping with name, source and so on.")
    return values
