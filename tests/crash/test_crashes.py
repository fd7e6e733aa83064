"""Commands stopped before a file event, or whose disk fills at one or in a file, and started again: the same bits."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path

import crash_trials
import pytest
from crash_trials import COMMANDS, Trial

# What happens to slow commands, and to the others all that can; at one event each, and cut off from power also at the
# end. `make crash` tries every event.
TRIED = {
    "matrix": ("kill",),
    "explain": ("power",),
    "ecerc": ("full",),
    "cross-validate": (),  # its cells are those of the matrix; make crash damages the rest
    "isolated": ("kill", "cut"),
    "report": ("cut",),
    "llm": ("kill", "cut"),
    "predict many": ("kill",),
    "predict joined": ("power",),
}


@pytest.fixture(scope="session")
def inputs(made_once: Callable[[str, Callable[[Path], object]], Path]) -> Path:
    """What the commands read."""
    return made_once("crash inputs", crash_trials.write_inputs)


@pytest.fixture(scope="session")
def whole(
    inputs: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], tuple[list[str], Mapping[str, object]]]:
    """Events and contents of a command that nothing happens to."""
    folder = tmp_path_factory.mktemp("whole")
    return functools.cache(lambda command: crash_trials.file_events(command, inputs, folder / "workspace"))


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_a_damaged_command_ends_with_the_same_bits_when_it_is_started_again(
    command: str,
    inputs: Path,
    whole: Callable[[str], tuple[list[str], Mapping[str, object]]],
    tmp_path: Path,
) -> None:
    events, expected = whole(command)
    assert len(events) > 3, "it is watched"
    trials: list[Trial] = []
    for damage in TRIED.get(command, COMMANDS[command].damages):
        for event in crash_trials.sample(events, 2 if damage == "power" else 1, f"{command} {damage}"):
            trials.append(crash_trials.run_trial(command, damage, event, inputs, tmp_path / "workspace", expected))
    wrong = [f"{trial.damage} before {events[trial.event - 1]}: {trial.outcome}\n{trial.said}" for trial in trials
             if not trial.fine]  # fmt: skip
    assert not wrong, "\n\n".join(wrong)
