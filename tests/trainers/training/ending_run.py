"""One session of a training run, in a process of its own, that gets signals at a chosen moment.

Its argument is JSON: ``trainer`` and ``arguments``, the command line of the run; ``moment``, a method as
``package.module:Class.name``,
or none; ``calls``, how many calls of it there are before ``signals`` come, at the end of the last.
"""

from __future__ import annotations

import functools
import json
import os
import pkgutil
import sys
from collections.abc import Sequence
from typing import Any

from iemomecp_dataset.command_process import run_command
from iemomecp_dataset.trainers.cli import options_of, parse_options


def send_at(moment: str, calls: int, signals: Sequence[int]) -> None:
    """Makes a method send signals to this process, once its work is done for the last time."""
    owner, _, name = moment.rpartition(".")
    class_ = pkgutil.resolve_name(owner)
    work = getattr(class_, name)
    left = calls

    @functools.wraps(work)
    def counted(*args: Any, **kwargs: Any) -> Any:
        nonlocal left
        result = work(*args, **kwargs)
        left -= 1
        if left == 0:
            for number in signals:
                os.kill(os.getpid(), number)
        return result

    setattr(class_, name, counted)


def main() -> None:
    """The run, as a training script does it."""
    from iemomecp_dataset.trainers.run import run

    kind, defaults = options_of(session["trainer"])
    run(parse_options(session["arguments"], description="", defaults=defaults, kind=kind))


session: dict[str, Any] = json.loads(sys.argv[1])
if session["moment"] is not None:
    send_at(session["moment"], session["calls"], session["signals"])
run_command(main)
