"""``iemomecp train``: whose options are whose, mistakes before anything is launched, the trainer's own exit code."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from iemomecp_dataset.commands import train
from iemomecp_dataset.errors import UsageError


@pytest.fixture(name="launched")
def fixture_launched(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    calls: list[list[str]] = []

    def launch(arguments: list[str]) -> int:
        calls.append(arguments)
        return 3

    monkeypatch.setattr(train, "_launch", launch)
    return calls


def test_options_before_the_trainer_are_the_launchers(launched: list[list[str]]) -> None:
    options = ["--data_dir", "d", "--output-dir", "o", "--seed=7"]
    assert train.main(["--num_processes", "2", "--multi_gpu", "roberta", *options]) == 3
    ((*before, script), given) = launched[0][:4], launched[0][4:]
    assert before == ["--num_processes", "2", "--multi_gpu"]
    assert Path(script).name == "roberta.py"
    assert Path(script).is_file()
    assert given == options


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fusion", "--data_dir", "d"], "--output_dir is missing"),
        (["fusion", "--num_processes", "2"], "There is no option '--num_processes'"),
        # The script's own defaults hold: roberta uses the isolated scorer.
        (["roberta", "--data_dir", "d", "--output_dir", "o", "--objective", "rpcl"], "Use --scorer dialogue"),
    ],
)
def test_mistakes_are_found_before_the_launch(arguments: list[str], message: str, launched: list[list[str]]) -> None:
    with pytest.raises(UsageError, match=message):
        train.main(arguments)
    assert launched == []


SINGLE = ["--num_processes", "1", "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]


@pytest.mark.parametrize(
    ("environment", "arguments", "expected"),
    [(None, [], "no"), ("no", [], "no"), ("bf16", [], "bf16"), ("bf16", ["--mixed_precision", "fp16"], "fp16")],
)
def test_a_precision_of_the_environment_reaches_the_launcher(
    environment: str | None, arguments: list[str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Accelerate launch itself replaces the variable by its own default."""
    monkeypatch.delenv("ACCELERATE_MIXED_PRECISION", raising=False)
    if environment is not None:
        monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", environment)
    asked: list[str | None] = []
    from accelerate.commands import launch

    monkeypatch.setattr(launch, "launch_command", lambda given: asked.append(given.mixed_precision))
    assert train._launch([*arguments, "script.py"]) == 0
    assert asked == [expected]


@pytest.mark.parametrize("devices", [0, 1])
def test_accelerate_has_nothing_to_say_about_values_that_nobody_gave(
    devices: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is given what it would have chosen, and what the user gave stays."""
    import torch
    from accelerate.commands import config, launch

    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: torch.device("cuda") if devices else None)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: devices)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    for module in (config, launch):
        monkeypatch.setattr(module, "default_config_file", str(tmp_path / "none.yaml"))
    said: list[str] = []
    monkeypatch.setattr(launch.logger, "warning", lambda text, *_, **__: said.append(text))

    def values(arguments: list[str], ours: bool) -> dict[str, object]:
        given = launch.launch_command_parser().parse_args([*arguments, "script.py"])
        if ours:
            train._give_defaults(given)
        return vars(launch._validate_launch_command(given)[0])

    for arguments in ([], ["--mixed_precision", "bf16"], ["--num_machines", "2", "--machine_rank", "1"], ["--cpu"]):
        expected = values(arguments, ours=False)
        assert said, "accelerate says no more what it chose: _give_defaults can go"
        said.clear()
        assert values(arguments, ours=True) == expected
        assert said == []


def test_a_file_of_accelerate_config_keeps_its_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from accelerate.commands import config, launch

    file = tmp_path / "default.yaml"
    file.touch()
    monkeypatch.setattr(config, "default_config_file", str(file))
    given = launch.launch_command_parser().parse_args(["script.py"])
    train._give_defaults(given)
    assert (given.num_processes, given.num_machines, given.mixed_precision) == (None, None, None)


@pytest.mark.parametrize(
    ("given", "port"),
    [
        (["--cpu", "--num_processes", "2"], 0),
        (["--cpu", "--num_processes", "4", "--num_machines", "2", "--main_process_port", "7"], 7),
        (["--cpu", "--num_processes", "1"], None),
        (["--num_processes", "2"], None),
        (["--cpu", "--num_processes", "2", "--mpirun_hostfile", "hosts"], None),
    ],
    ids=["one machine", "two machines", "one process", "GPUs", "MPI"],
)
def test_torch_starts_several_processes_on_cpus(
    given: list[str], port: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Accelerate itself would start one, and say nothing."""
    from accelerate.commands import launch

    found: list[tuple[bool, bool, int | None, str | None]] = []
    monkeypatch.delenv("ACCELERATE_USE_CPU", raising=False)
    monkeypatch.setattr(
        launch,
        "launch_command",
        lambda asked: found.append(
            (asked.cpu, asked.multi_gpu, asked.main_process_port, os.environ.get("ACCELERATE_USE_CPU"))
        ),
    )
    assert train._launch([*given, "script.py"]) == 0
    expected = (False, True, port, "true") if port is not None else ("--cpu" in given, False, None, None)
    assert found == [expected]
    assert "ACCELERATE_USE_CPU" not in os.environ


@pytest.mark.slow
def test_the_exit_code_is_the_trainers(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    for code, exit_code in (("", 0), ("raise SystemExit(7)", 7), ("import os; os.kill(os.getpid(), 15)", 143)):
        script.write_text(code)
        assert train._launch([*SINGLE, str(script), "--seed", "1"]) == exit_code
    with pytest.raises(UsageError, match="accelerate launch: "):
        train._launch(["--config_file", str(tmp_path / "none.yaml"), str(script)])


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_to_the_command_reaches_the_trainer(number: signal.Signals, tmp_path: Path) -> None:
    """The trainer says how it ends; the command waits and gives back its exit code."""
    script, ready = tmp_path / "script.py", tmp_path / "ready"
    script.write_text(
        "import pathlib, signal, sys, time\n"
        f"signal.signal({int(number)}, lambda *_: sys.exit(5))\n"
        f"pathlib.Path({str(ready)!r}).touch()\n"
        "time.sleep(60)\n"
    )
    code = "import sys; from iemomecp_dataset.commands.train import _launch; sys.exit(_launch(sys.argv[1:]))"
    command = subprocess.Popen([sys.executable, "-c", code, *SINGLE, str(script)])
    deadline = time.monotonic() + 60
    while not ready.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(command.pid, number)
    assert command.wait(timeout=30) == 5


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--num_machines", "1", "--machine_rank", "1"], "no --machine_rank 1 of --num_machines 1"),
        (["--num_machines", "2", "--main_process_ip", "nowhere.invalid"], "nowhere.invalid is no host"),
    ],
)
def test_machines_that_would_wait_in_vain_are_refused(given: list[str], said: str) -> None:
    from accelerate.commands import launch

    with pytest.raises(UsageError, match=said):
        train._check_machines(launch.launch_command_parser().parse_args([*given, "script.py"]))


def test_a_wrong_option_on_one_of_several_machines_is_left_to_its_trainer() -> None:
    assert train._on_several_machines(["--cpu", "--num-machines=2"])
    assert not train._on_several_machines(["--num_machines", "1"])
