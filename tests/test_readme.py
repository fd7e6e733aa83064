"""Every command of the README runs as it is written, in order, in a folder with the names that it uses.

Three things stand in for what a test must not need: the folder of the Hub's cache holds a tiny random encoder under the
name of RoBERTa, every training ends after one epoch, and but for the first command of each kind ``python``,
``accelerate`` and ``iemomecp`` are forks of a process that has imported the large libraries.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import forked_python
import pytest

# Commands that the suite cannot run as they stand.
ELSEWHERE = {
    "git clone": "there is a clone",
    "source .venv/bin/activate": "the test has the environment on its path",
    "make": "test_make_targets_exist; CI runs them",
    "iemomecp app": "serves until it is stopped; tests/trainers/app/test_interface.py starts it",
    "python scripts/fetch_labels.py": "needs the network; tests/scripts/test_fetch_labels.py has a server of its own",
}
ONE_EPOCH = """
from iemomecp_dataset.registration import after_import

def one_epoch(loop):
    loop._LoopState.goes_on = property(lambda state: state.progress.epoch < 1)

after_import("iemomecp_dataset.trainers.training.loop", "fit", one_epoch)
"""


def blocks(text: str) -> list[tuple[str, str]]:
    """Language and content of each fenced block; of what lies between, an empty language and ``prose``."""
    parts = re.split(r"^```(\w*)$", text, flags=re.M)
    # Odd places are fences: an opening one with its language, or a closing one.
    found, inside = [("prose", parts[0])], False
    for fence, content in zip(parts[1::2], parts[2::2], strict=True):
        inside = not inside
        found.append((fence if inside else "prose", content))
    return found


def shell_commands(text: str) -> list[str]:
    """Commands in fenced blocks without a language, and inline ones that are complete, in their order."""
    found: list[str] = []
    for kind, content in blocks(text):
        if kind == "prose":
            found += re.findall(r"`((?:python|accelerate launch trainers/|iemomecp --)[^`]+)`", content)
        elif kind == "":
            lines = [line.split("  #")[0].strip() for line in re.sub(r"\\\n\s*", "", content).splitlines()]
            found += [line for line in lines if re.match(r"(git|make|source|python|accelerate|iemomecp|pip)\b", line)]
    return [command for command in dict.fromkeys(found) if "…" not in command]


def split_columns(line: str) -> list[str]:
    """Commands of one line: the README puts two make targets beside each other."""
    return re.split(r"\s{4,}", line)


def write_ecf(folder: Path) -> None:
    """ECF's layout with invented dialogues."""
    folder.mkdir(parents=True)
    emotions = ("joy", "neutral", "anger", "sadness", "surprise", "neutral")
    for split, ids in (("train", range(1, 13)), ("dev", range(13, 17)), ("test", range(17, 21))):
        lines = []
        for dialogue in ids:
            lines += [f"{dialogue} 6", "(1,1),(3,2),(4,3),(5,5)"]
            lines += [
                f"{turn} | Ann{turn % 2} | {emotion} | It is {emotion} number {dialogue} of {split} at turn {turn} . | "
                f"Made_S1E{dialogue}: 00:00:{turn:02d}.000 - 00:00:{turn:02d}.900"
                for turn, emotion in enumerate(emotions, start=1)
            ]
        (folder / f"{split}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory, repository: Path, small_dir: Path, tiny_encoder: Path) -> Path:
    """A folder that looks like the clone of a user who has data and an encoder."""
    from iemomecp_dataset.features.encoders.tiny_models import write_tiny_speech_encoder
    from iemomecp_dataset.synthetic import write_ecem, write_meld

    folder = tmp_path_factory.mktemp("readme")
    for name in ("scripts", "trainers", "benchmark", "docs"):
        (folder / name).symlink_to(repository / name)
    (folder / "local_data").symlink_to(small_dir)
    write_ecf(folder / "path" / "to" / "ecf")
    write_meld(folder / "path" / "to" / "meld", dialogues={"train": 8, "validation": 3, "test": 3}, features=False)
    write_ecem(folder / "path" / "to" / "ecem")
    (folder / "path" / "to" / "encoder").symlink_to(tiny_encoder)
    (folder / "path" / "to" / "IEMOCAP").symlink_to(small_dir / "IEMOCAP")
    (folder / "path" / "to" / "ECPEC").symlink_to(small_dir / "ECPEC")
    write_tiny_speech_encoder(folder / "path" / "to" / "speech-encoder")
    cached = folder / "hub" / "models--FacebookAI--roberta-base"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text("0" * 40)
    (cached / "snapshots").mkdir()
    (cached / "snapshots" / ("0" * 40)).symlink_to(tiny_encoder)
    # What the README's `printf` writes.
    (folder / "chat.txt").write_text("Ana: We missed the last train.\nBen: Oh no, not again!\n", encoding="utf-8")
    (folder / "site").mkdir()
    (folder / "site" / "sitecustomize.py").write_text(ONE_EPOCH)
    return folder


@pytest.fixture(scope="module")
def environment(workplace: Path, repository: Path) -> dict[str, str]:
    return {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": f"{workplace / 'site'}:{repository}",
        "HF_HUB_CACHE": str(workplace / "hub"),
        "OMP_NUM_THREADS": "1",
    }


@pytest.fixture(scope="module")
def forking_environment(workplace: Path, environment: dict[str, str]) -> dict[str, str]:
    """The same, with programs that need not import torch and transformers: they take seconds of every command."""
    programs = workplace / "programs"
    programs.mkdir()
    (programs / "python").symlink_to(forked_python.executable())
    for name in ("accelerate", "iemomecp"):
        lines = (Path(sys.executable).parent / name).read_text(encoding="utf-8").splitlines()
        (programs / name).write_text("\n".join([f"#!{programs / 'python'}", *lines[1:]]), encoding="utf-8")
        (programs / name).chmod(0o755)
    return {**environment, "PATH": f"{programs}:{environment['PATH']}"}


@pytest.mark.slow
def test_every_command_of_the_readme_runs(
    repository: Path, workplace: Path, environment: dict[str, str], forking_environment: dict[str, str]
) -> None:
    text = (repository / "README.md").read_text(encoding="utf-8")
    commands = [part for line in shell_commands(text) for part in split_columns(line)]
    to_run = [command for command in commands if not command.startswith(tuple(ELSEWHERE))]
    to_run.sort(key=lambda command: "runs/x/" in command)  # needs a finished run, which comes further down the page
    assert len(to_run) >= 12, to_run
    failed, programs = {}, set()
    for command in to_run:
        program = command.split()[0]
        env = forking_environment if program in programs else environment
        programs.add(program)
        if "runs/x/" in command and not (workplace / "runs" / "x").exists():
            (workplace / "runs" / "x").symlink_to(workplace / "runs" / "rpcl-tav-42")
        done = subprocess.run(
            ["bash", "-c", command], cwd=workplace, env=env, capture_output=True, text=True, check=False
        )
        if done.returncode:
            failed[command] = done.stderr[-1500:]
    assert not failed, "\n\n".join(f"{command}\n{message}" for command, message in failed.items())


@pytest.mark.slow
def test_python_of_the_readme_runs(repository: Path, workplace: Path, environment: dict[str, str]) -> None:
    text = (repository / "README.md").read_text(encoding="utf-8")
    code = "\n".join(content for kind, content in blocks(text) if kind == "python")
    done = forked_python.run("-c", code, cwd=workplace, env=environment)
    assert done.returncode == 0, done.stderr


def test_make_targets_exist(repository: Path) -> None:
    makefile = (repository / "Makefile").read_text()
    for page in ("README.md", "CONTRIBUTING.md"):
        text = (repository / page).read_text(encoding="utf-8")
        named = {
            target for line in re.findall(r"\bmake ((?:[a-z-]+ ?)+)(?:`|$|  )", text, re.M) for target in line.split()
        }
        assert named, page
        for target in named:
            assert re.search(rf"^{target}:", makefile, re.M), f"{page} names `make {target}`"
