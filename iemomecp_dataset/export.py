"""Exports a merged corpus: Parquet with a card, which plain ``load_dataset(folder)`` reads, or full split JSON."""

from __future__ import annotations

import hashlib
import io
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from iemomecp_dataset.dataset_card import parquet_card
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.files import write_bytes, write_text
from iemomecp_dataset.merging.merge_report import MergeReport
from iemomecp_dataset.options import ForwardPairs, TextSource
from iemomecp_dataset.reader import SYNTHETIC_FILE
from iemomecp_dataset.rows import is_synthetic
from iemomecp_dataset.sources.full_splits import write_full_splits

__all__ = ["BuildOptions", "BuildResult", "build_from_sources", "write_parquet_folder"]


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


def write_parquet_folder(configs: Mapping[str, Any], folder: Path, *, synthetic: bool) -> list[Path]:
    """Writes the splits of several configurations.

    Args:
        configs: A :class:`datasets.DatasetDict` by configuration; the first is the default.
        folder: The folder; made where there is none.
        synthetic: Whether the card says that the data is synthetic.

    Returns:
        The files.

    Raises:
        UsageError: The folder cannot be written to, or holds Parquet files of something else.
    """
    data = folder / "data"
    written: dict[str, dict[str, Path]] = {}
    try:
        _clear(data)
        for name, splits in configs.items():
            written[name] = {}
            for split, rows in splits.items():
                written[name][split] = _write(rows, data / name, split)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written ({error.strerror or error}). Choose another folder.") from None
    card = folder / "README.md"
    paths = {
        name: {split: path.relative_to(folder).as_posix() for split, path in splits.items()}
        for name, splits in written.items()
    }
    counts = {name: {split: len(rows) for split, rows in splits.items()} for name, splits in configs.items()}
    write_text(card, parquet_card(paths, counts, synthetic=synthetic))
    return [*(path for splits in written.values() for path in splits.values()), card]


def _write(rows: Any, folder: Path, split: str) -> Path:
    """Writes a split under a name with its content in it.

    The cache of ``datasets`` goes by the folder's name and the paths in the card alone: under a fixed name, a folder
    that was built again would be read as it was before.
    """
    stream = io.BytesIO()
    rows.to_parquet(stream)
    content = stream.getvalue()
    path = folder / f"{split}-{hashlib.sha256(content).hexdigest()[:12]}.parquet"
    write_bytes(path, content)
    return path


def _clear(data: Path) -> None:
    """Removes the Parquet files of an earlier build, which a card of this one would read along; nothing else."""
    earlier = [path for path in data.rglob("*") if not path.is_dir()]
    for path in earlier:
        if path.suffix != ".parquet":
            raise UsageError(f"{path}: was not made here; choose an empty or new folder.")
    for path in earlier:
        path.unlink()
