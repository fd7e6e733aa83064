"""The directives ``public-names`` and ``imported-names``, and references of docstrings to what has no page.

A docstring refers to modules by their path. Where the object is public its reference leads to the page of its public
name; where it is not, its name stands there without a link, after a check that the object exists.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import re
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective
from sphinx.util.logging import getLogger
from sphinx.util.typing import ExtensionMetadata

PACKAGES = (
    "iemomecp_dataset",
    "iemomecp_dataset.metrics",
    "iemomecp_dataset.trainers",
    "iemomecp_dataset.benchmark",
    "iemomecp_dataset.errors",
    "iemomecp_dataset.metrics.iemomecp_pair_f1.iemomecp_pair_f1",
    "iemomecp_dataset.metrics.iemomecp_erc.iemomecp_erc",
    "iemomecp_dataset.metrics.iemomecp_explanations.iemomecp_explanations",
)
"""Packages and modules whose names are public; each has a page in docs/api."""

_logger = getLogger(__name__)


class PublicNames(SphinxDirective):
    """Documents every name of a package's ``__all__``."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Renders the names."""
        (package,) = self.arguments
        names = public_names(package)
        return self.parse_text_to_nodes(f"{summary(package, names)}\n\n{documented(package, names)}")


class ImportedNames(SphinxDirective):
    """Documents every name that code of the guides imports from this package and that is not public."""

    def run(self) -> list[nodes.Node]:
        """Renders the names, by module."""
        names = guide_imports(Path(self.env.srcdir))
        text = "\n\n".join(documented(module, of_module) for module, of_module in sorted(names.items()))
        return self.parse_text_to_nodes(text)


def public_names(package: str) -> list[str]:
    """Names that a package or module makes public.

    Args:
        package: One of :data:`PACKAGES`.

    Returns:
        Its ``__all__``, or what it defines; modules, which have pages of their own, and ``__version__`` are left out.
    """
    module = importlib.import_module(package)
    names = getattr(module, "__all__", None)
    if names is None:  # the modules of metrics, which ``evaluate`` loads by their file
        names = [name for name, value in vars(module).items() if getattr(value, "__module__", "") == package]
    return [name for name in names if not name.startswith("_") and not isinstance(getattr(module, name), ModuleType)]


