"""Raw answers on disk, by everything that they depend on: what was answered once is never asked again."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from iemomecp_dataset.errors import InvalidDataError, UsageError
from iemomecp_dataset.files import make_folder
from iemomecp_dataset.trainers.language_model.answering import Answer
from iemomecp_dataset.trainers.language_model.asking import Request

__all__ = ["CACHE_FILE", "AnswerCache", "request_key"]

CACHE_FILE = "answers.sqlite"
_AT_ONCE = 500
_FORMAT = 1


def request_key(request: Request, identity: Mapping[str, str], sampling: Mapping[str, Any], prompt_version: str) -> str:
    """Names a request by what its answer depends on.

    Args:
        request: The request.
        identity: Backend, model and revision.
        sampling: How tokens are chosen.
        prompt_version: Hash of the templates.

    Returns:
        64 hexadecimal characters. Where the request belongs (split, dialogue, turns) is not in it: the same words have
        the same answer.
    """
    content = {
        "identity": dict(identity),
        "sampling": {**sampling, "seed": request.seed, "most_tokens": request.most_tokens},
        "messages": request.messages,
        "schema": request.schema,
        "labels": list(request.labels),
        "attempt": request.attempt,
        "prompt": prompt_version,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


class AnswerCache:
    """A file of answers. Each answer is on disk before the next request is sent in its place.

    Args:
        folder: Folder of the file; it is made. Several processes may share it.

    Raises:
        UsageError: The folder cannot be written to.
        InvalidDataError: The file is no such cache, or damaged.
    """

    def __init__(self, folder: Path):
        make_folder(folder)
        self.path = folder / CACHE_FILE
        try:
            self._connection = sqlite3.connect(self.path, timeout=60, isolation_level=None)
        except sqlite3.Error as error:
            raise UsageError(
                f"{self.path}: the cache cannot be opened ({error}). Choose another --cache_dir."
            ) from None
        try:
            self._prepare()
        except BaseException:
            self._connection.close()
            raise

    def _prepare(self) -> None:
        with self._own_errors():
            self._connection.execute("PRAGMA journal_mode=WAL")
            # A power cut may lose the last answers; the end of the process, however it ends, loses none.
            self._connection.execute("PRAGMA synchronous=NORMAL")
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, answer TEXT NOT NULL, made REAL NOT NULL)"
            )
            found = self._connection.execute("PRAGMA user_version").fetchone()[0]
            if found not in (0, _FORMAT):
                raise InvalidDataError(
                    f"{self.path} has format {found}; this version of iemomecp reads {_FORMAT}. Choose another "
                    "--cache_dir."
                )
            self._connection.execute(f"PRAGMA user_version={_FORMAT}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()

    def __len__(self) -> int:
        with self._own_errors():
            return int(self._connection.execute("SELECT COUNT(*) FROM answers").fetchone()[0])

    def found(self, keys: Sequence[str]) -> dict[str, Answer]:
        """Looks answers up.

        Args:
            keys: Their keys, as :func:`request_key` gives them.

        Returns:
            By key those that are there.
        """
        answers: dict[str, Answer] = {}
        with self._own_errors():
            for start in range(0, len(keys), _AT_ONCE):
                part = keys[start : start + _AT_ONCE]
                marks = ",".join("?" * len(part))
                rows = self._connection.execute(f"SELECT key, answer FROM answers WHERE key IN ({marks})", part)
                for key, text in rows:
                    try:
                        answers[key] = Answer.from_json(text)
                    except (ValueError, TypeError) as error:
                        raise InvalidDataError(
                            f"{self.path}: the answer {key[:12]} cannot be read ({error}). Remove the file; its "
                            "answers are then asked for again."
                        ) from None
        return answers

    def keep(self, key: str, answer: Answer) -> None:
        """Keeps an answer; it is on disk when this returns."""
        with self._own_errors():
            self._connection.execute(
                "INSERT OR REPLACE INTO answers VALUES (?, ?, ?)", (key, answer.to_json(), time.time())
            )

    @contextlib.contextmanager
    def _own_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise UsageError(
                f"{self.path}: the cache cannot be used ({error}). Check the disk, or choose another --cache_dir."
            ) from None
        except sqlite3.DatabaseError as error:
            raise InvalidDataError(
                f"{self.path} is no cache of answers, or damaged ({error}). Remove it, or choose another --cache_dir."
            ) from None
