"""One process and two are measured on the same work."""

from __future__ import annotations

import subprocess
from types import SimpleNamespace

import forked_python
import pytest

from iemomecp_dataset.benchmark.speed import processes


@pytest.mark.slow
def test_the_row_compares_an_epoch(small_scale: str, monkeypatch: pytest.MonkeyPatch) -> None:
    launched: list[int] = []

    def launch(command: list[str], *, env: dict[str, str], **_: object) -> subprocess.CompletedProcess[str]:
        """Replaces torch's launcher, which has a test of its own."""
        *launcher, count = command[: (place := command.index("--nproc-per-node")) + 2]
        assert launcher[1:3] == ["-m", "torch.distributed.run"]
        launched.append(int(count))
        ranks = forked_python.rank_environments(int(count))
        started = [forked_python.start(*command[place + 2 :], env={**env, **rank}) for rank in ranks]
        codes = [process.wait() for process in started]
        return subprocess.CompletedProcess(command, max(codes), "", "".join(process.stderr for process in started))

    monkeypatch.setattr(processes, "subprocess", SimpleNamespace(run=launch))
    (row,) = processes.run(width=32, layers=1, scale=small_scale, passes=1)
    assert sorted(launched) == [1, 2]
    assert row.ours_seconds > 0
    assert row.ratio == pytest.approx(row.alternative_seconds / row.ours_seconds)
