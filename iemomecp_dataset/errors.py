"""Errors that a user can cause.

Each class is an :class:`IemomecpError` and also the built-in exception that a Python programmer would expect, so that
both ``except IemomecpError`` and ``except FileNotFoundError`` work. A message names the file, the dialogue and the turn
or pair, what was expected, what was found, and what to do.
"""

from __future__ import annotations

import difflib
import importlib.util
import itertools
from collections.abc import Iterable
from pathlib import Path

from iemomecp_dataset.installation import DISTRIBUTION, is_checkout, pip_arguments, repository_root

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
    "missing_extra",
    "nearest_path",
    "quoted_where_commas",
    "require_packages",
    "see_page",
]


class IemomecpError(Exception):
    """Base class of everything this package raises on purpose."""


class UsageError(IemomecpError, ValueError):
    """An invalid option, name or combination of options."""


class MissingDataError(IemomecpError, FileNotFoundError):
    """A required file or folder that does not exist."""

    # FileNotFoundError formats pairs of errno and text, but the argument is one sentence.
    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class InvalidDataError(IemomecpError, ValueError):
    """A file that violates its format."""


class UnsafeFileError(InvalidDataError):
    """A file that could run code when it is read, such as a hostile pickle."""


class MetricInputError(IemomecpError, ValueError):
    """Predictions or references that cannot be scored."""


class MissingModelError(IemomecpError, OSError):
    """A pretrained model that is neither on disk nor on the Hub."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class MissingDependencyError(IemomecpError, ImportError):
    """An optional dependency that a call needs and that is not installed."""


class RunFolderError(IemomecpError, ValueError):
    """A run folder that belongs to another run, or whose content is invalid."""


class TrainingError(IemomecpError, RuntimeError):
    """A training run that cannot continue, because its loss is not finite, say."""


class EndpointError(IemomecpError, RuntimeError):
    """A language model, or the server that has it, gave no answer."""


def did_you_mean(name: str, options: Iterable[str], *, see: str = "") -> str:
    """Suggests names, for an error about an unknown one.

    Args:
        name: The unknown name.
        options: The known names.
        see: Sentence that says where the names are listed, where they are too many for a message.

    Returns:
        Sentences with the closest name, if one is close, and all names; with ``see`` at most three close names, and
        that sentence.

    Example:
        >>> did_you_mean("3clas", ["3class", "overlay"])
        "Did you mean '3class'? Known names: 3class, overlay."
        >>> did_you_mean("tva", ["tv", "tav"])
        "Did you mean 'tav'? Known names: tv, tav."
        >>> did_you_mean("--epoch", ["--epochs", "--top_k", "--seed"], see="See --help.")
        "Did you mean '--epochs'? See --help."
    """
    known = [str(option) for option in options]
    # The same letters in another order are a closer match than most of them in this one.
    close = [option for option in known if sorted(option) == sorted(str(name))][:1]
    close = close or difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
    if see:
        close = difflib.get_close_matches(str(name), known, n=3, cutoff=0.7) or close
    listing = see or f"Known names: {quoted_where_commas(known)}."
    return f"Did you mean {' or '.join(map(repr, close))}? {listing}" if close else listing


def quoted_where_commas(names: Iterable[str]) -> str:
    """Lists names between commas, in quotation marks where one of them has a comma itself.

    Args:
        names: The names.

    Returns:
        The list.

    Example:
        >>> quoted_where_commas(["majority", "previous emotion"]), quoted_where_commas(["one, two", "three"])
        ('majority, previous emotion', "'one, two', 'three'")
    """
    listed = [str(name) for name in names]
    return ", ".join(map(repr, listed) if any("," in name for name in listed) else listed)


def nearest_path(path: str | Path) -> str:
    """Suggests a path that exists, for an error about one that does not.

    Args:
        path: The path, as the user wrote it.

    Returns:
        A blank and a question with the path that is most alike, every mistyped part of it replaced; nothing where there
        is none, or where the path itself exists.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Path(folder, "models", "minilm").mkdir(parents=True)
        ...     for name in ("modles/minilm", "models/minilm", "data/labels"):
        ...         print(repr(nearest_path(f"{folder}/{name}").replace(folder, "here")))
        " Did you mean 'here/models/minilm'?"
        ''
        ''
    """
    given = Path(path)
    try:
        given = given.expanduser()
        if given.exists():
            return ""
        found = _nearest(Path(given.anchor), given.relative_to(given.anchor).parts)
    except (OSError, RuntimeError, ValueError):  # too long, a loop of links, an unknown home, a NUL character
        return ""
    return f" Did you mean {str(found)!r}?" if found is not None else ""


def _nearest(folder: Path, parts: tuple[str, ...]) -> Path | None:
    if not parts:
        return folder
    first, *rest = parts
    names = [first] if (folder / first).exists() else []
    if not names and folder.is_dir():
        listed = [path.name for path in itertools.islice(folder.iterdir(), _MOST_NAMES)]
        names = difflib.get_close_matches(first, listed, n=3, cutoff=0.6)
    return next(filter(None, (_nearest(folder / name, tuple(rest)) for name in names)), None)


_MOST_NAMES = 2000
"""Names of a folder that are compared with a mistyped one."""


def see_page(name: str) -> str:
    """Refers to a page of the repository, for a help text.

    Args:
        name: Its path in the repository.

    Returns:
        The words "see" and the path, as it can be opened from the current folder, in brackets after a space; nothing
        where the package is installed without its repository.
    """
    root = repository_root()
    return f" (see {name if Path.cwd() == root else root / name})" if is_checkout() else ""


def missing_extra(package: str, extra: str) -> MissingDependencyError:
    """Builds the error for an optional dependency that is not installed.

    Args:
        package: The package that could not be imported.
        extra: The extra of ``iemomecp`` that installs it.

    Returns:
        An error whose message holds the pip line for the user's installation, see
        :func:`~iemomecp_dataset.installation.pip_arguments`.

    Example:
        >>> print(missing_extra("torch", "train"))
        This needs the package 'torch', which is not installed. Run: pip install ...[train]"
    """
    arguments = pip_arguments(extra)
    advice = (
        f"Run: pip install {arguments}"
        if arguments
        else (
            f"This copy of {DISTRIBUTION} has no metadata: install it with its extra {extra!r} from where it came from."
        )
    )
    return MissingDependencyError(f"This needs the package {package!r}, which is not installed. {advice}")


def require_packages(*packages: str, extra: str) -> None:
    """Refuses work that cannot be done without optional dependencies, before any of it is begun.

    Args:
        packages: Packages that it imports; they are looked for, not imported.
        extra: The extra of ``iemomecp`` that installs them.

    Raises:
        MissingDependencyError: One is not installed.
    """
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise missing_extra(package, extra)
