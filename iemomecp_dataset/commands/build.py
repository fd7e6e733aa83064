"""Merges IEMOCAP, ConvECPE and the label overlay, checks them against each other, and writes the result.

    python scripts/build_from_sources.py --iemocap-root IEMOCAP --convecpe-root ECPEC --label-dir labels --output-dir O

Parquet (the default) comes with a dataset card: plain `load_dataset("O")` reads it without this package. JSON is the
full split JSON (`O/splits/*.json`), which `load_dataset("iemomecp", full_root="O", label_dir=...)` reads. Both hold
IEMOCAP's text and must not be passed on. A merge report is written to O/merge_report.json and, shortened, printed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from iemomecp_dataset.command_line import REQUIRED, flags_in_errors, option, read_options
from iemomecp_dataset.options import ForwardPairs, TextSource


@dataclass(frozen=True)
class BuildCommandOptions:
    """Options of the command."""

    _dashes = True

    output_dir: Path = option(REQUIRED, "folder to write to; an earlier build in it is replaced", written=True)
    data_dir: Path | None = option(None, "folder with IEMOCAP/, ECPEC/ and labels/, in place of the next three")
    iemocap_root: Path | None = option(None, "the IEMOCAP release")
    convecpe_root: Path | None = option(None, "the ECPEC repository, or its pickle")
    label_dir: Path | None = option(None, "the folder of the label files")
    format: Literal["parquet", "json"] = option("parquet", "file format")
    text_source: TextSource = option("iemocap", "source of the text")
    forward_pairs: ForwardPairs = option("as_published", "label of forward source pairs in source_binary")
    max_mismatch: float = option(
        0.01, "largest accepted share of utterances on which IEMOCAP and ConvECPE differ", minimum=0, maximum=1
    )
    max_dialogue_mismatch: float = option(
        0.05, "the same in a single dialogue, whose texts may differ in one utterance in any case", minimum=0, maximum=1
    )
    allow_missing_text: bool = option(
        False, "take ConvECPE's sentence where IEMOCAP's transcript lacks an utterance, and count such utterances"
    )
    max_label_mismatch: float = option(
        0.0, "largest accepted share of turns on which labels and ConvECPE differ", minimum=0, maximum=1
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Builds, writes, reports."""
    options = read_options(BuildCommandOptions, arguments, command="build", description=__doc__)

    from iemomecp_dataset.export import BuildOptions, build_from_sources

    values = dict(vars(options))
    with flags_in_errors(BuildCommandOptions):
        result = build_from_sources(BuildOptions(file_format=values.pop("format"), **values))
    print(result.report.to_text())
    for path in result.files:
        print(f"written: {path}")
