"""Exports a merged corpus as Parquet with a dataset card, which ``load_dataset(folder)`` reads, or as split JSON."""

from __future__ import annotations

import hashlib
import io
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from iemomecp_dataset.dataset_card import CARD_FILE, CARD_MARK, parquet_card
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.files import not_written, write_bytes, write_text
from iemomecp_dataset.files.whole_folder import whole_folder
from iemomecp_dataset.merging.merge_report import MergeReport
from iemomecp_dataset.options import ForwardPairs, LoadOptions, TextSource
from iemomecp_dataset.reader import SYNTHETIC_FILE
from iemomecp_dataset.rows import is_synthetic, missing_texts
from iemomecp_dataset.sources.full_splits import write_full_splits

__all__ = ["BuildOptions", "BuildResult", "build_from_sources", "write_parquet_folder"]


@dataclass(frozen=True)
class BuildOptions:
    """What to build.

    Attributes:
        output_dir: Output folder.
        file_format: ``parquet``, or ``json`` for the full split files of the released artifact.
        data_dir: As in :class:`~iemomecp_dataset.options.LoadOptions`, and so are the following.
        iemocap_root: The IEMOCAP release.
        convecpe_root: The ECPEC folder.
        label_dir: The folder of the label files.
        text_source: Source of the texts.
        forward_pairs: Label of forward source pairs in ``source_binary``.
        max_mismatch: Largest accepted share of mismatches between ConvECPE and IEMOCAP.
        max_dialogue_mismatch: Largest accepted share of a dialogue's utterances whose texts differ.
        allow_missing_text: Whether utterances may be missing in IEMOCAP's transcripts.
        max_label_mismatch: Largest accepted share of mismatches between the labels and ConvECPE.
    """

    output_dir: Path
    file_format: Literal["parquet", "json"] = "parquet"
    data_dir: Path | None = None
    iemocap_root: Path | None = None
    convecpe_root: Path | None = None
    label_dir: Path | None = None
    text_source: TextSource = LoadOptions.text_source
    forward_pairs: ForwardPairs = LoadOptions.forward_pairs
    max_mismatch: float = LoadOptions.max_mismatch
    max_dialogue_mismatch: float = LoadOptions.max_dialogue_mismatch
    allow_missing_text: bool = LoadOptions.allow_missing_text
    max_label_mismatch: float = LoadOptions.max_label_mismatch


@dataclass(frozen=True)
class BuildResult:
    """The written files, and how the sources were merged."""

    files: Sequence[Path]
    report: MergeReport


def build_from_sources(options: BuildOptions) -> BuildResult:
    """Merges the sources and writes the result as a whole: an earlier build stands until the new one is complete.

    Args:
        options: What to build.

    Returns:
        The written files and the merge report.

    Raises:
        IemomecpError: A part is missing or invalid, the parts disagree, or the folder has other files or cannot be
            written to.
    """
    output = options.output_dir

    def check(folder: Path, files: list[str]) -> None:
        _check_is_build(folder, files, options.file_format)

    with whole_folder(output, check) as folder:
        # Within the hidden folder of this build: the copy has licensed text, and is removed also after a kill.
        with tempfile.TemporaryDirectory(dir=folder.parent) as cache:
            three_class, builder = _build("3class", options, cache)
            synthetic = is_synthetic(three_class)
            if options.file_format == "json":
                files = write_full_splits(three_class, folder)
            else:
                # Both tasks, whose rows differ in their labels alone.
                binary, _ = _build("source_binary", options, cache)
                files = write_parquet_folder(
                    {"3class": three_class, "source_binary": binary}, folder, synthetic=synthetic
                )
        if synthetic:
            write_text(folder / SYNTHETIC_FILE, "SYNTHETIC: built from sources that a program made.\n")
        report = builder.merge_report
        write_text(folder / _REPORT, report.to_json() + "\n")
        written = [path.relative_to(folder) for path in (*files, folder / _REPORT)]
    return BuildResult(files=[output / path for path in written], report=report)


_REPORT = "merge_report.json"
_FILES_OF = {
    "parquet": re.compile(rf"README\.md|data/[^/]+/[a-z]+-[0-9a-f]{{12}}\.parquet|{_REPORT}|{SYNTHETIC_FILE}"),
    "json": re.compile(rf"splits/[a-z]+\.json|{_REPORT}|{SYNTHETIC_FILE}"),
}
"""What a build writes, by format; names of Parquet files have a digest of the content."""


def _check_is_build(folder: Path, files: Sequence[str], file_format: str) -> None:
    """Accepts an earlier build of the same format, which may be incomplete, and nothing else.

    Raises:
        UsageError: The folder has another file.
    """
    foreign = [name for name in files if not _FILES_OF[file_format].fullmatch(name)]
    if not foreign and (card := folder / CARD_FILE).is_file() and CARD_MARK not in _beginning(card):
        foreign = [CARD_FILE]
    # The names of full splits are those of the released artifact, whose copy is not to be lost.
    if not foreign and file_format == "json" and _REPORT not in files:
        foreign = [*files]
    if foreign:
        raise UsageError(f"{folder / foreign[0]}: was not written by this export; choose an empty or new folder.")


def _beginning(path: Path) -> str:
    with path.open("rb") as stream:
        return stream.read(1000).decode("utf-8", "replace")


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
        "max_dialogue_mismatch": options.max_dialogue_mismatch,
        "allow_missing_text": options.allow_missing_text,
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
        folder: New or empty output folder.
        synthetic: Whether the card marks the data as synthetic.

    Returns:
        The written files.

    Raises:
        UsageError: The folder cannot be written to.
    """
    data = folder / "data"
    written: dict[str, dict[str, Path]] = {}
    try:
        for name, splits in configs.items():
            written[name] = {split: _write(rows, data / name, split) for split, rows in splits.items()}
    except OSError as error:
        raise not_written(folder, error) from None
    card = folder / CARD_FILE
    paths = {
        name: {split: path.relative_to(folder).as_posix() for split, path in splits.items()}
        for name, splits in written.items()
    }
    counts = {name: {split: len(rows) for split, rows in splits.items()} for name, splits in configs.items()}
    without_text = max(map(missing_texts, configs.values()), default=0)
    write_text(card, parquet_card(paths, counts, synthetic=synthetic, missing_texts=without_text))
    return [*(path for splits in written.values() for path in splits.values()), card]


def _write(rows: Any, folder: Path, split: str) -> Path:
    """Writes a split under a name that has a hash of its content.

    The cache key of ``datasets`` has the folder's name and the paths in the card alone: with a fixed file name, a
    rebuilt folder would be read from the cache of the earlier build.
    """
    stream = io.BytesIO()
    rows.to_parquet(stream)
    content = stream.getvalue()
    path = folder / f"{split}-{hashlib.sha256(content).hexdigest()[:12]}.parquet"
    write_bytes(path, content)
    return path
