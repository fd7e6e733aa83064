"""Every command of the README, and of the pages that follow it, runs as it is written, in a folder with the names used.

Four things stand in for what a test must not need: ``demo_output`` holds a small corpus and a tiny random encoder, the
folder of the Hub's cache holds that encoder under the name of RoBERTa, every training ends after one epoch, and but for
the first command of each kind ``python``, ``accelerate`` and ``iemomecp`` are forks of a process that has imported the
large libraries.
"""

from __future__ import annotations

import json
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
    "iemomecp evaluate demo_output/runs/": "runs of the demo; tests/iemomecp_dataset/commands/test_demo.py makes them",
    "iemomecp fetch": "needs the network; tests/scripts/test_fetch_labels.py has a server of its own",
    "iemomecp diagnose attention-bridge": "a run of ECERC; tests/iemomecp_dataset/commands/test_diagnose.py has one",
}
PAGES = ("README.md", "docs/quickstart.md", "docs/training.md", "docs/report.md")
"""In the order in which a newcomer reads them."""
ONE_EPOCH = """
from iemomecp_dataset.registration import after_import

def one_epoch(loop):
    loop._LoopState.goes_on = property(lambda state: state.progress.epoch < 1)

after_import("iemomecp_dataset.trainers.training.loop", "fit", one_epoch)
"""


def blocks(text: str) -> list[tuple[str, str]]:
    """Language and content of each fenced block; of what lies between, an empty language and ``prose``."""
    parts = re.split(r"^ *```(\w*)$", text, flags=re.M)
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


def write_reccon(folder: Path) -> None:
    """RECCON's layout with invented dialogues; its test file is left out."""
    folder.mkdir(parents=True)
    evidence = "expanded emotion cause evidence"
    for split, ids in (("train", range(1, 7)), ("valid", range(7, 9))):
        dialogues = {
            f"{split}_{dialogue}": [
                [
                    {"turn": 1, "speaker": "A", "utterance": f"Letter {dialogue} came .", "emotion": "neutral"},
                    {
                        "turn": 2,
                        "speaker": "B",
                        "utterance": f"I like {dialogue} .",
                        "emotion": "happiness",
                        evidence: [1],
                    },
                ]
            ]
            for dialogue in ids
        }
        (folder / f"dailydialog_{split}.json").write_text(json.dumps(dialogues), encoding="utf-8")


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory, repository: Path, small_dir: Path, tiny_encoder: Path) -> Path:
    """A folder that looks like the clone of a user who has data and an encoder."""
    from iemomecp_dataset.features.encoders.tiny_models import write_tiny_speech_encoder
    from iemomecp_dataset.synthetic import write_ecem, write_meld

    folder = tmp_path_factory.mktemp("readme")
    for name in ("scripts", "trainers", "benchmark", "docs"):
        (folder / name).symlink_to(repository / name)
    (folder / "local_data").symlink_to(small_dir)
    (folder / "demo_output").mkdir()
    (folder / "demo_output" / "data").symlink_to(small_dir)
    (folder / "demo_output" / "encoder").symlink_to(tiny_encoder)
    (folder / "demo_output" / "conversation.txt").write_text("F: I lost it.\nM: Oh no, not again!\n", encoding="utf-8")
    write_ecf(folder / "path" / "to" / "ecf")
    write_reccon(folder / "path" / "to" / "reccon")
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
def test_every_command_and_all_python_of_the_pages_run(
    repository: Path, workplace: Path, environment: dict[str, str], forking_environment: dict[str, str]
) -> None:
    failed, programs, n_run = {}, set(), 0
    for page in PAGES:
        code = ""
        for kind, content in blocks((repository / page).read_text(encoding="utf-8")):
            if kind == "python":
                # Later blocks use names of earlier ones.
                code += content
                done = forked_python.run("-c", code, cwd=workplace, env=environment)
                if done.returncode:
                    failed[f"{page}: {content}"] = done.stderr[-1500:]
                continue
            fence = "" if kind == "prose" else f"```{kind}\n"
            commands = shell_commands(f"{fence}{content}{fence and '```'}")
            for command in [part for line in commands for part in split_columns(line)]:
                if command.startswith(tuple(ELSEWHERE)):
                    continue
                program = command.split()[0]
                env = forking_environment if program in programs else environment
                programs.add(program)
                n_run += 1
                done = subprocess.run(
                    ["bash", "-c", command], cwd=workplace, env=env, capture_output=True, text=True, check=False
                )
                if done.returncode:
                    failed[f"{page}: {command}"] = done.stderr[-1500:]
    assert not failed, "\n\n".join(f"{what}\n{message}" for what, message in failed.items())
    assert n_run >= 15


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
