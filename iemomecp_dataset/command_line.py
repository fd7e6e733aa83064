"""Options as fields of dataclasses, and the one parser that reads them.

A dataclass declares options: the annotation of a field gives type and choices (``Literal``), :func:`option` the
default, the help text and the bounds. The same declaration checks what comes from a command line
(:class:`OptionParser`), from YAML (:func:`read_values`) and from Python (:func:`check_values`). A class may say
``_group = "model"``, the heading of its options in ``--help``, and ``_dashes = True``, to show ``--data-dir``
where the field is ``data_dir``; both spellings are accepted everywhere.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import math
import os
import re
import shlex
import shutil
import sys
import sysconfig
import types
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeVar, Union, get_args, get_origin

from iemomecp_dataset.command_process import set_messages
from iemomecp_dataset.errors import IemomecpError, UsageError, did_you_mean
from iemomecp_dataset.excerpts import shown
from iemomecp_dataset.files import check_place
from iemomecp_dataset.installation import is_checkout

__all__ = [
    "REQUIRED",
    "OptionParser",
    "as_called",
    "check_values",
    "circumstances",
    "command_hint",
    "flags_in_errors",
    "option",
    "program_name",
    "read_options",
    "read_values",
    "told_by_results",
    "with_flags",
]

REQUIRED: Any = dataclasses.MISSING
"""The default of an option that must be given."""

_Options = TypeVar("_Options")


def option(
    default: Any,
    help_text: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    above: float | None = None,
    below: float | None = None,
    limit: float | None = None,
    setting: bool | str = True,
    positional: bool = False,
    metavar: str | None = None,
    group: str | None = None,
    without_value: Any = None,
    written: bool = False,
) -> Any:
    """Declares an option as a dataclass field.

    Args:
        default: Its default, or :data:`REQUIRED`.
        help_text: What ``--help`` shows; the default is added to it.
        minimum: Smallest value.
        maximum: Largest value.
        above: Strict lower bound.
        below: Strict upper bound.
        limit: Largest value where no bound follows from the meaning, but larger ones are slips; by default what numpy,
            PyTorch and Arrow can hold.
        setting: Whether another value makes another system or result; ``False`` for circumstances such as folders. A
            word: another value may, and this field of the result tells, as for a path whose content matters.
        positional: Whether it is given by its place and not by ``--name``.
        metavar: Name of its value in ``--help``.
        group: Its heading in ``--help``, where the class has several.
        without_value: Its value where ``--name`` stands alone; by default a value must follow.
        written: Whether it is a file or folder that is written: a place that cannot be is refused before the work.

    Returns:
        A field for :func:`dataclasses.dataclass`.

    Example:
        >>> @dataclasses.dataclass
        ... class Options:
        ...     heads: int = option(4, "Attention heads.", minimum=1)
        >>> check_values(Options(heads=0))
        Traceback (most recent call last):
        iemomecp_dataset.errors.UsageError: --heads must be at least 1, but is 0.
    """
    return dataclasses.field(
        default=default,
        metadata={
            "help": help_text,
            "minimum": minimum,
            "maximum": maximum,
            "above": above,
            "below": below,
            "limit": limit,
            "setting": setting,
            "positional": positional,
            "metavar": metavar,
            "group": group,
            "without_value": without_value,
            "written": written,
        },
    )


def check_values(options: Any) -> None:
    """Checks type, choices and bounds of every option of a dataclass instance, and of those within it.

    Args:
        options: The instance.

    Raises:
        UsageError: A value does not fit; the message has the option, the bound and the value.
    """
    declared = _declared(type(options))
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        if field.name in declared:
            declared[field.name].check(value)
        elif dataclasses.is_dataclass(value):
            check_values(value)


def read_values(classes: Iterable[type[Any]], values: Mapping[str, Any]) -> dict[str, Any]:
    """Makes values from YAML, or texts, what the command line would make of them.

    Args:
        classes: Dataclasses that declare the options.
        values: Values by option.

    Returns:
        The values in the options' types.

    Raises:
        UsageError: There is no such option, or a value does not fit.
    """
    declared = _declared(*classes)
    for name in values:
        if name not in declared:
            raise UsageError(
                f"There is no option {shown(name)}. {did_you_mean(str(name)[:80], declared, see='See --help.')}"
            )
    return {name: declared[name].read(value) for name, value in values.items()}


def circumstances(*classes: type[Any]) -> frozenset[str]:
    """Names of the options that say where and how the work is done, not what comes out of it.

    Args:
        classes: Dataclasses that declare options.

    Returns:
        The options declared with ``setting=False``.
    """
    return frozenset(name for name, declared in _declared(*classes).items() if declared.metadata["setting"] is False)


def told_by_results(*classes: type[Any]) -> dict[str, str]:
    """Names of the options whose value alone does not tell what comes out, such as a path or a size per process.

    Args:
        classes: Dataclasses that declare options.

    Returns:
        By option the field of the result that tells, as declared with ``setting="FIELD"``.
    """
    of_options = {name: declared.metadata["setting"] for name, declared in _declared(*classes).items()}
    return {name: setting for name, setting in of_options.items() if isinstance(setting, str)}


def read_options(
    options_class: type[_Options],
    arguments: Sequence[str] | None,
    *,
    command: str,
    description: str | None,
    usage: str | None = None,
) -> _Options:
    """Reads a command's options.

    Args:
        options_class: A dataclass that declares them.
        arguments: The command line, without the program's name; by default this process's.
        command: The command's name.
        description: What ``--help`` shows first.
        usage: The usage line, where it is not simply all options.

    Returns:
        The checked options.

    Raises:
        UsageError: An option that does not exist, is missing, or has a value that does not fit.
    """
    parser = OptionParser(options_class, command=command, description=description, usage=usage)
    return options_class(**parser.parse(sys.argv[1:] if arguments is None else arguments))


class OptionParser:
    """Reads options of dataclasses from a command line.

    Args:
        classes: Dataclasses that declare the options.
        command: The command's name, for the usage line.
        description: What ``--help`` shows first.
        usage: The usage line, where it is not simply all options; ``%(prog)s`` stands for the program.
        epilog: What ``--help`` shows last.
        defaults: Defaults that ``--help`` shows in place of the classes' own.
        with_help: Whether there are ``--help``, ``--quiet`` and ``--verbose``. The last two are not options of the
            command: they set what its process prints (:func:`~iemomecp_dataset.command_process.set_messages`). Where a
            class declares ``quiet`` itself, it is given back, too.

    Every option can be written ``--data-dir D``, ``--data_dir D`` or with ``=D``; one that is on or off ``--quiet``,
    ``--no-quiet``, ``--quiet=false`` or ``--quiet false``. Abbreviations are not accepted.
    """

    def __init__(
        self,
        *classes: type[Any],
        command: str,
        description: str | None = None,
        usage: str | None = None,
        epilog: str | None = None,
        defaults: Mapping[str, Any] | None = None,
        with_help: bool = True,
    ):
        self._options = _declared(*classes)
        self._of_process = [name for name in _declared(_Messages) if with_help and name not in self._options]
        self._options |= {name: _declared(_Messages)[name] for name in self._of_process}
        self._flags: dict[str, tuple[_Option, bool]] = {}
        self._takes_places = any(declared.metadata["positional"] for declared in self._options.values())
        self._parser = _Parser(
            prog=program_name(command),
            usage=usage,
            description=as_called(description or ""),
            epilog=as_called(epilog or ""),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            argument_default=argparse.SUPPRESS,
            allow_abbrev=False,
            add_help=with_help,
        )
        groups: dict[str | None, Any] = {None: self._parser}
        for declared in self._options.values():
            if declared.group not in groups:
                groups[declared.group] = self._parser.add_argument_group(declared.group)
            default = (defaults or {}).get(declared.name, declared.default)
            self._add(groups[declared.group], declared, default)

    def parse(self, arguments: Sequence[str]) -> dict[str, Any]:
        """Reads a command line.

        Args:
            arguments: Without the program's name.

        Returns:
            The options that are given, in their types.

        Raises:
            UsageError: An option that does not exist, is missing, or has a value that does not fit.
        """
        given, rest = self._parser.parse_known_args(self._as_shown(arguments))
        if rest and rest[0].startswith("-"):
            unknown = rest[0].partition("=")[0]
            flags = [declared.flag for declared, positive in self._flags.values() if positive]
            raise UsageError(f"There is no option {unknown!r}. {did_you_mean(unknown, flags, see='See --help.')}")
        if rest:
            raise UsageError(f"Unexpected argument {rest[0]!r}. See --help.")
        return self._read(given)

    def parse_known(self, arguments: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
        """Reads the options that are declared and gives back all else.

        Args:
            arguments: Without the program's name.

        Returns:
            The options that are given, in their types, and the arguments that belong to none of them.

        Raises:
            UsageError: An option is missing, or has a value that does not fit.
        """
        given, rest = self._parser.parse_known_args(self._as_shown(arguments))
        return self._read(given), rest

    def _read(self, given: argparse.Namespace) -> dict[str, Any]:
        values = {name: self._options[name].read(value) for name, value in vars(given).items()}
        quiet, verbose = values.get("quiet", False), values.get("verbose", False)
        if self._of_process:
            if quiet and verbose:
                raise UsageError("Give --quiet or --verbose, not both.")
            set_messages(quiet=bool(quiet), verbose=bool(verbose))
        for name, value in values.items():
            if self._options[name].metadata["written"] and value:
                check_place(Path(value))
        return {name: value for name, value in values.items() if name not in self._of_process}

    def _add(self, group: Any, declared: _Option, default: Any) -> None:
        metavar = declared.metadata["metavar"]
        if declared.choices:
            metavar = f"{{{','.join(map(str, declared.choices))}}}"
        shared: dict[str, Any] = {"help": declared.help(default)}
        required = default is dataclasses.MISSING
        if declared.metadata["positional"]:
            nargs = "*" if declared.many else None if required else "?"
            group.add_argument(declared.name, nargs=nargs, metavar=metavar or declared.name.upper(), **shared)
            return
        flag, no_flag = declared.flag, f"--no-{declared.flag[2:]}"
        self._flags[declared.name] = (declared, True)
        shared["dest"] = declared.name
        if declared.base is bool and not declared.many:
            self._flags[f"no_{declared.name}"] = (declared, False)
            if default is True:
                group.add_argument(flag, action=argparse.BooleanOptionalAction, **shared)
            else:
                group.add_argument(flag, action="store_const", const=True, **shared)
                group.add_argument(
                    no_flag, action="store_const", const=False, dest=declared.name, help=argparse.SUPPRESS
                )
            return
        alone = declared.metadata["without_value"]
        if alone is not None:
            shared["const"] = alone
        nargs = "+" if declared.many else None if alone is None else "?"
        if declared.many and declared.choices:
            metavar = (metavar, "")  # the choices once, then [ ...]
        group.add_argument(flag, nargs=nargs, metavar=metavar, required=required, **shared)

    def _as_shown(self, arguments: Sequence[str]) -> list[str]:
        """Brings every spelling to the one that ``--help`` shows, as argparse knows no other."""
        shown: list[str] = []
        words = ("true", "false") if self._takes_places else tuple(_TRUTH)
        rest = list(arguments)
        while rest:
            token = rest.pop(0)
            if token == "--":
                return [*shown, token, *rest]
            name, equals, value = token.partition("=")
            declared, positive = self._flags.get(_as_name(name), (None, True)) if name[:2] == "--" else (None, True)
            if declared is None:
                shown.append(token)
            elif declared.base is bool and not declared.many:
                if not positive and equals:
                    raise UsageError(f"{name} takes no value, but is given {value!r}.")
                if positive and not equals and rest and rest[0].lower() in words:
                    equals, value = "=", rest.pop(0)
                on = declared.read(value) if equals else positive
                shown.append(declared.flag if on else f"--no-{declared.flag[2:]}")
            elif equals:
                shown.append(f"{declared.flag}={value}")
            elif rest and not declared.many and re.match(r"-[\d.]", rest[0]):
                # A negative value, which argparse would take for an option when it is 1e-3 or a list.
                shown.append(f"{declared.flag}={rest.pop(0)}")
            else:
                shown.append(declared.flag)
        return shown


@dataclasses.dataclass(frozen=True)
class _Messages:
    """What a process prints besides its result; options of every command."""

    _group = "messages"
    _dashes = True

    quiet: bool = option(False, "no progress bars; only warnings and the result", setting=False)
    verbose: bool = option(
        False, "what the package logs for its developers, too, each line with its module", setting=False
    )


class _Parser(argparse.ArgumentParser):
    """Raises what a user got wrong, for :func:`~iemomecp_dataset.command_process.run_command` to print."""

    def error(self, message: str) -> NoReturn:
        """Raises the message as our own error."""
        message = message.removeprefix("argument ")
        raise UsageError(f"{message[0].upper()}{message[1:]}. See --help.")


class _Option:
    """One declared option: its type, its choices, its bounds."""

    def __init__(self, field: dataclasses.Field[Any], annotation: Any, owner: type[Any]):
        self.name = field.name
        self.default = field.default
        self.metadata = field.metadata
        self.flag = "--" + (field.name.replace("_", "-") if getattr(owner, "_dashes", False) else field.name)
        if field.metadata["positional"]:
            self.flag = field.name.upper()
        self.group: str | None = field.metadata["group"] or getattr(owner, "_group", None)
        self.optional = self.many = False
        if get_origin(annotation) in (Union, types.UnionType):
            self.optional = types.NoneType in get_args(annotation)
            (annotation,) = (part for part in get_args(annotation) if part is not types.NoneType)
        if get_origin(annotation) in (list, tuple):
            self.many = True
            annotation = get_args(annotation)[0]
        self.choices: tuple[Any, ...] = get_args(annotation) if get_origin(annotation) is Literal else ()
        self.base: type[Any] = type(self.choices[0]) if self.choices else annotation
        if self.base not in _WORDS:
            raise TypeError(f"{owner.__name__}.{field.name}: no option can be {annotation!r}")

    def help(self, default: Any) -> str:
        text = str(self.metadata["help"])
        if default is dataclasses.MISSING or default is None or default is False or default == ():
            return text.replace("%", "%%")
        shown = " ".join(map(str, default)) if self.many else str(default).lower() if default is True else default
        return f"{text} (default: {shown})".replace("%", "%%")

    def read(self, value: Any) -> Any:
        """The value in the option's type, checked."""
        if value is None and self.optional:
            return None
        if self.many:
            values = value if isinstance(value, list | tuple) else [value]
            return tuple(self._checked(self._converted(one)) for one in values)
        if self.optional and isinstance(value, str) and value.lower() == "none" and self.base not in (str, Path):
            return None
        return self._checked(self._converted(value))

    def check(self, value: Any) -> None:
        """Refuses a value that :meth:`read` refuses, or would have to convert."""
        self.read(value)
        accepted = {float: (float, int), Path: (str, Path)}.get(self.base, self.base)
        for one in value if self.many and isinstance(value, list | tuple) else [value]:
            if one is not None and not isinstance(one, accepted):
                raise self._wrong_type(one)

    def _converted(self, value: Any) -> Any:
        if value is False and "no" in self.choices:
            return "no"  # YAML reads a bare no as false
        if self.choices and isinstance(value, str) and value not in self.choices:
            raise UsageError(
                f"{self.flag} has no value {shown(value)}. {did_you_mean(value[:80], map(str, self.choices))}"
            )
        try:
            if self.base is bool:
                return value if isinstance(value, bool) else _TRUTH[str(value).lower()]
            if self.base is int and not isinstance(value, bool):
                return _whole_number(value)
            if self.base is float and not isinstance(value, bool):
                return float(value)
            if self.base is str and isinstance(value, str | int | float):
                return str(value)
            if self.base is Path and isinstance(value, str | os.PathLike):
                if not os.fspath(value):
                    raise UsageError(
                        f"{self.flag} takes a path, but is empty. For the current folder write a full stop."
                    )
                return Path(value)
        except UsageError:  # is a ValueError, too
            raise
        except (KeyError, TypeError, ValueError, OverflowError):
            pass
        raise self._wrong_type(value)

    def _wrong_type(self, value: Any) -> UsageError:
        return UsageError(f"{self.flag} takes {_WORDS[self.base]}, but is {shown(value)}.")

    def _checked(self, value: Any) -> Any:
        if self.choices and value not in self.choices:
            raise UsageError(
                f"{self.flag} has no value {shown(value)}. {did_you_mean(shown(value), map(str, self.choices))}"
            )
        if isinstance(value, float) and not math.isfinite(value):
            raise UsageError(f"{self.flag} must be a finite number, but is {value}.")
        low, high, above, below = (self.metadata[name] for name in ("minimum", "maximum", "above", "below"))
        too_low = (low is not None and value < low) or (above is not None and value <= above)
        too_high = (high is not None and value > high) or (below is not None and value >= below)
        if too_low or too_high:
            lower = f"at least {_shown(low)}" if low is not None else "" if above is None else f"above {_shown(above)}"
            upper = f"at most {_shown(high)}" if high is not None else "" if below is None else f"below {_shown(below)}"
            if lower and upper:
                start = f"[{_shown(low)}" if low is not None else f"({_shown(above)}"
                end = f"{_shown(high)}]" if high is not None else f"{_shown(below)})"
                raise UsageError(f"{self.flag} must lie within {start}, {end}, but is {value}.")
            raise UsageError(f"{self.flag} must be {lower or upper}, but is {value}.")
        limit = self.metadata["limit"] or _LIMITS.get(self.base)
        if limit is not None and high is None and below is None and abs(value) > limit:
            bound = f"at least -{limit:g}" if value < 0 else f"at most {limit:g}"
            raise UsageError(f"{self.flag} must be {bound}, but is {value:.6g}.")
        return value