def guide_imports(folder: Path) -> dict[str, list[str]]:
    """Names by module that code blocks of the pages import from this package, public ones left out.

    Args:
        folder: Folder of the pages.
    """
    found: dict[str, set[str]] = {}
    for page in sorted(folder.glob("*.md")):
        for code in re.findall(r"^```(?:python|pycon)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S):
            lines = re.findall(r"^(?:>>> )?from (iemomecp_dataset[\w.]*) import (\([^)]*\)|[^#\n]+)", code, re.M)
            for module, imported in lines:
                names = {name.split(" as ")[0].strip() for name in imported.strip("()").split(",")}
                found.setdefault(module, set()).update(filter(None, names))
    public = _public_paths()
    further = {
        module: sorted(name for name in names if f"{module}.{name}" not in public and not _is_module(module, name))
        for module, names in found.items()
    }
    return {module: names for module, names in further.items() if names}


def summary(module: str, names: Iterable[str]) -> str:
    """Lists names with the first sentence of their docstrings, in reStructuredText.

    Args:
        module: The package or module that has them.
        names: The names.
    """
    imported = importlib.import_module(module)
    lines = [".. list-table::", "   :widths: auto", ""]
    for name in names:
        sentence = (inspect.getdoc(getattr(imported, name)) or "").split("\n\n")[0].replace("\n", " ")
        lines += [f"   * - :py:obj:`~{module}.{name}`", f"     - {sentence}"]
    return "\n".join(lines)


def documented(module: str, names: Iterable[str]) -> str:
    """Writes the directives of autodoc for names of a module, in reStructuredText."""
    imported = importlib.import_module(module)
    lines: list[str] = []
    for name in names:
        found = getattr(imported, name)
        path = f"{module}.{name}"
        if inspect.isclass(found):
            kind = "autoexception" if issubclass(found, BaseException) else "autoclass"
            lines += [f".. {kind}:: {path}", "   :members:"]
            if found.__bases__ != (object,):
                lines.append("   :show-inheritance:")
            if _has_entry_elsewhere(found, module):
                lines.append("   :no-index:")
            lines.append("")
        elif callable(found):
            lines += [f".. autofunction:: {path}", ""]
        else:
            lines += [f".. autodata:: {path}", "   :no-value:", ""]
    return "\n".join(lines)


def resolve(app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement) -> nodes.Node | None:
    """Resolves a reference that Sphinx could not: to the public name of the object, or to no link."""
    if node.get("refdomain") != "py":
        return None
    target: str = node["reftarget"]
    public = _public_paths().get(target) or _public_paths().get(_completed(node, target))
    if public is not None and public != target:
        domain = env.get_domain("py")
        docname = node.get("refdoc", "")
        found = domain.resolve_xref(env, docname, app.builder, "obj", public, node, content)
        if found is not None:
            return found
    if _exists(target) or _exists(_completed(node, target)) or not target.startswith("iemomecp_dataset"):
        return content
    _logger.warning("%s does not exist", target, location=node, type="public_names")
    return content


def _completed(node: pending_xref, target: str) -> str:
    return ".".join(filter(None, (node.get("py:module"), target)))


@functools.cache
def _exists(path: str) -> bool:
    """Whether a dotted path leads to a module, or to an attribute of one."""
    parts = path.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:length]))
        except (ImportError, ValueError):
            continue
        try:
            for name in parts[length:]:
                # A dataclass field without a default is not an attribute of the class.
                if name in getattr(found, "__dataclass_fields__", {}) or name in getattr(found, "__annotations__", {}):
                    return True
                found = getattr(found, name)
        except AttributeError:
            return False
        return True
    return False


@functools.cache
def _public_paths() -> dict[str, str]:
    """Path with an entry of every public object, by the path of the module that defines it and by every public one."""
    found: dict[str, str] = {}
    for package in reversed(PACKAGES):
        module = importlib.import_module(package)
        for name in public_names(package):
            value = getattr(module, name)
            public = f"{package}.{name}"
            if hasattr(value, "__qualname__") and str(getattr(value, "__module__", "")).startswith("iemomecp_dataset"):
                defined = f"{value.__module__}.{value.__qualname__}"
                if _has_entry_elsewhere(value, package):
                    public = defined
                found[defined] = public
            found[f"{package}.{name}"] = public
    return found


def _has_entry_elsewhere(value: Any, module: str) -> bool:
    """Whether a class is public in the module that defines it, too: references lead there."""
    return inspect.isclass(value) and value.__module__ in PACKAGES and value.__module__ != module


def _is_module(module: str, name: str) -> bool:
    return isinstance(getattr(importlib.import_module(module), name), ModuleType)


_COLON = "\ue000"
"""Stands for a colon while napoleon reads a docstring."""


def keep_colons(app: Sphinx, what: str, name: str, found: object, options: object, lines: list[str]) -> None:
    """Hides colons of properties and data from napoleon, which takes what stands before the first for a type."""
    if what in ("attribute", "data", "property"):
        lines[:] = [line.replace(":", _COLON) for line in lines]


def restore_colons(app: Sphinx, what: str, name: str, found: object, options: object, lines: list[str]) -> None:
    """Puts them back."""
    lines[:] = [line.replace(_COLON, ":") for line in lines]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Adds the directives and resolves references."""
    app.connect("autodoc-process-docstring", keep_colons, priority=400)
    app.connect("autodoc-process-docstring", restore_colons, priority=600)
    app.add_directive("public-names", PublicNames)
    app.add_directive("imported-names", ImportedNames)
    app.connect("missing-reference", resolve)
    return {"parallel_read_safe": True}
