"""The command: its options, the places it needs, and its run from HiLo's start to the written files."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from .data_files import SPLIT_FILES, LaunchError, Split, read_dialogues
from .predictions import finish, look_early
from .recorder import Recorder
from .records import INSPECTION_FILE
from .watching import inside_clone, run_clone, say, watching

__all__ = ["main", "parse_arguments"]


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Options of this program; what follows ``--`` is HiLo's own."""
    parser = argparse.ArgumentParser(
        prog="launch_hilo.py",
        description="Starts a user's own, unchanged clone of HiLo and writes the predictions that HiLo does not write.",
        epilog="What follows -- is passed on to the clone's main.py.",
    )
    parser.add_argument("--clone", required=True, help="folder of the unchanged clone, with main.py and the data")
    parser.add_argument("--output-dir", required=True, help="folder for hilo_test.json and hilo_validation.json")
    parser.add_argument("--pair-logits", default="", help="paths of the pair logits, joined by +, if not found")
    parser.add_argument("--mask", default="", help="past (the cause is not after its target), all, or a path")
    parser.add_argument("--filter", default="", help="none, or the path of a mask that keeps pairs")
    parser.add_argument("--emotion", default="", help="path of the emotion logits or ids that the filter uses")
    parser.add_argument("--cause", default="", help="path of the cause logits or ids that the filter uses")
    parser.add_argument("--printed", nargs=3, metavar=("P", "R", "F1"), help="the printed test score, if not found")
    parser.add_argument("--keep-cache", action="store_true", help="use data/preprocessed of the clone as it is")
    given = list(sys.argv[1:] if arguments is None else arguments)
    own, rest = (given[: given.index("--")], given[given.index("--") + 1 :]) if "--" in given else (given, [])
    options = parser.parse_args(own)
    options.rest = rest
    return options


def check_places(options: argparse.Namespace) -> tuple[Path, Path]:
    """Clone and output folder, both absolute.

    Raises:
        LaunchError: The clone lacks a file, holds an old cache, or the output folder holds predictions already.
    """
    clone, folder = Path(options.clone).resolve(), Path(options.output_dir).resolve()
    for name in ("main.py", "src/trainer.py", "data/dataset"):
        if not (clone / name).exists():
            raise LaunchError(f"--clone {options.clone}: expected a clone of HiLo with {name}, found none.")
    caches = sorted(path.name for path in (clone / "data" / "preprocessed").glob("*.pkl"))
    if caches and not options.keep_cache:
        raise LaunchError(
            f"{clone / 'data' / 'preprocessed'} holds {', '.join(caches)}, which HiLo would use whatever the data are. "
            "Delete it, or give --keep-cache if it was made from the data that are there now."
        )
    for split in SPLIT_FILES:
        file = folder / f"hilo_{split}.json"
        if file.exists():
            raise LaunchError(f"{file} exists already. Choose another --output-dir or delete it.")
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / INSPECTION_FILE).exists():
        (folder / INSPECTION_FILE).unlink()
    return clone, folder


def launch(options: argparse.Namespace) -> None:
    """Runs HiLo and writes its predictions.

    Raises:
        LaunchError: What the user must know or do.
    """
    clone, folder = check_places(options)
    options.output_dir = str(folder)
    splits = {
        name: Split(name, read_dialogues(clone / "data" / "dataset" / file)) for name, file in SPLIT_FILES.items()
    }
    try:
        import torch
        import torch.utils.data
    except ImportError:
        raise LaunchError("torch is not installed here. Start this in the environment of the clone.") from None
    for name, split in splits.items():
        say(f"{name}: {len(split.lengths)} dialogues, {sum(split.lengths)} utterances, {int(split.gold.sum())} pairs")
    recorder = Recorder(torch, clone)
    recorder.after_pass = look_early(recorder, splits, options)
    started = time.time()
    with inside_clone(clone, options.rest, recorder.text), watching(recorder):
        run_clone(clone, options.rest, recorder)
        recorder.after_pass = None
        say(f"HiLo ended after {time.time() - started:.0f} s; looking for its decisions")
        finish(recorder, splits, options)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; the exit code is 1 where predictions are missing."""
    try:
        launch(parse_arguments(arguments))
    except LaunchError as error:
        if error.__cause__ is not None:
            import traceback

            traceback.print_exception(type(error.__cause__), error.__cause__, error.__cause__.__traceback__)
        say(f"error: {error}")
        return 1
    return 0