_TRUTH = {
    **dict.fromkeys(("true", "yes", "t", "y", "1"), True),
    **dict.fromkeys(("false", "no", "f", "n", "0"), False),
}
_LIMITS: dict[type[Any], float] = {int: 2**31 - 1, float: 1e38}
"""Of larger numbers numpy, PyTorch and Arrow make errors of their own, or infinities."""

_WORDS: dict[type[Any], str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    Path: "a path",
}


def _shown(bound: float) -> str:
    return f"{bound:g}" if isinstance(bound, float) else str(bound)


def _whole_number(value: Any) -> int:
    if isinstance(value, int | str):
        with contextlib.suppress(ValueError):
            return int(value)
    number = float(value)  # 8.0 and 1e3 are whole, too
    if number != int(number):
        raise ValueError(value)
    return int(number)


def _declared(*classes: type[Any]) -> dict[str, _Option]:
    """The options of dataclasses by name; fields that hold other dataclasses are left out."""
    # mypy does not treat a class as hashable
    return {name: one for owner in typing.cast("tuple[Any, ...]", classes) for name, one in _declared_in(owner).items()}


@functools.cache
def _declared_in(owner: Any) -> dict[str, _Option]:
    annotations = typing.get_type_hints(owner)
    declared = [field for field in dataclasses.fields(owner) if "setting" in field.metadata]
    return {field.name: _Option(field, annotations[field.name], owner) for field in declared}


