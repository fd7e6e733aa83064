"""Files of a Space: a metric of this package with the form of ``evaluate``, or the page with a model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from iemomecp_dataset.errors import MissingDataError, UsageError, did_you_mean
from iemomecp_dataset.installation import recorded_source
from iemomecp_dataset.metrics.registration import METRIC_MODULES
from iemomecp_dataset.trainers.sharing.model_index import metadata_header
from iemomecp_dataset.trainers.sharing.run_files import card_metadata_of, split_card

__all__ = ["Wheel", "app_space", "metric_space", "space_source"]

_TAG = "iemomecp"


@dataclass(frozen=True)
class Wheel:
    """A wheel of this package that a Space installs.

    Attributes:
        file: The wheel.
        url: Address that it has once it is uploaded.
    """

    file: Path
    url: str

    @classmethod
    def of_space(cls, file: Path, space: str, endpoint: str, branch: str) -> Wheel:
        """Checks a wheel, and finds the address it has in a Space.

        A Space installs ``requirements.txt`` before it has its other files, so that a path would not be found.

        Raises:
            MissingDataError: There is no such file.
            UsageError: It is not a wheel of this package.
        """
        if not file.is_file():
            raise MissingDataError(f"There is no file {file}. Build a wheel with: pip wheel --no-deps -w dist .")
        if not re.fullmatch(r"iemomecp-[\w.+!]+-[\w.]+-[\w.]+-[\w.]+\.whl", file.name):
            raise UsageError(f"{file} is not a wheel of this package: expected iemomecp-VERSION-….whl.")
        return cls(file, f"{endpoint}/spaces/{space}/resolve/{branch}/{file.name}")


def metric_space(name: str, space: str, wheel: Wheel | None = None) -> dict[str, bytes | Path]:
    """Gives the files of a metric's Space.

    Args:
        name: Name of the metric, such as ``iemomecp_pair_f1``.
        space: ``OWNER/NAME`` of the Space; ``evaluate.load(space)`` looks for a module of that name in it.
        wheel: A wheel to install; by default what :func:`space_source` finds.

    Raises:
        UsageError: There is no such metric, or no source of the package that a Space can install.
    """
    if name not in METRIC_MODULES:
        raise UsageError(f"There is no metric {name!r}. {did_you_mean(name, METRIC_MODULES)}")
    folder = resources.files("iemomecp_dataset.metrics") / name
    texts = {file: (folder / file).read_text(encoding="utf-8") for file in ("README.md", "app.py", f"{name}.py")}
    return {
        "README.md": _card(texts["README.md"], name, {}),
        "app.py": texts["app.py"].encode("utf-8"),
        f"{space.split('/')[-1]}.py": texts[f"{name}.py"].encode("utf-8"),
        **_installed((folder / "requirements.txt").read_text(encoding="utf-8"), wheel),
    }


def space_source(wheel: Wheel | None = None) -> str:
    """Finds the address from which a Space installs this package.

    Args:
        wheel: A wheel that is uploaded with the Space.

    Returns:
        That of the wheel; else the repository or the archive that this package was installed from.

    Raises:
        UsageError: There is none that a Space could read. The name of this package alone is no source: whoever
            registers it on an index would run code in the Space.
    """
    source = wheel.url if wheel is not None else recorded_source()
    if source is not None and re.match(r"(git\+)?https?://", source):
        return source
    of_file = source is not None and source.startswith("file:") and source.endswith(".whl")
    where = unquote(urlsplit(source).path) if source is not None and of_file else "FILE"
    build = "" if of_file else " (in a clone, pip wheel --no-deps -w dist . builds one)"
    raise UsageError(
        f"A Space has to install this package from an address, and none is known that it can read: give a wheel, which "
        f"is uploaded too, by --wheel {where}{build}."
    )


def app_space(model: str, wheel: Wheel | None = None) -> dict[str, bytes | Path]:
    """Gives the files of a Space with the page.

    Args:
        model: ``OWNER/NAME`` of the model that it shows; the Space's variable ``MODEL`` can name another.
        wheel: As in :func:`metric_space`.

    Raises:
        UsageError: There is no source of the package that a Space can install.
    """
    folder = resources.files("iemomecp_dataset.trainers") / "app"
    code = (folder / "app.py").read_text(encoding="utf-8")
    with_model = re.sub(
        r"^import os$", f'import os\n\nos.environ.setdefault("MODEL", "{model}")', code, count=1, flags=re.MULTILINE
    )
    if with_model == code:
        raise UsageError(f"{folder}/app.py does not read MODEL from the environment: this installation is damaged.")
    return {
        "README.md": _card((folder / "README.md").read_text(encoding="utf-8"), "app", {"models": [model]}),
        "app.py": with_model.encode("utf-8"),
        **_installed((folder / "requirements.txt").read_text(encoding="utf-8"), wheel),
    }


def _card(text: str, where: str, more: Mapping[str, Any]) -> bytes:
    metadata = card_metadata_of(text, f"{where}/README.md")
    tags = [*metadata.get("tags", []), _TAG]
    metadata |= {**more, "tags": list(dict.fromkeys(tags))}
    return (metadata_header(metadata) + split_card(text)[1]).encode("utf-8")


def _installed(requirements: str, wheel: Wheel | None) -> dict[str, bytes | Path]:
    """``requirements.txt`` with the address of this package, and its wheel where there is one."""
    source = space_source(wheel)
    lines, count = re.subn(
        r"^(iemomecp(?:\[[\w,]+\])?)[^\n]*$", lambda found: f"{found[1]} @ {source}", requirements, flags=re.MULTILINE
    )
    if count != 1:
        raise UsageError(f"requirements.txt of the Space names iemomecp {count} times: this installation is damaged.")
    return {"requirements.txt": lines.encode("utf-8"), **({wheel.file.name: wheel.file} if wheel else {})}
