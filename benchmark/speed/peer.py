"""Seconds until a score is reached, beside a peer: our dialogue scorer and a user's own clone of HiLo, text alone.

Both train the same encoder from the first step, in batches of four dialogues, on one thread of the CPU. By default both
call a pair what has a probability of at least one half, which is HiLo's own rule. With the threshold that is best on
validation, as our runs choose theirs, our score there is higher by far, and HiLo has no such threshold: that is another
comparison, and its rows say so. Time runs from the start of the command, so that imports, reading and tokens count.
What is compared is processor time; wall time on a busy machine says little.

HiLo is not part of this package. Without a clone, ours is measured alone.
"""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from iemomecp_dataset.benchmark import peers
from iemomecp_dataset.benchmark.runs.log import read_epochs
from iemomecp_dataset.benchmark.speed.hilo_clone import check_clone
from iemomecp_dataset.benchmark.speed.measurement import SpeedRow, processor_seconds
from iemomecp_dataset.benchmark.speed.printed_course import PrintedCourse
from iemomecp_dataset.corpus import load_corpus
from iemomecp_dataset.errors import MissingDataError, TrainingError, UsageError
from iemomecp_dataset.files import make_folder

__all__ = ["HILO_BEST", "OurThreshold", "left_out", "run"]

OurThreshold = Literal["half", "best"]
"""How we decide: at a probability of one half, as HiLo does, or at the threshold that is best on validation."""

HILO_BEST = 49.1
"""Best Pair F1 of HiLo on ECF validation, after its epoch 11: text alone, MiniLM, one seed; in percent."""

_EPOCHS = 30
_BATCH = 4
_SECONDS_BETWEEN_LOOKS = 0.2
_LAUNCHER = Path(peers.__file__).resolve().parent / "launch_hilo.py"
_ONE_THREAD = {
    **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"), "1"),
    "TOKENIZERS_PARALLELISM": "false",
    "ACCELERATE_USE_CPU": "true",
    "CUDA_VISIBLE_DEVICES": "",
    "HF_HUB_OFFLINE": "1",
    # What a peer prints is timed as it comes.
    "PYTHONUNBUFFERED": "1",
}


class Taken(NamedTuple):
    """Seconds from the start of a command; NaN where the score was not reached."""

    processor: float
    wall: float


_NOT_REACHED = Taken(math.nan, math.nan)


def left_out(data_dir: str | None, encoder: str | None) -> str:
    """Why the subject cannot be measured, and what to give, in a sentence; empty where it can."""
    missing = {
        "--data-dir, the folder of ECF": data_dir is None,
        "--encoder, the folder of a text encoder": encoder is None,
    }
    if not any(missing.values()):
        return ""
    given = ", and ".join(what for what, is_missing in missing.items() if is_missing)
    return f"The subject peer is left out, since it trains a genuine encoder on genuine dialogues: give {given}."


def run(
    *,
    data_dir: str,
    encoder: str,
    clone: str | None = None,
    python: str | None = None,
    pair_f1: float = HILO_BEST,
    threshold: OurThreshold = "half",
    most_epochs: int = _EPOCHS,
    folder: Path | None = None,
    say: Callable[[str], None] = print,
) -> list[SpeedRow]:
    """Trains both, one after the other, until Pair F1 on ECF validation first reaches a score; then stops them.

    Args:
        data_dir: Folder of ECF.
        encoder: Folder of the text encoder.
        clone: Folder of a clone of HiLo, with an export of the same ECF in it; None to measure ours alone.
        python: Python of the clone's environment.
        pair_f1: The score, in percent.
        threshold: How we decide.
        most_epochs: Epochs after which ours is stopped all the same; the learning rate's course is that of 30.
        folder: Folder that keeps what both write; None for one that is deleted.
        say: Receives a line for each evaluation, and for what could not be measured.

    Returns:
        Processor time and wall time to the score; NaN where it was not reached or nothing was measured.

    Raises:
        MissingDataError: A folder is missing.
        UsageError: The clone would train on something else, or its Python is missing.
        TrainingError: Our training failed.
    """
    command = None
    if clone is None and python is not None:
        raise UsageError(f"--hilo-python {python} is given without --hilo-clone, the folder of the clone it is for.")
    with tempfile.TemporaryDirectory() as made:
        folder = folder or Path(made)
        make_folder(folder)
        corpus = load_corpus("ecf", _folder("--data-dir", data_dir))
        if "validation" not in corpus.rows:
            raise UsageError(f"{data_dir} has no validation split, on which the score is to be reached.")
        text_encoder = _folder("--encoder", encoder)
        if clone is not None:
            gold = check_clone(_folder("--hilo-clone", clone), corpus, text_encoder, folder / "hilo")
            launched = ("--clone", clone, "--output-dir", str(folder / "hilo"))
            command = [_interpreter(python), str(_LAUNCHER), *launched]
        what = f"Pair F1 {pair_f1:g} on ECF validation{', synthetic' if corpus.synthetic else ''}"
        if threshold == "best":
            what += ", ours at its best threshold there"
        ours_command = _our_command(Path(data_dir), text_encoder, folder, threshold)
        ours = _ours(ours_command, folder, pair_f1, most_epochs, say)
        if command is None:
            theirs, alternative = _NOT_REACHED, "not measured: no clone of HiLo given"
            say("HiLo is not measured, only ours: no clone was given (--hilo-clone, --hilo-python).")
        else:
            say("HiLo's batches are those of its configuration, which is not checked.")
            theirs, alternative = _hilo(command, folder, gold, pair_f1, say), "HiLo, text alone"
    return [
        SpeedRow(f"{kind} time to {what}", getattr(ours, kind), alternative, getattr(theirs, kind))
        for kind in Taken._fields
    ]


