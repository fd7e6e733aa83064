"""The process of a command: what it prints besides its result, and how it ends."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn, TextIO

from iemomecp_dataset.errors import IemomecpError, UsageError
from iemomecp_dataset.files import FULL, error_of_place, not_written, place_of_write

__all__ = ["end_by_signals", "run_command", "set_messages"]

_process: contextlib.ExitStack | None = None
"""Undoes what a command has set for its process; None where no command runs, and nothing may be set."""

_NO_BARS = ("TQDM_DISABLE", "HF_DATASETS_DISABLE_PROGRESS_BARS", "HF_HUB_DISABLE_PROGRESS_BARS")


def run_command(main: Callable[[], int | None]) -> NoReturn:
    """Runs a command's ``main`` and leaves the process.

    Args:
        main: Does the work; returns the exit code (``None`` means 0, 1 means
            that validation found problems).

    The process exits with 2 after printing the message of an
    :class:`~iemomecp_dataset.errors.IemomecpError`, below its traceback where
    ``IEMOMECP_TRACEBACK=1`` is set, or one sentence on a place that the system
    refuses, standard output among them; with 130 after Ctrl-C. Any other exception is
    a defect of ours: it exits with 70 (EX_SOFTWARE) after its traceback, as 1 has
    a meaning of its own. What ``--quiet`` and ``--verbose`` set ends with it. A
    character that the terminal's encoding lacks is printed as its escape.
    """
    _print_any_character()
    try:
        with _own_process():
            code = main() or 0
        _flush_output()
    except IemomecpError as error:
        code = _refused(error)
    except KeyboardInterrupt:
        _say("interrupted")
        code = 130
    except BrokenPipeError:
        # The reader of our output (head, say) went away; that is not an error.
        _drop(sys.stdout)
        code = 0
    except Exception as error:
        found = _place_refused(error) or _memory_refused(error)
        if found is None:
            _say(traceback.format_exc().rstrip())
        code = os.EX_SOFTWARE if found is None else _refused(found)
    # What is still to be printed, and cannot be, would end the process with a message of Python's and code 120.
    try:
        _flush_output()
    except OSError:
        _drop(sys.stdout)
    except IemomecpError:
        pass
    sys.exit(code)


def end_by_signals() -> None:
    """Lets SIGTERM, from a scheduler, and a closed terminal end a command like Ctrl-C, so that it ends what it started.

    A background job of a shell script ignores SIGINT, and all processes that it starts would, too. A closed terminal is
    ignored under ``nohup``, and stays so: what a command has started has no terminal.
    """
    for how in (signal.SIGINT, signal.SIGTERM):
        signal.signal(how, signal.default_int_handler)
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.default_int_handler)


def set_messages(*, quiet: bool, verbose: bool) -> None:
    """Sets progress bars and the level of the package's loggers, for the process of a command and those it starts.

    Args:
        quiet: No progress bars; warnings alone.
        verbose: What the package logs for its developers, each line with its module.
    """
    if _process is None or not (quiet or verbose):
        return
    logger, root = logging.getLogger("iemomecp_dataset"), logging.getLogger()
    _process.callback(logger.setLevel, logger.level)
    logger.setLevel(logging.DEBUG if verbose else logging.WARNING)
    if verbose and not root.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
        root.addHandler(handler)
        _process.callback(root.removeHandler, handler)
    for name in _NO_BARS if quiet else ():
        _process.callback(_restore, name, os.environ.get(name))
        os.environ[name] = "1"


def _restore(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def _print_any_character() -> None:
    """Lets the streams print the escape of a character that their encoding lacks, where nothing else is asked for."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by who started the process: what is printed goes nowhere
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif getattr(stream, "errors", None) in ("strict", "surrogateescape") and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _refused(error: Exception) -> int:
    """Prints an error of the user's; returns the exit code."""
    if os.environ.get("IEMOMECP_TRACEBACK") == "1":
        _say(traceback.format_exc().rstrip())
    _say(f"error: {error}")
    return 2


def _say(text: str) -> None:
    try:
        print(text, file=sys.stderr, flush=True)
    except (OSError, ValueError):  # the stream is closed: its reader is gone
        _drop(sys.stderr)


def _flush_output() -> None:
    """Writes what has been printed so far.

    Raises:
        UsageError: It cannot be written; what is left of it is dropped.
        BrokenPipeError: The reader went away.
    """
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        _drop(sys.stdout)
        raise not_written(Path("standard output"), error) from error
    except ValueError:  # closed already
        pass


def _drop(stream: TextIO) -> None:
    """Lets what a stream is still to write go nowhere."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _memory_refused(error: Exception) -> IemomecpError | None:
    """The sentence for an exception of numpy, Arrow or PyTorch that memory does not suffice."""
    said = " ".join(str(error).split())
    if not isinstance(error, MemoryError) and "can't allocate memory" not in said:
        return None
    return UsageError(
        f"The memory of this machine does not suffice ({said[:200] or 'no more can be had'}). Make the sizes that are "
        "given by options smaller, or use a machine with more."
    )


def _place_refused(error: Exception) -> IemomecpError | None:
    """The sentence for an exception that a place of the file system has caused."""
    found = error_of_place(error)
    if isinstance(error, OSError) and error.filename is None:
        try:
            _flush_output()
        except (IemomecpError, BrokenPipeError) as refused:
            # Of a failed print the text is still to be written, and fails again.
            return refused if isinstance(refused, IemomecpError) else None
        if error.errno == errno.EBADF:  # a descriptor that was opened for reading
            return not_written(Path("standard output"), error)
    if found is None:
        return None
    if found.filename is not None and found.errno not in FULL:
        return UsageError(
            f"{os.fsdecode(found.filename)}: cannot be opened ({os.strerror(found.errno or 0)}). Check the place and "
            "its rights, or choose another."
        )
    return not_written(Path(os.fsdecode(found.filename) if found.filename is not None else place_of_write()), found)


@contextlib.contextmanager
def _own_process() -> Iterator[None]:
    """Lets options set what the process prints, and undoes it at the end."""
    global _process
    before = _process
    with contextlib.ExitStack() as _process:
        try:
            yield
        finally:
            _process = before
