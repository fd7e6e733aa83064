"""A folder of Parquet files with a dataset card: plain ``load_dataset(folder)`` reads it, without this package."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from iemomecp_dataset.dataset_card import parquet_card
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.text_files import write_text

__all__ = ["write_parquet_folder"]


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
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{split}.part.parquet"
    rows.to_parquet(part)
    with part.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()[:12]
    return part.rename(folder / f"{split}-{digest}.parquet")


def _clear(data: Path) -> None:
    """Removes the Parquet files of an earlier build, which a card of this one would read along; nothing else."""
    earlier = [path for path in data.rglob("*") if not path.is_dir()]
    for path in earlier:
        if path.suffix != ".parquet":
            raise UsageError(f"{path}: was not made here; choose an empty or new folder.")
    for path in earlier:
        path.unlink()
