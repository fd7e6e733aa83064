"""Ranks that train together end together, and say which of them has failed or is lost."""

from __future__ import annotations

import contextlib
import json
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
            f"The 2 ranks of this run do not have the same options: --seed is 0 on rank 0 ({HOST}), and 1 on rank 1 "
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


def wait_in_vain(ranks: Ranks, waiting: str) -> None:
    """What a rank does while another one is lost."""
    if waiting == "for the others":
        ranks.gathered(None)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        time.sleep(0.01)
        if waiting == "in a collective operation":
            raise RuntimeError(BROKEN)


@pytest.mark.parametrize("failing", [0, 1])
@pytest.mark.parametrize("waiting", ["for the others", "in a collective operation", "at work"])
def test_a_rank_that_fails_alone_ends_the_others_with_its_sentence(failing: int, waiting: str) -> None:
    def fail(ranks: Ranks) -> None:
        raise MissingDataError("/data: there is no such folder.")

    def wait(ranks: Ranks) -> None:
        wait_in_vain(ranks, waiting)

    found = together(*[fail if rank == failing else wait for rank in (0, 1)])
    assert isinstance(found[failing], MissingDataError), "its own error"
    other = found[1 - failing]
    assert isinstance(other, LostRankError)
    assert f"Rank {failing} of 2, on {HOST}, has ended: /data: there is no such folder. So this rank," in str(other)


@pytest.mark.parametrize("waiting", ["for the others", "in a collective operation", "at work"])
def test_a_rank_without_signs_of_life_is_lost_and_named(waiting: str) -> None:
    store = HashStore()

    silent(store, 1)
    ranks = Ranks(store, 0, 2, "host:1")
    lost = pytest.raises(LostRankError, match=r"Rank 1 \(far\) of 2 is lost: .* continues from the newest checkpoint")
    with lost, ranks.ending_together():
        wait_in_vain(ranks, waiting)


@pytest.mark.slow
def test_a_rank_that_waits_within_a_library_is_ended() -> None:
    """As in a collective operation of GPUs, which notices nothing of another process's end."""
    code = """
import ctypes, json
from torch.distributed import HashStore
from iemomecp_dataset.trainers.training import lost_ranks
lost_ranks._TICK = 0.02
store = HashStore()
store.set("alive/1", "1")
store.set("step/0/1", json.dumps("far"))
with lost_ranks.Ranks(store, 0, 2, "host:1").ending_together():
    ctypes.CDLL(None).sleep(60)
"""
    done = forked_python.run("-c", code, timeout=30)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: Rank 1 (far) of 2 is lost: ")


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


def test_a_rank_that_ends_before_the_others_does_not_keep_them_waiting() -> None:
    _, error = together(lambda ranks: None, lambda ranks: ranks.gathered(None))
    assert isinstance(error, LostRankError)
    assert f"Rank 0 ({HOST}) of 2 has ended before the others" in str(error)


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
    lost = pytest.raises(
        LostRankError, match=r"Rank 0 of 2, on far, or its launcher is lost: nothing answers at host:1"
    )
    with lost, ranks.ending_together():
        store.gone = True
        raise RuntimeError(BROKEN)


def test_ranks_that_do_not_appear_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lost_ranks, "_APPEARING", timedelta(seconds=0.1))
    absent = pytest.raises(LostRankError, match=r"Rank 0, 2 of 3 has not appeared within")
    with absent, Ranks(HashStore(), 1, 3).ending_together():
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
            {
                "OMPI_COMM_WORLD_SIZE": "2",
                "OMPI_COMM_WORLD_RANK": "1",
                "MASTER_ADDR": "a",
                "ACCELERATE_USE_CPU": "True",
            },
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


SMALL = {
    "config_name": "3class", "hidden_size": 16, "num_heads": 2, "num_layers": 1, "pair_size": 8, "bilinear_size": 4,
    "epochs": 15, "patience": 15, "batch_size": 2, "max_tokens": 24, "dropout": 0.3, "objective": "rpcl",
    "modalities": "ta", "encoder_mode": "frozen",
}  # fmt: skip


@pytest.fixture(scope="module")
def settings(small_dir: Path, tiny_encoder: Path) -> dict[str, object]:
    """A small run: four steps an epoch."""
    return {"data_dir": small_dir, "text_encoder": tiny_encoder, **SMALL}


def flags(settings: dict[str, object], output: Path | str) -> list[str]:
    return [*(f"--{name}={value}" for name, value in settings.items()), f"--output_dir={output}", "--quiet"]


def machines(folder: Path) -> list[dict[str, str]]:
    """Environments of two machines that see the same files and have caches of their own."""
    found = forked_python.rank_environments(2)
    for rank, environment in enumerate(found):
        environment |= {"LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1", "HF_HUB_OFFLINE": "1"}
        for name in ("HOME", "HF_HOME", "XDG_CACHE_HOME", "IEMOMECP_CACHE", "HF_DATASETS_CACHE"):
            environment[name] = str(folder / f"machine-{rank}" / name)
            Path(environment[name]).mkdir(parents=True, exist_ok=True)
    return found


