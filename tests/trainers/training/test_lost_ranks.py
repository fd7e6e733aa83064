"""Ranks that train together end together, and say which of them has failed or is lost."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import forked_python
import pytest
from torch.distributed import HashStore

from iemomecp_dataset.errors import MissingDataError, UsageError
from iemomecp_dataset.trainers.run_folder import RunFolder
from iemomecp_dataset.trainers.training import lost_ranks
from iemomecp_dataset.trainers.training.lost_ranks import LostRankError, Ranks, joined_ranks, tell_other_ranks

HOST = socket.gethostname()
BROKEN = "[gloo/transport/tcp/pair.cc:553] Connection closed by peer [127.0.0.1]:41152."


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lost_ranks, "_TICK", 0.02)
    monkeypatch.setattr(lost_ranks, "_NOTICED_SECONDS", 2.0)


def together(*works: Callable[[Ranks], Any], store: Any = None) -> list[Any]:
    """Runs a work for each rank, in threads; gives what each returns or raises."""
    store = HashStore() if store is None else store

    def of_rank(rank: int) -> Any:
        ranks = Ranks(store, rank, len(works), "host:1")
        try:
            with ranks.ending_together():
                return works[rank](ranks)
        except Exception as error:
            return error

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(of_rank, range(len(works))))


def silent(store: Any, rank: int, steps: int = 1) -> None:
    """Leaves what a rank leaves that is killed after some steps."""
    store.set(f"alive/{rank}", "1")
    for step in range(steps):
        store.set(f"step/{step}/{rank}", json.dumps("far"))


def test_a_process_alone_waits_for_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    with joined_ranks() as ranks:
        assert ranks.gathered(3) == [3]
        ranks.check_shared(tmp_path / "x")
        ranks.agree(lambda: pytest.fail("nothing to compare with"), "options", "")
        with ranks.first_alone():
            pass
    with pytest.raises(RuntimeError, match="gloo"), joined_ranks():
        raise RuntimeError(BROKEN)


def test_ranks_that_differ_end_with_one_sentence() -> None:
    def work(ranks: Ranks) -> list[Any]:
        ranks.agree(lambda: {"torch": "2.13"}, "installation", "")
        ranks.agree(lambda: {"--seed": str(ranks.rank)}, "options", "Start the same command on every machine.")
        pytest.fail("they differ")

    for error in together(work, work):
        assert isinstance(error, UsageError)
        assert str(error) == (
            f"The 2 ranks of this run have not the same options: --seed is 0 on rank 0 ({HOST}), and 1 on rank 1 "
            f"({HOST}). Start the same command on every machine."
        )


def test_rank_0_goes_first() -> None:
    order: list[int] = []

    def work(ranks: Ranks) -> None:
        with ranks.first_alone():
            time.sleep(0.05 if ranks.rank == 0 else 0)
            order.append(ranks.rank)

    assert together(work, work) == [None, None]
    assert order == [0, 1]


@pytest.mark.parametrize("failing", [0, 1])
@pytest.mark.parametrize("waiting", ["for the others", "in a collective operation", "at work"])
def test_a_rank_that_fails_alone_ends_the_others_with_its_sentence(failing: int, waiting: str) -> None:
    def fail(ranks: Ranks) -> None:
        raise MissingDataError("/data: there is no such folder.")

    def wait(ranks: Ranks) -> None:
        if waiting == "for the others":
            ranks.gathered(None)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            time.sleep(0.01)
            if waiting == "in a collective operation":
                raise RuntimeError(BROKEN)

    found = together(*[fail if rank == failing else wait for rank in (0, 1)])
    assert isinstance(found[failing], MissingDataError), "its own error"
    other = found[1 - failing]
    assert isinstance(other, LostRankError)
    assert f"Rank {failing} of 2, on {HOST}, has ended: /data: there is no such folder. So this rank," in str(other)


@pytest.mark.parametrize("waiting", ["for the others", "in a collective operation", "at work"])
def test_a_rank_without_signs_of_life_is_lost_and_named(waiting: str) -> None:
    store = HashStore()

    def work(ranks: Ranks) -> None:
        if waiting == "for the others":
            ranks.gathered(None)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            time.sleep(0.01)
            if waiting == "in a collective operation":
                raise RuntimeError(BROKEN)

    silent(store, 1)
    ranks = Ranks(store, 0, 2, "host:1")
    with pytest.raises(LostRankError, match=r"Rank 1 \(far\) of 2 is lost: .* continues from the newest checkpoint"):
        with ranks.ending_together():
            work(ranks)


def test_a_rank_that_works_for_long_is_not_lost() -> None:
    ticks = 3 * lost_ranks._SILENT_TICKS * lost_ranks._TICK

    def work(ranks: Ranks) -> str:
        if ranks.rank == 0:
            time.sleep(ticks)
        return str(ranks.gathered(ranks.rank))

    assert together(work, work) == ["[0, 1]"] * 2


def test_an_error_of_this_rank_stays_its_own_and_one_that_has_ended_well_is_not_lost() -> None:
    def ends(ranks: Ranks) -> None:
        return None

    def fails_later(ranks: Ranks) -> None:
        time.sleep(2 * lost_ranks._SILENT_TICKS * lost_ranks._TICK)
        raise RuntimeError(BROKEN)

    _, error = together(ends, fails_later)
    assert str(error) == BROKEN


def test_a_store_that_is_gone_is_the_loss_of_rank_0() -> None:
    class Store:
        gone = False

        def __init__(self) -> None:
            self._store = HashStore()

        def __getattr__(self, name: str) -> Any:
            if self.gone:
                raise RuntimeError("Connection reset by peer")
            return getattr(self._store, name)

    store = Store()
    silent(store, 0)
    ranks = Ranks(store, 1, 2, "host:1")
    with pytest.raises(LostRankError, match=r"Rank 0 of 2, on far, or its launcher is lost: nothing answers at host:1"):
        with ranks.ending_together():
            store.gone = True
            raise RuntimeError(BROKEN)


def test_ranks_that_do_not_appear_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lost_ranks, "_APPEARING", timedelta(seconds=0.1))
    with pytest.raises(LostRankError, match=r"Rank 0, 2 of 3 has not appeared within"):
        with Ranks(HashStore(), 1, 3).ending_together():
            pass


@pytest.mark.parametrize("shared", [True, False])
def test_a_run_folder_that_is_not_shared_is_refused_and_left_as_it_was(
    shared: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lost_ranks, "_APPEARS_SECONDS", 0.2)
    folders = [tmp_path / "a", tmp_path / ("a" if shared else "b")]
    folders[0].mkdir()
    found = together(*[lambda ranks: ranks.check_shared(folders[ranks.rank])] * 2)
    assert [list(folder.iterdir()) for folder in tmp_path.iterdir()] == [[]], "only that of rank 0, and empty"
    if shared:
        assert found == [None, None]
    else:
        assert all(isinstance(error, UsageError) for error in found)
        assert f"what rank 1 ({HOST}) wrote there is not seen by rank 0 ({HOST})" in str(found[0])


@contextlib.contextmanager
def launched(monkeypatch: pytest.MonkeyPatch, rank: int, environment: dict[str, str]) -> Iterator[None]:
    with monkeypatch.context() as patch:
        for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT",
                     "ACCELERATE_USE_CPU"):  # fmt: skip
            patch.delenv(name, raising=False)
        for name, value in environment.items():
            patch.setenv(name, value)
        yield


@pytest.mark.parametrize(
    ("environment", "place"),
    [
        ({}, None),
        ({"WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "0", "MASTER_ADDR": "a", "MASTER_PORT": "7"}, ("a", 7, 1, 2)),
        ({"WORLD_SIZE": "1", "RANK": "0", "LOCAL_RANK": "0", "MASTER_ADDR": "a", "MASTER_PORT": "7"}, None),
        ({"OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "1", "MASTER_ADDR": "a"}, None),
        (
            {"OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "1", "MASTER_ADDR": "a", "ACCELERATE_USE_CPU": "True"},
            ("a", 29500, 1, 2),
        ),
    ],
    ids=["alone", "torch", "one", "MPI, each alone", "MPI"],
)
def test_launchers_say_where_ranks_find_each_other(
    environment: dict[str, str], place: tuple[str, int, int, int] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with launched(monkeypatch, 0, environment):
        assert lost_ranks._place_of_ranks() == place


def test_a_rank_that_cannot_begin_tells_those_that_wait_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setattr(lost_ranks, "_joined", iter([0, 0]))
    waiting = Ranks.join("127.0.0.1", port, 0, 2)
    found: list[Exception] = []

    def wait() -> None:
        try:
            with waiting.ending_together():
                pytest.fail("the other does not come")
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    environment = {"WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "0", "MASTER_ADDR": "127.0.0.1"}
    with launched(monkeypatch, 1, {**environment, "MASTER_PORT": str(port)}):
        tell_other_ranks(UsageError("--epochs must be at least 1, but is 0."))
    thread.join(20)
    assert "Rank 1 of 2, on " in str(found[0])
    assert "has ended: --epochs must be at least 1, but is 0." in str(found[0])


def test_a_place_that_nobody_opens_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=rf"Rank 1 on .* cannot reach 127\.0\.0\.1:{port}, .*--main_process_ip"):
            Ranks.join("127.0.0.1", port, 1, 2, timeout=timedelta(seconds=0.1))
