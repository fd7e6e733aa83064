"""Shows a page in the browser that finds the emotions and causes in a conversation, with one trained model or two.

    python -m iemomecp_dataset app --model runs/x
    python -m iemomecp_dataset app --model runs/x --model runs/y --port 8000 --no-browser

The page is served on this machine and sends nothing elsewhere. Ctrl-C ends it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from iemomecp_dataset.command_line import REQUIRED, option, read_options


@dataclass(frozen=True)
class AppOptions:
    """Options of the command."""

    _dashes = True

    model: tuple[str, ...] = option(
        REQUIRED,
        "folder of a finished run or of its model, or a name on the Hub; a second one is shown beside the first",
        metavar="RUN",
    )
    host: str = option("127.0.0.1", "address to listen on; 0.0.0.0 lets other machines of the network in")
    port: int | None = option(
        None, "port to listen on; by default the next free one from 7860 on", minimum=1, maximum=65535
    )
    browser: bool = option(True, "open the page in the browser")


def main(arguments: Sequence[str] | None = None) -> None:
    """Loads the models and serves the page until Ctrl-C."""
    given = sys.argv[1:] if arguments is None else arguments
    options = read_options(AppOptions, _models_together(given), command="app", description=__doc__)

    from iemomecp_dataset.trainers.app.interface import launch

    launch(options.model, host=options.host, port=options.port, open_browser=options.browser)


def _models_together(arguments: Sequence[str]) -> list[str]:
    """Makes ``--model A --model B`` into ``--model A B``: of an option that is repeated the last would count."""
    others: list[str] = []
    models: list[str] = []
    follows = False
    for argument in arguments:
        if argument == "--model" or argument.startswith("--model="):
            follows = argument == "--model"
            models += [] if follows else [argument.removeprefix("--model=")]
        elif follows and not argument.startswith("-"):
            models.append(argument)
        else:
            follows = False
            others.append(argument)
    return [*others, *(["--model", *models] if models or len(others) < len(arguments) else [])]
