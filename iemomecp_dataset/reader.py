"""Types that the readers of a corpus return, and the check of folders that a user must supply."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from iemomecp_dataset.errors import MissingDataError, nearest_path
from iemomecp_dataset.schema import Row

if TYPE_CHECKING:
    from iemomecp_dataset.merging.merge_report import MergeReport

__all__ = ["SYNTHETIC_FILE", "Inputs", "Loaded", "require_folder"]


@dataclass(frozen=True)
class Inputs:
    """Files that a configuration is built from, found but not yet read.

    Attributes:
        files: Every annotation file that rows depend on.
        splits: Splits that these files define, in order.
        read: Reads and validates the files.
        media: Media files as ``(path, size in bytes)``.
        synthetic: Whether the folder is marked as synthetic.
        notes: Sentences to show to the user, such as which splits are absent.
        remarks: Sentences for those who ask, such as that a split for the holders of a licence is absent.
    """

    files: tuple[Path, ...]
    splits: tuple[str, ...]
    read: Callable[[], Loaded]
    media: Sequence[tuple[str, int]] = ()
    synthetic: bool = False
    notes: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Loaded:
    """Validated rows.

    Attributes:
        rows: Rows by split.
        counts: Counts of annotations that are not in the rows, such as latent causes.
        omitted: Counts of annotations that are in the rows only with ``annotations=True``.
        report: How the sources were merged, for IEMO-MECP.
        synthetic: Whether a file is marked as synthetic.
        notes: Sentences to show to the user, such as which oddities of the files were kept.
        missing_texts: Utterances that IEMOCAP's transcripts lack, which have ConvECPE's sentence.
    """

    rows: Mapping[str, list[Row]]
    counts: Mapping[str, int] = field(default_factory=dict)
    omitted: Mapping[str, int] = field(default_factory=dict)
    report: MergeReport | None = None
    synthetic: bool = False
    notes: tuple[str, ...] = ()
    missing_texts: int = 0


SYNTHETIC_FILE = "SYNTHETIC.txt"
"""The file at the root of a folder that marks everything in it as synthetic."""


def require_folder(path: Path, what: str, how_to_obtain: str) -> Path:
    """Checks that a folder exists.

    Args:
        path: The folder.
        what: Its description, for the error.
        how_to_obtain: How to obtain its content, for the error.

    Returns:
        ``path``.

    Raises:
        MissingDataError: There is no such folder, or it is not a folder.
    """
    try:
        if path.is_dir():
            return path
        found = "there is something else in its place" if path.exists() else "there is no such folder"
    except OSError as error:
        found = f"it cannot be looked at ({error.strerror})"
    raise MissingDataError(f"{path}: expected {what}, but {found}.{nearest_path(path)} To obtain it: {how_to_obtain}.")
