"""Commands that are damaged before a file event and started again: what comes out must be equal, to the bit.

    python tests/crash/crash_trials.py                                  # every command, every event; make crash
    python tests/crash/crash_trials.py --commands isolated --damages power --events 12

A trial runs a command in a folder of its own until the damage (``watched/sitecustomize.py`` says which there are), then
the same command again without damage, and compares all files with those of a command that nothing happened to. The
caches are new in each trial, and watched as well.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
if __name__ == "__main__":
    sys.path[:0] = [str(ROOT / "tests" / "processes"), str(ROOT / "tests" / "cases"), str(ROOT)]

import forked_python  # noqa: E402  # found only now, where this file is the program

__all__ = ["COMMANDS", "DAMAGES", "Command", "Trial", "file_events", "run_trial", "sample", "write_inputs"]

DAMAGES = ("kill", "power", "full", "cut")
SCORER = {
    "hidden_size": 16, "num_heads": 2, "num_layers": 1, "pair_size": 8, "bilinear_size": 4, "epochs": 2, "patience": 2,
    "batch_size": 8, "max_tokens": 16, "dropout": 0.3, "checkpoint_steps": 3, "seed": 1,
}  # fmt: skip
# What two equal runs do not share, in results.json, log.jsonl and the table of a cross-validation.
CHANGING = {"run_name", "wall_seconds", "peak_memory_mb", "git_revision", "seconds", "minutes", "seconds_of_sending",
            "sent_by_this_start", "answered_in_this_start", "cache_hits_of_this_start"}  # fmt: skip
_SPLITS = {"train": 6, "validation": 2, "test": 2}


@dataclass(frozen=True)
class Command:
    """A command that writes.

    Attributes:
        program: The script, from the root of the repository, or ``-m`` and a module.
        arguments: Gives its arguments from the folder of inputs and the folder to write to.
        before: Fills the folder of a trial first.
        damages: What can happen to it: not ``power`` where it starts processes, whose syncs are not seen.
        whole: Patterns of the files that are written in one piece: after the damage each of them is the earlier one or
            the new one, and none of the earlier ones is missing.
        marks: By file: patterns of what must be there, and new, where the new one of that file is there.
        together: A folder that after the damage is the earlier one or the new one, all files of it.
    """

    program: tuple[str, ...]
    arguments: Callable[[Path, Path], Mapping[str, object]]
    before: Callable[[Path, Path], object] = field(default=lambda inputs, output: None)
    damages: tuple[str, ...] = DAMAGES
    whole: tuple[str, ...] = ()
    marks: Mapping[str, str] = field(default_factory=dict)
    together: str = ""

    def line(self, inputs: Path, output: Path) -> list[str]:
        """Program and arguments."""
        words = list(self.program)
        for name, value in self.arguments(inputs, output).items():
            words += [name] if value is True else [name, *map(str, value if isinstance(value, list) else [value])]
        return words


@dataclass(frozen=True)
class Trial:
    """What a trial came to.

    Attributes:
        command: The command's name.
        damage: What happened to it.
        event: Before which event.
        outcome: ``same``: the second start ended with equal files, as it must; or what is wrong. ``refused``: it ended
            with exit code 2, which is wrong too, and is counted apart.
        said: What both starts printed, where something is wrong.
    """

    command: str
    damage: str
    event: int
    outcome: str
    said: str = ""

    @property
    def fine(self) -> bool:
        """Whether the second start ended with equal files."""
        return self.outcome == "same"


def _train(trainer: str, **options: object) -> Command:
    def arguments(inputs: Path, output: Path) -> dict[str, object]:
        values = {name: value(inputs) if callable(value) else value for name, value in options.items()}
        return {**{f"--{name}": value for name, value in values.items()}, "--output_dir": output / "run"}

    return Command(
        (f"trainers/{trainer}.py",), arguments,
        whole=("run/model/*", "run/*.parquet", "run/config.yaml", "run/results.json"),
        marks={"run/results.json": "run/*"},
    )  # fmt: skip


def _of_pairs(**options: object) -> dict[str, object]:
    return {
        "data_dir": lambda inputs: inputs / "corpus", "text_encoder": lambda inputs: inputs / "encoder",
        "config_name": "3class", **SCORER, **options,
    }  # fmt: skip


def _of_emotions(**options: object) -> dict[str, object]:
    return {name: value for name, value in _of_pairs(**options).items() if name not in ("pair_size", "bilinear_size")}


def _old_build(inputs: Path, output: Path) -> None:
    shutil.copytree(inputs / "old build", output / "built")


def _build(**options: object) -> Callable[[Path, Path], Mapping[str, object]]:
    return lambda inputs, output: {"--data-dir": inputs / "corpus", "--output-dir": output / "built", **options}


def _earlier(name: str) -> Callable[[Path, Path], object]:
    return lambda inputs, output: (output / name).write_text("of an earlier command\n", encoding="utf-8")


COMMANDS: dict[str, Command] = {
    "dialogue": _train("fusion", **_of_pairs(objective="rpcl", modalities="tav", encoder_mode="frozen")),
    "isolated": _train("fusion", **_of_pairs(scorer="isolated", modalities="ta", batch_size=512)),
    "ecerc": _train("ecerc", **_of_emotions(modalities="ta", train_folds=2, epochs=1)),
    "explain": _train(
        "explain",
        data_dir=lambda inputs: inputs / "explained",
        language_model=lambda inputs: inputs / "language model",
        config_name="ecem", tuning="full", context_turns=2, epochs=2, batch_size=4, max_new_tokens=4, seed=1,
        checkpoint_steps=2,
    ),
    "extract": Command(("scripts/extract_features.py",),
        lambda inputs, output: {
            "--data_dir": inputs / "corpus", "--modality": "text", "--model": inputs / "encoder", "--limit": 40,
            "--shard_size": 8, "--batch_size": 8, "--device": "cpu", "--output_dir": output / "store",
        },
        whole=("store/[!.]*",),
        marks={"store/index.parquet": "store/*"},
    ),
    "build": Command(("scripts/build_from_sources.py",), _build(), together="built"),
    "rebuild": Command(("scripts/build_from_sources.py",), _build(), before=_old_build, together="built"),
    "build json": Command(("scripts/build_from_sources.py",), _build(**{"--format": "json"}), together="built"),
    "matrix": Command(("scripts/launch_baseline_matrix.py",),
        lambda inputs, output: {
            **{f"--{name}": value for name, value in SCORER.items() if name != "seed"},
            "--data_dir": inputs / "corpus", "--text_encoder": inputs / "encoder", "--seeds": [1, 2], "--epochs": 1,
            "--objectives": "base", "--runs_dir": output / "runs", "--slots": 2, "--retry_failed": True,
        },
        damages=("kill", "full"),
        whole=("*/results.json",),
    ),
    "cross-validate": Command(("scripts/cross_validate.py",),
        lambda inputs, output: {
            **{f"--{name}": value for name, value in SCORER.items() if name != "seed"},
            "--data_dir": inputs / "corpus", "--text_encoder": inputs / "encoder", "--seeds": 1, "--epochs": 1,
            "--folds": 2, "--runs_dir": output / "runs", "--slots": 2, "--retry_failed": True,
        },
        damages=("kill", "full"),
        whole=("*/folds.json", "*/results.json", "*/cross_validation.*"),
    ),
    # Its answers are kept outside of what is compared: a database has no equal bytes.
    "llm": Command(("trainers/llm.py",),
        lambda inputs, output: {
            "--data_dir": inputs / "corpus", "--backend": "transformers", "--model": inputs / "chat model",
            "--limit": 1, "--max_new_tokens": 24, "--cache_dir": inputs / "answers", "--device": "cpu",
            "--output_dir": output / "run",
        },
        whole=("run/*.parquet", "run/answers.jsonl", "run/prompt.yaml", "run/results.json"),
        marks={"run/results.json": "run/*"},
    ),
    "predict": Command(("-m", "iemomecp_dataset", "predict"),
        lambda inputs, output: {
            str(inputs / "chat.txt"): True, "--model": inputs / "model run", "--output": output / "pairs.jsonl",
        },
        before=_earlier("pairs.jsonl"),
        whole=("pairs.jsonl",),
    ),
    "predict many": Command(("-m", "iemomecp_dataset", "predict"),
        lambda inputs, output: {
            str(inputs / "talks.jsonl"): True, "--model": inputs / "model run", "--output": f"{output / 'pairs'}/",
        },
        whole=("pairs/chunk-*", "pairs/index.parquet", "pairs/README.md", "pairs/prediction.json"),
        marks={"pairs/prediction.json": "pairs/*"},
    ),
    "predict joined": Command(("-m", "iemomecp_dataset", "predict"),
        lambda inputs, output: {
            str(inputs / "talks.jsonl"): True, "--model": inputs / "model run", "--output": output / "pairs.csv",
            "--skip-broken": True,
        },
        before=_earlier("pairs.csv"),
        whole=("pairs.csv", "pairs.csv.skipped.jsonl"),
    ),
    "evaluate": Command(("scripts/evaluate_predictions.py",),
        lambda inputs, output: {
            str(inputs / "model run" / "predictions_test.parquet"): True, "--data-dir": inputs / "corpus",
            "--split": "test", "--output": output / "scores.csv",
        },
        before=lambda inputs, output: shutil.copy(inputs / "old scores.csv", output / "scores.csv"),
        whole=("scores.csv*",),
    ),
    "ensemble": Command(("scripts/ensemble.py",),
        lambda inputs, output: {
            str(inputs / "model run"): True, str(inputs / "other run"): True, "--output": output / "mean",
        },
        together="mean",
    ),
    "report": Command(("scripts/report.py",),
        lambda inputs, output: {str(inputs / "model run"): True, "--output": output / "report.html"},
        before=_earlier("report.html"),
        whole=("report.html",),
    ),
}  # fmt: skip
"""The commands, by name."""


def write_inputs(folder: Path) -> None:
    """Writes what the commands read: synthetic corpora, models with random weights, a finished run, an old build.

    Args:
        folder: The folder.
    """
    from small_scale import small_scale
    from tiny_chat_model import saved_chat_model

    from iemomecp_dataset.commands.synthetic import write_encoder, write_language_model
    from iemomecp_dataset.synthetic import write_corpus, write_ecem

    with small_scale() as scale:
        write_corpus(folder / "corpus", scale=scale)
    write_encoder(folder / "corpus", folder / "encoder", hidden_size=16, num_layers=1)
    write_ecem(folder / "explained", dialogues=_SPLITS)
    write_language_model(folder / "explained", folder / "language model", hidden_size=16, num_layers=1, vocab_size=300)
    saved_chat_model(folder / "chat model")
    (folder / "chat.txt").write_text("Ann: We won the match!\nBob: I am so glad.\nAnn: So am I.\n", encoding="utf-8")
    talk = {"utterances": [{"speaker": "Ann", "text": "We won!"}, {"speaker": "Bob", "text": "I am so glad."}]}
    # Of two chunks.
    (folder / "talks.jsonl").write_text(f"{json.dumps(talk)}\n" * 2100, encoding="utf-8")
    first, environment = folder / "first", _environment(folder)
    _complete(_train("fusion", **_of_pairs(modalities="t")).line(folder, first), environment)
    (first / "run").rename(folder / "model run")
    _complete(_train("fusion", **_of_pairs(modalities="t", seed=2)).line(folder, first), environment)
    (first / "run").rename(folder / "other run")
    # Of another rule, so that it differs from the new one.
    _complete([*COMMANDS["build"].line(folder, first), "--forward-pairs", "gold"], environment)
    (first / "built").rename(folder / "old build")
    _complete([*COMMANDS["evaluate"].line(folder, first), "--threshold", "0.9"], environment)
    (first / "scores.csv").rename(folder / "old scores.csv")
    shutil.rmtree(first, ignore_errors=True)


def file_events(command: str, inputs: Path, workspace: Path) -> tuple[list[str], dict[str, object]]:
    """Runs a command without damage.

    Args:
        command: Its name.
        inputs: The folder of :func:`write_inputs`.
        workspace: A folder of its own, which is emptied.

    Returns:
        Its file events, and the contents of what it wrote.
    """
    record = workspace.with_name(f"{workspace.name}.events")
    record.unlink(missing_ok=True)
    code, said = _start(command, inputs, workspace, {"event": 0, "damage": "", "record": str(record)}, fresh=True)
    assert code == 0, said
    return record.read_text(encoding="utf-8").splitlines(), contents(workspace)


def run_trial(
    command: str, damage: str, event: int, inputs: Path, workspace: Path, expected: Mapping[str, object]
) -> Trial:
    """Damages a command and starts it again.

    Args:
        command: Its name.
        damage: One of :data:`DAMAGES`.
        event: Before which event, counted from 1.
        inputs: The folder of :func:`write_inputs`.
        workspace: A folder of its own, which is emptied.
        expected: The contents that :func:`file_events` gave.

    Returns:
        What it came to.
    """
    code, first = _start(command, inputs, workspace, {"event": event, "damage": damage, "record": ""}, fresh=True)
    wrong = _wrong_end(damage, code, first) or _wait_for_its_processes(workspace)
    if not wrong:
        left = contents(workspace)
        wrong = _half(COMMANDS[command], left, _contents_before(command, inputs, workspace), expected)
        if not wrong and code == 0:
            # Caches can do without what could not be written, and nothing else can.
            wrong = _differences(left, expected)
    code, second = _start(command, inputs, workspace, None)
    said = "\n--- again ---\n".join(re.sub(r".*%\|.*\n?", "", text) for text in (first, second))
    if not wrong and "Traceback" in second:
        wrong = "traceback when started again"
    if not wrong and code:
        wrong = "refused" if code == 2 else f"exit code {code} when started again"
    if not wrong:
        wrong = _differences(contents(workspace), expected)
    return Trial(command, damage, event, wrong or "same", said if wrong else "")


def sample(events: Sequence[str], count: int, seed: str) -> list[int]:
    """Chooses events: some of each kind and place, whatever their number; of several the last is one.

    Args:
        events: All events.
        count: How many to choose.
        seed: What the choice depends on.

    Returns:
        Numbers from 1, in order.
    """
    import random

    chance = random.Random(seed)
    kinds: dict[str, list[int]] = {}
    for number, event in enumerate(events, start=1):
        kinds.setdefault(re.sub(r"\.[0-9a-f]{8}\.|[0-9]+", "#", event), []).append(number)
    order = [chance.choice(numbers) for numbers in chance.sample(list(kinds.values()), len(kinds))]
    if count > 1:  # after it nothing is written again: what is not whole then is not noticed by the command itself
        order = [len(events), *(number for number in order if number != len(events))]
    return sorted(order[:count])


def contents(workspace: Path) -> dict[str, object]:
    """Reads what a command wrote.

    Args:
        workspace: The folder of the trial.

    Returns:
        By path below it: the content, without times and without the path of the folder itself.
    """
    output = workspace / "output"
    found: dict[str, object] = {}
    for path in sorted(output.rglob("*")):
        name = str(path.relative_to(output))
        if path.is_dir():
            found[name] = "a folder"
        elif name.endswith(".lock") or "logs/" in name:
            found[name] = "its content may differ"
        elif path.name == "cross_validation.csv":
            rows = csv.DictReader(path.read_text(encoding="utf-8").splitlines())
            found[name] = [_without_times(row) for row in rows]
        elif path.name == "cross_validation.md":
            found[name] = path.read_text(encoding="utf-8").count("\n")  # minutes are among its cells
        elif path.suffix in (".json", ".jsonl"):
            text = path.read_text(encoding="utf-8").replace(str(workspace), "")
            try:
                found[name] = [_without_times(json.loads(line)) for line in text.splitlines()] \
                    if path.suffix == ".jsonl" else _without_times(json.loads(text))  # fmt: skip
            except ValueError:  # half of it
                found[name] = text
        else:
            found[name] = path.read_bytes().replace(str(workspace).encode(), b"")
    return found


def _without_times(content: Any) -> Any:
    if isinstance(content, dict):
        return {name: _without_times(value) for name, value in content.items() if name not in CHANGING}
    return [_without_times(value) for value in content] if isinstance(content, list) else content


def _contents_before(command: str, inputs: Path, workspace: Path) -> dict[str, object]:
    before = workspace.with_name(f"{workspace.name} before")
    shutil.rmtree(before, ignore_errors=True)
    (before / "output").mkdir(parents=True)
    COMMANDS[command].before(inputs, before / "output")
    return contents(before)


def _half(
    command: Command, left: Mapping[str, object], earlier: Mapping[str, object], expected: Mapping[str, object]
) -> str:
    """Says what of the files that damage left is neither the earlier one nor the new one."""
    if folder := command.together:
        found, *known = ({name: content for name, content in files.items() if f"{name}/".startswith(f"{folder}/")}
                            for files in (left, earlier, expected))  # fmt: skip
        if all(_differences(found, files) for files in known):
            return f"after the damage {folder} is neither the earlier one nor the new one: {sorted(found)}"
    for name in sorted(left.keys() | earlier.keys()):
        if not any(fnmatchcase(name, pattern) for pattern in command.whole):
            continue
        if name not in left or repr(left[name]) not in {
            repr(files[name]) for files in (earlier, expected) if name in files
        }:
            return f"after the damage {name} is neither the earlier one nor the new one"
    for mark, pattern in command.marks.items():
        if mark in left:
            needed = {name: content for name, content in expected.items() if fnmatchcase(name, pattern)}
            if wrong := _differences({name: left[name] for name in needed.keys() & left.keys()}, needed):
                return f"after the damage {mark} is there, and not all that it stands for: {wrong}"
    return ""


def _differences(found: Mapping[str, object], expected: Mapping[str, object]) -> str:
    if missing := sorted(expected.keys() - found.keys()):
        return f"missing: {', '.join(missing)}"
    if more := sorted(found.keys() - expected.keys()):
        return f"left over: {', '.join(more)}"
    # Compared as text, since NaN is not equal to itself.
    different = [name for name, content in expected.items() if repr(found[name]) != repr(content)]
    return f"different: {', '.join(different)}" if different else ""


def _wrong_end(damage: str, code: int, said: str) -> str:
    if "Traceback" in said:
        return "traceback"
    if damage in ("kill", "power"):
        # A command that catches nothing cannot survive; one that ends before has fewer events than were counted.
        return "" if code in (-signal.SIGKILL, 0) else f"exit code {code} in place of the damage"
    if code == 2:
        cause = {"full": "No space left on device", "cut": "File too large"}[damage]
        return "" if cause in said else "the cause is not said"
    return "" if code == 0 else f"exit code {code}"


def _wait_for_its_processes(workspace: Path, seconds: float = 240.0) -> str:
    """Waits until no process has a file of a trial open: those that a killed command started go on for a while."""
    deadline = time.monotonic() + seconds
    while any(_opened_by(process, workspace) for process in Path("/proc").glob("[0-9]*")):
        if time.monotonic() > deadline:
            return "a process that it started does not end"
        time.sleep(0.1)
    return ""


def _opened_by(process: Path, workspace: Path) -> bool:
    with suppress(OSError):  # it has ended, or is another user's
        return any(str(file.readlink()).startswith(f"{workspace}/") for file in (process / "fd").iterdir())
    return False


def _start(
    command: str, inputs: Path, workspace: Path, plan: dict[str, object] | None, *, fresh: bool = False
) -> tuple[int, str]:
    output, caches = workspace / "output", workspace / "cache"
    if fresh:
        with suppress(FileNotFoundError):
            shutil.rmtree(workspace)
        output.mkdir(parents=True)
        caches.mkdir()
        COMMANDS[command].before(inputs, output)
    environment = _environment(workspace)
    if plan is not None:
        environment["FILE_EVENTS"] = json.dumps({"watched": [str(output), str(caches)], **plan})
        watched = str(ROOT / "tests" / "processes" / "watched")
        environment["PYTHONPATH"] = os.pathsep.join([watched, *environment.get("PYTHONPATH", "").split(os.pathsep)])
    # Through a pipe: what it prints is no file that could be cut.
    pipe = workspace.with_name(f"{workspace.name}.printed")
    pipe.unlink(missing_ok=True)
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as reader:
        printed = reader.submit(pipe.read_text, encoding="utf-8")
        process = forked_python.start(*COMMANDS[command].line(inputs, output), cwd=ROOT, env=environment, output=pipe)
        return process.wait(300), printed.result()


def _environment(workspace: Path) -> dict[str, str]:
    return {
        **os.environ, "HF_DATASETS_CACHE": str(workspace / "cache" / "datasets"), "OMP_NUM_THREADS": "1",
        "IEMOMECP_CACHE": str(workspace / "cache" / "iemomecp"), "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    }  # fmt: skip


def _complete(line: list[str], environment: dict[str, str]) -> None:
    done = forked_python.run(*line, cwd=ROOT, env=environment)
    assert done.returncode == 0, done.stderr


def _tables(trials: Iterable[Trial], events: Mapping[str, int]) -> str:
    by_row: dict[tuple[str, str], Counter[str]] = {}
    for trial in trials:
        kind = trial.outcome if trial.outcome in ("same", "refused") else "wrong"
        by_row.setdefault((trial.command, trial.damage), Counter())[kind] += 1
    lines = [f"{'command':<12} {'damage':<7} {'events':>6} {'tried':>6} {'same bits':>9} {'refused':>7} {'wrong':>6}"]
    for (command, damage), count in by_row.items():
        lines.append(
            f"{command:<12} {damage:<7} {events[command]:>6} {count.total():>6} {count['same']:>9} "
            f"{count['refused']:>7} {count['wrong']:>6}"
        )
    return "\n".join(lines)


def main() -> int:
    """Runs the trials that were asked for and prints what they came to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--commands", nargs="+", choices=COMMANDS, default=list(COMMANDS))
    parser.add_argument("--damages", nargs="+", choices=DAMAGES, default=list(DAMAGES))
    parser.add_argument("--events", type=int, default=0, help="events of each command to choose (default: all)")
    parser.add_argument("--jobs", type=int, default=2, help="trials at once (default: %(default)s)")
    parser.add_argument("--inputs", type=Path, help="folder for the inputs, kept for the next time")
    options = parser.parse_args()
    from tqdm import tqdm

    with tempfile.TemporaryDirectory(prefix="crash-") as name:
        folder = Path(name)
        inputs = options.inputs or folder / "inputs"
        if not (inputs / "old scores.csv").is_file():
            write_inputs(inputs)
        known = {command: file_events(command, inputs, folder / "whole") for command in options.commands}
        plan = [
            (command, damage, event)
            for command, (events, _) in known.items()
            for damage in options.damages if damage in COMMANDS[command].damages
            for event in (sample(events, options.events, f"{command} {damage}") if options.events
                          else range(1, len(events) + 1))
        ]  # fmt: skip

        def run(one: tuple[str, str, int]) -> Trial:
            # One folder for each thread: a path is part of what a run records.
            return run_trial(*one, inputs, folder / f"job {threading.get_ident()}", known[one[0]][1])

        trials: list[Trial] = []
        with ThreadPoolExecutor(options.jobs) as pool, tqdm(total=len(plan), unit="trial", disable=None) as bar:
            try:
                for trial in pool.map(run, plan):
                    trials.append(trial)
                    bar.update()
                    if not trial.fine:
                        event = known[trial.command][0][trial.event - 1]
                        bar.write(
                            f"{trial.command}, {trial.damage} before event {trial.event} ({event}): {trial.outcome}"
                        )
                        if os.environ.get("CRASH_VERBOSE"):
                            bar.write(trial.said)
            except KeyboardInterrupt:
                pool.shutdown(cancel_futures=True)
                bar.write(f"interrupted after {len(trials)} of {len(plan)} trials")
    print(_tables(trials, {command: len(events) for command, (events, _) in known.items()}))
    return int(len(trials) < len(plan) or not all(trial.fine for trial in trials))


if __name__ == "__main__":
    sys.exit(main())
