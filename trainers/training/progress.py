"""Progress of a run, and the file of a checkpoint that holds it, with a digest of every other file."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path, PurePosixPath
from typing import Any

from iemomecp_dataset.errors import InvalidDataError, MissingDataError, RunFolderError
from iemomecp_dataset.files import file_digest, read_json

__all__ = [
    "PROGRESS_FILE",
    "DamagedCheckpointError",
    "Progress",
    "SavedProgress",
    "check_digests",
    "content_digest",
    "file_digests",
    "read_progress",
    "write_progress",
]

PROGRESS_FILE = "progress.json"

_VERSION = 2
"""Version of the file; that of earlier versions of the package has neither a number nor digests."""


class DamagedCheckpointError(RunFolderError):
    """A checkpoint of which a file is not what the run has written."""


@dataclass
class Progress:
    """Progress of a run.

    Attributes:
        epoch: Number of complete epochs.
        batches: Number of mini-batches done in the current epoch.
        losses: Sums of the loss terms of this process over these mini-batches.
        best_epoch: The best epoch so far, counted from 1.
        best_score: Score of that epoch on the selection split.
        threshold: Decision threshold of that epoch.
        lowest_loss: Lowest loss on the selection split so far, where training stops by it.
        lowest_loss_epoch: Its epoch.
        seconds: Training time so far, over all sessions of the run.
        complete: Whether training is complete; False if only a session has ended.
    """

    epoch: int = 0
    batches: int = 0
    losses: dict[str, float] = field(default_factory=dict)
    best_epoch: int = 0
    best_score: float = float("-inf")
    threshold: float | None = None
    lowest_loss: float = float("inf")
    lowest_loss_epoch: int = 0
    seconds: float = 0.0
    complete: bool = False


@dataclass(frozen=True)
class SavedProgress:
    """What a checkpoint states.

    Attributes:
        progress: The progress, without losses.
        losses: For each process its sums of the loss terms.
        files: Digest of each other file of the checkpoint by its name; None where an earlier version wrote none.
        best: Digest of the weights of the best epoch; None where there are none yet, or an earlier version wrote none.
    """

    progress: Progress
    losses: tuple[Mapping[str, float], ...]
    files: Mapping[str, str] | None = None
    best: str | None = None

    @property
    def processes(self) -> int:
        """Number of processes that trained together."""
        return len(self.losses)

    def of_process(self, index: int) -> Progress:
        """The progress of one process."""
        return replace(self.progress, losses=dict(self.losses[index]))


def write_progress(checkpoint: Path, saved: SavedProgress) -> None:
    """Writes the file that completes a checkpoint.

    Args:
        checkpoint: Its folder.
        saved: What it states.
    """
    content = {
        "version": _VERSION,
        **asdict(saved.progress),
        "losses": [dict(of_process) for of_process in saved.losses],
        "processes": saved.processes,
        "files": saved.files,
        "best": saved.best,
    }
    text = json.dumps({**content, "digest": content_digest(content)}, indent=1)
    (checkpoint / PROGRESS_FILE).write_text(text, encoding="utf-8")


def read_progress(checkpoint: Path) -> SavedProgress:
    """Reads what a checkpoint states.

    Args:
        checkpoint: Its folder.

    Raises:
        DamagedCheckpointError: The file is not there or not what a run writes.
        RunFolderError: Another version of the package has written it.
    """
    path = checkpoint / PROGRESS_FILE
    try:
        content = read_json(path)
    except MissingDataError as error:
        reason = str(error).removeprefix(f"{path}: ").partition(". ")[0]
        raise DamagedCheckpointError(f"{path} cannot be read ({reason})") from None
    except InvalidDataError:
        raise DamagedCheckpointError(f"{path} is damaged: it is not the JSON that a run writes") from None
    if not isinstance(content, dict):
        raise DamagedCheckpointError(f"{path} is damaged: it holds no object") from None
    version = content.pop("version", 1)
    if type(version) is int and version > _VERSION:
        raise RunFolderError(
            f"{path} was written by a later version of the package. Continue with that version, or choose another "
            "--output_dir."
        )
    digest, files, best = content.pop("digest", None), content.pop("files", None), content.pop("best", None)
    if version != 1 and digest != content_digest({"version": version, **content, "files": files, "best": best}):
        raise DamagedCheckpointError(f"{path} is damaged: its content has another digest than it states")
    losses, processes = content.pop("losses", None), content.pop("processes", None)
    known = {f.name for f in fields(Progress)} - {"losses"}
    wrong = sorted(known ^ content.keys()) + [name for name, value in content.items() if not _fits(name, value)]
    wrong += [] if version == 1 or (_is_digests(files) and (best is None or isinstance(best, str))) else ["files"]
    if version == 1 and (digest, files, best) != (None, None, None):
        wrong.append("version")
    if not _is_losses(losses) or processes != len(losses):
        wrong.append("losses")
    if wrong or version not in (1, _VERSION):
        raise DamagedCheckpointError(
            f"{path} is damaged, or of another version of the package (see {', '.join(wrong)[:200] or 'version'})"
        )
    return SavedProgress(Progress(**content), tuple(losses), files, best)


def file_digests(folder: Path) -> dict[str, str]:
    """SHA-256 of each file of a folder, but for the one that holds the digests.

    Args:
        folder: The folder; folders in it are looked through as well.

    Returns:
        By path within the folder, with ``/``.
    """
    return _digests_of(folder, sorted(_files_in(folder)))


def _digests_of(folder: Path, names: Sequence[str]) -> dict[str, str]:
    # Hashing takes longer than reading, and leaves the interpreter free.
    with ThreadPoolExecutor(4) as pool:
        return dict(zip(names, pool.map(lambda name: file_digest(folder / name), names), strict=True))


def check_digests(folder: Path, files: Mapping[str, str]) -> None:
    """Compares files with their digests.

    Args:
        folder: Where they are.
        files: Digest by path within the folder.

    Raises:
        DamagedCheckpointError: A file is not there, or is not what was written.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "a.bin").write_text("one")
        >>> digests = file_digests(folder)
        >>> check_digests(folder, digests)
        >>> _ = (folder / "a.bin").write_text("two")
        >>> check_digests(folder, digests)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        iemomecp_dataset.trainers.training.progress.DamagedCheckpointError: .../a.bin is damaged: its content has \