def _folder(option: str, given: str) -> Path:
    path = Path(given).resolve()
    if not path.is_dir():
        raise MissingDataError(f"{option} {given} is no folder.")
    return path


def _interpreter(python: str | None) -> str:
    found = python and shutil.which(python)
    if not found:
        raise UsageError(
            f"--hilo-python {python or 'is missing and'} names no program. Give the Python of the clone's environment; "
            "HiLo does not run in that of this package."
        )
    return found


def _our_command(data_dir: Path, encoder: Path, folder: Path, threshold: OurThreshold) -> list[str]:
    return [
        *(sys.executable, "-m", "iemomecp_dataset.trainers.fusion", "--data_dir", str(data_dir.resolve())),
        *("--config_name", "ecf", "--modalities", "t", "--scorer", "dialogue", "--objective", "base"),
        *("--text_encoder", str(encoder), "--encoder_mode", "trained", "--batch_size", str(_BATCH)),
        # One pass over each mini-batch and no emotion categories, which HiLo does not learn either.
        *("--r_drop_weight", "0", "--emotion_category_weight", "0", "--learning_rate", "3e-4"),
        *("--text_layers", "thirds"),
        *("--epochs", str(_EPOCHS), "--patience", "0", "--output_dir", str(folder / "ours"), "--quiet"),
        *(("--threshold", "0.5") if threshold == "half" else ()),
    ]


def _ours(command: Sequence[str], folder: Path, pair_f1: float, most_epochs: int, say: Callable[[str], None]) -> Taken:
    """Runs our training and reads its log while it is written."""
    # Nothing that an earlier run left in a cache is saved here.
    caches = {"HF_DATASETS_CACHE": str(folder / "datasets"), "IEMOMECP_CACHE": str(folder / "features")}
    printed = folder / "ours.txt"
    spent, best, seen = 0.0, math.nan, 0
    with printed.open("w", encoding="utf-8") as stream, _started(command, caches, stdout=stream) as process:
        began = time.monotonic()
        while True:
            with contextlib.suppress(ProcessLookupError):
                spent = processor_seconds(process.pid)
            now = Taken(spent, time.monotonic() - began)
            ended = process.poll() is not None
            for epoch in read_epochs(folder / "ours" / "log.jsonl")[seen:]:
                seen += 1
                found = 100 * epoch.validation.get("pair_f1", math.nan)
                best = found if math.isnan(best) else max(best, found)
                say(_line(f"ours, epoch {epoch.number}", found, now))
                if found >= pair_f1:
                    return now
            if ended or seen >= most_epochs:
                break
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        failed = process.poll()
    if failed:
        raise TrainingError(f"Our training ended with exit code {failed}: {_end_of(printed)}")
    say(f"ours did not reach {pair_f1:g} in {seen} epochs; its best was {best:.1f}.")
    return _NOT_REACHED


def _hilo(
    command: Sequence[str], folder: Path, gold: Mapping[str, int], pair_f1: float, say: Callable[[str], None]
) -> Taken:
    """Runs the launcher and reads what HiLo prints; a score that could be another split's ends the measurement."""
    course, last, number, best = PrintedCourse(gold), deque[str](maxlen=20), 0, 0.0
    # HiLo's environment has packages of its own.
    environment = {"PYTHONPATH": ""}
    with (
        (folder / "hilo.txt").open("w", encoding="utf-8") as kept,
        _started(command, environment, stdout=subprocess.PIPE) as process,
    ):
        began = time.monotonic()
        spent = 0.0
        for line in process.stdout or ():
            kept.write(line)
            last.append(line)
            found = course.read(line)
            if found is None:
                continue
            with contextlib.suppress(ProcessLookupError):
                spent = processor_seconds(process.pid)
            now = Taken(spent, time.monotonic() - began)
            if not found.doubt:
                number += 1
                best = max(best, found.f1)
                say(_line(f"HiLo, evaluation {number}", found.f1, now))
                if found.f1 >= pair_f1:
                    return now
                continue
            numbers = f"{found.precision:.4f} {found.recall:.4f} {found.f1:.4f}"
            if found.f1 >= pair_f1:
                say(f"HiLo printed {numbers}, and {found.doubt}: when it reached {pair_f1:g} cannot be told.")
                return _NOT_REACHED
            say(f"HiLo printed {numbers}, and {found.doubt}: not counted.")
        code = process.wait()
    if not number:
        say(
            "HiLo printed no precision, recall and F1 that can be told to be those of validation; it ended with exit "
            f"code {code}: {' '.join(''.join(last).split())[-500:]}"
        )
    else:
        say(f"HiLo did not reach {pair_f1:g} in {number} evaluations; its best was {best:.1f}, its exit code {code}.")
    return _NOT_REACHED


def _line(who: str, pair_f1: float, taken: Taken) -> str:
    return f"{who}: Pair F1 {pair_f1:.1f} after {taken.processor:.0f} s of processor time, {taken.wall:.0f} s in all"


def _end_of(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace").strip()[-1000:]


@contextlib.contextmanager
def _started(command: Sequence[str], variables: Mapping[str, str], *, stdout: Any) -> Iterator[subprocess.Popen[str]]:
    """Starts a command on one thread, and ends it and what it has started when the block is left."""
    import psutil

    process = subprocess.Popen(
        [*command],
        env={**os.environ, **_ONE_THREAD, **variables},
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    try:
        yield process
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            first = psutil.Process(process.pid)
            everything = [first, *first.children(recursive=True)]
            for one in everything:
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.terminate()
            # A run writes its checkpoint first.
            for one in psutil.wait_procs(everything, timeout=60)[1]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.kill()
        if process.stdout is not None:
            process.stdout.close()
        process.wait()
