"""Requests to end a session: what is noted, what is not, and who learns of it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from iemomecp_dataset.trainers.training import stopping
from iemomecp_dataset.trainers.training.stopping import StopReason, StopRequested, StopRequests


def processes(others: list[float] | None = None, main: bool = True) -> SimpleNamespace:
    """A stand-in for the accelerator, with another process that has been asked for some of the reasons."""

    def reduce(flags: Tensor, reduction: str) -> Tensor:
        assert reduction == "sum"
        return flags + torch.tensor(others)

    return SimpleNamespace(
        num_processes=2 if others else 1, is_main_process=main, device=torch.device("cpu"), reduce=reduce
    )


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A clock that the test turns."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(stopping, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    assert {number: signal.getsignal(number) for number in before} == before, "put back"


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (signal.SIGTERM, StopReason.TERMINATED),
        (signal.SIGINT, StopReason.INTERRUPTED),
        (signal.SIGHUP, StopReason.HUNG_UP),
    ],
)
def test_a_signal_is_noted_until_asked(number: int, reason: StopReason) -> None:
    with StopRequests(processes()) as requests:
        assert requests.reason() is None
        signal.raise_signal(number)
        assert requests.reason() is requests.reason() is reason
        with pytest.raises(StopRequested) as stop:
            list(requests.watch([1, 2]))
    assert stop.value.reason is reason


def test_a_second_ctrl_c_ends_at_once(clock: SimpleNamespace, capfd: pytest.CaptureFixture[str]) -> None:
    with StopRequests(processes()) as requests:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
        clock.now += 0.5  # the launcher's copy of the same
        signal.raise_signal(signal.SIGINT)
        clock.now += 1.0
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert requests.reason() is StopReason.TERMINATED, "what came first"
    assert capfd.readouterr().err.count("Ctrl-C again ends at once") == 1


def test_time_ends_training_but_no_scoring(clock: SimpleNamespace) -> None:
    with StopRequests(processes(), max_hours=2.0) as requests:
        clock.now += 7199
        assert requests.reason() is None
        clock.now += 2
        assert requests.reason() is StopReason.TIME_OVER
        assert requests.reason(timed=False) is None
        assert list(requests.watch([1, 2])) == [1, 2]
    with StopRequests(processes(main=False), max_hours=0.0) as requests:
        clock.now += 1
        assert requests.reason() is None, "the main process' clock decides"


@pytest.mark.parametrize(
    ("others", "reason"),
    [
        ([0.0, 0.0, 0.0, 0.0, 0.0], None),
        ([1.0, 0.0, 0.0, 0.0, 0.0], StopReason.TERMINATED),
        ([0.0, 1.0, 0.0, 0.0, 0.0], StopReason.INTERRUPTED),
        ([0.0, 0.0, 1.0, 0.0, 0.0], StopReason.HUNG_UP),
        ([0.0, 0.0, 0.0, 1.0, 0.0], StopReason.TIME_OVER),
        ([0.0, 1.0, 0.0, 1.0, 0.0], StopReason.INTERRUPTED),
        ([0.0, 0.0, 0.0, 0.0, 1.0], StopReason.LAUNCHER_ENDED),
    ],
)
def test_all_processes_learn_of_a_request_to_one(others: list[float], reason: StopReason | None) -> None:
    with StopRequests(processes(others)) as requests:
        assert requests.reason() is reason


@pytest.mark.parametrize(
    ("signals", "reason"),
    [
        ([], StopReason.LAUNCHER_ENDED),
        ([signal.SIGTERM], StopReason.LAUNCHER_ENDED),  # the system's, at its end
        ([signal.SIGINT, signal.SIGTERM], StopReason.INTERRUPTED),  # a Ctrl-C that has ended both
        ([signal.SIGHUP, signal.SIGTERM], StopReason.HUNG_UP),  # a terminal that was closed
    ],
)
def test_the_end_of_the_launcher_is_told_from_what_has_ended_it(
    signals: list[int], reason: StopReason, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with StopRequests(processes()) as requests:
            assert requests.reason() is None
            monkeypatch.setattr(stopping, "launcher_has_ended", lambda: True)
            for number in signals:
                signal.raise_signal(number)
            assert requests.reason() is requests.reason(timed=False) is reason
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_an_ignored_signal_stays_ignored(number: signal.Signals) -> None:
    """As a shell starts its background jobs, and as ``nohup`` starts a command."""
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with StopRequests(processes()) as requests:
            signal.raise_signal(number)
            assert requests.reason() is None
        assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, before)


@pytest.mark.parametrize(
    ("reason", "code"),
    [(StopReason.TERMINATED, 143), (StopReason.LAUNCHER_ENDED, 143), (StopReason.HUNG_UP, 129)],
)
def test_a_session_ends_with_the_code_of_its_signal(reason: StopReason, code: int) -> None:
    with pytest.raises(SystemExit) as end:
        reason.end_process()
    assert end.value.code == code
    with pytest.raises(KeyboardInterrupt):
        StopReason.INTERRUPTED.end_process()
    StopReason.TIME_OVER.end_process()


def test_other_threads_leave_signals_alone() -> None:
    found = []

    def work() -> None:
        with StopRequests(processes()) as requests:
            found.append((requests.reason(), signal.getsignal(signal.SIGTERM)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [(None, signal.getsignal(signal.SIGTERM))]
