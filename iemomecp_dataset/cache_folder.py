"""A cache of ``datasets`` that cannot be written to: its rows are read, and what is new goes to a temporary folder.

``datasets`` takes locks beside the rows even to read them, so a warm cache on a read-only share, or of another user,
cannot be read by it in place.
"""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import tempfile
from pathlib import Path

from iemomecp_dataset.cached_rows import damage_of
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.files import check_place, writing_to

__all__ = ["check_cache", "temporary_cache"]

_LOGGER = logging.getLogger(__name__)


def check_cache(folder: Path) -> str:
    """Says why a cache folder cannot be used as it is.

    Args:
        folder: The folder; it need not exist.

    Returns:
        A sentence; empty where the folder can be written to.

    Example:
        >>> check_cache(Path("/dev/null/cache"))
        '/dev/null/cache: cannot be written (Not a directory). Choose another place.'
    """
    try:
        check_place(folder)
        with writing_to(folder):
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
    except UsageError as error:
        return str(error)
    except OSError as error:
        return f"{folder}: cannot be written ({error.strerror})."
    return ""


def temporary_cache(given: Path, rows: Path, why: str) -> Path:
    """Makes a cache folder that lasts as long as the process, with the rows that another one already has.

    Args:
        given: The cache folder that cannot be written to.
        rows: Where it would have the rows, relative to it.
        why: The cause, for the warning.

    Returns:
        The folder. Rows that are there, and undamaged, are links to the files of ``given``, which are not copied.

    Raises:
        UsageError: Temporary files cannot be written either.
    """
    place = Path(tempfile.gettempdir())
    with writing_to(place):
        folder = Path(tempfile.mkdtemp(prefix="iemomecp-cache-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        found = _files(given / rows)
        damage = damage_of(given / rows) if found else ""
        found = [] if damage else found
        if found:
            (folder / rows).mkdir(parents=True)
        for file in found:
            (folder / rows / file.name).symlink_to(file.absolute())
    what = "the rows in it are read" if found else "the rows are kept in a temporary folder and made again next time"
    if damage:
        what = f"the copy in it is damaged ({damage}), and {what}"
    _LOGGER.warning("warning: the cache of datasets: %s Here %s. Another cache: HF_HOME, or cache_dir=.", why, what)
    return folder


def _files(folder: Path) -> list[Path]:
    """The files of whole rows, if they are there and may be read."""
    try:
        files = [file for file in folder.iterdir() if os.access(file, os.R_OK)]
    except OSError:
        return []
    return files if any(file.name == "dataset_info.json" for file in files) else []
