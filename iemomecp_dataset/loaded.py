"""What a reader hands to the builder: rows by split, and what has to be said about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from iemomecp_dataset.schema import Row

if TYPE_CHECKING:
    from iemomecp_dataset.merging.merge_report import MergeReport

__all__ = ["Inputs", "Loaded"]


@dataclass(frozen=True)
class Inputs:
    """The files a configuration is built from, found but not yet read.

    Attributes:
        files: Every annotation file that takes part in the rows.
        splits: The splits these files can give, in order.
        read: Reads and validates the files.
        media: Media files as ``(path, size in bytes)``.
        synthetic: Whether the folder is marked as synthetic.
        notes: Sentences a user should read, such as which splits are absent.
    """

    files: tuple[Path, ...]
    splits: tuple[str, ...]
    read: Callable[[], Loaded]
    media: Sequence[tuple[str, int]] = ()
    synthetic: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Loaded:
    """Rows, validated.

    Attributes:
        rows: Rows by split.
        counts: Things that were counted on the way and are not in the rows, such as latent causes.
        report: How the sources were merged, for IEMO-MECP.
        synthetic: Whether a file says that it is synthetic.
    """

    rows: Mapping[str, list[Row]]
    counts: Mapping[str, int] = field(default_factory=dict)
    report: MergeReport | None = None
    synthetic: bool = False
