"""Fingerprints: of inputs and code, which decide whether a cached dataset is reused, and of rows, for results.

The stock cache key of ``datasets`` misses an edited input. This one covers the content of every annotation file (media
by path and size) and the code that builds rows from them.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from iemomecp_dataset.errors import IemomecpError, MissingDataError
from iemomecp_dataset.files import check_file, file_digest

__all__ = [
    "code_fingerprint",
    "content_fingerprint",
    "data_fingerprint",
    "file_states",
    "text_fingerprint",
]

# What does not take part in making rows; in a wheel all rooms are inside this package's folder.
_OTHER_ROOMS = frozenset(
    {"metrics", "trainers", "benchmark", "synthetic", "features", "commands", "conversations", "jobs", "pictures"}
)
_OTHER_FILES = frozenset({"__main__.py", "command_line.py", "command_process.py", "folds.py", "installation.py"})


@functools.cache
def code_fingerprint() -> str:
    """Hashes the code that builds rows.

    Returns:
        16 hexadecimal characters; other code never reads Arrow files written under this hash.

    Example:
        >>> len(code_fingerprint())
        16
    """
    root = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        relative = path.relative_to(root)
        if relative.parts[0] not in _OTHER_ROOMS | _OTHER_FILES:
            digest.update(f"{relative.as_posix()}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def content_fingerprint(options: Mapping[str, object], files: Iterable[Path], media: Iterable[tuple[str, int]]) -> str:
    """Hashes what a dataset is built from.

    Args:
        options: Every option that changes rows; JSON values.
        files: Annotation files, hashed by path and content.
        media: Media files as ``(path, size in bytes)``; their gigabytes are not read.

    Returns:
        16 hexadecimal characters.

    Raises:
        MissingDataError: A file has vanished, cannot be read, or is a pipe or device.
        InvalidDataError: A file is too large (see :data:`~iemomecp_dataset.files.bounds.LARGEST_FILE`).
    """
    digest = hashlib.sha256(json.dumps(options, sort_keys=True, default=str).encode())
    for path in sorted(files):
        digest.update(f"\0{path}\0".encode("utf-8", "surrogateescape"))
        try:
            check_file(path)
            digest.update(bytes.fromhex(file_digest(path)))
        except IemomecpError:  # Some are OSErrors, too.
            raise
        except OSError as error:
            raise _unreadable(path, error) from None
    for name, size in sorted(media):
        digest.update(f"\0{name}\0{size}".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:16]


def file_states(files: Iterable[Path]) -> dict[Path, tuple[int, ...]]:
    """Notes size, times and place on disk of files, by which a write between two looks is seen, even one taken back.

    Args:
        files: The files.

    Returns:
        Size in bytes, times of the last change of content and of the file's record in ns, and the file's number.

    Raises:
        MissingDataError: A file has vanished.
    """
    states: dict[Path, tuple[int, ...]] = {}
    for path in files:
        try:
            state = path.stat()
        except OSError as error:
            raise _unreadable(path, error) from None
        states[path] = (state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino)
    return states


def _unreadable(path: Path, error: OSError) -> MissingDataError:
    return MissingDataError(f"{path}: cannot be read ({error.strerror}). Check the file and its rights.")


def data_fingerprint(rows: Iterable[Mapping[str, Any]], own_emotions: Sequence[str] = ()) -> str:
    """Hashes labels and turns: what a score depends on.

    It covers every dialogue's id, its turns and their emotions, its candidate pairs with their labels, the gold pairs
    outside the candidates, and the explanations with their status; but neither texts, speakers, ids of utterances,
    times and media, nor the order of the rows. Cause turns of explanations are left out, since they are inputs.
    With ``emotions="common"`` the corpus's own emotion counts: the same labels have the same digest in any inventory.

    Args:
        rows: Rows of one split.
        own_emotions: The corpus's own emotions by id, where rows have ``emotion_source``.

    Returns:
        16 hexadecimal characters.

    Example:
        >>> row = {"dialogue_id": "d", "utterances": [{"turn": 1, "emotion": 0, "text": "Yes."}], "pairs": []}
        >>> edited = {**row, "utterances": [{"turn": 1, "emotion": 0, "text": "Yes!"}]}
        >>> data_fingerprint([row]) == data_fingerprint([edited]), text_fingerprint([row]) == text_fingerprint([edited])
        (True, False)
    """
    ids = {name: number for number, name in enumerate(own_emotions)}
    return _digest(rows, functools.partial(_labels_and_turns, own_ids=ids))


def text_fingerprint(rows: Iterable[Mapping[str, Any]]) -> str:
    """Hashes the texts and speakers of every dialogue, beside what :func:`data_fingerprint` covers.

    Args:
        rows: Rows of one split.

    Returns:
        16 hexadecimal characters.
    """
    return _digest(rows, _texts_and_speakers)


def _digest(rows: Iterable[Mapping[str, Any]], content: Callable[[Mapping[str, Any]], list[Any]]) -> str:
    digest = hashlib.sha256()
    for dialogue in sorted(_json_digest([row["dialogue_id"], *content(row)]) for row in rows):
        digest.update(dialogue)
    return digest.hexdigest()[:16]


def _json_digest(content: list[Any]) -> bytes:
    written = json.dumps(content, ensure_ascii=False, default=int)
    return hashlib.sha256(written.encode("utf-8", "surrogatepass")).digest()


def _labels_and_turns(row: Mapping[str, Any], own_ids: Mapping[str, int]) -> list[Any]:
    turns = [
        [utterance.get("turn"), own_ids.get(utterance.get("emotion_source") or "", utterance.get("emotion"))]
        for utterance in row["utterances"]
    ]
    pairs = sorted([pair["target_turn"], pair["cause_turn"], pair["label"]] for pair in row["pairs"])
    outside = sorted([pair["target_turn"], pair["cause_turn"]] for pair in row.get("gold_outside_candidates") or [])
    explanations = sorted([part["target_turn"], part["status"], part["text"]] for part in row.get("explanations") or ())
    # Rows without explanations keep the digest that earlier results have recorded.
    return [turns, pairs, outside, *([explanations] if explanations else [])]


def _texts_and_speakers(row: Mapping[str, Any]) -> list[Any]:
    return [[utterance.get("text"), utterance.get("speaker")] for utterance in row["utterances"]]
