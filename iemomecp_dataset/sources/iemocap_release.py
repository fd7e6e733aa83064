"""Reads the IEMOCAP release: transcripts, emotion evaluations, and the locations of the media files."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from iemomecp_dataset.errors import IemomecpError, MissingDataError
from iemomecp_dataset.files import check_file

__all__ = [
    "IEMOCAP_SOURCE",
    "IemocapFiles",
    "IemocapUtterance",
    "find_iemocap",
    "read_evaluation",
    "read_transcript",
    "session_of",
]

IEMOCAP_SOURCE = "request the release from https://sail.usc.edu/iemocap/ (it may not be passed on)"
"""How to obtain the release, for error messages."""

ROOT_NAMES = ("IEMOCAP", "IEMOCAP_full_release")

_N_SESSIONS = 5
_ID = r"Ses\d\d[FM]_\w+"
_NUMBER = r"-?\d{1,9}(?:\.\d{1,12})?"
_TIMES = rf"\[\s*({_NUMBER})\s*-\s*({_NUMBER})\s*\]"
# Blanks are taken once and not given back, so that a line of nothing else is read in one go.
_TRANSCRIPT_LINE = re.compile(rf"\s*+({_ID})\s*+(?:{_TIMES}\s*+)?:\s?(.*)")
_EVALUATION_LINE = re.compile(rf"\s*{_TIMES}\s+({_ID})\s+(\w+)\b.*")
_SESSION = re.compile(r"Ses(\d\d)[FM]")


@dataclass(frozen=True)
class IemocapUtterance:
    """Text, times in seconds and emotion of one utterance; None for what the file does not state."""

    text: str | None = None
    start: float | None = None
    end: float | None = None
    emotion: str | None = None


@dataclass(frozen=True)
class IemocapFiles:
    """Locations of the files of a release.

    Attributes:
        root: The folder that contains ``Session1`` to ``Session5``.
        transcripts: Transcript files by dialogue.
        evaluations: EmoEvaluation files by dialogue.
        wavs: ``(path, size in bytes)`` by utterance.
        videos: ``(path, size in bytes)`` by dialogue.
    """

    root: Path
    transcripts: Mapping[str, Path]
    evaluations: Mapping[str, Path]
    wavs: Mapping[str, tuple[str, int]]
    videos: Mapping[str, tuple[str, int]]


def session_of(identifier: str) -> int:
    """Reads the session number from an IEMOCAP id.

    Args:
        identifier: Text that begins with the id of an utterance or dialogue.

    Returns:
        1 to 5, or -1 for text that is not an IEMOCAP id.

    Example:
        >>> session_of("Ses05F_impro01"), session_of("dialogue 7")
        (5, -1)
    """
    match = _SESSION.match(identifier)
    return int(match[1]) if match else -1


def find_iemocap(root: Path) -> IemocapFiles:
    """Lists the files of a release without reading them.

    Args:
        root: ``IEMOCAP`` or ``IEMOCAP_full_release``, or a folder that contains one of them.

    Returns:
        Its files. macOS companion files (``._*``) and the sub-folders of single evaluators are ignored.

    Raises:
        MissingDataError: The folder is not an IEMOCAP release, or lacks transcripts or evaluations.
    """
    places = [root, *(root / name for name in reversed(ROOT_NAMES))]
    found = next((place for place in places if _sessions(place)), None)
    if found is None:
        raise MissingDataError(
            f"{root}: expected the IEMOCAP release with folders Session1 to Session5, found none of them. "
            f"To obtain it: {IEMOCAP_SOURCE}."
        )
    transcripts: dict[str, Path] = {}
    evaluations: dict[str, Path] = {}
    wavs: dict[str, tuple[str, int]] = {}
    videos: dict[str, tuple[str, int]] = {}
    for session in _sessions(found):
        dialog = session / "dialog"
        transcripts.update((stem, Path(path)) for stem, path, _ in _files(dialog / "transcriptions", ".txt"))
        evaluations.update((stem, Path(path)) for stem, path, _ in _files(dialog / "EmoEvaluation", ".txt"))
        videos.update((stem, (path, size)) for stem, path, size in _files(dialog / "avi" / "DivX", ".avi"))
        for folder in _folders(session / "sentences" / "wav"):
            wavs.update((stem, (path, size)) for stem, path, size in _files(folder, ".wav"))
    for what, files in (("transcriptions", transcripts), ("EmoEvaluation", evaluations)):
        if not files:
            raise MissingDataError(
                f"{found}: no {what} found; looked for Session*/dialog/{what}/*.txt. To obtain the release: "
                f"{IEMOCAP_SOURCE}."
            )
    return IemocapFiles(root=found, transcripts=transcripts, evaluations=evaluations, wavs=wavs, videos=videos)


def read_transcript(path: Path) -> dict[str, IemocapUtterance]:
    """Reads ``Session*/dialog/transcriptions/<dialogue>.txt``.

    Args:
        path: The file.

    Returns:
        Text and times by utterance id. Lines without an utterance id are ignored; of two lines with the same id the
        first counts.

    Raises:
        MissingDataError: The file cannot be read.

    See Also:
        :func:`read_evaluation` for the emotions.
    """
    utterances: dict[str, IemocapUtterance] = {}
    for line in _lines(path):
        match = _TRANSCRIPT_LINE.fullmatch(line)
        if match is not None and match[1] not in utterances:
            start, end = (None, None) if match[2] is None else (float(match[2]), float(match[3]))
            utterances[match[1]] = IemocapUtterance(text=match[4].strip(), start=start, end=end)
    return utterances


def read_evaluation(path: Path) -> dict[str, IemocapUtterance]:
    """Reads ``Session*/dialog/EmoEvaluation/<dialogue>.txt``.

    Args:
        path: The file.

    Returns:
        Majority emotion and times by utterance id; the votes of single annotators are ignored.

    Raises:
        MissingDataError: The file cannot be read.

    See Also:
        :func:`read_transcript` for the text.
    """
    utterances: dict[str, IemocapUtterance] = {}
    for line in _lines(path):
        match = _EVALUATION_LINE.fullmatch(line)
        if match is not None and match[3] not in utterances:
            start, end = float(match[1]), float(match[2])
            utterances[match[3]] = IemocapUtterance(start=start, end=end, emotion=match[4].lower())
    return utterances


def _sessions(root: Path) -> list[Path]:
    try:
        return [root / f"Session{n}" for n in range(1, _N_SESSIONS + 1) if (root / f"Session{n}").is_dir()]
    except OSError:
        return []


def _files(folder: Path, suffix: str) -> list[tuple[str, str, int]]:
    """Lists ``(stem, path, size)`` of files with a suffix; as plain strings, since a release has tens of thousands."""
    return [
        (entry.name[: -len(suffix)], entry.path, _size(entry))
        for entry in _entries(folder)
        if entry.name.lower().endswith(suffix)
    ]


def _folders(folder: Path) -> list[Path]:
    return [Path(entry.path) for entry in _entries(folder) if entry.is_dir()]


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise MissingDataError(
            f"{folder}: cannot be listed ({error.strerror}). Check the folder and its permissions."
        ) from None


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_size
    except OSError:
        return -1  # A dangling link; the merge report counts it as a missing file.


def _lines(path: Path) -> list[str]:
    try:
        check_file(path)
        data = path.read_bytes()
    except OSError as error:
        if isinstance(error, IemomecpError):
            raise
        raise MissingDataError(
            f"{path}: cannot be read ({error.strerror}). Check the file and its permissions."
        ) from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")
    return [line.removesuffix("\r") for line in text.split("\n")]
