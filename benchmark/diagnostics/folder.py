"""Writes the diagnostics of a folder of runs: one CSV file each, and a README.md that lists them."""

from __future__ import annotations

from pathlib import Path

from iemomecp_dataset.benchmark.diagnostics.catalogue import DIAGNOSTICS, POOLINGS
from iemomecp_dataset.benchmark.diagnostics.tables import COLUMNS, Diagnosis
from iemomecp_dataset.files import make_folder, write_text
from iemomecp_dataset.files.csv_cells import csv_text
from iemomecp_dataset.markdown_text import markdown_text

__all__ = ["write_diagnosis"]


def write_diagnosis(diagnosis: Diagnosis, folder: Path) -> list[Path]:
    """Writes the files; each appears whole or not at all.

    Args:
        diagnosis: All diagnostics.
        folder: Output folder; created if it does not exist.

    Returns:
        Paths of the files, README.md last.

    Raises:
        UsageError: The folder cannot be written to.
    """
    make_folder(folder)
    paths = []
    for name, table in diagnosis.tables.items():
        paths.append(folder / f"{name}.csv")
        write_text(paths[-1], csv_text(table, na_rep="NaN"))
    paths.append(folder / "README.md")
    write_text(paths[-1], _readme(diagnosis))
    return paths


def _readme(diagnosis: Diagnosis) -> str:
    lines = ["# Diagnostics", ""]
    if diagnosis.synthetic:
        which = "These runs are" if diagnosis.all_synthetic else "Some of these runs are"
        lines += [
            f"**SYNTHETIC DATA.** {which} on dialogues that a program made (column `data`): their numbers show that "
            "the software works and say nothing about real conversations.",
            "",
        ]
    lines += [
        "One row per number; every file has the same columns. Systems are the rows of the leaderboard: runs that "
        "differ in the seed alone.",
        "",
        "## Files",
        "",
        "| file | what it is | source | as published | corrected |",
        "|---|---|---|---|---|",
        *(
            f"| {d.name}.csv | {d.title} | {_cell(d.source)} | {_cell(d.as_published)} | {_cell(d.corrected) or '–'} |"
            for d in DIAGNOSTICS
        ),
        "",
        "## Columns",
        "",
        "| column | meaning |",
        "|---|---|",
        *(f"| {name} | {meaning} |" for name, meaning in COLUMNS.items()),
        "",
        "| pooling | meaning |",
        "|---|---|",
        *(f"| {name} | {meaning} |" for name, meaning in POOLINGS.items()),
        "",
        "## What could not be computed",
        "",
    ]
    unreadable = {reason.rstrip(".") for reason in diagnosis.left_out.values()}
    missing = [
        f"* {name}.csv: {markdown_text(reason)} ({count} row{'s' * (count != 1)})"
        for name, reasons in diagnosis.reasons().items()
        for reason, count in reasons.items()
        if reason not in unreadable
    ]
    left_out = [f"* {markdown_text(f'{folder}: {reason}')}" for folder, reason in diagnosis.left_out.items()]
    lines += missing or ["Nothing: every number is there."]
    lines += ["", "## Runs left out", "", *(left_out or ["None."]), ""]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
