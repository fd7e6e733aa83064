"""How this package was installed, and what to give pip for the packages of an extra.

The name ``iemomecp`` alone is never given to pip: no index has this package under it, and whoever registers the name
there would be trusted with the user's machine.
"""

from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path
from urllib.parse import unquote, urlsplit

__all__ = ["DISTRIBUTION", "is_checkout", "packages_of_extra", "pip_arguments", "recorded_source", "repository_root"]

DISTRIBUTION = "iemomecp"
"""The name that the distribution states of itself."""

_ROOT = Path(__file__).resolve().parents[1]


def is_checkout() -> bool:
    """Whether this package runs from a clone of its repository, where its scripts are; otherwise it is installed."""
    return (_ROOT / "pyproject.toml").is_file() and (_ROOT / "scripts" / "report.py").is_file()


def repository_root() -> Path:
    """The folder of the clone; without one, the folder that the package is installed in."""
    return _ROOT


def pip_arguments(extra: str) -> str:
    """Writes what follows ``pip install`` for the packages of an extra, as it is typed in a shell.

    Args:
        extra: The extra of this package.

    Returns:
        In a clone the clone, with the extra, by a path that fits the current folder. Else the file, folder or
        repository that the package was installed from, where that is recorded. Else the packages themselves; nothing
        where not even these are known, as the package was copied without its metadata.
    """
    if is_checkout():
        return f'-e "{"." if Path.cwd() == _ROOT else _ROOT}[{extra}]"'
    source = recorded_source()
    if source is not None:
        return f'"{DISTRIBUTION}[{extra}] @ {source}"'
    return " ".join(f'"{package}"' if set(package) & set("<>[;~!") else package for package in packages_of_extra(extra))


def recorded_source() -> str | None:
    """Finds what this package was installed from, which pip records (PEP 610, ``direct_url.json``).

    Returns:
        The address as a requirement names it: that of a repository at its commit (``git+https://…@…``), of an archive,
        or of a wheel, folder or repository of this machine (``file:///…``). None where the package came from an index
        or runs from a clone, or where the file is no longer there.
    """
    distribution = _distribution(own=True)
    stored = distribution.read_text("direct_url.json") if distribution is not None else None
    try:
        record = json.loads(stored or "null")
        url = record["url"]
        vcs = record.get("vcs_info")
        if url.startswith("file:") and not Path(unquote(urlsplit(url).path)).exists():
            return None
        # A requirement of a repository has a host: one of this machine is named by its folder.
        of_host = vcs is not None and not url.startswith("file:")
        source = f"{vcs['vcs']}+{url}@{vcs['commit_id']}" if of_host else url
        return f"{source}#subdirectory={record['subdirectory']}" if record.get("subdirectory") else source
    except (ValueError, TypeError, KeyError, AttributeError):  # not recorded, or not in the form of the PEP
        return None


def packages_of_extra(extra: str) -> list[str]:
    """Lists the packages that an extra adds, from the metadata of the distribution.

    Args:
        extra: The extra; extras that it is made of are followed.

    Returns:
        Requirements in alphabetical order, with their bounds; none where there is no metadata.

    Example:
        >>> [package.partition(">")[0] for package in packages_of_extra("media")]
        ['av', 'soundfile']
    """
    from packaging.requirements import InvalidRequirement, Requirement

    distribution = _distribution(own=True) or _distribution(own=False)
    stated = distribution.requires if distribution is not None else None
    found: set[str] = set()
    open_extras, followed = [extra], set[str]()
    while open_extras:
        name = open_extras.pop()
        followed.add(name)
        for line in stated or ():
            try:
                requirement = Requirement(line)
            except InvalidRequirement:
                continue
            marker = requirement.marker
            if marker is None or marker.evaluate({"extra": ""}) or not marker.evaluate({"extra": name}):
                continue
            if requirement.name == DISTRIBUTION:
                open_extras += sorted(requirement.extras - followed)
                continue
            requirement.marker = None
            found.add(str(requirement))
    return sorted(found)


def _distribution(*, own: bool) -> importlib.metadata.Distribution | None:
    """The metadata of this package; ``own``: of the very files that run, and not of another copy on the path."""
    here = Path(__file__).resolve().parent
    for distribution in importlib.metadata.distributions(name=DISTRIBUTION):
        if not own or Path(str(distribution.locate_file(here.name))).resolve() == here:
            return distribution
    return None
