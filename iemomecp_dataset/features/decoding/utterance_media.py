"""Checks the media file of an utterance before decoding: that it exists, and that its times lie within the file."""

from __future__ import annotations

from pathlib import Path

from iemomecp_dataset.errors import missing_extra
from iemomecp_dataset.features.store.store_rows import FeatureProblem
from iemomecp_dataset.features.work_items import WorkItem

__all__ = ["check_times", "existing_media", "require_packages"]

_OUTSIDE_SECONDS = 0.5


def require_packages(*packages: str) -> None:
    """Checks that the packages for decoding are installed.

    Args:
        packages: Import names of packages of the extra ``media``.

    Raises:
        MissingDependencyError: A package is not installed; the message has the pip line.
    """
    for package in packages:
        try:
            __import__(package)
        except ImportError:
            raise missing_extra(package, "media") from None


def existing_media(item: WorkItem) -> Path:
    """Finds the media file of an utterance.

    Args:
        item: The utterance.

    Returns:
        Path of the file.

    Raises:
        FeatureProblem: The corpus names no file, the file does not exist or is empty, or it is a recording of a whole
            dialogue and the utterance has no times.
    """
    path = item.media
    if path is None:
        raise FeatureProblem("missing_media", "the corpus names no media file")
    try:
        size = path.stat().st_size if path.is_file() else -1
    except OSError as error:
        raise FeatureProblem("unreadable", f"{path.name}: {error.strerror}") from None
    if size < 0:
        raise FeatureProblem("missing_media", f"{path} does not exist")
    if size == 0:
        raise FeatureProblem("empty", f"{path.name} is empty")
    if item.timed and (item.start is None or item.end is None):
        raise FeatureProblem("no_times", f"{path.name} is a recording of a whole dialogue, and the corpus has no times")
    return path


def check_times(path: Path, start: float, end: float, length: float | None) -> None:
    """Checks that an utterance lies within its file; up to half a second after the end is tolerated.

    Args:
        path: The file, for the reason.
        start: Start of the utterance in seconds.
        end: End of the utterance in seconds.
        length: Duration of the file in seconds, or None if it is unknown.

    Raises:
        FeatureProblem: The utterance is empty, or lies outside the file.
    """
    if start < 0 or end <= start or (length is not None and (start >= length or end > length + _OUTSIDE_SECONDS)):
        shown = "an unknown length" if length is None else f"{length:.2f} s"
        raise FeatureProblem(
            "outside_file", f"the utterance's times are {start:.2f} to {end:.2f} s, but {path.name} has {shown}"
        )