@pytest.fixture(scope="module")
def on_one_machine(settings: dict[str, object], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two processes on one machine."""
    output = tmp_path_factory.mktemp("one machine") / "run"
    script = ["-m", "iemomecp_dataset.trainers.fusion", *flags(settings, output)]
    ranks = [forked_python.start(*script, env=rank) for rank in forked_python.rank_environments(2)]
    assert [rank.wait() for rank in ranks] == [0, 0], [rank.stderr for rank in ranks]
    return output


@pytest.mark.slow
def test_a_rank_that_is_killed_is_named_and_the_run_continues_on_two_machines_to_the_same_bits(
    settings: dict[str, object], on_one_machine: Path, tmp_path: Path, same_outcome: Callable[[Path, Path], None]
) -> None:
    output = tmp_path / "run"
    script = Path(__file__).with_name("ending_run.py")

    def session(killed: int | None = None) -> list[forked_python.ForkedProcess]:
        ranks = []
        for rank, environment in enumerate(machines(tmp_path)):
            ending = {"moment": "torch.optim:AdamW.step", "calls": 6, "signals": [signal.SIGKILL]}
            ending = ending if rank == killed else {"moment": None, "calls": 0, "signals": []}
            given = {"trainer": "fusion", "arguments": flags(settings, output), **ending}
            ranks.append(forked_python.start(script, json.dumps(given), env=environment))
        return ranks

    for killed in (1, 0):
        ranks = session(killed)
        codes = [rank.wait(60) for rank in ranks]
        said = ranks[1 - killed].stderr
        assert codes == ([2, -signal.SIGKILL] if killed else [-signal.SIGKILL, 2]), said
        assert f"error: Rank {killed} " in said
        assert f"{HOST}" in said
        assert "lost" in said
        assert "Traceback" not in said
        assert (output / "checkpoint" / "epoch-0001").is_dir()
    ranks = session()
    assert [rank.wait() for rank in ranks] == [0, 0], [rank.stderr for rank in ranks]
    same_outcome(on_one_machine, output)


@pytest.mark.slow
def test_two_launchers_train_one_run_and_end_with_one_checkpoint(
    settings: dict[str, object], on_one_machine: Path, tmp_path: Path, same_outcome: Callable[[Path, Path], None]
) -> None:
    output = tmp_path / "run"

    def session() -> list[forked_python.ForkedProcess]:
        found = machines(tmp_path)
        launch = ["-m", "iemomecp_dataset", "train", "--cpu", "--num_machines", "2", "--num_processes", "2",
                  "--main_process_ip", "127.0.0.1", "--main_process_port", found[0]["MASTER_PORT"]]  # fmt: skip
        launched = []
        for rank, environment in enumerate(found):
            # What launchers set themselves.
            for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT",
                         "ACCELERATE_USE_CPU"):  # fmt: skip
                del environment[name]
            command = [*launch, "--machine_rank", rank, "fusion", *flags(settings, output)]
            launched.append(forked_python.start(*command, env=environment))
        return launched

    ranks = session()
    log = output / "log.jsonl"
    while ranks[1].poll() is None and not (log.is_file() and log.stat().st_size):
        time.sleep(0.01)
    ranks[1].send_signal(signal.SIGTERM)
    assert [rank.wait(120) for rank in ranks] == [143, 143], [rank.stderr for rank in ranks]
    assert RunFolder(output).latest_checkpoint() is not None
    assert "on SIGTERM. Start the same command again to continue." in ranks[0].stderr
    ranks = session()
    assert [rank.wait(120) for rank in ranks] == [0, 0], [rank.stderr for rank in ranks]
    same_outcome(on_one_machine, output)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"data_dir": "/nowhere"}, "of 2, on {host}, has ended: /nowhere: expected the folder with IEMOCAP/"),
        ({"epochs": 0}, "of 2, on {host}, has ended: --epochs must be at least 1, but is 0."),
        ({"dropout": 0.1}, "same options: --dropout is 0.3 on rank 0 ({host}), and 0.1 on rank 1 ({host})."),
        ({}, "The run folder run is not the same one for all ranks: what rank 1 ({host}) wrote there"),
    ],
    ids=["data", "options", "other options", "folder"],
)
def test_what_one_machine_lacks_ends_the_run_on_both_before_it_has_begun(
    changed: dict[str, object], said: str, settings: dict[str, object], tmp_path: Path
) -> None:
    ranks = []
    for rank, environment in enumerate(machines(tmp_path)):
        of_rank = settings if rank == 0 else {**settings, **changed}
        place = tmp_path / (f"own-{rank}" if not changed else "")
        place.mkdir(exist_ok=True)
        launch = ["--cpu", "--num_machines", "2", "--num_processes", "2", "--machine_rank", str(rank),
                  "--main_process_ip", "localhost", "--main_process_port", environment["MASTER_PORT"]]  # fmt: skip
        script = ["-m", "iemomecp_dataset", "train", *launch, "fusion", *flags(of_rank, "run")]
        ranks.append(forked_python.start(*script, env=environment, cwd=place))
    assert [rank.wait(60) for rank in ranks] == [2, 2], [rank.stderr for rank in ranks]
    assert said.format(host=HOST) in ranks[0].stderr
    assert [rank.stderr.count("Traceback") for rank in ranks] == [0, 0]
    assert not list(tmp_path.rglob("config.yaml")), "the folder is free again"