def _as_name(flag: str) -> str:
    return flag[2:].replace("-", "_")


_SCRIPTS = {
    "demo": "python scripts/demo.py",
    "validate": "python scripts/validate_labels.py",
    "fetch": "python scripts/fetch_labels.py",
    "build": "python scripts/build_from_sources.py",
    "synthetic": "python scripts/make_synthetic.py",
    "extract": "python scripts/extract_features.py",
    "faces": "python scripts/make_faces.py",
    "matrix": "python scripts/launch_baseline_matrix.py",
    "ensemble": "python scripts/ensemble.py",
    "cross-validate": "python scripts/cross_validate.py",
    "evaluate": "python scripts/evaluate_predictions.py",
    "report": "python scripts/report.py",
    "figures": "python scripts/generate_figures.py",
    "diagnose": "python scripts/diagnose.py",
    "export": "python scripts/export_conversations.py",
    "export-for": "python scripts/export_for.py",
    "import-from": "python scripts/import_from.py",
    "llm": "python trainers/llm.py",
    "train fusion": "accelerate launch trainers/fusion.py",
    "train roberta": "accelerate launch trainers/roberta.py",
    "train wavlm": "accelerate launch trainers/wavlm.py",
    "train clip": "accelerate launch trainers/clip.py",
    "train ecerc": "accelerate launch trainers/ecerc.py",
    "train emotion": "accelerate launch trainers/emotion.py",
    "train explain": "accelerate launch trainers/explain.py",
}
"""How each command is started in a clone; ``stats`` has no script."""


