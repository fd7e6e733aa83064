"""The ranks of a run on one or several machines: they wait for each other, and end together.

Collective operations wait for a rank that is gone: for minutes or for good, and without its name. So every rank tells
the others, through the store by which torch's processes find each other, that it lives, and why it ends. A rank that
fails says so, one that is silent is lost, and the others end with an error that names it and its machine.

Steps before the training wait here and not in collective operations, which can be neither interrupted nor explained.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import json
import logging
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from iemomecp_dataset.errors import IemomecpError, TrainingError, UsageError
from iemomecp_dataset.files import make_folder, not_written
from iemomecp_dataset.trainers.training.agreement import differences, ranks_in_words

__all__ = ["LostRankError", "Ranks", "joined_ranks", "tell_other_ranks"]

_logger = logging.getLogger(__name__)

_TICK = 1.0
"""Seconds between two signs of life."""

_SILENT_TICKS = 30
"""So many of this rank's own ticks without a sign of life of another: it is lost. Ticks and not seconds, so that a job
that is suspended whole finds all its ranks as they were."""

_SILENT_AFTER_BREAK = 5
"""The same once a connection has broken: then some rank is gone, and only the question is which."""

_INTERRUPTED = "it was interrupted"
"""What a rank says that Ctrl-C has ended."""

_GRACE_TICKS = 5
"""So long the work may take to end by itself after another rank has failed, before it is interrupted; and then again
before the process is ended. What is written is written whole, whenever that is."""

_APPEARING = timedelta(minutes=30)
"""So long ranks wait for those that have not begun: torch's own limit for processes that wait for each other."""

_STORE = timedelta(minutes=5)

_NOTICED_SECONDS = 20.0
"""So long a rank that fails stays for the others to read why: the store may be in its process, or in its launcher."""

_BROKEN_CONNECTION = re.compile(r"gloo|nccl|connection (was )?(closed|reset|refused)|broken pipe|socket", re.IGNORECASE)

_APPEARS_SECONDS = 3.0
"""So long a shared file system may take to show rank 0 a new file of another rank."""

_joined = itertools.count()
"""How often this process has begun a run together with others: all ranks count alike."""


class LostRankError(TrainingError):
    """Another rank of the run has failed or is lost, so that this one cannot go on."""

    def __init__(self, message: str = "Another rank of the run has ended."):
        super().__init__(message)


@contextlib.contextmanager
def joined_ranks() -> Iterator[Ranks]:
    """Joins the other ranks of the run, if there are any, and leaves them at the end.

    Yields:
        The ranks. Where one fails or is lost, this rank ends with :class:`LostRankError`; where this one fails, the
        others do.

    Raises:
        LostRankError: Another rank has failed, is lost, or has not appeared.
        UsageError: The place where ranks find each other cannot be reached.
    """
    place = _place_of_ranks()
    ranks = Ranks() if place is None else Ranks.join(*place)
    with ranks.ending_together():
        yield ranks


def tell_other_ranks(error: Exception) -> None:
    """Tells the ranks that wait for this one why it does not come; does nothing where a process trains alone.

    Args:
        error: Why it ends, before it has joined them.
    """
    place = _place_of_ranks()
    if place is None:
        return
    with contextlib.suppress(IemomecpError):
        ranks = Ranks.join(*place, timeout=timedelta(seconds=_NOTICED_SECONDS))
        ranks.say_failed(_in_one_line(error))


