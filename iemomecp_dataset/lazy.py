"""Public names of a package that are imported when they are first used."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

from iemomecp_dataset.errors import IemomecpError, missing_extra

__all__ = ["attach"]


def attach(
    package: str,
    names: Mapping[str, str],
    *,
    subpackages: Sequence[str] = (),
    extra: str | None = None,
) -> None:
    """Gives a package lazy public names; ``dir`` of it then lists its ``__all__`` alone.

    A public name wins over a submodule of the same name, whichever is imported first. Type checkers cannot see these
    names, so the package also imports them under ``TYPE_CHECKING``.

    Args:
        package: Its ``__name__``.
        names: Module of each public name.
        subpackages: Subpackages that can be used without being imported first.
        extra: The extra of ``iemomecp`` that installs what the modules need beyond the core dependencies.

    Raises:
        MissingDependencyError: On use of a name (not here): a package of ``extra`` is not installed.
    """

    class Package(ModuleType):
        def __getattr__(self, name: str) -> Any:
            if name in subpackages:
                return importlib.import_module(f"{package}.{name}")
            if name not in names:
                raise AttributeError(f"module {package!r} has no attribute {name!r}")
            try:
                module = importlib.import_module(names[name])
            except ImportError as error:
                ours = isinstance(error, IemomecpError) or (error.name or "").startswith("iemomecp_dataset")
                if extra is None or ours:
                    raise
                raise missing_extra(error.name or "torch", extra) from error
            value = getattr(module, name)
            self.__dict__[name] = value
            return value

        def __setattr__(self, name: str, value: object) -> None:
            # The import system binds a submodule to its package so.
            if name not in names or not isinstance(value, ModuleType):
                super().__setattr__(name, value)

        def __dir__(self) -> list[str]:
            return sorted(self.__all__)

        # pickle and dill know modules by their exact type, and this is another. By its name a function that uses the
        # package has one hash in every process, which `Dataset.map` finds its results by.
        def __reduce__(self) -> tuple[Callable[[str], ModuleType], tuple[str]]:
            return importlib.import_module, (package,)

    sys.modules[package].__class__ = Package