def command_hint(command: str, *arguments: str) -> str:
    """Names a command as it can be started in the user's installation.

    Args:
        command: Its name, with the trainer's for ``train``.
        arguments: What follows.

    Returns:
        ``iemomecp COMMAND`` or ``python -m iemomecp_dataset COMMAND`` where the user started one of them. From
        elsewhere, such as a script or a notebook: ``python scripts/….py`` if the current folder is a clone, and for
        what has no script ``python -m iemomecp_dataset COMMAND`` if the console script is not installed.
    """
    start = f"{_started_as() or 'iemomecp'} {command}"
    if _started_as() is None and is_checkout():
        script = _SCRIPTS.get(command)
        if script is None and shutil.which("iemomecp", path=sysconfig.get_path("scripts")) is None:
            start = f"python -m iemomecp_dataset {command}"
        elif script is not None and Path(script.split()[-1]).is_file():
            start = script
    return " ".join((start, *arguments))


def program_name(command: str) -> str:
    """The program as the user started it, for a usage line: ``report.py``, ``iemomecp report``."""
    started = Path(sys.argv[0])
    if _started_as() is None and started.suffix == ".py" and started.name != "__main__.py":
        return started.name
    return f"{_started_as() or 'iemomecp'} {command}"


def _started_as() -> str | None:
    """The program that has all commands, if the user started that one."""
    started = Path(sys.argv[0])
    if started.name == "__main__.py" and started.parent.name == "iemomecp_dataset":
        return "python -m iemomecp_dataset"
    if started.name not in ("iemomecp", "iemomecp.exe"):
        return None
    # By its path where the environment is not active: its name alone would not be found.
    return "iemomecp" if shutil.which("iemomecp") or not started.is_file() else shlex.quote(sys.argv[0])