class Ranks:
    """The ranks that train together; one that trains alone has nobody to wait for.

    Args:
        store: Where ranks leave words for each other; None for a rank alone.
        rank: The rank of this process.
        count: How many there are.
        at: Host and port of the store, for messages.
    """

    def __init__(self, store: Any = None, rank: int = 0, count: int = 1, at: str = ""):
        self.rank, self.count = rank, count
        self.hosts = [socket.gethostname()] + ["?"] * (count - 1)
        self._store, self._at = store, at
        self._worker = threading.get_ident()
        self._lock = threading.Lock()
        self._left = threading.Event()
        self._verdict: str | None = None
        self._broken = False
        self._noticed = False
        self._ticks_without_store = 0
        self._ended = frozenset[int]()
        self._threads: list[threading.Thread] = []
        self._steps = itertools.count()

    @classmethod
    def join(cls, host: str, port: int, rank: int, count: int, *, timeout: timedelta = _STORE) -> Ranks:
        """Connects to the store of a run, or opens it.

        Args:
            host: Where it is.
            port: Its port there.
            rank: The rank of this process.
            count: How many ranks there are.
            timeout: How long to try.

        Raises:
            UsageError: It cannot be reached, or the port is taken.
        """
        from torch.distributed import DistError, PrefixStore, TCPStore  # type: ignore[attr-defined]

        # As torch does it: launchers of torch keep the store, else rank 0 does, and its other users share it.
        kept_by_launcher = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
        opens = rank == 0 and not kept_by_launcher
        try:
            if not opens:
                _wait_for_port(host, port, timeout, rank)
            store = TCPStore(host, port, count, opens, timeout, wait_for_workers=False, multi_tenant=opens)
        except (DistError, OSError, RuntimeError, ValueError) as error:
            reason = _in_one_line(error)
            todo = "Choose a port that is free" if opens else "Check address and port, and that no firewall is between"
            raise UsageError(
                f"Rank {rank} on {socket.gethostname()} cannot {'open' if opens else 'reach'} {host}:{port}, where the "
                f"{count} ranks of this run find each other ({reason}). {todo} (--main_process_ip and "
                "--main_process_port of accelerate launch, --master_addr and --master_port of torchrun)."
            ) from error
        attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
        return cls(PrefixStore(f"iemomecp/{attempt}/{next(_joined)}", store), rank, count, f"{host}:{port}")

    @contextlib.contextmanager
    def ending_together(self) -> Iterator[None]:
        """Waits for all ranks, and ends with them.

        Raises:
            LostRankError: Another rank has failed, is lost, or has not appeared.
        """
        try:
            if self._store is not None:
                self._begin_watch()
            yield
        except Exception as error:
            self._noticed = True
            verdict = self._verdict_on(error)
            if verdict is None:
                self.say_failed(_in_one_line(error))
                raise
            raise LostRankError(verdict) from error
        except KeyboardInterrupt:
            self.say_failed(_INTERRUPTED)
            raise
        finally:
            self._leave()

    def _begin_watch(self) -> None:
        self._store.set(f"alive/{self.rank}", "0")
        self.hosts = self.gathered(socket.gethostname(), limit=_APPEARING)
        self._threads = [
            threading.Thread(target=target, name=f"ranks: {target.__name__}", daemon=True)
            for target in (self._exchange, self._end_if_others_have)
        ]
        for thread in self._threads:
            thread.start()

    def gathered(self, value: Any, *, limit: timedelta | None = None) -> list[Any]:
        """Gives every rank the values of all; all must call it equally often.

        Args:
            value: Of this rank: plain values.
            limit: How long to wait; by default for as long as the others live.

        Returns:
            The values by rank.

        Raises:
            LostRankError: Another rank has failed, is lost, or has not come within the limit.
        """
        if self._store is None:
            return [value]
        step = next(self._steps)
        self._store.set(f"step/{step}/{self.rank}", json.dumps(value))
        keys = [f"step/{step}/{rank}" for rank in range(self.count)]
        self._wait_for(keys, limit)
        return [json.loads(of_rank) for of_rank in self._store.multi_get(keys)]

    def agree(self, facts: Callable[[], Mapping[str, str]], what: str, remedy: str) -> None:
        """Compares what ranks must have in common; does nothing where a process trains alone.

        Args:
            facts: Gives those of this rank.
            what: What they are, for a sentence that says that it differs.
            remedy: What to do.

        Raises:
            UsageError: They differ: on every rank the same sentence.
            LostRankError: Another rank has failed or is lost.
        """
        if self._store is None:
            return
        different = differences(self.gathered(dict(facts())), self.hosts)
        if different:
            others = f"; and {len(different) - 6} more" if len(different) > 6 else ""
            raise UsageError(
                f"The {self.count} ranks of this run do not have the same {what}: {'; '.join(different[:6])}{others}. "
                f"{remedy}"
            )

    @contextlib.contextmanager
    def first_alone(self) -> Iterator[None]:
        """Lets rank 0 do something before the others, who then find what it has left in caches.

        Raises:
            LostRankError: It has failed or is lost.
        """
        if self.rank != 0:
            self.gathered(None)
        yield
        if self.rank == 0:
            self.gathered(None)

    def check_shared(self, folder: Path) -> None:
        """Finds out whether the ranks write to one folder, by files that they leave for rank 0.

        Args:
            folder: The run folder. Rank 0 has made it.

        Raises:
            UsageError: They do not: on every rank the same sentence. Or this rank cannot write to it.
            LostRankError: Another rank has failed or is lost.
        """
        if self._store is None:
            return
        # A name that nobody has looked for before: shared file systems remember for a while what was not there.
        token, made = folder / f".rank-{self.rank}-{os.urandom(8).hex()}.partial", not folder.is_dir()
        try:
            if self.rank:
                make_folder(folder)
                try:
                    token.touch()
                except OSError as error:
                    raise not_written(token, error) from None
            tokens = self.gathered(token.name)
            unseen = [rank for rank in range(1, self.count) if self.rank == 0 and not _appears(folder / tokens[rank])]
            unseen = self.gathered(unseen)[0]
        finally:
            with contextlib.suppress(OSError):
                token.unlink(missing_ok=True)
                if made and self.rank:
                    folder.rmdir()
        if unseen:
            raise UsageError(
                f"The run folder {folder} is not the same one for all ranks: what {ranks_in_words(unseen, self.hosts)} "
                f"wrote there is not seen by rank 0 ({self.hosts[0]}). Give an --output_dir on a file system that all "
                "machines share, by its whole path."
            )

    def _verdict_on(self, error: Exception) -> str | None:
        """Tells whether an error of this rank follows from another rank's end, and which.

        Args:
            error: The error.

        Returns:
            A sentence; None where the error is this rank's own.
        """
        if self._store is None:
            return None
        chain = list(_chain(error))
        if any(isinstance(one, LostRankError) for one in chain):
            return self._verdict or str(error)
        if not any(_tells_of_broken_connection(one) for one in chain):
            return None
        self._broken = True
        for _ in range(4 * _SILENT_AFTER_BREAK):
            if self._verdict is not None:
                break
            time.sleep(_TICK)
        return self._verdict

    def say_failed(self, reason: str) -> None:
        """Tells the others why this rank ends, and stays until they know.

        Args:
            reason: Why, in one line.
        """
        if self._store is None:
            return
        self._noticed = True
        if self._ticks_without_store > _SILENT_AFTER_BREAK:
            return
        with contextlib.suppress(Exception):  # the store may be gone, with the rank or the launcher that kept it
            host = socket.gethostname()
            self._publish(f"Rank {self.rank} of {self.count}, on {host}, has ended: {reason}")
            self._store.set(f"seen/{self.rank}", "")
            seen, deadline = [f"seen/{rank}" for rank in range(self.count)], time.monotonic() + _NOTICED_SECONDS
            while not self._store.check(seen) and time.monotonic() < deadline:
                time.sleep(0.05)

    def _leave(self) -> None:
        """Ends the watching; what happens to the others from now on is nothing to this rank."""
        with self._lock:
            self._left.set()
        for thread in self._threads:
            thread.join(timeout=_TICK)
        # A store that does not answer would keep this process, too.
        if self._store is not None and self._ticks_without_store <= _SILENT_AFTER_BREAK:
            with contextlib.suppress(Exception):
                self._store.set(f"alive/{self.rank}", "ended")
                self._store.set(f"seen/{self.rank}", "")

    def _wait_for(self, keys: list[str], limit: timedelta | None) -> None:
        """Waits for words of others, as long as none of them has failed."""
        began, said = time.monotonic(), False
        while True:
            try:
                there = self._store.check(keys)
                if not self._threads and not there:
                    self._read_failure()
            except RuntimeError as error:
                raise LostRankError(self._verdict or self._store_lost()) from error
            if there:
                return
            if self._verdict is not None:
                raise LostRankError(self._verdict)
            # Read before the keys: what a rank has left, it has left before it ended.
            if left := [rank for rank in sorted(self._ended) if not self._store.check([keys[rank]])]:
                raise LostRankError(
                    f"{ranks_in_words(left, self.hosts).capitalize()} of {self.count} has ended before the others, "
                    "which wait for it. Start the same command again on every machine."
                )
            waited = time.monotonic() - began
            if limit is not None and (waited > limit.total_seconds() or (waited > 10 and not said)):
                absent = [rank for rank, key in enumerate(keys) if not self._store.check([key])]
                named = ", ".join(map(str, absent))
                if waited > limit.total_seconds():
                    raise LostRankError(
                        f"Rank {named} of {self.count} has not appeared within {limit}. Start the command on every "
                        "machine, with its own rank and the same address and port."
                    )
                _logger.warning("Waiting for rank %s of %s at %s.", named, self.count, self._at)
                said = True
            time.sleep(0.02)

    def _exchange(self) -> None:
        """Gives signs of life, and looks for those of others."""
        keys = [f"alive/{rank}" for rank in range(self.count)]
        before, silent = [b""] * self.count, [0] * self.count
        for beat in itertools.count(1):
            try:
                self._store.set(keys[self.rank], str(beat))
                signs = self._store.multi_get(keys)
                self._read_failure()
            except Exception:  # the store is gone, and for good: _end_if_others_have counts for how long
                return
            self._ticks_without_store = 0
            silent = [
                0 if now != old or now == b"ended" or rank == self.rank else ticks + 1
                for rank, (now, old, ticks) in enumerate(zip(signs, before, silent, strict=True))
            ]
            before = signs
            self._ended = frozenset(rank for rank, sign in enumerate(signs) if sign == b"ended" and rank != self.rank)
            limit = _SILENT_AFTER_BREAK if self._broken else _SILENT_TICKS
            lost = [rank for rank, ticks in enumerate(silent) if ticks >= limit]
            if lost and self._verdict is None:
                with contextlib.suppress(Exception):
                    self._publish(
                        f"{ranks_in_words(lost, self.hosts).capitalize()} of {self.count} "
                        f"{'is' if len(lost) == 1 else 'are'} lost: the process was killed, or its machine cannot be "
                        "reached"
                    )
                    self._read_failure()
            if self._left.wait(_TICK):
                return

    def _end_if_others_have(self) -> None:
        """Ends this rank where the run has ended, also while it waits for something that never comes."""
        since = 0
        while not self._left.wait(_TICK):
            self._ticks_without_store += 1
            limit = _SILENT_AFTER_BREAK if self._broken else _SILENT_TICKS
            if self._verdict is None and self._ticks_without_store > limit:
                self._verdict = self._store_lost()
            since += self._verdict is not None
            with self._lock:
                if self._left.is_set() or since < _GRACE_TICKS:
                    continue
                if since == _GRACE_TICKS and not self._noticed:
                    # Work in Python is interrupted as Ctrl-C does it, so that it leaves the run folder in order.
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(
                        ctypes.c_ulong(self._worker), ctypes.py_object(LostRankError)
                    )
                # It waits within a library; or, after an error, for others who do not notice.
                if since >= (10 if self._noticed else 3) * _GRACE_TICKS:
                    os.write(2, f"error: {self._verdict}\n".encode(errors="replace"))
                    os._exit(2)

    def _store_lost(self) -> str:
        return (
            f"Rank 0 of {self.count}, on {self.hosts[0] if self.rank else socket.gethostname()}, or its launcher is "
            f"lost: nothing answers at {self._at}, where the ranks find each other. Start the same command again on "
            "every machine to continue from the newest checkpoint."
        )

    def _publish(self, sentence: str) -> None:
        number = self._store.add("failures", 1)
        self._store.set(f"failure/{number}", sentence)

    def _read_failure(self) -> None:
        """Takes notice of the first failure: what follows from it is no news."""
        if self._verdict is None and self._store.add("failures", 0):
            sentence = self._store.get("failure/1").decode("utf-8", errors="replace")
            # What a rank has said itself is put right first; a loss and Ctrl-C are repaired by starting again.
            again = "; the same command on every machine continues from the newest checkpoint, if there is one"
            repaired = ", has ended: " not in sentence or sentence.rstrip(".").endswith(_INTERRUPTED)
            self._verdict = (
                f"{sentence.rstrip('.')}. So this rank, {self.rank} on {socket.gethostname()}, ends as well"
                f"{again if repaired else ''}."
            )
            self._store.set(f"seen/{self.rank}", "")


