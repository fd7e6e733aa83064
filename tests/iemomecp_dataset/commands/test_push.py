"""The command ``push``: what goes and what stays is said first; every refusal is one sentence, with exit code 2."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_stand_in import HubStandIn, connect, hub_stand_in
from shared_run import write_shared_run

from iemomecp_dataset.__main__ import main
from iemomecp_dataset.command_line import read_options
from iemomecp_dataset.commands.push import PushOptions, _check


@pytest.fixture(name="source", autouse=True)
def fixture_source(monkeypatch: pytest.MonkeyPatch) -> str:
    """As if the package had been installed from a repository that a Space can read."""
    source = "git+https://git.example/iemomecp.git@0123abc"
    monkeypatch.setattr("iemomecp_dataset.trainers.sharing.spaces.recorded_source", lambda: source)
    return source


@pytest.fixture(scope="module")
def run(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shared_run(tmp_path_factory.mktemp("runs") / "pairs", encoder=tiny_encoder, trained=False)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubStandIn]:
    with hub_stand_in() as hub:
        connect(hub, tmp_path / "cache", monkeypatch)
        yield hub


def push(*arguments: object) -> int:
    with pytest.raises(SystemExit) as end:
        main(["push", *map(str, arguments)])
    assert isinstance(end.value.code, int)
    return end.value.code


def test_a_trial_run_lists_everything_and_asks_nobody(
    run: Path, hub: HubStandIn, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    assert push(run, "me/pairs", "--dry-run") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "me/pairs (model, private): 5 files, 0.0 MB"
    assert lines[1:6] == ["  README.md", "  config.json", "  config.yaml", "  model.safetensors", "  results.json"]
    assert lines[6] == (
        "stays on this machine: 11 files: checkpoints (1), ids of dialogues (3), log (1), other files (3), pickled "
        "weights (2), texts of the corpus (1)"
    )
    assert lines[7].startswith("note: The text encoder is named by the path ")
    assert lines[8] == "Nothing was uploaded (--dry-run)."
    assert hub.requests == []


def test_a_run_is_uploaded_and_its_address_printed(
    run: Path, hub: HubStandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    told = ("--public", "--base-model", "lab/minilm", "--message", "Mine", "--branch", "trial")
    assert push(run, "me/pairs", *told) == 0
    output = capsys.readouterr().out
    assert "me/pairs (model, public)" in output
    assert "note:" not in output
    assert output.endswith(f"uploaded to {hub.url}/me/pairs\n")
    repository = hub.repositories["model", "me/pairs"]
    assert not repository.private
    assert repository.branches["trial"][-1].message == "Mine"
    assert b"lab/minilm" in repository.branches["trial"][-1].files["config.json"]


def test_a_metric_is_uploaded_as_a_space(hub: HubStandIn, capsys: pytest.CaptureFixture[str]) -> None:
    assert push("--metric", "iemomecp_erc", "lab/erc", "--endpoint", f"{hub.url}/") == 0
    assert capsys.readouterr().out.endswith(f"uploaded to {hub.url}/spaces/lab/erc\n")
    assert "erc.py" in hub.repositories["space", "lab/erc"].files


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Give the folder of a run, and OWNER/NAME"),
        (("RUN",), "Give the folder of a run, and OWNER/NAME"),
        (("RUN", "pairs"), "'pairs' is not the name of a repository"),
        (("nowhere", "me/pairs"), "There is no folder nowhere"),
        (("--metric", "iemomecp_erc"), "A Space takes one argument"),
        (("--metric", "iemomecp_erc", "RUN", "me/pairs"), "A Space takes one argument"),
        (("--metric", "f1", "me/f1"), "There is no metric 'f1'"),
        (("--metric", "iemomecp_erc", "me/f1", "--model", "me/pairs"), "--model goes with --app alone"),
        (("--app", "me/page"), "--app needs --model OWNER/NAME"),
        (("--app", "--model", "pairs", "me/page"), "'pairs' is not the name of a repository"),
        (("--app", "--metric", "iemomecp_erc", "me/page"), "are two Spaces"),
        (("RUN", "me/pairs", "--wheel", "x.whl"), "--wheel goes with --app or --metric"),
        (("--metric", "iemomecp_erc", "me/f1", "--base-model", "a/b"), "--base-model goes with a run"),
        (("--metric", "iemomecp_erc", "me/f1", "--wheel", "x.whl"), "There is no file x.whl"),
    ],
)
def test_what_does_not_go_together_is_refused(
    arguments: tuple[str, ...], said: str, run: Path, hub: HubStandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    assert push(*(run if one == "RUN" else one for one in arguments)) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.out == ""
    assert hub.requests == []


def test_a_refusal_of_the_hub_is_one_sentence(run: Path, hub: HubStandIn, capsys: pytest.CaptureFixture[str]) -> None:
    assert push(run, "others/pairs") == 2
    error = capsys.readouterr().err
    assert "The access token may not write to others/pairs" in error
    assert "Traceback" not in error


def test_commands_of_the_page_are_accepted(repository: Path) -> None:
    page = (repository / "docs" / "hub.md").read_text(encoding="utf-8")
    commands = re.findall(r"^iemomecp push (.+)$", page, flags=re.M)
    assert len(commands) == 4
    for command in commands:
        _check(read_options(PushOptions, command.split(), command="push", description=None))
    for program in re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL):
        compile(program, "page", "exec")
    fields = {f"--{field.name.replace('_', '-')}" for field in dataclasses.fields(PushOptions)}
    assert set(re.findall(r"`(--[a-z-]+)", page)) <= fields - {"--run", "--repository"}
