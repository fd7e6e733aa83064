"""Answers on disk, by everything that they depend on: what was answered once is never asked again."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from iemomecp_dataset.errors import InvalidDataError, UsageError
from iemomecp_dataset.files import make_folder
from iemomecp_dataset.files.locks import locked_file
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
    """A file of answers, each written before the next request is sent in its place.

    By key, table ``answers`` has the fields of
    :class:`~iemomecp_dataset.trainers.language_model.answering.Answer`, and table ``responses`` the body of a server's
    response as it came; the client's own key alone is blacked out.

    Args:
        folder: Folder of the file; it is made. Several processes may share it.
        read_only: Only look up; the folder need not be writable, and nothing is changed in it.

    Attributes:
        path: The file.
        unreadable: Answers that were found, but could not be read; they count as missing, and are removed where the
            file may be changed.

    Raises:
        UsageError: The folder cannot be written to, or there is no such file to look up in.
        InvalidDataError: The file is no such cache, or damaged.
    """

    def __init__(self, folder: Path, *, read_only: bool = False):
        self.path = folder / CACHE_FILE
        self.unreadable = 0
        self._read_only = read_only
        if read_only:
            self._connection = self._opened_to_read()
            return
        make_folder(folder)
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

    def _opened_to_read(self) -> sqlite3.Connection:
        """Opens a file of which nothing is changed."""
        if not self.path.is_file():
            raise UsageError(f"There is no cache of answers {self.path}. Give the --cache_dir that has one.")
        place = quote(str(self.path.absolute()))
        # What a killed process has written last is in a file beside it, which only the first way reads; without one the
        # first way would make it.
        unclosed = self.path.with_name(f"{CACHE_FILE}-wal").exists()
        for how in ("mode=ro", "mode=ro&immutable=1") if unclosed else ("mode=ro&immutable=1",):
            connection = None
            try:
                connection = sqlite3.connect(f"file:{place}?{how}", uri=True, timeout=60, isolation_level=None)
                self._check_format(connection)
                connection.execute("SELECT COUNT(*) FROM answers").fetchone()
                return connection
            except InvalidDataError:
                if connection is not None:
                    connection.close()
                raise
            except sqlite3.OperationalError as error:
                said = str(error)
            except sqlite3.DatabaseError as error:
                raise self._damaged(error) from None
            if connection is not None:
                connection.close()
        raise UsageError(f"{self.path}: the cache cannot be read ({said}). Choose another --cache_dir.")

    def _damaged(self, error: sqlite3.Error) -> InvalidDataError:
        return InvalidDataError(
            f"{self.path} is no cache of answers, or damaged ({error}). Remove it, or choose another --cache_dir."
        )

    def _prepare(self) -> None:
        with self._own_errors():
            self._check_format(self._connection)
            self._connection.execute("PRAGMA journal_mode=WAL")
            # A power cut may lose the last answers; the end of the process, however it ends, loses none.
            self._connection.execute("PRAGMA synchronous=NORMAL")
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, answer TEXT NOT NULL, made REAL NOT NULL)"
            )
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS responses (key TEXT PRIMARY KEY, response TEXT NOT NULL)"
            )
            self._connection.execute(f"PRAGMA user_version={_FORMAT}")

    def _check_format(self, connection: sqlite3.Connection) -> None:
        found = connection.execute("PRAGMA user_version").fetchone()[0]
        if found not in (0, _FORMAT):
            raise InvalidDataError(
                f"{self.path} has format {found}; this version of iemomecp reads {_FORMAT}. Choose another --cache_dir."
            )

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
            By key those that are there. One that cannot be read is not: it is counted in ``unreadable``, and removed
            where the file may be changed.
        """
        answers: dict[str, Answer] = {}
        unreadable: list[tuple[str]] = []
        with self._own_errors():
            for start in range(0, len(keys), _AT_ONCE):
                part = keys[start : start + _AT_ONCE]
                marks = ",".join("?" * len(part))
                rows = self._connection.execute(f"SELECT key, answer FROM answers WHERE key IN ({marks})", part)
                for key, text in rows:
                    try:
                        answers[key] = Answer.from_json(text)
                    except (ValueError, TypeError):
                        unreadable.append((key,))
            if unreadable and not self._read_only:
                self._connection.executemany("DELETE FROM answers WHERE key = ?", unreadable)
        self.unreadable += len(unreadable)
        return answers

    def keep(self, key: str, answer: Answer) -> None:
        """Keeps an answer, and the response that it was read from.

        The end of this process, however it ends, loses nothing when this has returned; a power cut may lose the last
        answers.

        Raises:
            UsageError: The disk is full, or the file cannot be written to.
        """
        with self._own_errors():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                if answer.response:
                    self._connection.execute("INSERT OR REPLACE INTO responses VALUES (?, ?)", (key, answer.response))
                    answer = replace(answer, response="")
                self._connection.execute(
                    "INSERT OR REPLACE INTO answers VALUES (?, ?, ?)", (key, answer.to_json(), time.time())
                )
                self._connection.execute("COMMIT")
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    @contextlib.contextmanager
    def asked(self, questions: str) -> Iterator[None]:
        """Keeps other processes from sending the same questions meanwhile, whose answers are here soon.

        Args:
            questions: What tells these questions from others, whatever it says.

        Raises:
            UsageError: Another process is asking them.
        """
        name = hashlib.sha256(questions.encode()).hexdigest()[:16]
        file = self.path.with_name(f".asking-{name}.lock")
        with contextlib.ExitStack() as stack:
            try:
                locked = stack.enter_context(locked_file(file))
            except OSError as error:
                raise UsageError(
                    f"{file}: cannot be written ({error.strerror}). Check the disk, or choose another --cache_dir."
                ) from None
            if locked is False:
                raise UsageError(
                    f"Another run is asking the same questions, and keeps their answers in {self.path}. Wait until it "
                    "has ended: the same command then finds them there, and sends nothing twice."
                )
            yield

    @contextlib.contextmanager
    def _own_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise UsageError(
                f"{self.path}: the cache cannot be used ({error}). Check the disk, or choose another --cache_dir."
            ) from None
        except sqlite3.DatabaseError as error:
            raise self._damaged(error) from None