def _place_of_ranks() -> tuple[str, int, int, int] | None:
    """Host and port of the store, rank and number of ranks, as launchers give them; None for a process alone."""
    values = os.environ
    if not values.get("MASTER_ADDR") or not any(
        name in values for name in ("WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")
    ):
        return None
    if values.get("LOCAL_RANK", "-1") == "-1" and values.get("ACCELERATE_USE_CPU", "").lower() not in ("1", "true"):
        return None  # accelerate would train alone, whatever else is set
    from accelerate.utils.environment import get_cpu_distributed_information

    found = get_cpu_distributed_information()
    if found.world_size < 2:
        return None
    return values["MASTER_ADDR"], int(values.get("MASTER_PORT") or 29500), found.rank, found.world_size


def _wait_for_port(host: str, port: int, timeout: timedelta, rank: int) -> None:
    """Waits until somebody listens, and says so after ten seconds.

    The client of torch waits, too, but prints a stack for each attempt.

    Raises:
        OSError: Nobody does within the time.
    """
    began, said = time.monotonic(), False
    deadline = began + timeout.total_seconds()
    while True:
        try:
            socket.create_connection((host, port), timeout=max(1.0, deadline - time.monotonic())).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            if not said and time.monotonic() > began + 10:
                _logger.warning("Rank %s waits for rank 0 at %s:%s, where nothing answers yet.", rank, host, port)
                said = True
            time.sleep(0.1)


def _appears(file: Path) -> bool:
    """Whether a file is there, or comes within the time that a shared file system may take."""
    deadline = time.monotonic() + _APPEARS_SECONDS
    while not file.exists():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _tells_of_broken_connection(error: BaseException) -> bool:
    return (
        isinstance(error, RuntimeError)
        and not isinstance(error, IemomecpError)
        and _BROKEN_CONNECTION.search(str(error)) is not None
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _in_one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())[:600]
    return text if isinstance(error, IemomecpError) and text else f"{type(error).__name__}: {text}"
