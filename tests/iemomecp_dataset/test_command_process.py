"""How the process of a command ends, and what it prints besides its result."""

from __future__ import annotations

import errno
import logging
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from iemomecp_dataset.command_line import option, read_options
from iemomecp_dataset.command_process import run_command
from iemomecp_dataset.errors import UsageError


@dataclass(frozen=True)
class Named:
    """An option."""

    name: str = option("x", "A name.")


@pytest.mark.parametrize(
    ("result", "code", "printed"),
    [
        (None, 0, ""),
        (1, 1, ""),
        (UsageError("no"), 2, "error: no\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
    ],
)
def test_exit_codes(
    result: int | BaseException | None, code: int, printed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def main() -> int | None:
        if isinstance(result, BaseException):
            raise result
        return result

    with pytest.raises(SystemExit) as exit_:
        run_command(main)
    assert exit_.value.code == code
    assert capsys.readouterr().err == printed


def test_a_defect_keeps_its_traceback_and_has_an_exit_code_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        run_command(lambda: 1 // 0)
    assert exit_.value.code == 70
    printed = capsys.readouterr().err
    assert printed.startswith("Traceback (most recent call last):\n")
    assert printed.splitlines()[-1].startswith("ZeroDivisionError: ")


def test_a_traceback_that_is_asked_for_leaves_message_and_exit_code(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def main() -> int:
        raise UsageError("Give --data-dir.")

    monkeypatch.setenv("IEMOMECP_TRACEBACK", "1")
    with pytest.raises(SystemExit) as exit_:
        run_command(main)
    assert exit_.value.code == 2
    first, *_, last = capsys.readouterr().err.splitlines()
    assert (first, last) == ("Traceback (most recent call last):", "error: Give --data-dir.")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "runs/x/log.jsonl"),
            "runs/x/log.jsonl: cannot be written (No space left on device). Make space there and start the same "
            "command again, or choose another place.",
        ),
        (
            PermissionError(errno.EACCES, "Permission denied", "data/train.json"),
            "data/train.json: cannot be opened (Permission denied). Check the place and its rights, or choose another.",
        ),
        (
            MemoryError("Unable to allocate 3.7 TiB"),
            "The memory of this machine does not suffice (Unable to allocate 3.7 TiB). Make the sizes that are given "
            "by options smaller, or use a machine with more.",
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_place_or_a_memory_that_refuses_is_no_defect(
    error: Exception, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def main() -> int:
        raise error

    with pytest.raises(SystemExit) as exit_:
        run_command(main)
    assert exit_.value.code == 2
    assert capsys.readouterr().err == f"error: {message}\n"


PRINTS = r"""
import sys
from iemomecp_dataset.command_process import run_command

def main():
    print("It\u2019s \u2265 \u00e9")
    print("\u2192 \ud83d", file=sys.stderr)

run_command(main)
"""


@pytest.mark.parametrize("buffered", ["", "1"])
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_standard_output_is_one_sentence(buffered: str) -> None:
    environment = {**os.environ, "PYTHONUNBUFFERED": buffered}
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-c", PRINTS], stdout=full, stderr=subprocess.PIPE, text=True, env=environment, check=False
        )
    assert done.returncode == 2
    said = "error: standard output: cannot be written (No space left on device). Make space there and start the same"
    assert done.stderr.splitlines()[-1] == f"{said} command again, or choose another place."
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("settings", "printed"),
    [
        ({"PYTHONIOENCODING": "iso8859_1"}, b"It\\u2019s \\u2265 \xe9\n"),
        ({"PYTHONIOENCODING": "ascii"}, b"It\\u2019s \\u2265 \\xe9\n"),
        ({"PYTHONIOENCODING": "cp1252"}, b"It\x92s \\u2265 \xe9\n"),
        ({"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}, b"It\\u2019s \\u2265 \\xe9\n"),
        ({"PYTHONIOENCODING": "utf-8"}, "It\u2019s \u2265 \u00e9\n".encode()),
        ({"PYTHONIOENCODING": "ascii:replace"}, b"It?s ? ?\n"),
    ],
    ids=str,
)
def test_a_character_that_a_terminal_lacks_is_printed_as_its_escape(settings: dict[str, str], printed: bytes) -> None:
    others = ("LC_", "LANG", "PYTHONIO")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(others)}
    done = subprocess.run(
        [sys.executable, "-c", PRINTS], capture_output=True, env={**environment, **settings}, check=False
    )
    assert (done.returncode, done.stdout) == (0, printed)
    assert b"\\ud83d" in done.stderr or settings.get("PYTHONIOENCODING") == "ascii:replace"


MESSAGES = """
import logging, os, sys
from dataclasses import dataclass
from iemomecp_dataset.command_line import option, read_options
from iemomecp_dataset.command_process import run_command

@dataclass(frozen=True)
class Options:
    OWN

def main():
    read_options(Options, sys.argv[1:], command="x", description=None)
    from tqdm import tqdm
    from iemomecp_dataset.progress import bars_hidden
    for _ in tqdm([1], desc="plain"):
        pass
    for _ in tqdm([1], desc="terminal alone", disable=bars_hidden() or False):
        pass
    logger = logging.getLogger("iemomecp_dataset.trainers.run")
    logger.debug("a detail")
    logger.info("a note")
    logger.warning("a warning")
    print("the result")

run_command(main)
"""


@pytest.mark.parametrize("own", ["name: str = option('x', 'A name.')", "quiet: bool = option(False, 'No bars.')"])
@pytest.mark.parametrize(
    ("flag", "bars", "expected"),
    [
        ([], True, ["a warning"]),
        (["--quiet"], False, ["a warning"]),
        (["--verbose"], True, [
            "DEBUG iemomecp_dataset.trainers.run: a detail",
            "INFO iemomecp_dataset.trainers.run: a note",
            "WARNING iemomecp_dataset.trainers.run: a warning",
        ]),
    ],
)  # fmt: skip
def test_every_command_can_be_quiet_or_verbose(own: str, flag: list[str], bars: bool, expected: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MESSAGES.replace("OWN", own), *flag], capture_output=True, text=True, check=True
    )
    assert done.stdout == "the result\n"
    assert ("plain" in done.stderr) == ("terminal alone" in done.stderr) == bars
    lines = [line for line in done.stderr.replace("\r", "\n").splitlines() if "%|" not in line]
    assert [line for line in lines if line.strip()] == expected


def test_what_a_command_sets_for_its_messages_ends_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    logger = logging.getLogger("iemomecp_dataset")
    seen: list[object] = []

    def main() -> None:
        read_options(Named, ["--quiet"], command="x", description=None)
        seen.extend((logger.level, os.environ["TQDM_DISABLE"]))

    monkeypatch.setenv("TQDM_DISABLE", "0")
    before = logger.level
    with pytest.raises(SystemExit):
        run_command(main)
    assert seen == [logging.WARNING, "1"]
    assert (logger.level, os.environ["TQDM_DISABLE"]) == (before, "0")
    # Without a command, as in a notebook, nothing is set.
    read_options(Named, ["--quiet"], command="x", description=None)
    assert os.environ["TQDM_DISABLE"] == "0"
