"""Digests of the files that ``datasets`` keeps in its cache, by which a damaged copy is found and removed.

``datasets`` checks nothing of what it finds in its cache: a file that is cut off is an error for ever, and one with
other bytes gives other rows.
"""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

from datasets.utils._filelock import FileLock

from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.files import file_digest, write_text

__all__ = ["DIGESTS_FILE", "damage_of", "remove_damaged", "write_digests"]

DIGESTS_FILE = "SHA256SUMS"
"""Digests of the other files of a folder, as ``sha256sum`` writes them; written last."""

_LOGGER = logging.getLogger(__name__)


def write_digests(folder: Path) -> None:
    """Notes the digests of all files of a folder.

    Args:
        folder: Folder of a split's files and their description.

    Raises:
        UsageError: The folder cannot be written to.
    """
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name != DIGESTS_FILE)
    write_text(folder / DIGESTS_FILE, "".join(f"{file_digest(path)}  {path.name}\n" for path in files))


def damage_of(folder: Path) -> str:
    """Compares the files of a folder with their digests. Files without a digest, such as those of ``map``, are ignored.

    Args:
        folder: The folder, which need not be there.

    Returns:
        What is wrong, beginning with the name of a file; nothing where all is as it was written, or nothing is there.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as place:
        ...     folder = Path(place)
        ...     _ = (folder / "rows.arrow").write_bytes(b"rows")
        ...     write_digests(folder)
        ...     before = damage_of(folder)
        ...     _ = (folder / "rows.arrow").write_bytes(b"rowt")
        ...     before, damage_of(folder)
        ('', 'rows.arrow has other content than was written')
    """
    if not folder.exists():
        return ""
    if (folder / DIGESTS_FILE).exists() and not (folder / DIGESTS_FILE).is_file():
        return f"{DIGESTS_FILE} is no file"
    try:
        lines = (folder / DIGESTS_FILE).read_text(encoding="utf-8").splitlines()
        noted = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
        if not noted or any(len(digest) != 64 or not name for name, digest in noted.items()):
            return f"{DIGESTS_FILE} is not a list of digests"
    except FileNotFoundError:
        return f"{DIGESTS_FILE} is missing"
    except (OSError, ValueError):
        return f"{DIGESTS_FILE} cannot be read"
    for name, digest in noted.items():
        try:
            if file_digest(folder / name) != digest:
                return f"{name} has other content than was written"
        except FileNotFoundError:
            return f"{name} is missing"
        except (OSError, ValueError):
            return f"{name} cannot be read"
    return ""


def remove_damaged(folder: Path) -> str:
    """Removes a damaged copy, so that it is built again.

    Args:
        folder: The folder, which need not be there.

    Returns:
        What was wrong with it; nothing where it is undamaged or not there.

    Raises:
        InvalidDataError: It is damaged and cannot be removed.
    """
    if not damage_of(folder):
        return ""
    try:
        # The lock under which `datasets` writes: another process may have removed and rebuilt the copy meanwhile.
        with FileLock(f"{folder}_builder.lock"):
            damage = damage_of(folder)
            if damage and folder.is_dir():
                shutil.rmtree(folder)
            elif damage:
                folder.unlink()
    except OSError as error:
        raise InvalidDataError(
            f"{folder}: this cached copy is damaged ({damage_of(folder)}) and cannot be removed ({error.strerror}). "
            "Remove it, or name another folder by cache_dir= or HF_DATASETS_CACHE."
        ) from None
    if damage:
        _LOGGER.warning("%s: this cached copy is damaged (%s); it is built again.", folder, damage)
    return damage