@contextlib.contextmanager
def flags_in_errors(options_class: type[Any]) -> Iterator[None]:
    """Lets errors of a function name its arguments as the options of the command, as :func:`with_flags` does.

    Args:
        options_class: A dataclass that declares the command's options. Other arguments are named as they are.

    Example:
        >>> @dataclasses.dataclass
        ... class Options:
        ...     _dashes = True
        ...     data_dir: str | None = option(None, "Folder.")
        >>> with flags_in_errors(Options):
        ...     raise UsageError("Give data_dir= or full_root=.")
        Traceback (most recent call last):
        iemomecp_dataset.errors.UsageError: Give --data-dir or full_root=.
    """
    try:
        yield
    except IemomecpError as error:
        error.args = (with_flags(options_class, str(error)), *error.args[1:])
        raise


def with_flags(options_class: type[Any], text: str) -> str:
    """Names the arguments of functions in a text as the options of a command: ``--data-dir`` for ``data_dir=``.

    Args:
        options_class: A dataclass that declares the command's options. Other arguments are named as they are.
        text: The text.

    Example:
        >>> @dataclasses.dataclass
        ... class Options:
        ...     read: str = option("strictly", "How to read.")
        ...     meteor: bool = option(True, "METEOR.")
        >>> with_flags(Options, "Pass read='leniently' or meteor=True."), with_flags(Options, "Pass meteor=False.")
        ('Pass --read leniently or --meteor.', 'Pass --no-meteor.')
    """
    flags = {name: declared.flag for name, declared in _declared(options_class).items()}

    def flag(found: re.Match[str]) -> str:
        name, value, truth = found.groups()
        if truth == "False":
            return f"--no-{flags[name][2:]}"
        return " ".join(filter(None, (flags[name], value)))

    return re.sub(rf"\b({'|'.join(flags)})=(?:'(\w*)'|(True|False)\b)?", flag, text)


def as_called(text: str) -> str:
    """Rewrites the examples of a help text, which start scripts of the clone, to how the user started the command.

    Args:
        text: The text.

    Returns:
        The same text in a script of a clone; elsewhere every script is replaced by its command.
    """
    program = program_name("").rstrip()
    if program.endswith(".py"):
        if is_checkout():
            return text
        program = "iemomecp"
    text = text.replace("python -m iemomecp_dataset", program)
    for command, script in _SCRIPTS.items():
        text = text.replace(script, f"{program} {command}")
        launched = script.replace("python ", "accelerate launch ")
        text = text.replace(launched, f"accelerate launch -m iemomecp_dataset {command}")
    return text