another digest than when it was written
    """
    try:
        missing = sorted(name for name in files if not (folder / name).is_file())
        if missing:
            raise DamagedCheckpointError(f"{folder / missing[0]} is not there")
        found = _digests_of(folder, list(files))
    except OSError as error:
        raise DamagedCheckpointError(f"{error.filename or folder} cannot be read ({error.strerror})") from None
    changed = [name for name, digest in files.items() if found[name] != digest]
    if changed:
        raise DamagedCheckpointError(
            f"{folder / changed[0]} is damaged: its content has another digest than when it was written"
        )


def _files_in(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        if path.is_file() and path != folder / PROGRESS_FILE:
            yield PurePosixPath(path.relative_to(folder)).as_posix()


def content_digest(content: Mapping[str, Any]) -> str:
    """SHA-256 of plain values, by which a file of JSON notices that one of them is another than was written.

    Args:
        content: The values, without the digest.

    Returns:
        64 hexadecimal digits.
    """
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _fits(name: str, value: Any) -> bool:
    """Whether a field may have a value."""
    if name in ("epoch", "batches", "best_epoch", "lowest_loss_epoch"):
        return type(value) is int and value >= 0
    if name == "complete":
        return isinstance(value, bool)
    if name == "threshold" and value is None:
        return True
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if isinstance(value, int):
        return abs(value) < _LARGEST_WHOLE
    return math.isfinite(value) or (name in ("best_score", "lowest_loss") and not math.isnan(value))


_LARGEST_WHOLE = 10**300
"""Of whole numbers: larger ones are no floats."""


def _is_losses(losses: Any) -> bool:
    return (
        isinstance(losses, list)
        and bool(losses)
        and all(isinstance(one, dict) and all(isinstance(value, float) for value in one.values()) for one in losses)
    )


def _is_digests(files: Any) -> bool:
    return isinstance(files, dict) and bool(files) and all(isinstance(value, str) for value in files.values())
