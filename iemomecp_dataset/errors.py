"""Every error a user can cause, in one family.

Each class is an :class:`IemomecpError` and also the built-in exception a Python
programmer would expect, so that both ``except IemomecpError`` and
``except FileNotFoundError`` work. A message names the file, the dialogue and the
turn or pair, what was expected, what was found, and what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

__all__ = [
    "IemomecpError",
    "InvalidDataError",
    "MetricInputError",
    "MissingDataError",
    "MissingDependencyError",
    "MissingModelError",
    "RunFolderError",
    "TrainingError",
    "UnsafeFileError",
    "UsageError",
    "did_you_mean",
    "is_checkout",
    "missing_extra",
]


class IemomecpError(Exception):
    """Base class of everything this package raises on purpose."""


class UsageError(IemomecpError, ValueError):
    """An option, name or combination of options that cannot work."""


class MissingDataError(IemomecpError, FileNotFoundError):
    """A file or folder that is needed and is not there."""

    # FileNotFoundError formats (errno, text) pairs; ours is one sentence.
    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class InvalidDataError(IemomecpError, ValueError):
    """A file that is there and does not hold what it must."""


class UnsafeFileError(InvalidDataError):
    """A file that asks for more than data when it is read, such as a hostile pickle."""


class MetricInputError(IemomecpError, ValueError):
    """Predictions or references that cannot be scored."""


class MissingModelError(IemomecpError, OSError):
    """A pretrained model that is neither on disk nor reachable."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class MissingDependencyError(IemomecpError, ImportError):
    """An optional dependency that this call needs and that is not installed."""


class RunFolderError(IemomecpError, ValueError):
    """A run folder that holds something else than what was asked for."""


class TrainingError(IemomecpError, RuntimeError):
    """A training run that cannot go on, such as one whose loss is not finite."""


def did_you_mean(name: str, options: Iterable[str]) -> str:
    """Completes an error about an unknown name.

    Args:
        name: What the user wrote.
        options: The names that exist.

    Returns:
        A sentence with the closest name, if one is close, and all names.

    Example:
        >>> did_you_mean("3clas", ["3class", "overlay"])
        "Did you mean '3class'? Known names: 3class, overlay."
    """
    known = [str(option) for option in options]
    listing = f"Known names: {', '.join(known)}."
    close = difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
    return f"Did you mean '{close[0]}'? {listing}" if close else listing


_ROOT = Path(__file__).resolve().parents[1]


def is_checkout() -> bool:
    """Whether this package runs from a clone of its repository, where its scripts are; otherwise it is installed."""
    return (_ROOT / "pyproject.toml").is_file() and (_ROOT / "scripts" / "report.py").is_file()


def missing_extra(package: str, extra: str) -> MissingDependencyError:
    """Builds the error for an optional dependency that is not installed.

    Args:
        package: The package that could not be imported.
        extra: The extra of ``iemomecp`` that brings it in.

    Returns:
        An error whose message holds the pip line for the user's installation, a clone or a wheel.

    Example:
        >>> print(missing_extra("torch", "train"))
        This needs the package 'torch', which is not installed. Run: pip install ...[train]"
    """
    clone = "." if Path.cwd() == _ROOT else _ROOT
    wanted = f'-e "{clone}[{extra}]"' if is_checkout() else f'"iemomecp[{extra}]"'
    return MissingDependencyError(
        f"This needs the package {package!r}, which is not installed. Run: pip install {wanted}"
    )
