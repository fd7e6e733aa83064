"""How every script of this project ends: one clear message, the right exit code, no traceback for user errors."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import NoReturn

from iemomecp_dataset.errors import IemomecpError

__all__ = ["run_command"]


def run_command(main: Callable[[], int | None]) -> NoReturn:
    """Runs a script's ``main`` and leaves the process.

    Args:
        main: Does the work; returns the exit code (``None`` means 0, 1 means
            that validation found problems).

    The process exits with 2 after printing the message of an
    :class:`~iemomecp_dataset.errors.IemomecpError`, with 130 after Ctrl-C. Any
    other exception is a defect of ours and keeps its traceback, and so does an
    expected one when ``IEMOMECP_TRACEBACK=1`` is set.
    """
    try:
        code = main() or 0
    except IemomecpError as error:
        if os.environ.get("IEMOMECP_TRACEBACK") == "1":
            raise
        print(f"error: {error}", file=sys.stderr)
        code = 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        code = 130
    except BrokenPipeError:
        # The reader of our output (head, say) went away; that is not an error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code)
