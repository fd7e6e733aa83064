"""The console script ``iemomecp COMMAND``, and ``python -m iemomecp_dataset COMMAND``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NoReturn

from iemomecp_dataset.command_line import program_name
from iemomecp_dataset.command_process import run_command
from iemomecp_dataset.commands import COMMANDS, call
from iemomecp_dataset.errors import UsageError, did_you_mean


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Runs the command that is named first, and leaves the process.

    Args:
        arguments: The command line; by default this process's.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    run_command(lambda: _dispatch(given))


def _dispatch(given: list[str]) -> int | None:
    if not given:
        print(_help(), file=sys.stderr)
        return 2
    first = given[0]
    if first in COMMANDS:
        return call(first, given[1:])
    if first in ("-h", "--help", "help"):
        if given[1:] and given[1] in COMMANDS:
            return call(given[1], ["--help"])
        print(_help())
        return 0
    if first in ("--version", "version"):
        from iemomecp_dataset import __version__

        print(f"iemomecp {__version__}")
        return 0
    from iemomecp_dataset.options import CONFIG_NAMES

    # Without a command's name: `python -m iemomecp_dataset ecf --data-dir D` prints statistics.
    if first in CONFIG_NAMES or first.startswith("-"):
        return call("stats", given)
    raise UsageError(f"There is no command {first!r}. {did_you_mean(first, [*COMMANDS, *CONFIG_NAMES])}")


def _help() -> str:
    program = program_name("").rstrip()
    width = max(map(len, COMMANDS))
    return "\n".join(
        [
            f"usage: {program} COMMAND [OPTIONS]",
            "",
            "Dataset, metrics, trainers and benchmark for multimodal emotion-cause pair extraction,",
            "and for emotion recognition in conversations.",
            "",
            *(f"  {name:<{width}}  {line}" for name, line in COMMANDS.items()),
            "",
            f"Options of a command: {program} COMMAND --help. Version: {program} --version.",
        ]
    )


if __name__ == "__main__":
    main()
