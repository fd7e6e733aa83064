"""Prints the statistics of a corpus; without any option, the configurations that can be loaded.

    python -m iemomecp_dataset stats
    python -m iemomecp_dataset stats ecf --data-dir path/to/ecf

The name of the command can be left out: python -m iemomecp_dataset ecf --data-dir path/to/ecf. For ecem the report
of its merge with MELD and ECF follows, which accounts for every item of its file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from iemomecp_dataset.candidates import CandidateSpace
from iemomecp_dataset.command_line import command_hint, flags_in_errors, option, read_options
from iemomecp_dataset.options import (
    DEFAULT_CONFIG,
    EXPLANATION_CONFIGS,
    ConfigName,
    ExplanationStatuses,
    TextSource,
    load_options,
)


@dataclass(frozen=True)
class StatsOptions:
    """Options of the command."""

    _dashes = True

    config: ConfigName | None = option(None, "configuration; without one, all are listed", positional=True)
    data_dir: Path | None = option(None, "folder of the sources")
    label_dir: Path | None = option(None, "folder of the label files, where they are elsewhere")
    candidates: CandidateSpace | None = option(None, "candidates of corpora other than IEMO-MECP")
    text_source: TextSource | None = option(None, "source of the text of IEMO-MECP")
    status: ExplanationStatuses | None = option(None, "explanations of ecem: complete ones, or all")
    meld_root: Path | None = option(None, "MELD's CSV files for ecem, where they are elsewhere")
    ecf_root: Path | None = option(None, "the files of ECF, whose gold causes are attached in ecem")
    ecf_map: Path | None = option(None, "the map of ECF to MELD, if it is not in --ecf-root")


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints a table."""
    options = read_options(StatsOptions, arguments, command="stats", description=__doc__)
    if options.config is None and options.data_dir is None and options.label_dir is None:
        print(_overview())
        return

    from iemomecp_dataset.builder import load
    from iemomecp_dataset.corpus_statistics import statistics_table
    from iemomecp_dataset.find_sources import find_inputs

    name = options.config or DEFAULT_CONFIG
    given = {option: value for option, value in vars(options).items() if option != "config"}
    with flags_in_errors(StatsOptions):
        splits = load(name, **given)
        # Read again, as rows may come from the cache of an earlier call, without their report.
        report = find_inputs(load_options(name, given)).read().report if name in EXPLANATION_CONFIGS else None
    print(next(iter(splits.values())).info.description)
    print(statistics_table(name, splits))
    if report is not None:
        print(f"\n{report.to_text()}")


def _overview() -> str:
    from iemomecp_dataset.corpora.metadata import CORPORA

    lines = [
        "3class, source_binary: IEMO-MECP from IEMOCAP, ConvECPE and the label files",
        "overlay: the label files of IEMO-MECP alone",
    ]
    for corpus in CORPORA.values():
        lines.append(f"{corpus.name}: {corpus.title} ({corpus.language}; licence: {corpus.license})")
        lines.append(f"    to obtain it: {corpus.how_to_obtain}")
        lines.append(f"    cite: {corpus.citation}")
    lines.append(f"Statistics: {command_hint('stats', 'CONFIG --data-dir DIR')}")
    lines.append(f"All commands: {command_hint('--help')}")
    return "\n".join(lines)
