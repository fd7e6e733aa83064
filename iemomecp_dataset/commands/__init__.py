"""The commands, one module each with ``main(arguments)``: what scripts/*.py and the console script ``iemomecp`` run."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import NoReturn

from iemomecp_dataset.command_process import run_command

__all__ = ["COMMANDS", "call", "run"]

COMMANDS = {
    "demo": "run the whole package on a synthetic corpus, in minutes",
    "stats": "print the statistics of a corpus, or what can be loaded",
    "validate": "validate the IEMO-MECP label files",
    "fetch": "download and verify the IEMO-MECP label files, or MELD",
    "build": "merge IEMOCAP, ConvECPE and the labels, and write Parquet or JSON",
    "synthetic": "write a synthetic corpus in the genuine layouts",
    "extract": "make a feature store from audio, video or text",
    "faces": "make a table of the faces in clips, from a face tool's files or with a detector",
    "train": "train a model of pairs (fusion, roberta, wavlm, clip), emotions (ecerc, emotion), explanations (explain)",
    "llm": "ask a language model for pairs, roles, emotions or explanations, and score its answers",
    "matrix": "train a matrix of models and print the table of results",
    "cross-validate": "judge variants of a recipe by predictions for dialogues that no run was trained on",
    "ensemble": "make one run of several: the mean of their probabilities",
    "evaluate": "score a file of predictions of any system",
    "report": "write the HTML report of a folder of runs",
    "predict": "predict who felt what in a conversation, and why, with a trained model",
    "figures": "draw the figures of arXiv 2605.25208",
    "diagnose": "write the diagnostics of a folder of runs as CSV",
    "app": "show a page in the browser that finds the emotions and causes in a conversation",
    "export": "write explanations as conversations, for trainers of other projects",
    "export-for": "write the input files of HiLo, M3HG, MECPE-2step or the official SemEval-2024 evaluator",
    "push": "upload a run's model, a metric or the page to the Hugging Face Hub",
    "import-from": "make a run folder of what HiLo, M3HG, MECPE-2step or another system leaves",
}
"""What each command does; the module of its name in this folder, with underscores, does it."""


def call(command: str, arguments: Sequence[str] | None = None) -> int | None:
    """Runs a command.

    Args:
        command: One of :data:`COMMANDS`; only its module is imported.
        arguments: Its command line; by default this process's.

    Returns:
        The exit code; ``None`` means 0.

    Raises:
        IemomecpError: What the user got wrong.
    """
    code: int | None = importlib.import_module(f"{__name__}.{command.replace('-', '_')}").main(arguments)
    return code


def run(command: str) -> NoReturn:
    """Runs a command with this process's command line, and leaves the process; scripts/*.py end here."""
    run_command(lambda: call(command, sys.argv[1:]))
