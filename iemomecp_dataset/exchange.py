"""Builds from sources into files that move: Parquet with a card, or full split JSON."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.folders import SYNTHETIC_FILE
from iemomecp_dataset.merging.merge_report import MergeReport
from iemomecp_dataset.options import ForwardPairs, TextSource
from iemomecp_dataset.parquet_folder import write_parquet_folder
from iemomecp_dataset.rows import is_synthetic
from iemomecp_dataset.sources.full_splits import write_full_splits
from iemomecp_dataset.text_files import write_text

__all__ = ["BuildOptions", "BuildResult", "build_from_sources"]


@dataclass(frozen=True)
class BuildOptions:
    """What to build.

    Attributes:
        output_dir: Where the result goes.
        file_format: ``parquet`` or ``json``.
        data_dir: Folder with all parts.
        iemocap_root: The IEMOCAP release, where it lies apart.
        convecpe_root: ECPEC, likewise.
        label_dir: The label files, likewise.
        text_source: Whose text.
        forward_pairs: What ``source_binary`` calls forward source pairs.
        max_mismatch: Largest accepted share of mismatches between ConvECPE and IEMOCAP.
        max_label_mismatch: Largest accepted share of mismatches between the labels and ConvECPE.
    """

    output_dir: Path
    file_format: Literal["parquet", "json"] = "parquet"
    data_dir: Path | None = None
    iemocap_root: Path | None = None
    convecpe_root: Path | None = None
    label_dir: Path | None = None
    text_source: TextSource = "iemocap"
    forward_pairs: ForwardPairs = "as_published"
    max_mismatch: float = 0.01
    max_label_mismatch: float = 0.0


@dataclass(frozen=True)
class BuildResult:
    """What was built: the files, and how the sources were merged."""

    files: Sequence[Path]
    report: MergeReport


def build_from_sources(options: BuildOptions) -> BuildResult:
    """Merges the sources and writes the result.

    Args:
        options: What to build.

    Returns:
        The written files and the merge report.

    Raises:
        IemomecpError: A part is missing or broken, the parts disagree, or the folder cannot be written to.
    """
    output = options.output_dir
    if output.exists() and not output.is_dir():
        raise UsageError(f"{output}: is a file; name a folder.")
    with tempfile.TemporaryDirectory() as cache:
        three_class, builder = _build("3class", options, cache)
        synthetic = is_synthetic(three_class)
        if options.file_format == "json":
            files = write_full_splits(three_class, output)
        else:
            # Rows of both tasks: they differ in their labels alone.
            binary, _ = _build("source_binary", options, cache)
            files = write_parquet_folder({"3class": three_class, "source_binary": binary}, output, synthetic=synthetic)
    if synthetic:
        write_text(output / SYNTHETIC_FILE, "SYNTHETIC: built from sources that a program made.\n")
    report = builder.merge_report
    write_text(output / "merge_report.json", report.to_json() + "\n")
    return BuildResult(files=[*files, output / "merge_report.json"], report=report)


def _build(name: str, options: BuildOptions, cache: str) -> tuple[Any, Any]:
    from iemomecp_dataset.builder import IemomecpBuilder
    from iemomecp_dataset.registration import DATASET_NAME

    given: dict[str, Any] = {
        "data_dir": options.data_dir,
        "iemocap_root": options.iemocap_root,
        "convecpe_root": options.convecpe_root,
        "label_dir": options.label_dir,
        "text_source": options.text_source,
        "max_mismatch": options.max_mismatch,
        "max_label_mismatch": options.max_label_mismatch,
    }
    if name == "source_binary":
        given["forward_pairs"] = options.forward_pairs
    builder = IemomecpBuilder(config_name=name, cache_dir=cache, dataset_name=DATASET_NAME, **given)
    builder.download_and_prepare()
    return builder.as_dataset(in_memory=True), builder
