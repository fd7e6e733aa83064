"""Finding folders that a user must supply, and saying what is missing, where it was looked for, and where to get it."""

from __future__ import annotations

from pathlib import Path

from iemomecp_dataset.errors import MissingDataError

__all__ = ["SYNTHETIC_FILE", "require_folder"]

SYNTHETIC_FILE = "SYNTHETIC.txt"
"""The file at the root of a folder that marks everything in it as synthetic."""


def require_folder(path: Path, what: str, how_to_obtain: str) -> Path:
    """Checks that a folder is there.

    Args:
        path: The folder.
        what: What it is, for the error.
        how_to_obtain: What to do when it is not there, for the error.

    Returns:
        ``path``.

    Raises:
        MissingDataError: There is no such folder, or something else is in its place.
    """
    try:
        if path.is_dir():
            return path
        found = "there is something else in its place" if path.exists() else "there is no such folder"
    except OSError as error:
        found = f"it cannot be looked at ({error.strerror})"
    raise MissingDataError(f"{path}: expected {what}, but {found}. To obtain it: {how_to_obtain}.")
